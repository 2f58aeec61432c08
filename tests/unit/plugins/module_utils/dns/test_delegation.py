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
        source = self.source(name)
        if source:
            reply.add_answer(RR(name, QTYPE.CNAME, rdata=CNAME(self.aliases[source])))
        else:
            reply.header.rcode = RCODE.NXDOMAIN
        return reply

    def source(self, name: str) -> str:
        """The name itself where it exists, else the wildcard of the closest name above that does (RFC 4592)."""
        if name in self.aliases:
            return name
        existing = {".".join(alias.split(".")[at:]) for alias in self.aliases for at in range(alias.count(".") + 1)}
        while name and name not in existing:
            name = name.partition(".")[2]
        return f"*.{name}" if f"*.{name}" in self.aliases else ""


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


@pytest.mark.parametrize(
    "target", ["lb.cdn.test", "www.example.test", "lb.wild.example.test", "_acme-challenge.w1.wild.example.test"]
)
def test_the_cname_of_a_wildcard_is_not_that_of_the_name(world: World, target: str) -> None:
    """It is gone from the name as soon as a value is there: a CA finds the value at the name."""
    aliases = world.authorities["ns.example.test"].aliases
    aliases.update(
        {
            "*.wild.example.test": target,
            "_acme-challenge.own.wild.example.test": THERE,
            "_acme-challenge.led.example.test": "_acme-challenge.w2.wild.example.test",
        }
    )
    followed = Delegations(world)
    wild = [f"_acme-challenge.{label}wild.example.test" for label in ("w1.", "a.b.", "")]
    own, led = "_acme-challenge.own.wild.example.test", "_acme-challenge.led.example.test"
    assert followed.follow([*wild, own, led]) == {
        **{name: name for name in wild},
        own: THERE,
        led: "_acme-challenge.w2.wild.example.test",
    }
    # An own CNAME that leads to the same place as the wildcard is an own one all the same.
    aliases["_acme-challenge.own.wild.example.test"] = target = "same.other.test"
    aliases["*.wild.example.test"] = target
    assert Delegations(world).follow([own]) == {own: target}


def test_what_no_wildcard_can_be_asked_below_is_followed(world: World) -> None:
    name = ".".join(["a" * 60] * 3 + ["b" * 56, "example", "test"])
    assert len(name) == 252
    world.authorities["ns.example.test"].aliases[name] = THERE
    assert Delegations(world).follow([name]) == {name: THERE}


def test_names_without_a_cname_cost_one_question(world: World) -> None:
    name = "_acme-challenge.plain.example.test"
    Delegations(world).follow([name])
    assert world.authorities["ns.example.test"].asked == [name]


@pytest.mark.parametrize("order", [["ns.test", "ns.example.test"], ["ns.example.test", "ns.test"]])
def test_of_servers_that_were_given_a_referral_is_no_answer(world: World, order: list[str]) -> None:
    """The server of the zone above may be among them, and first."""
    given = NameServers([f"127.0.0.1:{world.servers[name].server.server_address[1]}" for name in order])
    # Both say so: that the parent refers on is not known to be wrong.
    world.authorities["ns.test"].below.pop("other.test")
    assert Delegations(given).follow([APEX]) == {APEX: THERE}


def test_servers_that_only_refer_on_do_not_serve_the_name(world: World) -> None:
    given = NameServers([f"127.0.0.1:{world.servers['ns.test'].server.server_address[1]}"])
    with pytest.raises(walk.Unknown) as caught:
        walk.Walk(given).ask(APEX, "CNAME")
    assert caught.value.refused
    assert "has no answer of its own" in str(caught.value)


@pytest.mark.parametrize("links", [8, 9])
def test_eight_cnames_in_a_row_are_followed(links: int) -> None:
    chain = {f"n{at}.test": f"n{at + 1}.test" for at in range(links)}
    followed = Delegations(NameServers(["127.0.0.1:9"]))
    followed._cname = chain.get  # type: ignore[assignment, method-assign]
    found = followed.follow(["n0.test"])["n0.test"]
    assert found == "n8.test" if links == 8 else "more than 8 CNAMEs" in str(found)


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
