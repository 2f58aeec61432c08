# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a CA at its worst loses a certificate: Pebble with all its switches against us, then a way that fails.

    python -m tests.benchmarks.worst [--certificates N] [--no-faults]

The first part orders a batch from Pebble (strict, every second nonce refused, sleeps in validation, alternate roots) in
one call, and then half of it again, whose names are validated already. The second runs every cell of
tests/integration/test_faults.py. The last line is JSON: ``certificates`` asked for, ``lost``, ``requests_each``,
``seconds``, ``peak_mib`` of the module's process, ``cells_failed``. Exits with 1 when one was lost or a cell failed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.certfleet.acme.plugins.module_utils import _x509

from tests.lab.api import Lab
from tests.lab.servers.pebble import WORST
from tests.support.controller import Controller, item
from tests.support.measured import measure

FAULTS = "tests/integration/test_faults.py"


def worst(number: int) -> dict[str, float]:
    """The figures of the batch and of half of it again."""
    with (
        tempfile.TemporaryDirectory(prefix="certfleet-worst-") as folder,
        Lab.up(ca="pebble", hosts=0, pebble_environment=WORST) as lab,
    ):
        controller = Controller(lab, Path(folder))
        options = {
            **controller.ca(timeout=300, generate_account_key=True, terms_agreed=True),
            **controller.dns(),
            "item_failures": "report",
        }
        lost, requests, seconds, peak = 0, 0, 0.0, 0.0
        for title, count in (("a batch", number), ("half of it again", number // 2)):
            wanted = [item(f"w{one}", f"w{one}.example.com", f"*.w{one}.example.com") for one in range(count)]
            lab.reset_log()
            begun = time.monotonic()
            result, most = measure(Path(folder), "acme_certificate", **options, certificates=wanted)
            took = time.monotonic() - begun
            counts = lab.counts("acme")
            failed = (
                [one for one in result.get("certificates", []) if one["failed"]] if not result.get("failed") else wanted
            )
            for one, found in zip(wanted, result.get("certificates", [])):
                if not found["failed"]:
                    _x509.check_chain_for_csr(found["fullchain"], one["csr_content"])
            for one in failed:
                print(f"  lost: {one['name']}: {one.get('msg') or result['msg']}", flush=True)
            print(f"{title}: {count - len(failed)} of {count} certificates of two names in {took:.1f} s", flush=True)
            kinds = ", ".join(f"{kind} {times}" for kind, times in sorted(counts.items()))
            print(f"  {counts.total()} requests, {counts.total() / count:.1f} each: {kinds}", flush=True)
            print(f"  peak of the module's memory {most:.0f} MiB", flush=True)
            lost += len(failed)
            requests += counts.total()
            seconds += took
            peak = max(peak, most)
        left = lab.all_txt()
        assert left == {}, f"values were left behind: {left}"
    total = number + number // 2
    return {
        "certificates": total,
        "lost": lost,
        "requests_each": round(requests / total, 1),
        "seconds": round(seconds, 1),
        "peak_mib": round(peak),
    }


def faults() -> int:
    """Run every cell; 0 when all ended as they must."""
    words = [sys.executable, "-m", "pytest", "-n", "0", "-q", "--color=no", FAULTS]
    return subprocess.run(words, env={**os.environ, "CERTFLEET_ALL_FAULTS": "1"}, check=False).returncode


def main() -> int:
    """Both parts."""
    parser = argparse.ArgumentParser(description="Pebble at its worst, and a way to it that fails.")
    parser.add_argument("--certificates", type=int, default=50)
    parser.add_argument("--no-faults", action="store_true")
    arguments = parser.parse_args()
    figures = worst(arguments.certificates)
    if not arguments.no_faults:
        figures["cells_failed"] = faults()
    print(json.dumps(figures))
    return 1 if figures["lost"] or figures.get("cells_failed") else 0


if __name__ == "__main__":
    sys.exit(main())
