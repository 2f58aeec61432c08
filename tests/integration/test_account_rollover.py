# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The change of an account's key on real CAs: what it leaves where, and that no end in between loses the account."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme import network
from ansible_collections.certfleet.acme.plugins.module_utils._acme.problems import Unreachable
from ansible_collections.certfleet.acme.plugins.module_utils._keys.account import load_account_key
from ansible_collections.certfleet.acme.plugins.module_utils._keys.files import locked_folder

from tests.integration.conftest import Labs
from tests.integration.test_secrecy import spellings
from tests.lab.requestlog import acme2certifier_kind, pebble_kind
from tests.support.controller import Controller, key_pem, make_key

BOTH = pytest.mark.parametrize("lab", [("pebble", "ministack"), ("acme2certifier", "moto")], indirect=True)
MADE = {"state": "changed_key", "generate_account_key": True}


@pytest.fixture
def controller(lab: Any, tmp_path: Path) -> Controller:
    return Controller(lab, tmp_path)


@pytest.fixture
def pebble(labs: Labs, tmp_path: Path) -> Controller:
    return Controller(labs.get("pebble", "ministack"), tmp_path)


def owner(controller: Controller, key: Path) -> str | None:
    """The account that the CA has for the key in a file."""
    found = controller.module("acme_account_info", **controller.ca(account_key_content=key.read_text()))
    uri: str | None = found["account_uri"]
    return uri


def files(controller: Controller) -> list[str]:
    return sorted(path.name for path in controller.root.iterdir())


# What it does


@BOTH
def test_a_new_key_is_made_and_takes_the_place_of_the_old_one(controller: Controller) -> None:
    made = controller.account()
    before = controller.key.read_bytes()
    planned = controller.module("acme_account", check=True, diff=True, **controller.ca(**MADE))
    assert (planned["changed"], planned["account_key_thumbprint"]) == (True, None)
    assert controller.key.read_bytes() == before
    assert "keyChange" not in controller.lab.counts("acme")
    assert files(controller) == ["account.pem"]

    controller.lab.reset_log()
    done = controller.module("acme_account", diff=True, **controller.ca(**MADE, account_key_type="ecdsa-p384"))
    assert controller.lab.counts("acme") == {"directory": 1, "newNonce": 1, "newAccount": 2, "keyChange": 1}
    assert (done["changed"], done["account_uri"]) == (True, made["account_uri"])
    assert done["valid_account_key"] == "account_key_src"
    assert done["previous_account_key_thumbprint"] == made["account_key_thumbprint"]
    assert done["diff"]["before"]["account_key_thumbprint"] == made["account_key_thumbprint"]
    assert done["diff"]["after"]["account_key_thumbprint"] == done["account_key_thumbprint"]
    assert files(controller) == ["account.pem"]
    assert stat.S_IMODE(controller.key.stat().st_mode) == 0o600

    found = controller.module("acme_account", **controller.ca(allow_creation=False))
    assert found["account_uri"] == made["account_uri"]
    assert found["account_key_type"] == "ecdsa-p384"
    assert found["account_key_thumbprint"] == done["account_key_thumbprint"] != made["account_key_thumbprint"]
    old = controller.root / "old.pem"
    old.write_bytes(before)
    assert owner(controller, old) is None


@BOTH
def test_a_key_of_the_users_own_is_copied_and_a_second_run_changes_nothing(controller: Controller) -> None:
    made = controller.account()
    controller.key.chmod(0o640)
    new = controller.root / "new.pem"
    options = controller.ca(state="changed_key", new_account_key_src=str(new))
    missing = controller.module("acme_account", **options)
    assert missing["failed"]
    assert str(new) in missing["msg"]
    new.write_text(key_pem(make_key(), "of the new one"))
    options.update(new_account_key_passphrase="of the new one")
    done = controller.module("acme_account", **options)
    assert (done["changed"], done["account_uri"]) == (True, made["account_uri"])
    assert controller.key.read_bytes() == new.read_bytes()
    assert stat.S_IMODE(controller.key.stat().st_mode) == 0o640
    again = controller.module("acme_account", **options)
    assert (again["changed"], again["account_uri"]) == (False, made["account_uri"])
    assert again["account_key_thumbprint"] == done["account_key_thumbprint"]
    assert files(controller) == ["account.pem", "new.pem"]


@BOTH
def test_keys_from_content_are_written_nowhere_and_the_valid_one_is_named(controller: Controller) -> None:
    old, new = key_pem(make_key()), key_pem(make_key("ecdsa-p384"), "secret")
    made = controller.module("acme_account", **controller.ca(account_key_content=old, terms_agreed=True))
    options = controller.ca(
        state="changed_key",
        account_key_content=old,
        new_account_key_content=new,
        new_account_key_passphrase="secret",
    )
    done = controller.module("acme_account", **options)
    assert (done["changed"], done["valid_account_key"]) == (True, "new_account_key_content")
    again = controller.module("acme_account", **options)
    assert (again["changed"], again["valid_account_key"]) == (False, "new_account_key_content")
    assert again["account_uri"] == done["account_uri"] == made["account_uri"]
    assert files(controller) == []


