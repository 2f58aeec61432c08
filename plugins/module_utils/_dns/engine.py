# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The TXT engine: many values, in as few calls as the providers allow, a result for each value."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Callable, Protocol

from .._errors import CertfleetError
from .._journal.model import Placed
from .delegation import Delegations
from .model import Outcome, RecordSet, TxtRecord, Zone
from .provider import Provider, ProviderError
from .wait import Waiter, ZoneWait
from .writer import Written, ZoneWriter, cannot_join, holds_nothing
from .zones import Route, Router


@dataclass
class _Place:
    """One zone of one provider and what is wanted in it."""

    provider: Provider
    zone: Zone
    records: list[TxtRecord] = field(default_factory=list)

    def wishes(self) -> dict[str, list[str]]:
        wishes: dict[str, list[str]] = {}
        for record in self.records:
            wishes.setdefault(record.name, []).append(record.value)
        return wishes

    def placed(self, records: Iterable[TxtRecord]) -> list[Placed]:
        kind, account = self.provider.kind, self.provider.account
        return [Placed(kind, account, self.zone.name, self.zone.id, one.name, one.value) for one in records]


class Notes(Protocol):
    """Where an engine notes down what it writes, so that it is known after the process was killed too."""

    def announce(self, values: Iterable[Placed]) -> None:
        """These are about to be added. Raises CertfleetError, and then none is."""

    def withdraw(self, values: Iterable[Placed]) -> None:
        """These were announced and then not added; who else added them is another matter."""

    def found(self, values: Iterable[Placed]) -> None:
        """These were announced and then found there already, which is certain."""

    def share(self, values: Iterable[Placed]) -> set[Placed]:
        """These are about to be taken away; those of them that are to stay, since another run takes them away."""

    def removed(self, values: Iterable[Placed], unsure: Iterable[Placed] = ()) -> set[Placed]:
        """These were taken away, whoever added them, those that are unsure perhaps; those of them that another run has
        come to need meanwhile, which are noted down as this one's until share() says otherwise."""


