# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pebble: where its binary comes from, how it is configured, and what its management port tells."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from ..errors import LabError
from ..ports import LOOPBACK
from ..processes import start
from ..state import State, write_json

NAME = "pebble"
VERSION = "2.10.1"
MODULE = "github.com/letsencrypt/pebble/v2"
PROFILES = {
    "default": {"description": "The usual profile", "validityPeriod": 7776000},
    "shortlived": {"description": "Six days", "validityPeriod": 518400},
}
ENVIRONMENT = {
    "PEBBLE_VA_NOSLEEP": "1",
    "PEBBLE_WFE_NONCEREJECT": "0",
    "PEBBLE_AUTHZREUSE": "0",
    "PEBBLE_WFE_ORDERS_PER_PAGE": "15",
}


def cache_folder() -> Path:
    """Where built binaries are kept: CERTFLEET_CACHE, else .cache in the checkout."""
    given = os.environ.get("CERTFLEET_CACHE")
    return Path(given).absolute() if given else Path(__file__).resolve().parents[3] / ".cache"


def version_of(binary: Path) -> str:
    """The version that the Go tool chain wrote into a binary ("2.10.1"), "" when it is not told.

    ``pebble -version`` says "dev" for every binary that ``go install`` built.
    """
    match = re.search(rb"mod\t" + MODULE.encode() + rb"\tv(\d+\.\d+\.\d+)", binary.read_bytes())
    return match[1].decode() if match else ""


def _built(cache: Path) -> Path | None:
    """Build the pinned version into the cache, None when there is no Go or it failed."""
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        return None
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="go-") as folder:
        environment = {**os.environ, "GOBIN": folder, "CGO_ENABLED": "0"}
        command = [go, "install", f"{MODULE}/cmd/pebble@v{VERSION}"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"go install of Pebble {VERSION} failed: {done.stderr.strip()[-500:]}", flush=True)
            return None
        target = cache / "pebble"
        os.replace(Path(folder) / "pebble", target)
    return target


def _from_debian(cache: Path) -> Path | None:
    """Unpack Debian's package into the cache (nothing is installed), None where there is no such package."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return None
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="deb-") as folder:
        os.chmod(folder, 0o755)
        steps = [["apt-get", "download", "pebble"]]
        if os.getuid() == 0:
            steps.append(["apt-get", "update"])
            steps.append(["apt-get", "download", "pebble"])
        for step in steps:
            subprocess.run(step, cwd=folder, capture_output=True, check=False)
            package = next(Path(folder).glob("pebble_*.deb"), None)
            if package is not None:
                break
        else:
            return None
        subprocess.run(["dpkg-deb", "-x", str(package), f"{folder}/root"], capture_output=True, check=False)
        unpacked = Path(folder) / "root/usr/bin/pebble"
        if not unpacked.is_file():
            return None
        target = cache / "pebble-debian"
        os.replace(unpacked, target)
    return target


def find() -> Path:
    """The Pebble binary to run: the pinned version where it can be had, else the best there is.

    :raises LabError: when there is none; the message names what would bring one.
    """
    cache = cache_folder() / "bin"
    on_path = shutil.which("pebble")
    present = [Path(found) for found in (on_path, shutil.which(cache / "pebble")) if found]
    for candidate in present:
        if version_of(candidate) == VERSION:
            return candidate
    older = next(iter(present), None) or next((p for p in [cache / "pebble-debian"] if p.is_file()), None)
    found = _built(cache) or older or _from_debian(cache)
    if found is None:
        raise LabError(
            f"Pebble {VERSION} is missing: put `pebble` on PATH, or install Go so that the lab can build it "
            f"(go install {MODULE}/cmd/pebble@v{VERSION}), or run where Debian's package pebble can be downloaded"
        )
    return found


def launch(
    state: State,
    *,
    port: int,
    management_port: int,
    dns: str,
    listener: tuple[Path, Path],
    unused_ports: tuple[int, int],
    refused: list[str],
    environment: dict[str, str],
) -> str:
    """Write the configuration and start the server.

    :param unused_ports: where http-01 and tls-alpn-01 would be validated; nobody listens there.
    :param refused: domains refused at newOrder (rejectedIdentifier), with all below them. None may lie below a
        name that is ordered: Pebble's handler breaks off (index out of range) when the ordered name is shorter.
    :param environment: Pebble's switches (PEBBLE_...), over the lab's own.
    :returns: the URL of the directory.
    """
    binary = find()
    folder = state.folder(NAME)
    configuration = {
        "pebble": {
            "listenAddress": f"{LOOPBACK}:{port}",
            "managementListenAddress": f"{LOOPBACK}:{management_port}",
            "certificate": str(listener[0]),
            "privateKey": str(listener[1]),
            "httpPort": unused_ports[0],
            "tlsPort": unused_ports[1],
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
            "domainBlocklist": refused,
            "retryAfter": {"authz": 0, "order": 0},
            "keyAlgorithm": "ecdsa",
            "profiles": PROFILES,
        }
    }
    write_json(folder / "pebble.json", configuration)
    command = [str(binary), "-config", str(folder / "pebble.json"), "-dnsserver", dns]
    start(state, NAME, command, {**ENVIRONMENT, **environment})
    return f"https://{LOOPBACK}:{port}/dir"
