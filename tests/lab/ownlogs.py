# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Request logs read out of what a CA writes itself: Pebble's and step-ca's logs, OpenBao's audit log."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .requestlog import Request, openbao_kind, pebble_kind, step_ca_kind

#: OpenBao names what a request does, not its method.
OPENBAO_METHODS = {"header": "HEAD", "read": "GET", "create": "POST", "update": "POST"}
_PEBBLE_LINE = re.compile(r"^Pebble \S+ \S+ (?P<method>[A-Z]+) (?P<path>/\S*) -> calling handler\(\)$")


def read_pebble(log: Path, offset: int) -> list[Request]:
    """The requests in Pebble's own log, from an offset (bytes) on.

    Its paths end at the resource (``/my-order/``), and a request it refuses before the handler (a wrong
    method, no User-Agent) is not in it.
    """
    with open(log, "rb") as stream:
        stream.seek(offset)
        text = stream.read().decode("utf-8", errors="replace")
    found = []
    for line in text.splitlines():
        match = _PEBBLE_LINE.match(line)
        if match:
            method, path = match["method"], match["path"]
            found.append(Request(kind=pebble_kind(method, path), method=method, path=path, status=None, time=0.0))
    return found


def read_openbao(log: Path) -> list[Request]:
    """The ACME requests in OpenBao's audit log, in the order of their answers."""
    found = []
    for entry in _objects(log, 0):
        path = entry["request"].get("path", "")
        if entry["type"] != "response" or "/acme/" not in path or path.endswith("/new-eab"):
            continue
        operation = entry["request"]["operation"]
        method = OPENBAO_METHODS.get(operation, operation)
        status = entry.get("response", {}).get("data", {}).get("http_status_code")
        found.append(
            Request(kind=openbao_kind(method, path), method=method, path=f"/v1/{path}", status=status, time=0.0)
        )
    return found


def read_step_ca(log: Path, offset: int) -> list[Request]:
    """The ACME requests in the log of step-ca or of Caddy, from an offset (bytes) on.

    Both write a request down when it is answered: the last one may be missing for a moment.
    """
    found = []
    for entry in _objects(log, offset):
        request = entry.get("request", {})
        method, path = request.get("method") or entry.get("method"), request.get("uri") or entry.get("path", "")
        if method and "status" in entry and path.startswith("/acme/"):
            found.append(
                Request(kind=step_ca_kind(method, path), method=method, path=path, status=entry["status"], time=0.0)
            )
    return found


def _objects(log: Path, offset: int) -> list[dict[str, Any]]:
    """The JSON objects of a log, one a line, other lines left out; none when there is no file."""
    try:
        with open(log, "rb") as stream:
            stream.seek(offset)
            lines = stream.read().decode("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found
