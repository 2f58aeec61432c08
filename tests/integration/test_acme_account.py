# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.integration.conftest import Labs
from tests.integration.providers import pairs
from tests.lab.servers.pebble import EXTERNAL_ACCOUNTS
from tests.support.controller import Controller, item, key_pem, make_key

BOTH = pytest.mark.parametrize("lab", pairs(("pebble", "ministack"), ("acme2certifier", "moto")), indirect=True)


@pytest.fixture
def controller(lab: Any, tmp_path: Path) -> Controller:
    return Controller(lab, tmp_path)


@BOTH
def test_an_account_is_made_found_and_kept_up_to_date(controller: Controller) -> None:
    new = controller.ca(terms_agreed=True, generate_account_key=True, contact=["one@example.com"])
    planned = controller.module("acme_account", check=True, diff=True, **new)
    assert planned["changed"]
    assert planned["account_uri"] is None
    assert planned["diff"] == {"before": {}, "after": {"contact": ["mailto:one@example.com"]}}
    assert not controller.key.exists()
    assert controller.lab.counts("acme") == {"directory": 1}

    controller.lab.reset_log()
    made = controller.module("acme_account", **new)
    assert made["changed"]
    assert made["account_key_generated"]
    assert made["account_key_type"] == "ecdsa-p256"
    assert stat.S_IMODE(controller.key.stat().st_mode) == 0o600
    assert controller.lab.counts("acme") == {"directory": 1, "newNonce": 1, "newAccount": 2}

    controller.lab.reset_log()
    again = controller.module("acme_account", **new)
    assert not again["changed"]
    assert not again["account_key_generated"]
    assert again["account_uri"] == made["account_uri"]
    assert again["account_key_thumbprint"] == made["account_key_thumbprint"]
    assert again["account"]["status"] == "valid"
    assert controller.lab.counts("acme") == {"directory": 1, "newNonce": 1, "newAccount": 1}

    two = controller.ca(contact=["mailto:two@example.com", "mailto:one@example.com"])
    planned = controller.module("acme_account", check=True, diff=True, **two)
    assert planned["changed"]
    assert planned["diff"]["before"]["contact"] == ["mailto:one@example.com"]
    assert planned["diff"]["after"]["contact"] == ["mailto:one@example.com", "mailto:two@example.com"]
    assert not controller.module("acme_account", **new)["changed"]  # check mode changed nothing

    updated = controller.module("acme_account", **two)
    assert updated["changed"]
    assert set(updated["account"]["contact"]) == set(two["contact"])
    turned = {**two, "contact": two["contact"][::-1]}
    assert not controller.module("acme_account", **turned)["changed"]
    assert not controller.module("acme_account", **controller.ca())["changed"]
    assert not controller.module("acme_account", **controller.ca(account_uri=made["account_uri"]))["changed"]


@BOTH
def test_an_account_that_was_made_without_contacts_gets_them(controller: Controller) -> None:
    assert controller.account()["account"]["contact"] == []
    wanted = controller.ca(contact=["one@example.com"])
    assert controller.module("acme_account", **wanted)["changed"]
    again = controller.module("acme_account", **wanted)
    assert (again["changed"], again["account"]["contact_known"]) == (False, True)
    assert again["account"]["contact"] == ["mailto:one@example.com"]


@BOTH
@pytest.mark.parametrize("kind", ["ecdsa-p384", "rsa-2048", "rsa-4096"])
def test_accounts_with_keys_of_each_kind(controller: Controller, kind: str) -> None:
    made = controller.account(account_key_type=kind)
    assert made["account_key_type"] == kind
    found = controller.module("acme_account", **controller.ca(allow_creation=False))
    assert (found["changed"], found["account_uri"]) == (False, made["account_uri"])


