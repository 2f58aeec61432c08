# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A CA that says what a test wrote down for it, over real HTTP: for what no real CA can be brought to say."""

from __future__ import annotations

import base64
import itertools
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ansible_collections.certfleet.acme.plugins.module_utils._acme.session import Session, open_session
from ansible_collections.certfleet.acme.plugins.module_utils._keys.account import generate_key, wrap_private_key

KEY = wrap_private_key(generate_key("ecdsa-p256"), what="the test")
URN = "urn:ietf:params:acme:error:"

#: (status, headers, body): bytes go out as they are, None cuts the connection without an answer.
Answer = tuple[int, dict[str, str], Any]


@dataclass
class Stream:
    """What goes out instead of an answer, status line and headers included, with a pause (s) after each piece."""

    pieces: Iterable[bytes]
    pause: float = 0.0


def problem(kind: str, status: int = 403, detail: str = "", **headers: str) -> Answer:
    """An error answer; header names with ``_`` for ``-``."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, names, {"type": URN + kind, "detail": detail or f"{kind} happened"}


class ScriptedCA:
    """url: its address. asked: what came, as (method, path, decoded protected header or None, decoded payload).

    script: for each path the answers in their order, the last one for good. A callable is asked with the payload.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[tuple[str, str, dict[str, Any] | None, Any]] = []
        self.script: dict[str, list[Answer | Stream | Callable[[Any], Answer] | None]] = {}
        self.user_agents: set[str] = set()
        self.over = threading.Event()
        self.directory: dict[str, Any] = {
            name: f"{url}/{name}" for name in ("newNonce", "newAccount", "newOrder", "revokeCert")
        }
        self._nonces = itertools.count(1)
        self._lock = threading.Lock()

    def paths(self) -> list[str]:
        """The paths that were asked, in their order."""
        return [path for _method, path, _protected, _payload in self.asked]

    def nonce(self) -> str:
        """A new nonce."""
        return base64.urlsafe_b64encode(f"nonce{next(self._nonces):07d}".encode()).decode()

    def session(self, **options: Any) -> Session:
        """A session bound to an account."""
        params = {"acme_directory": f"{self.url}/directory", "request_timeout": 5, "timeout": 10, **options}
        session = open_session(params, KEY)
        session.bind(f"{self.url}/account/1")
        return session

    def answer(self, method: str, path: str, body: bytes) -> Answer | Stream | None:
        """What goes out for a request."""
        protected = payload = None
        if body:
            jws = json.loads(body)
            protected = json.loads(_decode(jws["protected"]))
            payload = json.loads(_decode(jws["payload"]) or b"null")
        with self._lock:
            self.asked.append((method, path, protected, payload))
            steps = self.script.get(path.strip("/"))
            step = None if steps is None else steps.pop(0) if len(steps) > 1 else steps[0]
        if steps is None:
            fixed: dict[str, Answer] = {"/directory": (200, {}, self.directory), "/newNonce": (200, {}, b"")}
            return fixed.get(path, problem("malformed", 404))
        return step(payload) if callable(step) else step


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@contextmanager
def scripted_ca() -> Iterator[ScriptedCA]:
    """A running ScriptedCA."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            ca.user_agents.add(str(self.headers.get("User-Agent")))
            found = ca.answer(self.command, self.path, body)
            if isinstance(found, Stream):
                self._stream(found)
                return
            if found is None:
                self.close_connection = True
                self.connection.close()
                return
            status, headers, content = found
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"Replay-Nonce": ca.nonce(), **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def _stream(self, stream: Stream) -> None:
            self.close_connection = True
            try:
                for piece in stream.pieces:
                    self.wfile.write(piece)
                    if stream.pause and ca.over.wait(stream.pause):
                        return
            except OSError:
                pass  # whoever asked has gone

        do_GET = do_POST = do_HEAD = _serve

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    ca = ScriptedCA(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield ca
    finally:
        ca.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
