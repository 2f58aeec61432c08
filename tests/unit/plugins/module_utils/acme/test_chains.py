# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme import chains
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

KEY = ec.generate_private_key(ec.SECP256R1())
SKI = x509.SubjectKeyIdentifier.from_public_key(KEY.public_key())


def certificate(subject: str, issuer: str) -> str:
    def name(common: str) -> x509.Name:
        attributes = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common)]
        return x509.Name([*attributes, x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, f"O of {common}")])

    now = datetime.datetime(2026, 11, 22, tzinfo=datetime.timezone.utc)
    built = x509.CertificateBuilder(name(issuer), name(subject), KEY.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    signed = built.add_extension(SKI, critical=False).sign(KEY, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


LEAF = certificate("leaf", "Y1")
SHORT = LEAF + certificate("Y1", "Root Y")
LONG = LEAF + certificate("Y1", "Root Y") + certificate("Root Y", "Old Root")


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        (None, SHORT),
        ([], SHORT),
        ([{"issuer": {"CN": "Old Root"}}], LONG),
        ([{"issuer": {"commonName": "Old Root"}}], LONG),
        ([{"issuer": {"2.5.4.3": "Old Root"}}], LONG),
        ([{"issuer": {"CN": "Old Root", "O": "O of another"}}], SHORT),
        ([{"issuer": {"CN": "Nobody"}}], SHORT),
        ([{"issuer": {"CN": "Nobody"}}, {"subject": {"CN": "Root Y"}}], LONG),
        ([{"issuer": {"CN": "Old Root"}, "test_certificates": "first"}], SHORT),
        ([{"issuer": {"CN": "Old Root"}, "test_certificates": "last"}], LONG),
        ([{"issuer": {"CN": "Root Y"}, "test_certificates": "last"}], SHORT),
        ([{"subject_key_identifier": SKI.digest.hex(":"), "subject": {"CN": "Root Y"}}], LONG),
        ([{"authority_key_identifier": "00:11", "issuer": {"CN": "Old Root"}}], SHORT),
        ([{"subject": {"CN": "leaf"}}, {"issuer": {"CN": "Old Root"}}], LONG),
    ],
)
def test_the_earliest_criterion_that_a_chain_fits_decides(criteria: list[dict[str, Any]] | None, expected: str) -> None:
    chains.check_criteria(criteria)
    assert chains.choose_chain([SHORT, LONG], criteria) == expected


@pytest.mark.parametrize(
    ("criterion", "cause"),
    [
        ({"test_certificates": "all"}, "number 1 of select_chain names nothing"),
        ({"issuer": {"shoe": "x"}}, "does not know the attribute shoe"),
        ({"subject_key_identifier": "xy"}, "xy is not a key identifier"),
    ],
)
def test_a_criterion_that_cannot_be_read_is_refused(criterion: dict[str, Any], cause: str) -> None:
    with pytest.raises(CertfleetError, match=cause):
        chains.check_criteria([criterion])


def test_the_certificate_and_the_rest_are_parted_and_other_text_is_dropped() -> None:
    first, rest = chains.split_chain("a remark\n" + SHORT + "\nanother")
    assert first + rest == SHORT
    assert first == LEAF
