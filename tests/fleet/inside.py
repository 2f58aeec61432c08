# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first process of a host: it has the machine's files, but writes to a layer of its own; then it starts sshd.

It runs with mounts, processes, network, host name and IPC of its own, is told what to do in JSON on its first line of
input, answers with a line for each thing done, and ends, with all of the host, when its input does.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

USER = "deployer"
UID = 20001
_SSHD = """\
Port 22
HostKey /etc/ssh/fleet_host_key
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
StrictModes yes
UsePAM yes
UseDNS no
PrintMotd no
PidFile /run/sshd.pid
Subsystem sftp internal-sftp
"""


def run(*words: str) -> None:
    """Run a command; its output shows when it fails, and so does this host."""
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: {done.stdout.decode('utf-8', 'replace').strip()}")


def mounts(folder: Path, binds: list[str]) -> Path:
    """The machine's file system below a layer of the host's own, and what no two machines share; returns its root."""
    root = folder / "root"
    for name in ("upper", "work", "root"):
        (folder / name).mkdir(mode=0o755)
    layers = f"lowerdir=/,upperdir={folder}/upper,workdir={folder}/work"
    run("mount", "-t", "overlay", "-o", layers, "fleet", str(root))
    for path in binds:
        # Interpreters may lie on another file system, which the layer does not show.
        (root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
        run("mount", "--rbind", "-o", "ro", path, f"{root}{path}")
    run("mount", "--rbind", "/dev", f"{root}/dev")
    run("mount", "-t", "proc", "proc", f"{root}/proc")
    # A machine's own services, mail, people and certificates are none of the host's.
    for path in ("/run", "/home", "/tmp", "/var/log", "/var/mail", "/var/spool/postfix"):
        run("mount", "-t", "tmpfs", "-o", f"mode={'1777' if path == '/tmp' else '0755'}", "fleet", f"{root}{path}")
    (root / "run" / "lock").mkdir()
    shutil.rmtree(root / "etc" / "certfleet", ignore_errors=True)
    return root


def write(path: Path, text: str, mode: int = 0o644, owner: int = 0) -> None:
    """A file with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    os.chown(path, owner, owner)
    path.chmod(mode)


def people(root: Path, public_key: str) -> None:
    """The user that connections are made as: no password, no rights but by sudo."""
    for name, line in (
        ("passwd", f"{USER}:x:{UID}:{UID}::/home/{USER}:/bin/bash"),
        ("group", f"{USER}:x:{UID}:"),
        ("shadow", f"{USER}:*:19000:0:99999:7:::"),
    ):
        with (root / "etc" / name).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    home = root / "home" / USER
    for folder in (home, home / ".ssh"):
        folder.mkdir(mode=0o700)
        os.chown(folder, UID, UID)
    write(home / ".ssh" / "authorized_keys", public_key, 0o600, UID)
    write(
        root / "etc" / "sudoers",
        f'Defaults secure_path="{os.environ["PATH"]}"\n{USER} ALL=(ALL) NOPASSWD: ALL\n',
        0o440,
    )


def files(root: Path, host: dict[str, Any]) -> None:
    """Host key, names, configuration of the services."""
    name, address = host["name"], host["address"]
    write(root / "etc/ssh/fleet_host_key", host["host_key"], 0o600)
    write(root / "etc/ssh/sshd_config", _SSHD)
    write(root / "etc/hostname", f"{name}\n")
    write(root / "etc/hosts", f"127.0.0.1 localhost\n{address} {name}.example.com {name}\n")
    write(root / "etc/resolv.conf", "# no name server is in reach\n")
    for entry in host["files"]:
        write(root / entry["path"].lstrip("/"), entry["text"], entry["mode"])


def network(address: str, peer: str) -> None:
    """The one link, to the controller: no route leads anywhere else."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "addr", "add", address, "peer", f"{peer}/32", "dev", "eth0")
    run("ip", "link", "set", "eth0", "up")


def listening(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when somebody does; sshd listens within milliseconds of its start, or ends."""
    while process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    sys.exit("sshd ended")


def main() -> None:
    """Become a host."""
    host = json.loads(sys.stdin.readline())
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    root = mounts(Path(host["folder"]), host["binds"])
    people(root, host["public_key"])
    files(root, host)
    socket.sethostname(host["name"])
    print("link", flush=True)
    sys.stdin.readline()
    network(host["address"], host["peer"])
    os.chroot(root)
    os.chdir("/")
    Path("/run/sshd").mkdir(mode=0o755)
    with open("/var/log/sshd.log", "wb") as log:
        sshd = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    listening(22, sshd)
    print("up", flush=True)
    threading.Thread(target=_until_told, daemon=True).start()
    while True:
        # Daemons become children of this process; sshd ends last of all.
        if os.wait()[0] == sshd.pid:
            sys.exit("sshd ended")


def _until_told() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
