# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import string

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.engine import Engine
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import (
    RecordSet,
    Swap,
    TxtRecord,
    Zone,
    quote,
    unquote,
)
from ansible_collections.certfleet.acme.plugins.module_utils._dns.provider import Limits, ProviderError
from ansible_collections.certfleet.acme.plugins.module_utils._dns.wait import Waiter
from ansible_collections.certfleet.acme.plugins.module_utils._dns.zones import Route, Router
from hypothesis import given
from hypothesis import strategies as st

from .memory import Memory, engine

LABELS = st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h"])
VALUES = st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=4), min_size=1, max_size=4, unique=True)
CONTENTS = st.dictionaries(LABELS, VALUES, max_size=8)


def name(label: str) -> str:
    return f"_acme-challenge.{label}.example.com"


def records(contents: dict[str, list[str]]) -> list[TxtRecord]:
    return [TxtRecord(name(label), value) for label, values in contents.items() for value in values]


def held(memory: Memory) -> set[tuple[str, str]]:
    return {(one.name, unquote(value)) for one in memory.sets.values() for value in one.values}


def many(count: int, label: str = "w") -> list[TxtRecord]:
    return [TxtRecord(name(f"{label}{number}"), f"{number:043d}") for number in range(count)]


@given(
    CONTENTS, CONTENTS, st.booleans(), st.booleans(), st.sets(LABELS, max_size=3), st.integers(12, 60), st.booleans()
)
def test_ours_are_added_and_removed_and_nothing_else(
    foreign: dict[str, list[str]],
    ours: dict[str, list[str]],
    one_at_a_time: bool,
    speechless: bool,
    refused: set[str],
    elements: int,
    same_engine: bool,
) -> None:
    """Whatever was there before, however little the provider tells, in batches of any size."""
    memory = Memory(limits=Limits(elements=elements, characters=32000))
    memory.one_at_a_time, memory.speechless, memory.refused = one_at_a_time, speechless, set(map(name, refused))
    for label, values in foreign.items():
        memory.put(name(label), 300, *map(quote, values))
    before = held(memory)
    wanted = records(ours)
    possible = [record for record in wanted if record.name not in memory.refused]

    first = engine(memory)
    outcome = first.present(wanted)
    assert set(outcome.changed) == set(wanted)
    for record in wanted:
        written = (record.name, record.value) not in before and record in possible
        assert outcome.changed[record] == written
        if record not in possible:
            # A refused name that already holds its values needs no write: both answers are right.
            assert record in outcome.failed or (record.name, record.value) in before
        else:
            assert record not in outcome.failed
    assert held(memory) == before | {(record.name, record.value) for record in possible}
    for label in foreign:
        assert memory.sets[name(label)].ttl == 300

    again = engine(memory).present(possible)
    assert not any(again.changed.values())
    assert not again.failed

    removed = (first if same_engine else engine(memory)).absent(possible)
    assert not removed.failed
    assert all(removed.changed.values())
    assert held(memory) == before - {(record.name, record.value) for record in possible}
    gone = engine(memory).absent(possible)
    assert not gone.failed
    assert not any(gone.changed.values())


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6)), max_size=30), st.integers(2, 30), st.integers(40, 900))
def test_batches_keep_the_limits_and_the_order(sizes: list[tuple[int, int]], elements: int, characters: int) -> None:
    memory = Memory(limits=Limits(elements=elements, characters=characters))
    swaps = [
        Swap(
            str(number), RecordSet("x", 1, (quote("o" * 43),) * old) if old else None, RecordSet("x", 1, ('"n"',) * new)
        )
        for number, (old, new) in enumerate(sizes)
    ]
    batches = list(memory.batches(swaps))
    assert list(itertools.chain(*batches)) == swaps
    totals = [[sum(column) for column in zip(*map(memory.cost, batch))] for batch in batches]
    for batch, (count, length, _additions, _deletions) in zip(batches, totals):
        assert len(batch) == 1 or (count <= elements and length <= characters)
    for (count, length, _additions, _deletions), following in zip(totals, batches[1:]):
        more_count, more_length, _more_additions, _more_deletions = memory.cost(following[0])
        assert count + more_count > elements or length + more_length > characters


def test_711_new_challenge_values_fit_into_one_route53_batch() -> None:
    memory = Memory()
    assert not engine(memory).present(many(1000)).failed
    assert [len(batch) for batch in memory.writes] == [711, 289]


def test_a_thousand_names_in_few_calls() -> None:
    memory = Memory()
    one = engine(memory)
    one.present(many(1000))
    one.absent(many(1000))
    assert memory.calls <= 1 + 2 + 2 + 2
    assert not memory.sets


def test_calls_grow_with_zones_and_not_with_names() -> None:
    zones = [Zone(f"Z{number}", f"z{number}.example") for number in range(20)]
    for each in (1, 500):
        memory = Memory(*zones)
        one = engine(memory)
        wanted = [TxtRecord(f"_acme-challenge.w{n}.{zone.name}", f"{n:043d}") for zone in zones for n in range(each)]
        assert not one.present(wanted).failed
        assert not one.absent(wanted).failed
        assert memory.calls == 1 + 20 * (1 + 1 + 1)
        assert not memory.sets


