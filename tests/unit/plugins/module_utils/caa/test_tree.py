# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._caa.policy import Applicant
from ansible_collections.certfleet.acme.plugins.module_utils._caa.preflight import examine
from ansible_collections.certfleet.acme.plugins.module_utils._caa.tree import Tree
from ansible_collections.certfleet.acme.plugins.module_utils._dns import walk
from ansible_collections.certfleet.acme.plugins.module_utils._dns.authoritative import NameServers
from ansible_collections.certfleet.acme.plugins.module_utils._dns.walk import Unknown
from dnslib import QTYPE, RCODE, RR
from dnslib.server import BaseResolver, DNSLogger, DNSServer

RECORDS = """
$ORIGIN example.test.
@       60 IN CAA 0 issue "apex.test"
deep    60 IN CAA 0 issue "deep.test"
deep    60 IN CAA 0 issuewild ";"
a.deep  60 IN A 127.0.0.1
alias   60 IN CNAME there.other.test.
circle  60 IN CNAME circle.example.test.
far1    60 IN CNAME far2.example.test.
far2    60 IN CNAME far3.example.test.
far3    60 IN CNAME far4.example.test.
far4    60 IN CNAME far5.example.test.
far5    60 IN CNAME far6.example.test.
far6    60 IN CNAME far7.example.test.
far7    60 IN CNAME far8.example.test.
far8    60 IN CNAME there.other.test.
$ORIGIN other.test.
there   60 IN CAA 0 issue "there.test"
"""


class Server(BaseResolver):
    """Answers for example.test and other.test, refuses all else, fails at one name."""

    def __init__(self) -> None:
        self.records = RR.fromZone(RECORDS)
        self.asked: list[str] = []

    def resolve(self, request: Any, handler: Any) -> Any:
        reply = request.reply(aa=1)
        name = str(request.q.qname).rstrip(".").lower()
        self.asked.append(name)
        if not name.endswith(("example.test", "other.test")):
            reply.header.rcode = RCODE.REFUSED
        elif name == "broken.example.test":
            reply.header.rcode = RCODE.SERVFAIL
        for record in self.records:
            if str(record.rname).rstrip(".") == name and record.rtype in (request.q.qtype, QTYPE.CNAME):
                reply.add_answer(record)
        return reply


@pytest.fixture
def served() -> Iterator[tuple[Server, str]]:
    server = Server()
    running = DNSServer(server, address="127.0.0.1", port=0, logger=DNSLogger("-"))
    running.start_thread()
    yield server, f"127.0.0.1:{running.server.server_address[1]}"
    running.stop()
    running.server.server_close()


@pytest.mark.parametrize(
    ("name", "where", "issuer"),
    [
        ("example.test", "example.test", "apex.test"),
        ("www.example.test", "example.test", "apex.test"),
        ("a.deep.example.test", "deep.example.test", "deep.test"),
        ("alias.example.test", "alias.example.test", "there.test"),
        ("www.alias.example.test", "alias.example.test", "there.test"),
        ("far1.example.test", "far1.example.test", "there.test"),
        ("other.test", "", ""),
        ("elsewhere.example", "", ""),
    ],
)
def test_the_nearest_set_above_a_name_applies(served: tuple[Server, str], name: str, where: str, issuer: str) -> None:
    found, properties = Tree(NameServers([served[1]])).applying(name)
    assert found == where
    assert [one.value for one in properties if one.tag == "issue"] == ([issuer] if issuer else [])


@pytest.mark.parametrize("name", ["broken.example.test", "www.broken.example.test", "circle.example.test"])
def test_where_nobody_can_say_nothing_is_taken_for_granted(served: tuple[Server, str], name: str) -> None:
    with pytest.raises(Unknown):
        Tree(NameServers([served[1]])).applying(name)


def test_a_hundred_names_ask_for_each_parent_once(served: tuple[Server, str]) -> None:
    server, address = served
    names = [f"w{number}.deep.example.test" for number in range(100)]
    findings = examine(
        [*names, "*.deep.example.test", "192.0.2.1"], Applicant(["deep.test"], None, "dns-01"), [address]
    )
    assert list(findings) == [*names, "*.deep.example.test"]
    assert all(findings[name].verdict.allowed for name in names)
    assert "CAA at deep.example.test forbids *.deep.example.test" in findings["*.deep.example.test"].text
    assert sorted(server.asked) == sorted([*names, "deep.example.test"])


def test_a_server_that_is_silent_costs_its_time_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "_ANSWER_TIMEOUT", 0.1)
    names = [f"w{number}.example.test" for number in range(20)]
    findings = examine(names, Applicant(["a.test"], None, "dns-01"), ["127.0.0.1:9"])
    assert {finding.verdict.allowed for finding in findings.values()} == {None}
    assert "127.0.0.1:9" in findings[names[0]].text
