# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module as a process of its own, and the most memory that it took.

    python -m tests.support.measured MODULE ARGUMENTS-FILE

The last line of its standard error is that peak in KiB.
"""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

MODULES = "ansible_collections.certfleet.acme.plugins.modules"


def measure(root: Path, name: str, **options: Any) -> tuple[dict[str, Any], float]:
    """What a module returns, and its peak of resident memory in MiB."""
    path = root / "measured.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
    command = [sys.executable, "-m", "tests.support.measured", name, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    result: dict[str, Any] = json.loads(done.stdout)
    return result, int(done.stderr.strip().splitlines()[-1]) / 1024


def peak() -> int:
    """KiB. getrusage() would tell the parent's peak when that was higher, and left to the child at its start."""
    (found,) = re.findall(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found)


if __name__ == "__main__":
    try:
        module, sys.argv = sys.argv[1], sys.argv[1:]
        runpy.run_module(f"{MODULES}.{module}", run_name="__main__", alter_sys=True)
    finally:
        print(peak(), file=sys.stderr)