def test_new_names_are_written_without_reading() -> None:
    memory = Memory()
    one = engine(memory)
    one.present(many(100))
    one.absent(many(100))
    assert memory.reads == []
    assert memory.calls == 1 + 1 + 1 + 1


def test_only_names_in_conflict_are_read() -> None:
    memory = Memory()
    memory.put(name("w3"), 300, '"foreign"')
    memory.put(name("w77"), 900, '"other"')
    assert not engine(memory).present(many(100)).failed
    assert memory.reads == [[name("w3"), name("w77")]]
    assert memory.sets[name("w77")].ttl == 900


def test_a_provider_that_names_one_conflict_at_a_time_does_not_cost_a_round_for_each() -> None:
    memory = Memory()
    memory.one_at_a_time = True
    engine(memory).present(many(200))
    memory.writes.clear()
    assert not engine(memory).present(many(200)).failed
    assert len(memory.writes) <= 6


def test_apex_and_wildcard_and_a_value_given_twice_make_one_set() -> None:
    memory = Memory()
    apex = name("a")
    engine(memory).present([TxtRecord(apex, "one"), TxtRecord(apex, "two"), TxtRecord(apex, "one")])
    assert memory.sets == {apex: RecordSet(apex, 60, ('"one"', '"two"'))}


@pytest.mark.parametrize("speechless", [False, True])
@pytest.mark.parametrize("bad", [{3}, {0, 99}, {10, 11, 12, 50}])
def test_refused_names_do_not_block_the_others(bad: set[int], speechless: bool) -> None:
    memory = Memory()
    memory.speechless = speechless
    wanted = many(100)
    memory.refused = {wanted[number].name for number in bad}
    outcome = engine(memory).present(wanted)
    assert {record.name for record in outcome.failed} == memory.refused
    assert len(memory.sets) == 100 - len(bad)
    assert all(record.name in str(error) for record, error in outcome.failed.items())


def test_names_that_permissions_refuse_do_not_block_the_others() -> None:
    memory = Memory()
    wanted = many(64)
    memory.denied = {wanted[5].name, wanted[40].name}
    outcome = engine(memory).present(wanted)
    assert {record.name for record in outcome.failed} == memory.denied
    assert len(memory.sets) == 62


def test_a_zone_without_any_permission_is_not_asked_for_each_name() -> None:
    memory = Memory()
    wanted = many(500)
    memory.denied = {record.name for record in wanted}
    assert len(engine(memory).present(wanted).failed) == 500
    assert memory.calls < 80


def test_names_in_conflict_that_cannot_be_read_fail_alone() -> None:
    memory = Memory()
    memory.put(name("w1"), 300, '"foreign"')
    memory.unreadable = True
    outcome = engine(memory).present(many(10))
    assert [record.name for record in outcome.failed] == [name("w1")]
    assert len(memory.sets) == 10


def test_lost_races_are_run_again_until_they_are_won() -> None:
    """Another program adds a value to one of the names before each of our first writes."""
    memory = Memory()

    def interfere(number: int) -> None:
        if number <= 6:
            current = memory.sets.get(name("w1"))
            memory.put(name("w1"), 300, *(current.values if current else ()), f'"foreign{number}"')

    memory.before_write = interfere
    assert not engine(memory).present(many(20)).failed
    assert {unquote(value) for value in memory.sets[name("w1")].values} == {
        f"{1:043d}",
        *(f"foreign{number}" for number in range(1, 7)),
    }


def test_a_race_that_is_never_won_ends_and_fails_its_name_only() -> None:
    memory = Memory()

    def interfere(number: int) -> None:
        memory.put(name("w1"), 300, f'"foreign{number}"')

    memory.before_write = interfere
    outcome = engine(memory).present(many(20))
    assert [record.name for record in outcome.failed] == [name("w1")]
    assert len(memory.sets) == 20
    assert unquote(memory.sets[name("w1")].values[0]).startswith("foreign")


def test_what_is_written_after_a_pause_was_read_after_it() -> None:
    """Others write the same names whenever this one pauses, and the provider names one conflict at a time."""
    memory = Memory()
    memory.one_at_a_time = True
    count = itertools.count()

    def others(_seconds: float = 0) -> None:
        for label in "abcde":
            memory.put(name(label), 60, f'"other{next(count)}"')

    memory.before_write = lambda number: others() if number <= 2 else None
    writer = Engine(Router([Route(memory)]), Waiter("none", 30), sleep=others)
    outcome = writer.present(records({label: ["ours"] for label in "abcde"}))
    assert not outcome.failed
    assert len(memory.writes) <= 6
    assert all(len(one.values) == 2 for one in memory.sets.values())


