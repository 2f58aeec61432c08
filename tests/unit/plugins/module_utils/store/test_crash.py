# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that is killed, or finds the disk full, at each single step that changes the store."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._store import install as installation
from ansible_collections.certfleet.acme.plugins.module_utils._store import request
from ansible_collections.certfleet.acme.plugins.module_utils._store.entry import Store
from ansible_collections.certfleet.acme.plugins.module_utils._store.files import Ownership, no_step
from ansible_collections.certfleet.acme.plugins.module_utils._store.transaction import Transaction

from tests.support.small_ca import SmallCA

CA = SmallCA()
DECLARED: dict[str, Any] = {
    "name": "web",
    "identifiers": ["example.com"],
    "key_type": "ecdsa-p256",
    "profile": None,
    "renew_when_remaining": None,
    "force": False,
    "owner": None,
    "group": None,
    "deploy": {"check": None, "reload": ["reload"], "endpoints": None, "timeout": 1},
}
Step = Callable[[str], None]


def ask(root: Path, *, force: bool = False, step: Step = no_step) -> dict[str, Any]:
    settings = request.Settings(acme_directory=None, renew=True, force=force, check=False)
    with Store(str(root), create=True, step=step) as store:
        return request.request_one(store, settings, DECLARED)


def put(root: Path, issued: list[dict[str, Any]], *, step: Step = no_step) -> dict[str, Any]:
    def reload(argv: object) -> None:
        try:
            step("reload")
        except OSError as error:
            raise CertfleetError(str(error)) from error

    settings = installation.Settings(
        activate=True, keep=1, check=False, transaction=Transaction(command=reload), step=step
    )
    (result,) = installation.install(str(root), [DECLARED], issued, settings)
    return result


def killed_at(number: int, work: Callable[[Step], Any]) -> bool:
    """Run ``work`` in a child that dies by SIGKILL at the step of that number; False when it ended before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: this child starts none
        child = os.fork()
    if child == 0:
        count = 0

        def step(_name: str) -> None:
            nonlocal count
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1

        try:
            work(step)
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def full_at(number: int, work: Callable[[Step], Any]) -> bool:
    """Run ``work`` on a disk that is full at the step of that number; False when it ended before."""
    count = 0

    def step(_name: str) -> None:
        nonlocal count
        count += 1
        if count == number + 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with suppress(CertfleetError):
        work(step)
    return count > number


def copied(start: Path, number: int) -> Path:
    root = start.parent / str(number)
    shutil.copytree(start, root, symlinks=True)
    return root


def active(root: Path) -> dict[str, Any]:
    """Facts of the current version, which must be whole."""
    with Store(str(root), create=False) as store:
        entry = store.entry("web", Ownership(), create=False)
        assert entry is not None
        with entry:
            label = entry.current()
            assert label is not None
            version = entry.load(label)
    assert version.broken == ""
    return version.facts


def leftovers(root: Path) -> list[str]:
    return [str(path) for path in root.rglob(".*")]


@pytest.mark.parametrize("broken_off_at", [killed_at, full_at])
def test_the_installation_of_a_new_certificate(
    tmp_path: Path, broken_off_at: Callable[[int, Callable[[Step], Any]], bool]
) -> None:
    start = tmp_path / "start"
    first = put(start, [CA.issued(ask(start))])
    second = CA.issued(ask(start, force=True))
    put(start, [second])
    third = CA.issued(ask(start, force=True))
    number = 0
    while True:
        root = copied(start, number)
        ended = not broken_off_at(number, partial(put_with, root, [third]))
        assert active(root)["serial"] in {second["serial"], third["serial"]}, number
        # The same chain again: the key that it is for must be there still.
        done = put(root, [third])
        assert not done["failed"], (number, done)
        assert done["deployed"]
        assert active(root)["serial"] == third["serial"]
        assert leftovers(root) == []
        assert not (root / "web" / "pending").exists()
        assert not put(root, [third])["changed"]
        assert sorted(path.name for path in (root / "web" / "versions").iterdir()) == ["0002", "0003"]
        assert first["serial"] != third["serial"]
        if ended:
            break
        number += 1
    assert number > 25  # the steps are really counted


def put_with(root: Path, issued: list[dict[str, Any]], step: Step) -> dict[str, Any]:
    return put(root, issued, step=step)


def ask_with(root: Path, step: Step) -> dict[str, Any]:
    return ask(root, force=True, step=step)


@pytest.mark.parametrize("broken_off_at", [killed_at, full_at])
def test_a_request_beside_an_active_certificate(
    tmp_path: Path, broken_off_at: Callable[[int, Callable[[Step], Any]], bool]
) -> None:
    start = tmp_path / "start"
    first = put(start, [CA.issued(ask(start))])
    # An ordinary request lies there, which the forced one replaces.
    (start / "web" / "pending").mkdir(mode=0o700)
    (start / "web" / "pending" / "request.json").write_text("{}")
    number = 0
    while True:
        root = copied(start, number)
        ended = not broken_off_at(number, partial(ask_with, root))
        assert active(root)["serial"] == first["serial"]
        asked = ask(root, force=True)
        assert leftovers(root) == []
        assert ask(root, force=True)["csr_content"] == asked["csr_content"]
        assert put(root, [CA.issued(asked)])["deployed"]
        if ended:
            break
        number += 1
    assert number > 8


@pytest.mark.parametrize("broken_off_at", [killed_at, full_at])
def test_the_very_first_request_and_installation(
    tmp_path: Path, broken_off_at: Callable[[int, Callable[[Step], Any]], bool]
) -> None:
    def whole(root: Path, step: Step) -> None:
        put(root, [CA.issued(ask(root, step=step))], step=step)

    number = 0
    while True:
        root = tmp_path / str(number) / "store"
        ended = not broken_off_at(number, partial(whole, root))
        asked = ask(root)
        issued = [CA.issued(asked)] if asked["needs"] == "issue" else []
        done = put(root, issued)
        assert done["deployed"], (number, asked["needs"], done)
        assert active(root)["serial"] == done["serial"]
        assert leftovers(root) == []
        if ended:
            break
        number += 1
    assert number > 30


def test_a_rollback_that_is_killed_leaves_a_whole_version(tmp_path: Path) -> None:
    def failing(root: Path, issued: list[dict[str, Any]], step: Step) -> dict[str, Any]:
        def command(argv: object) -> None:
            step("reload")
            raise CertfleetError("the reload failed")

        transaction = Transaction(command=command)
        settings = installation.Settings(activate=True, keep=3, check=False, transaction=transaction, step=step)
        (result,) = installation.install(str(root), [DECLARED], issued, settings)
        return result

    start = tmp_path / "start"
    first = put(start, [CA.issued(ask(start))])
    second = CA.issued(ask(start, force=True))
    number = 0
    while True:
        root = copied(start, number)
        ended = not killed_at(number, partial(failing, root, [second]))
        assert active(root)["serial"] in {first["serial"], second["serial"]}
        # However far it came: a reload that still fails ends at the old version, one that works at the new one.
        again = failing(root, [second], no_step)
        assert again["failed"]
        assert active(root)["serial"] == first["serial"], (number, again)
        assert put(root, [second])["deployed"]
        meta = json.loads((root / "web" / "current" / "certificate.json").read_text())
        assert meta["activating"] is None
        if ended:
            break
        number += 1
    assert number > 25
