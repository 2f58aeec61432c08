# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet of sshd hosts: a rotation that nobody notices, a killed run that leaves nothing, a client that sees."""

from __future__ import annotations

import json
import os
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fleet import enclosure, packages
from tests.fleet.client import Watcher
from tests.fleet.errors import FleetError
from tests.fleet.inside import USER
from tests.integration.conftest import missing, provided
from tests.lab import tls
from tests.runner import paths

PROGRAM = [sys.executable, "-m", "tests.fleet"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the fleet's folder comes: a short path, since sockets lie below it."""
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        yield Path(name)


@pytest.fixture
def machine(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of a run, after which nothing is left on the machine."""
    provided("pebble")
    lacking = packages.missing()
    if lacking:
        missing(f"no fleet: {packages.remedy(lacking)}")
    try:
        enclosure.check()
    except FleetError as error:
        missing(str(error))
    yield {**os.environ, "TMPDIR": str(folder)}
    assert USER not in Path("/etc/passwd").read_text(encoding="utf-8")
    assert str(folder) not in Path("/proc/self/mounts").read_text(encoding="utf-8")


def belonging(folder: Path) -> list[str]:
    """The processes that have something in a folder open, mounted, or on their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_text() + (process / "mounts").read_text()
        except OSError:
            continue
        if str(folder) in text:
            found.append(process.name)
    return found


def test_nobody_notices_a_rotation(machine: dict[str, str], folder: Path) -> None:
    done = subprocess.run(
        PROGRAM, env=machine, cwd=paths.ROOT, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["hosts"] == 3
    assert figures["services"] == 5
    assert figures["handshakes"] > 100 * figures["endpoints"]
    assert (figures["failures"], figures["mismatches"]) == (0, 0)
    assert list(folder.iterdir()) == []


def test_a_killed_run_leaves_nothing_running_or_mounted(machine: dict[str, str], folder: Path) -> None:
    with subprocess.Popen(PROGRAM, env=machine, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert select.select([run.stdout], [], [], 120)[0], "no line in two minutes"
        assert "sshd on 192.0.2." in run.stdout.readline()
        assert len(belonging(folder)) > 10  # the hosts, their sshd, the lab
        run.kill()
    deadline = time.monotonic() + 20
    while belonging(folder):
        assert time.monotonic() < deadline, belonging(folder)
        time.sleep(0.05)
    (empty,) = folder.iterdir()
    assert list(empty.iterdir()) == []


class Server:
    """Shakes hands with what it is given; ``None`` closes the connection instead."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.context: ssl.SSLContext | None = None
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _address = self.listener.accept()
                with connection:
                    if self.context:
                        self.context.wrap_socket(connection, server_side=True).close()
            except ssl.SSLError:
                continue
            except OSError:
                if self.listener.fileno() == -1:
                    return

    def use(self, authority: tls.Pair, name: str) -> None:
        """Serve a new certificate of an authority."""
        made = tls.make_listener(authority, [name])
        certificate, key = self.folder / f"{time.monotonic_ns()}.pem", self.folder / f"{time.monotonic_ns()}.key"
        made.write(certificate, key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.context = context


def test_the_client_sees_what_goes_wrong(tmp_path: Path) -> None:
    authority, stranger = tls.make_authority("ours"), tls.make_authority("ours")
    authority.write(tmp_path / "ours.pem", tmp_path / "ours.key")
    server = Server(tmp_path)
    server.use(authority, "a.example.com")
    place = {"address": "127.0.0.1", "port": server.listener.getsockname()[1], "starttls": ""}
    watcher = Watcher({**place, "server_name": "a.example.com"}, str(tmp_path / "ours.pem"))
    watcher.thread.start()
    try:
        first = watcher.look()
        assert first["handshakes"] >= 1
        assert (first["failures"], len(first["leaves"])) == (0, 1)

        server.use(authority, "a.example.com")
        second = watcher.look()
        assert second["newest"] != first["newest"]
        assert second["failures"] == 0

        def after(change: Any) -> tuple[int, int]:
            before = watcher.look()
            change()
            now = watcher.look()
            return now["failures"] - before["failures"], now["mismatches"] - before["mismatches"]

        def closed() -> None:
            server.context = None

        failures, mismatches = after(lambda: server.use(stranger, "a.example.com"))
        assert failures >= 1
        assert mismatches >= 1
        failures, mismatches = after(lambda: server.use(authority, "b.example.com"))
        assert failures >= 1
        assert mismatches >= 1
        failures, mismatches = after(closed)
        assert failures >= 1
        assert mismatches <= 1  # of the moment before
    finally:
        watcher.stopped.set()
        server.listener.close()
