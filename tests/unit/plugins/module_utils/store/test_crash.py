# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that is killed, or finds the disk full, at each single step that changes the store."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError

from tests.support.stored import CA, Step, active, ask, killed_at, killed_at_change, put

#: Each single change to a file or directory: more of them, and more time, than steps.
CHANGES = pytest.param(killed_at_change, marks=pytest.mark.thorough)

BrokenOffAt = Callable[[int, Callable[[Step], Any]], bool]


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed loses nothing that the kernel has got."""
    monkeypatch.setattr(os, "fsync", lambda _fd: None)


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


def steps_of(work: Callable[[Step], Any]) -> list[str]:
    names: list[str] = []
    work(names.append)
    return names


def copied(start: Path, number: int | str) -> Path:
    root = start.parent / str(number)
    shutil.copytree(start, root, symlinks=True)
    return root


def serial(root: Path) -> str | None:
    """Of the current version, which must be whole; None when there is none."""
    facts = active(root)
    return facts["serial"] if facts else None


def leftovers(root: Path) -> list[str]:
    return [str(path) for path in root.rglob(".*")]


def put_with(root: Path, issued: list[dict[str, Any]], step: Step, **options: Any) -> dict[str, Any]:
    return put(root, issued, step=step, **options)


@pytest.mark.parametrize("broken_off_at", [killed_at, CHANGES, full_at])
def test_the_installation_of_a_new_certificate(tmp_path: Path, broken_off_at: BrokenOffAt) -> None:
    """Staging, activation, the notes before and after, and pruning."""
    start = tmp_path / "start"
    first = put(start, [CA.issued(ask(start))])
    second = CA.issued(ask(start, force=True))
    put(start, [second])
    third = CA.issued(ask(start, force=True))
    steps = steps_of(partial(put_with, copied(start, "steps"), [third]))
    assert {
        "make .0003.new",
        "create privkey.pem",
        "fill privkey.pem",
        "rename privkey.pem",
        "rename .0003.new to 0003",
        "rename pending to .pending.old",
        "remove pending",
        "link current",
        "switch current",
        "sync current",
        "reload",
        "rename certificate.json",
        "rename 0001 to .0001.old",
        "unlink privkey.pem",
        "remove 0001",
    } <= set(steps)
    number = 0
    while True:
        root = copied(start, number)
        ended = not broken_off_at(number, partial(put_with, root, [third]))
        assert serial(root) in {second["serial"], third["serial"]}, number
        # The same chain again: the key that it is for must be there still.
        done = put(root, [third])
        assert not done["failed"], (number, done)
        assert done["deployed"]
        assert serial(root) == third["serial"]
        assert leftovers(root) == []
        assert not (root / "web" / "pending").exists()
        assert not put(root, [third])["changed"]
        assert sorted(path.name for path in (root / "web" / "versions").iterdir()) == ["0002", "0003"]
        assert first["serial"] != third["serial"]
        if ended:
            break
        number += 1
    assert number >= len(steps) or broken_off_at is killed_at_change
    assert number > 25


def ask_with(root: Path, step: Step) -> dict[str, Any]:
    return ask(root, force=True, step=step)


@pytest.mark.parametrize("broken_off_at", [killed_at, full_at])
def test_a_request_beside_an_active_certificate(tmp_path: Path, broken_off_at: BrokenOffAt) -> None:
    start = tmp_path / "start"
    first = put(start, [CA.issued(ask(start))])
    # An ordinary request lies there, which the forced one replaces.
    (start / "web" / "pending").mkdir(mode=0o700)
    (start / "web" / "pending" / "request.json").write_text("{}")
    number = 0
    while True:
        root = copied(start, number)
        ended = not broken_off_at(number, partial(ask_with, root))
        assert serial(root) == first["serial"]
        asked = ask(root, force=True)
        assert leftovers(root) == []
        assert ask(root, force=True)["csr_content"] == asked["csr_content"]
        assert put(root, [CA.issued(asked)])["deployed"]
        if ended:
            break
        number += 1
    assert number > 8


@pytest.mark.parametrize("broken_off_at", [killed_at, CHANGES, full_at])
def test_the_very_first_request_and_installation(tmp_path: Path, broken_off_at: BrokenOffAt) -> None:
    def whole(root: Path, step: Step) -> None:
        put(root, [CA.issued(ask(root, step=step))], step=step)

    number = 0
    while True:
        root = tmp_path / str(number) / "store"
        ended = not broken_off_at(number, partial(whole, root))
        before = serial(root)  # none, or that of a whole version
        asked = ask(root)
        issued = [CA.issued(asked)] if asked["needs"] == "issue" else []
        done = put(root, issued)
        assert done["deployed"], (number, asked["needs"], done)
        assert serial(root) == done["serial"]
        assert before in {None, done["serial"]}
        assert leftovers(root) == []
        if ended:
            break
        number += 1
    assert number > 30


@pytest.mark.parametrize("broken_off_at", [killed_at, CHANGES])
def test_a_rollback_that_is_killed_leaves_a_whole_version(tmp_path: Path, broken_off_at: BrokenOffAt) -> None:
    start = tmp_path / "start"
    first = put(start, [CA.issued(ask(start))])
    second = CA.issued(ask(start, force=True))
    failing = partial(put, keep=3, reload_fails=True)
    number = 0
    while True:
        root = copied(start, number)
        ended = not broken_off_at(number, partial(put_with, root, [second], keep=3, reload_fails=True))
        assert serial(root) in {first["serial"], second["serial"]}
        # However far it came: a reload that still fails ends at the old version, one that works at the new one.
        again = failing(root, [second])
        assert again["failed"]
        assert serial(root) == first["serial"], (number, again)
        assert put(root, [second])["deployed"]
        meta = json.loads((root / "web" / "current" / "certificate.json").read_text())
        assert meta["activating"] is None
        if ended:
            break
        number += 1
    assert number > 25


@pytest.mark.parametrize("broken_off_at", [killed_at, full_at])
def test_a_correction_that_is_broken_off_is_finished_by_the_next_run(
    tmp_path: Path, broken_off_at: BrokenOffAt
) -> None:
    start = tmp_path / "start"
    first = put(start, [CA.issued(ask(start))])
    ask(start, force=True)
    wrong = [path for path in start.rglob("*") if not path.is_symlink() and path != start]
    for path in wrong:
        path.chmod(0o705 if path.is_dir() else 0o604)
    number = 0
    while True:
        root = copied(start, number)
        ended = not broken_off_at(number, partial(put_with, root, []))
        assert serial(root) == first["serial"]
        assert put(root, [])["changed"] is not ended
        assert not put(root, [])["changed"]
        if ended:
            break
        number += 1
    assert number >= len(wrong)
