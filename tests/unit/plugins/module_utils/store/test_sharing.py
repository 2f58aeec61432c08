# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that gets a shared certificate and is killed at each single step of it."""

from __future__ import annotations

import os
import shutil
import signal
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._store import install as installation
from ansible_collections.certfleet.acme.plugins.module_utils._store import request, sharing
from ansible_collections.certfleet.acme.plugins.module_utils._store.entry import Store
from ansible_collections.certfleet.acme.plugins.module_utils._store.files import Step, no_step
from ansible_collections.certfleet.acme.plugins.module_utils._store.transaction import Transaction

from tests.support.small_ca import SmallCA

CA = SmallCA()
DECLARED: dict[str, Any] = {
    "name": "web",
    "identifiers": ["example.com"],
    "key_type": "ecdsa-p256",
    "key_location": "shared",
    "profile": None,
    "renew_when_remaining": None,
    "force": False,
    "owner": None,
    "group": None,
    "deploy": None,
}


def ask(root: Path, *, force: bool = False, step: Step = no_step) -> dict[str, Any]:
    settings = request.Settings(acme_directory=None, renew=True, force=force, check=False)
    with Store(str(root), create=True, step=step) as store:
        return request.request_one(store, settings, DECLARED)


def put(root: Path, item: dict[str, Any] | None, step: Step = no_step, **options: Any) -> dict[str, Any]:
    settings = installation.Settings(
        activate=True, keep=3, check=False, transaction=Transaction(), step=step, **options
    )
    (result,) = installation.install(str(root), [DECLARED], [item] if item else [], settings)
    assert not result["failed"], result
    return result


def shared(root: Path, item: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """What the host that asked gets from the one that has the certificate in ``root``."""
    wanted = {
        "name": "web",
        "host": "b",
        "recipient": asked["recipient"],
        "public_key_sha256": item["public_key_sha256"],
        "serial": None,
    }
    with Store(str(root), create=False, trusting=True) as store:
        share = sharing._share(store, wanted)
    return {**item, **share, "shared_from": "a"}


def killed_at(number: int, work: partial[Any]) -> bool:
    """Run ``work`` in a child that dies by SIGKILL at the step of that number; False when it ended before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: this child starts none
        child = os.fork()
    if child == 0:
        steps = iter(range(10_000))

        def step(_name: str) -> None:
            if next(steps) == number:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            work(step=step)
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("forced", [False, True])
def test_nothing_is_left_of_a_request_that_a_shared_certificate_came_for(tmp_path: Path, forced: bool) -> None:
    holder, start = tmp_path / "a", tmp_path / "start"
    wanted = CA.issued(ask(holder))
    put(holder, wanted)
    if forced:
        put(start, shared(holder, ask(holder) | ask(holder)["held"], ask(start)))
    asked = ask(start, force=forced)
    if forced:
        # The first of the two has got a new one already, which answers the other's request too.
        wanted = {**CA.issued(ask(holder, force=True)), "answers": [asked["public_key_sha256"]]}
        put(holder, wanted)
    held = ask(holder)["held"]
    assert (asked["public_key_sha256"] in held["answers"]) == forced
    number = 0
    while True:
        root = tmp_path / str(number)
        shutil.copytree(start, root, symlinks=True)
        item = shared(holder, held, asked)
        ended = not killed_at(number, partial(put, root, item))
        again = ask(root)
        if again["needs"] == "issue":
            # Nothing is lost: it can be sealed for the same request once more.
            assert [reason["code"] for reason in again["reasons"]] == ["forced" if forced else "missing"]
            assert again["public_key_sha256"] == asked["public_key_sha256"]
            item = shared(holder, held, again)
        assert put(root, item)["serial"] == wanted["serial"]
        assert [path.name for path in (root / "web").iterdir() if path.name.startswith((".", "pending"))] == []
        done = ask(root)
        assert (done["needs"], done["recipient"], done["held"]["serial"]) == ("nothing", None, wanted["serial"])
        if ended:
            break
        number += 1
    assert number > 15  # the steps are really counted


def test_a_request_that_is_killed_has_a_recipient_the_next_time(tmp_path: Path) -> None:
    number = 0
    while killed_at(number, partial(ask, tmp_path / str(number))):
        asked = ask(tmp_path / str(number))
        assert asked["recipient"]
        assert ask(tmp_path / str(number)) == {**asked, "changed": False}
        number += 1
    assert number > 10


def test_a_host_that_went_back_says_so_and_takes_it_by_name_only(tmp_path: Path) -> None:
    root = tmp_path / "a"
    first = CA.issued(ask(root))
    put(root, first)
    second = CA.issued(ask(root, force=True))
    put(root, second)
    assert ask(root)["withdrawn"] == []
    assert put(root, None, back=True)["serial"] == first["serial"]
    assert ask(root)["held"]["serial"] == first["serial"]
    assert ask(root)["withdrawn"] == [second["serial"]]
    with pytest.raises(AssertionError, match="it came as version 0002 before, which was withdrawn here"):
        put(root, second)
    assert put(root, second, versions={"web": "0002"})["serial"] == second["serial"]
    assert ask(root)["withdrawn"] == []
