# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme.problems import AcmeProblem
from ansible_collections.certfleet.acme.plugins.module_utils._acme.revocation import Revoked, reason_code, revoke
from ansible_collections.certfleet.acme.plugins.module_utils._acme.revoke_module import revoke_certificates
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._keys.account import generate_key, private_pem
from ansible_collections.certfleet.acme.plugins.module_utils._x509 import load_chain

from tests.support import rfc9773

from .scripted import Answer, ScriptedCA, problem, scripted_ca


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


@pytest.mark.parametrize(
    "given",
    [
        "bored",
        7,
        "7",
        8,
        "remove_from_crl",
        11,
        -1,
        "4.0",
        4.5,
        True,
        False,
        [],
        "４",
        "0x4",
        "4 5",
        "99999999999999999999",
    ],
)
def test_what_is_no_reason_is_refused_with_those_there_are(given: Any) -> None:
    with pytest.raises(CertfleetError, match=r"is not a reason.*superseded \(4\)"):
        reason_code(given)


def test_a_reason_that_the_standard_forbids_is_refused_with_why() -> None:
    with pytest.raises(CertfleetError, match="the standard does not use 7"):
        reason_code(7)
    for given in (8, "removeFromCRL"):
        with pytest.raises(CertfleetError, match="takes a certificate off a list"):
            reason_code(given)


@pytest.fixture
def ca() -> Iterator[ScriptedCA]:
    with scripted_ca() as running:
        yield running


CERTIFICATE = load_chain(rfc9773.CERTIFICATE)[0]
#: As OpenBao answers any reason but 0.
NO_REASONS = problem("badRevocationReason", 400, "revocation reasons are not supported")
DONE: Answer = (200, {}, b"")


def sent(ca: ScriptedCA) -> list[Any]:
    return [payload.get("reason") for _method, path, _protected, payload in ca.asked if path == "/revokeCert"]


@pytest.mark.parametrize(
    ("answers", "reason", "expected", "reasons"),
    [
        ([DONE], 4, Revoked(True, False, 4), [4]),
        ([DONE], None, Revoked(True, False, None), [None]),
        ([problem("alreadyRevoked", 400)], 4, Revoked(False, True, 4), [4]),
        # A CA that takes no reason, as OpenBao.
        ([NO_REASONS, DONE], 4, Revoked(True, False, None), [4, None]),
        ([NO_REASONS, problem("alreadyRevoked", 400)], 4, Revoked(False, True, None), [4, None]),
        # The answer was lost: what was done is found out by asking again.
        ([None, DONE], 1, Revoked(True, False, 1), [1, 1]),
        ([None, problem("alreadyRevoked", 400)], 1, Revoked(True, None, 1), [1, 1]),
        ([problem("serverInternal", 503), problem("alreadyRevoked", 400)], 1, Revoked(True, None, 1), [1, 1]),
        ([problem("rateLimited", 429), problem("alreadyRevoked", 400)], 1, Revoked(False, True, 1), [1, 1]),
    ],
)
def test_what_comes_of_a_revocation(
    ca: ScriptedCA, answers: Any, reason: int | None, expected: Revoked, reasons: list[int | None]
) -> None:
    ca.script["revokeCert"] = answers
    done = revoke(ca.session(), CERTIFICATE, reason)
    assert replace(done, warnings=()) == expected
    assert sent(ca) == reasons
    assert len(done.warnings) == (expected.changed and (reason != expected.reason or expected.before is None))


def test_a_warning_says_why_there_is_no_reason(ca: ScriptedCA) -> None:
    ca.script["revokeCert"] = [NO_REASONS, DONE]
    assert revoke(ca.session(), CERTIFICATE, 4).warnings == (
        "the CA does not take 4 as the reason, so none was given "
        "(badRevocationReason: revocation reasons are not supported)",
    )


def in_check_mode(ca: ScriptedCA, **options: Any) -> list[dict[str, Any]]:
    names = ("account_key_src", "account_key_content", "account_key_passphrase", "account_uri", "revoke_reason")
    params = {
        **dict.fromkeys([*names, "private_key_src", "private_key_content", "private_key_passphrase"]),
        "acme_directory": f"{ca.url}/directory",
        "request_timeout": 5,
        "timeout": 5,
        "concurrency": 1,
        "certificates": [{"name": "one", "certificate_content": rfc9773.CERTIFICATE}],
    }
    return revoke_certificates({**params, **options}, check_mode=True)


def test_check_mode_refuses_a_private_key_that_is_not_the_certificates(ca: ScriptedCA) -> None:
    key = private_pem(generate_key("ecdsa-p256")).decode()
    (result,) = in_check_mode(ca, private_key_content=key)
    assert (result["failed"], result["changed"]) == (True, False)
    assert "the private key is not this certificate's" in result["msg"]
    assert ca.paths() == ["/directory"]


def test_check_mode_looks_the_account_up_and_makes_none(ca: ScriptedCA) -> None:
    key = private_pem(generate_key("ecdsa-p256")).decode()
    ca.script["newAccount"] = [
        problem("accountDoesNotExist", 400),
        (200, {"Location": f"{ca.url}/account/7"}, {"status": "valid"}),
    ]
    with pytest.raises(CertfleetError, match="has no account for this key"):
        in_check_mode(ca, account_key_content=key)
    assert in_check_mode(ca, account_key_content=key)[0]["changed"]
    looked_up = [payload for _method, path, _protected, payload in ca.asked if path == "/newAccount"]
    assert looked_up == [{"onlyReturnExisting": True}] * 2
    assert "/revokeCert" not in ca.paths()


def test_other_refusals_are_not_tried_again_without_a_reason(ca: ScriptedCA) -> None:
    ca.script["revokeCert"] = [problem("unauthorized")]
    with pytest.raises(AcmeProblem, match="the CA refused the revocation: unauthorized"):
        revoke(ca.session(), CERTIFICATE, 4)
    assert sent(ca) == [4]
    ca.script["revokeCert"] = [NO_REASONS]
    with pytest.raises(AcmeProblem, match="badRevocationReason"):
        revoke(ca.session(), CERTIFICATE, 4)
    assert sent(ca) == [4, 4, None]
