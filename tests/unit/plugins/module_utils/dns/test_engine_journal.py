# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the engine notes down, and when; and values that it takes away by a journal."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.engine import Engine
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord, Zone, quote
from ansible_collections.certfleet.acme.plugins.module_utils._dns.provider import ProviderError
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._journal.folder import Folder
from ansible_collections.certfleet.acme.plugins.module_utils._journal.model import KEPT, PASSING, Placed, Run
from ansible_collections.certfleet.acme.plugins.module_utils._journal.run import Journal
from hypothesis import given, settings
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


class Runs:
    """Runs that live at the same time, each with its engine, over one provider and one real journal."""

    def __init__(self, path: Path) -> None:
        self.memory = Memory()
        self.path = path / "journal"
        self.journals: list[Journal] = []

    def begin(self, kind: str = PASSING) -> tuple[Engine, Journal]:
        owner = f"run {len(self.journals)}"
        journal = Journal(Folder(str(self.path), create=True), Run(owner, owner, 0.0, 1, "host", "test", kind))
        self.journals.append(journal)
        return engine(self.memory, journal=journal), journal

    def dead(self, *records: TxtRecord) -> list[Placed]:
        one, journal = self.begin()
        one.present(records)
        os.close(journal._fd)
        self.journals.remove(journal)
        return [placed(record) for record in records]

    def noted(self) -> set[Placed]:
        _, journal = self.begin()
        return {entry.placed for entry in journal.entries()}


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    made = Runs(tmp_path)
    yield made
    for journal in made.journals:
        journal.close()


V, W = TxtRecord(name("v"), "v"), TxtRecord(name("v"), "w")


@pytest.mark.parametrize("kind", [PASSING, KEPT])
def test_of_two_runs_with_an_equal_value_the_last_one_takes_it_away(runs: Runs, kind: str) -> None:
    (first, journal), (second, _) = runs.begin(), runs.begin(kind)
    first.present([V, W])
    second.present([V])
    outcome = first.absent([V, W])
    assert (outcome.changed, outcome.failed) == ({V: False, W: True}, {})
    assert held(runs.memory) == {(V.name, "v")}
    (told,) = journal.left_to_others
    assert told.startswith("the TXT value v of _acme-challenge.v.example.com was not taken away: run 1, which runs")
    assert runs.noted() == {placed(V)}
    assert second.absent([V]).changed == {V: True}
    assert (held(runs.memory), runs.noted()) == (set(), set())


def test_what_a_killed_run_left_and_one_that_lives_needs_is_neither_gone_nor_left(runs: Runs) -> None:
    stale = runs.dead(V, W)
    (first, _), (second, _) = runs.begin(), runs.begin()
    second.present([V])
    outcome = first.absent([], placed=stale)
    assert (outcome.gone, outcome.left, outcome.unserved) == ({placed(W): True}, {}, {})
    assert held(runs.memory) == {(V.name, "v")}
    writes = len(runs.memory.writes)
    assert first.absent([], placed=[placed(V)]).gone == {}
    assert len(runs.memory.writes) == writes


@pytest.mark.parametrize("own", [True, False])
def test_what_is_announced_during_the_removal_is_put_back(runs: Runs, own: bool) -> None:
    stale = [] if own else runs.dead(V, W)
    (first, _), (second, _) = runs.begin(), runs.begin()
    wanted = [V, W] if own else []
    first.present(wanted)

    def announce(number: int) -> None:
        runs.memory.before_write = lambda number: None
        assert second.present([V]).changed == {V: False}

    runs.memory.before_write = announce
    outcome = first.absent(wanted, placed=stale)
    assert held(runs.memory) == {(V.name, "v")}
    assert outcome.failed == outcome.left == {}
    assert outcome.changed == ({V: False, W: True} if own else {})
    assert outcome.gone == ({} if own else {placed(W): True})
    assert [after.values for _, after in outcome.sets.values() if after] == [('"v"',)]
    assert runs.noted() == {placed(V)}
    assert second.absent([V]).changed == {V: True}
    assert (held(runs.memory), runs.noted()) == (set(), set())


