# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A provider in memory that is as strict as Route53 is documented to be, for tests of decisions only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from ansible_collections.certfleet.acme.plugins.module_utils._dns.engine import Engine, Notes
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import RecordSet, Swap, Zone
from ansible_collections.certfleet.acme.plugins.module_utils._dns.provider import (
    BatchRefused,
    Denied,
    Limits,
    Provider,
    ProviderBusy,
    ProviderError,
    ZoneList,
)
from ansible_collections.certfleet.acme.plugins.module_utils._dns.wait import Waiter
from ansible_collections.certfleet.acme.plugins.module_utils._dns.zones import Route, Router


class Memory(Provider):
    """Atomic batches, exact deletes, creates that refuse an existing set.

    one_at_a_time: name only the first problem of a batch; speechless: name none;
    refused: names that can never be written; denied: names that permissions refuse, which is not told by name;
    quota: how many values a set may have, told as being busy with a batch that has more at some name;
    failure: what every write fails with; busy: how often a write is put off;
    lost: how many answers get lost after the write was applied, the library then repeating the request;
    before_write: called with the number of the write, to interfere as another program would.
    """

    title = "Memory"
    kind = "memory"

    def __init__(self, *zones: Zone, limits: Limits | None = None) -> None:
        self.limits = limits or Limits(elements=1000, characters=32000)
        self.all_zones = list(zones) or [Zone("Z1", "example.com")]
        self.sets: dict[str, RecordSet] = {}
        self.calls = 0
        self.writes: list[list[Swap]] = []
        self.reads: list[list[str]] = []
        self.asked: list[str] = []
        self.one_at_a_time = False
        self.speechless = False
        self.refused: set[str] = set()
        self.denied: set[str] = set()
        self.quota = 0
        self.unreadable = False
        self.unreachable = False
        self.failure: ProviderError | None = None
        self.busy = 0
        self.lost = 0
        self.before_write: Callable[[int], None] = lambda number: None

    def zones(self, names: Collection[str]) -> ZoneList:
        self.calls += 1
        if self.unreachable:
            raise ProviderError("Memory cannot be reached", fatal=True)
        return ZoneList(self.all_zones, complete=True)

    def read(self, zone: Zone, names: Collection[str]) -> dict[str, RecordSet | None]:
        self.calls += len(names)
        self.reads.append(sorted(names))
        if self.unreadable:
            raise Denied("reading is not allowed")
        return {name: self.sets.get(name) for name in names}

    def write(self, zone: Zone, swaps: Sequence[Swap]) -> str:
        self.calls += 1
        self.writes.append(list(swaps))
        self.before_write(len(self.writes))
        if self.unreachable:
            raise ProviderError("Memory cannot be reached", fatal=True)
        if self.failure:
            raise self.failure
        if self.busy:
            self.busy -= 1
            raise ProviderBusy("busy")
        if any(swap.name in self.denied for swap in swaps):
            raise Denied("not allowed")
        if self.quota and any(len(swap.new.values) > self.quota for swap in swaps if swap.new):
            raise ProviderBusy("quotaExceeded", divisible=True)
        self._apply(zone, swaps)
        if self.lost:
            self.lost -= 1
            self._apply(zone, swaps, retried=True)
        return f"C{len(self.writes)}"

    def _apply(self, zone: Zone, swaps: Sequence[Swap], *, retried: bool = False) -> None:
        refusal = BatchRefused("wrong in some way", retried=retried)
        after = dict(self.sets)
        count = sum(self.cost(swap)[0] for swap in swaps)
        characters = sum(self.cost(swap)[1] for swap in swaps)
        if count > self.limits.elements or characters > self.limits.characters:
            raise refusal
        bad = False
        for swap in swaps:
            if bad and self.one_at_a_time:
                break
            current = self.sets.get(swap.name)
            outside = not f".{swap.name}".endswith(f".{zone.name}")
            if swap.name in self.refused or outside:
                refusal.refused[swap.name] = "is not permitted"
                bad = True
            elif not _same(current, swap.old):
                refusal.conflicts[swap.name] = "was not found" if current is None else "does not match"
                if current is None:
                    refusal.missing.add(swap.name)
                bad = True
            elif swap.new is None:
                after.pop(swap.name, None)
            else:
                after[swap.name] = swap.new
        if bad:
            raise BatchRefused("wrong in some way", retried=retried) if self.speechless else refusal
        self.sets = after

    def applied(self, zone: Zone, change: str) -> bool:
        self.calls += 1
        self.asked.append(change)
        return True

    def newest(self, zone: Zone) -> str:
        self.calls += 1
        if self.unreadable:
            raise Denied("listing is not allowed")
        return f"C{len(self.writes)}"

    def put(self, name: str, ttl: int, *quoted: str) -> None:
        """What another program wrote."""
        self.sets[name] = RecordSet(name, ttl, quoted)


def _same(one: RecordSet | None, other: RecordSet | None) -> bool:
    """Route53 compares the values as a set: their order says nothing."""
    if one is None or other is None:
        return one is other
    return (one.name, one.ttl, sorted(one.values)) == (other.name, other.ttl, sorted(other.values))


def engine(*providers: Memory, ttl: int = 60, journal: Notes | None = None) -> Engine:
    """An engine that never sleeps."""
    waiter = Waiter("provider", 30, sleep=lambda seconds: None)
    router = Router([Route(one) for one in providers])
    return Engine(router, waiter, ttl=ttl, journal=journal, sleep=lambda seconds: None)
