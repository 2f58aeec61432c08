# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Name servers that take dynamic updates (RFC 2136): BIND, Knot, PowerDNS."""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Callable

from .._errors import CertfleetError
from . import _library
from .authoritative import parse_server
from .model import RecordSet, Swap, Zone
from .provider import CNAME, BatchRefused, Denied, Limits, Provider, ProviderBusy, ProviderError, ZoneList

_TIMEOUT = 15.0
#: Attempts of a question whose connection breaks. An update is repeated by the writer, which knows what that means.
_ATTEMPTS = 4


class Rfc2136(Provider):
    """A primary name server, its updates signed with TSIG (RFC 8945).

    options: see RFC2136_ARGSPEC. The prerequisites of an update are the compare of a compare-and-swap: the set exists
    with exactly these values, or there is none (RFC 2136 sections 2.4.2 and 2.4.3); the server applies all of an update
    or nothing (section 3.7). It does not say which prerequisite was not met.
    Raises CertfleetError for options that cannot work.
    """

    title = "the name server"
    has_accounts = False
    _remedy = (
        "Its log says why: often it may not write the zone's journal, or the zone is frozen, expired or not loaded."
    )
    # A message holds 65,535 octets over TCP; a value is in it as prerequisite and as update, with its name.
    limits = Limits(elements=150, characters=15000)

    def __init__(self, options: Mapping[str, Any], *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._dns = _library.dns()
        self._sleep = sleep
        if not options.get("server"):
            raise CertfleetError("rfc2136 has no server", remedy="Give the primary name server as host:port.")
        self._server = parse_server(str(options["server"]))[0]
        self.title = f"the name server {self._server}"
        self.account = str(options["server"]).lower()
        self._key: Any = None
        self._algorithm = f"{options.get('key_algorithm') or 'hmac-sha256'}."
        if bool(options.get("key_name")) != bool(options.get("key_secret")):
            raise CertfleetError("key_name and key_secret belong together and one of them is missing")
        if options.get("key_name"):
            try:
                base64.b64decode(options["key_secret"], validate=True)
                self._key = self._dns.tsigkeyring.from_text({options["key_name"]: options["key_secret"]})
            except (ValueError, self._dns.exception.DNSException) as error:
                raise CertfleetError("key_secret is not base64") from error
        self.calls = 0

    def _send(self, message: Any) -> Any:
        """Raises ProviderBusy for a connection that breaks, ProviderError for a server that does not answer or that the
        key is not right for."""
        dns = self._dns
        self.calls += 1
        if self._key is not None:
            message.use_tsig(self._key, algorithm=self._algorithm)
        try:
            return dns.query.tcp(message, self._server.address, port=self._server.port, timeout=_TIMEOUT)
        except (dns.tsig.PeerError, dns.tsig.BadSignature, dns.tsig.BadTime) as error:
            raise ProviderError(
                f"{self.title} does not take the TSIG key: {error}",
                remedy="Check key_name, key_secret, key_algorithm, and the clocks of both machines.",
                fatal=True,
            ) from error
        except (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, EOFError) as error:
            raise ProviderBusy(
                f"{self.title} broke the connection: {' '.join(str(error).split()) or type(error).__name__}",
                remedy="Check the network, what limits connections there, and that updates may come over TCP.",
                fatal=True,
                unsure=True,
            ) from error
        except (OSError, dns.exception.DNSException) as error:
            raise ProviderError(
                f"{self.title} cannot be asked: {' '.join(str(error).split()) or type(error).__name__}",
                remedy="Check server and the network; updates go over TCP.",
                fatal=True,
                unsure=not isinstance(error, ConnectionRefusedError),
            ) from error

    def _ask(self, name: str, kind: str) -> Any:
        dns = self._dns
        for attempt in range(1, _ATTEMPTS + 1):
            query = dns.message.make_query(f"{name}.", kind)
            query.flags &= ~dns.flags.RD
            try:
                return self._send(query)
            except ProviderBusy:
                if attempt == _ATTEMPTS:
                    raise
            self._sleep(random.uniform(0.25, 0.5) * 2**attempt)  # noqa: S311 - jitter
        raise AssertionError("not reached")

    def zones(self, names: Collection[str]) -> ZoneList:
        """One question a name: the SOA that comes along says which zone it lies in (RFC 2308 section 3)."""
        dns = self._dns
        found: dict[str, Zone] = {}
        for name in names:
            answer = self._ask(name, "SOA")
            for entries in [*answer.answer, *answer.authority]:
                zone = str(entries.name).rstrip(".").lower()
                if entries.rdtype == dns.rdatatype.SOA and answer.flags & dns.flags.AA:
                    found[zone] = Zone(zone, zone)
        return ZoneList(list(found.values()), complete=False)

    def read(self, zone: Zone, names: Collection[str]) -> dict[str, RecordSet | None]:
        """One question a name."""
        dns = self._dns
        found: dict[str, RecordSet | None] = dict.fromkeys(names)
        for name in found:
            answer = self._ask(name, "TXT")
            if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                raise ProviderError(
                    f"{self.title} answers {dns.rcode.to_text(answer.rcode())} for TXT at {name}", remedy=self._remedy
                )
            for entries in answer.answer:
                if str(entries.name).rstrip(".").lower() != name:
                    continue
                if entries.rdtype == dns.rdatatype.CNAME:
                    found[name] = RecordSet(name, int(entries.ttl), (), CNAME)
                elif entries.rdtype == dns.rdatatype.TXT:
                    found[name] = RecordSet(name, int(entries.ttl), tuple(entry.to_text() for entry in entries))
        return found

    def write(self, zone: Zone, swaps: Sequence[Swap]) -> str:
        """One update. That there is no CNAME is a prerequisite too: beside one, values would be dropped without a word
        (RFC 2136 section 3.4.2.2)."""
        dns = self._dns
        update = dns.update.UpdateMessage(f"{zone.name}.")
        for swap in swaps:
            name = dns.name.from_text(f"{swap.name}.")
            if not name.is_subdomain(update.origin):
                raise BatchRefused("not in the zone", refused={swap.name: "is not in the zone"})
            before = swap.old.values if swap.old else ()
            after = swap.new.values if swap.new else ()
            if swap.old:
                update.present(name, *(self._data(value) for value in before))
            else:
                update.absent(name, "TXT")
            if swap.new:
                update.absent(name, "CNAME")
            for value in before:
                if value not in after:
                    update.delete(name, self._data(value))
            for value in after:
                if value not in before and swap.new:
                    update.add(name, swap.new.ttl, self._data(value))
        code = self._send(update).rcode()
        text = dns.rcode.to_text(code)
        if code in (dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN, dns.rcode.NOTZONE):
            raise BatchRefused(f"the update was answered with {text}")
        if code == dns.rcode.REFUSED:
            raise Denied(
                f"{self.title} refuses updates of zone {zone.name}",
                remedy="Allow them for this key (update-policy of BIND, acl of Knot) and ask the primary server.",
            )
        if code == dns.rcode.SERVFAIL:
            raise ProviderBusy(
                f"{self.title} failed at an update of zone {zone.name} (SERVFAIL)", remedy=self._remedy, unsure=True
            )
        if code != dns.rcode.NOERROR:
            raise ProviderError(f"{self.title} answers an update of zone {zone.name} with {text}", remedy=self._remedy)
        return f"{zone.name}/{self.calls}"

    def _data(self, value: str) -> Any:
        return self._dns.rdata.from_text("IN", "TXT", value)

    def applied(self, zone: Zone, change: str) -> bool:
        """The server that answered has it; that the others have it, only they can say."""
        return True

    def cost(self, swap: Swap) -> Limits:
        cost = super().cost(swap)
        return cost._replace(elements=cost.elements + 2)
