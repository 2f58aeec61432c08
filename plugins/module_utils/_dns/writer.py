# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare-and-swap of many names in one zone: the first write is a guess, only names that turn out different are read.

Route53 applies a batch as a whole or not at all, and refuses it when a CREATE meets an existing set or a DELETE does
not match it exactly (Route53 API Reference, ChangeResourceRecordSets). So a new name needs no read: CREATE says
whether it was there. Nobody else's value can be lost: a set is only replaced when it still is what was read.
"""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Callable

from .._errors import CertfleetError
from .model import RecordSet, Swap, Zone, quote
from .provider import ALIAS, CNAME, BatchRefused, Denied, Provider, ProviderBusy, ProviderError

#: How often one name may lose its race before it counts as failed.
_MAX_CONFLICTS = 12
#: Of a batch with no more names than this, all are read again after a second loss.
_FEW_NAMES = 10
#: The way out where a CNAME is in the way.
FOLLOW = "Follow the CNAME (follow_cname, of other modules dns_follow_cname), or remove it."
#: After so many refusals by permissions in a row, what is refused next is not taken apart any further.
_ENOUGH_DENIALS = 64
#: So often a batch is sent again as a whole, when its own names may be what is too much; then its halves are.
_WHOLE = 2


def cannot_join(name: str, policy: str) -> CertfleetError:
    """Why a name that is ``policy`` (in words) is left alone."""
    remedy = FOLLOW if policy == CNAME else "Remove them, or let the name point elsewhere."
    return CertfleetError(f"{name} has {policy}, which a plain TXT set cannot join", remedy=remedy)


def holds_nothing(held: RecordSet) -> bool:
    """True of what can have no TXT value at all, so that there is none to remove."""
    return held.policy in (ALIAS, CNAME)


@dataclass
class Written:
    """What the writer did. sets: for each finished name, before and after; failed: why the others are not;
    changes: change id to the names in it; unsure: names that an unanswered earlier request may have changed."""

    sets: dict[str, tuple[RecordSet | None, RecordSet | None]] = field(default_factory=dict)
    failed: dict[str, CertfleetError] = field(default_factory=dict)
    changes: dict[str, list[str]] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    fatal: ProviderError | None = None


@dataclass
class _Work:
    names: list[str]
    refusals: int = 0
    busy: int = 0


class ZoneWriter:
    """Writes one set of wishes to one zone; made anew for each call.

    wishes: name to unquoted values; absent: remove them instead of adding; ttl: seconds, for sets made here;
    known: what earlier calls saw or wrote at names of this zone. It is only a guess for the next swap, which the
    provider checks; a name is called unchanged only after it was read or refused in this call.
    """

    def __init__(
        self,
        provider: Provider,
        zone: Zone,
        wishes: Mapping[str, Sequence[str]],
        *,
        absent: bool,
        ttl: int,
        known: dict[str, RecordSet | None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._provider = provider
        self._zone = zone
        self._wishes = wishes
        self._absent = absent
        self._ttl = ttl
        self._known = known
        self._sleep = sleep
        self._fresh: set[str] = set()
        self._conflicts: Counter[str] = Counter()
        self._denials = 0
        self._patient = True
        self._queue: deque[_Work] = deque()
        self._written = Written()

    def run(self) -> Written:
        """Write until every name is done or has failed. Raises nothing for a name, a batch or the provider."""
        self._queue.append(_Work(list(self._wishes)))
        while self._queue:
            self._step(self._queue.popleft())
        self._find_lost()
        return self._written

    def _find_lost(self) -> None:
        """What an unanswered request wrote has to be waited for too, though nobody said what its change is called."""
        written = self._written
        told = {name for names in written.changes.values() for name in names}
        lost = sorted((written.unsure & written.sets.keys()) - told)
        if not lost or self._absent:
            return
        try:
            change = self._provider.newest(self._zone)
        except ProviderError:
            # No reason to fail what is there: the name servers are asked anyhow, if wanted.
            return
        if change:
            written.changes.setdefault(change, []).extend(lost)

    # --- one batch

    def _step(self, work: _Work) -> None:
        swaps = [swap for swap in map(self._swap, work.names) if swap is not None]
        swaps = [swap for swap in swaps if not self._too_large(swap)]
        batches = list(self._provider.batches(swaps))
        if len(batches) > 1:
            self._again(*(_Work([swap.name for swap in batch], work.refusals, work.busy) for batch in batches))
            return
        if not batches:
            return
        work.names = [swap.name for swap in swaps]
        try:
            change = self._provider.write(self._zone, swaps)
        except BatchRefused as refusal:
            self._refused(work, refusal)
        except Denied as error:
            self._denied(work, error)
        except ProviderError as error:
            if error.unsure:
                self._written.unsure.update(work.names)
            if isinstance(error, ProviderBusy):
                self._busy(work, error)
                return
            self._fail(work.names, error)
            if error.fatal:
                self._stop(error)
        else:
            self._denials = 0
            self._written.changes.setdefault(change, []).extend(work.names)
            for swap in swaps:
                self._known[swap.name] = swap.new
                self._written.sets[swap.name] = (swap.old, swap.new)

    def _too_large(self, swap: Swap) -> bool:
        """Fail a name that no request can carry: it would take the others of its batch down."""
        reason = self._provider.too_large(swap)
        if reason:
            error = CertfleetError(
                f"TXT at {swap.name} in zone {self._zone.name} cannot be changed: {reason}",
                remedy="Remove values that nobody needs, or let the name point elsewhere with a CNAME.",
            )
            self._fail([swap.name], error)
        return bool(reason)

    def _swap(self, name: str) -> Swap | None:
        """The next swap to try for a name; None when it is done."""
        if name in self._known:
            old = self._known[name]
            if old is not None and old.policy and self._absent and holds_nothing(old):
                self._written.sets[name] = (old, old)
                return None
            if old is not None and old.policy:
                self._fail([name], cannot_join(name, old.policy))
                return None
            new = self._wish(name, old)
            if new != old:
                return Swap(name, old, new)
            if name in self._fresh:
                self._written.sets[name] = (old, new)
                return None
            del self._known[name]
        if self._absent:
            values = tuple(quote(value) for value in sorted(set(self._wishes[name])))
            return Swap(name, RecordSet(name, self._ttl, values), None)
        return Swap(name, None, self._wish(name, None))

    def _wish(self, name: str, current: RecordSet | None) -> RecordSet | None:
        if self._absent:
            return self._provider.left(current, self._wishes[name])
        return self._provider.joined(name, current, self._wishes[name], self._ttl)

    # --- what can go wrong with it

    def _refused(self, work: _Work, refusal: BatchRefused) -> None:
        work.busy = 0  # it did answer
        batch = set(work.names)
        for name in batch & set(refusal.refused):
            self._fail([name], self._refusal(name, refusal.refused[name]))
        conflicts = (batch & set(refusal.conflicts)) - set(self._written.failed)
        if not conflicts and not self._written.failed.keys() & batch:
            if len(work.names) > 1:
                self._again(*self._halves(work))
                return
            if work.names[0] in self._fresh:
                self._fail(work.names, self._refusal(work.names[0], refusal.text))
                return
            # Words that are not understood: what is there tells whether it was a conflict.
            refusal.conflicts[work.names[0]] = refusal.text
            conflicts = batch
        if refusal.retried:
            self._written.unsure |= conflicts
        for name in sorted(conflicts):
            self._conflicts[name] += 1
            if self._conflicts[name] > _MAX_CONFLICTS:
                conflicts.discard(name)
                self._fail([name], self._lost(name, refusal.conflicts[name]))
        attempts = max((self._conflicts[name] for name in conflicts), default=0)
        if attempts > 1:
            # Before reading: what was read long ago is not there any more.
            self._sleep(random.uniform(0, min(4.0, 0.05 * 2**attempts)))  # noqa: S311 - jitter
        self._learn(work, conflicts, refusal.missing, contested=attempts > 1)
        rest = [name for name in work.names if name not in self._written.failed]
        lost = [name for name in rest if name in conflicts]
        if attempts < 3:
            self._again(_Work(rest, work.refusals + 1, work.busy))
        else:
            # Others are writing these names right now: small batches win where a large one keeps losing.
            free = [name for name in rest if name not in conflicts]
            again = self._halves(_Work(lost, work.refusals + 1, work.busy))
            self._again(*again, _Work(free, work.refusals, work.busy))

    def _learn(self, work: _Work, conflicts: set[str], missing: set[str], *, contested: bool) -> None:
        """Find out what the provider holds at the names in conflict; those that cannot be read fail.
        contested: others are writing, and names that were read before may have changed since."""
        for name in conflicts & missing:
            self._known[name] = None
            self._fresh.add(name)
        ask = conflicts - missing
        if work.refusals:
            # A provider that names one conflict at a time would take a round for each: look at more names each round.
            unread = [name for name in work.names if name not in self._fresh and name not in ask]
            ask |= set(unread[: 4**work.refusals])
        if contested and len(work.names) <= _FEW_NAMES:
            ask |= {name for name in work.names if name not in self._written.failed}
        if not ask:
            return
        try:
            found = self._read(sorted(ask))
        except ProviderError as error:
            self._fail(conflicts - missing, error)
            if error.fatal:
                self._fail(work.names, error)
                self._stop(error)
            return
        self._known.update(found)
        self._fresh |= found.keys()

    def _busy(self, work: _Work, error: ProviderBusy) -> None:
        if error.divisible and len(work.names) > 1 and (work.busy >= _WHOLE or not self._patient):
            if not self._patient and self._is_hopeless(work, error):
                return
            if self._patient:
                self._sleep(random.uniform(1.0, 2.0))  # noqa: S311 - jitter
            self._again(*self._halves(work))
            return
        if work.busy >= self._provider.repeats or (error.divisible and not self._patient):
            # The others have waited as long meanwhile.
            self._patient = self._patient and not error.divisible
            self._denials += int(error.divisible)
            self._fail(work.names, error)
            if error.fatal:
                self._stop(error)
            return
        self._pause(work.busy)
        self._again(_Work(work.names, work.refusals, work.busy + 1))

    def _read(self, names: Sequence[str]) -> dict[str, RecordSet | None]:
        """What the provider holds at names; one that is busy is asked again, as often as for a write.
        Raises ProviderError."""
        for busy in range(self._provider.repeats):
            try:
                return self._provider.read(self._zone, names)
            except ProviderBusy:
                self._pause(busy)
        return self._provider.read(self._zone, names)

    def _pause(self, busy: int) -> None:
        self._sleep(random.uniform(1.0, 2.0) * 2 ** min(busy, 3))  # noqa: S311 - jitter

    def _denied(self, work: _Work, error: Denied) -> None:
        if len(work.names) == 1:
            self._denials += 1
            self._fail(work.names, error)
        elif not self._is_hopeless(work, error):
            self._again(*self._halves(work))

    def _is_hopeless(self, work: _Work, error: ProviderError) -> bool:
        """Whether so much was refused in a row that a batch is not taken apart any more; its names fail then."""
        self._denials += 1
        if self._denials <= _ENOUGH_DENIALS:
            return False
        self._fail(
            work.names,
            CertfleetError(
                f"TXT was not tried by itself at this name in zone {self._zone.name}, after {_ENOUGH_DENIALS} refusals"
                f" of others in a row. The last one, of {len(work.names)} names together: {error.message}",
                remedy=error.remedy,
            ),
        )
        return True

    # --- small helpers

    def _again(self, *work: _Work) -> None:
        self._queue.extendleft(item for item in reversed(work) if item.names)

    @staticmethod
    def _halves(work: _Work) -> list[_Work]:
        middle = len(work.names) // 2
        parts = (work.names[:middle], work.names[middle:])
        return [_Work(list(part), work.refusals, work.busy) for part in parts if part]

    def _fail(self, names: Iterable[str], error: CertfleetError) -> None:
        for name in names:
            self._written.failed.setdefault(name, error)

    def _stop(self, error: ProviderError) -> None:
        """Give up all that is left: it would fail in the same way."""
        self._written.fatal = error
        while self._queue:
            self._fail(self._queue.popleft().names, error)

    def _refusal(self, name: str, text: str) -> CertfleetError:
        return CertfleetError(
            f"{self._provider.title} refuses TXT at {name} in zone {self._zone.name}: {text}",
            remedy=FOLLOW if "CNAME" in text else "",
        )

    def _lost(self, name: str, text: str) -> CertfleetError:
        return CertfleetError(
            f"{self._provider.title} kept refusing TXT at {name} in zone {self._zone.name} after"
            f" {_MAX_CONFLICTS} attempts: {text}",
            remedy="Another program writes the same name all the time; stop it or try again later.",
        )
