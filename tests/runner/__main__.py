# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entry point of `python3 tests/runner TARGET` and `python3 -m tests.runner TARGET`."""

from __future__ import annotations

import sys
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit(
        f"Python 3.11 or newer is needed and this is {sys.version.split()[0]} ({sys.executable}); "
        "install one, for example: apt-get install python3.11 python3.11-venv   or: dnf install python3.12"
    )

# Run by path, Python puts this folder first; the package is found from the checkout.
ROOT = str(Path(__file__).resolve().parent.parent.parent)
sys.path[0] = ROOT

from tests.runner.cli import main

sys.exit(main(sys.argv[1:]))
