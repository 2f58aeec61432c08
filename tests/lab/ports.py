# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Free ports that stay free until their server binds them, also when several labs start at once.

A port comes from below the range that the kernel gives to outgoing connections, so none of those can take
it later (nginx binds minutes after ``up``), and it is reserved by a file that names the lab that holds it.
"""

from __future__ import annotations

import os
import random
import socket
import tempfile
from pathlib import Path

from .errors import LabError

LOOPBACK = "127.0.0.1"
LOWEST = 15000


def _registry() -> Path:
    """The folder of reservations, one for each user."""
    return Path(tempfile.gettempdir()) / f"certfleet-lab-ports-{os.getuid()}"


def _highest() -> int:
    """The last port below the kernel's range for outgoing connections (32768 where that is unknown)."""
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        first = 32768
    return first - 1 if first > LOWEST + 2000 else 65535


def _bindable(port: int) -> bool:
    """Whether nobody listens on the port, neither TCP nor UDP."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                return False
    return True


def _reserve(port: int, owner: Path) -> bool:
    """Take the reservation file of a port; one left by a lab that is gone is taken over."""
    entry = _registry() / str(port)
    for _attempt in range(5):
        try:
            # Another lab that gives back its last port takes the folder away with it.
            entry.parent.mkdir(mode=0o700, exist_ok=True)
            handle = os.open(entry, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            try:
                holder = entry.read_text()
                if not holder or Path(holder).exists():
                    return False
                entry.unlink()
            except FileNotFoundError:
                pass
            continue
        except FileNotFoundError:
            continue
        with os.fdopen(handle, "w") as stream:
            stream.write(str(owner))
        return True
    return False


def reserve(count: int, owner: Path) -> list[int]:
    """Reserve ports for a lab.

    :param count: how many.
    :param owner: the lab's state folder; the reservation lasts as long as that folder exists.
    :raises LabError: when no free port is found.
    """
    found: list[int] = []
    candidates = random.sample(range(LOWEST, _highest()), k=min(4000, _highest() - LOWEST))
    for port in candidates:
        if len(found) == count:
            break
        if _reserve(port, owner):
            if _bindable(port):
                found.append(port)
            else:
                (_registry() / str(port)).unlink(missing_ok=True)
    if len(found) < count:
        release(owner)
        raise LabError(f"only {len(found)} of {count} free ports found on {LOOPBACK}")
    return found


def release(owner: Path) -> None:
    """Give back every port of a lab, and the folder of reservations when it is empty."""
    try:
        entries = list(_registry().iterdir())
    except FileNotFoundError:
        return
    for entry in entries:
        try:
            if entry.read_text() == str(owner):
                entry.unlink()
        except FileNotFoundError:
            continue
    try:
        _registry().rmdir()
    except OSError:
        pass
