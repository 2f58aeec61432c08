# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs that were killed left behind, what nobody wants any more, and who may read it."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.extras import Ground
from tests.support.stored import Step, killed_at

OTHER_GROUP = 23456
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="giving files to another group needs root")


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def killed_before(names: list[str], run: Callable[[Step], Any]) -> None:
    """Run it in a child that dies before the last of these steps, which come in this order among others."""

    def until(number_step: Step) -> None:
        left = list(names)

        def step(name: str) -> None:
            if left and name == left[0]:
                left.pop(0)
                if not left:
                    number_step(name)

        run(step)

    assert killed_at(0, until)


def copy(path: Path, source: str = "privkey.pem", **options: Any) -> dict[str, Any]:
    return {"path": str(path), "source": source, "kind": "copy", **options}


def test_a_format_that_was_written_half_is_gone_and_was_never_readable(ground: Ground) -> None:
    ground.start(ground.declared())
    wanted = ground.declared(formats=["combined_pem"])
    killed_before(["rename combined.pem"], lambda step: ground.put(wanted, step=step))
    (left,) = ground.leftovers()
    assert b"PRIVATE KEY" in Path(left).read_bytes()
    assert ground.ask(wanted, check=True)["needs"] == "install"
    assert mode(Path(left)) == 0o600
    ground.ask(wanted)
    assert ground.leftovers() == []


def test_what_was_written_half_of_a_request_is_gone(ground: Ground) -> None:
    ground.ask(ground.declared())
    left = ground.store / "web" / "pending" / ".recipient.pem.new"
    left.touch(0o600)
    ground.ask(ground.declared())
    assert not left.exists()


def test_what_is_not_known_may_hold_a_key(ground: Ground) -> None:
    ground.start(ground.declared())
    kept = ground.current / "privkey.pem.bak"
    kept.touch(0o600)
    ground.ask(ground.declared())
    assert mode(kept) == 0o600
    assert {path.name: mode(path) for path in ground.current.iterdir() if mode(path) != 0o600} == dict.fromkeys(
        ["cert.pem", "chain.pem", "fullchain.pem", "certificate.json"], 0o644
    )


def test_copies_that_were_half_restored_leave_nothing(ground: Ground) -> None:
    wanted = ground.declared(formats=["combined_pem"], files=ground.files())
    ground.start(wanted)
    new = ground.new(wanted)
    ground.failing = "reload"
    killed_before(["reload", "rename haproxy.pem"], lambda step: ground.put(wanted, new, step=step))
    assert ground.leftovers() == [str(ground.etc / ".haproxy.pem.new")]
    ground.failing = ""
    assert ground.put(wanted)["deployed"]
    assert ground.outputs_right()
    assert ground.leftovers() == []


def test_a_removal_that_was_half_taken_back_is_not_forgotten(ground: Ground) -> None:
    ground.start(ground.declared(files=[copy(ground.etc / "out")]))
    ground.failing = "check"
    killed_before(["check", "rename out"], lambda step: ground.put(ground.declared(), step=step))
    assert ground.leftovers() == [str(ground.etc / ".out.new")]
    ground.failing = ""
    assert ground.put(ground.declared())["deployed"]
    assert list(ground.etc.iterdir()) == []


def test_a_rollback_makes_the_formats_that_the_old_version_lacks(ground: Ground) -> None:
    first = ground.start(ground.declared())
    path = ground.etc / "out"
    wanted = ground.declared(formats=["combined_pem"], files=[copy(path, "combined.pem")])
    new = ground.new(wanted)
    killed_before(["check"], lambda step: ground.put(wanted, new, step=step))
    ground.failing = "reload"
    done = ground.put(wanted)
    assert (done["rolled_back"], ground.commands) == (True, ["check", "reload", "reload"])
    assert "has no combined.pem" not in done["msg"]
    assert os.readlink(ground.current) == f"versions/{first['version']}"
    assert path.read_bytes() == (ground.current / "combined.pem").read_bytes()


