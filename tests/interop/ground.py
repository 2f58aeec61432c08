# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a cell runs: a CA of the lab, an account and a folder of its own, and the collection's modules."""

from __future__ import annotations

import contextlib
import itertools
import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from tests.interop.registry import Refusal
from tests.lab.api import Lab
from tests.lab.ports import LOOPBACK
from tests.lab.web import https
from tests.support.controller import Controller, make_csr

#: Seconds after which a cell gives up a CA that keeps a refused challenge pending.
IMPATIENCE = 4

_numbers = itertools.count(1)


class Ground(Controller):
    """One cell's own place. A module that fails raises Refusal with its message."""

    def __init__(self, grounds: Grounds, lab: Lab, root: Path) -> None:
        super().__init__(lab, root)
        self._grounds = grounds

    @property
    def program(self) -> str:
        """The CA's program; ``caddy`` where that stands in for step-ca."""
        return str(self.lab.acme.get("program", self.lab.ca))

    def elsewhere(self, **options: Any) -> Ground:
        """The same CA, started with other options of Lab.up; ended with the run."""
        return self._grounds.ground(self.lab.ca, **options)

    def beside(self) -> Ground:
        """The same CA with a folder and an account key of its own."""
        return Ground(self._grounds, self.lab, self._grounds.folder())

    def name(self, label: str) -> str:
        """A DNS name that no other cell uses."""
        return f"{label}-{next(_numbers)}.example.com"

    def run(self, module: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
        """What a module returns. Raises Refusal when it fails, with the first failed item's own message."""
        result = self.module(module, check=check, **self.ca(**options))
        if result.get("failed"):
            items = [entry for key in ("certificates", "orders") for entry in result.get(key) or []]
            own = [entry["msg"] for entry in items if entry["failed"]]
            raise Refusal(own[0] if own else result["msg"])
        return result

    def made(self, **options: Any) -> dict[str, Any]:
        """The account, made with a key of its own. Raises Refusal."""
        made = self.run("acme_account", terms_agreed=True, generate_account_key=True, **options)
        self.lab.reset_log()
        return made

    def issued(
        self, *names: str, key: Any = None, csr: str | None = None, patience: int = 60, **options: Any
    ) -> dict[str, Any]:
        """The certificate for some names; options of the item. patience: seconds for the CA. Raises Refusal."""
        item = {"name": "one", "csr_content": csr or make_csr(*names, key=key), **options}
        found = self.run("acme_certificate", certificates=[item], timeout=patience, **self.dns())
        certificate: dict[str, Any] = found["certificates"][0]
        return certificate

    def directory(self) -> dict[str, Any]:
        """The CA's directory, read past the collection."""
        url = self.lab.acme["directory"]
        _status, body = https(url, self.lab.acme["ca_path"], "GET", urlsplit(url).path)
        found: dict[str, Any] = json.loads(body)
        return found

    # The steps one by one

    def ordered(self, *names: str, **options: Any) -> dict[str, Any]:
        """An order, as acme_order shows it; options of the item. Raises Refusal."""
        item = {"name": "one", **({"identifiers": list(names)} if names else {}), **options}
        order: dict[str, Any] = self.run("acme_order", orders=[item])["orders"][0]
        return order

    def published(self, records: list[dict[str, Any]], state: str = "present") -> None:
        """Write TXT records, or take them away."""
        access = {key: self.lab.route53[key] for key in ("endpoint_url", "access_key", "secret_key", "region")}
        result = self.module("dns01_route53", records=records, state=state, resolvers=[self.lab.dns], **access)
        assert not result.get("failed"), result["msg"]

    def validated(self, order: dict[str, Any], **options: Any) -> dict[str, Any]:
        """The order after its challenges were answered. Raises Refusal."""
        item = {"name": "one", "order_uri": order["order_uri"]}
        found: dict[str, Any] = self.run("acme_validate", orders=[item], **options)["orders"][0]
        return found

    def finalized(self, order: dict[str, Any], csr: str, **options: Any) -> dict[str, Any]:
        """The certificate of an order that is ready; options of the item. Raises Refusal."""
        item = {"name": "one", "order_uri": order["order_uri"], "csr_content": csr, **options}
        found: dict[str, Any] = self.run("acme_finalize", orders=[item])["orders"][0]
        return found


@contextlib.contextmanager
def serving(texts: dict[str, str], port: int) -> Iterator[None]:
    """Answer these texts by path over HTTP (RFC 8555 section 8.3)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = texts.get(self.path)
            self.send_response(404 if text is None else 200)
            self.end_headers()
            self.wfile.write((text or "").encode())

        def log_message(self, format: str, *words: Any) -> None:
            pass

    with ThreadingHTTPServer((LOOPBACK, port), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


class Grounds:
    """The labs of a run, each started when first asked for. A context manager: leaving it ends them."""

    def __init__(self, start: Callable[..., Lab] = Lab.up) -> None:
        """start: makes a lab of a CA, as Lab.up does."""
        self._start = start
        self._labs: dict[str, Lab] = {}
        self._folders: list[tempfile.TemporaryDirectory[str]] = []

    def __enter__(self) -> Grounds:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for lab in self._labs.values():
            lab.down()
        for folder in self._folders:
            folder.cleanup()

    def folder(self) -> Path:
        """A new folder."""
        self._folders.append(tempfile.TemporaryDirectory(prefix="certfleet-interop-"))
        return Path(self._folders[-1].name)

    def ground(self, ca: str, **options: Any) -> Ground:
        """A place for one cell on a CA, options as for Lab.up."""
        key = f"{ca} {sorted(options.items())}"
        if key not in self._labs:
            self._labs[key] = self._start(ca=ca, hosts=0, **options)
        lab = self._labs[key]
        lab.reset_log()
        return Ground(self, lab, self.folder())
