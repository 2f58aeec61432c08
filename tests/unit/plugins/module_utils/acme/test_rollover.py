# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The change of an account's key with CAs that cannot, will not, or do not say: no key that counts is ever gone."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import josepy
import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme.rollover_module import KeyChange
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._keys import files
from ansible_collections.certfleet.acme.plugins.module_utils._keys.account import (
    generate_account_key,
    generate_key,
    load_account_key,
    private_pem,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .scripted import Answer, ScriptedCA, problem, scripted_ca


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def thumbprint(jwk: dict[str, Any]) -> str:
    key: Any = josepy.JWK.from_json(jwk)
    return josepy.b64encode(key.thumbprint()).decode()


class Accounts:
    """What a CA knows: one account, by its key. outcomes: what becomes of each keyChange, done when there is none left.

    ``done``: carried out. ``lost``: carried out, the answer cut. ``cut``: neither. ``broken``: 500, carried out.
    ``failed``: 500, not carried out. ``refused``: 403. An outcome may also be an answer.
    """

    def __init__(self, ca: ScriptedCA, known: str) -> None:
        self.ca, self.known = ca, known
        self.uri = f"{ca.url}/account/7"
        self.outcomes: list[Any] = []
        self.others: dict[str, str] = {}
        ca.directory["keyChange"] = f"{ca.url}/keyChange"
        ca.script["newAccount"] = [self.look_up]
        ca.script["keyChange"] = [self.change]

    def look_up(self, payload: Any) -> Answer:
        protected = self.ca.asked[-1][2]
        assert protected is not None
        assert payload == {"onlyReturnExisting": True}, "no account may be made"
        key = thumbprint(protected["jwk"])
        uri = self.uri if key == self.known else self.others.get(key)
        if uri is None:
            return problem("accountDoesNotExist", 400)
        return 200, {"Location": uri}, {"status": "valid"}

    def change(self, payload: Any) -> Any:
        protected = self.ca.asked[-1][2]
        assert protected is not None
        inner, claim = decoded(payload["protected"]), decoded(payload["payload"])
        # RFC 8555 section 7.3.5.
        assert sorted(inner) == ["alg", "jwk", "url"]
        assert inner["url"] == protected["url"] == f"{self.ca.url}/keyChange"
        assert claim["account"] == protected["kid"] == self.uri
        assert "d" not in claim["oldKey"]
        assert "d" not in inner["jwk"]
        if thumbprint(claim["oldKey"]) != self.known:
            return problem("malformed", 400, "wrong old key")
        outcome = self.outcomes.pop(0) if self.outcomes else "done"
        if outcome in ("done", "lost", "broken"):
            self.known = thumbprint(inner["jwk"])
        answers: dict[str, Any] = {
            "done": (200, {}, b""),
            "lost": None,
            "cut": None,
            "broken": problem("serverInternal", 500),
            "failed": problem("serverInternal", 500),
            "refused": problem("unauthorized", 403),
        }
        return answers[outcome] if isinstance(outcome, str) else outcome


@pytest.fixture
def ca() -> Iterator[ScriptedCA]:
    with scripted_ca() as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    generate_account_key(str(tmp_path / "account.pem"), "ecdsa-p256")
    return tmp_path / "account.pem"


def change(ca: ScriptedCA, path: Path | None, **options: Any) -> KeyChange:
    params = {
        "acme_directory": f"{ca.url}/directory",
        "request_timeout": 5,
        "timeout": 0.001,  # nothing is waited for
        "account_uri": None,
        "account_key_src": str(path) if path else None,
        "account_key_type": "ecdsa-p256",
        "generate_account_key": "new_account_key_content" not in options,
    }
    names = ("account_key_content", "account_key_passphrase", "new_account_key_src", "new_account_key_content")
    params.update(dict.fromkeys([*names, "new_account_key_passphrase"]))
    done = KeyChange({**params, **options}, check_mode=False)
    done.run()
    return done


def known_to(ca: ScriptedCA, path: Path) -> Accounts:
    return Accounts(ca, load_account_key(str(path)).thumbprint)


def test_the_request_is_as_the_standard_has_it(ca: ScriptedCA, path: Path) -> None:
    accounts = known_to(ca, path)
    done = change(ca, path)
    assert (done.changed, done.made, done.account.uri) == (True, True, accounts.uri)
    assert accounts.known == load_account_key(str(path)).thumbprint
    assert os.listdir(path.parent) == ["account.pem"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(None, id="not in the directory"),
        pytest.param((404, {}, {}), id="404"),
        pytest.param((405, {}, b"no"), id="405"),
        pytest.param(problem("notImplemented", 501), id="501"),
    ],
)
@pytest.mark.parametrize("given_as", ["made", "content"])
def test_a_ca_that_cannot_names_the_way_out_and_loses_nothing(
    ca: ScriptedCA, path: Path, answer: Answer | None, given_as: str
) -> None:
    accounts = known_to(ca, path)
    if answer is None:
        del ca.directory["keyChange"]
    accounts.outcomes = [answer]
    before = path.read_bytes()
    options = {}
    if given_as == "content":
        options = {"new_account_key_content": private_pem(generate_key("ecdsa-p384")).decode()}
    with pytest.raises(CertfleetError, match=r"cannot change the key of an account.*create a new account") as caught:
        change(ca, path, **options)
    assert caught.value.details["valid_account_key"] == "account_key_src"
    assert (path.read_bytes(), os.listdir(path.parent)) == (before, ["account.pem"])


