# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import datetime
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils import _x509
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from tests.support import rfc9773

NOW = datetime.datetime(2026, 11, 1, 12, 0, 0)
ROOT_KEY = ec.generate_private_key(ec.SECP256R1())
LEAF_KEY = ec.generate_private_key(ec.SECP256R1())


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def issue(
    names: list[str],
    *,
    key: Any = LEAF_KEY,
    issuer: str = "root",
    serial: int = 0x0A1B,
    aki: bytes | None = b"\x01\x02",
) -> str:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(NOW)
        .not_valid_after(NOW + datetime.timedelta(days=47))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(text) for text in names]), critical=True)
    )
    if aki is not None:
        builder = builder.add_extension(x509.AuthorityKeyIdentifier(aki, None, None), critical=False)
    return pem(builder.sign(ROOT_KEY, hashes.SHA256()))


def root(subject: str = "root") -> str:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(subject))
        .public_key(ROOT_KEY.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + datetime.timedelta(days=900))
    )
    return pem(builder.sign(ROOT_KEY, hashes.SHA256()))


def csr(names: list[str], key: Any = LEAF_KEY) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(text) for text in names]), critical=False)
    return pem(builder.sign(key, hashes.SHA256()))


def pem(thing: Any) -> str:
    return str(thing.public_bytes(serialization.Encoding.PEM).decode())


def test_facts_of_a_certificate() -> None:
    facts = _x509.certificate_facts(_x509.load_chain(issue(["b.example", "*.A.example"]))[0])
    assert facts["serial"] == "a1b"
    assert facts["identifiers"] == ["*.a.example", "b.example"]
    assert (facts["not_before"], facts["not_after"]) == ("2026-11-01T12:00:00Z", "2026-12-18T12:00:00Z")
    assert facts["issuer"] == "CN=root"
    assert facts["key_type"] == "ecdsa-p256"
    assert facts["public_key_sha256"] == _x509.public_key_sha256(LEAF_KEY.public_key())


def test_renewal_identifier_of_rfc_9773_section_4_1() -> None:
    # The standard's own example; the serial's highest bit asks for a zero octet in front.
    identifier = bytes.fromhex("69885b6b87464041e1b37b847ba0ae2cde01c8d4")
    certificate = _x509.load_chain(issue(["a.example"], serial=0x87654321, aki=identifier))[0]
    assert _x509.ari_cert_id(certificate) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"


@given(st.integers(min_value=1, max_value=2**159 - 1))
def test_renewal_identifier_has_the_serial_as_der_writes_it(serial: int) -> None:
    certificate = _x509.load_chain(issue(["a.example"], serial=serial))[0]
    encoded = str(_x509.ari_cert_id(certificate)).split(".")[1]
    octets = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    assert int.from_bytes(octets, "big", signed=True) == serial
    assert len(octets) == 1 or octets[0] or octets[1] & 0x80, "DER allows no superfluous zero octet"


def test_no_renewal_identifier_without_key_identifier() -> None:
    assert _x509.ari_cert_id(_x509.load_chain(issue(["a.example"], aki=None))[0]) is None


def test_the_identifier_of_the_certificate_in_the_standard() -> None:
    """RFC 9773, appendix A: a certificate of the year 1, whose serial number needs a zero octet in front."""
    facts = _x509.certificate_facts(_x509.load_chain(rfc9773.CERTIFICATE)[0])
    assert facts["ari_cert_id"] == rfc9773.CERT_ID
    assert (facts["serial"], facts["not_after"]) == ("87654321", "0001-01-01T00:00:00Z")


def test_chain_that_belongs_to_the_csr() -> None:
    chain = _x509.check_chain_for_csr(issue(["a.example"]) + root(), csr(["A.example"]))
    assert len(chain) == 2


@pytest.mark.parametrize(
    ("chain", "cause"),
    [
        (issue(["a.example"], key=ec.generate_private_key(ec.SECP256R1())) + root(), "another key"),
        (issue(["a.example", "b.example"]) + root(), "is for a.example, b.example, not for a.example"),
        (issue(["a.example"]) + root("other"), "out of order"),
        ("", "no PEM certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
    ],
)
def test_chain_that_does_not_is_refused_with_the_reason(chain: str, cause: str) -> None:
    with pytest.raises(CertfleetError, match=cause):
        _x509.check_chain_for_csr(chain, csr(["a.example"]))


def test_csr_whose_signature_was_tampered_with_is_refused() -> None:
    text = csr(["a.example"])
    der = bytearray(x509.load_pem_x509_csr(text.encode()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    damaged = base64.encodebytes(bytes(der)).decode()
    with pytest.raises(CertfleetError, match="CSR"):
        _x509.load_csr(f"-----BEGIN CERTIFICATE REQUEST-----\n{damaged}-----END CERTIFICATE REQUEST-----\n")


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN CERTIFICATE REQUEST-----", "ключ"])
def test_what_is_no_csr_is_refused(text: str) -> None:
    with pytest.raises(CertfleetError, match="CSR cannot be read"):
        _x509.load_csr(text)


@pytest.mark.parametrize(
    ("key", "word"),
    [
        (ec.generate_private_key(ec.SECP384R1()), "ecdsa-p384"),
        (rsa.generate_private_key(65537, 2048), "rsa-2048"),
    ],
)
def test_key_types(key: Any, word: str) -> None:
    assert _x509.key_type(key) == _x509.key_type(key.public_key()) == word
    assert _x509.csr_facts(csr(["a.example"], key))["key_type"] == word
