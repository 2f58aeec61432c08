# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS servers that begin in plain text, one for each protocol, and servers that behave as none should."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.small_ca import SmallCA, pem

#: RFC 4511 section 4.12: ExtendedResponse of message 1, resultCode 0, two empty strings, the name of the operation.
LDAP_NAME = b"1.3.6.1.4.1.1466.20037"
LDAP_OK = b"\x30\x24\x02\x01\x01\x78\x1f\x0a\x01\x00\x04\x00\x04\x00\x8a\x16" + LDAP_NAME
LDAP_REQUEST = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + LDAP_NAME
SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"

#: What a server says and what it then waits for, in turns; the last thing is said and TLS begins.
DIALOGUES: dict[str, list[bytes]] = {
    "smtp": [
        b"220-mail.example ESMTP\r\n220 ready\r\n",
        b"EHLO [127.0.0.1]\r\n",
        b"250-mail.example\r\n250-SIZE 1000\r\n250-starttls\r\n250 HELP\r\n",
        b"STARTTLS\r\n",
        b"220 go on\r\n",
    ],
    "imap": [
        b"* OK [CAPABILITY IMAP4rev1 IMAP4rev2] ready\r\n",
        b"a1 CAPABILITY\r\n",
        b"* CAPABILITY IMAP4rev1 IMAP4rev2 STARTTLS LOGINDISABLED\r\na1 OK done\r\n",
        b"a2 STARTTLS\r\n",
        b"a2 OK go on\r\n",
    ],
    "pop3": [
        b"+OK ready <1@mail.example>\r\n",
        b"CAPA\r\n",
        b"+OK list follows\r\nTOP\r\nSTLS\r\n.\r\n",
        b"STLS\r\n",
        b"+OK go on\r\n",
    ],
    "ldap": [b"", LDAP_REQUEST, LDAP_OK],
    "postgres": [b"", SSL_REQUEST, b"S"],
}


class Certificate:
    """Of mail.example, with its key, in a file each."""

    def __init__(self, folder: Path) -> None:
        ca, key = SmallCA(), ec.generate_private_key(ec.SECP256R1())
        leaf = ca.sign(key.public_key(), ["mail.example"])
        self.serial = format(leaf.serial_number, "x")
        self.chain, self.key = folder / "chain.pem", folder / "key.pem"
        self.chain.write_text(pem(leaf) + pem(ca.intermediate))
        self.key.touch(mode=0o600)
        self.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that handles each connection so."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection,), daemon=True).start()

    def handle(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(20)
            answer(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def following(turns: list[bytes], context: ssl.SSLContext | None = None) -> Callable[[socket.socket], None]:
    """Says and awaits in turns. Then TLS, with a context; else the server waits until the client has gone."""

    def answer(connection: socket.socket) -> None:
        for number, turn in enumerate(turns):
            if number % 2 == 0:
                connection.sendall(turn)
            else:
                heard = b""
                while len(heard) < len(turn):
                    more = connection.recv(len(turn) - len(heard))
                    if not more:
                        return
                    heard += more
                if heard != turn:
                    connection.sendall(b"unexpected: " + heard + b"\r\n")
                    return
        if context is None:
            while connection.recv(1000):
                pass
            return
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(1)

    return answer


def repeating(start: bytes, more: bytes, pause: float = 0.0) -> Callable[[socket.socket], None]:
    """Says the same again and again, with a pause of seconds after each, for longer than any test waits."""
    waiting = threading.Event()

    def answer(connection: socket.socket) -> None:
        connection.sendall(start)
        end = time.monotonic() + 8
        while time.monotonic() < end and not waiting.wait(pause):
            connection.sendall(more)

    return answer
