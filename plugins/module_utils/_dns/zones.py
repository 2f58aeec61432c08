# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which zone of which provider holds a name: longest suffix, duplicates refused, discovered at most once a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from .._errors import CertfleetError
from .._names import normalise
from .model import Zone
from .provider import Provider, ProviderError

_NAMES_IN_MESSAGE = 8


def suffixes(name: str) -> Iterator[str]:
    """The name and each of its parents, longest first: a.b.c, b.c, c."""
    while name:
        yield name
        name = name.partition(".")[2]


def longest_match(name: str, zones: Mapping[str, object]) -> str | None:
    """The longest of the names in ``zones`` that ``name`` lies in, itself included; None when there is none."""
    return next((suffix for suffix in suffixes(name) if suffix in zones), None)


def some(names: Iterable[str]) -> str:
    """A few names for a message."""
    ordered = sorted(set(names))
    if not ordered:
        return "none"
    more = len(ordered) - _NAMES_IN_MESSAGE
    return ", ".join(ordered[:_NAMES_IN_MESSAGE]) + (f" and {more} more" if more > 0 else "")


class Route:
    """A provider and the names that it is asked for.

    suffixes: names whose sub-tree goes to this provider; empty: everything that no other route claims.
    private: use private zones instead of public ones.
    zone_ids: zone name to id; when given, these are the only zones and nothing is discovered.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        suffixes: Iterable[str] = (),
        private: bool = False,
        zone_ids: Mapping[str, str] | None = None,
    ) -> None:
        self.provider = provider
        self.suffixes = frozenset(normalise(name) for name in suffixes)
        self._private = private
        self._fixed = bool(zone_ids)
        self._complete = self._fixed
        self._asked: set[str] = set()
        self._zones: dict[str, dict[str, Zone]] = {}
        self._other: set[str] = set()
        for name, zone_id in (zone_ids or {}).items():
            self._add(Zone(zone_id, normalise(name), private))

    def _add(self, zone: Zone) -> None:
        if zone.private == self._private:
            self._zones.setdefault(zone.name, {})[zone.id] = zone
        else:
            self._other.add(zone.name)

    def discover(self, names: Collection[str]) -> None:
        """Learn the zones of ``names`` unless they are known already. Raises ProviderError."""
        new = set(names) - self._asked
        if self._complete or not new:
            return
        found = self.provider.zones(sorted(new))
        for zone in found.zones:
            self._add(zone)
        self._complete = found.complete
        self._asked |= new

    def find(self, name: str) -> Zone:
        """The zone of a name. Raises CertfleetError when there is none, or more than one of the same name."""
        match = longest_match(name, self._zones)
        if match is None:
            raise self._unknown(name)
        candidates = self._zones[match]
        if len(candidates) > 1:
            raise CertfleetError(
                f"{self.provider.title} has {len(candidates)} {self._kind} zones named {match}"
                f" ({', '.join(sorted(candidates))}), so the one for {name} is not clear",
                remedy=f"Name the right one: zone_ids: {{{match}: {min(candidates)}}}.",
            )
        return next(iter(candidates.values()))

    @property
    def _kind(self) -> str:
        return "private" if self._private else "public"

    def _unknown(self, name: str) -> CertfleetError:
        known = some(self._zones)
        if not self.provider.has_accounts:
            return CertfleetError(
                f"{self.provider.title} is not authoritative for a zone that holds {name} (zones found: {known})",
                remedy="Check the name, and that server is the primary server of its zone.",
            )
        if self._fixed:
            return CertfleetError(
                f"{name} lies in none of the zones of zone_ids ({known})", remedy="Add its zone to zone_ids."
            )
        remedy = "Check the name and the account, or name the zone in zone_ids."
        other = longest_match(name, dict.fromkeys(self._other))
        if other:
            value = "false" if self._private else "true"
            remedy = f"There is a {'public' if self._private else 'private'} zone {other}: set private_zone={value}."
        return CertfleetError(
            f"no {self._kind} {self.provider.title} zone holds {name} (zones of the account: {known})", remedy=remedy
        )


class Router:
    """Finds the provider and the zone of names among the routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = list(routes)

    def locate(self, names: Iterable[str]) -> dict[str, tuple[Route, Zone] | CertfleetError]:
        """The place of each name, or why it has none."""
        wanted = list(dict.fromkeys(names))
        choices = {name: self._candidates(name) for name in wanted}
        broken: dict[int, ProviderError] = {}
        for route in self.routes:
            try:
                route.discover([name for name in wanted if route in choices[name]])
            except ProviderError as error:
                broken[id(route)] = error
        return {name: self._place(name, choices[name], broken) for name in wanted}

    def _candidates(self, name: str) -> list[Route]:
        claims = {suffix: route for route in self.routes for suffix in route.suffixes}
        claimed = longest_match(name, claims)
        if claimed is not None:
            return [claims[claimed]]
        return [route for route in self.routes if not route.suffixes]

    def _place(
        self, name: str, routes: list[Route], broken: Mapping[int, ProviderError]
    ) -> tuple[Route, Zone] | CertfleetError:
        if not routes:
            claims = some(suffix for route in self.routes for suffix in route.suffixes)
            return CertfleetError(
                f"no DNS provider is given for {name} (zones with one: {claims})",
                remedy="Add its zone to dns_providers, or a provider without zones.",
            )
        found: list[tuple[Route, Zone]] = []
        errors: list[CertfleetError] = []
        for route in routes:
            if id(route) in broken:
                errors.append(broken[id(route)])
                continue
            try:
                found.append((route, route.find(name)))
            except CertfleetError as error:
                errors.append(error)
        if not found:
            return errors[0]
        longest = max(len(zone.name) for _route, zone in found)
        best = [place for place in found if len(place[1].name) == longest]
        if len(best) > 1:
            return CertfleetError(
                f"more than one DNS provider has the zone {best[0][1].name} of {name}",
                remedy="Say which: name the zone in the zones of one of dns_providers.",
            )
        return best[0]
