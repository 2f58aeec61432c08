# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the writer makes of a name that cannot be written, and of one where there is nothing to do."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.cloud_dns import CloudDns
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import RecordSet, Swap, TxtRecord, quote
from ansible_collections.certfleet.acme.plugins.module_utils._dns.provider import ALIAS, CNAME, ProviderBusy
from ansible_collections.certfleet.acme.plugins.module_utils._dns.records import diffs
from ansible_collections.certfleet.acme.plugins.module_utils._dns.route53 import Route53
from ansible_collections.certfleet.acme.plugins.module_utils._dns.route53_sets import joined, left, record_set

from .memory import Memory, engine

NAME = "_acme-challenge.w0.example.com"


def many(count: int) -> list[TxtRecord]:
    return [TxtRecord(f"_acme-challenge.w{number}.example.com", f"{number:043d}") for number in range(count)]


def values(count: int) -> tuple[str, ...]:
    return tuple(quote(f"{number:043d}") for number in range(1000, 1000 + count))


class Parts(Memory):
    """Keeps several sets at a name, as Route53 does."""

    def joined(self, name: str, current: RecordSet | None, values: Any, ttl: int) -> RecordSet:
        return joined(name, current, values, ttl)

    def left(self, current: RecordSet | None, values: Any) -> RecordSet | None:
        return left(current, values)


def test_a_full_set_fails_alone_and_before_it_is_sent() -> None:
    memory = Memory()
    memory.values_max, memory.quota = 100, 100
    memory.put(NAME, 60, *values(100))
    outcome = engine(memory).present(many(21))
    (error,) = outcome.failed.values()
    assert "100 values" in str(error)
    assert NAME in str(error)
    assert len(memory.sets) == 21
    assert len(memory.writes) == 2
    assert not engine(memory).absent([TxtRecord(NAME, f"{1000:043d}")]).failed


def test_a_set_that_was_over_the_limit_may_shrink() -> None:
    memory = Memory()
    memory.values_max = 3
    memory.put(NAME, 60, *values(5))
    assert not engine(memory).absent([TxtRecord(NAME, f"{1000:043d}")]).failed
    assert len(memory.sets[NAME].values) == 4


def test_a_quota_that_one_name_exceeds_is_no_end_of_the_others() -> None:
    """Also where the limit is not known beforehand."""
    memory = Memory()
    memory.quota = 2
    memory.put(NAME, 60, *values(2))
    outcome = engine(memory).present(many(21))
    assert [record.name for record in outcome.failed] == [NAME]
    assert len(memory.sets) == 21
    assert len(memory.writes) < 25


def test_a_quota_that_everything_exceeds_is_not_waited_for_at_each_name() -> None:
    memory = Memory()
    memory.failure = ProviderBusy("the zone is full", divisible=True)
    outcome = engine(memory).present(many(500))
    assert len(outcome.failed) == 500
    assert len(memory.writes) < 100


@pytest.mark.parametrize("denied", [range(6), range(14, 20), [0, 5, 10, 15], range(19)])
def test_names_that_permissions_refuse_do_not_fail_their_neighbours(denied: Any) -> None:
    memory = Memory()
    wanted = many(20)
    memory.denied = {wanted[number].name for number in denied}
    outcome = engine(memory).present(wanted)
    assert {record.name for record in outcome.failed} == memory.denied
    assert len(memory.sets) == 20 - len(memory.denied)


def test_names_that_permissions_refuse_may_be_many_among_others() -> None:
    memory = Memory()
    wanted = many(300)
    memory.denied = {record.name for record in wanted[::3]}
    outcome = engine(memory).present(wanted)
    assert {record.name for record in outcome.failed} == memory.denied
    assert {str(error) for error in outcome.failed.values()} == {"not allowed"}
    assert len(memory.sets) == 200


def test_a_name_that_was_not_tried_alone_is_not_called_denied() -> None:
    memory = Memory()
    wanted = many(500)
    memory.denied = {record.name for record in wanted}
    outcome = engine(memory).present(wanted)
    assert str(outcome.failed[wanted[0]]) == "not allowed"
    assert "was not tried by itself" in str(outcome.failed[wanted[-1]])


