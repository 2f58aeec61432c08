# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Going back after runs that failed or were killed at a bad moment: what the notes of a version then say."""

from __future__ import annotations

import errno
import json
import os
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.extras import Ground, Step

NEVER: dict[str, Any] = {"deploy": None}


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """With a version that is served."""
    found = Ground(tmp_path)
    found.start(found.declared())
    return found


def meta(ground: Ground, label: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ground.store / "web" / "versions" / label / "certificate.json").read_text())
    return found


def active(ground: Ground) -> str | None:
    return os.readlink(ground.current) if ground.current.is_symlink() else None


def failing_at(name: str, *, times: int) -> Step:
    """The disk is full at the first so many steps of that name."""
    left = [name] * times

    def step(reached: str) -> None:
        if reached in left:
            left.remove(reached)
            raise OSError(errno.ENOSPC, "No space left on device")

    return step


def killed_at(name: str, work: Callable[[Step], Any]) -> None:
    """Run ``work`` in a child that dies by SIGKILL at the first step of that name."""

    def step(reached: str) -> None:
        if reached == name:
            os.kill(os.getpid(), signal.SIGKILL)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: this child starts none
        child = os.fork()
    if child == 0:
        try:
            work(step)
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)


@pytest.mark.parametrize("cause", ["reload", "link current", "sync current"])
def test_a_withdrawn_version_that_fails_stays_withdrawn(ground: Ground, cause: str) -> None:
    declared = ground.declared()
    ground.put(declared, ground.new(declared))
    assert ground.put(declared, back=True)["version"] == "0001"
    withdrawn = meta(ground, "0002")["withdrawn"]
    ground.failing = cause
    failed = ground.put(declared, versions={"web": "0002"}, step=failing_at(cause, times=1))
    assert failed["failed"]
    assert active(ground) == "versions/0001"
    assert meta(ground, "0002")["withdrawn"] == withdrawn
    ground.failing = ""
    assert ground.put(declared)["version"] == "0001"
    assert not ground.put(declared)["changed"]


def test_a_way_back_that_cannot_be_switched_to_withdraws_nothing(ground: Ground) -> None:
    declared = ground.declared()
    ground.put(declared, ground.new(declared))
    failed = ground.put(declared, back=True, step=failing_at("link current", times=1))
    assert (failed["stage"], failed["rolled_back"], active(ground)) == ("activate", False, "versions/0002")
    assert not meta(ground, "0002")["withdrawn"]


@pytest.mark.parametrize("times", [1, 2])
def test_a_switch_that_fails_when_it_is_done_is_taken_back(ground: Ground, times: int) -> None:
    """times: whether the switch back fails in the same manner."""
    declared = ground.declared()
    done = ground.put(declared, ground.new(declared), step=failing_at("sync current", times=times))
    assert (done["failed"], done["stage"], done["rolled_back"], done["active"]) == (True, "activate", True, False)
    assert active(ground) == "versions/0001"
    assert done["msg"].endswith("No space left on device; rolled back: version 0001 is active again")
    assert ground.commands == []
    done = ground.put(declared)
    assert (done["version"], done["stage"], ground.commands) == ("0002", "deployed", ["check", "reload"])


def test_a_first_version_whose_run_was_killed_is_taken_away_when_its_check_fails(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    declared = ground.declared()
    issued = ground.new(declared)
    killed_at("check", lambda step: ground.put(declared, issued, step=step))
    assert (active(ground), meta(ground, "0001")["activating"]["from"]) == ("versions/0001", None)
    ground.failing = "check"
    done = ground.put(declared)
    assert (done["stage"], done["rolled_back"], active(ground)) == ("check", True, None)
    assert done["msg"] == "check failed; rolled back: no version is active, as before"
    ground.failing = ""
    assert ground.put(declared)["deployed"]


@pytest.mark.parametrize("switched_before", [False, True])
def test_what_was_in_use_without_proof_is_not_gone_back_from(ground: Ground, switched_before: bool) -> None:
    """A run fails or is killed, then nothing is to be proven, then something is again."""
    declared, without = ground.declared(), ground.declared(**NEVER)
    issued = ground.new(declared)
    if switched_before:
        killed_at("check", lambda step: ground.put(declared, issued, step=step))
    else:
        ground.failing = "reload"
        assert ground.put(declared, issued)["rolled_back"]
    assert meta(ground, "0002")["activating"]["from"] == "0001"
    assert active(ground) == ("versions/0002" if switched_before else "versions/0001")
    assert not ground.put(without)["failed"]
    assert (active(ground), meta(ground, "0002")["activating"]) == ("versions/0002", None)
    ground.failing = "check"
    done = ground.put(declared)
    assert (done["stage"], done["rolled_back"], active(ground)) == ("check", False, "versions/0002")
    assert done["msg"].endswith("nothing was switched before this check, so the certificate is not the cause")


def test_a_run_that_is_killed_on_the_way_back_is_gone_on_with(ground: Ground) -> None:
    """The older version was proven once, but the service has the newer one."""
    declared = ground.declared()
    ground.put(declared, ground.new(declared))
    killed_at("check", lambda step: ground.put(declared, back=True, step=step))
    assert active(ground) == "versions/0001"
    assert ground.reasons(declared) == ["not_deployed"]
    ground.commands.clear()
    assert ground.put(declared, back=True)["deployed"]
    assert ground.commands == ["check", "reload"]
