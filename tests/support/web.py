# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real nginx that serves certificate ``one`` of a store, with its own commands to check and to reload."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.certfleet.acme.plugins.module_utils._tls.connection import handshake

from tests.lab import ports
from tests.lab.processes import stop
from tests.lab.servers import nginx
from tests.lab.state import State
from tests.support.host import Host, only
from tests.support.small_ca import SmallCA

CA = SmallCA()


class Web:
    """nginx on a host of its own. configuration: its file."""

    def __init__(self, root: Path) -> None:
        self.state = State.create(root / "lab")
        (self.port,) = ports.reserve(1, self.state.root)
        name = "web1"
        facts = nginx.prepare(self.state, nginx.Host(name, root / name, self.port, {"one": ["one.example"]}))
        self.configuration = root / name / "nginx.conf"
        self.check: list[str] = facts["check"]
        self.reload: list[str] = facts["reload"]
        self.host = Host(root)
        self.host.store = Path(facts["store_path"])

    def declared(self, **deploy: Any) -> list[dict[str, Any]]:
        endpoints = [{"port": self.port}]
        changed = {"check": self.check, "reload": self.reload, "endpoints": endpoints, "timeout": 2, **deploy}
        return [{"name": "one", "identifiers": ["one.example"], "deploy": changed}]

    def issued(self) -> list[dict[str, Any]]:
        """A new certificate for a new key."""
        asked = self.host.module("certificate_request", certificates=self.declared(), force=True)["certificates"]
        return [CA.issued(item) for item in asked]

    def install(self, issued: list[dict[str, Any]] | None = None, **deploy: Any) -> dict[str, Any]:
        """The result of the certificate."""
        options: dict[str, Any] = {"certificates": self.declared(**deploy), "issued": issued or []}
        return only(self.host.module("certificate_install", item_failures="report", **options))

    def process(self, issued: list[dict[str, Any]], **deploy: Any) -> subprocess.CompletedProcess[str]:
        """As install(), in a process of its own, which may be killed."""
        options = {"certificates": self.declared(**deploy), "issued": issued, "store_path": str(self.host.store)}
        arguments = self.host.root / "arguments.json"
        arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
        module = "ansible_collections.certfleet.acme.plugins.modules.certificate_install"
        command = [sys.executable, "-m", module, str(arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def served(self) -> str:
        return str(handshake("127.0.0.1", self.port, "one.example", timeout=5).facts()["serial"])

    def serves(self, serial: str) -> bool:
        """Whether it serves this one, once the processes from before a reload are gone."""
        deadline = time.monotonic() + 10
        while self.served() != serial:
            if time.monotonic() > deadline:
                return False
        return True

    def needs(self) -> list[str]:
        item = only(self.host.module("certificate_request", certificates=self.declared()))
        return [item["needs"], *(reason["code"] for reason in item["reasons"])]

    def versions(self) -> dict[str, str | None]:
        """Serials by version, all of which are whole; the active one is under ``current`` too."""
        listed = self.host.module("certificate_info", versions="all")["certificates"]
        assert [item["broken"] for item in listed] == [None] * len(listed)
        found = {item["version"]: item["serial"] for item in listed}
        (active,) = (item["serial"] for item in listed if item["active"])
        return {**found, "current": active}

    def stop(self) -> None:
        stop(self.state, ["nginx-web1"])


@contextmanager
def running(root: Path) -> Iterator[Web]:
    """nginx serves the first certificate; it is ended with the test."""
    web = Web(root)
    try:
        first = web.install(web.issued())
        assert first["deployed"], first
        yield web
    finally:
        web.stop()
        ports.release(web.state.root)