@pytest.mark.parametrize("known", [True, False])
def test_no_byte_of_either_key_is_in_the_result(pebble: Controller, known: bool) -> None:
    old, new = key_pem(make_key()), key_pem(make_key())
    pebble.key.write_text(old)
    if known:
        pebble.account()
    given = pebble.module("acme_account", diff=True, **pebble.ca(state="changed_key", new_account_key_content=new))
    made = pebble.module("acme_account", diff=True, **pebble.ca(**MADE))
    assert bool(given.get("failed")) == bool(made.get("failed")) == (not known)
    told = json.dumps([given, made]).encode()
    for key in (old, new, pebble.key.read_text()):
        assert not [text for text in spellings(key.encode()) if text in told]


def test_a_link_stays_a_link(pebble: Controller) -> None:
    made = pebble.account()
    safe = pebble.root / "safe"
    safe.mkdir()
    pebble.key.rename(safe / "key.pem")
    pebble.key.symlink_to(safe / "key.pem")
    assert pebble.module("acme_account", **pebble.ca(**MADE))["changed"]
    assert pebble.key.is_symlink()
    assert owner(pebble, safe / "key.pem") == made["account_uri"]
    assert os.listdir(safe) == ["key.pem"]


# What is refused


@BOTH
def test_a_key_that_has_an_account_already_is_refused_before_the_change(controller: Controller) -> None:
    other = controller.root / "other.pem"
    theirs = controller.account(account_key_src=str(other))["account_uri"]
    ours = controller.account()["account_uri"]
    before = controller.key.read_bytes()
    result = controller.module("acme_account", **controller.ca(state="changed_key", new_account_key_src=str(other)))
    assert result["failed"]
    assert f"already has an account of its own, {theirs}" in result["msg"]
    assert result["valid_account_key"] == "account_key_src"
    assert "keyChange" not in controller.lab.counts("acme")
    assert (controller.key.read_bytes(), files(controller)) == (before, ["account.pem", "other.pem"])
    assert owner(controller, controller.key) == ours


def test_a_conflict_that_arises_meanwhile_leaves_both_accounts_as_they_were(
    pebble: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = pebble.account()["account_uri"]
    new = pebble.root / "new.pem"
    new.write_text(key_pem(make_key()))
    post = network.Network.post

    def overtaken(self: Any, url: str, obj: Any, **options: Any) -> Any:
        if url.endswith("/rollover-account-key") and not taken:
            taken.append("")  # the modules that run inside of this one get the plain post
            taken[0] = pebble.account(account_key_src=str(new))["account_uri"]
        return post(self, url, obj, **options)

    taken: list[str] = []
    monkeypatch.setattr(network.Network, "post", overtaken)
    result = pebble.module("acme_account", **pebble.ca(state="changed_key", new_account_key_src=str(new)))
    assert result["failed"]
    assert f"already has an account of its own, {taken[0]}" in result["msg"]
    assert owner(pebble, pebble.key) == ours
    assert owner(pebble, new) == taken[0] != ours
    assert files(pebble) == ["account.pem", "new.pem"]


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({}, "there is no key to change to"),
        ({"new_account_key_content": "nonsense"}, "there is no PEM private key in new_account_key_content"),
        ({"new_account_key_src": "{key}"}, "new_account_key_src cannot be"),
        ({"new_account_key_src": "{key}.rollover"}, "new_account_key_src cannot be"),
        ({"account_key_src": "{key}.none", "generate_account_key": True}, "cannot be read: No such file"),
    ],
)
def test_what_cannot_work_is_refused_before_the_first_request(
    pebble: Controller, options: dict[str, Any], cause: str
) -> None:
    pebble.account()
    before = pebble.key.read_bytes()
    filled = {
        name: value.format(key=pebble.key) if isinstance(value, str) else value for name, value in options.items()
    }
    result = pebble.module("acme_account", **pebble.ca(state="changed_key", **filled))
    assert result["failed"]
    assert cause in result["msg"]
    assert pebble.lab.requests("acme") == []
    assert (pebble.key.read_bytes(), files(pebble)) == (before, ["account.pem"])


