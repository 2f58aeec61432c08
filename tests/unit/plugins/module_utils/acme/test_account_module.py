# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Contacts, with CAs that tell them in their own ways."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme.account_module import manage_account
from ansible_collections.certfleet.acme.plugins.module_utils._acme.accounts import find_either
from ansible_collections.certfleet.acme.plugins.module_utils._acme.session import open_session
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._keys.account import generate_account_key, load_account_key

from .scripted import ScriptedCA, problem, scripted_ca


@pytest.fixture
def ca() -> Iterator[ScriptedCA]:
    with scripted_ca() as running:
        yield running


def present(
    ca: ScriptedCA, folder: Path, contact: list[str], *, check: bool = False, **options: Any
) -> tuple[dict[str, Any], list[str]]:
    """The result, and the warnings."""
    key = folder / "account.pem"
    generate_account_key(str(key), "ecdsa-p256")
    params = {
        "state": "present",
        "acme_directory": f"{ca.url}/directory",
        "request_timeout": 5,
        "timeout": 5,
        "account_key_src": str(key),
        "contact": contact,
    }
    names = ("account_key_content", "account_key_passphrase", "account_uri", "external_account_binding")
    params.update({**dict.fromkeys(names), **options})
    warnings: list[str] = []
    module: Any = SimpleNamespace(params=params, check_mode=check, _diff=True, warn=warnings.append)
    return manage_account(module), warnings


def cut_off(ca: ScriptedCA, folder: Path, old: str, new: str) -> None:
    """A change of keys that was carried out, and cut before the new key was put in its place."""
    generate_account_key(str(folder / "account.pem"), "ecdsa-p256", old)
    generate_account_key(str(folder / "account.pem.rollover"), "ecdsa-p384", new)

    def look_up(_payload: Any) -> Any:
        protected = ca.asked[-1][2]
        assert protected is not None
        return account(ca) if protected["jwk"]["crv"] == "P-384" else problem("accountDoesNotExist", 400)

    ca.script["newAccount"] = [look_up]


def test_a_change_of_keys_with_two_passphrases_is_finished_with_both(ca: ScriptedCA, tmp_path: Path) -> None:
    cut_off(ca, tmp_path, "one", "two")
    both: dict[str, Any] = {"account_key_passphrase": "one", "new_account_key_passphrase": "two"}
    result, _warnings = present(ca, tmp_path, [], **both)
    assert (result["changed"], result["account_key_type"]) == (True, "ecdsa-p384")
    assert os.listdir(tmp_path) == ["account.pem"]
    assert load_account_key(str(tmp_path / "account.pem"), None, "two").thumbprint == result["account_key_thumbprint"]


@pytest.mark.parametrize(
    ("passphrase", "cause"),
    [("one", r"account.pem.rollover cannot be decrypted\."), ("two", r"account.pem cannot be decrypted\..*\.rollover")],
)
def test_with_one_passphrase_of_two_the_way_out_is_told(
    ca: ScriptedCA, tmp_path: Path, passphrase: str, cause: str
) -> None:
    cut_off(ca, tmp_path, "one", "two")
    src = str(tmp_path / "account.pem")
    with pytest.raises(CertfleetError, match=rf"{cause}.*state=changed_key and both passphrases"):
        key = load_account_key(src, None, passphrase)
        find_either(
            open_session({"acme_directory": f"{ca.url}/directory", "request_timeout": 5, "timeout": 5}, key),
            {"account_key_src": src, "account_key_passphrase": passphrase},
        )


def test_an_account_that_is_given_up_is_shown_with_the_key_it_had(ca: ScriptedCA, tmp_path: Path) -> None:
    cut_off(ca, tmp_path, "one", "two")
    ca.script["account/7"] = [account(ca, status="deactivated")]
    both: dict[str, Any] = {"account_key_passphrase": "one", "new_account_key_passphrase": "two"}
    result, _warnings = present(ca, tmp_path, [], state="absent", **both)
    assert (result["account"]["status"], result["account_key_type"]) == ("deactivated", "ecdsa-p384")


def account(ca: ScriptedCA, **body: Any) -> Any:
    return 200, {"Location": f"{ca.url}/account/7"}, {"status": "valid", **body}


