# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client's process as the story has it, and what its sightings amount to."""

from __future__ import annotations

import hashlib
import json
import select
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.fleet.errors import Unexpected
from tests.lab.api import Lab
from tests.lab.web import https

#: Seconds that an answer of the client, and the last old process of a service, may take.
PATIENCE = 40.0
SETTLING = 15.0


@dataclass(frozen=True)
class Point:
    """An endpoint as the client reaches it."""

    host: str
    service: str
    address: str
    port: int
    server_name: str
    starttls: str

    @property
    def words(self) -> str:
        """As a person would name it."""
        how = f" ({self.starttls}, STARTTLS)" if self.starttls else ""
        return f"{self.service} on {self.host}, {self.server_name}:{self.port}{how}"


class Observer:
    """Runs the client while the story goes on. A context manager."""

    def __init__(self, points: Sequence[Point], issuer: str) -> None:
        self.points = list(points)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fleet.client"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._send(json.dumps({"issuer": issuer, "endpoints": [vars(point) for point in points]}))

    def __enter__(self) -> Observer:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.kill()
        self._process.wait()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def look(self) -> list[dict[str, Any]]:
        """What was seen at each endpoint so far, a handshake that begins now among it."""
        assert self._process.stdout is not None
        self._send("look")
        if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
            raise Unexpected("the client does not answer")
        found: list[dict[str, Any]] = json.loads(self._process.stdout.readline())
        return found

    def serials(self, *, other_than: Sequence[str] = ()) -> list[str]:
        """The serial that each endpoint serves now; waits a little where it is still the one of before."""
        deadline = time.monotonic() + SETTLING
        while True:
            found = [serial(seen) for seen in self.look()]
            old = [
                point.words for point, before, now in zip(self.points, other_than, found, strict=False) if before == now
            ]
            if not old:
                return found
            if time.monotonic() > deadline:
                raise Unexpected(f"the certificate of before is still served by {', '.join(old)}")


def serial(seen: dict[str, Any]) -> str:
    """The serial in hex of what an endpoint served last."""
    if not seen["newest"]:
        raise Unexpected(f"{seen['server_name']}:{seen['port']} has served nothing: {seen['told']}")
    return _serial(seen["leaves"][seen["newest"]]["pem"])


def _serial(pem: str) -> str:
    from cryptography import x509

    return f"{x509.load_pem_x509_certificate(pem.encode()).serial_number:x}"


def strangers(lab: Lab, seen: dict[str, Any]) -> int:
    """How many handshakes showed a leaf that the CA does not have just so."""
    found = 0
    for fingerprint, leaf in seen["leaves"].items():
        number = _serial(leaf["pem"])
        path = f"/cert-status-by-serial/{number.zfill(len(number) + len(number) % 2)}"
        status, body = https(lab.acme["management"], lab.acme["ca_path"], "GET", path)
        issued = ssl.PEM_cert_to_DER_cert(json.loads(body)["Certificate"]) if status == 200 else b""
        if hashlib.sha256(issued).hexdigest() != fingerprint:
            found += leaf["count"]
    return found
