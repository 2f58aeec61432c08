# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The DNS side of a batch: its own values, and along with them what killed runs have left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils import _issuance_dns
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord, Zone
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._issuance_dns import DnsSide
from ansible_collections.certfleet.acme.plugins.module_utils._journal.folder import Folder
from ansible_collections.certfleet.acme.plugins.module_utils._journal.model import KEPT, PASSING, Placed, Run
from ansible_collections.certfleet.acme.plugins.module_utils._journal.run import Journal

from tests.unit.plugins.module_utils.dns.memory import Memory, engine

OURS = TxtRecord("_acme-challenge.ours.example.com", "ours")
SHARED = TxtRecord("_acme-challenge.shared.example.com", "ours")
STALE = Placed("memory", "", "example.com", "Z1", SHARED.name, "stale")
KEPT_BY_OTHERS = Placed("memory", "", "example.com", "Z1", SHARED.name, "kept")
ELSEWHERE = Placed("route53", "", "example.com", "Z1", SHARED.name, "elsewhere")


class Scene:
    """A zone with foreign values, a journal of dead runs, and the run that comes next."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal"
        self.memory = Memory(Zone("Z1", "example.com"))
        self.dead(PASSING, STALE, ELSEWHERE)
        self.dead(KEPT, KEPT_BY_OTHERS)
        self.memory.put(SHARED.name, 900, '"foreign"', '"stale"', '"kept"', '"elsewhere"')
        self.journal = self.begin(PASSING)
        self.dns = DnsSide({"dns_providers": ["any"]}, self.journal)

    def begin(self, kind: str) -> Journal:
        return Journal(Folder(str(self.path), create=True), Run("run", "awx job 1", 0.0, 1, "host", "test", kind))

    def dead(self, kind: str, *values: Placed) -> None:
        journal = self.begin(kind)
        journal.announce(values)
        os.close(journal._fd)
        journal._folder.close()

    def noted(self) -> set[Placed]:
        with closing(self.begin(PASSING)) as journal:
            return {entry.placed for entry in journal.entries()}

    def holds(self) -> dict[str, tuple[str, ...]]:
        return {name: found.values for name, found in self.memory.sets.items()}


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    made = Scene(tmp_path)
    monkeypatch.setattr(_issuance_dns, "build_engine", lambda params, journal: engine(made.memory, journal=journal))
    yield made
    made.journal.close()


def test_both_runs_values_go_in_one_request_and_nothing_else(scene: Scene) -> None:
    failed, written = scene.dns.present([OURS, SHARED])
    assert (failed, written) == ({}, {OURS, SHARED})
    writes = len(scene.memory.writes)
    assert scene.dns.clean_up([OURS, SHARED], others=True) == {}
    assert len(scene.memory.writes) == writes + 1
    assert scene.holds() == {SHARED.name: ('"foreign"', '"kept"', '"elsewhere"')}
    (removed,) = scene.dns.stale_removed
    assert removed.pop("added").endswith("Z")
    assert removed == {
        "record": SHARED.name,
        "value": "stale",
        "zone": "example.com",
        "provider": "memory",
        "owner": "awx job 1",
        "run": "run",
    }
    assert scene.noted() == {KEPT_BY_OTHERS, ELSEWHERE}
    assert scene.dns.warnings == []


def test_what_another_run_that_lives_needs_is_left_to_it(scene: Scene) -> None:
    """A CA gives the same token again for a pending authorization, and that makes the same value."""
    mine = Placed("memory", "", "example.com", "Z1", OURS.name, OURS.value)
    with closing(scene.begin(PASSING)) as other:
        other.announce([mine, STALE])
        scene.dns.present([OURS])
        assert scene.dns.clean_up([OURS], others=True) == {}
        assert scene.holds() == {
            OURS.name: ('"ours"',),
            SHARED.name: ('"foreign"', '"stale"', '"kept"', '"elsewhere"'),
        }
        assert (scene.dns.stale_removed, scene.dns.warnings) == ([], [])
        assert scene.noted() >= {mine, STALE}
        other.forget([mine, STALE])
    assert mine not in scene.noted()


def test_what_another_run_comes_to_need_after_the_list_of_stale_values_was_made_stays(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = scene.journal.stale()
    monkeypatch.setattr(scene.journal, "stale", lambda: listed)
    with closing(scene.begin(PASSING)) as other:
        other.announce([STALE])
        assert scene.dns.clean_up([], others=True) == {}
        assert '"stale"' in scene.holds()[SHARED.name]
        assert (scene.dns.stale_removed, scene.dns.warnings) == ([], [])
        other.forget([STALE])


def test_a_batch_that_needed_no_dns_takes_them_away_too(scene: Scene) -> None:
    """The killed run had its names validated already."""
    assert scene.dns.clean_up([], others=True) == {}
    assert [one["value"] for one in scene.dns.stale_removed] == ["stale"]
    assert scene.holds() == {SHARED.name: ('"foreign"', '"kept"', '"elsewhere"')}
    scene.dead(PASSING, STALE)
    scene.dns.clean_up([], others=True)
    assert len(scene.dns.stale_removed) == 1  # once a batch


def test_one_that_is_told_to_end_only_takes_its_own_away(scene: Scene) -> None:
    scene.dns.present([SHARED])
    assert scene.dns.clean_up([SHARED], others=False) == {}
    assert scene.holds() == {SHARED.name: ('"foreign"', '"stale"', '"kept"', '"elsewhere"')}
    assert scene.dns.stale_removed == []


def test_what_cannot_be_taken_away_is_a_warning_and_stays_noted_down(scene: Scene) -> None:
    scene.memory.refused = {SHARED.name}
    assert scene.dns.clean_up([], others=True) == {}
    (warning,) = scene.dns.warnings
    assert warning.startswith(
        "the TXT value stale of _acme-challenge.shared.example.com, which a killed run (awx job 1)"
    )
    assert scene.dns.stale_removed == []
    assert STALE in scene.noted()


@pytest.mark.parametrize("fault", [CertfleetError("out of order"), RuntimeError("out of order")])
def test_trouble_with_the_engine_hides_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    def broken(*arguments: Any, **options: Any) -> Any:
        raise fault

    monkeypatch.setattr(_issuance_dns, "build_engine", broken)
    assert scene.dns.clean_up([], others=True) == {}
    (warning,) = scene.dns.warnings
    assert warning.startswith("what other runs have left in DNS is still there: ")
    assert "out of order" in warning


def test_a_journal_that_cannot_be_read_does_not_keep_our_own_values(scene: Scene) -> None:
    scene.dns.present([OURS])
    (scene.path / "20270101T000000Z-0000000000000000.jsonl").symlink_to("elsewhere")
    assert scene.dns.clean_up([OURS], others=True) == {}
    assert OURS.name not in scene.holds()
    assert "cannot be told" in scene.dns.warnings[0]
    assert "what other runs need, or whose it is, is not certain" in scene.dns.warnings[1]
    assert "stay in the journal" in scene.dns.warnings[2]


def test_without_a_journal_or_providers_nothing_is_looked_for(scene: Scene) -> None:
    for dns in (DnsSide({"dns_providers": ["any"]}), DnsSide({"dns_providers": []}, scene.journal)):
        assert dns.clean_up([], others=True) == {}
        assert (dns.warnings, dns.stale_removed) == ([], [])
    assert scene.memory.calls == 0
