# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import dns.resolver
import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.authoritative import NameServers, parse_server
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord, Zone
from ansible_collections.certfleet.acme.plugins.module_utils._dns.provider import Denied, ProviderBusy, ProviderError
from ansible_collections.certfleet.acme.plugins.module_utils._dns.wait import Waiter, ZoneWait
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from dnslib import NS, QTYPE, RCODE, RD, RR, TXT, A, DNSRecord
from dnslib.server import BaseResolver, DNSLogger, DNSServer

from .memory import Memory

ZONE = Zone("Z1", "example.com")
ONE = TxtRecord("_acme-challenge.a.example.com", "one")
TWO = TxtRecord("_acme-challenge.a.example.com", "two")
OTHER = TxtRecord("_acme-challenge.b.example.com", "three")


class Clock:
    """Time that only passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += max(seconds, 0.01)


class Slow(Memory):
    """Says that a change is applied after some questions, or fails as told."""

    def __init__(self, answers: dict[str, list[bool | ProviderError]]) -> None:
        super().__init__()
        self.answers = answers
        self.asked: list[str] = []

    def applied(self, zone: Zone, change: str) -> bool:
        self.asked.append(change)
        answer = self.answers[change].pop(0) if self.answers[change] else False
        if isinstance(answer, ProviderError):
            raise answer
        return answer


def wait(provider: Slow, mode: str = "provider", timeout: float = 60) -> tuple[dict[TxtRecord, CertfleetError], Clock]:
    clock = Clock()
    waiter = Waiter(mode, timeout, clock=clock, sleep=clock.sleep)
    changes = {"C1": [ONE.name], "C2": [OTHER.name]}
    return waiter.wait([ZoneWait(provider, ZONE, changes, [ONE, TWO, OTHER])]), clock


def test_each_change_is_asked_for_until_it_is_done_and_not_longer() -> None:
    provider = Slow({"C1": [False, True], "C2": [False, False, True]})
    failed, clock = wait(provider)
    assert not failed
    assert provider.asked == ["C2", "C2", "C2", "C1", "C1"]
    assert clock.slept == [0.2, 1.0, 5.0, 0.2]


def test_many_changes_of_slow_zones_cost_few_questions() -> None:
    class Later(Memory):
        """A change is done half a minute after it was made."""

        def applied(self, zone: Zone, change: str) -> bool:
            self.calls += 1
            return clock.now >= 30 + int(change) / 4

    provider, clock = Later(), Clock()
    waits = [ZoneWait(provider, Zone(f"Z{number}", f"z{number}.example"), {str(number): []}) for number in range(20)]
    assert not Waiter("provider", 300, clock=clock, sleep=clock.sleep).wait(waits)
    assert provider.calls <= 20 + 6
    assert clock.now < 50


def test_changes_that_take_a_minute_cost_few_questions() -> None:
    class Later(Memory):
        def applied(self, zone: Zone, change: str) -> bool:
            self.calls += 1
            return clock.now >= 60

    provider, clock = Later(), Clock()
    waiter = Waiter("provider", 300, clock=clock, sleep=clock.sleep)
    assert not waiter.wait([ZoneWait(provider, ZONE, {"C1": [], "C2": []})])
    # With a list of the zones, two batches to write and two to remove: within 12 calls for 1,000 names.
    assert provider.calls <= 7
    assert clock.now < 70


def test_when_time_is_up_each_change_was_asked_for() -> None:
    provider = Slow({"C1": [True], "C2": []})
    failed, _clock = wait(provider, timeout=3)
    assert list(failed) == [OTHER]
    assert provider.asked == ["C2", "C2", "C2", "C1"]


def test_without_waiting_nobody_is_asked() -> None:
    provider = Slow({"C1": [], "C2": []})
    assert wait(provider, "none")[0] == {}
    assert provider.asked == []


def test_a_change_that_takes_too_long_fails_its_own_names() -> None:
    failed, clock = wait(Slow({"C1": [True], "C2": []}), timeout=30)
    assert list(failed) == [OTHER]
    assert "C2" in str(failed[OTHER])
    assert "30 s" in str(failed[OTHER])
    assert clock.now < 31


def test_a_busy_provider_is_asked_again_and_a_refusing_one_is_not() -> None:
    failed, _clock = wait(Slow({"C1": [ProviderBusy("busy"), True], "C2": [Denied("not allowed")]}))
    assert list(failed) == [OTHER]
    assert "not allowed" in str(failed[OTHER])


@pytest.mark.parametrize(("mode", "timeout"), [("sometimes", 10), ("provider", 0)])
def test_bad_options_are_refused(mode: str, timeout: float) -> None:
    with pytest.raises(CertfleetError):
        Waiter(mode, timeout)


class Names(BaseResolver):
    """An authoritative server for the values in ``values``; refused: answers REFUSED; cuts: zones that others have."""

    def __init__(self) -> None:
        self.values: dict[str, list[str]] = {}
        self.others: dict[str, list[tuple[int, RD]]] = {}
        self.refused = False
        self.cuts: dict[str, str] = {}
        self.asked: list[tuple[str, str, int]] = []

    def resolve(self, request: DNSRecord, handler: object) -> DNSRecord:
        reply = request.reply()
        name = str(request.q.qname).rstrip(".")
        self.asked.append((name, QTYPE[request.q.qtype], request.header.rd))
        if self.refused:
            reply.header.rcode = RCODE.REFUSED
        for cut, target in self.cuts.items():
            if f".{name}".endswith(f".{cut}"):
                reply.header.aa = 0
                reply.add_auth(RR(cut, QTYPE.NS, rdata=NS(target)))
                return reply
        for kind, record in self.others.get(name, []):
            if request.q.qtype == kind:
                reply.add_answer(RR(request.q.qname, kind, ttl=1, rdata=record))
        for value in self.values.get(name, []):
            reply.add_answer(RR(request.q.qname, QTYPE.TXT, ttl=1, rdata=TXT(value)))
        return reply


@pytest.fixture
def server() -> Iterator[tuple[str, Names]]:
    """A name server on UDP and TCP of one free port of the loopback."""
    names = Names()
    quiet = DNSLogger(logf=lambda line: None)
    # UDP and TCP must share the port, and either may be taken.
    for _attempt in range(20):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        try:
            servers = [DNSServer(names, "127.0.0.1", port, tcp=tcp, logger=quiet) for tcp in (False, True)]
            break
        except OSError:
            continue
    for one in servers:
        one.start_thread()
    yield f"127.0.0.1:{port}", names
    for one in servers:
        one.stop()
        one.server.server_close()


def ask(resolvers: list[str], timeout: float = 10) -> dict[TxtRecord, CertfleetError]:
    wait = ZoneWait(Memory(), ZONE, {}, [ONE, TWO, OTHER])
    return Waiter("authoritative", timeout, resolvers).wait([wait])


def test_all_values_must_be_served(server: tuple[str, Names]) -> None:
    address, names = server
    names.values = {ONE.name: ["one"], OTHER.name: ["three", "foreign"]}
    added = threading.Timer(0.3, lambda: names.values[ONE.name].append("two"))
    added.start()
    assert ask([address]) == {}
    assert {kind for _name, kind, _rd in names.asked} == {"TXT"}
    assert {rd for _name, _kind, rd in names.asked} == {0}
    assert [name for name, _kind, _rd in names.asked].count(OTHER.name) == 1


def test_long_answers_come_over_tcp(server: tuple[str, Names]) -> None:
    address, names = server
    names.values = {ONE.name: ["one", "two", *(f"{number:0200d}" for number in range(20))], OTHER.name: ["three"]}
    assert ask([address]) == {}


def test_a_timeout_names_servers_and_names(server: tuple[str, Names]) -> None:
    address, names = server
    names.values = {ONE.name: ["one"], OTHER.name: ["three"]}
    failed = ask([address], timeout=0.5)
    assert set(failed) == {ONE, TWO}
    assert address in str(failed[TWO])
    assert TWO.name in str(failed[TWO])
    assert OTHER.name not in str(failed[TWO])


def test_every_server_must_have_it_and_silent_ones_are_named(server: tuple[str, Names]) -> None:
    address, names = server
    names.values = {ONE.name: ["one", "two"], OTHER.name: ["three"]}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        silent = f"127.0.0.1:{mute.getsockname()[1]}"
        failed = ask([address, silent], timeout=0.5)
    assert set(failed) == {ONE, TWO, OTHER}
    assert f"{silent} (no answer)" in str(failed[ONE])
    assert address not in str(failed[ONE])
    names.refused = True
    assert "REFUSED" in str(ask([address], timeout=0.5)[ONE])


def test_a_name_that_the_zone_gave_away_fails_at_once(server: tuple[str, Names]) -> None:
    address, names = server
    names.values = {ONE.name: ["one", "two"], OTHER.name: ["three"]}
    names.cuts = {"a.example.com": "ns.elsewhere.test"}
    clock = Clock()
    waiter = Waiter("authoritative", 300, [address], clock=clock, sleep=clock.sleep)
    waits = [ZoneWait(Memory(), ZONE, {}, [ONE, TWO, OTHER])]
    failed = waiter.wait(waits)
    assert set(failed) == {ONE, TWO}
    assert "a.example.com is delegated to ns.elsewhere.test" in str(failed[ONE])
    assert "Give the provider that has the zone a.example.com" in str(failed[ONE])
    assert clock.now < 1
    # The delegation has ended by the time of the next names.
    names.cuts = {}
    assert waiter.wait(waits) == {}


def test_a_server_that_refers_to_the_zone_itself_may_get_it_yet(server: tuple[str, Names]) -> None:
    """A secondary that has not loaded the zone and has the one above."""
    address, names = server
    names.values = {ONE.name: ["one", "two"], OTHER.name: ["three"]}
    names.cuts = {"example.com": "ns.example.com"}
    clock = Clock()
    failed = Waiter("authoritative", 3, [address], clock=clock, sleep=clock.sleep).wait(
        [ZoneWait(Memory(), ZONE, {}, [ONE])]
    )
    assert "was not served after 3 s" in str(failed[ONE])


def test_a_denied_status_question_leaves_the_proof_to_the_name_servers(server: tuple[str, Names]) -> None:
    address, names = server
    names.values = {ONE.name: ["one", "two"], OTHER.name: ["three"]}
    provider = Slow({"C1": [Denied("not allowed")], "C2": [Denied("not allowed")]})
    changes = {"C1": [ONE.name], "C2": [OTHER.name]}
    waits = [ZoneWait(provider, ZONE, changes, [ONE, TWO, OTHER])]
    assert Waiter("authoritative", 5, [address]).wait(waits) == {}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("127.0.0.1:5353", "127.0.0.1:5353"),
        ("127.0.0.1", "127.0.0.1:53"),
        ("[::1]:54", "[::1]:54"),
        ("::1", "[::1]:53"),
        ("[::1]", "[::1]:53"),
        ("localhost:5353", "localhost (127.0.0.1:5353)"),
    ],
)
def test_servers_are_written_as_host_and_port(text: str, shown: str) -> None:
    assert [str(server) for server in parse_server(text)] == [shown]


@pytest.mark.parametrize("text", ["", "host:port", "127.0.0.1:0", "127.0.0.1:70000", "[::1:53"])
def test_what_is_no_server_is_refused(text: str) -> None:
    with pytest.raises(CertfleetError):
        parse_server(text)


def test_the_servers_of_a_zone_are_looked_up_once(server: tuple[str, Names], monkeypatch: pytest.MonkeyPatch) -> None:
    address, names = server

    def configure(resolver: dns.resolver.Resolver, _file: object) -> None:
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = int(address.rpartition(":")[2])

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", configure)
    names.others = {
        "example.com": [(QTYPE.NS, NS("ns2.example.net")), (QTYPE.NS, NS("ns1.example.net"))],
        "ns1.example.net": [(QTYPE.A, A("192.0.2.1")), (QTYPE.A, A("192.0.2.2"))],
        "ns2.example.net": [(QTYPE.A, A("192.0.2.3"))],
    }
    servers = NameServers()
    assert [str(one) for one in servers.of("example.com")] == [
        "ns1.example.net (192.0.2.1:53)",
        "ns1.example.net (192.0.2.2:53)",
        "ns2.example.net (192.0.2.3:53)",
    ]
    count = len(names.asked)
    servers.of("example.com")
    assert len(names.asked) == count
    with pytest.raises(CertfleetError, match=r"name servers of example\.org"):
        servers.of("example.org")
