# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pebble: where its binary comes from, how it is configured, and what its management port tells."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from ..errors import MissingProgram
from ..ports import LOOPBACK
from ..processes import start
from ..programs import bringing, cache_folder, go_build, go_version
from ..state import State, write_json

NAME = "pebble"
VERSION = "2.10.1"
MODULE = "github.com/letsencrypt/pebble/v2"
PROFILES = {
    "default": {"description": "The usual profile", "validityPeriod": 7776000},
    "shortlived": {"description": "Six days", "validityPeriod": 518400},
}
#: External accounts that a new account may be bound to: the key identifier and the MAC key, base64url.
#: 64 octets, the least that HS512 takes (RFC 7518 section 3.2).
EXTERNAL_ACCOUNTS = {
    "lab-account-1": "p4uGJVDirqaZBPcZNd2x7xj11ZUmYb8ThJvHkhF1wHIHZbIHk1nmK2iaBH8ZOwSQO85f2TIwpPxkXFlLtVwNyA",
    "lab-account-2": "5anFzvGOpwST1WseFXdeN977liLp-hHzSLqDD9xN2wpKRlp85tz3gtcibRQ-P--SCTed_Y1f5mcRjxR9g2J7lg",
}
ENVIRONMENT = {
    "PEBBLE_VA_NOSLEEP": "1",
    "PEBBLE_WFE_NONCEREJECT": "0",
    "PEBBLE_AUTHZREUSE": "0",
    "PEBBLE_WFE_ORDERS_PER_PAGE": "15",
}
#: A switch of the lab's: "1" starts Pebble with ``-strict``, which Pebble itself takes from no variable.
STRICT = "PEBBLE_STRICT"
#: As hard as Pebble makes it: every second nonce refused, validated names offered again, two chains to choose from,
#: up to 15 s of sleep in each validation (Pebble's default, which the lab turns off).
WORST = {
    "PEBBLE_WFE_NONCEREJECT": "50",
    "PEBBLE_AUTHZREUSE": "100",
    "PEBBLE_ALTERNATE_ROOTS": "1",
    "PEBBLE_VA_NOSLEEP": "0",
    STRICT: "1",
}


def version_of(binary: Path) -> str:
    """The version that the Go tool chain wrote into a binary ("2.10.1"), "" when it is not told.

    ``pebble -version`` says "dev" for every binary that ``go install`` built.
    """
    return go_version(binary, MODULE)


def _from_debian(cache: Path) -> str:
    """Unpack Debian's package into the cache (nothing is installed); returns "" or why that was not possible."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return "this is no Debian"
    with tempfile.TemporaryDirectory(dir=cache, prefix="deb-") as folder:
        # apt-get downloads as its own user, who must be able to write here.
        os.chmod(folder, 0o777)
        steps = [["apt-get", "download", "pebble"]]
        if os.getuid() == 0:
            steps += [["apt-get", "-q", "update"], ["apt-get", "download", "pebble"]]
        package, said = None, ""
        for step in steps:
            done = subprocess.run(step, cwd=folder, capture_output=True, text=True, check=False)
            said = " ".join(done.stderr.split())[-300:]
            package = next(Path(folder).glob("pebble_*.deb"), None)
            if package is not None:
                break
        if package is None:
            return f"Debian's package pebble cannot be downloaded: {said}"
        subprocess.run(["dpkg-deb", "-x", str(package), f"{folder}/root"], capture_output=True, check=False)
        unpacked = Path(folder) / "root/usr/bin/pebble"
        if not unpacked.is_file():
            return f"Debian's package {package.name} holds no pebble"
        os.replace(unpacked, cache / "pebble-debian")
    return ""


def find() -> Path:
    """The Pebble binary to run: the pinned version where it can be had, else the best there is.

    In this order: the pinned version on PATH or in the cache; built by Go; another version on PATH; Debian's.

    :raises MissingProgram: when there is none; the message names what would bring one.
    """
    on_path = shutil.which("pebble")
    for candidate in ([Path(on_path)] if on_path else []) + [cache_folder() / "pebble"]:
        if candidate.is_file() and version_of(candidate) == VERSION:
            return candidate
    with bringing("pebble") as cache:
        if (cache / "pebble").is_file():
            return cache / "pebble"
        reasons = [go_build(f"{MODULE}/cmd/pebble", VERSION, cache / "pebble")]
        if not reasons[0]:
            return cache / "pebble"
        if on_path:
            return Path(on_path)
        if not (cache / "pebble-debian").is_file():
            reasons.append(_from_debian(cache))
        if (cache / "pebble-debian").is_file():
            return cache / "pebble-debian"
    raise MissingProgram(
        f"Pebble {VERSION} is missing ({'; '.join(reasons)}). Put `pebble` on PATH, or install Go so that it can be "
        f"built (go install {MODULE}/cmd/pebble@v{VERSION}), or run where Debian's package pebble can be downloaded"
    )


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
    binding_required: bool = False,
) -> str:
    """Write the configuration and start the server.

    :param unused_ports: where http-01 and tls-alpn-01 would be validated; nobody listens there.
    :param refused: domains refused at newOrder (rejectedIdentifier), with all below them. None may lie below a
        name that is ordered: Pebble's handler breaks off (index out of range) when the ordered name is shorter.
    :param environment: Pebble's switches (PEBBLE_...), over the lab's own; STRICT among them.
    :param binding_required: no new account without a binding to one of EXTERNAL_ACCOUNTS.
    :returns: the URL of the directory.
    :raises MissingProgram: when there is no Pebble to be had.
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
            "externalAccountBindingRequired": binding_required,
            "externalAccountMACKeys": EXTERNAL_ACCOUNTS,
            "domainBlocklist": refused,
            "retryAfter": {"authz": 0, "order": 0},
            "keyAlgorithm": "ecdsa",
            "profiles": PROFILES,
        }
    }
    write_json(folder / "pebble.json", configuration)
    command = [str(binary), "-config", str(folder / "pebble.json"), "-dnsserver", dns]
    if environment.get(STRICT) == "1":
        command.append("-strict")
    start(state, NAME, command, {**ENVIRONMENT, **environment})
    return f"https://{LOOPBACK}:{port}/dir"
