# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme.revocation import reason_code, revoke
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from cryptography import x509

from tests.support.controller import make_csr
from tests.support.small_ca import SmallCA

from .scripted import problem, scripted_ca


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (None, None),
        ("", None),
        (0, 0),
        (4, 4),
        ("4", 4),
        ("superseded", 4),
        ("key_compromise", 1),
        ("keyCompromise", 1),
        ("key-compromise", 1),
        ("Cessation_Of_Operation", 5),
        (10, 10),
    ],
)
def test_reasons_by_name_and_number(given: Any, code: int | None) -> None:
    assert reason_code(given) == code


@pytest.mark.parametrize("given", ["bored", 7, "7", 8, "remove_from_crl", 11, -1, "4.0"])
def test_what_is_no_reason_is_refused_with_those_there_are(given: Any) -> None:
    with pytest.raises(CertfleetError, match=r"is not a reason.*superseded \(4\)"):
        reason_code(given)


@pytest.mark.parametrize(
    ("before", "changed"), [([], False), ([None], True), ([problem("rateLimited", 429)], False)], ids=str
)
def test_already_revoked_is_our_doing_when_an_answer_was_lost(before: list[Any], changed: bool) -> None:
    certificate = x509.load_pem_x509_certificate(SmallCA().chain_for(make_csr("a.example.com")).encode())
    with scripted_ca() as ca:
        ca.script["revokeCert"] = [*before, problem("alreadyRevoked", 400)]
        assert revoke(ca.session(), certificate, None) is changed
        assert ca.paths().count("/revokeCert") == len(before) + 1
