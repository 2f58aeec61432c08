# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack
from pathlib import Path

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._store import entry as entries
from ansible_collections.certfleet.acme.plugins.module_utils._store import install as installation
from ansible_collections.certfleet.acme.plugins.module_utils._store.transaction import Transaction

from tests.support.stored import CA, DECLARED, ask


def test_many_locks_are_waited_for_as_long_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store"
    declared = [{**DECLARED, "name": name, "deploy": None} for name in ("one", "three", "two")]
    issued = [CA.issued(ask(store, **item)) for item in declared]
    settings = installation.Settings(activate=True, keep=1, check=False, transaction=Transaction())
    waited: list[float] = []
    lock = entries.Entry.lock

    def noted(entry: entries.Entry, timeout: float = entries.LOCK_TIMEOUT) -> None:
        waited.append(timeout)
        lock(entry, min(timeout, 0.1))

    monkeypatch.setattr(installation, "LOCK_TIMEOUT", 0.1, raising=False)
    monkeypatch.setattr(entries.Entry, "lock", noted)
    with ExitStack() as held:
        for item in declared:
            folder = os.open(store / item["name"], os.O_RDONLY)
            held.callback(os.close, folder)
            fcntl.flock(folder, fcntl.LOCK_EX)
        results = installation.install(str(store), declared, issued, settings)
    assert all("another run has been working on" in result["msg"] for result in results)
    assert 0 < waited[0] <= 0.1
    assert waited[1:] == [0.0, 0.0]
    assert not any(result["failed"] for result in installation.install(str(store), declared, issued, settings))
