# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting until what was written is served: first the provider's word for each change, then every name server.

Only the authoritative servers are asked for a TXT value. A recursive resolver asked too early would remember that
there is none for as long as the zone's SOA says (RFC 2308 section 5), and the CA might use it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Callable

from .._batch import run_batch
from .._errors import CertfleetError
from .authoritative import NameServers, Server
from .model import TxtRecord, Zone
from .provider import Denied, Provider, ProviderBusy, ProviderError
from .zones import longest_match, some

#: Seconds before each question about a change: a quiet zone is done at once, Route53 takes about half a minute.
_STATUS_PAUSES = (0.2, 1.0, 5.0, 10.0, 20.0, 30.0)
#: Seconds before each round of questions to the name servers.
_ASK_PAUSES = (0.0, 0.5, 1.0, 2.0, 3.0)
_MODES = ("none", "provider", "authoritative")


@dataclass
class ZoneWait:
    """What to wait for in one zone. changes: change id to the names in it; records: values that must be served."""

    provider: Provider
    zone: Zone
    changes: dict[str, list[str]] = field(default_factory=dict)
    records: list[TxtRecord] = field(default_factory=list)


class Waiter:
    """Waits once for all zones of a batch.

    mode: none, provider (the provider says that its servers have the change) or authoritative (they were also asked);
    timeout: seconds for all of it; resolvers: host:port of name servers to ask instead of those of the zone's NS set.
    Raises CertfleetError for options that cannot be used.
    """

    def __init__(
        self,
        mode: str,
        timeout: float,
        resolvers: Sequence[str] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if mode not in _MODES:
            raise CertfleetError(f"the DNS wait is {mode!r}", remedy=f"Give one of {', '.join(_MODES)}.")
        if timeout <= 0:
            raise CertfleetError(f"the DNS timeout is {timeout:g} s", remedy="Give a number above 0.")
        self._mode = mode
        self._timeout = timeout
        self._clock = clock
        self._sleep = sleep
        self._servers = NameServers(resolvers) if mode == "authoritative" else None

    def wait(self, zones: Iterable[ZoneWait]) -> dict[TxtRecord, CertfleetError]:
        """Wait for all of them; return the records that were not there in time, or could not be checked, with why."""
        failed: dict[TxtRecord, CertfleetError] = {}
        if self._mode == "none":
            return failed
        waits = list(zones)
        end = self._clock() + self._timeout
        self._applied(waits, end, failed)
        if self._servers is not None:
            self._served(self._servers, waits, end, failed)
        return failed

    # --- the provider's word

    def _applied(self, waits: list[ZoneWait], end: float, failed: dict[TxtRecord, CertfleetError]) -> None:
        """All must be done, so one that is not yet is reason enough to wait, and the others need no question meanwhile.
        The newest is asked for first: when it is done, the older ones mostly are, too."""
        pending = [(wait, change) for wait in waits for change in wait.changes]
        turn = 0
        while pending:
            left = end - self._clock()
            if left <= 0:
                newest = pending.pop()
                self._late([*(one for one in pending if not self._is_applied(*one, failed)), newest], failed)
                return
            self._sleep(min(_STATUS_PAUSES[min(turn, len(_STATUS_PAUSES) - 1)], left))
            turn += 1
            while pending and self._is_applied(*pending[-1], failed):
                pending.pop()
                turn = 0

    def _late(self, pending: list[tuple[ZoneWait, str]], failed: dict[TxtRecord, CertfleetError]) -> None:
        for wait, change in pending:
            error = CertfleetError(
                f"{wait.provider.title} had not applied change {change} of zone {wait.zone.name} after"
                f" {self._timeout:g} s",
                remedy="Give more time, or look for other writers of the zone.",
            )
            self._fail(wait, wait.changes[change], error, failed)

    def _is_applied(self, wait: ZoneWait, change: str, failed: dict[TxtRecord, CertfleetError]) -> bool:
        """Also True when there is no use in asking again."""
        try:
            return wait.provider.applied(wait.zone, change)
        except ProviderBusy:
            return False
        except Denied as error:
            # What the name servers say is the stronger proof; the status only saves questions.
            if self._servers is None:
                self._fail(wait, wait.changes[change], error, failed)
        except ProviderError as error:
            self._fail(wait, wait.changes[change], error, failed)
        return True

    @staticmethod
    def _fail(
        wait: ZoneWait, names: Iterable[str], error: CertfleetError, failed: dict[TxtRecord, CertfleetError]
    ) -> None:
        concerned = set(names)
        for record in wait.records:
            if record.name in concerned:
                failed.setdefault(record, error)

    # --- the name servers

    def _served(
        self,
        name_servers: NameServers,
        waits: list[ZoneWait],
        end: float,
        failed: dict[TxtRecord, CertfleetError],
    ) -> None:
        missing: dict[Server, dict[str, set[str]]] = {}
        records: dict[tuple[Server, str], list[TxtRecord]] = {}
        for wait in waits:
            wanted = [record for record in wait.records if record not in failed]
            if not wanted or (wait.zone.private and not name_servers.given):
                # The servers that the world is told of know nothing of a private zone.
                continue
            try:
                servers = name_servers.of(wait.zone.name)
            except CertfleetError as error:
                failed.update(dict.fromkeys(wanted, error))
                continue
            for server in servers:
                for record in wanted:
                    missing.setdefault(server, {}).setdefault(record.name, set()).add(record.value)
                    records.setdefault((server, record.name), []).append(record)
        turn = 0
        name_servers.delegated.clear()
        silent: dict[Server, str] = {}
        while missing:
            left = end - self._clock()
            if left <= 0 and turn:
                self._report(missing, silent, records, failed)
                return
            self._sleep(max(0.0, min(_ASK_PAUSES[min(turn, len(_ASK_PAUSES) - 1)], left)))
            turn += 1
            silent = self._ask(name_servers, missing)
            self._elsewhere(name_servers, waits, missing, failed)

    @staticmethod
    def _elsewhere(
        name_servers: NameServers,
        waits: list[ZoneWait],
        missing: dict[Server, dict[str, set[str]]],
        failed: dict[TxtRecord, CertfleetError],
    ) -> None:
        """Of names that a zone has given away to other servers (RFC 1034 section 4.2.1), it serves nothing, ever."""
        for wait in waits:
            for record in wait.records:
                cut, servers = name_servers.delegated.get(record.name, ("", []))
                inside = longest_match(record.name, {cut: None}) is not None
                if record in failed or not inside or not cut.endswith(f".{wait.zone.name}"):
                    continue
                failed[record] = CertfleetError(
                    f"TXT {record.name} in zone {wait.zone.name} is served by nobody: {cut} is delegated to"
                    f" {', '.join(servers)}",
                    remedy=f"Give the provider that has the zone {cut}, or end the delegation.",
                )
                for server in list(missing):
                    missing[server].pop(record.name, None)
                    if not missing[server]:
                        del missing[server]

    @staticmethod
    def _ask(name_servers: NameServers, missing: dict[Server, dict[str, set[str]]]) -> dict[Server, str]:
        """One round of questions; takes what is served out of ``missing``. Returns why servers gave no answer."""
        servers = list(missing)
        answers = run_batch(
            servers,
            lambda server: name_servers.ask(server, {name: set(v) for name, v in missing[server].items()}),
            concurrency=len(servers),
        )
        silent: dict[Server, str] = {}
        for server, answer in zip(servers, answers):
            if isinstance(answer, CertfleetError):
                silent[server] = str(answer)
                continue
            served, problem = answer
            if problem:
                silent[server] = problem
            for name in served:
                del missing[server][name]
            if not missing[server]:
                del missing[server]
        return silent

    def _report(
        self,
        missing: dict[Server, dict[str, set[str]]],
        silent: dict[Server, str],
        records: dict[tuple[Server, str], list[TxtRecord]],
        failed: dict[TxtRecord, CertfleetError],
    ) -> None:
        where: dict[TxtRecord, list[str]] = {}
        for server, names in missing.items():
            label = f"{server}" + (f" ({silent[server]})" if server in silent else "")
            for name in names:
                for record in records[server, name]:
                    where.setdefault(record, []).append(label)
        everything = some(record.name for record in where)
        for record, labels in where.items():
            failed[record] = CertfleetError(
                f"TXT {record.name} was not served after {self._timeout:g} s by {', '.join(sorted(set(labels)))}"
                f" (names still missing: {everything})",
                remedy="Give more time, or check that the zone is delegated to these servers.",
            )
