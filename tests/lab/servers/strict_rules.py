# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of ChangeResourceRecordSets (Route53 API Reference; Developer Guide, "Quotas"), with the words in which AWS
refuses as its users have reported them, those for too much of something excepted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree

from ..route53 import NAMESPACE, plain_name

MOST_RECORDS = 1000
MOST_CHARACTERS = 32000
#: Of a TXT value, its quotation marks not counted; and of values in a record set.
MOST_IN_A_VALUE = 4000
MOST_IN_A_SET = 400
_QUOTED = re.compile(r'^\s*"(?:[^"\\]|\\.)*"(?:\s+"(?:[^"\\]|\\.)*")*\s*$')


@dataclass(frozen=True)
class Entry:
    """A ResourceRecordSet. other: every further field as sorted pairs; values: sorted, their order says nothing."""

    name: str
    type: str
    identifier: str
    ttl: str
    values: tuple[str, ...]
    other: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, node: ElementTree.Element) -> Entry:
        """From the API's XML."""
        known: dict[str, str] = {}
        other: list[tuple[str, str]] = []
        values: list[str] = []
        for child in node:
            tag = child.tag.rpartition("}")[2]
            if tag == "ResourceRecords":
                values = [value.text or "" for value in child.iter() if value.tag.endswith("}Value")]
            elif tag in ("Name", "Type", "SetIdentifier", "TTL"):
                known[tag] = child.text or ""
            else:
                other.append((tag, "".join(child.itertext()).strip().lower()))
        return cls(
            plain_name(known.get("Name", "")),
            known.get("Type", ""),
            known.get("SetIdentifier", ""),
            known.get("TTL", ""),
            tuple(sorted(values)),
            tuple(sorted(other)),
        )

    @property
    def key(self) -> tuple[str, str, str]:
        """What there can be one of."""
        return self.name, self.type, self.identifier

    @property
    def multivalue(self) -> bool:
        return ("MultiValueAnswer", "true") in self.other

    def __str__(self) -> str:
        more = f", set-identifier='{self.identifier}'" if self.identifier else ""
        return f"[name='{self.name}.', type='{self.type}'{more}]"


@dataclass(frozen=True)
class Batch:
    """The changes of one request, in their order: action and entry."""

    changes: list[tuple[str, Entry]]

    @classmethod
    def read(cls, body: bytes) -> Batch:
        """From the API's XML."""
        found = []
        for change in ElementTree.fromstring(body).iter(f"{{{NAMESPACE}}}Change"):
            node = change.find(f"{{{NAMESPACE}}}ResourceRecordSet")
            if node is not None:
                found.append((change.findtext(f"{{{NAMESPACE}}}Action") or "", Entry.read(node)))
        return cls(found)


@dataclass
class ZoneSets:
    """The record sets of one zone."""

    zone: str
    by_key: dict[tuple[str, str, str], Entry] = field(default_factory=dict)
    by_name: dict[str, dict[tuple[str, str, str], Entry]] = field(default_factory=dict)

    def hold(self, entry: Entry) -> None:
        self.by_key[entry.key] = entry
        self.by_name.setdefault(entry.name, {})[entry.key] = entry

    def drop(self, entry: Entry) -> None:
        self.by_key.pop(entry.key, None)
        self.by_name.get(entry.name, {}).pop(entry.key, None)

    def apply(self, batch: Batch) -> None:
        """Carry out a batch that has no problems."""
        for action, entry in batch.changes:
            if action == "DELETE":
                self.drop(entry)
            else:
                self.hold(entry)

    def problems(self, batch: Batch) -> list[str]:
        """All that AWS has against a batch; when there is anything, nothing of the batch is applied."""
        twice = {"UPSERT": 2}
        count = sum(len(entry.values) * twice.get(action, 1) for action, entry in batch.changes)
        if count > MOST_RECORDS:
            return [f"Number of records limit of {MOST_RECORDS} exceeded."]
        characters = sum(sum(map(len, entry.values)) * twice.get(action, 1) for action, entry in batch.changes)
        if characters > MOST_CHARACTERS:
            return [f"Number of characters limit of {MOST_CHARACTERS} exceeded."]
        trial = _Trial(self)
        return [problem for action, entry in batch.changes for problem in trial.step(action, entry)]


