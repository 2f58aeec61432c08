# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A proxy that leads the names of clouds to a lab: for programs that cannot be told of another endpoint.

It takes CONNECT (RFC 9110 section 9.3.6) for the hosts that it knows, refuses all others, ends TLS with a certificate
of the lab's CA, and hands the requests on in plain HTTP.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from tests.lab.api import Lab
from tests.lab.ports import LOOPBACK
from tests.lab.tls import Pair, make_listener

_HOP = ("connection", "transfer-encoding", "content-length", "keep-alive")


class Interceptor:
    """Listens while it is entered. targets: host name to the URL of the emulator that stands for it."""

    def __init__(self, lab: Lab, targets: Mapping[str, str], folder: Path) -> None:
        self._targets = targets
        certificate, key = folder / "interceptor.pem", folder / "interceptor.key"
        tls = lab.state.root / "tls"
        make_listener(Pair.read(tls / "ca.pem", tls / "ca.key"), list(targets)).write(certificate, key)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)

    def __enter__(self) -> Interceptor:
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _handler(self._targets, self._context))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """What to give as the proxy for https."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"


def _handler(targets: Mapping[str, str], context: ssl.SSLContext) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16
        behind = ""

        def log_message(self, format: str, *words: object) -> None:
            """The emulators have the requests."""

        def do_CONNECT(self) -> None:
            host = self.path.rpartition(":")[0]
            if host not in targets:
                self.send_error(403, f"{host} is not of this lab")
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.flush()
            self.behind = urlsplit(targets[host]).netloc
            self.request = context.wrap_socket(self.connection, server_side=True)
            self.setup()
            self.close_connection = False

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            connection = http.client.HTTPConnection(self.behind, timeout=60)
            connection.request(self.command, self.path, body=body or None, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

        do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = _forward

    return Handler
