# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that live at the same time and have a journal in common."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.engine import Engine
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord
from ansible_collections.certfleet.acme.plugins.module_utils._journal.folder import Folder
from ansible_collections.certfleet.acme.plugins.module_utils._journal.model import KEPT, PASSING, Placed, Run
from ansible_collections.certfleet.acme.plugins.module_utils._journal.run import Journal
from hypothesis import given, settings
from hypothesis import strategies as st

from .memory import Memory, engine
from .test_engine import held, name
from .test_engine_journal import placed


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
        journal = self.begin()[1]
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
    (first, journal), second = runs.begin(), runs.begin(kind)[0]
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
    first, second = runs.begin()[0], runs.begin()[0]
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
    first, second = runs.begin()[0], runs.begin()[0]
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
    assert [after.values for _before, after in outcome.sets.values() if after] == [('"v"',)]
    assert runs.noted() == {placed(V)}
    assert second.absent([V]).changed == {V: True}
    assert (held(runs.memory), runs.noted()) == (set(), set())


def test_what_is_put_back_for_a_run_that_leaves_it_is_taken_away_again(runs: Runs) -> None:
    first, second = runs.begin()[0], runs.begin()[0]
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
    first, second = runs.begin()[0], runs.begin()[0]
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
    one = runs.begin(KEPT)[0]
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
    other, one = runs.begin()[0], runs.begin(KEPT)[0]
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
        engines = [runs.begin()[0] for _number in range(3)]
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
