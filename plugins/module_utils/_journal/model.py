# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a journal says, and how: lines of JSON, one event each. Pure, no input or output."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

#: Of the format; a file of a later version is left alone.
VERSION = 1
#: Values that the run takes away before it ends.
PASSING = "passing"
#: Values that are meant to stay after the run.
KEPT = "kept"


@dataclass(frozen=True, order=True)
class Placed:
    """One TXT value and where it is. Two are the same value only when all of this is equal.

    provider: its kind, as the option ``provider`` has it; account: what tells zones with equal ids apart, where the ids
    do not (a project, a server), else empty; name: where the value really is, after CNAMEs; value: without quotes.
    """

    provider: str
    account: str
    zone: str
    zone_id: str
    name: str
    value: str


@dataclass(frozen=True, order=True)
class Noted:
    """One order that a run made. directory: of the CA; names: what it is for, sorted; key: SHA-256 of the public key of
    the CSR that it is for, in hexadecimal; asked: what else was asked for, and cannot be changed in an order: profile,
    begin and end of validity, empty where nothing was."""

    directory: str
    uri: str
    names: tuple[str, ...]
    key: str
    asked: tuple[str, ...] = ("", "", "")


@dataclass(frozen=True)
class Run:
    """The first line of a file: the run that wrote it. started: seconds since the epoch; kind: PASSING or KEPT."""

    id: str
    owner: str
    started: float
    pid: int
    host: str
    program: str
    kind: str

    def line(self) -> bytes:
        return _encode(
            {
                "event": "run",
                "version": VERSION,
                "run": self.id,
                "owner": self.owner,
                "started": as_text(self.started),
                "pid": self.pid,
                "host": self.host,
                "program": self.program,
                "kind": self.kind,
            }
        )


@dataclass
class Told:
    """What a file says.

    run: None when its first line cannot be read; values: announced and not gone, each with when it was announced
    (seconds since the epoch); orders: made and not settled, likewise; damaged: lines that cannot be read; later: the
    version is not known here.
    """

    run: Run | None = None
    values: dict[Placed, float] = field(default_factory=dict)
    orders: dict[Noted, float] = field(default_factory=dict)
    damaged: int = 0
    later: bool = False


def announced(values: Iterable[Placed], now: float) -> bytes:
    """The lines that say that these values are about to be added."""
    return _lines("announced", values, now)


def gone(values: Iterable[Placed], now: float) -> bytes:
    """The lines that say that these values were taken away, or never got there."""
    return _lines("gone", values, now)


def ordered(orders: Iterable[Noted], now: float) -> bytes:
    """The line that says that these orders were made."""
    return _order_line("ordered", orders, now)


def settled(orders: Iterable[Noted], now: float) -> bytes:
    """The line that says that there is nothing more to be had of these orders."""
    return _order_line("settled", orders, now)


def _order_line(event: str, orders: Iterable[Noted], now: float) -> bytes:
    entries = [[one.directory, one.uri, list(one.names), one.key, list(one.asked)] for one in sorted(set(orders))]
    return _encode({"event": event, "at": as_text(now), "orders": entries})


def _lines(event: str, values: Iterable[Placed], now: float) -> bytes:
    places: dict[tuple[str, str, str, str], list[list[str]]] = {}
    for one in sorted(set(values)):
        place = (one.provider, one.account, one.zone, one.zone_id)
        places.setdefault(place, []).append([one.name, one.value])
    return b"".join(
        _encode(
            {
                "event": event,
                "at": as_text(now),
                "provider": provider,
                "account": account,
                "zone": zone,
                "zone_id": zone_id,
                "values": pairs,
            }
        )
        for (provider, account, zone, zone_id), pairs in places.items()
    )


def _encode(line: dict[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"


def read(data: bytes) -> Told:
    """What the content of a file says.

    A line that was torn when its writer was killed is never a whole JSON object, and what it would have announced was
    not begun. Events of kinds that are not known here are passed over.
    """
    told = Told()
    for number, line in enumerate(data.split(b"\n")):
        if not line.strip(b"\0 "):
            continue
        try:
            _take(told, json.loads(line), first=number == 0)
        except (ValueError, TypeError, KeyError, AttributeError):
            told.damaged += 1
        if told.later:
            return Told(run=told.run, later=True)
    return told


def _take(told: Told, line: dict[str, Any], *, first: bool) -> None:
    event = line["event"]
    if event == "run" and first:
        told.later = int(line["version"]) > VERSION
        told.run = Run(
            id=str(line["run"]),
            owner=str(line["owner"]),
            started=as_time(line["started"]),
            pid=int(line["pid"]),
            host=str(line["host"]),
            program=str(line["program"]),
            kind=str(line["kind"]),
        )
    if event in ("ordered", "settled"):
        at = as_time(line["at"])
        for directory, uri, names, key, asked in line["orders"]:
            order = Noted(str(directory), str(uri), tuple(map(str, names)), str(key), tuple(map(str, asked)))
            if event == "ordered":
                told.orders[order] = at
            else:
                told.orders.pop(order, None)
    if event not in ("announced", "gone"):
        return
    at = as_time(line["at"])
    provider, account, zone, zone_id = (str(line[key]) for key in ("provider", "account", "zone", "zone_id"))
    values = [Placed(provider, account, zone, zone_id, str(name), str(value)) for name, value in line["values"]]
    for one in values:
        if event == "announced":
            told.values[one] = at
        else:
            told.values.pop(one, None)


def as_text(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC."""
    return datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_time(text: str) -> float:
    """The other way round. Raises ValueError."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
