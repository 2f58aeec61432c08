# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the engine and the providers talk about: TXT values, record sets, zones, swaps. Pure, no input or output."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .._errors import CertfleetError
from .._journal.model import Placed
from .._names import normalise

#: RFC 1035 section 3.3: a character-string of a TXT record holds up to 255 octets.
_STRING_MAX = 255
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ALL_QUOTED = re.compile(r'(?:\s*"(?:[^"\\]|\\.)*")+\s*', re.DOTALL)
_PRINTABLE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True)
class TxtRecord:
    """One TXT value at one name: what the caller wants present or absent.

    name: normalised, without a trailing dot; value: without quotes. Raises CertfleetError for a name that cannot be
    one and for a value outside printable ASCII.
    """

    name: str
    value: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", normalise(self.name))
        if not _PRINTABLE.fullmatch(self.value):
            raise CertfleetError(f"the TXT value for {self.name} has characters outside printable ASCII")


@dataclass(frozen=True)
class RecordSet:
    """All TXT values at one name as the provider holds them.

    ttl: seconds; values: in presentation form (RFC 1035 section 5.1, each string in quotes), in the provider's order;
    policy: what makes it impossible to put values there (an alias), in words; empty otherwise;
    parts: where a provider keeps several sets at one name, each of them, known to that provider only.
    """

    name: str
    ttl: int
    values: tuple[str, ...]
    policy: str = ""
    parts: tuple[Any, ...] = ()

    def holds(self, value: str) -> bool:
        """True when the unquoted ``value`` is one of the values."""
        return any(unquote(quoted) == value for quoted in self.values)


@dataclass(frozen=True)
class Zone:
    """A zone of a provider. id: opaque, the provider's; size: record sets in it, None when not known."""

    id: str
    name: str
    private: bool = False
    size: int | None = None


@dataclass(frozen=True)
class Swap:
    """Compare-and-swap of one name: ``old`` must be what the provider holds (None: nothing), ``new`` takes its place
    (None: nothing)."""

    name: str
    old: RecordSet | None
    new: RecordSet | None


@dataclass
class Outcome:
    """What became of each record.

    changed: for each record, whether this call changed (or, of a plan, would change) it; failed: why a record failed;
    zones: the zone name of each record that has one; sets: for each name, the set before and after, as far as known;
    targets: where a record really is, with the name that CNAMEs lead to; records without a zone are not among them.

    Of values that were given with their places: placed: those whose place is served, and what they are there; gone:
    those that are not there now, and whether this call took them away (or, of a plan, would: they are there);
    left: those that may still be there, and why; unserved: those in zones that no provider given here has.
    """

    changed: dict[TxtRecord, bool] = field(default_factory=dict)
    failed: dict[TxtRecord, CertfleetError] = field(default_factory=dict)
    zones: dict[TxtRecord, str] = field(default_factory=dict)
    zone_ids: dict[TxtRecord, str] = field(default_factory=dict)
    sets: dict[str, tuple[RecordSet | None, RecordSet | None]] = field(default_factory=dict)
    targets: dict[TxtRecord, TxtRecord] = field(default_factory=dict)
    placed: dict[Placed, TxtRecord] = field(default_factory=dict)
    gone: dict[Placed, bool] = field(default_factory=dict)
    left: dict[Placed, CertfleetError] = field(default_factory=dict)
    unserved: dict[Placed, CertfleetError] = field(default_factory=dict)

    def by_asked_name(self) -> Outcome:
        """The same, told of the records that were asked for where it was told of their targets."""
        told = Outcome(sets=self.sets, targets=self.targets, placed=self.placed, unserved=self.unserved)
        told.left.update(self.left)
        for one, target in self.placed.items():
            if target in self.failed:
                told.left[one] = self.failed[target]
            else:
                told.gone[one] = self.changed.get(target, False)
        written = {*self.targets.values(), *self.placed.values()}
        for record in [*self.targets, *(set(self.failed) - written - set(self.targets))]:
            target = self.targets.get(record, record)
            told.changed[record] = self.changed.get(target, False)
            for mine, theirs in ((told.zones, self.zones), (told.zone_ids, self.zone_ids)):
                if target in theirs:
                    mine[record] = theirs[target]
            if target in self.failed:
                told.failed[record] = self.failed[target]
        return told


def quote(value: str) -> str:
    """The presentation form of a value: quoted strings of up to 255 characters, ``"`` and ``\\`` escaped."""
    pieces = [value[at : at + _STRING_MAX] for at in range(0, len(value), _STRING_MAX)] or [""]
    return " ".join('"' + piece.replace("\\", "\\\\").replace('"', '\\"') + '"' for piece in pieces)


def unquote(text: str) -> str:
    """The value of a presentation form: its strings joined. Text that is not in quotes from end to end is taken as it
    is (some servers keep it so, and users write it so); escapes other than of ``"`` and ``\\`` are left alone, they are
    never in a value of ours."""
    if not _ALL_QUOTED.fullmatch(text):
        return text
    return "".join(re.sub(r'\\(["\\])', r"\1", string) for string in _QUOTED.findall(text))


def with_values(name: str, current: RecordSet | None, values: Iterable[str], ttl: int) -> RecordSet:
    """The set that also holds ``values`` (unquoted): foreign values, their order and the TTL are kept, equal values
    collapse. Returns ``current`` itself when nothing is missing."""
    missing = [value for value in sorted(set(values)) if current is None or not current.holds(value)]
    if current is None:
        return RecordSet(name, ttl, tuple(quote(value) for value in missing))
    if not missing:
        return current
    return RecordSet(name, current.ttl, current.values + tuple(quote(value) for value in missing))


def without_values(current: RecordSet | None, values: Iterable[str]) -> RecordSet | None:
    """The set without ``values`` (unquoted), None when none is left. Returns ``current`` itself when it had none."""
    if current is None:
        return None
    unwanted = set(values)
    kept = tuple(quoted for quoted in current.values if unquote(quoted) not in unwanted)
    if len(kept) == len(current.values):
        return current
    return RecordSet(current.name, current.ttl, kept) if kept else None
