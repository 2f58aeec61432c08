# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A TCP connection with an end: all that is done with it takes a bounded time and reads a bounded number of bytes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from .._errors import CertfleetError
from .._names import is_ip

_CHUNK = 16384


class Timeout(Exception):
    """The time of a connection is over."""


class Wire:
    """A connection to host and port. Use it as a context manager.

    deadline: by time.monotonic(). limit: bytes that are read of it, all in all. Raises OSError, Timeout and, when the
    other end sends more than that, CertfleetError.
    """

    def __init__(self, host: str, port: int, *, deadline: float, limit: int) -> None:
        self._deadline = deadline
        self._limit = limit
        self._room = limit
        self._pending = b""
        self._socket = _connect(host, port, self._left)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *unused: object) -> None:
        self._socket.close()

    def _left(self) -> float:
        """Seconds that are left. Raises Timeout when none are."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise Timeout
        return left

    def local_address(self) -> str:
        return str(self._socket.getsockname()[0])

    def send(self, data: bytes) -> None:
        """All of it. socket.sendall() counts its timeout for all of the data."""
        self._socket.settimeout(self._left())
        try:
            self._socket.sendall(data)
        except (socket.timeout, TimeoutError) as error:  # two classes before Python 3.10
            raise Timeout from error

    def receive(self) -> bytes:
        """What comes next, what was put back first; empty when the other end has closed."""
        if self._pending:
            data, self._pending = self._pending, b""
            return data
        if self._room <= 0:
            raise CertfleetError(f"the server sends more than {self._limit} bytes")
        self._socket.settimeout(self._left())
        try:
            data = self._socket.recv(min(_CHUNK, self._room))
        except (socket.timeout, TimeoutError) as error:
            raise Timeout from error
        self._room -= len(data)
        return data

    def exactly(self, count: int) -> bytes:
        """So many bytes; the rest of what came with them is kept. Fewer only when the other end has closed."""
        data, self._pending = self._pending, b""
        while len(data) < count:
            more = self.receive()
            if not more:
                return data
            data += more
        self._pending = data[count:]
        return data[:count]

    def line(self, longest: int) -> bytes:
        """Up to the next line feed, without it and the carriage return before it.

        Raises CertfleetError for a line that is too long, and when the other end closes first.
        """
        data = b""
        while b"\n" not in data:
            if len(data) > longest:
                raise CertfleetError(f"the server sends a line of more than {longest} bytes")
            more = self.receive()
            if not more:
                raise CertfleetError("the server has closed the connection")
            data += more
        line, _feed, self._pending = data.partition(b"\n")
        if len(line) > longest:
            raise CertfleetError(f"the server sends a line of more than {longest} bytes")
        return line[:-1] if line.endswith(b"\r") else line

    def unread(self) -> int:
        """How many bytes have come that nobody has asked for."""
        return len(self._pending)

    def renew_limit(self, limit: int) -> None:
        """Another phase, with a limit of its own."""
        self._limit = self._room = limit


def _connect(host: str, port: int, left: Callable[[], float]) -> socket.socket:
    """To the first address that answers; one that does not leaves time for the others. Raises OSError
    (socket.gaierror for a name) and Timeout."""
    problem: Exception = OSError(f"{host} has no address")
    addresses = _addresses(host, port, left)
    for number, (family, kind, protocol, _canonical, address) in enumerate(addresses):
        try:
            connection = socket.socket(family, kind, protocol)
        except OSError as error:  # a kind of address that this host does not have
            problem = error
            continue
        try:
            connection.settimeout(left() / (len(addresses) - number))
            connection.connect(address)
            return connection
        except (socket.timeout, TimeoutError):
            problem = Timeout()
        except OSError as error:
            problem = error
        connection.close()
    raise problem


def _addresses(host: str, port: int, left: Callable[[], float]) -> list[Any]:
    """As socket.getaddrinfo(), which knows no deadline: a resolver that does not answer is left behind."""
    if is_ip(host):
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    found: list[Any] = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(left())
    if not found:
        raise Timeout
    (answer,) = found
    if isinstance(answer, Exception):
        raise answer
    return list(answer)
