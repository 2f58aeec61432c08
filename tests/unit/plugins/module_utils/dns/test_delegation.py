# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns import walk
from ansible_collections.certfleet.acme.plugins.module_utils._dns.authoritative import NameServers, Server
from ansible_collections.certfleet.acme.plugins.module_utils._dns.delegation import Delegations
from ansible_collections.certfleet.acme.plugins.module_utils._dns.engine import Engine
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord, Zone
from ansible_collections.certfleet.acme.plugins.module_utils._dns.wait import Waiter
from ansible_collections.certfleet.acme.plugins.module_utils._dns.zones import Route, Router
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from dnslib import CNAME, NS, QTYPE, RCODE, RR
from dnslib.server import BaseResolver, DNSLogger, DNSServer
from hypothesis import given
from hypothesis import strategies as st

from .memory import Memory

APEX = "_acme-challenge.example.test"
THERE = "_acme-challenge.example.test.acme.other.test"


class Authority(BaseResolver):
    """A server that knows the zones below it and the CNAMEs of its own."""

    def __init__(self, below: dict[str, str], aliases: dict[str, str]) -> None:
        self.below, self.aliases = below, aliases
        self.asked: list[str] = []

    def resolve(self, request: Any, handler: Any) -> Any:
        reply = request.reply(aa=1)
        name = str(request.q.qname).rstrip(".").lower()
        self.asked.append(name)
        assert not request.header.rd, "a question for a resolver"
        for zone, server in self.below.items():
            if f".{name}".endswith(f".{zone}"):
                reply.header.aa = 0
                reply.add_auth(RR(zone, QTYPE.NS, rdata=NS(server)))
                return reply
        if name in self.aliases:
            reply.add_answer(RR(name, QTYPE.CNAME, rdata=CNAME(self.aliases[name])))
        else:
            reply.header.rcode = RCODE.NXDOMAIN
        return reply


class World(NameServers):
    """Three servers on loopback: of the domain test, of example.test and of other.test."""

    def __init__(self, aliases: dict[str, str]) -> None:
        super().__init__()
        self.looked_up: list[str] = []
        self.authorities = {
            "ns.test": Authority({"example.test": "ns.example.test", "other.test": "ns.other.test"}, {}),
            "ns.example.test": Authority({}, aliases),
            "ns.other.test": Authority({}, aliases),
        }
        self.servers = {
            name: DNSServer(authority, address="127.0.0.1", port=0, logger=DNSLogger("-"))
            for name, authority in self.authorities.items()
        }
        for server in self.servers.values():
            server.start_thread()

    def addresses(self, name: str) -> list[Server]:
        return [Server(name, "127.0.0.1", self.servers[name].server.server_address[1])]

    def of(self, zone: str) -> list[Server]:
        self.looked_up.append(zone)
        if zone != "test":
            raise CertfleetError(f"the name servers of {zone} cannot be found")
        return self.addresses("ns.test")

    def end(self) -> None:
        for server in self.servers.values():
            server.stop()
            server.server.server_close()


@pytest.fixture
def world() -> Iterator[World]:
    made = World({APEX: THERE, "_acme-challenge.far.example.test": "_acme-challenge.example.test"})
    yield made
    made.end()


def test_a_cname_is_followed_from_zone_to_zone_and_no_resolver_is_asked_for_the_name(world: World) -> None:
    followed = Delegations(world)
    names = [APEX, "_acme-challenge.far.example.test", "_acme-challenge.plain.example.test"]
    assert followed.follow(names) == {names[0]: THERE, names[1]: THERE, names[2]: names[2]}
    assert world.looked_up == ["test"]
    # Referrals are remembered: the servers above are not asked for each name.
    assert len(world.authorities["ns.test"].asked) <= 3
    before = [list(authority.asked) for authority in world.authorities.values()]
    followed.follow([*names, THERE])
    assert [authority.asked for authority in world.authorities.values()] == before


