# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking the tree of zones itself, from a top-level domain down to the servers that answer for a name.

A recursive resolver is never asked for the name. Where nothing is there it would remember that, for the name or for a
parent of it (RFC 2308 section 5, RFC 8020), and hide the TXT value from a CA that uses it. So the question goes down
the tree as a resolver's own would (RFC 1034 section 5.3.3): from the servers of the top-level domain along their
referrals to the zone that answers. A recursive resolver only says which servers those are: their names exist, so
nothing false is remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from .._errors import CertfleetError
from . import _library
from .authoritative import NameServers, Server
from .zones import longest_match

#: Referrals from a top-level domain down: a name has 127 labels at most, real ones a few zones.
_MOST_REFERRALS = 16
_ANSWER_TIMEOUT = 2.0
_PAYLOAD = 1232


class Unknown(Exception):
    """No server could say. refused: the servers that were given do not serve the name."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


@dataclass(frozen=True)
class Answer:
    """What is at a name. target: where its CNAME points, None without one; entries: dnspython's records."""

    target: str | None = None
    entries: tuple[Any, ...] = ()


class Walk:
    """Finds the servers for names and asks them; what it learns about servers is kept. Safe to use from threads.

    servers: where to ask, or how to find out. Raises MissingLibrary.
    """

    def __init__(self, servers: NameServers) -> None:
        self._dns = _library.dns()
        self._servers = servers
        self._cuts: dict[str, list[Server]] = {}
        self._silent: dict[str, str] = {}

    def ask(self, name: str, kind: str) -> Answer:
        """The records of a type at a name. Raises Unknown."""
        if self._servers.given:
            return self._answer(name, kind, "", self._servers.of(""))[0]
        for _referral in range(_MOST_REFERRALS):
            zone = longest_match(name, self._cuts)
            if zone is None:
                zone = name.rpartition(".")[2]
                self._cuts[zone] = self._find(zone)
            found, below = self._answer(name, kind, zone, self._cuts[zone])
            if below is None:
                return found
            self._cuts[below[0]] = below[1]
        raise Unknown("too many referrals")

    def _find(self, zone: str) -> list[Server]:
        if zone in self._silent:
            raise Unknown(self._silent[zone])
        try:
            return self._servers.of(zone)
        except CertfleetError as error:
            self._silent[zone] = str(error)
            raise Unknown(str(error)) from error

    def _answer(
        self, name: str, kind: str, zone: str, servers: Iterable[Server]
    ) -> tuple[Answer, tuple[str, list[Server]] | None]:
        """What the servers of a zone say: what is at the name, or the zone below with its servers."""
        if zone in self._silent:
            raise Unknown(self._silent[zone])
        dns = self._dns
        query = dns.message.make_query(f"{name}.", kind, use_edns=0, payload=_PAYLOAD)
        query.flags &= ~dns.flags.RD
        trouble = "no server"
        answered, foreign = False, True
        for server in servers:
            try:
                answer, _tcp = dns.query.udp_with_fallback(
                    query, server.address, port=server.port, timeout=_ANSWER_TIMEOUT, ignore_unexpected=True
                )
            except (OSError, dns.exception.DNSException) as error:
                trouble = f"{server}: {error}"
                continue
            answered = True
            found = self._read(answer, name, kind, zone)
            if found is not None:
                return found
            trouble = f"{server} answers {dns.rcode.to_text(answer.rcode())}"
            if answer.rcode() == dns.rcode.NOERROR:
                trouble = f"{server} has no answer of its own"
            elif answer.rcode() != dns.rcode.REFUSED:
                foreign = False
        if not answered:
            # Asked for a thousand names, servers that are out of reach cost their time once.
            self._silent[zone] = trouble
        raise Unknown(trouble, refused=answered and foreign and self._servers.given)

    def _read(
        self, answer: Any, name: str, kind: str, zone: str
    ) -> tuple[Answer, tuple[str, list[Server]] | None] | None:
        """None when the answer is no use."""
        dns = self._dns
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return None
        for found in answer.answer:
            if _text(found.name) != name:
                continue
            if found.rdtype == dns.rdatatype.CNAME:
                return Answer(target=_text(found[0].target)), None
            if found.rdtype == dns.rdatatype.from_text(kind):
                return Answer(entries=tuple(found)), None
        if answer.flags & dns.flags.AA:
            return Answer(), None
        if self._servers.given:
            # Another of them may serve the zone that this one only refers to.
            return None
        for found in answer.authority:
            cut = _text(found.name)
            inside = longest_match(name, {cut: None}) is not None
            if found.rdtype == dns.rdatatype.NS and inside and len(cut) > len(zone):
                servers = self._referred(answer, [_text(entry.target) for entry in found])
                return Answer(), (cut, servers)
        return None

    def _referred(self, answer: Any, names: Collection[str]) -> list[Server]:
        """The servers of a referral, by the addresses that came along, else looked up. Raises Unknown."""
        dns = self._dns
        glue: dict[str, dict[str, list[Server]]] = {}
        for found in answer.additional:
            owner = _text(found.name)
            if owner in names and found.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
                kind = dns.rdatatype.to_text(found.rdtype)
                entries = [Server(owner, str(entry), 53) for entry in found]
                glue.setdefault(owner, {}).setdefault(kind, []).extend(entries)
        servers = [server for kinds in glue.values() for server in kinds.get("A") or kinds.get("AAAA", [])]
        if not servers:
            servers = [server for name in sorted(names) for server in self._servers.addresses(name)]
        if not servers:
            raise Unknown(f"no address of {', '.join(sorted(names))}")
        return servers


def _text(name: Any) -> str:
    return str(name).rstrip(".").lower()