def test_a_key_from_content_with_a_passphrase(labs: Labs, tmp_path: Path) -> None:
    controller = Controller(labs.get("acme2certifier"), tmp_path)
    content = key_pem(make_key(), "secret")
    options = controller.ca(account_key_content=content, account_key_passphrase="secret", terms_agreed=True)
    made = controller.module("acme_account", **options)
    assert made["changed"]
    assert not controller.module("acme_account", **options)["changed"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"allow_creation": False}, "has no account for this key"),
        ({"account_uri": "https://127.0.0.1/account/1"}, "has no account for this key"),
        ({"account_key_content": "nonsense"}, "there is no PEM private key in account_key_content"),
        ({"account_key_src": "/none.pem", "generate_account_key": False}, "/none.pem cannot be read: No such file"),
        ({"account_key_src": "/none/key.pem"}, "/none/key.pem cannot be written: No such file or directory"),
        ({"external_account_binding": {"kid": "k", "key": "no base64url!"}}, "is not base64url"),
    ],
)
def test_what_cannot_work_is_told_in_a_line_and_makes_no_account(
    labs: Labs, tmp_path: Path, options: dict[str, Any], cause: str
) -> None:
    controller = Controller(labs.get("acme2certifier"), tmp_path)
    controller.lab.reset_log()
    generate = "account_key_content" not in options
    merged = {**controller.ca(terms_agreed=True, **options), "generate_account_key": generate, **options}
    result = controller.module("acme_account", **merged)
    assert result["failed"]
    assert cause in result["msg"]
    assert controller.lab.counts("acme")["newAccount"] <= 1  # the look-up


def test_an_account_uri_of_another_account_is_refused(labs: Labs, tmp_path: Path) -> None:
    controller = Controller(labs.get("acme2certifier"), tmp_path)
    made = controller.account()
    result = controller.module("acme_account", **controller.ca(account_uri=made["account_uri"] + "x"))
    assert result["failed"]
    assert f"belongs to {made['account_uri']}, not to" in result["msg"]


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_an_account_is_bound_to_an_external_one_on_a_ca_that_checks_it(labs: Labs, tmp_path: Path, alg: str) -> None:
    controller = Controller(labs.get("pebble", "ministack"), tmp_path)
    (kid, key), (_kid, other) = EXTERNAL_ACCOUNTS.items()
    options = controller.ca(terms_agreed=True, generate_account_key=True)
    wrong = controller.module(
        "acme_account", **options, external_account_binding={"kid": kid, "key": other, "alg": alg}
    )
    assert "external account binding JWS verification error" in wrong["msg"]
    # As vaults give it, with a line end; and with the padding that some CAs show.
    given = {"kid": kid, "key": key + "==\n", "alg": alg}
    made = controller.module("acme_account", **options, external_account_binding=given)
    assert made["changed"]
    assert not controller.module("acme_account", **options, external_account_binding=given)["changed"]
    assert controller.module("acme_account_info", **controller.ca())["account"]["external_account_binding"]


def test_a_ca_that_wants_a_binding_makes_no_account_without(labs: Labs, tmp_path: Path) -> None:
    lab = labs.get("pebble", "ministack", purpose="binding", binding_required=True, hosts=0)
    controller = Controller(lab, tmp_path)
    info = controller.module("acme_account_info", **controller.ca(account_key_content=key_pem(make_key())))
    assert info["external_account_required"] is True
    controller.lab.reset_log()
    options = controller.ca(terms_agreed=True, generate_account_key=True)
    for check in (True, False):
        refused = controller.module("acme_account", check=check, **options)
        assert "binds new accounts to an account you have with it" in refused["msg"]
    assert controller.lab.counts("acme")["newAccount"] == 1  # the look-up; the CA did not have to refuse
    kid, key = next(iter(EXTERNAL_ACCOUNTS.items()))
    assert controller.module("acme_account", **options, external_account_binding={"kid": kid, "key": key})["changed"]