class Engine:
    """Makes TXT values present or absent. Used from one thread; keep one for a whole run, it remembers the zones and
    what it wrote.

    ttl: seconds, for record sets that do not exist yet; sets that exist keep theirs.
    delegations: follow the CNAME of a name to where the CA will look; None: take names as they are.
    journal: told of all values before they are written, and when they are gone.
    None of its methods raises because of a record or a provider: see Outcome.failed.
    """

    def __init__(
        self,
        router: Router,
        waiter: Waiter,
        *,
        ttl: int = 60,
        delegations: Delegations | None = None,
        journal: Notes | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._router = router
        self._delegations = delegations
        self._waiter = waiter
        self._ttl = ttl
        self._sleep = sleep
        self._journal = journal
        #: Records that are there, or may be, after the calls so far: what a clean-up has to take away.
        self.possibly_there: set[TxtRecord] = set()
        self._known: dict[tuple[int, str], dict[str, RecordSet | None]] = {}
        self._served: dict[tuple[str, str, str], tuple[Provider, Zone]] = {}

    @property
    def calls(self) -> dict[str, int]:
        """Requests sent to each provider so far, by its title, repeated ones included."""
        calls: dict[str, int] = {}
        for provider in {id(route.provider): route.provider for route in self._router.routes}.values():
            calls[provider.title] = calls.get(provider.title, 0) + provider.calls
        return calls

    def locate(self, names: Iterable[str]) -> dict[str, str | CertfleetError]:
        """The zone name of each record name, or why it has none. Reads zones and follows CNAMEs."""
        places = self._locate(names)
        return {name: place if isinstance(place, CertfleetError) else place[2].name for name, place in places.items()}

    def _locate(self, names: Iterable[str]) -> dict[str, tuple[str, Route, Zone] | CertfleetError]:
        """Of each name: the name to write at, who holds it, and the zone; or why there is none."""
        wanted = list(dict.fromkeys(names))
        leads: Mapping[str, str | CertfleetError] = {name: name for name in wanted}
        if self._delegations is not None and wanted:
            leads = self._delegations.follow(wanted)
        found = self._router.locate(lead for lead in leads.values() if isinstance(lead, str))
        places: dict[str, tuple[str, Route, Zone] | CertfleetError] = {}
        for name, lead in leads.items():
            place = lead if isinstance(lead, CertfleetError) else found[lead]
            if not isinstance(place, CertfleetError):
                places[name] = (str(lead), *place)
            elif isinstance(lead, str) and lead != name:
                places[name] = CertfleetError(f"{name} leads to {lead}: {place.message}", remedy=place.remedy)
            else:
                places[name] = place
        return places

    def plan(self, records: Iterable[TxtRecord], *, state: str = "present", placed: Collection[Placed] = ()) -> Outcome:
        """What ``present`` (or, by ``state``, ``absent``) would change. Reads zones and the names, writes nothing."""
        outcome = Outcome()
        for place in self._places(records, outcome, placed):
            wishes = place.wishes()
            try:
                found = place.provider.read(place.zone, list(wishes))
            except ProviderError as error:
                outcome.failed.update(dict.fromkeys(place.records, error))
                continue
            for name, values in wishes.items():
                before = found.get(name)
                absent = state == "absent"
                if before is not None and before.policy:
                    if absent and holds_nothing(before):
                        outcome.sets[name] = (before, before)
                    else:
                        self._refuse(place, name, before.policy, outcome)
                    continue
                provider = place.provider
                after = provider.left(before, values) if absent else provider.joined(name, before, values, self._ttl)
                outcome.sets[name] = (before, after)
            self._changed(place, outcome.sets, set(), outcome)
        return outcome.by_asked_name()

    def present(self, records: Iterable[TxtRecord]) -> Outcome:
        """Add the values that are not there, keep all others, then wait until all of them are visible.

        A record that was written but not visible in time is both changed and failed.
        """
        outcome, waits = self._write(records, absent=False)
        outcome.failed.update(self._waiter.wait(waits))
        return outcome.by_asked_name()

    def absent(self, records: Iterable[TxtRecord], *, placed: Collection[Placed] = ()) -> Outcome:
        """Remove the values that are there, keep all others. Does not wait.

        placed: values to remove from the very zones that they were written to, as far as they are served here.
        """
        return self._write(records, absent=True, placed=placed)[0].by_asked_name()

    @staticmethod
    def _refuse(place: _Place, name: str, policy: str, outcome: Outcome) -> None:
        error = cannot_join(name, policy)
        outcome.failed.update({record: error for record in place.records if record.name == name})

    def _places(self, records: Iterable[TxtRecord], outcome: Outcome, placed: Collection[Placed] = ()) -> list[_Place]:
        wanted = list(dict.fromkeys(records))
        found = self._locate(record.name for record in wanted)
        places: dict[tuple[int, str], _Place] = {}
        for record in wanted:
            where = found[record.name]
            if isinstance(where, CertfleetError):
                outcome.failed[record] = where
                continue
            name, route, zone = where
            target = TxtRecord(name, record.value)
            outcome.targets[record] = target
            if target in outcome.zones:
                continue
            outcome.changed[target] = False
            outcome.zones[target] = zone.name
            outcome.zone_ids[target] = zone.id
            key = (id(route.provider), zone.id)
            places.setdefault(key, _Place(route.provider, zone)).records.append(target)
            self._serve(route, zone)
        for one, target, provider, zone in self._find(placed, outcome):
            if outcome.zone_ids.setdefault(target, zone.id) != zone.id:
                outcome.left[one] = CertfleetError(f"{one.name} is written in another zone in the same call")
                continue
            outcome.placed[one] = target
            place = places.setdefault((id(provider), zone.id), _Place(provider, zone))
            if target not in outcome.changed:
                outcome.changed[target] = False
                outcome.zones[target] = zone.name
                place.records.append(target)
        return list(places.values())

    def _find(self, placed: Collection[Placed], outcome: Outcome) -> Iterator[tuple[Placed, TxtRecord, Provider, Zone]]:
        """Those of the values whose very zones are served here. No CNAME is followed: they are told as written."""
        unknown = [one for one in placed if _where(one) not in self._served]
        found = self._router.locate(one.name for one in unknown) if unknown else {}
        for one in placed:
            trouble = ""
            if _where(one) not in self._served:
                where = found[one.name]
                if isinstance(where, ProviderError):
                    outcome.left[one] = where
                    continue
                if isinstance(where, CertfleetError):
                    trouble = f": {where.message}"
                else:
                    self._serve(*where)
            if _where(one) not in self._served:
                outcome.unserved[one] = CertfleetError(
                    f"{one.name} was written to the zone {one.zone} ({_shown(one)}), which is not served here{trouble}",
                    remedy="Give the provider as it was when the value was written. When the zone is no more,"
                    " state=forgotten of dns01_stale crosses the value off the journal.",
                )
                continue
            try:
                yield one, TxtRecord(one.name, one.value), *self._served[_where(one)]
            except CertfleetError as error:
                outcome.left[one] = error

    def _serve(self, route: Route, zone: Zone) -> None:
        self._served[route.provider.kind, route.provider.account, zone.id] = (route.provider, zone)

    def _write(
        self, records: Iterable[TxtRecord], *, absent: bool, placed: Collection[Placed] = ()
    ) -> tuple[Outcome, list[ZoneWait]]:
        outcome = Outcome()
        waits: list[ZoneWait] = []
        broken: dict[int, ProviderError] = {}
        places = self._places(records, outcome, placed)
        if self._journal is not None and not absent:
            try:
                self._journal.announce(_all(places))
            except CertfleetError as cause:
                outcome.failed.update({record: cause for place in places for record in place.records})
                return outcome, waits
        elif self._journal is not None:
            self._leave(places, self._journal.share(_all(places)), outcome)
        done: list[Placed] = []
        unsure: list[Placed] = []
        found: list[Placed] = []
        for place in places:
            if not place.records:
                continue
            error = broken.get(id(place.provider))
            if error is not None:
                outcome.failed.update(dict.fromkeys(place.records, error))
                if not absent:
                    done += place.placed(record for record in place.records if record not in self.possibly_there)
                continue
            before = self.possibly_there.copy()
            if not absent:
                # Before the first request: an interrupted call must not leave values that nobody knows of.
                self.possibly_there.update(place.records)
            written = self._run(place, absent=absent)
            if written.fatal is not None:
                broken[id(place.provider)] = written.fatal
            waits.append(self._account(place, written, outcome))
            for record in place.records:
                failed = record.name in written.failed
                untouched = failed and record.name not in written.unsure and record not in before
                if (not failed) if absent else untouched:
                    self.possibly_there.discard(record)
                    done += place.placed([record])
                elif record.name in written.unsure:
                    unsure += place.placed([record])
                elif not failed and record not in before and not outcome.changed.get(record):
                    found += place.placed([record])
        if self._journal is not None and absent:
            self._give_back(self._journal, places, self._journal.removed(done, unsure), outcome)
        elif self._journal is not None:
            self._journal.withdraw(done)
            self._journal.found(found)
        return outcome, waits

    def _run(self, place: _Place, *, absent: bool) -> Written:
        known = self._known.setdefault((id(place.provider), place.zone.id), {})
        return ZoneWriter(
            place.provider,
            place.zone,
            place.wishes(),
            absent=absent,
            ttl=self._ttl,
            known=known,
            sleep=self._sleep,
        ).run()

    def _leave(self, places: Iterable[_Place], shared: Collection[Placed], outcome: Outcome) -> None:
        """Take out of the places what is left to other runs: it is neither gone nor failed."""
        for place in places:
            left = {record for record, one in zip(place.records, place.placed(place.records)) if one in shared}
            place.records = [record for record in place.records if record not in left]
            self.possibly_there -= left
            outcome.changed.update(dict.fromkeys(left, False))
            for one in [one for one, target in outcome.placed.items() if target in left]:
                del outcome.placed[one]

    def _give_back(self, journal: Notes, places: list[_Place], needed: set[Placed], outcome: Outcome) -> None:
        """Put back what other runs have announced between the decision to take it away and that.

        By then they may have ended and left it to this run, which takes it away again, and so on. After a few rounds it
        stays, noted down as left by this run.
        """
        for last in (False, False, True):
            places = _only(places, needed)
            if not places:
                return
            there, failed = self._repeat(places, outcome, absent=False)
            for one, error in failed.items():
                outcome.failed[TxtRecord(one.name, one.value)] = CertfleetError(
                    f"the TXT value {one.value} of {one.name} is gone and cannot be put back, though another run has"
                    f" come to need it: {error}"
                )
            shared = journal.share(there)
            stays = there if last else shared
            self._leave(_only(places, stays), stays, outcome)
            gone, failed = self._repeat(_only(places, there - stays), outcome, absent=True)
            outcome.failed.update({TxtRecord(one.name, one.value): error for one, error in failed.items()})
            needed = journal.removed(gone, failed)

    def _repeat(
        self, places: Iterable[_Place], outcome: Outcome, *, absent: bool
    ) -> tuple[set[Placed], dict[Placed, CertfleetError]]:
        """Write to names that were written in this call; what is as it should be, and why the rest is not."""
        done: set[Placed] = set()
        failed: dict[Placed, CertfleetError] = {}
        for place in places:
            written = self._run(place, absent=absent)
            for name, (old, new) in written.sets.items():
                outcome.sets[name] = (outcome.sets.get(name, (old, new))[0], new)
            for one in place.placed(place.records):
                if one.name in written.failed:
                    failed[one] = written.failed[one.name]
                else:
                    done.add(one)
        return done, failed

    def _account(self, place: _Place, written: Written, outcome: Outcome) -> ZoneWait:
        """Put what the writer did into the outcome; return what to wait for."""
        outcome.sets.update(written.sets)
        for record in place.records:
            if record.name in written.failed:
                outcome.failed[record] = written.failed[record.name]
        self._changed(place, written.sets, written.unsure, outcome)
        visible = [record for record in place.records if record not in outcome.failed]
        return ZoneWait(place.provider, place.zone, written.changes, visible)

    @staticmethod
    def _changed(
        place: _Place,
        sets: dict[str, tuple[RecordSet | None, RecordSet | None]],
        unsure: set[str],
        outcome: Outcome,
    ) -> None:
        for record in place.records:
            if record.name not in sets:
                continue
            before, after = sets[record.name]
            differs = _times(before, record.value) != _times(after, record.value)
            outcome.changed[record] = differs or record.name in unsure


def _times(held: RecordSet | None, value: str) -> int:
    """In how many of the sets at a name a value is: where there are several, it may be in some of them only."""
    if held is None:
        return 0
    return sum(part.holds(value) for part in held.parts or (held,))


def _all(places: Iterable[_Place]) -> list[Placed]:
    return [one for place in places for one in place.placed(place.records)]


def _only(places: Iterable[_Place], wanted: Collection[Placed]) -> list[_Place]:
    """The places with those of their records alone that are wanted; without those that have none."""
    found = []
    for place in places:
        records = [record for record, one in zip(place.records, place.placed(place.records)) if one in wanted]
        if records:
            found.append(_Place(place.provider, place.zone, records))
    return found


def _where(one: Placed) -> tuple[str, str, str]:
    return one.provider, one.account, one.zone_id


def _shown(one: Placed) -> str:
    return " ".join(part for part in (one.provider, one.account, one.zone_id) if part and part != one.zone)