def test_what_was_written_is_not_believed_without_asking() -> None:
    """Somebody else removed our value in the meantime: it is written again."""
    memory = Memory()
    one = engine(memory)
    one.present(many(3))
    del memory.sets[name("w1")]
    again = one.present(many(3))
    assert [record.name for record, changed in again.changed.items() if changed] == [name("w1")]
    assert name("w1") in memory.sets


def test_removing_after_somebody_joined_keeps_their_value() -> None:
    memory = Memory()
    one = engine(memory)
    one.present(many(3))
    memory.put(name("w1"), 60, quote(f"{1:043d}"), '"foreign"')
    assert not one.absent(many(3)).failed
    assert memory.sets == {name("w1"): RecordSet(name("w1"), 60, ('"foreign"',))}


def test_a_lost_answer_counts_as_a_change() -> None:
    memory = Memory()
    memory.lost = 1
    outcome = engine(memory).present(many(2))
    assert not outcome.failed
    assert all(outcome.changed.values())


def test_what_a_clean_up_has_to_take_away_is_known() -> None:
    """Neither what has no zone nor what was refused, but what may have been written without an answer."""
    memory = Memory()
    one = engine(memory)
    good, outside, refused, unsure = (
        TxtRecord(name("good"), "x"),
        TxtRecord("_acme-challenge.example.org", "x"),
        TxtRecord(name("refused"), "x"),
        TxtRecord(name("unsure"), "x"),
    )
    memory.refused = {refused.name}
    one.present([good, outside, refused])
    assert one.possibly_there == {good}
    memory.failure = ProviderError("the answer was lost", unsure=True)
    assert list(one.present([unsure]).failed) == [unsure]
    assert one.possibly_there == {good, unsure}
    memory.failure = ProviderError("credentials are refused")
    one.present([TxtRecord(name("later"), "x")])
    one.absent([good])
    assert one.possibly_there == {good, unsure}
    memory.failure = None

    def interrupt(number: int) -> None:
        raise KeyboardInterrupt

    memory.before_write, interrupted = interrupt, TxtRecord(name("interrupted"), "x")
    with pytest.raises(KeyboardInterrupt):
        one.present([interrupted])
    assert one.possibly_there == {good, unsure, interrupted}
    memory.before_write = lambda number: None
    assert not one.absent(one.possibly_there).failed
    assert one.possibly_there == set()


def test_a_busy_provider_is_asked_again() -> None:
    memory = Memory()
    memory.busy = 3
    assert not engine(memory).present(many(2)).failed
    memory.busy = 99
    outcome = engine(memory).present(many(2, "x"))
    assert len(outcome.failed) == 2
    assert 3 < len(memory.writes) < 20


def test_an_answer_that_refuses_is_an_end_of_being_busy() -> None:
    """The patience for a busy provider is not used up by a batch that is refused in between, and answered so."""
    memory = Memory()
    names = [name(f"taken{number}") for number in range(4)]
    for taken in names:
        memory.sets[taken] = RecordSet(taken, 60, ('"foreign"',))
    memory.one_at_a_time = True

    def stumble(number: int) -> None:
        # Three busy answers before each other one: more in all than one batch may have in a row.
        memory.busy = int(number % 4 != 0)

    memory.before_write = stumble
    outcome = engine(memory).present([TxtRecord(taken, "ours") for taken in names])
    assert not outcome.failed
    assert sum(outcome.changed.values()) == 4


def test_an_unreachable_provider_is_not_asked_for_each_zone() -> None:
    memory = Memory(*(Zone(f"Z{number}", f"z{number}.example.com") for number in range(10)))
    memory.before_write = lambda number: setattr(memory, "unreachable", True)
    wanted = [TxtRecord(f"_acme-challenge.z{number}.example.com", "x") for number in range(10)]
    assert len(engine(memory).present(wanted).failed) == 10
    assert len(memory.writes) == 1


def test_sets_with_a_routing_policy_are_left_alone() -> None:
    memory = Memory()
    memory.sets[name("w1")] = RecordSet(name("w1"), 60, ('"x"',), "record sets with a routing policy")
    outcome = engine(memory).present(many(3))
    assert [record.name for record in outcome.failed] == [name("w1")]
    planned = engine(memory).plan(many(3))
    assert [record.name for record in planned.failed] == [name("w1")]


@given(CONTENTS, CONTENTS, st.sampled_from(["present", "absent"]))
def test_a_plan_says_what_will_be_and_writes_nothing(
    foreign: dict[str, list[str]], ours: dict[str, list[str]], state: str
) -> None:
    memory = Memory()
    for label, values in foreign.items():
        memory.put(name(label), 300, *map(quote, values))
    before = dict(memory.sets)
    planned = engine(memory).plan(records(ours), state=state)
    assert memory.sets == before
    assert memory.writes == []
    one = engine(memory)
    done = one.present(records(ours)) if state == "present" else one.absent(records(ours))
    assert planned.changed == done.changed
    assert planned.zones == done.zones
    assert {at: after for at, (_before, after) in planned.sets.items()} == {
        at: memory.sets.get(at) for at in planned.sets
    }
