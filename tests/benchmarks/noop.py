# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run costs that finds nothing to do.

    HOSTS=50 CERTIFICATES=20 python -m tests.benchmarks.noop

fills the stores of so many local hosts with so many certificates each, and runs the playbook site over them. The last
line is JSON: ``hosts``, ``certificates`` (of all hosts), ``module_calls``, ``ca_requests`` and ``seconds`` of the run.
Exits with 1 when there was anything but one module call a host, or a connection to the CA.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.fleet import playbook
from tests.support.small_ca import SmallCA
from tests.support.stores import fill, inventory


class Listener:
    """Stands where the CA is, and counts who comes."""

    def __init__(self) -> None:
        self.count = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/directory"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            self.count += 1
            connection.close()

    def close(self) -> None:
        self._socket.close()


@contextmanager
def listener() -> Iterator[Listener]:
    """A listener that is closed at the end."""
    found = Listener()
    try:
        yield found
    finally:
        found.close()


def host(root: Path, name: str, certificates: int, directory: str) -> dict[str, Any]:
    """Fill the store of a host; returns its variables."""
    declared = [{"name": f"c{number}", "identifiers": [f"c{number}.{name}.example"]} for number in range(certificates)]
    folder = root / name
    folder.mkdir()
    store = fill(folder, declared, SmallCA(), directory=directory)
    return {"certfleet_store_path": str(store), "certfleet_certificates": declared}


def measure(hosts: int, certificates: int) -> dict[str, Any]:
    """Run site where nothing is to be done; the figures of the last line."""
    with tempfile.TemporaryDirectory(prefix="certfleet-noop-") as folder, listener() as ca:
        root = Path(folder)
        names = [f"h{number:03d}" for number in range(hosts)]
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            filled = list(pool.map(host, [root] * hosts, names, [certificates] * hosts, [ca.url] * hosts))
        print(f"{hosts} hosts with {certificates} certificates each are there", flush=True)
        listed = inventory(root / "inventory.json", dict(zip(names, filled)), directory=ca.url)
        begin = time.monotonic()
        done = playbook("certfleet.acme.site", listed, root / "work")
        seconds = time.monotonic() - begin
        total = hosts * certificates
        assert done.report == [f"{total} certificates: 0 changed, {total} unchanged, 0 failed"], done.report
        return {
            "hosts": hosts,
            "certificates": total,
            "module_calls": len(done.module_calls),
            "ca_requests": ca.count,
            "seconds": round(seconds, 1),
        }


def main() -> int:
    """Measure with the numbers that the environment has."""
    figures = measure(int(os.environ.get("HOSTS") or 50), int(os.environ.get("CERTIFICATES") or 20))
    good = figures["module_calls"] == figures["hosts"] and figures["ca_requests"] == 0
    if not good:
        print("a run that has nothing to do is to make one module call a host and ask nobody", file=sys.stderr)
    print(json.dumps(figures), flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
