# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service on a host: certificates of the store that a TLS server serves, deployed by the modules."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.certfleet.acme.plugins.module_utils._tls.connection import handshake

from tests.support.host import Host, only
from tests.support.small_ca import SmallCA
from tests.support.tls_server import TlsServer

CA = SmallCA()


class Service:
    """Two certificates, ``one`` and ``two``, that one TLS server serves."""

    def __init__(self, host: Host, server: TlsServer) -> None:
        self.host = host
        self.server = server
        self.check = host.root / "check"
        self.check.write_text("ok")

    def declared(self, name: str, **deploy: Any) -> dict[str, Any]:
        script = "import sys; text = open(sys.argv[1]).read(); print(text); sys.exit(text != 'ok')"
        return {
            "name": name,
            "identifiers": [f"{name}.example"],
            "deploy": {
                "check": [sys.executable, "-I", "-S", "-c", script, str(self.check)],
                "reload": self.server.reload,
                "endpoints": [{"port": self.server.port}],
                "timeout": 2,
                **deploy,
            },
        }

    @property
    def both(self) -> list[dict[str, Any]]:
        return [self.declared("one"), self.declared("two")]

    def issue(self, certificates: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
        asked = self.host.module("certificate_request", certificates=certificates, **options)
        return [CA.issued(item) for item in asked["certificates"] if item["needs"] == "issue"]

    def install(self, certificates: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
        return self.host.module("certificate_install", certificates=certificates, **options)

    def serve(self, *names: str) -> None:
        """Configure the server for these names only."""
        self.server.directories = {f"{name}.example": self.host.store / name / "current" for name in names}

    def start(self) -> dict[str, str]:
        """Issue and deploy both; the serials that are served then."""
        result = self.install(self.both, issued=self.issue(self.both))
        assert not result.get("failed"), result
        self.server.reloads = 0
        return {item["name"]: item["serial"] for item in result["certificates"]}

    def served(self, name: str) -> str:
        serial = handshake("127.0.0.1", self.server.port, f"{name}.example", timeout=5).facts()["serial"]
        return str(serial)

    def needs(self, name: str) -> list[str]:
        item = only(self.host.module("certificate_request", certificates=[self.declared(name)]))
        return [item["needs"], *(reason["code"] for reason in item["reasons"])]

    def current(self, name: str) -> str | None:
        link = self.host.store / name / "current"
        return os.readlink(link) if link.is_symlink() else None


@contextmanager
def running(root: Path) -> Iterator[Service]:
    """A service that serves both certificates, in a directory of the test's own."""
    server = TlsServer()
    try:
        service = Service(Host(root), server)
        service.serve("one", "two")
        yield service
    finally:
        server.close()
