# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Pythons of the hosts: as old as they may be, and the distribution's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.fleet.errors import FleetError

#: Written by the runner: environments with a Python and a cryptography of old distributions.
VARIABLE = "CERTFLEET_MATRIX"
DISTRIBUTION = "/usr/bin/python3"
_ASK = (
    "import sys, cryptography as c; print('%d.%d' % sys.version_info[:2], c.__version__, sys.prefix, sys.base_prefix)"
)


@dataclass(frozen=True)
class Interpreter:
    """path: the executable. folders: what it needs of the machine's file system."""

    path: str
    words: str
    folders: tuple[str, ...]


def look(path: str) -> Interpreter:
    """What an interpreter is. Raises FleetError when it cannot import cryptography."""
    done = subprocess.run(
        [path, "-I", "-c", _ASK], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode != 0:
        raise FleetError(f"{path} is no Python with cryptography: {done.stderr.strip()}")
    version, cryptography, *folders = done.stdout.split()
    real = map(os.path.realpath, folders)
    own = tuple(dict.fromkeys(folder for folder in real if folder not in ("/usr", "/usr/local")))
    return Interpreter(path, f"Python {version} with cryptography {cryptography}", own)


def find(count: int) -> list[Interpreter]:
    """One for each host: the distribution's, then those of the matrix, then the one that runs this, again and again."""
    paths = [DISTRIBUTION]
    matrix = os.environ.get(VARIABLE, "")
    if matrix and Path(matrix).is_file():
        paths += [row["interpreter"] for row in json.loads(Path(matrix).read_text(encoding="utf-8"))["hosts"]]
    found = [look(path) for path in paths[:count]]
    return found + [look(sys.executable)] * (count - len(found))
