# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real PostgreSQL that reads its certificate from the store: proven through SSLRequest, reloaded, rotated."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.lab import ports
from tests.support.host import Host, only
from tests.support.small_ca import SmallCA

CA = SmallCA()
#: Where Debian and Red Hat keep them, away from PATH.
FOLDERS = ["/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/bin"]


def program(name: str) -> str:
    found = shutil.which(name)
    if found:
        return os.path.realpath(found)
    for pattern in FOLDERS:
        for folder in sorted(Path("/").glob(pattern[1:])):
            if (folder / name).is_file():
                return str(folder / name)
    pytest.skip("no PostgreSQL server on this machine; its side of the protocol is scripted in test_starttls.py")


class Postgres:
    """A server of its own. It does not run as root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "data"
        self.user: str | None = None
        if os.getuid() == 0:
            self.user = "postgres" if "postgres" in {entry.pw_name for entry in pwd.getpwall()} else "nobody"
            shutil.chown(root, self.user)
        (self.port,) = ports.reserve(1, root)
        self.host = Host(root)
        self.ctl = [program("pg_ctl"), "-D", str(self.data), "-s", "-w", "-l", str(root / "log")]
        self.run([program("initdb"), "-D", str(self.data), "-A", "trust", "--no-sync", "--no-instructions"])
        store = self.host.store / "db" / "current"
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{root}'\n")
            file.write(f"ssl_cert_file = '{store}/fullchain.pem'\nssl_key_file = '{store}/privkey.pem'\n")
        self.run([*self.ctl, "start"])

    def run(self, command: list[str]) -> None:
        done = subprocess.run(
            command, user=self.user, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def stop(self) -> None:
        with suppress(AssertionError):
            self.run([*self.ctl, "-m", "immediate", "stop"])

    def declared(self) -> list[dict[str, Any]]:
        switch = "import os, sys; os.setuid(int(sys.argv[1])); os.execv(sys.argv[2], sys.argv[2:])"
        uid = pwd.getpwnam(self.user).pw_uid if self.user else os.getuid()
        command = [sys.executable, "-I", "-S", "-c", switch, str(uid)]
        deploy = {
            "reload": [*command, *self.ctl, "reload"],
            "endpoints": [{"port": self.port, "starttls": "postgres"}],
            "timeout": 3,
        }
        owner = {"owner": self.user} if self.user else {}
        return [{"name": "db", "identifiers": ["db.example"], "deploy": deploy, **owner}]

    def rotate(self) -> dict[str, Any]:
        asked = self.host.module("certificate_request", certificates=self.declared(), force=True)["certificates"]
        return only(
            self.host.module(
                "certificate_install",
                certificates=self.declared(),
                issued=[CA.issued(item) for item in asked],
                item_failures="report",
            )
        )


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="certfleet-postgres-") as folder:
        root = Path(folder).resolve()
        program("postgres")
        server = Postgres(root)
        try:
            yield server
        finally:
            server.stop()
            ports.release(root)


def test_a_certificate_of_postgresql_is_rotated_and_proven(postgres: Postgres) -> None:
    # ssl is off: the server says so, and the first certificate is staged.
    first = postgres.rotate()
    assert (first["failed"], first["stage"]) == (True, "prove")
    assert "the server does not offer STARTTLS: it answers N to SSLRequest; see whether ssl is on" in first["msg"]
    with open(postgres.data / "postgresql.conf", "a", encoding="utf-8") as file:
        file.write("ssl = on\n")
    done = postgres.rotate()
    assert done["deployed"], done
    next_one = postgres.rotate()
    assert next_one["deployed"], next_one
    endpoint = {"host": "127.0.0.1", "port": postgres.port, "starttls": "postgres"}
    served = only(postgres.host.module("tls_endpoint_info", endpoints=[endpoint]), "endpoints")
    assert served["serial"] == next_one["serial"] != done["serial"]
    # A reload that does not reach the server: the old one is still served, and that is said.
    declared = postgres.declared()
    declared[0]["deploy"]["reload"] = ["true"]
    asked = postgres.host.module("certificate_request", certificates=declared, force=True)["certificates"]
    issued = [CA.issued(item) for item in asked]
    stuck = only(
        postgres.host.module("certificate_install", certificates=declared, issued=issued, item_failures="report")
    )
    assert f"still serves the previous certificate (serial {next_one['serial']}, db.example)" in stuck["msg"]
    assert "after rolling back, the previous certificate is served" in stuck["msg"]
