# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A TLS server that reads its certificate from files when it is told to, as a web server does on reload."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from pathlib import Path

_POKE = (
    "import socket,sys; s=socket.create_connection(('127.0.0.1',int(sys.argv[1])),10); "
    "s.sendall(b'r'); a=s.recv(200).decode(); print(a); sys.exit(a!='ok')"
)


class TlsServer:
    """Serves a certificate for each server name, from its directory with fullchain.pem and privkey.pem.

    stuck: names that keep what they serve through a reload. broken: the reload fails. Counts reloads and handshakes.
    """

    def __init__(self) -> None:
        self.directories: dict[str, Path] = {}
        self.stuck: set[str] = set()
        self.broken = ""
        self.reloads = 0
        self.handshakes = 0
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._front = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._front.sni_callback = self._choose
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._control = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        for target in (self._serve, self._obey):
            threading.Thread(target=target, daemon=True).start()

    @property
    def reload(self) -> list[str]:
        """The reload command."""
        return [sys.executable, "-I", "-S", "-c", _POKE, str(self._control.getsockname()[1])]

    def close(self) -> None:
        for listener in (self._listener, self._control):
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _choose(self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int | None:
        context = self._contexts.get(name or "")
        if context is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = context
        return None

    def _serve(self) -> None:
        while True:
            try:
                connection, _peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handshake, args=(connection,), daemon=True).start()

    def _handshake(self, connection: socket.socket) -> None:
        self.handshakes += 1
        try:
            connection.settimeout(5)
            with self._front.wrap_socket(connection, server_side=True) as tls:
                tls.recv(1)
        except OSError:
            pass

    def _obey(self) -> None:
        while True:
            try:
                connection, _peer = self._control.accept()
            except OSError:
                return
            with connection:
                connection.recv(1)
                connection.sendall(self._load().encode())

    def _load(self) -> str:
        self.reloads += 1
        if self.broken:
            return self.broken
        loaded = dict(self._contexts)
        for name, directory in self.directories.items():
            if name in self.stuck:
                continue
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            try:
                context.load_cert_chain(directory / "fullchain.pem", directory / "privkey.pem")
            except (OSError, ssl.SSLError) as error:
                return f"cannot load {directory}: {error}"
            loaded[name] = context
        self._contexts = loaded
        return "ok"
