# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the fleet in namespaces of its own, so that nothing of it can be left behind and nothing of the machine changes.

The program starts itself again with its own mounts, network, processes and IPC. Whatever ends it, SIGKILL too, ends all
that was started in there, and the kernel takes the mounts and interfaces away with the last process.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType

from tests.fleet.errors import FleetError

PREFIX = "certfleet-fleet-"
INSIDE = "--inside"
#: The child of each is killed when its parent ends, however that ends.
_TIED = ["setpriv", "--pdeathsig", "KILL", "unshare", "--fork", "--kill-child", "--pid", "--mount", "--net", "--ipc"]


def tied(*options: str) -> list[str]:
    """The words before a command that give it namespaces and end it with this process."""
    return [*_TIED, *options]


def check() -> None:
    """Raises FleetError where there can be no fleet, and says why."""
    if os.geteuid() != 0:
        raise FleetError("the fleet needs root: its hosts have users, services and a network of their own")
    probe = subprocess.run(
        [*tied("--mount-proc"), "true"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if probe.returncode != 0:
        raise FleetError(f"this machine gives no namespaces: {probe.stderr.strip()}")


def enclose(module: str, arguments: list[str]) -> int:
    """Run ``python -m MODULE --inside FOLDER ARGUMENTS`` enclosed; returns its exit code. Raises FleetError."""
    check()
    folder = tempfile.mkdtemp(prefix=PREFIX)
    words = [*tied("--mount-proc"), sys.executable, "-m", module, INSIDE, folder, *arguments]
    # In a session of its own, so that an interrupt from the terminal comes here alone.
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)

    def terminated(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, terminated)
    try:
        return child.wait()
    finally:
        child.kill()
        child.wait()
        shutil.rmtree(folder, ignore_errors=True)


def settle(folder: Path) -> None:
    """Inside: a file system in memory at the folder, for all that is written, and a loopback interface."""
    run("mount", "-t", "tmpfs", "-o", "mode=0755", "fleet", str(folder))
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    run("ip", "link", "set", "lo", "up")


def run(*words: str) -> str:
    """Run a command of the machine; returns what it printed. Raises FleetError when it fails."""
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30, check=False)
    if done.returncode != 0:
        raise FleetError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
