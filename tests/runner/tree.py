# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection as other programs want it: under its import name, as a copy, as an artifact and installed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.runner.console import StepFailed, call
from tests.runner.paths import COLLECTION, LINKED, ROOT, TREE, environment
from tests.runner.venvs import Venv

_LEFT_OUT = {
    ".git",
    ".cache",
    ".venv",
    "__pycache__",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".hypothesis",
    ".ansible",
}


def files() -> list[Path]:
    """The collection's files relative to the checkout: tracked ones and new ones that git does not ignore."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        answer = subprocess.run(
            [
                git,
                "-C",
                str(ROOT),
                "-c",
                f"safe.directory={ROOT}",
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ],
            capture_output=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if answer.returncode == 0:
            names = {Path(os.fsdecode(name)) for name in answer.stdout.split(b"\0") if name}
            return sorted(name for name in names if (ROOT / name).is_file())
    found = []
    for folder, folders, names_here in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in _LEFT_OUT]
        found += [Path(folder, name).relative_to(ROOT) for name in names_here if not name.endswith((".pyc", ".tar.gz"))]
    return sorted(name for name in found if name.parts[:2] != ("tests", "output"))


def link() -> None:
    """Make the checkout importable as ansible_collections.certfleet.acme without copying it."""
    target = LINKED / COLLECTION
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.is_symlink() or target.resolve() != ROOT:
        target.unlink(missing_ok=True)
        target.symlink_to(os.path.relpath(ROOT, target.parent))


@contextlib.contextmanager
def copied() -> Iterator[Path]:
    """A fresh copy of the collection's files in a real folder of its import name, nobody else's until the end.

    tests/output stays: ansible-test keeps there what it uses again.
    """
    TREE.mkdir(parents=True, exist_ok=True)
    with (TREE / "lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _copy()


def _copy() -> Path:
    target = TREE / COLLECTION
    target.mkdir(parents=True, exist_ok=True)
    for entry in target.iterdir():
        if entry.name != "tests":
            _remove(entry)
    for entry in (target / "tests").glob("*"):
        if entry.name != "output":
            _remove(entry)
    names = files()
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target / name, follow_symlinks=False)
    return target


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def build(venv: Venv, log: Path, folder: Path) -> Path:
    """Build the artifact into ``folder``, as it would be published; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("certfleet-acme-*.tar.gz"):
        old.unlink()
    with copied() as source:
        galaxy = venv.bin("ansible-galaxy")
        call(log, [galaxy, "collection", "build", source, "--output-path", folder], env=environment())
    found = list(folder.glob("certfleet-acme-*.tar.gz"))
    if len(found) != 1:
        raise StepFailed(f"one artifact expected in {folder}, found {len(found)}")
    return found[0]


def install(venv: Venv, log: Path, artifact: Path, folder: Path) -> str:
    """Install the artifact below ``folder``, as a user would; returns the artifact's name."""
    shutil.rmtree(folder / "ansible_collections", ignore_errors=True)
    options = ["--collections-path", str(folder), "--force", "--no-deps"]
    galaxy = venv.bin("ansible-galaxy")
    call(log, [galaxy, "collection", "install", artifact, *options], env=environment(collections=folder))
    return artifact.name
