# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What befalls the way to a CA, as a proxy in front of Pebble: client and CA are as they are.

A proxy is made of threads of the caller, so that many can stand in front of one CA at once, each with its own faults.
"""

from __future__ import annotations

import http.client
import select
import ssl
import threading
from collections import Counter
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import time
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from ..ports import LOOPBACK
from ..requestlog import pebble_kind

WAYS = ("status", "cut", "silence")
_PROBLEM = b'{"type": "urn:ietf:params:acme:error:%s", "detail": "the lab says so"}'
_CODES = {429: b"rateLimited", 503: b"serverInternal"}


@dataclass
class Fault:
    """What befalls the first ``times`` requests of a kind (names of RFC 8555 section 7.1).

    way: ``status`` answers with ``status`` and does not pass the request on; ``cut`` passes it on and ends the
    connection in the middle of the answer; ``silence`` passes it on and never answers.
    retry_after: seconds to ask for with ``status``; as_date: as an HTTP date.
    """

    kind: str
    way: str
    times: int = 1
    status: int = 503
    retry_after: int | None = None
    as_date: bool = False

    def header(self) -> list[tuple[str, str]]:
        """Retry-After, if any."""
        if self.retry_after is None:
            return []
        return [
            (
                "Retry-After",
                formatdate(time() + self.retry_after, usegmt=True) if self.as_date else str(self.retry_after),
            )
        ]


class FaultProxy:
    """A proxy in front of a lab's Pebble. A context manager.

    directory: the URL of the directory behind it. seen: what came, as (kind, the CA's status or None for what was not
    passed on, whether a fault befell it), in the order of the answers.
    """

    def __init__(self, directory: str, tls: Path, *faults: Fault) -> None:
        """directory: Pebble's. tls: the lab's folder with ca.pem and the listener's certificate and key."""
        self.seen: list[tuple[str, int | None, bool]] = []
        self._faults = list(faults)
        self._left = [fault.times for fault in faults]
        self._lock = threading.Lock()
        self._over = threading.Event()
        upstream = urlsplit(directory)
        self._upstream = upstream.netloc
        self._trust = ssl.create_default_context(cafile=tls / "ca.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls / "listener.pem", tls / "listener.key")
        self._server = _server(self, context)
        self.directory = f"https://{LOOPBACK}:{self._server.server_address[1]}{upstream.path}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def calm(self) -> None:
        """No faults from now on, and forget what was seen."""
        with self._lock:
            self._faults, self._left = [], []
            self.seen.clear()

    def counts(self) -> Counter[str]:
        """How many requests of each kind came."""
        return Counter(kind for kind, _status, _fault in self.seen)

    def carried_out(self, kind: str) -> int:
        """How many requests of a kind the CA took (status below 300)."""
        return sum(1 for one, status, _fault in self.seen if one == kind and status is not None and status < 300)

    # For the handler

    def _fault(self, kind: str) -> Fault | None:
        with self._lock:
            for number, fault in enumerate(self._faults):
                if fault.kind == kind and self._left[number] > 0:
                    self._left[number] -= 1
                    return fault
        return None

    def _note(self, kind: str, status: int | None, fault: Fault | None) -> None:
        with self._lock:
            self.seen.append((kind, status, fault is not None))


def _server(proxy: FaultProxy, context: ssl.SSLContext) -> ThreadingHTTPServer:
    local = threading.local()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def log_message(self, format: str, *words: Any) -> None:
            pass

        def _all(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind = pebble_kind(self.command, urlsplit(self.path).path)
            fault = proxy._fault(kind)
            if fault is not None and fault.way == "status":
                proxy._note(kind, None, fault)
                headers = [("Content-Type", "application/problem+json"), *fault.header()]
                self._answer(fault.status, headers, _PROBLEM % _CODES.get(fault.status, b"serverInternal"))
                return
            status, headers, content = self._forward(body)
            proxy._note(kind, status, fault)
            self._answer(status, headers, content, fault)

        do_GET = do_POST = do_HEAD = _all

        def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = getattr(local, "connection", None)
            if connection is None:
                connection = http.client.HTTPSConnection(proxy._upstream, timeout=30, context=proxy._trust)
                local.connection = connection
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "transfer-encoding", "expect"):
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
            dropped = ("connection", "content-length", "transfer-encoding", "date")
            return answer.status, [pair for pair in answer.getheaders() if pair[0].lower() not in dropped], content

        def _answer(
            self, status: int, headers: list[tuple[str, str]], content: bytes, fault: Fault | None = None
        ) -> None:
            head = [f"HTTP/1.1 {status} {http.client.responses.get(status, '')}"]
            head += [f"{name}: {value}" for name, value in headers]
            start = "\r\n".join([*head, f"Content-Length: {len(content)}", "", ""]).encode("latin-1")
            whole = start if self.command == "HEAD" else start + content
            if fault is not None:
                self.close_connection = True
                if fault.way == "silence":
                    # Until the other side has gone.
                    while not proxy._over.is_set() and not select.select([self.connection], [], [], 0.1)[0]:
                        pass
                    return
                whole = whole[: len(start) + len(content) // 2] if len(whole) > len(start) else start[: len(start) // 2]
            self.wfile.write(whole)
            self.wfile.flush()

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def get_request(self) -> Any:
            connection, address = super().get_request()
            # The handshake comes with the first byte that is read, in the connection's own thread.
            return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Quiet: those who are cut off and those who give up are what it is for."""

    return Server((LOOPBACK, 0), Handler)
