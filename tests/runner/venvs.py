# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments in .cache/venvs, named after a hash of what decides their contents: a second run reuses them."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.runner.console import call
from tests.runner.paths import CACHE, REQUIREMENTS, ROOT, environment

RUNTIME = ROOT / "requirements.txt"
LAB = ROOT / "tests" / "lab" / "requirements.txt"
UNITS = REQUIREMENTS / "units.txt"
LINT = REQUIREMENTS / "lint.txt"


@dataclass(frozen=True)
class Venv:
    """A virtual environment that is ready for use."""

    path: Path
    reused: bool

    def bin(self, name: str) -> Path:
        """The path of one of its commands."""
        return self.path / "bin" / name


def ensure(
    name: str,
    interpreter: Path,
    log: Path,
    *,
    packages: Sequence[str] = (),
    files: Sequence[Path] = (),
    lowest: bool = False,
) -> Venv:
    """The environment ``name``, made when there is none with just these contents yet.

    packages, files: what pip installs. lowest: take the lower bound of each line of ``files`` (``>=`` as ``==``).
    Raises StepFailed when pip fails.
    """
    wanted = [*packages]
    for file in files:
        lines = [line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
        wanted += [line.replace(">=", "==") if lowest else line for line in lines if line]
    key = hashlib.sha256("\n".join([str(ROOT), str(interpreter), *wanted]).encode()).hexdigest()[:12]
    parent = CACHE / "venvs"
    path = parent / f"{name}-{key}"
    complete = path / ".complete"
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / f"{name}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if complete.exists():
            return Venv(path, True)
        for old in parent.glob(f"{name}-*"):
            if len(old.name) == len(path.name):
                shutil.rmtree(old)
        env = environment()
        for setting in ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV"):
            env.pop(setting, None)
        call(log, [interpreter, "-I", "-m", "venv", path], env=env)
        if wanted:
            options = ["--quiet", "--disable-pip-version-check", "--no-input"]
            call(log, [path / "bin" / "python", "-m", "pip", "install", *options, *wanted], env=env)
        complete.write_text("", encoding="utf-8")
    return Venv(path, False)