@BOTH
def test_a_deactivated_account_stays_so(controller: Controller) -> None:
    made = controller.account()
    absent = controller.ca(state="absent")
    planned = controller.module("acme_account", check=True, diff=True, **absent)
    assert planned["changed"]
    assert planned["diff"]["before"]["status"] == "valid"
    assert planned["diff"]["after"]["status"] == "deactivated"
    assert not controller.module("acme_account", **controller.ca(allow_creation=False))["changed"]
    done = controller.module("acme_account", **absent)
    assert (done["changed"], done["account_uri"], done["account"]["status"]) == (
        True,
        made["account_uri"],
        "deactivated",
    )
    assert controller.key.exists()
    again = controller.module("acme_account", **absent)
    assert (again["changed"], again["account_uri"]) == (False, None)
    assert controller.module("acme_account", **controller.ca(allow_creation=False))["failed"]


def test_an_account_that_never_was_is_absent(labs: Labs, tmp_path: Path) -> None:
    controller = Controller(labs.get("pebble", "ministack"), tmp_path)
    controller.lab.reset_log()
    missing = controller.module("acme_account", **controller.ca(state="absent", generate_account_key=True))
    assert "cannot be read: No such file" in missing["msg"]
    assert controller.lab.requests("acme") == []
    controller.key.write_text(key_pem(make_key()))
    assert not controller.module("acme_account", **controller.ca(state="absent"))["changed"]


def bad_keys() -> list[Any]:
    return [
        pytest.param(ed25519.Ed25519PrivateKey.generate(), "cannot sign for ACME", id="ed25519"),
        pytest.param(ec.generate_private_key(ec.SECP256K1()), "cannot sign for ACME", id="secp256k1"),
        pytest.param(rsa.generate_private_key(65537, 1024), "rsa-1024, which cannot sign", id="rsa-1024"),  # noqa: S505
    ]


@pytest.mark.parametrize(("key", "cause"), bad_keys())
@pytest.mark.parametrize("module", ["acme_account", "acme_account_info", "acme_inspect", "acme_certificate"])
def test_a_key_of_another_type_is_refused_before_the_first_request(
    labs: Labs, tmp_path: Path, key: Any, cause: str, module: str
) -> None:
    controller = Controller(labs.get("pebble", "ministack"), tmp_path)
    controller.lab.reset_log()
    more: dict[str, Any] = {"url": "newOrder"} if module == "acme_inspect" else {}
    if module == "acme_certificate":
        more = {"certificates": [item("one", "one.example.com")], **controller.dns()}
    result = controller.module(module, **controller.ca(account_key_content=key_pem(key)), **more)
    assert result["failed"]
    assert cause in result["msg"]
    assert controller.lab.requests("acme") == []


@pytest.mark.parametrize(
    ("binding", "cause"),
    [
        ({"kid": "k", "key": "no base64url!"}, "is not base64url"),
        ({"kid": "k", "key": "a+b/"}, "is not base64url"),
        ({"kid": "k", "key": "abcde"}, "is not base64url"),
        ({"kid": "k", "key": ""}, "is not base64url"),
        ({"kid": " ", "key": "abcd"}, "kid of external_account_binding is empty"),
    ],
)
def test_a_binding_that_no_ca_can_take_is_refused_before_the_first_request(
    labs: Labs, tmp_path: Path, binding: dict[str, Any], cause: str
) -> None:
    controller = Controller(labs.get("pebble", "ministack"), tmp_path)
    controller.lab.reset_log()
    options = controller.ca(terms_agreed=True, generate_account_key=True, external_account_binding=binding)
    result = controller.module("acme_account", **options)
    assert result["failed"]
    assert cause in result["msg"]
    assert controller.lab.requests("acme") == []
    assert not controller.key.exists()


def test_a_key_on_p521_signs_where_the_ca_takes_it(labs: Labs, tmp_path: Path) -> None:
    controller = Controller(labs.get("pebble", "ministack"), tmp_path)
    content = key_pem(ec.generate_private_key(ec.SECP521R1()))
    made = controller.module("acme_account", **controller.ca(account_key_content=content, terms_agreed=True))
    assert (made["changed"], made["account_key_type"]) == (True, "ecdsa-p521")
