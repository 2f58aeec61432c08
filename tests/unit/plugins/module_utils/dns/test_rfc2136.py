# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A name server whose connections break, and what is made of that."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress

import dns.flags
import dns.message
import dns.opcode
import dns.rrset
import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.engine import Engine
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord
from ansible_collections.certfleet.acme.plugins.module_utils._dns.rfc2136 import Rfc2136
from ansible_collections.certfleet.acme.plugins.module_utils._dns.wait import Waiter
from ansible_collections.certfleet.acme.plugins.module_utils._dns.zones import Route, Router

ZONE = "example.com"


class Server:
    """Answers questions for the SOA and takes each update, over TCP; breaks the connections in ``broken``, which are
    counted from 1, by a reset or, if ``politely``, by its end."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.broken: set[int] = set()
        self.politely = False
        self.connections = 0
        self.updates = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _peer = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                message = dns.message.from_wire(_received(connection))
                if self.connections in self.broken:
                    if not self.politely:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    continue
                answer = dns.message.make_response(message)
                answer.flags |= dns.flags.AA
                if message.opcode() == dns.opcode.UPDATE:
                    self.updates += 1
                else:
                    soa = dns.rrset.from_text(f"{ZONE}.", 60, "IN", "SOA", "ns. root. 1 60 60 60 60")
                    answer.authority.append(soa)
                wire = answer.to_wire()
                connection.sendall(struct.pack("!H", len(wire)) + wire)

    def stop(self) -> None:
        # An accept() that waits would outlive close().
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)


def _received(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as stream:
        (length,) = struct.unpack("!H", stream.read(2))
        return stream.read(length)


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.stop()


def engine(server: Server) -> Engine:
    provider = Rfc2136({"server": f"127.0.0.1:{server.port}"}, sleep=lambda seconds: None)
    return Engine(Router([Route(provider)]), Waiter("none", 30), sleep=lambda seconds: None)


RECORDS = [TxtRecord(f"_acme-challenge.w{number}.{ZONE}", "value") for number in range(3)]


@pytest.mark.parametrize("politely", [False, True])
@pytest.mark.parametrize("broken", [{1}, {2}, {1, 2, 3, 5}, {4}, {4, 5}])
def test_a_connection_that_breaks_fails_nothing(server: Server, broken: set[int], politely: bool) -> None:
    server.broken, server.politely = broken, politely
    outcome = engine(server).present(RECORDS)
    assert not outcome.failed
    assert all(outcome.changed.values())
    assert server.updates == 1
    assert server.connections == len(RECORDS) + 1 + len(broken)


def test_connections_that_always_break_are_told_in_a_line(server: Server) -> None:
    server.broken = set(range(1, 1000))
    outcome = engine(server).present(RECORDS)
    assert len(outcome.failed) == 3
    assert all("broke the connection" in str(error) for error in outcome.failed.values())
    assert server.connections < 15


def test_updates_that_always_break_are_not_tried_with_every_batch(server: Server) -> None:
    records = [TxtRecord(f"_acme-challenge.w{number}.{ZONE}", "value") for number in range(120)]
    server.broken = set(range(121, 1000))
    assert len(engine(server).present(records).failed) == 120
    assert server.connections == 120 + 1 + Rfc2136.repeats


def test_a_server_that_is_not_there_is_asked_once(server: Server) -> None:
    one = engine(server)
    server.stop()
    assert all("cannot be asked" in str(error) for error in one.present(RECORDS).failed.values())
    assert sum(one.calls.values()) == 1
