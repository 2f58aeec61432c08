# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds Python interpreters: real ones, on PATH or below the folders of pyenv and uv, never pyenv's shims."""

from __future__ import annotations

import functools
import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.runner.console import Missing

# Newest first in the order in which they are wanted; 2.21 runs on 3.12 to 3.14, 3.11 ends with 2.19.
PREFERRED = ("3.13", "3.14", "3.12", "3.11")
OWN_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
_PROBE = "import sys, venv, ensurepip; print(sys.executable); print('%d.%d' % sys.version_info[:2])"


@functools.cache
def find(version: str) -> Path | None:
    """The real path of an interpreter of this version (``3.11``) that can make virtual environments, or None."""
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    uv = os.environ.get("UV_PYTHON_INSTALL_DIR") or os.path.expanduser("~/.local/share/uv/python")
    candidates = [sys.executable] if version == OWN_VERSION else []
    candidates += sorted(glob.glob(f"{pyenv}/versions/{version}.*/bin/python{version}"), reverse=True)
    candidates += sorted(glob.glob(f"{uv}/cpython-{version}.*/bin/python{version}"), reverse=True)
    candidates += filter(
        None, [shutil.which(f"python{version}"), f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"]
    )
    for candidate in candidates:
        try:
            answer = subprocess.run(
                [candidate, "-I", "-c", _PROBE],
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
                stdin=subprocess.DEVNULL,
            ).stdout.split()
        except (OSError, subprocess.SubprocessError):
            continue
        if len(answer) == 2 and answer[1] == version:
            return Path(answer[0])
    return None


def best() -> tuple[Path, str]:
    """The interpreter for the tools and tests, and its version. Raises Missing with the command that installs one."""
    for version in PREFERRED:
        path = find(version)
        if path is not None:
            return path, version
    wanted = f"no Python from {PREFERRED[-1]} on can make virtual environments here"
    raise Missing(f"{wanted}; install what is missing: {install_hint()}")


def newest_core(version: str) -> str:
    """The newest ansible-core that runs on this Python (``3.13`` gives ``2.21``)."""
    return "2.19" if version == "3.11" else "2.21"


def install_hint() -> str:
    """The command of this machine's package manager that brings Python's venv module."""
    version = OWN_VERSION
    for program, command in (
        ("apt-get", f"apt-get install python{version}-venv"),
        ("dnf", f"dnf install python{version}"),
        ("zypper", f"zypper install python{version.replace('.', '')}"),
        ("pacman", "pacman -S python"),
        ("apk", "apk add python3 py3-pip"),
    ):
        if shutil.which(program):
            return command
    return f"the venv and ensurepip modules of Python {version}"