class _Trial:
    """What the zone would hold after the changes so far, without touching it."""

    def __init__(self, zone: ZoneSets) -> None:
        self._zone = zone
        self._names: dict[str, dict[tuple[str, str, str], Entry]] = {}

    def _at(self, name: str) -> dict[tuple[str, str, str], Entry]:
        return self._names.setdefault(name, dict(self._zone.by_name.get(name, {})))

    def step(self, action: str, entry: Entry) -> list[str]:
        """The problems of one change; when it has none it counts as done."""
        here = self._at(entry.name)
        problems = list(self._malformed(entry) if action != "DELETE" else ())
        current = here.get(entry.key)
        if action == "DELETE":
            if current is None:
                problems.append(f"Tried to delete resource record set {entry} but it was not found")
            elif current != entry:
                problems.append(
                    f"Tried to delete resource record set {entry} but the values provided do not match the current"
                    " values"
                )
        elif action == "CREATE" and current is not None:
            problems.append(f"Tried to create resource record set {entry} but it already exists")
        else:
            problems += self._neighbours(entry, [other for key, other in here.items() if key != entry.key])
        if not problems:
            if action == "DELETE":
                del here[entry.key]
            else:
                here[entry.key] = entry
        return problems

    def _malformed(self, entry: Entry) -> Iterator[str]:
        if not f".{entry.name}".endswith(f".{self._zone.zone}"):
            yield f"RRSet with DNS name {entry.name}. is not permitted in zone {self._zone.zone}."
        if entry.type != "TXT":
            return
        if len(entry.values) > MOST_IN_A_SET:
            yield (
                f"RRSet with DNS name {entry.name}. is not permitted: the limit of {MOST_IN_A_SET} values in a set is"
                " exceeded."
            )
        for value in entry.values:
            if not _QUOTED.match(value):
                yield (
                    "Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be enclosed in"
                    f" quotation marks) encountered with '{value}''"
                )
                continue
            strings = re.findall(r'"((?:[^"\\]|\\.)*)"', value)
            if any(len(string) > 255 for string in strings):
                yield f"Invalid Resource Record: 'FATAL problem: CharacterStringTooLong encountered with '{value}''"
            if sum(map(len, strings)) > MOST_IN_A_VALUE:
                yield f"Invalid Resource Record: 'FATAL problem: TXTRDATATooLong encountered with '{value}''"
        for value in {value for value in entry.values if entry.values.count(value) > 1}:
            yield f"Duplicate Resource Record: '{value}'"

    def _neighbours(self, entry: Entry, others: list[Entry]) -> Iterator[str]:
        for kind in sorted({other.type for other in others} - {entry.type}):
            if "CNAME" in (kind, entry.type):
                yield (
                    f"RRSet of type {entry.type} with DNS name {entry.name}. is not permitted because a conflicting"
                    f" RRSet of type {kind} with the same DNS name already exists in zone {self._zone.zone}."
                )
        same = [other for other in others if other.type == entry.type]
        if any(
            bool(other.identifier) != bool(entry.identifier) or other.multivalue != entry.multivalue for other in same
        ):
            if entry.multivalue:
                yield (
                    f'RRSet with DNS name {entry.name}., type {entry.type}, SetIdentifier "{entry.identifier}" cannot'
                    " be created because a non multivalue answer rrset exists with the same name and type."
                )
            else:
                yield (
                    f"RRSet with DNS name {entry.name}., type {entry.type} cannot be created as other RRSets exist"
                    " with the same name and type."
                )
