# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs of the fleet and the Debian packages that bring them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

#: Daemons lie where only root's PATH leads.
SEARCH = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
#: Debian's package of each program; python3-cryptography is the distribution's, for its own Python.
PROGRAMS = {
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "sudo": "sudo",
    "ip": "iproute2",
    "nginx": "nginx",
    "haproxy": "haproxy",
    "apache2": "apache2",
    "postfix": "postfix",
    "dovecot": "dovecot-imapd",
}
LIBRARIES = {Path("/usr/lib/python3/dist-packages/cryptography"): "python3-cryptography"}


def missing() -> list[str]:
    """The Debian packages that this machine lacks."""
    programs = [package for program, package in PROGRAMS.items() if shutil.which(program, path=SEARCH) is None]
    return programs + [package for path, package in LIBRARIES.items() if not path.exists()]


def remedy(packages: list[str]) -> str:
    """The command that brings them, without what they recommend."""
    return "apt-get install --no-install-recommends " + " ".join(packages)