def test_a_rollback_whose_files_cannot_follow_is_told_to_services_all_the_same(ground: Ground) -> None:
    ground.start(ground.declared())
    path = ground.etc / "out"
    wanted = ground.declared(files=[copy(path, "cert.pem")])
    new = ground.new(wanted)
    killed_before(["check"], lambda step: ground.put(wanted, new, step=step))
    ground.failing = "reload"
    reloads = []

    def step(name: str) -> None:
        reloads.extend([name] if name == "reload" else [])
        if name == "create out" and reloads:
            raise OSError(errno.ENOSPC, "No space left on device")

    done = ground.put(wanted, step=step)
    assert (done["rolled_back"], reloads) == (True, ["reload", "reload"])
    assert f"its copies could not be brought to that version: {path}: No space left" in done["msg"]
    ground.failing = ""
    assert ground.put(wanted)["deployed"]
    assert path.read_bytes() == (ground.current / "cert.pem").read_bytes()


def test_a_path_that_nobody_wants_is_not_in_the_way_of_a_renewal(ground: Ground) -> None:
    folder = ground.etc / "app"
    folder.mkdir(0o755)
    ground.start(ground.declared(files=[copy(folder / "out")]))
    folder.chmod(0o777)
    without = ground.declared()
    done = ground.put(without, ground.new(without))
    assert (done["failed"], done["deployed"]) == (False, True)
    assert done["msg"].startswith(f"{folder / 'out'} is not declared any more and stays: {folder} can be written by")
    again = ground.put(without)
    assert (again["changed"], again["msg"]) == (False, done["msg"])
    assert ground.reasons(without) == []
    folder.chmod(0o755)
    assert ground.reasons(without) == ["files_differ"]
    assert ground.put(without)["files"] == [str(folder / "out")]
    assert list(folder.iterdir()) == []
    assert not ground.put(without)["changed"]


def test_a_path_that_cannot_be_removed_is_tried_again(ground: Ground) -> None:
    path = ground.etc / "out"
    ground.start(ground.declared(files=[copy(path)]))

    def step(name: str) -> None:
        if name == "unlink out":
            raise OSError(errno.EPERM, "Operation not permitted")

    without = ground.declared()
    done = ground.put(without, ground.new(without), step=step)
    assert (done["failed"], done["deployed"], path.exists()) == (False, True, True)
    assert f"{path} is not declared any more and stays" in done["msg"]
    assert str(path) in json.loads((ground.store / "web" / "files.json").read_text())["files"]
    assert ground.put(without)["files"] == [str(path)]
    assert not path.exists()


@AS_ROOT
def test_the_group_of_a_setgid_directory_is_not_let_in(ground: Ground) -> None:
    os.chown(ground.etc, 0, OTHER_GROUP)
    ground.etc.chmod(0o2755)
    path = ground.etc / "out"
    wanted = ground.declared(files=[copy(path, mode="0640")])
    ground.start(wanted)
    assert (mode(path), path.stat().st_gid) == (0o640, os.getegid())
    # Whom an operator has let in since is left, until the file is written anew.
    os.chown(path, 0, OTHER_GROUP)
    assert ground.reasons(wanted) == []
    assert not ground.put(wanted)["changed"]
    assert path.stat().st_gid == OTHER_GROUP
    assert ground.put(wanted, ground.new(wanted))["deployed"]
    assert path.stat().st_gid == os.getegid()


@AS_ROOT
def test_nor_when_the_mode_changes_later(ground: Ground) -> None:
    os.chown(ground.root, 0, OTHER_GROUP)
    ground.root.chmod(0o2755)
    ground.store.mkdir(0o700)
    os.chown(ground.store, 0, OTHER_GROUP)
    ground.store.chmod(0o2700)
    ground.start(ground.declared())
    wanted = ground.declared(mode="0640")
    assert ground.ask(wanted)["changed"]
    assert not ground.ask(wanted)["changed"]
    for path in (ground.store / "web", *(ground.store / "web").rglob("*")):
        if not path.is_symlink() and not mode(path) & 0o004:
            assert (path.stat().st_gid, mode(path)) == (os.getegid(), 0o750 if path.is_dir() else 0o640), path
