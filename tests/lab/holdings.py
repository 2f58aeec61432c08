# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the emulators hold at this moment, read over its API only when something was written since the last look.

The emulator's process counts every request that may write, after it was carried out and before it is answered
(:class:`WriteCounter`), so whoever has the answer to a write finds it here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .route53 import RecordSet, Zone


class Source(Protocol):
    """Where zones and their records are read: the lab's client of a provider."""

    def zones(self) -> list[Zone]:
        """Every zone."""

    def all_records(self, zone_id: str) -> list[RecordSet]:
        """Every record set of a zone, after :meth:`zones`."""


class WriteCounter:
    """Counts the requests that may have changed something: the size of a file is the count."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def add(self, method: str) -> None:
        """Count a request that was carried out, unless its HTTP method only reads."""
        if method not in ("GET", "HEAD", "OPTIONS"):
            os.write(self._handle, b".")


@dataclass
class Snapshot:
    """All public zones with their sets by name; existing also has the names that only lie above others."""

    zones: dict[str, Zone] = field(default_factory=dict)
    sets: dict[str, dict[str, list[RecordSet]]] = field(default_factory=dict)
    existing: dict[str, set[str]] = field(default_factory=dict)

    def zone_of(self, name: str) -> Zone | None:
        """The zone that answers for a name: the longest that it lies in."""
        while name:
            if name in self.zones:
                return self.zones[name]
            name = name.partition(".")[2]
        return None

    def sets_at(self, zone: Zone, name: str) -> tuple[list[RecordSet], bool]:
        """The sets at a name, else of the wildcard that covers it (RFC 4592), and whether the name exists."""
        if name in self.sets[zone.name]:
            return self.sets[zone.name][name], True
        if name in self.existing[zone.name]:
            return [], True
        parent = name
        while parent != zone.name:
            parent = parent.partition(".")[2]
            if f"*.{parent}" in self.sets[zone.name]:
                return self.sets[zone.name][f"*.{parent}"], True
            if parent in self.existing[zone.name]:
                break
        return [], False


class Holdings:
    """Hands out the newest snapshot; safe to use from many threads."""

    def __init__(self, sources: Sequence[Source], counter: Path) -> None:
        self._sources = sources
        self._counter = counter
        self._lock = threading.Lock()
        self._snapshot = Snapshot()
        self._writes = -1

    def now(self) -> Snapshot:
        """The snapshot after the last write.

        :raises OSError: when the emulator cannot be reached.
        :raises Route53Error: when it refuses.
        """
        with self._lock:
            writes = os.stat(self._counter).st_size
            if writes != self._writes:
                self._snapshot = self._read()
                self._writes = writes
            return self._snapshot

    def _read(self) -> Snapshot:
        snapshot = Snapshot()
        for source, zone in [(one, zone) for one in self._sources for zone in one.zones()]:
            # Two public zones may have the same name; the first one is the delegated one here.
            if zone.private or zone.name in snapshot.zones:
                continue
            sets: dict[str, list[RecordSet]] = {}
            existing = {zone.name}
            for record in source.all_records(zone.zone_id):
                sets.setdefault(record.name, []).append(record)
                name = record.name
                while name not in existing and name:
                    existing.add(name)
                    name = name.partition(".")[2]
            snapshot.zones[zone.name] = zone
            snapshot.sets[zone.name] = sets
            snapshot.existing[zone.name] = existing
        return snapshot
