# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record sets as Route53 keeps them: a plain one at a name, or several with a routing policy, told apart by their
SetIdentifier (Route53 API Reference, ResourceRecordSet). Pure, no input or output.

Plain sets and sets with a policy cannot be at the same name, so what is there decides how a value joins it:

- Multivalue answer: Route53 answers with up to eight of the sets together. A value is one more set with an identifier
  of its own, the value itself, as cert-manager does it. No set of anybody else is touched.
- Every other policy (weighted, latency, location, failover): Route53 answers with one of the sets, and the CA may be
  given any of them. A value is put into each of the sets, else the CA would only find it now and then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .model import RecordSet, Swap, quote, unquote, with_values, without_values
from .provider import ALIAS

#: SetIdentifier holds up to 128 characters (Route53 API Reference, ResourceRecordSet).
_IDENTIFIER_MAX = 128
_PLAIN_FIELDS = ("Name", "Type", "TTL", "ResourceRecords")


@dataclass(frozen=True)
class _Part:
    """One of several sets at a name. policy: all of the entry but name, type, TTL and values, as JSON, so that a
    DELETE names exactly what is there."""

    ttl: int
    values: tuple[str, ...]
    policy: str

    @property
    def multivalue(self) -> bool:
        return bool(json.loads(self.policy).get("MultiValueAnswer"))

    @property
    def identifier(self) -> str:
        return str(json.loads(self.policy)["SetIdentifier"])

    def holds(self, value: str) -> bool:
        return any(unquote(quoted) == value for quoted in self.values)


def plain(name: str) -> str:
    """A name as Route53 writes it, in ours: lower case, no trailing dot, octal escapes resolved (``\\052``: ``*``)."""
    resolved = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), name)
    return resolved.lower().rstrip(".")


def record_set(name: str, entries: Sequence[Mapping[str, Any]]) -> RecordSet:
    """All TXT entries of a ListResourceRecordSets answer that have this name."""
    if any(entry.get("AliasTarget") for entry in entries):
        return RecordSet(name, 0, (), ALIAS)
    if not entries[0].get("SetIdentifier"):
        return RecordSet(name, int(entries[0].get("TTL", 0)), entry_values(entries[0]))
    return _together(
        name,
        [
            _Part(
                int(entry.get("TTL", 0)),
                entry_values(entry),
                json.dumps({key: value for key, value in entry.items() if key not in _PLAIN_FIELDS}, sort_keys=True),
            )
            for entry in entries
        ],
    )


def entry_values(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The values of a ResourceRecordSet as the API has them."""
    return tuple(str(record["Value"]) for record in entry.get("ResourceRecords", ()))


def _together(name: str, parts: Sequence[_Part]) -> RecordSet:
    values = dict.fromkeys(value for part in parts for value in part.values)
    return RecordSet(name, parts[0].ttl, tuple(values), parts=tuple(parts))


def joined(name: str, current: RecordSet | None, values: Iterable[str], ttl: int) -> RecordSet:
    """See Provider.joined."""
    if current is None or not current.parts:
        return with_values(name, current, values, ttl)
    parts: list[_Part] = list(current.parts)
    wanted = sorted(set(values))
    if parts[0].multivalue:
        taken = {part.identifier for part in parts}
        missing = [value for value in wanted if not current.holds(value)]
        parts += [_own(value, parts[0].ttl, taken) for value in missing]
    else:
        parts = [_with(part, wanted) for part in parts]
    return current if tuple(parts) == current.parts else _together(name, parts)


def _own(value: str, ttl: int, taken: set[str]) -> _Part:
    identifier = value[:_IDENTIFIER_MAX]
    while identifier in taken:
        identifier = f"{identifier[: _IDENTIFIER_MAX - 1]}+"
    return _Part(
        ttl, (quote(value),), json.dumps({"MultiValueAnswer": True, "SetIdentifier": identifier}, sort_keys=True)
    )


def _with(part: _Part, values: Sequence[str]) -> _Part:
    missing = tuple(quote(value) for value in values if not part.holds(value))
    return replace(part, values=part.values + missing) if missing else part


def left(current: RecordSet | None, values: Iterable[str]) -> RecordSet | None:
    """See Provider.left."""
    if current is None or not current.parts:
        return without_values(current, values)
    unwanted = set(values)
    parts = []
    for part in current.parts:
        kept = tuple(quoted for quoted in part.values if unquote(quoted) not in unwanted)
        if kept:
            parts.append(part if len(kept) == len(part.values) else replace(part, values=kept))
    if tuple(parts) == current.parts:
        return current
    return _together(current.name, parts) if parts else None


def changes(swap: Swap) -> list[tuple[str, dict[str, Any]]]:
    """The changes of a swap, DELETE first: action and ResourceRecordSet. What stays as it is, is not among them."""
    before, after = _entries(swap.old), _entries(swap.new)
    gone = [("DELETE", entry) for entry in before if entry not in after]
    return gone + [("CREATE", entry) for entry in after if entry not in before]


def values_of_each(held: RecordSet | None) -> list[tuple[str, ...]]:
    """The values of each set at a name, in presentation form."""
    return [entry_values(entry) for entry in _entries(held)]


def _entries(held: RecordSet | None) -> list[dict[str, Any]]:
    if held is None:
        return []
    parts = [(part.ttl, part.values, json.loads(part.policy)) for part in held.parts]
    return [
        {
            "Name": f"{held.name}.",
            "Type": "TXT",
            "TTL": ttl,
            "ResourceRecords": [{"Value": value} for value in values],
            **policy,
        }
        for ttl, values, policy in parts or [(held.ttl, held.values, {})]
    ]
