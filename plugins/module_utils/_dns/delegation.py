# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the CNAME of a name points to: the name that a CA reads the TXT values of.

A recursive resolver is never asked for the name itself. Where there is no CNAME it would remember that nothing is
there, for the name or for a parent of it (RFC 2308 section 5, RFC 8020), and hide the TXT value from a CA that uses it.
So the question goes down the tree as a resolver's own would (RFC 1034 section 5.3.3): from the servers of the
top-level domain along their referrals to the zone that answers. A recursive resolver only says which servers
those are: their names exist, so nothing false is remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._errors import CertfleetError
from . import _library
from .authoritative import NameServers, Server
from .zones import longest_match

#: CNAMEs in a row; resolvers give up after about as many.
_LONGEST_CHAIN = 8
#: Referrals from a top-level domain down: a name has 127 labels at most, real ones a few zones.
_MOST_REFERRALS = 16
_THREADS = 8
_ANSWER_TIMEOUT = 2.0
_PAYLOAD = 1232


class _Unknown(Exception):
    """No server could say whether there is a CNAME."""


class Delegations:
    """Follows CNAMEs, each name once a run: a clean-up goes where the values were put.

    servers: where to ask, or how to find out. Raises MissingLibrary.
    """

    def __init__(self, servers: NameServers) -> None:
        self._dns = _library.dns()
        self._servers = servers
        self._cuts: dict[str, list[Server]] = {}
        self._silent: dict[str, str] = {}
        self._targets: dict[str, str | CertfleetError] = {}

    def follow(self, names: Collection[str]) -> dict[str, str | CertfleetError]:
        """The name that each name leads to, itself where it has no CNAME, or why it leads nowhere.

        Where no server answers, the last name known is taken: the provider refuses a TXT value beside a CNAME, so that
        nothing is ever written to a place where the CA does not look.
        """
        new = sorted(set(names) - self._targets.keys())
        if new:
            # The first one finds the servers that the others then need not look for.
            results = [self._chain(new[0])]
            with ThreadPoolExecutor(max_workers=min(_THREADS, len(new))) as pool:
                results += pool.map(self._chain, new[1:])
            self._targets.update((lead, lead) for lead in results if isinstance(lead, str))
            self._targets.update(zip(new, results))
        return {name: self._targets[name] for name in names}

    def _chain(self, name: str) -> str | CertfleetError:
        chain = [name]
        while len(chain) <= _LONGEST_CHAIN:
            try:
                target = self._cname(chain[-1])
            except _Unknown:
                return chain[-1]
            if target is None:
                return chain[-1]
            chain.append(target)
            if target in chain[:-1]:
                return CertfleetError(
                    f"the CNAME of {name} leads in a circle: {' -> '.join(chain)}",
                    remedy="Point it at a name without a CNAME, or do not follow CNAMEs.",
                )
        return CertfleetError(
            f"{name} leads over more than {_LONGEST_CHAIN} CNAMEs ({' -> '.join(chain)})",
            remedy="Point the first one at the last name.",
        )

    def _cname(self, name: str) -> str | None:
        """Where the CNAME at a name points, None when there is none. Raises _Unknown."""
        if self._servers.given:
            return self._answer(name, "", self._servers.of(""))[0]
        for _referral in range(_MOST_REFERRALS):
            zone = longest_match(name, self._cuts)
            if zone is None:
                zone = name.rpartition(".")[2]
                self._cuts[zone] = self._find(zone)
            target, below = self._answer(name, zone, self._cuts[zone])
            if below is None:
                return target
            self._cuts[below[0]] = below[1]
        raise _Unknown("too many referrals")

    def _find(self, zone: str) -> list[Server]:
        if zone in self._silent:
            raise _Unknown(self._silent[zone])
        try:
            return self._servers.of(zone)
        except CertfleetError as error:
            self._silent[zone] = str(error)
            raise _Unknown(str(error)) from error

    def _answer(
        self, name: str, zone: str, servers: Iterable[Server]
    ) -> tuple[str | None, tuple[str, list[Server]] | None]:
        """What the servers of a zone say: where the CNAME points, or the zone below with its servers."""
        if zone in self._silent:
            raise _Unknown(self._silent[zone])
        dns = self._dns
        query = dns.message.make_query(f"{name}.", "CNAME", use_edns=0, payload=_PAYLOAD)
        query.flags &= ~dns.flags.RD
        trouble = "no server"
        answered = False
        for server in servers:
            try:
                answer, _tcp = dns.query.udp_with_fallback(
                    query, server.address, port=server.port, timeout=_ANSWER_TIMEOUT, ignore_unexpected=True
                )
            except (OSError, dns.exception.DNSException) as error:
                trouble = f"{server}: {error}"
                continue
            answered = True
            found = self._read(answer, name, zone)
            if found is not None:
                return found
            trouble = f"{server} answers {dns.rcode.to_text(answer.rcode())}"
        if not answered:
            # Asked for a thousand names, servers that are out of reach cost their time once.
            self._silent[zone] = trouble
        raise _Unknown(trouble)

    def _read(self, answer: Any, name: str, zone: str) -> tuple[str | None, tuple[str, list[Server]] | None] | None:
        """None when the answer is no use."""
        dns = self._dns
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return None
        for found in answer.answer:
            if found.rdtype == dns.rdatatype.CNAME and _text(found.name) == name:
                return _text(found[0].target), None
        if answer.flags & dns.flags.AA:
            return None, None
        for found in answer.authority:
            cut = _text(found.name)
            inside = longest_match(name, {cut: None}) is not None
            if found.rdtype == dns.rdatatype.NS and inside and len(cut) > len(zone):
                servers = self._referred(answer, [_text(entry.target) for entry in found])
                return None, (cut, servers)
        return None

    def _referred(self, answer: Any, names: Collection[str]) -> list[Server]:
        """The servers of a referral, by the addresses that came along, else looked up. Raises _Unknown."""
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
            raise _Unknown(f"no address of {', '.join(sorted(names))}")
        return servers


def _text(name: Any) -> str:
    return str(name).rstrip(".").lower()
