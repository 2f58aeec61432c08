# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts as the controller has them: started, linked, reached by SSH, ended."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.fleet import inside
from tests.fleet.enclosure import run, tied
from tests.fleet.errors import FleetError
from tests.fleet.services.service import Service, reload_or_start

CONTROLLER = "192.0.2.1"  # a block for documentation, RFC 5737
#: Seconds that a step of a host's start may take.
START_TIMEOUT = 30.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Host:
    """One host. python: the interpreter of its modules, binds: folders that it needs from the machine."""

    name: str
    address: str
    services: Sequence[Service]
    python: str
    folder: Path
    binds: Sequence[str] = ()
    process: subprocess.Popen[str] | None = field(default=None, repr=False)

    @property
    def declared(self) -> list[dict[str, Any]]:
        """Its certificates, in the collection's data model."""
        return [entry for service in self.services for entry in service.declared]

    def start(self, public_key: str) -> None:
        """Begin to start it; :meth:`ready` awaits it."""
        self.folder.mkdir()
        key = self.folder / "host_key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", str(key))
        script = {"path": "/usr/local/sbin/reload-or-start", "text": reload_or_start(self.services), "mode": 0o755}
        told = {
            "name": self.name,
            "folder": str(self.folder),
            "address": self.address,
            "peer": CONTROLLER,
            "binds": list(self.binds),
            "host_key": key.read_text(encoding="utf-8"),
            "public_key": public_key,
            "files": [script, *(file for service in self.services for file in service.files)],
        }
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*tied("--uts"), sys.executable, "-I", inside.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={"PATH": PATH, "LC_ALL": "C.UTF-8"},
            )
        self._tell(json.dumps(told))

    def ready(self) -> None:
        """Give it its link and return when sshd listens. Raises FleetError when it does not come up."""
        self._await("link")
        assert self.process is not None
        link = f"to-{self.name}"
        run("ip", "link", "add", "name", link, "type", "veth", "peer", "name", "eth0", "netns", str(self.process.pid))
        run("ip", "addr", "add", CONTROLLER, "peer", f"{self.address}/32", "dev", link)
        run("ip", "link", "set", link, "up")
        self._tell("")
        self._await("up")

    def _tell(self, line: str) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        except OSError as error:
            raise FleetError(f"{self.name} did not start: {self.log()}") from error

    def _await(self, line: str) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        answered = select.select([self.process.stdout], [], [], START_TIMEOUT)[0]
        if not answered or self.process.stdout.readline().strip() != line:
            raise FleetError(f"{self.name} did not start: {self.log()}")

    def log(self) -> str:
        """What its first process said."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace").strip()

    @property
    def _first(self) -> Path:
        """Its first process."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return Path(f"/proc/{children.read_text().split()[0]}")

    @property
    def root(self) -> Path:
        """Its file system, seen from here."""
        return self._first / "root"

    def routes(self) -> int:
        """How many ways lead out of it."""
        return len((self._first / "net/route").read_text().splitlines()) - 1

    def known_hosts(self) -> str:
        """Its line of known_hosts."""
        kind, key = (self.folder / "host_key.pub").read_text(encoding="utf-8").split()[:2]
        return f"{self.address} {kind} {key}\n"

    def down(self) -> None:
        """End it with all that runs on it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Fleet:
    """Several hosts, and the key and known_hosts to reach them by. A context manager."""

    def __init__(self, folder: Path, hosts: Sequence[Host]) -> None:
        self.folder = folder
        self.hosts = list(hosts)
        self.key = folder / "deployer_key"
        self.known_hosts = folder / "known_hosts"

    def __enter__(self) -> Fleet:
        try:
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "controller", "-f", str(self.key))
            public = self.key.with_suffix(".pub").read_text(encoding="utf-8")
            for host in self.hosts:
                host.start(public)
            for host in self.hosts:
                host.ready()
            self.known_hosts.write_text("".join(host.known_hosts() for host in self.hosts), encoding="utf-8")
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.down()

    def down(self) -> None:
        """End all hosts."""
        for host in self.hosts:
            host.down()

    def variables(self) -> dict[str, Any]:
        """How Ansible reaches them: host keys are checked, nothing of the user's own settings counts."""
        options = [
            "-F",
            os.devnull,
            "-o",
            f"UserKnownHostsFile={self.known_hosts}",
            "-o",
            f"GlobalKnownHostsFile={os.devnull}",
        ]
        options += ["-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes"]
        return {
            "ansible_user": inside.USER,
            "ansible_become": True,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": " ".join(options),
        }
