# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme import accounts
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError

from .scripted import ScriptedCA, problem, scripted_ca

OPTIONS: dict[str, Any] = {"allow_creation": True, "terms_agreed": True, "contact": ["ops@example.com"]}


@pytest.fixture
def ca() -> Iterator[ScriptedCA]:
    with scripted_ca() as running:
        yield running


def sent(ca: ScriptedCA) -> list[Any]:
    return [payload for _method, path, _protected, payload in ca.asked if path == "/newAccount"]


def known(ca: ScriptedCA, status: int = 200, **body: Any) -> Any:
    return status, {"Location": f"{ca.url}/account/7"}, {"status": "valid", **body}


def test_an_account_that_exists_costs_one_request_and_is_signed_for_from_then_on(ca: ScriptedCA) -> None:
    ca.script["newAccount"] = [known(ca)]
    ca.script["thing"] = [(200, {}, {})]
    session = ca.session()
    account = accounts.use_account(session, OPTIONS)
    session.read(f"{ca.url}/thing", doing="it")
    assert sent(ca) == [{"onlyReturnExisting": True}]
    assert not account.created
    heads = {path: protected for _method, path, protected, _payload in ca.asked if protected}
    assert "jwk" in heads["/newAccount"]
    assert "kid" not in heads["/newAccount"]
    assert heads["/thing"]["kid"] == account.uri == f"{ca.url}/account/7"


def test_an_account_that_is_missing_is_created_with_what_the_options_say(ca: ScriptedCA) -> None:
    ca.script["newAccount"] = [problem("accountDoesNotExist", 400), known(ca, 201)]
    assert accounts.use_account(ca.session(), OPTIONS).created
    assert sent(ca)[1] == {"contact": ["mailto:ops@example.com"], "termsOfServiceAgreed": True}


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"allow_creation": False}, "has no account for this key"),
        ({"account_uri": "https://ca.example/1"}, "has no account for this key, so it is not https://ca.example/1"),
        ({"terms_agreed": False}, "wants its terms of service agreed to: https://ca.example/terms"),
        ({}, "binds new accounts to an account you have with it"),
        ({"external_account_binding": {"kid": "k", "key": "a+b/=", "alg": "HS256"}}, "is not base64url"),
    ],
)
def test_no_account_is_created_against_the_options_or_what_the_directory_asks(
    ca: ScriptedCA, options: dict[str, Any], cause: str
) -> None:
    ca.directory["meta"] = {"termsOfService": "https://ca.example/terms", "externalAccountRequired": True}
    ca.script["newAccount"] = [problem("accountDoesNotExist", 400)]
    with pytest.raises(CertfleetError, match=cause):
        accounts.use_account(ca.session(), {**OPTIONS, **options})
    assert sent(ca) == [{"onlyReturnExisting": True}]


def test_a_key_of_another_account_than_the_named_one_is_refused(ca: ScriptedCA) -> None:
    ca.script["newAccount"] = [known(ca)]
    with pytest.raises(CertfleetError, match=r"belongs to .*/account/7, not to https://ca.example/1"):
        accounts.use_account(ca.session(), {**OPTIONS, "account_uri": "https://ca.example/1"})


def test_a_deactivated_account_is_not_taken_for_a_missing_one(ca: ScriptedCA) -> None:
    ca.script["newAccount"] = [problem("unauthorized", 401, "account is deactivated")]
    with pytest.raises(CertfleetError, match=r"account is deactivated.*a deactivated account does not come back"):
        accounts.use_account(ca.session(), OPTIONS)
    assert len(sent(ca)) == 1


@pytest.mark.parametrize(("alg", "digest"), [("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")])
def test_the_external_account_binding_is_signed_with_the_mac_key(ca: ScriptedCA, alg: str, digest: str) -> None:
    secret = bytes(range(40))
    key = base64.urlsafe_b64encode(secret).decode()
    ca.script["newAccount"] = [problem("accountDoesNotExist", 400), known(ca, 201)]
    accounts.use_account(
        ca.session(), {**OPTIONS, "external_account_binding": {"kid": "kid-1", "key": key, "alg": alg}}
    )
    binding = sent(ca)[1]["externalAccountBinding"]
    signed = f"{binding['protected']}.{binding['payload']}".encode()
    expected = base64.urlsafe_b64encode(hmac.new(secret, signed, getattr(hashlib, digest)).digest())
    assert binding["signature"] == expected.decode().rstrip("=")


def test_contacts_are_urls_and_each_is_there_once() -> None:
    given = ["ops@example.com", " mailto:ops@example.com", "tel:+1", "", "b@example.com"]
    assert accounts.normalise_contact(given) == ["mailto:ops@example.com", "tel:+1", "mailto:b@example.com"]
