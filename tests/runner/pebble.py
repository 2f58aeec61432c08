# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds Pebble, the ACME server of the tests, or builds it where Go is at hand."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.runner.console import StepFailed, call
from tests.runner.paths import BIN, CACHE, environment

VERSION = "2.10.1"
MODULE = "github.com/letsencrypt/pebble/v2/cmd/pebble"


def check() -> None:
    """Raises StepFailed, naming the command that helps, when there is no Pebble and no way to get one."""
    can_install = shutil.which("apt-get") and os.geteuid() == 0
    if not (_built().exists() or shutil.which("go") or shutil.which("pebble") or can_install):
        raise StepFailed("Pebble is missing: install Go (apt-get install golang) or Pebble (apt-get install pebble)")


def _built() -> Path:
    return BIN / f"pebble-{VERSION}"


def provide(log: Path) -> str:
    """See that .cache/bin/pebble is there, or another on PATH; returns where it came from. Raises StepFailed."""
    BIN.mkdir(parents=True, exist_ok=True)
    built = _built()
    note = ""
    if not built.exists():
        go = shutil.which("go")
        on_path = shutil.which("pebble")
        if go:
            env = environment()
            env.update(GOBIN=str(BIN / "go"), GOFLAGS="-buildvcs=false", CGO_ENABLED="0")
            call(log, [go, "install", f"{MODULE}@v{VERSION}"], env=env, cwd=CACHE, timeout=600)
            os.replace(BIN / "go" / "pebble", built)
            note = f"built {VERSION}"
        elif on_path:
            return f"using {on_path}"
        else:
            env = environment()
            env["DEBIAN_FRONTEND"] = "noninteractive"
            call(log, ["apt-get", "install", "--yes", "--no-install-recommends", "pebble"], env=env, timeout=300)
            return "installed the distribution's package"
    link = BIN / "pebble"
    link.unlink(missing_ok=True)
    link.symlink_to(built.name)
    return note or VERSION
