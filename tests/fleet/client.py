# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client that shakes hands with every endpoint, again and again, and notes what it saw. It knows nothing of Ansible.

A process of its own: its first line of input names the endpoints in JSON, each line after that is answered with what
was seen so far, as soon as every endpoint has had a handshake that began after the question; it ends with its input.
"""

from __future__ import annotations

import hashlib
import imaplib
import json
import os
import smtplib
import socket
import ssl
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

#: Seconds that one handshake may take, and between two with the same endpoint.
TIMEOUT = 10.0
PAUSE = 0.02
#: Failures that are told; all are counted.
TOLD = 20


@dataclass
class Seen:
    """What came of the handshakes with one endpoint. leaves: by fingerprint. rounds: handshakes begun and ended."""

    handshakes: int = 0
    failures: int = 0
    mismatches: int = 0
    rounds: int = 0
    newest: str = ""
    told: list[str] = field(default_factory=list)
    leaves: dict[str, dict[str, Any]] = field(default_factory=dict)


class Watcher:
    """Shakes hands with one endpoint in a thread until it is stopped.

    The handshake itself proves that the server has the key of the leaf it shows (no session is ever resumed); the
    context verifies that the chain leads from that leaf to the CA, and that the leaf is for the name.
    """

    def __init__(self, endpoint: dict[str, Any], issuer: str) -> None:
        self.endpoint = endpoint
        self.seen = Seen()
        self.changed = threading.Condition()
        self.stopped = threading.Event()
        self.context = ssl.create_default_context(cafile=issuer)
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self.stopped.is_set():
            began = time.time()
            try:
                leaf = self._shake()
            except (OSError, ssl.SSLError, smtplib.SMTPException, imaplib.IMAP4.error, EOFError) as error:
                self._failed(error, began)
            else:
                self._noted(leaf)
            self.stopped.wait(PAUSE)

    def _shake(self) -> bytes:
        """The leaf in DER. Raises what its protocol raises."""
        address = (self.endpoint["address"], self.endpoint["port"])
        protocol, name = self.endpoint["starttls"], self.endpoint["server_name"]
        if protocol == "smtp":
            return self._smtp(address, name)
        if protocol == "imap":
            return self._imap(address, name)
        with (
            socket.create_connection(address, timeout=TIMEOUT) as plain,
            self.context.wrap_socket(plain, server_hostname=name) as secured,
        ):
            return _leaf(secured)

    def _smtp(self, address: tuple[str, int], name: str) -> bytes:
        with smtplib.SMTP(timeout=TIMEOUT, local_hostname="client.example.com") as client:
            client.connect(*address)
            client._host = name  # type: ignore[attr-defined]  # what starttls() verifies
            client.starttls(context=self.context)
            assert isinstance(client.sock, ssl.SSLSocket)
            return _leaf(client.sock)

    def _imap(self, address: tuple[str, int], name: str) -> bytes:
        with imaplib.IMAP4(*address, timeout=TIMEOUT) as client:
            client.host = name
            client.starttls(ssl_context=self.context)
            assert isinstance(client.sock, ssl.SSLSocket)
            return _leaf(client.sock)

    def _failed(self, error: Exception, began: float) -> None:
        with self.changed:
            self.seen.failures += 1
            # Bad signatures and chains that lead nowhere are certificates that do not fit; anything else is no answer.
            reason = getattr(error, "reason", None) or ""
            if isinstance(error, ssl.SSLCertVerificationError) or "SIGNATURE" in str(reason):
                self.seen.mismatches += 1
            if len(self.seen.told) < TOLD:
                took = time.time() - began
                self.seen.told.append(f"at {began:.3f}, after {took:.3f} s: {type(error).__name__}: {error}")
            self._round()

    def _noted(self, leaf: bytes) -> None:
        fingerprint = hashlib.sha256(leaf).hexdigest()
        with self.changed:
            self.seen.handshakes += 1
            self.seen.newest = fingerprint
            known = self.seen.leaves.setdefault(fingerprint, {"pem": ssl.DER_cert_to_PEM_cert(leaf), "count": 0})
            known["count"] += 1
            self._round()

    def _round(self) -> None:
        self.seen.rounds += 1
        self.changed.notify_all()

    def look(self) -> dict[str, Any]:
        """What was seen, once a handshake that begins from now on has ended."""
        with self.changed:
            # The one that is under way does not count.
            enough = self.seen.rounds + 2
            self.changed.wait_for(lambda: self.seen.rounds >= enough or self.stopped.is_set(), 3 * TIMEOUT)
            return {**self.endpoint, **json.loads(json.dumps(vars(self.seen)))}


def _leaf(secured: ssl.SSLSocket) -> bytes:
    leaf = secured.getpeercert(binary_form=True)
    if not leaf or secured.session_reused:
        raise OSError("the server showed no certificate of its own")
    return leaf


def main() -> None:
    """Watch until the input ends."""
    os.nice(5)  # on a machine with little to spare, what is watched goes first
    told = json.loads(sys.stdin.readline())
    watchers = [Watcher(endpoint, told["issuer"]) for endpoint in told["endpoints"]]
    for watcher in watchers:
        watcher.thread.start()
    for _line in sys.stdin:
        print(json.dumps([watcher.look() for watcher in watchers]), flush=True)
    for watcher in watchers:
        watcher.stopped.set()


if __name__ == "__main__":
    main()
