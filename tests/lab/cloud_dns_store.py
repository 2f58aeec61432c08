# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's Cloud DNS holds, and the rules for changing it (Cloud DNS API v1, managedZones and changes)."""

from __future__ import annotations

import base64
import copy
import datetime
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

#: rrsetAdditionsPerChange, rrsetDeletionsPerChange, totalRrdataSizePerChange, resourceRecordsPerRrset (quotas).
SETS_PER_CHANGE = 1000
RRDATA_PER_CHANGE = 100_000
RECORDS_PER_SET = 100
PAGE = 100
LARGEST_PAGE = 1000

_NAME = re.compile(r"^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+$")
_ZONE_NAME = re.compile(r"^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$")
_STRINGS = re.compile(r'^"(?:[^"\\]|\\.){0,255}"(?: +"(?:[^"\\]|\\.){0,255}")*$')
_FILTER = re.compile(
    r'^name\s*=\s*(?:(?P<suffix>has_suffix)\(\s*"(?P<below>[^"]+)"\s*\)|"(?P<exact>[^"]+)")'
    r'(?:\s+AND\s+type\s*=\s*"(?P<type>[A-Z]+)")?$'
)
_TYPES = frozenset({"A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"})

Sets = dict[tuple[str, str], dict[str, Any]]


class Refusal(Exception):
    """A request that the API refuses, with the HTTP status and Google's reason."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


@dataclass
class ManagedZone:
    """A zone. sets: what the API shows; served: what name servers have by now."""

    resource: dict[str, Any]
    sets: Sets = field(default_factory=dict)
    served: Sets = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def dns_name(self) -> str:
        return str(self.resource["dnsName"])


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def page(items: Sequence[Any], query: dict[str, str], size: int) -> tuple[list[Any], str | None]:
    """A page of a list, and the token for the next."""
    start = 0
    if query.get("pageToken"):
        try:
            start = int(base64.urlsafe_b64decode(query["pageToken"]).decode())
        except ValueError as error:
            raise Refusal(400, "invalid", "Invalid value for 'parameters.pageToken'") from error
    size = min(int(query.get("maxResults", size)), LARGEST_PAGE)
    if size < 1:
        raise Refusal(400, "invalid", "Invalid value for 'parameters.maxResults': it must be positive")
    rest = start + size
    token = base64.urlsafe_b64encode(str(rest).encode()).decode() if rest < len(items) else None
    return list(items[start:rest]), token


class Store:
    """All zones of the project; safe to use from many threads.

    on_served: called when name servers got something new.
    """

    def __init__(self, on_served: Callable[[], None]) -> None:
        self._on_served = on_served
        self._lock = threading.RLock()
        self._zones: dict[str, ManagedZone] = {}
        self._last_id = 1000
        self.delay = 0.0

    # --- zones

    def create_zone(self, body: dict[str, Any]) -> dict[str, Any]:
        for name in ("name", "dnsName", "description"):
            if name not in body:
                raise Refusal(
                    400, "required", f"The 'entity.managedZone.{name}' parameter is required but was missing."
                )
        if not _ZONE_NAME.match(body["name"]):
            raise Refusal(400, "invalid", f"Invalid value for 'entity.managedZone.name': '{body['name']}'")
        if not _NAME.match(body["dnsName"]):
            raise Refusal(400, "invalid", f"Invalid value for 'entity.managedZone.dnsName': '{body['dnsName']}'")
        with self._lock:
            if body["name"] in self._zones:
                raise Refusal(
                    409, "alreadyExists", f"The resource 'entity.managedZone' named '{body['name']}' already exists"
                )
            self._last_id += 1
            servers = [f"ns-cloud-{letter}1.certfleet.test." for letter in "abcd"]
            resource = {
                "visibility": "public",
                **body,
                "kind": "dns#managedZone",
                "id": str(self._last_id),
                "creationTime": _now(),
            }
            if resource["visibility"] == "public":
                resource["nameServers"] = servers
            zone = ManagedZone(resource)
            apex = zone.dns_name
            soa = f"{servers[0]} hostmaster.certfleet.test. 1 21600 3600 259200 300"
            for kind, ttl, values in (("NS", 21600, servers), ("SOA", 21600, [soa])):
                zone.sets[apex, kind] = {"name": apex, "type": kind, "ttl": ttl, "rrdatas": values}
            zone.served = dict(zone.sets)
            zone.changes.append(
                {
                    "kind": "dns#change",
                    "id": "0",
                    "status": "done",
                    "startTime": _now(),
                    "additions": [*zone.sets.values()],
                }
            )
            self._zones[body["name"]] = zone
            self._on_served()
            return resource

    def zone(self, name: str) -> ManagedZone:
        """By its name or number. Raises Refusal."""
        with self._lock:
            for zone in self._zones.values():
                if name in (zone.resource["name"], zone.resource["id"]):
                    return zone
        raise Refusal(404, "notFound", f"The 'parameters.managedZone' resource named '{name}' does not exist.")

    def list_zones(self, dns_name: str | None) -> list[dict[str, Any]]:
        with self._lock:
            found = [zone.resource for _name, zone in sorted(self._zones.items())]
        return [resource for resource in found if dns_name in (None, resource["dnsName"])]

    def delete_zone(self, name: str) -> None:
        with self._lock:
            zone = self.zone(name)
            if any(key not in ((zone.dns_name, "NS"), (zone.dns_name, "SOA")) for key in zone.sets):
                raise Refusal(
                    400, "containerNotEmpty", f"The resource named '{name}' cannot be deleted: it is not empty"
                )
            del self._zones[zone.resource["name"]]
            self._on_served()

    # --- record sets

    def list_sets(self, name: str, query: dict[str, str]) -> list[dict[str, Any]]:
        with self._lock:
            found = [dict(entry) for _key, entry in sorted(self.zone(name).sets.items())]
        if "filter" in query:
            if "name" in query or "type" in query:
                raise Refusal(400, "invalid", "Invalid value for 'parameters.filter': not together with name or type")
            match = _FILTER.match(query["filter"])
            if match is None:
                raise Refusal(400, "invalid", f"Invalid value for 'parameters.filter': '{query['filter']}'")
            below, kind = match["below"], match["type"]
            found = [
                entry
                for entry in found
                if (entry["name"] == match["exact"] or (below and f".{entry['name']}".endswith(f".{below}")))
                and kind in (None, entry["type"])
            ]
        if "type" in query and "name" not in query:
            raise Refusal(400, "required", "The 'parameters.name' parameter is required but was missing.")
        return [
            {"kind": "dns#resourceRecordSet", **entry}
            for entry in found
            if query.get("name", entry["name"]) == entry["name"] and query.get("type", entry["type"]) == entry["type"]
        ]

    # --- changes

    def change(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Apply a change as a whole or not at all. Raises Refusal for the first thing that is wrong with it."""
        additions = [_normal(item, "additions", number) for number, item in enumerate(body.get("additions") or [])]
        deletions = [_normal(item, "deletions", number) for number, item in enumerate(body.get("deletions") or [])]
        if not additions and not deletions:
            raise Refusal(400, "required", "The 'entity.change' parameter is required but was missing.")
        _limits(additions, deletions)
        with self._lock:
            zone = self.zone(name)
            sets = dict(zone.sets)
            for number, entry in enumerate(deletions):
                _delete(zone, sets, entry, f"entity.change.deletions[{number}]")
            for number, entry in enumerate(additions):
                _add(zone, sets, entry, f"entity.change.additions[{number}]")
            for kind in ("NS", "SOA"):
                if (zone.dns_name, kind) not in sets:
                    raise Refusal(400, "invalidZoneApex", f"The zone '{zone.dns_name}' must have {kind} records")
            zone.sets = sets
            change = {
                "kind": "dns#change",
                "id": str(len(zone.changes)),
                "status": "pending",
                "startTime": _now(),
                "isServing": True,
                **{key: value for key, value in (("additions", additions), ("deletions", deletions)) if value},
            }
            zone.changes.append(change)
            answer = copy.deepcopy(change)
            if self.delay:
                timer = threading.Timer(self.delay, self._serve, (zone, change))
                timer.daemon = True
                timer.start()
            else:
                self._serve(zone, change)
        return answer

    def _serve(self, zone: ManagedZone, change: dict[str, Any]) -> None:
        with self._lock:
            served = dict(zone.served)
            for entry in change.get("deletions", ()):
                served.pop((entry["name"], entry["type"]), None)
            for entry in change.get("additions", ()):
                served[entry["name"], entry["type"]] = entry
            zone.served = served
            change["status"] = "done"
        self._on_served()

    def get_change(self, name: str, change_id: str) -> dict[str, Any]:
        with self._lock:
            for change in self.zone(name).changes:
                if change["id"] == change_id:
                    return copy.deepcopy(change)
        raise Refusal(404, "notFound", f"The 'parameters.changeId' resource named '{change_id}' does not exist.")

    def list_changes(self, name: str, query: dict[str, str]) -> list[dict[str, Any]]:
        with self._lock:
            found = copy.deepcopy(self.zone(name).changes)
        return found if query.get("sortOrder") == "ascending" else found[::-1]

    def served(self) -> list[dict[str, Any]]:
        """Every zone with what name servers have, for the lab's own."""
        with self._lock:
            return [
                {**zone.resource, "served": [*zone.served.values()], "held": [*zone.sets.values()]}
                for zone in self._zones.values()
            ]