def test_what_is_put_back_for_a_run_that_leaves_it_is_taken_away_again(runs: Runs) -> None:
    (first, _), (second, _) = runs.begin(), runs.begin()
    first.present([V])

    def leave(number: int) -> None:
        runs.memory.before_write = lambda number: None
        assert second.absent([V]).changed == {V: False}

    def announce(number: int) -> None:
        runs.memory.before_write = lambda number: None
        second.present([V])
        runs.memory.before_write = leave

    runs.memory.before_write = announce
    first.absent([V])
    assert runs.memory.before_write is not leave
    assert (held(runs.memory), runs.noted()) == (set(), set())


def test_what_cannot_be_put_back_is_told(runs: Runs) -> None:
    (first, _), (second, _) = runs.begin(), runs.begin()
    first.present([V])

    def refuse(number: int) -> None:
        runs.memory.refused = {V.name}

    def announce(number: int) -> None:
        runs.memory.before_write = lambda number: None
        second.present([V])
        runs.memory.before_write = refuse

    runs.memory.before_write = announce
    error = first.absent([V]).failed[V]
    assert "is gone and cannot be put back, though another run has come to need it: Memory refuses" in str(error)


def test_a_value_that_others_put_there_is_not_claimed(runs: Runs) -> None:
    runs.memory.put(V.name, 900, '"v"')
    one, journal = runs.begin(KEPT)
    assert one.present([V, W]).changed == {V: False, W: True}
    assert runs.noted() == {placed(W)}
    journal.close()
    runs.journals.remove(journal)
    assert runs.noted() == {placed(W)}


def test_a_value_that_this_run_put_there_before_is_claimed(runs: Runs) -> None:
    one, _ = runs.begin(KEPT)
    one.present([V])
    assert one.present([V]).changed == {V: False}
    assert runs.noted() == {placed(V)}


def test_a_value_that_may_be_from_this_run_is_claimed(runs: Runs) -> None:
    runs.memory.lost = 1
    runs.begin(KEPT)[0].present([V])
    assert runs.noted() == {placed(V)}


@pytest.mark.parametrize("kind", [PASSING, KEPT])
@pytest.mark.parametrize("lives", [True, False])
def test_a_value_that_another_run_put_there_is_claimed(runs: Runs, kind: str, lives: bool) -> None:
    other, journal = runs.begin(kind)
    other.present([V])
    if not lives:
        os.close(journal._fd)
        runs.journals.remove(journal)
    one, mine = runs.begin(KEPT)
    assert one.present([V]).changed == {V: False}
    other.absent([V]) if lives else None
    mine.close()
    runs.journals.remove(mine)
    assert [(entry.run.id, entry.kept) for entry in runs.begin()[1].entries()] == [(mine._run.id, True)]
    assert held(runs.memory) == {(V.name, "v")}


def test_what_another_run_leaves_before_it_is_found_there_stays_noted_down(runs: Runs) -> None:
    (other, _), (one, _) = runs.begin(), runs.begin(KEPT)
    other.present([V])

    def leave(number: int) -> None:
        runs.memory.before_write = lambda number: None
        assert other.absent([V]).changed == {V: False}

    runs.memory.before_write = leave
    assert one.present([V]).changed == {V: False}
    assert runs.noted() == {placed(V)}


STEPS = st.lists(st.tuples(st.integers(1, 2), st.booleans()), max_size=4)


@settings(deadline=None, max_examples=40)
@given(STEPS, st.lists(STEPS, max_size=4))
def test_whatever_runs_do_while_one_ends_their_values_stay_until_the_last_one_ends(
    before: list[tuple[int, bool]], during: list[list[tuple[int, bool]]]
) -> None:
    """A step is a run that begins or ends; those during the end of the first are each before another of its writes."""
    with tempfile.TemporaryDirectory() as temporary:
        runs = Runs(Path(temporary))
        engines = [runs.begin()[0] for _ in range(3)]
        here: set[int] = set()
        left = iter(during)

        def do(number: int, come: bool) -> None:
            if come:
                here.add(number)
                engines[number].present([V])
            elif number in here:
                here.discard(number)
                engines[number].absent([V])

        def meanwhile(number: int) -> None:
            runs.memory.before_write = lambda number: None
            for step in next(left, ()):
                do(*step)
            runs.memory.before_write = meanwhile

        for step in [(0, True), *before]:
            do(*step)
        runs.memory.before_write = meanwhile
        do(0, False)
        runs.memory.before_write = lambda number: None
        assert (V.name, "v") in held(runs.memory) or not here
        for number in sorted(here):
            do(number, False)
        assert (held(runs.memory), runs.noted()) == (set(), set())
        for journal in runs.journals:
            journal.close()
