# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry point, both as a module (``python -m tests.lab``) and by path (``python tests/lab``).

By path, and in every process that the lab starts, the package is loaded under its own name from where
it lies: no search path has to be set up, and no other package called ``tests`` can take its place.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path


def _load_by_path() -> str:
    """Import this folder as the package ``certfleet_lab`` and return that name."""
    name = "certfleet_lab"
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != here]
    spec = importlib.util.spec_from_file_location(name, here / "__init__.py", submodule_search_locations=[str(here)])
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load the lab from {here}")
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)
    return name


if __name__ == "__main__":
    cli = importlib.import_module(f"{__package__ or _load_by_path()}.cli")
    sys.exit(cli.main(sys.argv[1:]))
