# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the fleet has to know of a service."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

STORE = "/etc/certfleet"


@dataclass(frozen=True)
class Endpoint:
    """Where a certificate is served: port, name to ask for, and the protocol that TLS is started in, if any."""

    port: int
    server_name: str
    starttls: str = ""

    def declared(self) -> dict[str, Any]:
        """In the collection's data model, as the host itself reaches it."""
        found: dict[str, Any] = {"host": "127.0.0.1", "port": self.port, "server_name": self.server_name}
        return {**found, "starttls": self.starttls} if self.starttls else found


@dataclass(frozen=True)
class Unit:
    """How a daemon is started, how it reads its files anew, and the file with its process id."""

    name: str
    start: str
    reload: str
    pid_file: str


@dataclass(frozen=True)
class Service:
    """Daemons with the certificates that they serve.

    files: path, text and mode of each. declared: entries of ``certificates``, the data model of the collection.
    """

    name: str
    units: Sequence[Unit]
    files: Sequence[dict[str, Any]]
    declared: Sequence[dict[str, Any]]
    endpoints: Sequence[Endpoint]


def configuration(path: str, text: str, mode: int = 0o644) -> dict[str, Any]:
    """A file of a service."""
    return {"path": path, "text": text, "mode": mode}


def certificate(
    name: str, identifiers: Sequence[str], endpoints: Sequence[Endpoint], check: str, units: Sequence[str], **more: Any
) -> dict[str, Any]:
    """One entry of ``certificates``. check: a command line. units: what is reloaded."""
    deploy = {
        "check": shlex.split(check),
        "reload": ["reload-or-start", *units],
        "endpoints": [endpoint.declared() for endpoint in endpoints],
        "timeout": 30,
    }
    return {"name": name, "identifiers": list(identifiers), "deploy": deploy, **more}


def reload_or_start(services: Sequence[Service]) -> str:
    """The script that does for these daemons, by their own commands, what systemd's reload-or-restart does."""
    cases = "".join(
        f"    {unit.name}) if running {unit.pid_file}; then {unit.reload}; else {unit.start}; fi ;;\n"
        for service in services
        for unit in service.units
    )
    return f"""\
#!/bin/sh
set -eu
running() {{ [ -s "$1" ] && kill -0 "$(tr -d ' ' < "$1")" 2>/dev/null; }}
for unit in "$@"; do
    case $unit in
{cases}    *) echo "no unit $unit" >&2; exit 1 ;;
    esac
done
"""
