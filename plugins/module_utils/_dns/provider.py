# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a DNS provider must be able to do. A new provider is one file with these methods; nothing else changes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .._cloud import errors
from .._errors import CertfleetError
from .model import RecordSet, Swap, Zone, with_values, without_values

# What providers raise, of clouds or not.
Denied = errors.Denied
ProviderBusy = errors.ProviderBusy
ProviderError = errors.ProviderError
#: RecordSet.policy of names that can have no TXT value.
ALIAS = "an alias"
CNAME = "a CNAME"


@dataclass(eq=False)
class BatchRefused(Exception):
    """A batch was refused and nothing of it was applied. Names are as in the swaps of the batch.

    conflicts: names whose set is not what the swap took it for (a lost race, or a guess), with the provider's words;
    missing:   those of them that have no set at all;
    refused:   names that cannot be written whatever they hold;
    text:      the provider's words for the whole batch; the only thing known when all the others are empty;
    retried:   the request had been sent before and the answer was lost: an earlier copy may have been applied.
    """

    text: str
    conflicts: dict[str, str] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    retried: bool = False

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class ZoneList:
    """Zones of an account; complete: all that it has are in ``zones``."""

    zones: list[Zone]
    complete: bool


_UNLIMITED = 1 << 62


class Limits(NamedTuple):
    """What one batch may hold at most, and what a swap takes of it.

    elements: resource records; characters: sum of the lengths of their values; additions, deletions: record sets that
    are made and taken away (a set that is replaced counts as one of each).
    """

    elements: int = _UNLIMITED
    characters: int = _UNLIMITED
    additions: int = _UNLIMITED
    deletions: int = _UNLIMITED


class Provider(ABC):
    """One account at one DNS provider. Used from one thread."""

    #: For messages, for example "Route53".
    title: str
    #: Whether zones are an account's, private or public, with ids that can be given; else a server has them by name.
    has_accounts: bool = True
    #: The value of the option ``provider`` that it was made for.
    kind: str = ""
    #: What tells zones apart that have the same id, where ids are unique in an account or server only.
    account: str = ""
    limits: Limits
    #: How many values a set may have; 0: nothing is known of that.
    values_max: int = 0
    #: How often a batch is sent again when the provider was busy, beside what its library repeats by itself.
    repeats: int = 4
    #: Requests sent so far, repeated ones included.
    calls: int = 0

    @abstractmethod
    def zones(self, names: Collection[str]) -> ZoneList:
        """At least every zone that may hold one of ``names``, and all zones when one of them has none.
        Raises ProviderError."""

    @abstractmethod
    def read(self, zone: Zone, names: Collection[str]) -> dict[str, RecordSet | None]:
        """The TXT sets at ``names`` as they are now, None where there is none. Sets at other names that came along
        may be in it too. Raises ProviderError."""

    @abstractmethod
    def write(self, zone: Zone, swaps: Sequence[Swap]) -> str:
        """Apply all ``swaps`` at once or none; return the id of the change. ``swaps`` fit in ``limits``.
        Raises BatchRefused, ProviderBusy, Denied, ProviderError."""

    @abstractmethod
    def applied(self, zone: Zone, change: str) -> bool:
        """True when the provider says that its name servers have the change. Raises ProviderError."""

    def newest(self, zone: Zone) -> str:
        """The id of the zone's newest change, for one whose own id was lost with the answer; empty where the provider
        does not tell. Raises ProviderError."""
        return ""

    def joined(self, name: str, current: RecordSet | None, values: Iterable[str], ttl: int) -> RecordSet:
        """What to write so that ``values`` (unquoted) are at a name too; ``current`` itself when all are there.
        ttl: seconds, where there is no set yet."""
        return with_values(name, current, values, ttl)

    def left(self, current: RecordSet | None, values: Iterable[str]) -> RecordSet | None:
        """What to write so that ``values`` (unquoted) are gone and all others stay, None for nothing; ``current``
        itself when none of them is there."""
        return without_values(current, values)

    def zone_id(self, name: str, value: object) -> str:
        """The id of the zone ``name`` as a user wrote it, in the form that ``Zone.id`` has here.
        Raises CertfleetError when it cannot be one."""
        text = str(value).strip().rpartition("/")[2]
        if not text.isalnum():
            raise CertfleetError(
                f"zone_ids has {value!r} for {name}, which is not a zone id", remedy="Write it as Z0123456789."
            )
        return text

    def cost(self, swap: Swap) -> Limits:
        """How much of ``limits`` a swap takes."""
        values = [*(swap.old.values if swap.old else ()), *(swap.new.values if swap.new else ())]
        return Limits(
            elements=len(values),
            characters=sum(len(value) for value in values),
            additions=int(swap.new is not None),
            deletions=int(swap.old is not None),
        )

    def too_large(self, swap: Swap) -> str:
        """Why no request can carry a swap, in words; empty when one may."""
        before = len(swap.old.values) if swap.old else 0
        after = len(swap.new.values) if swap.new else 0
        if self.values_max and after > max(self.values_max, before):
            return f"it would have {after} values, and {self.title} takes {self.values_max} values a set"
        return ""

    def batches(self, swaps: Sequence[Swap]) -> Iterator[list[Swap]]:
        """``swaps`` in their order, in as few consecutive batches as ``limits`` allow. A swap that is over the limits
        by itself gets a batch of its own: the provider refuses it without harm to the others."""
        batch: list[Swap] = []
        taken = Limits(0, 0, 0, 0)
        for swap in swaps:
            cost = self.cost(swap)
            total = Limits(*(one + more for one, more in zip(taken, cost)))
            if batch and any(one > limit for one, limit in zip(total, self.limits)):
                yield batch
                batch, total = [], cost
            batch.append(swap)
            taken = total
        if batch:
            yield batch