def test_a_value_that_only_some_of_the_sets_had_is_a_change() -> None:
    held = [
        {
            "Name": f"{NAME}.",
            "Type": "TXT",
            "TTL": 60,
            "ResourceRecords": [{"Value": quote(value)} for value in there],
            "SetIdentifier": identifier,
            "Weight": 1,
        }
        for identifier, there in (("one", ["ours"]), ("two", ["foreign"]))
    ]
    memory = Parts()
    memory.sets[NAME] = record_set(NAME, held)
    wanted = [TxtRecord(NAME, "ours")]
    assert engine(memory).plan(wanted).changed == {wanted[0]: True}
    outcome = engine(memory).present(wanted)
    assert outcome.changed == {wanted[0]: True}
    (diff,) = diffs(outcome.sets)
    assert diff["before"].splitlines() == [f'{NAME}. 60 IN TXT "ours" ; one', f'{NAME}. 60 IN TXT "foreign" ; two']
    assert diff["after"].splitlines() == [*diff["before"].splitlines(), f'{NAME}. 60 IN TXT "ours" ; two']
    assert engine(memory).present(wanted).changed == {wanted[0]: False}


@pytest.mark.parametrize("policy", [ALIAS, CNAME])
def test_where_no_value_can_be_none_has_to_be_removed(policy: str) -> None:
    memory = Memory()
    memory.sets[NAME] = RecordSet(NAME, 60, (), policy)
    wanted = many(1)
    for outcome in (engine(memory).plan(wanted, state="absent"), engine(memory).absent(wanted)):
        assert outcome.changed == {wanted[0]: False}
        assert not outcome.failed
    assert engine(memory).present(wanted).failed
    assert engine(memory).plan(wanted).failed


def test_a_cname_in_the_way_is_told_with_the_way_out() -> None:
    memory = Memory()
    memory.sets[NAME] = RecordSet(NAME, 60, (), CNAME)
    (error,) = engine(memory).present(many(1)).failed.values()
    assert "follow_cname" in str(error)


def cost_of(provider: Any, before: RecordSet | None, after: RecordSet | None) -> str:
    return str(provider.__new__(provider).too_large(Swap(NAME, before, after)))


def test_what_no_request_of_route53_can_carry_is_known_before() -> None:
    def plain(count: int) -> RecordSet:
        return RecordSet(NAME, 60, values(count))

    assert cost_of(Route53, plain(355), plain(356)) == ""
    assert "32000" in cost_of(Route53, plain(356), plain(357))
    assert "32000" in cost_of(Route53, plain(357), plain(356))
    assert "400 values" in cost_of(Route53, None, RecordSet(NAME, 60, tuple(f'"{n}"' for n in range(401))))
    several = [
        {
            "Name": f"{NAME}.",
            "Type": "TXT",
            "TTL": 60,
            "ResourceRecords": [{"Value": f'"{n}"'} for n in range(start, start + 300)],
            "SetIdentifier": str(start),
            "Weight": 1,
        }
        for start in (0, 300)
    ]
    assert cost_of(Route53, None, record_set(NAME, several)) == ""


def test_a_set_of_cloud_dns_has_up_to_100_values() -> None:
    assert cost_of(CloudDns, RecordSet(NAME, 60, values(99)), RecordSet(NAME, 60, values(100))) == ""
    assert "100 values" in cost_of(CloudDns, RecordSet(NAME, 60, values(100)), RecordSet(NAME, 60, values(101)))


def test_a_change_whose_answer_was_lost_is_waited_for() -> None:
    """No id came with it, so the newest change of the zone stands in for it."""
    memory = Memory()
    memory.lost = 1
    assert not engine(memory).present(many(3)).failed
    assert memory.asked == ["C1"]
    calls = memory.calls
    memory.lost = 1
    assert not engine(memory).absent(many(3)).failed
    assert memory.asked == ["C1"]
    assert memory.calls == calls + 1 + 1  # nothing is waited for, so nothing is looked for


@pytest.mark.parametrize(("times", "done"), [(1, True), (Memory.repeats, True), (Memory.repeats + 1, False)])
def test_a_provider_that_is_too_busy_to_read_is_asked_again(times: int, done: bool) -> None:
    class Busy(Memory):
        refusals = times

        def read(self, zone: Any, names: Any) -> Any:
            if self.refusals:
                self.refusals -= 1
                raise ProviderBusy("busy")
            return super().read(zone, names)

    memory = Busy()
    memory.put(NAME, 900, quote("foreign"))
    outcome = engine(memory).present(many(3))
    assert (not outcome.failed) is done
    if done:
        assert memory.sets[NAME].values == (quote("foreign"), quote(f"{0:043d}"))
    assert len(memory.sets) == 3