def test_a_refusal_keeps_the_old_key_and_leaves_no_other(ca: ScriptedCA, path: Path) -> None:
    accounts = known_to(ca, path)
    accounts.outcomes = [problem("badPublicKey", 400, "not this one")]
    before = path.read_bytes()
    with pytest.raises(CertfleetError, match=r"badPublicKey: not this one\. The account keeps its key"):
        change(ca, path)
    assert (path.read_bytes(), os.listdir(path.parent)) == (before, ["account.pem"])


def test_a_refusal_for_now_says_when_to_run_again(ca: ScriptedCA, path: Path) -> None:
    accounts = known_to(ca, path)
    accounts.outcomes = [problem("rateLimited", 429, Retry_After="9000")]
    with pytest.raises(CertfleetError, match=r"The account keeps its key\. Run again at 20\d\d-.*Z, or raise timeout"):
        change(ca, path)
    assert os.listdir(path.parent) == ["account.pem"]


def test_a_conflict_without_a_document_names_the_other_account(ca: ScriptedCA, path: Path) -> None:
    accounts = known_to(ca, path)
    new = generate_key("ecdsa-p256")
    pem = private_pem(new).decode()

    def conflict(_payload: Any) -> Answer:
        accounts.others[load_account_key(None, pem).thumbprint] = f"{ca.url}/account/8"
        return 409, {"Location": f"{ca.url}/account/8"}, b""

    ca.script["keyChange"] = [conflict]
    with pytest.raises(CertfleetError, match=r"already has an account of its own, .*/account/8"):
        change(ca, path, new_account_key_content=pem)
    assert os.listdir(path.parent) == ["account.pem"]


def test_a_yes_that_the_look_up_does_not_bear_out_keeps_both_keys(ca: ScriptedCA, path: Path) -> None:
    accounts = known_to(ca, path)
    accounts.outcomes = [(200, {}, b"")]
    before = path.read_bytes()
    with pytest.raises(CertfleetError, match="said yes, and does not know the new key"):
        change(ca, path)
    assert path.read_bytes() == before
    assert sorted(os.listdir(path.parent)) == ["account.pem", "account.pem.rollover"]


