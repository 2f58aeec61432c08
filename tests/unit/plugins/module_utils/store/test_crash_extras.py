# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run with formats, links and copies that is killed, or finds the disk full, at each single step."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.extras import Ground
from tests.unit.plugins.module_utils.store.test_crash import Step, full_at, killed_at

BROKEN_OFF = pytest.mark.parametrize("broken_off_at", [killed_at, full_at])
OTHER = "another-passphrase"


def copied(start: Ground, number: int) -> Ground:
    """The same ground elsewhere, its notes and links with it."""
    root = start.root.parent / str(number)
    shutil.copytree(start.root, root, symlinks=True)
    ground = Ground(root)
    note = root / "store" / "web" / "files.json"
    if note.exists():
        note.write_text(note.read_text().replace(str(start.root), str(root)))
    for path in ground.etc.iterdir():
        if path.is_symlink():
            target = str(path.readlink()).replace(str(start.root), str(root))
            path.unlink()
            path.symlink_to(target)
    return ground


def at_each_step(
    start: Ground,
    broken_off_at: Callable[[int, Callable[[Step], Any]], bool],
    run: Callable[[Ground, Step], Any],
    then: Callable[[Ground, int], None],
) -> int:
    """Breaks ``run`` off at each step on a copy of its own, then looks; how many steps there were."""
    number = 0
    while True:
        ground = copied(start, number)

        def work(step: Step, ground: Ground = ground) -> None:
            run(ground, step)

        ended = not broken_off_at(number, work)
        ground.commands.clear()
        then(ground, number)
        shutil.rmtree(ground.root)
        if ended:
            return number
        number += 1


def light(ground: Ground) -> dict[str, Any]:
    """Without what takes its time to make."""
    return ground.declared(formats=["combined_pem"], files=ground.files())


@pytest.fixture
def start(tmp_path: Path) -> Ground:
    return Ground(tmp_path / "start")


@BROKEN_OFF
def test_a_new_version_with_all_there_is(
    start: Ground, broken_off_at: Callable[[int, Callable[[Step], Any]], bool]
) -> None:
    # To make and to open a keystore takes its time.
    declare = Ground.full if broken_off_at is killed_at else light
    start.start(declare(start))
    new = start.new(declare(start))

    def whole(ground: Ground) -> bool:
        if declare is Ground.full:
            return ground.whole()
        pair = (ground.current / "privkey.pem").read_bytes() + (ground.current / "fullchain.pem").read_bytes()
        return (ground.current / "combined.pem").read_bytes() == pair

    def then(ground: Ground, number: int) -> None:
        wanted = declare(ground)
        assert whole(ground), number
        assert (ground.etc / "chain.pem").read_bytes() == (ground.current / "fullchain.pem").read_bytes()
        asked = ground.ask(wanted)
        done = ground.put(wanted, new)
        assert (done["failed"], done["deployed"], done["serial"]) == (False, True, new["serial"]), (number, done)
        assert asked["needs"] != "nothing" or not done["changed"], (number, "it was to be seen that something is left")
        assert whole(ground)
        assert ground.outputs_right(), number
        assert ground.leftovers() == [], number
        assert ground.ask(wanted)["needs"] == "nothing"
        assert not ground.put(wanted)["changed"]

    steps = at_each_step(start, broken_off_at, lambda ground, step: ground.put(declare(ground), new, step=step), then)
    assert steps > 40


@BROKEN_OFF
def test_additions_and_changes_to_the_active_version(
    start: Ground, broken_off_at: Callable[[int, Callable[[Step], Any]], bool]
) -> None:
    start.start(start.declared(formats=["pkcs12", "der"], pkcs12={"passphrase": OTHER, "friendly_name": None}))

    def then(ground: Ground, number: int) -> None:
        wanted = ground.full()
        needs = ground.ask(wanted)["needs"]
        done = ground.put(wanted)
        assert (done["failed"], done["deployed"]) == (False, True), (number, done)
        assert (needs == "install") == done["changed"], number
        assert ground.whole()
        assert ground.outputs_right()
        assert ground.leftovers() == [], number
        assert not ground.put(wanted)["changed"]
        if done["changed"]:
            assert ground.commands == ["check", "reload"], (number, "the service has read what is there now")

    assert at_each_step(start, broken_off_at, lambda ground, step: ground.put(ground.full(), step=step), then) > 25


@BROKEN_OFF
def test_removals(start: Ground, broken_off_at: Callable[[int, Callable[[Step], Any]], bool]) -> None:
    start.start(start.full())

    def then(ground: Ground, number: int) -> None:
        wanted = ground.declared()
        needs = ground.ask(wanted)["needs"]
        done = ground.put(wanted)
        assert (done["failed"], done["deployed"]) == (False, True), (number, done)
        assert (needs == "install") == done["changed"], number
        assert list(ground.etc.iterdir()) == [], number
        assert {path.name for path in ground.current.iterdir()} == {
            "privkey.pem",
            "cert.pem",
            "chain.pem",
            "fullchain.pem",
            "certificate.json",
        }
        assert json.loads((ground.store / "web" / "files.json").read_text())["files"] == {}
        assert not ground.put(wanted)["changed"]

    assert at_each_step(start, broken_off_at, lambda ground, step: ground.put(ground.declared(), step=step), then) > 10


def test_a_rollback_that_is_killed_ends_with_copies_of_the_version_that_is_active(start: Ground) -> None:
    first = start.start(light(start))
    new = start.new(light(start))

    def failing(ground: Ground, step: Step) -> dict[str, Any]:
        ground.failing = "reload"
        return ground.put(light(ground), new, step=step)

    def then(ground: Ground, number: int) -> None:
        again = failing(ground, lambda _name: None)
        assert again["failed"]
        assert (ground.current / "certificate.json").exists()
        assert json.loads((ground.current / "certificate.json").read_text())["serial"] == first["serial"], number
        assert ground.outputs_right(), number
        assert ground.leftovers() == [], number
        ground.failing = ""
        assert ground.put(light(ground))["deployed"]
        assert ground.outputs_right()

    assert at_each_step(start, killed_at, failing, then) > 50