def test_where_nobody_answers_the_name_is_taken_as_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "_ANSWER_TIMEOUT", 0.1)
    followed = Delegations(world)
    elsewhere = [f"_acme-challenge.w{number}.example.nowhere" for number in range(20)]
    assert followed.follow(elsewhere) == {name: name for name in elsewhere}
    assert world.looked_up == ["nowhere"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        given = Delegations(NameServers([server]))
        assert given.follow(elsewhere) == {name: name for name in elsewhere}
        silent.setblocking(False)
        packets = 0
        try:
            while silent.recv(2048):
                packets += 1
        except BlockingIOError:
            pass
        assert packets == 1


@given(st.dictionaries(st.integers(0, 14), st.integers(0, 14), max_size=15), st.integers(0, 14))
def test_any_tangle_of_cnames_comes_to_an_end(aliases: dict[int, int], first: int) -> None:
    """It ends where there is no further CNAME, or says that there is no end, or that it is too far."""
    tangle = {f"n{at}.test": f"n{to}.test" for at, to in aliases.items()}
    followed = Delegations(NameServers(["127.0.0.1:9"]))
    followed._cname = tangle.get  # type: ignore[assignment, method-assign]
    found = followed.follow([f"n{first}.test"])[f"n{first}.test"]
    seen, at = [f"n{first}.test"], f"n{first}.test"
    while at in tangle and tangle[at] not in seen:
        at = tangle[at]
        seen.append(at)
    if at not in tangle and len(seen) <= 9:
        assert found == at
        return
    assert isinstance(found, CertfleetError)
    assert f"n{first}.test" in str(found)
    assert "circle" in str(found) or "more than" in str(found)
    if len(seen) <= 8:
        assert "circle" in str(found)


def test_a_value_goes_where_the_cname_leads_even_to_another_provider(world: World) -> None:
    here, there = Memory(Zone("Z1", "example.test")), Memory(Zone("Z2", "acme.other.test"))
    waiter = Waiter("provider", 30, sleep=lambda seconds: None)
    engine = Engine(Router([Route(here), Route(there)]), waiter, delegations=Delegations(world))
    one, two = TxtRecord(APEX, "one"), TxtRecord("_acme-challenge.plain.example.test", "two")
    lost = TxtRecord("_acme-challenge.nowhere.test", "x")
    planned = engine.plan([one, two, lost])
    outcome = engine.present([one, two, lost])
    assert planned.changed == outcome.changed == {one: True, two: True, lost: False}
    assert list(outcome.failed) == [lost]
    assert outcome.zones == {one: "acme.other.test", two: "example.test"}
    assert (set(here.sets), set(there.sets)) == ({two.name}, {THERE})
    # The CNAME is gone by the time of the clean-up: the value is looked for where it was put.
    world.authorities["ns.example.test"].aliases.clear()
    assert engine.possibly_there == {two, TxtRecord(THERE, "one")}
    assert engine.absent([one, two]).changed == {one: True, two: True}
    assert (here.sets, there.sets, engine.possibly_there) == ({}, {}, set())


def test_names_whose_cname_leads_nowhere_fail_alone(world: World) -> None:
    world.authorities["ns.example.test"].aliases.update(
        {"a.example.test": "b.example.test", "b.example.test": "a.example.test"}
    )
    here = Memory(Zone("Z1", "example.test"))
    engine = Engine(
        Router([Route(here)]), Waiter("provider", 30, sleep=lambda seconds: None), delegations=Delegations(world)
    )
    circle, away, good = TxtRecord("a.example.test", "x"), TxtRecord(APEX, "x"), TxtRecord("good.example.test", "x")
    outcome = engine.present([circle, away, good])
    assert set(outcome.failed) == {circle, away}
    assert "a.example.test -> b.example.test -> a.example.test" in str(outcome.failed[circle])
    assert f"{APEX} leads to {THERE}: no public Memory zone holds {THERE}" in str(outcome.failed[away])
    assert set(here.sets) == {good.name}