def test_a_key_that_was_found_beside_is_not_deleted_when_it_is_refused(ca: ScriptedCA, path: Path) -> None:
    accounts = known_to(ca, path)
    beside = path.with_name("account.pem.rollover")
    generate_account_key(str(beside), "ecdsa-p384")
    accounts.outcomes = [problem("badPublicKey", 400)]
    with pytest.raises(CertfleetError, match=r"The account keeps its key\. .*\.rollover stays"):
        change(ca, path)
    assert beside.exists()


def test_the_passphrase_goes_over_to_the_new_key(ca: ScriptedCA, tmp_path: Path) -> None:
    path = tmp_path / "account.pem"
    generate_account_key(str(path), "ecdsa-p256", "one")
    Accounts(ca, load_account_key(str(path), None, "one").thumbprint)
    change(ca, path, account_key_passphrase="one")
    load_account_key(str(path), None, "one")
    change(ca, path, account_key_passphrase="one", new_account_key_passphrase="two")
    load_account_key(str(path), None, "two")


def test_a_change_that_was_cut_off_is_finished_with_the_passphrases_of_both_keys(ca: ScriptedCA, path: Path) -> None:
    beside = path.with_name("account.pem.rollover")
    path.unlink()
    generate_account_key(str(path), "ecdsa-p256", "one")
    generate_account_key(str(beside), "ecdsa-p384", "two")
    Accounts(ca, load_account_key(str(beside), None, "two").thumbprint)
    for one_of_two in ({"account_key_passphrase": "one"}, {"account_key_passphrase": "two"}):
        with pytest.raises(CertfleetError, match=r"\.rollover.*both passphrases"):
            change(ca, path, **one_of_two)
    done = change(ca, path, account_key_passphrase="one", new_account_key_passphrase="two")
    assert (done.changed, done.made) == (True, False)
    assert load_account_key(str(path), None, "two").key_type == "ecdsa-p384"
    assert os.listdir(path.parent) == ["account.pem"]


class Killed(BaseException):
    """Stands for the end of the process."""


def dying_at(number: int | None, calls: list[str]) -> Callable[[str, Any], Any]:
    def wrap(name: str, real: Any) -> Any:
        def stepped(*args: Any, **options: Any) -> Any:
            if number is not None and len(calls) == number:
                calls.append(name)
                raise Killed
            calls.append(name)
            return real(*args, **options)

        return stepped

    return wrap


RUN = st.tuples(
    st.one_of(st.none(), st.integers(0, 8)),
    st.lists(st.sampled_from(["done", "lost", "cut", "broken", "failed", "refused"]), max_size=2),
    st.sampled_from(["made", "one of two", "the other"]),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=st.lists(RUN, min_size=1, max_size=4))
def test_however_runs_end_the_key_of_the_account_is_in_one_of_the_files(ca: ScriptedCA, runs: list[Any]) -> None:
    """Several runs, each ended anywhere or not, with a CA that does or does not do and tell; then a whole one."""
    texts = {name: private_pem(generate_key("ecdsa-p256")).decode() for name in ("one of two", "the other")}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as outer:
        path = Path(folder) / "account.pem"
        generate_account_key(str(path), "ecdsa-p256")
        accounts = known_to(ca, path)
        for number, outcomes, new in [*runs, (None, [], "made")]:
            accounts.outcomes = list(outcomes)
            calls: list[str] = []
            options = {} if new == "made" else {"new_account_key_content": texts[new]}
            with outer.context() as patches:
                wrap = dying_at(number, calls)
                for name in ("open", "link", "unlink", "replace", "fsync"):
                    patches.setattr(files.os, name, wrap(name, getattr(os, name)))
                try:
                    change(ca, path, **options)
                except (CertfleetError, Killed):
                    assert (number, outcomes) != (None, [])
            held = [load_account_key(str(file)).thumbprint for file in sorted(Path(folder).glob("account.pem*"))]
            assert accounts.known in held
        assert accounts.known == load_account_key(str(path)).thumbprint
        assert os.listdir(folder) == ["account.pem"]
