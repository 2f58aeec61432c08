# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the cells and writes the table.

    python -m tests.interop [--ca CA ...] [--only WORD] [--show]

prints a line for each cell; the last line is JSON: ``cells``, ``passed``, ``refused`` (as the table says), ``failed``.
A CA whose program cannot be had is left out. A run of all writes docs/interop.md. Exits with 1 when a cell failed, in
an automated build also when a CA was left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from tests.interop import report
from tests.interop.features import FEATURES
from tests.interop.ground import Grounds
from tests.interop.registry import Outcome, run
from tests.lab.api import AUTHORITIES
from tests.lab.errors import MissingProgram
from tests.runner.paths import ROOT, UNDER_CI

TABLE = ROOT / "docs" / "interop.md"


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="interop", description="What of the protocol works with which CA.")
    parser.add_argument("--ca", nargs="+", choices=AUTHORITIES, default=list(AUTHORITIES))
    parser.add_argument("--only", default="", metavar="WORD", help="features with this in their title")
    parser.add_argument("--show", action="store_true", help="show what was seen in cells that passed too")
    arguments = parser.parse_args()
    chosen = [feature for feature in FEATURES if arguments.only.lower() in feature.title.lower()]
    outcomes: list[Outcome] = []
    left_out: list[str] = []
    started = time.monotonic()
    for ca in arguments.ca:
        with Grounds() as grounds:
            try:
                print(grounds.ground(ca).program, flush=True)
            except MissingProgram as missing:
                print(f"{ca}: left out: {missing}", flush=True)
                left_out.append(ca)
                continue
            for feature in chosen:
                began = time.monotonic()
                outcome = run(feature, grounds.ground(ca))
                outcomes.append(outcome)
                told = outcome.text if arguments.show or outcome.kind in ("failed", "skipped") else ""
                print(
                    f"  {outcome.kind:<8} {time.monotonic() - began:5.1f} s  {feature.subject}: {feature.title}"
                    + (f"\n      {told}" if told else ""),
                    flush=True,
                )
    kinds = [outcome.kind for outcome in outcomes]
    whole = not left_out and len(chosen) == len(FEATURES) and set(arguments.ca) == set(AUTHORITIES)
    if whole and not {"failed", "skipped"} & set(kinds):
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(report.table(FEATURES), encoding="utf-8")
        print(f"wrote {TABLE.relative_to(ROOT)}")
    print(f"{time.monotonic() - started:.0f} s")
    counts = {kind: kinds.count(kind) for kind in ("passed", "refused", "failed")}
    print(json.dumps({"cells": sum(counts.values()), **counts}))
    return 1 if counts["failed"] or (left_out and UNDER_CI) else 0


if __name__ == "__main__":
    sys.exit(main())