def _normal(item: dict[str, Any], part: str, number: int) -> dict[str, Any]:
    """A record set of a change as it is kept. Raises Refusal when it cannot be one."""
    where = f"entity.change.{part}[{number}]"
    for name in ("name", "type", "rrdatas"):
        if not item.get(name):
            raise Refusal(400, "required", f"The '{where}.{name}' parameter is required but was missing.")
    name, kind, values = str(item["name"]).lower(), item["type"], [str(value) for value in item["rrdatas"]]
    ttl = int(item.get("ttl", 0))
    if not _NAME.match(name) or len(name) > 254:
        raise Refusal(400, "invalid", f"Invalid value for '{where}.name': '{item['name']}'")
    if kind not in _TYPES:
        raise Refusal(400, "invalid", f"Invalid value for '{where}.type': '{kind}'")
    if ttl < 0:
        raise Refusal(400, "invalid", f"Invalid value for '{where}.ttl': '{ttl}'")
    for at, value in enumerate(values):
        if kind == "TXT" and not value.startswith('"') and not re.search(r'[\s"]', value):
            values[at] = value = f'"{value}"'
        if kind == "TXT" and not _STRINGS.match(value):
            raise Refusal(400, "invalid", f"Invalid value for '{where}.rrdata[{at}]': '{value}'")
    if len(set(values)) < len(values):
        raise Refusal(400, "invalid", f"Invalid value for '{where}.rrdata': there are equal values")
    return {"name": name, "type": kind, "ttl": ttl, "rrdatas": values}