def updates(ca: ScriptedCA) -> list[Any]:
    return [payload for _method, path, _protected, payload in ca.asked if path == "/account/7"]


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"contact": ["mailto:b@example.com", "mailto:a@example.com"]}, id="in another order"),
        pytest.param({"contact": ["mailto:a@example.com", "mailto:b@example.com", "mailto:a@example.com"]}, id="twice"),
    ],
)
def test_contacts_that_are_the_same_are_no_change(ca: ScriptedCA, tmp_path: Path, told: Any) -> None:
    ca.script["newAccount"] = [account(ca, **told)]
    result, warnings = present(ca, tmp_path, ["a@example.com", "b@example.com"])
    assert (result["changed"], warnings, updates(ca)) == (False, [], [])
    assert set(result["account"]["contact"]) == {"mailto:a@example.com", "mailto:b@example.com"}
    assert result["diff"]["before"] == result["diff"]["after"]


@pytest.mark.parametrize("told", [{}, {"contact": None}])
def test_a_ca_that_never_tells_contacts_is_told_them_and_shows_no_change(
    ca: ScriptedCA, tmp_path: Path, told: Any
) -> None:
    """As Let's Encrypt."""
    ca.script["newAccount"] = [account(ca, **told)]
    ca.script["account/7"] = [account(ca, **told)]
    result, warnings = present(ca, tmp_path, ["a@example.com"])
    assert updates(ca) == [{"contact": ["mailto:a@example.com"]}]
    assert (result["changed"], warnings) == (False, [])
    assert (result["account"]["contact"], result["account"]["contact_known"]) == (["mailto:a@example.com"], False)
    assert result["diff"]["before"] == result["diff"]["after"]


def test_an_account_without_contacts_gets_them_where_the_ca_leaves_out_what_is_empty(
    ca: ScriptedCA, tmp_path: Path
) -> None:
    """As Pebble, OpenBao and step-ca."""
    kept: dict[str, Any] = {}

    def update(payload: Any) -> Any:
        kept.update(payload)
        return account(ca, **kept)

    ca.script["newAccount"] = [lambda _payload: account(ca, **kept)]
    ca.script["account/7"] = [update]
    planned, _warnings = present(ca, tmp_path, ["a@example.com"], check=True)
    assert (planned["changed"], updates(ca)) == (False, [])  # it cannot be known
    result, warnings = present(ca, tmp_path, ["a@example.com"])
    assert (result["changed"], warnings) == (True, [])
    assert (result["account"]["contact"], result["account"]["contact_known"]) == (["mailto:a@example.com"], True)
    assert result["diff"]["before"]["contact"] == []
    assert result["diff"]["after"]["contact"] == ["mailto:a@example.com"]
    assert not present(ca, tmp_path, ["a@example.com"])[0]["changed"]
    assert len(updates(ca)) == 1


def test_no_contacts_are_not_asked_for_where_none_are_told(ca: ScriptedCA, tmp_path: Path) -> None:
    ca.script["newAccount"] = [account(ca)]
    assert (present(ca, tmp_path, [])[0]["changed"], updates(ca)) == (False, [])


def test_a_ca_that_drops_contacts_is_no_change_each_time_and_is_warned_of(ca: ScriptedCA, tmp_path: Path) -> None:
    ca.script["newAccount"] = [account(ca, contact=[])]
    ca.script["account/7"] = [account(ca, contact=[])]
    result, warnings = present(ca, tmp_path, ["a@example.com"])
    assert updates(ca) == [{"contact": ["mailto:a@example.com"]}]
    assert not result["changed"]
    assert warnings == ["the CA keeps other contacts than it was told: none"]
    assert result["diff"]["before"] == result["diff"]["after"]


def test_contacts_that_differ_are_brought_up_to_date(ca: ScriptedCA, tmp_path: Path) -> None:
    ca.script["newAccount"] = [account(ca, contact=["mailto:old@example.com"])]
    ca.script["account/7"] = [account(ca, contact=["mailto:a@example.com"])]
    result, warnings = present(ca, tmp_path, ["a@example.com"])
    assert (result["changed"], warnings) == (True, [])
    assert result["diff"]["after"]["contact"] == ["mailto:a@example.com"]
