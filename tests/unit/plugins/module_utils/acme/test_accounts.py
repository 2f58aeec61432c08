# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme import accounts, info_module
from ansible_collections.certfleet.acme.plugins.module_utils._acme.argspec import check_binding
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._keys.account import generate_account_key, load_account_key
from hypothesis import given
from hypothesis import strategies as st

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
@pytest.mark.parametrize("work", [accounts.use_account, accounts.expect_account])
def test_no_account_is_created_against_the_options_or_what_the_directory_asks(
    ca: ScriptedCA, options: dict[str, Any], cause: str, work: Any
) -> None:
    ca.directory["meta"] = {"termsOfService": "https://ca.example/terms", "externalAccountRequired": True}
    ca.script["newAccount"] = [problem("accountDoesNotExist", 400)]
    with pytest.raises(CertfleetError, match=cause):
        work(ca.session(), {**OPTIONS, **options})
    assert sent(ca) == [{"onlyReturnExisting": True}]


def test_an_account_that_would_be_created_is_none_yet(ca: ScriptedCA) -> None:
    ca.script["newAccount"] = [problem("accountDoesNotExist", 400)]
    assert accounts.expect_account(ca.session(), OPTIONS) is None
    assert sent(ca) == [{"onlyReturnExisting": True}]


def test_an_account_whose_key_is_not_made_yet_is_not_looked_up(ca: ScriptedCA) -> None:
    session = ca.session()
    session.key = None
    assert accounts.expect_account(session, OPTIONS) is None
    with pytest.raises(CertfleetError, match="has no account for this key"):
        accounts.expect_account(session, {**OPTIONS, "allow_creation": False})
    assert sent(ca) == []


def test_an_account_that_is_there_is_what_check_mode_judges_by(ca: ScriptedCA) -> None:
    ca.script["newAccount"] = [known(ca)]
    session = ca.session()
    found = accounts.expect_account(session, OPTIONS)
    assert found is not None
    assert found.uri == session.account_uri == f"{ca.url}/account/7"


def test_a_module_that_creates_none_does_not_name_the_option_for_it(ca: ScriptedCA) -> None:
    ca.script["newAccount"] = [problem("accountDoesNotExist", 400)]
    with pytest.raises(CertfleetError, match="or create the account with acme_account") as caught:
        accounts.use_account(ca.session(), {"account_uri": None})
    assert "allow_creation" not in str(caught.value)


def test_an_account_url_without_a_host_is_on_the_cas(ca: ScriptedCA) -> None:
    ca.script["newAccount"] = [(200, {"Location": "/account/7"}, {"status": "valid"})]
    assert accounts.use_account(ca.session(), OPTIONS).uri == f"{ca.url}/account/7"


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


def test_a_key_that_another_process_changes_meanwhile_gets_no_second_account(ca: ScriptedCA, tmp_path: Path) -> None:
    path = tmp_path / "account.pem"
    generate_account_key(str(path), "ecdsa-p256")
    session = ca.session()
    session.use_key(load_account_key(str(path)))

    def changed(_payload: Any) -> Any:
        path.unlink()
        generate_account_key(str(path), "ecdsa-p256")
        return problem("accountDoesNotExist", 400)

    ca.script["newAccount"] = [changed, known(ca)]
    account = accounts.use_account(session, {**OPTIONS, "account_key_src": str(path)})
    assert account.uri == f"{ca.url}/account/7"
    assert sent(ca) == [{"onlyReturnExisting": True}] * 2
    assert session.signing_key.thumbprint == load_account_key(str(path)).thumbprint


@given(st.binary(min_size=1, max_size=80), st.booleans(), st.sampled_from(["", "\n", " "]))
def test_every_mac_key_in_base64url_is_taken(key: bytes, padded: bool, after: str) -> None:
    text = base64.urlsafe_b64encode(key).decode()
    check_binding({"kid": "k", "key": (text if padded else text.rstrip("=")) + after})


@given(st.text("Ab9-_=+/ \n\u00e9\u0661"))
def test_what_is_taken_for_a_mac_key_can_be_read_as_one(text: str) -> None:
    try:
        check_binding({"kid": "k", "key": text})
    except CertfleetError:
        return
    bare = text.strip().rstrip("=")
    decoded = base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    assert decoded


@pytest.mark.parametrize("status", ["deactivated", "revoked"])
def test_an_account_that_the_look_up_shows_as_ended_is_not_used(ca: ScriptedCA, status: str) -> None:
    ca.script["newAccount"] = [(200, {"Location": f"{ca.url}/account/7"}, {"status": status})]
    with pytest.raises(accounts.AccountGone, match=f"the account is {status}") as caught:
        accounts.use_account(ca.session(), OPTIONS)
    assert caught.value.status == status


@pytest.mark.parametrize(
    "then",
    [
        pytest.param(problem("unauthorized", 401, "account is deactivated"), id="told as deactivated"),
        pytest.param(problem("accountDoesNotExist", 400), id="forgotten"),
    ],
)
def test_a_deactivation_whose_answer_was_lost_has_taken_place(ca: ScriptedCA, then: Any) -> None:
    ca.script["account/7"] = [problem("unauthorized", 401, "account is deactivated")]
    ca.script["newAccount"] = [then]
    accounts.deactivate_account(ca.session(), accounts.Account(f"{ca.url}/account/7"))
    (payload,) = [payload for _method, path, _protected, payload in ca.asked if path == "/account/7"]
    assert payload == {"status": "deactivated"}


def test_a_deactivation_that_is_refused_is_a_failure(ca: ScriptedCA) -> None:
    ca.script["account/7"] = [problem("unauthorized", 403, "not you")]
    ca.script["newAccount"] = [known(ca)]
    with pytest.raises(CertfleetError, match="the deactivation of the account: unauthorized: not you"):
        accounts.deactivate_account(ca.session(), accounts.Account(f"{ca.url}/account/7"))


def test_a_list_of_orders_without_an_end_is_given_up(ca: ScriptedCA) -> None:
    def page(_payload: Any) -> Any:
        return 200, {"Link": f'<{ca.url}/orders?page={len(ca.asked)}>;rel="next"'}, {"orders": []}

    for number in range(1, 40):
        ca.script[f"orders?page={number}"] = [page]
    ca.script["orders"] = [page]
    with pytest.raises(CertfleetError, match="did not end within"):
        info_module._order_urls(ca.session(), f"{ca.url}/orders", 10)
    assert len([path for path in ca.paths() if path.startswith("/orders")]) == 10


def test_a_page_that_leads_to_itself_ends_the_list_unfinished(ca: ScriptedCA) -> None:
    uri = f"{ca.url}/order/1"
    ca.script["orders"] = [(200, {"Link": '</orders>;rel="next"'}, {"orders": [uri, uri]})]
    assert info_module._order_urls(ca.session(), f"{ca.url}/orders", 10) == ([uri], False)
