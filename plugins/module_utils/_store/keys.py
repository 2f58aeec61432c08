# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private keys and CSRs, made on the host that uses them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from .._errors import CertfleetError
from .._names import is_ip
from .._x509 import public_key_sha256
from ._library import ec, hashes, rsa, serialization, x509

KEY_TYPES = ("ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096")
DEFAULT_KEY_TYPE = "ecdsa-p256"


def generate(key_type: str) -> Any:
    """A new private key of one of KEY_TYPES."""
    family, size = key_type.split("-")
    if family == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=int(size))
    return ec.generate_private_key(ec.SECP384R1() if size == "p384" else ec.SECP256R1())


def to_pem(key: Any) -> bytes:
    """PKCS#8 in PEM, unencrypted: what servers read."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load(pem: bytes) -> Any:
    """The private key of a PEM file. Raises CertfleetError, with no byte of the content in it."""
    try:
        return serialization.load_pem_private_key(pem, None)
    except TypeError:
        raise CertfleetError("the private key is encrypted") from None
    except Exception:  # noqa: BLE001 - cryptography raises its own classes here, differently by version
        raise CertfleetError("the private key cannot be read") from None


def fingerprint(key: Any) -> str:
    """SHA-256 of the public half, hexadecimal."""
    return public_key_sha256(key.public_key())


def make_csr(key: Any, identifiers: Sequence[str]) -> str:
    """A CSR in PEM for these names, all of them in the subject alternative name and none in the subject.

    The common name is left out: CAs take names from the extension only, limit the common name to 64 characters, and
    some of their profiles leave it out of the certificate. With an empty subject the extension is critical
    (RFC 5280 section 4.2.1.6).
    """
    names: list[Any] = []
    for name in identifiers:
        names.append(x509.IPAddress(ipaddress.ip_address(name)) if is_ip(name) else x509.DNSName(name))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode("ascii")
