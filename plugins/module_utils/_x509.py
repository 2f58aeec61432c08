# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading certificates and CSRs, on both planes: cryptography 3.4.8 (Ubuntu 22.04) and later."""

from __future__ import annotations

import base64
import datetime
import hashlib
import re
from typing import Any

from ._errors import CertfleetError
from ._names import normalise

CRYPTOGRAPHY_IMPORT_ERROR: ImportError | None = None
try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
except ImportError as error:
    CRYPTOGRAPHY_IMPORT_ERROR = error

_PEM_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_CURVES = {"secp256r1": "ecdsa-p256", "secp384r1": "ecdsa-p384", "secp521r1": "ecdsa-p521"}


def split_pem(text: str) -> list[str]:
    """The certificates of a PEM text, one PEM text each with a final newline, other matter left out."""
    return [block + "\n" for block in _PEM_BLOCK.findall(text)]


def load_chain(pem: str) -> list[x509.Certificate]:
    """The certificates of a PEM text in their order. Raises CertfleetError when there is none or one is damaged."""
    blocks = split_pem(pem)
    if not blocks:
        raise CertfleetError("there is no PEM certificate in it")
    try:
        return [x509.load_pem_x509_certificate(block.encode("ascii")) for block in blocks]
    except ValueError as error:
        raise CertfleetError(f"a certificate in it cannot be read: {error}") from error


def load_csr(pem: str) -> x509.CertificateSigningRequest:
    """The CSR of a PEM text, its signature checked. Raises CertfleetError."""
    try:
        csr = x509.load_pem_x509_csr(pem.encode("ascii"))
        valid = csr.is_signature_valid
    except (ValueError, UnicodeEncodeError) as error:
        raise CertfleetError(f"the CSR cannot be read: {error}") from error
    if not valid:
        raise CertfleetError("the CSR's signature does not fit its key", remedy="Make the CSR anew.")
    return csr


def public_key_sha256(key: Any) -> str:
    """SHA-256 of the SubjectPublicKeyInfo in DER, hexadecimal: the key's fingerprint in every result of ours."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def key_type(key: Any) -> str:
    """``ecdsa-p256``, ``rsa-2048`` and so on for a public or private key; the class name for any other."""
    if isinstance(key, (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey)):
        return _CURVES.get(key.curve.name, f"ecdsa-{key.curve.name}")
    if isinstance(key, (rsa.RSAPublicKey, rsa.RSAPrivateKey)):
        return f"rsa-{key.key_size}"
    return type(key).__name__.lstrip("_")


def identifiers(holder: x509.Certificate | x509.CertificateSigningRequest) -> list[str]:
    """DNS names and IP addresses of the subject alternative name (RFC 6125: the only place for them), sorted.

    Falls back to the common name of a CSR or certificate without that extension.
    """
    try:
        extension = holder.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = [str(attribute.value) for attribute in holder.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    else:
        names = list(extension.get_values_for_type(x509.DNSName))
        names += [str(address) for address in extension.get_values_for_type(x509.IPAddress)]
    result = set()
    for name in names:
        try:
            result.add(normalise(name))
        except CertfleetError:
            result.add(name)
    return sorted(result)


def timestamp(when: datetime.datetime) -> str:
    """An instant in UTC as ISO 8601 with seconds and ``Z``; a naive one is taken as UTC."""
    if when.tzinfo is not None:
        when = when.astimezone(datetime.timezone.utc)
    return when.replace(tzinfo=None, microsecond=0).isoformat() + "Z"


def validity(cert: x509.Certificate) -> tuple[datetime.datetime, datetime.datetime]:
    """notBefore and notAfter, aware, in UTC."""
    if hasattr(cert, "not_valid_after_utc"):  # cryptography 42; the naive ones are deprecated there
        return cert.not_valid_before_utc, cert.not_valid_after_utc
    utc = datetime.timezone.utc
    return cert.not_valid_before.replace(tzinfo=utc), cert.not_valid_after.replace(tzinfo=utc)


def ari_cert_id(cert: x509.Certificate) -> str | None:
    """The certificate's identifier for renewal information (RFC 9773 section 4.1); None without a key identifier.

    base64url of the authority key identifier, a dot, base64url of the serial number's DER content octets (with the
    zero octet in front when the highest bit is set).
    """
    try:
        extension = cert.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except x509.ExtensionNotFound:
        return None
    if extension.key_identifier is None:
        return None
    serial = cert.serial_number.to_bytes(cert.serial_number.bit_length() // 8 + 1, "big")
    return ".".join(
        base64.urlsafe_b64encode(part).decode("ascii").rstrip("=") for part in (extension.key_identifier, serial)
    )


def certificate_facts(cert: x509.Certificate) -> dict[str, Any]:
    """What results say of a certificate.

    serial: hexadecimal, lower case, no separators. not_before, not_after: ISO 8601 in UTC. issuer, subject: RFC 4514.
    identifiers: sorted names. fingerprint_sha256: of the DER. public_key_sha256: of the SubjectPublicKeyInfo.
    """
    not_before, not_after = validity(cert)
    return {
        "serial": format(cert.serial_number, "x"),
        "not_before": timestamp(not_before),
        "not_after": timestamp(not_after),
        "issuer": cert.issuer.rfc4514_string(),
        "subject": cert.subject.rfc4514_string(),
        "identifiers": identifiers(cert),
        "fingerprint_sha256": cert.fingerprint(hashes.SHA256()).hex(),
        "public_key_sha256": public_key_sha256(cert.public_key()),
        "key_type": key_type(cert.public_key()),
        "ari_cert_id": ari_cert_id(cert),
    }


def csr_facts(pem: str) -> dict[str, Any]:
    """identifiers, public_key_sha256 and key_type of a CSR in PEM. Raises CertfleetError."""
    csr = load_csr(pem)
    key = csr.public_key()
    return {"identifiers": identifiers(csr), "public_key_sha256": public_key_sha256(key), "key_type": key_type(key)}


def check_chain(chain_pem: str, *, public_key: str, names: list[str]) -> list[x509.Certificate]:
    """The chain's certificates, when its first one is for this key and these names and each names the next as issuer.

    public_key: SHA-256 as public_key_sha256 gives it. Raises CertfleetError that says what does not belong together.
    """
    chain = load_chain(chain_pem)
    leaf = chain[0]
    if public_key_sha256(leaf.public_key()) != public_key:
        raise CertfleetError("the certificate is for another key", remedy="Request it anew with this key's CSR.")
    found = set(identifiers(leaf))
    if found != set(names):
        raise CertfleetError(
            f"the certificate is for {', '.join(sorted(found))}, not for {', '.join(sorted(names))}",
            remedy="Request it anew.",
        )
    for child, parent in zip(chain, chain[1:]):
        if child.issuer != parent.subject:
            raise CertfleetError(
                f"the chain is out of order: {child.issuer.rfc4514_string()} issued one certificate and "
                f"{parent.subject.rfc4514_string()} comes next",
                remedy="Ask the CA for the chain again.",
            )
    return chain


def check_chain_for_csr(chain_pem: str, csr_pem: str) -> list[x509.Certificate]:
    """check_chain() against the key and the names of a CSR in PEM. Raises CertfleetError."""
    facts = csr_facts(csr_pem)
    return check_chain(chain_pem, public_key=facts["public_key_sha256"], names=facts["identifiers"])