def _limits(additions: list[dict[str, Any]], deletions: list[dict[str, Any]]) -> None:
    size = sum(len(value) for entry in [*additions, *deletions] for value in entry["rrdatas"])
    over = [
        (len(additions) > SETS_PER_CHANGE, "additions per change", SETS_PER_CHANGE),
        (len(deletions) > SETS_PER_CHANGE, "deletions per change", SETS_PER_CHANGE),
        (size > RRDATA_PER_CHANGE, "rrdata bytes per change", RRDATA_PER_CHANGE),
        (any(len(entry["rrdatas"]) > RECORDS_PER_SET for entry in additions), "records per set", RECORDS_PER_SET),
    ]
    for broken, what, limit in over:
        if broken:
            raise Refusal(403, "quotaExceeded", f"The change exceeds the limit of {limit} {what}.")


def _delete(zone: ManagedZone, sets: Sets, entry: dict[str, Any], where: str) -> None:
    held = sets.get((entry["name"], entry["type"]))
    if held is None:
        raise Refusal(
            404, "notFound", f"The '{where}' resource named '{entry['name']} ({entry['type']})' does not exist."
        )
    if (held["ttl"], sorted(held["rrdatas"])) != (entry["ttl"], sorted(entry["rrdatas"])):
        raise Refusal(412, "conditionNotMet", f"Precondition not met for '{where}'")
    del sets[entry["name"], entry["type"]]


def _add(zone: ManagedZone, sets: Sets, entry: dict[str, Any], where: str) -> None:
    name, kind = entry["name"], entry["type"]
    if not f".{name}".endswith(f".{zone.dns_name}"):
        raise Refusal(400, "invalid", f"Invalid value for '{where}.name': '{name}'")
    if (name, kind) in sets:
        raise Refusal(409, "alreadyExists", f"The resource '{where}' named '{name} ({kind})' already exists")
    others = {other for other in _TYPES if (name, other) in sets}
    if "CNAME" in others or (kind == "CNAME" and others):
        raise Refusal(
            400,
            "cnameResourceRecordSetConflict",
            f"The resource record set '{where}' is invalid because the DNS name '{name}' may have either one CNAME"
            " resource record set or resource record sets of other types, but not both.",
        )
    sets[name, kind] = entry
