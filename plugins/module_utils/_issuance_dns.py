# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The DNS side of a batch of certificates: its TXT values come and go, and with them what killed runs have left."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ._dns.engine import Engine
from ._dns.factory import build_engine
from ._dns.model import TxtRecord
from ._errors import CertfleetError
from ._journal.model import as_text
from ._journal.run import Entry, Journal


class DnsSide:
    """The engine of a batch, made when it is needed first. None of the methods raises because of DNS."""

    def __init__(self, params: dict[str, Any], journal: Journal | None = None) -> None:
        self._params = params
        self._journal = journal
        self._engine: Engine | None = None
        self._swept = False
        #: Values of dead runs that are gone now.
        self.stale_removed: list[dict[str, Any]] = []
        self.warnings: list[str] = []

    def plan(self, records: Collection[TxtRecord]) -> dict[TxtRecord, CertfleetError]:
        """Why which of the records could not be published."""
        try:
            return self._get().plan(_ordered(records)).failed if records else {}
        except CertfleetError as error:
            return dict.fromkeys(records, error)

    def present(self, records: Collection[TxtRecord]) -> tuple[dict[TxtRecord, CertfleetError], set[TxtRecord]]:
        """Publish the records: why which failed, and those that are there, visible or not."""
        if not records:
            return {}, set()
        try:
            outcome = self._get().present(_ordered(records))
        except CertfleetError as error:
            return dict.fromkeys(records, error), set()
        return outcome.failed, {one for one in records if one not in outcome.failed or outcome.changed.get(one)}

    def clean_up(self, records: Collection[TxtRecord], *, others: bool) -> dict[TxtRecord, CertfleetError]:
        """Take the records away; why which of them are left. Never raises.

        others: in the same requests, once a batch, also what the journal has of runs that no longer live.
        """
        try:
            stale = self._stale() if others else []
            if not stale and (self._engine is None or not records):
                return {}
            outcome = self._get().absent(_ordered(records), placed=[entry.placed for entry in stale])
        except Exception as error:  # noqa: BLE001 - the first error must not be hidden by one of the clean-up
            cause = error
            if not isinstance(error, CertfleetError):
                cause = CertfleetError(f"unexpected {type(error).__name__}: {error}")
            if not records:
                self.warnings.append(f"what other runs have left in DNS is still there: {cause}")
            return dict.fromkeys(records, cause)  # type: ignore[arg-type]
        finally:
            if self._journal is not None:
                self.warnings += [one for one in self._journal.troubles if one not in self.warnings]
        for entry in stale:
            one = entry.placed
            if outcome.gone.get(one):
                self.stale_removed.append(_told(entry))
            elif one in outcome.left:
                self.warnings.append(
                    f"the TXT value {one.value} of {one.name}, which a killed run ({entry.run.owner}) has left, is"
                    f" still there: {outcome.left[one]}"
                )
        return outcome.failed

    def _stale(self) -> list[Entry]:
        if self._swept or self._journal is None or not self._params.get("dns_providers"):
            return []
        self._swept = True
        try:
            return self._journal.stale()
        except CertfleetError as error:
            self.warnings.append(f"what other runs have left in DNS cannot be told: {error}")
            return []

    def _get(self) -> Engine:
        if self._engine is None:
            self._engine = build_engine(self._params, journal=self._journal)
        return self._engine


def _ordered(records: Collection[TxtRecord]) -> list[TxtRecord]:
    return sorted(records, key=lambda one: (one.name, one.value))


def _told(entry: Entry) -> dict[str, Any]:
    one = entry.placed
    return {
        "record": one.name,
        "value": one.value,
        "zone": one.zone,
        "provider": one.provider,
        "owner": entry.run.owner,
        "run": entry.run.id,
        "added": as_text(entry.added),
    }
