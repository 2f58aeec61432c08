# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns import stale
from ansible_collections.certfleet.acme.plugins.module_utils._dns.stale import manage_stale, seconds
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._journal.folder import Folder
from ansible_collections.certfleet.acme.plugins.module_utils._journal.model import KEPT, Placed, Run
from ansible_collections.certfleet.acme.plugins.module_utils._journal.run import Journal

from .memory import Memory, engine


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400), (" 2 W ", 1209600)],
)
def test_durations(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "h", "-1h", "1.5h", "1y", "1h30m", "yesterday"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(CertfleetError, match="is no duration"):
        seconds(text)


class Exit(Exception):
    pass


class Module:
    """What manage_stale() uses of an AnsibleModule."""

    def __init__(self, journal: Path, *, check: bool = False, **options: Any) -> None:
        unset = {"older_than": None, "owner": None, "dns_providers": None, "item_failures": "report"}
        self.params = {**unset, "journal": str(journal), **options}
        self.check_mode = check
        self.no_log_values: set[str] = set()
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def exit_json(self, **result: Any) -> None:
        self.result = result
        raise Exit

    def run(self) -> list[dict[str, Any]]:
        with pytest.raises(Exit):
            manage_stale(self)  # type: ignore[arg-type]
        return list(self.result["records"])


def begin(path: Path) -> Journal:
    return Journal(Folder(str(path), create=True), Run("run", "us", 0.0, 1, "host", "test", KEPT))


def entry(value: str, zone_id: str = "Z1") -> Placed:
    return Placed("memory", "", "example.com", zone_id, "_acme-challenge.example.com", value)


THERE, GONE, LIVE, NO_ZONE = entry("there"), entry("gone"), entry("live", "Z9"), entry("there", "Z9")


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "journal"
    dead = begin(path)
    dead.announce([THERE, GONE, LIVE, NO_ZONE])
    os.close(dead._fd)
    memory = Memory()
    memory.put(THERE.name, 60, '"there"')
    monkeypatch.setattr(stale, "build_engine", lambda params, journal: engine(memory, journal=journal))
    return path


def noted(path: Path) -> set[Placed]:
    with closing(begin(path)) as journal:
        return {entry.placed for entry in journal.entries()}


def test_what_was_in_a_zone_that_is_no_more_is_forgotten_when_told_so(journal: Path) -> None:
    with closing(begin(journal)) as lives:
        lives.announce([LIVE])
        before = noted(journal)
        expected = {(GONE.value, "Z1"): True, (LIVE.value, "Z9"): False, (THERE.value, "Z9"): True}
        for check in (True, False):
            module = Module(journal, check=check, state="forgotten", older_than="0", dns_providers=[{}])
            found = module.run()
            changed = {(one["value"], one["zone_id"]): one["changed"] for one in found}
            assert changed == {**expected, (THERE.value, "Z1"): False}
            assert [one["msg"] for one in found if one["in_dns"]] == [
                "it is still in DNS, and stays in the journal: state=absent removes it"
            ]
            assert not any(one["failed"] for one in found)
            assert noted(journal) == (before if check else {THERE, LIVE})


def test_without_providers_all_that_is_meant_is_forgotten(journal: Path) -> None:
    assert Module(journal, state="forgotten", older_than="0", owner="them").run() == []
    assert [one["changed"] for one in Module(journal, state="forgotten", owner="us").run()] == [True] * 4
    assert noted(journal) == set()
    assert list(journal.glob("*.jsonl")) == []


def test_nothing_is_forgotten_that_cannot_be_asked_for(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()
    memory.unreachable = True
    monkeypatch.setattr(stale, "build_engine", lambda params, journal: engine(memory, journal=journal))
    found = Module(journal, state="forgotten", owner="us", dns_providers=[{}]).run()
    assert [(one["changed"], one["failed"]) for one in found] == [(False, True)] * 4
    assert noted(journal) == {THERE, GONE, LIVE, NO_ZONE}


@pytest.mark.parametrize("state", ["absent", "forgotten"])
def test_something_must_say_what_is_stale(journal: Path, state: str) -> None:
    with pytest.raises(CertfleetError, match=f"state is {state}, and nothing says which values are stale"):
        manage_stale(Module(journal, state=state))  # type: ignore[arg-type]


def test_what_a_run_comes_to_need_after_the_list_was_made_is_left_to_it(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = stale._remove
    with closing(begin(journal)) as lives:

        def meanwhile(*arguments: Any) -> Any:
            lives.announce([THERE])
            return remove(*arguments)

        monkeypatch.setattr(stale, "_remove", meanwhile)
        module = Module(journal, state="absent", owner="us", dns_providers=[{}])
        (there,) = (one for one in module.run() if (one["value"], one["zone_id"]) == ("there", "Z1"))
        assert (there["changed"], there["failed"]) == (False, False)
        assert "was not taken away: us, which runs at the moment, needs it too" in module.warnings[0]
        assert THERE in noted(journal)
