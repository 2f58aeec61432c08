# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking a zone's own name servers."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .._errors import CertfleetError
from . import _library

#: Seconds for one question to one server, and for finding the servers of a zone.
_ANSWER_TIMEOUT = 2.0
_LOOKUP_TIMEOUT = 10.0
#: Payload that passes without fragments on nearly every path (RFC 9715 section 3).
_PAYLOAD = 1232
#: Names that one thread asks one server for, and threads for each server.
_CHUNK = 25
_THREADS = 8


@dataclass(frozen=True)
class Server:
    """One address of one name server. name: for messages."""

    name: str
    address: str
    port: int

    def __str__(self) -> str:
        shown = f"[{self.address}]" if ":" in self.address else self.address
        where = f"{shown}:{self.port}"
        return where if self.name in ("", self.address) else f"{self.name} ({where})"


def parse_server(text: str) -> list[Server]:
    """The addresses of ``host``, ``host:port`` or ``[v6]:port``. Raises CertfleetError."""
    host, port = text.strip(), "53"
    if host.startswith("["):
        host, bracket, rest = host[1:].partition("]")
        port = rest[1:] if rest.startswith(":") else port if bracket and not rest else ""
    elif host.count(":") == 1:
        host, _colon, port = host.partition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise CertfleetError(f"{text!r} is not a name server", remedy="Write host, host:port or [IPv6 address]:port.")
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)
    except OSError as error:
        raise CertfleetError(f"the name server {host} has no address: {error.strerror or error}") from error
    # As for the servers of a zone: IPv6 only where there is no IPv4 address.
    family = min(entry[0] for entry in found)
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found if entry[0] == family)
    return [Server(host, address, int(port)) for address in addresses]


class NameServers:
    """The servers to ask: those given, or for each zone the ones of its NS set, looked up once.

    given: host:port; empty for looking up. Raises CertfleetError for one that is not a server, MissingLibrary.
    """

    def __init__(self, given: Sequence[str] = ()) -> None:
        self._dns = _library.dns()
        self._given = list(dict.fromkeys(server for text in given for server in parse_server(text)))
        self._found: dict[str, list[Server]] = {}
        #: Names that a server said others answer for: the zone below that they lie in, and its name servers.
        self.delegated: dict[str, tuple[str, list[str]]] = {}

    @property
    def given(self) -> bool:
        """True when the servers were given, False when they are looked up."""
        return bool(self._given)

    def of(self, zone: str) -> list[Server]:
        """All servers of a zone. Raises CertfleetError when they cannot be found."""
        if self._given:
            return self._given
        if zone not in self._found:
            self._found[zone] = self._look_up(zone)
        return self._found[zone]

    def _look_up(self, zone: str) -> list[Server]:
        remedy = "Check the delegation, or give the name servers to ask as host:port."
        try:
            resolver = self._dns.resolver.Resolver()
            answer = resolver.resolve(f"{zone}.", "NS", lifetime=_LOOKUP_TIMEOUT)
            names = sorted(str(entry.target).rstrip(".") for entry in answer)
        except self._dns.exception.DNSException as error:
            text = " ".join(str(error).split()) or type(error).__name__
            raise CertfleetError(f"the name servers of {zone} cannot be found: {text}", remedy=remedy) from error
        servers: list[Server] = []
        for name in names:
            servers += self.addresses(name)
        if not servers:
            raise CertfleetError(f"the name servers of {zone} ({', '.join(names)}) have no address", remedy=remedy)
        return servers

    def addresses(self, name: str) -> list[Server]:
        """The addresses of a name server as the machine's resolver knows them; none when it knows none."""
        for kind in ("A", "AAAA"):
            try:
                entries = self._dns.resolver.Resolver().resolve(f"{name}.", kind, lifetime=_LOOKUP_TIMEOUT)
            except self._dns.exception.DNSException:
                continue
            # Many controllers have no IPv6: the other addresses count only where there is no IPv4 one.
            return [Server(name, str(entry), 53) for entry in entries]
        return []

    def ask(self, server: Server, wanted: Mapping[str, set[str]]) -> tuple[list[str], str]:
        """The names of ``wanted`` at which ``server`` serves all their values, and why others went without an answer
        (empty when all were answered)."""
        names = list(wanted)
        chunks = [names[at : at + _CHUNK] for at in range(0, len(names), _CHUNK)]
        served: list[str] = []
        problem = ""
        with ThreadPoolExecutor(max_workers=min(_THREADS, len(chunks))) as pool:
            for found, trouble in pool.map(lambda chunk: self._ask_some(server, chunk, wanted), chunks):
                served += found
                problem = trouble or problem
        return served, problem

    def _ask_some(self, server: Server, names: Sequence[str], wanted: Mapping[str, set[str]]) -> tuple[list[str], str]:
        served: list[str] = []
        for name in names:
            try:
                values = self._values(server, name)
            except (OSError, self._dns.exception.DNSException) as error:
                # A server that does not answer is not asked for the rest in this round.
                return served, _reason(error)
            if values is not None and wanted[name] <= values:
                served.append(name)
        return served, ""

    def _values(self, server: Server, name: str) -> set[str] | None:
        """The TXT values that the server has at a name; None when it refuses to answer."""
        dns = self._dns
        query = dns.message.make_query(f"{name}.", "TXT", use_edns=0, payload=_PAYLOAD)
        query.flags &= ~dns.flags.RD
        answer, _tcp = dns.query.udp_with_fallback(
            query, server.address, port=server.port, timeout=_ANSWER_TIMEOUT, ignore_unexpected=True
        )
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise OSError(f"answers {dns.rcode.to_text(answer.rcode())}")
        if not answer.answer and not answer.flags & dns.flags.AA:
            for found in answer.authority:
                if found.rdtype == dns.rdatatype.NS:
                    servers = sorted(str(entry.target).rstrip(".") for entry in found)
                    self.delegated[name] = str(found.name).rstrip(".").lower(), servers
        return {_text(entry) for found in answer.answer if found.rdtype == dns.rdatatype.TXT for entry in found}


def _text(entry: Any) -> str:
    return b"".join(entry.strings).decode("utf-8", "replace")


def _reason(error: Exception) -> str:
    if "timed out" in str(error).lower() or type(error).__name__ == "Timeout":
        return "no answer"
    return " ".join(str(error).split()) or type(error).__name__
