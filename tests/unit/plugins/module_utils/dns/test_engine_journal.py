# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the engine notes down, and when; and values that it takes away by a journal."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord, Zone, quote
from ansible_collections.certfleet.acme.plugins.module_utils._dns.provider import ProviderError
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._journal.model import Placed
from hypothesis import given
from hypothesis import strategies as st

from .memory import Memory, engine
from .test_engine import CONTENTS, LABELS, held, name, records


class Notebook:
    """A journal in memory. memory: what the provider holds when something is announced."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.left: set[Placed] = set()
        self.batches: list[int] = []
        self.full = False

    def announce(self, values: Iterable[Placed]) -> None:
        if self.full:
            raise CertfleetError("the disk is full")
        new = list(values)
        self.batches.append(len(new))
        self.left |= set(new)

    def withdraw(self, values: Iterable[Placed]) -> None:
        self.left -= set(values)

    def found(self, values: Iterable[Placed]) -> None:
        assert {(one.name, one.value) for one in values} <= held(self.memory)

    def share(self, values: Iterable[Placed]) -> set[Placed]:
        return set()

    def removed(self, values: Iterable[Placed], unsure: Iterable[Placed] = ()) -> set[Placed]:
        gone = set(values)
        there = held(self.memory)
        assert not {(one.name, one.value) for one in gone} & there, "crossed off while it is there"
        self.left -= gone
        return set()


def placed(record: TxtRecord, *, zone_id: str = "Z1", kind: str = "memory", account: str = "") -> Placed:
    return Placed(kind, account, "example.com", zone_id, record.name, record.value)


@given(CONTENTS, CONTENTS, st.sets(LABELS, max_size=3), st.booleans(), st.integers(0, 3))
def test_all_that_is_written_was_noted_down_before(
    foreign: dict[str, list[str]], ours: dict[str, list[str]], refused: set[str], lost: bool, fails: int
) -> None:
    memory = Memory()
    for label, values in foreign.items():
        memory.put(name(label), 300, *map(quote, values))
    before = held(memory)
    memory.refused, memory.lost = set(map(name, refused)), int(lost)
    notebook = Notebook(memory)

    def check(number: int) -> None:
        names = {swap.name for swap in memory.writes[-1]}
        wanted = {(one.name, one.value) for one in records(ours) if one.name in names}
        assert wanted <= {(one.name, one.value) for one in notebook.left}
        memory.failure = ProviderError("the answer was lost", unsure=True) if number == fails else None

    memory.before_write = check
    one = engine(memory, journal=notebook)
    one.present(records(ours))
    assert len(notebook.batches) == 1
    assert held(memory) - before <= {(one.name, one.value) for one in notebook.left}
    assert {TxtRecord(one.name, one.value) for one in notebook.left} == one.possibly_there
    memory.before_write, memory.failure, memory.refused = (lambda number: None), None, set()
    one.absent(records(ours))
    assert notebook.left == set()


def test_nothing_is_written_that_cannot_be_noted_down() -> None:
    memory = Memory()
    notebook = Notebook(memory)
    notebook.full = True
    one = engine(memory, journal=notebook)
    outcome = one.present(records({"a": ["x"], "b": ["y"]}))
    assert {str(error) for error in outcome.failed.values()} == {"the disk is full"}
    assert len(outcome.failed) == 2
    assert (memory.writes, one.possibly_there) == ([], set())


def test_zones_of_one_call_are_noted_down_together_and_what_was_not_tried_is_not_kept() -> None:
    memory = Memory(*(Zone(f"Z{number}", f"z{number}.example.com") for number in range(3)))
    notebook = Notebook(memory)

    def fail(number: int) -> None:
        memory.failure = ProviderError("cannot be reached", fatal=True, unsure=True)

    memory.before_write = fail
    wanted = [TxtRecord(f"_acme-challenge.z{number}.example.com", "x") for number in range(3)]
    assert len(engine(memory, journal=notebook).present(wanted).failed) == 3
    assert notebook.batches == [3]
    assert {one.zone_id for one in notebook.left} == {"Z0"}


def test_an_interrupted_write_stays_noted_down() -> None:
    memory = Memory()
    notebook = Notebook(memory)

    def interrupt(number: int) -> None:
        raise KeyboardInterrupt

    memory.before_write = interrupt
    with pytest.raises(KeyboardInterrupt):
        engine(memory, journal=notebook).present(records({"a": ["x"]}))
    assert len(notebook.left) == 1


@given(CONTENTS, CONTENTS, CONTENTS, st.booleans())
def test_values_of_a_journal_go_with_ours_and_others_stay(
    foreign: dict[str, list[str]], ours: dict[str, list[str]], theirs: dict[str, list[str]], here: bool
) -> None:
    memory = Memory()
    for label, values in foreign.items():
        memory.put(name(label), 300, *map(quote, values))
    one = engine(memory)
    if here:
        one.present(records(ours))
    stale = [placed(record) for record in records(theirs)]
    before = held(memory)
    planned = one.plan(records(ours), state="absent", placed=stale)
    assert planned.gone == {entry: (entry.name, entry.value) in before for entry in stale}
    outcome = one.absent(records(ours), placed=stale)
    unwanted = {(record.name, record.value) for record in [*records(ours), *records(theirs)]}
    assert held(memory) == before - unwanted
    assert outcome.gone == planned.gone
    assert set(outcome.changed) == set(records(ours))
    assert (outcome.failed, outcome.left, outcome.unserved) == ({}, {}, {})


def test_values_of_a_journal_cost_no_request_more_in_zones_that_are_written_anyway() -> None:
    calls = []
    for stale in ([], [placed(TxtRecord(name("stale"), "x"))]):
        memory = Memory()
        memory.put(name("stale"), 60, '"x"')
        one = engine(memory)
        one.present(records({"a": ["x"]}))
        outcome = one.absent(records({"a": ["x"]}), placed=stale)
        assert list(outcome.gone.values()) == [True] * len(stale)
        calls.append(memory.calls)
    assert calls[0] == calls[1]


@pytest.mark.parametrize(
    ("stale", "cause"),
    [
        (placed(TxtRecord(name("a"), "x"), zone_id="Z9"), "(memory Z9), which is not served here"),
        (placed(TxtRecord(name("a"), "x"), kind="route53"), "(route53 Z1), which is not served here"),
        (placed(TxtRecord(name("a"), "x"), account="other"), "(memory other Z1), which is not served here"),
        (
            placed(TxtRecord("_acme-challenge.example.org", "x")),
            "no public Memory zone holds _acme-challenge.example.org",
        ),
    ],
)
def test_the_same_name_in_another_place_is_left_alone(stale: Placed, cause: str) -> None:
    memory = Memory()
    memory.put(name("a"), 60, '"x"')
    outcome = engine(memory).absent([], placed=[stale])
    assert cause in str(outcome.unserved[stale])
    assert (outcome.gone, outcome.left, memory.writes) == ({}, {}, [])


def test_values_of_a_journal_that_cannot_be_taken_away_are_told() -> None:
    memory = Memory()
    memory.put(name("a"), 60, '"x"')
    memory.put(name("b"), 60, '"x"')
    refused, good = placed(TxtRecord(name("a"), "x")), placed(TxtRecord(name("b"), "x"))
    odd = Placed("memory", "", "example.com", "Z1", "a..example.com", "x")
    memory.refused = {name("a")}
    notebook = Notebook(memory)
    notebook.left = {refused, good, odd}
    outcome = engine(memory, journal=notebook).absent([], placed=[refused, good, odd])
    assert (set(outcome.left), outcome.gone, outcome.failed, outcome.changed) == ({refused, odd}, {good: True}, {}, {})
    assert notebook.left == {refused, odd}
    memory.unreachable = True
    assert set(engine(memory).absent([], placed=[refused]).left) == {refused}
