# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs on a store in this process, and what lies there afterwards."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


#: What Python says before it changes a file or directory; see the audit events table of its library reference.
_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.chown"}


def ask(root: Path, *, force: bool = False, step: Step = no_step, check: bool = False, **declared: Any) -> Any:
    """What certificate_request answers for one certificate."""
    settings = request.Settings(acme_directory=None, renew=True, force=force, check=check)
    with Store(str(root), create=not check, step=step) as store:
        return request.request_one(store, settings, {**DECLARED, **declared})


def put(
    root: Path,
    issued: list[dict[str, Any]],
    *,
    step: Step = no_step,
    keep: int = 1,
    check: bool = False,
    reload_fails: bool = False,
    **declared: Any,
) -> dict[str, Any]:
    """What certificate_install answers for one certificate."""

    def reload(_argv: object) -> None:
        try:
            step("reload")
        except OSError as error:
            raise CertfleetError(str(error)) from error
        if reload_fails:
            raise CertfleetError("the reload failed")

    transaction = Transaction(command=reload)
    settings = installation.Settings(activate=True, keep=keep, check=check, transaction=transaction, step=step)
    (result,) = installation.install(str(root), [{**DECLARED, **declared}], issued, settings)
    return result


def active(root: Path) -> dict[str, Any] | None:
    """Facts of the version that services read, which must be whole; None when there is none."""
    if not (root / "web").exists():
        return None
    with Store(str(root), create=False) as store:
        entry = store.entry("web", Ownership(), create=False)
        assert entry is not None
        with entry:
            label = entry.current()
            if label is None:
                return None
            version = entry.load(label)
    assert version.broken == ""
    return version.facts


def killed_at(number: int, work: Callable[[Step], Any]) -> bool:
    """Run ``work`` in a child that dies by SIGKILL at the step of that number; False when it ended before."""

    def until_killed(count: Callable[[], None]) -> None:
        work(lambda _name: count())

    return _killed_at(number, until_killed)


def killed_at_change(number: int, work: Callable[[Step], Any]) -> bool:
    """As killed_at(), before each single change of a file or directory that Python makes, be it a step or not."""

    def until_killed(count: Callable[[], None]) -> None:
        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event in _CHANGES or (event == "open" and arguments[2] and arguments[2] & os.O_CREAT):
                count()

        sys.addaudithook(hook)
        work(no_step)

    return _killed_at(number, until_killed)


def _killed_at(number: int, work: Callable[[Callable[[], None]], None]) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: this child starts none
        child = os.fork()
    if child == 0:
        seen = 0

        def count() -> None:
            nonlocal seen
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1

        try:
            work(count)
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