def test_keys_that_the_ca_does_not_know_change_nothing(pebble: Controller) -> None:
    pebble.key.write_text(key_pem(make_key()))
    before = pebble.key.read_bytes()
    unknown = pebble.module("acme_account", **pebble.ca(**MADE))
    assert "has no account for the key of" in unknown["msg"]
    other = pebble.root / "other.pem"
    theirs = pebble.account(account_key_src=str(other))["account_uri"]
    # As when acme_directory is another CA's: the file may be the key of an account there.
    wrong = pebble.module("acme_account", **pebble.ca(state="changed_key", new_account_key_src=str(other)))
    assert wrong["failed"]
    assert f"as {theirs}" in wrong["msg"]
    assert (pebble.key.read_bytes(), files(pebble)) == (before, ["account.pem", "other.pem"])


# What ends in the middle


class Steps:
    """Counts what a run does that others could see: files, and requests before they go out and after their answers.

    reached: called with the number and the name of each.
    """

    def __init__(self, root: Path, kind: Callable[[str, str], str], reached: Callable[[int, str], None]) -> None:
        self.names: list[str] = []
        self._root, self._kind, self._reached = str(root), kind, reached

    def _step(self, name: str) -> None:
        self.names.append(name)
        self._reached(len(self.names) - 1, name)

    def _file(self, name: str) -> Any:
        real = getattr(os, name)

        def stepped(*args: Any, **options: Any) -> Any:
            if isinstance(args[0], int) or str(args[0]).startswith(self._root):
                self._step(name)
            return real(*args, **options)

        return stepped

    def _request(self) -> Any:
        real = network.Network._send_request

        def stepped(network_: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
            kind = self._kind(method, "/" + url.split("/", 3)[3])
            self._step(f"before {kind}")
            answer = real(network_, method, url, *args, **options)
            self._step(f"after {kind}")
            return answer

        return stepped

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("open", "fsync", "link", "unlink", "replace"):
            monkeypatch.setattr(os, name, self._file(name))
        monkeypatch.setattr(network.Network, "_send_request", self._request())


def killed_at(number: int, controller: Controller, kind: Any, options: dict[str, Any]) -> bool:
    """Run the module in a child that dies by SIGKILL at the step of that number; False when it ended before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: this child starts none
        child = os.fork()
    if child == 0:
        try:

            def die(step: int, _name: str) -> None:
                if step == number:
                    os.kill(os.getpid(), signal.SIGKILL)

            with pytest.MonkeyPatch.context() as patches:
                Steps(controller.root, kind, die).watch(patches)
                controller.module("acme_account", **options)
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def full_at(number: int, controller: Controller, kind: Any, options: dict[str, Any]) -> bool:
    """Run the module on a disk that is full at the step of that number; False when that step is a request."""
    reached = []

    def fill(step: int, name: str) -> None:
        if step == number and " " not in name:
            reached.append(name)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patches:
        Steps(controller.root, kind, fill).watch(patches)
        result = controller.module("acme_account", **options)
    assert bool(result.get("failed")) <= bool(reached)
    return bool(reached)


def kinds(controller: Controller) -> Callable[[str, str], str]:
    return pebble_kind if controller.lab.ca == "pebble" else acme2certifier_kind


def usable(controller: Controller, uri: str) -> None:
    """One of the files is the account's key: nothing that happened lost the account."""
    keys = [controller.key, controller.root / "account.pem.rollover"]
    assert uri in [owner(controller, key) for key in keys if key.exists()]


def steps_of_a_whole_run(controller: Controller) -> list[str]:
    controller.account()
    with pytest.MonkeyPatch.context() as patches:
        steps = Steps(controller.root, kinds(controller), lambda _number, _name: None)
        steps.watch(patches)
        assert controller.module("acme_account", **controller.ca(**MADE))["changed"]
    return steps.names


def test_the_steps_are_the_ones_that_matter(pebble: Controller) -> None:
    """Else the tests below would prove less than they say."""
    names = steps_of_a_whole_run(pebble)
    position = -1
    for name in [
        "after newAccount",  # of the old key
        "open",
        "fsync",
        "link",
        "fsync",
        "before keyChange",
        "after keyChange",
        "after newAccount",  # of the new key
        "replace",
        "fsync",
    ]:
        position = names.index(name, position + 1)


@pytest.mark.parametrize("next_run", ["changed_key", "present"])
def test_killed_at_each_step_the_next_run_has_the_account(pebble: Controller, next_run: str) -> None:
    names = steps_of_a_whole_run(pebble)
    # Before the request, the next run finds what was there before.
    first = 0 if next_run == "changed_key" else names.index("before keyChange")
    for number in range(first, len(names)):
        at, uri = one_more(pebble, number)
        assert killed_at(number, at, kinds(at), at.ca(**MADE)), names[number]
        usable(at, uri)
        again = at.ca(**MADE) if next_run == "changed_key" else at.ca(terms_agreed=True)
        has_the_account(at, uri, at.module("acme_account", **again), names[number])
        if next_run == "changed_key":
            assert files(at) == ["account.pem"], names[number]


def test_on_a_disk_that_is_full_at_each_step_the_account_stays(pebble: Controller) -> None:
    names = steps_of_a_whole_run(pebble)
    for number in [number for number, name in enumerate(names) if " " not in name]:
        at, uri = one_more(pebble, number)
        assert full_at(number, at, kinds(at), at.ca(**MADE)), names[number]
        usable(at, uri)
        has_the_account(at, uri, at.module("acme_account", **at.ca(**MADE)), names[number])
        assert files(at) == ["account.pem"], names[number]


def one_more(controller: Controller, number: int) -> tuple[Controller, str]:
    """Another controller with an account of its own, and its URL."""
    root = controller.root / str(number)
    root.mkdir()
    another = Controller(controller.lab, root)
    return another, another.account()["account_uri"]


def has_the_account(at: Controller, uri: str, result: dict[str, Any], name: str) -> None:
    """The run ended well, and the key that the CA knew the account by is the one in the file."""
    assert not result.get("failed"), (name, result)
    assert result["account_uri"] == uri, name
    assert result["account_key_thumbprint"] == load_account_key(str(at.key)).thumbprint, name


def lose(monkeypatch: pytest.MonkeyPatch, what: Callable[[str, bool], bool]) -> None:
    """Lose answers. what: asked with the kind of each request and whether keyChange was sent before."""
    real = network.Network._send_request
    changed = False

    def cut(network_: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
        nonlocal changed
        kind = pebble_kind(method, "/" + url.split("/", 3)[3])
        answer = real(network_, method, url, *args, **options)
        lost = what(kind, changed)
        changed = changed or kind == "keyChange"
        if lost:
            raise Unreachable("cut")
        return answer

    monkeypatch.setattr(network.Network, "_send_request", cut)


def test_an_answer_that_is_lost_is_asked_for_by_the_new_key(
    pebble: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = pebble.account()["account_uri"]
    lose(monkeypatch, lambda kind, changed: kind == "keyChange" and not changed)
    done = pebble.module("acme_account", **pebble.ca(**MADE))
    assert (done["changed"], done["account_uri"]) == (True, uri)
    assert pebble.lab.counts("acme")["keyChange"] == 2
    assert owner(pebble, pebble.key) == uri
    assert files(pebble) == ["account.pem"]


def test_a_ca_that_is_gone_after_the_request_leaves_both_keys(
    pebble: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = pebble.account()["account_uri"]
    before = pebble.key.read_bytes()
    with monkeypatch.context() as patches:
        lose(patches, lambda kind, changed: kind == "keyChange" or changed)
        result = pebble.module("acme_account", **pebble.ca(**MADE, timeout=1))
    assert result["failed"]
    assert "whether the CA has changed the key of the account is not known" in result["msg"]
    assert result["valid_account_key"] is None
    assert files(pebble) == ["account.pem", "account.pem.rollover"]
    assert pebble.key.read_bytes() == before

    # Whatever runs next signs with the key that counts; no second account is made for the old one.
    waiting = (pebble.root / "account.pem.rollover").read_bytes()
    planned = pebble.module("acme_account", check=True, **pebble.ca(terms_agreed=True))
    assert (planned["changed"], planned["account_uri"]) == (True, uri)
    assert files(pebble) == ["account.pem", "account.pem.rollover"]
    info = pebble.module("acme_account_info", **pebble.ca())
    assert (info["exists"], info["account_uri"]) == (True, uri)
    other = pebble.root / "other.pem"
    other.write_text(key_pem(make_key()))
    pebble.lab.reset_log()
    further = pebble.module("acme_account", **pebble.ca(state="changed_key", new_account_key_src=str(other)))
    assert (further["changed"], further["account_uri"]) == (True, uri)
    assert pebble.lab.counts("acme")["keyChange"] == 1  # the first change had been made, this is the second
    assert pebble.key.read_bytes() == other.read_bytes() != waiting
    assert files(pebble) == ["account.pem", "other.pem"]


def test_no_account_is_made_while_it_is_open_which_key_counts(pebble: Controller) -> None:
    pebble.key.write_text(key_pem(make_key()))
    (pebble.root / "account.pem.rollover").write_text(key_pem(make_key()))
    result = pebble.module("acme_account", **pebble.ca(terms_agreed=True))
    assert result["failed"]
    assert "knows neither the key of account_key_src nor the one in" in result["msg"]
    assert owner(pebble, pebble.key) is None


def test_two_at_once_do_not_disturb_each_other(pebble: Controller) -> None:
    pebble.account()
    with locked_folder(str(pebble.key)):
        result = pebble.module("acme_account", **pebble.ca(**MADE))
    assert "another process is changing an account key" in result["msg"]
    assert pebble.lab.requests("acme") == []
