# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where things lie. All that is made lies in .cache, which git ignores."""

from __future__ import annotations

import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / ".cache"
LOGS = CACHE / "logs"
REQUIREMENTS = ROOT / "tests" / "requirements"
# The checkout under its import name, a link: what units, integration and mypy import is what is being edited.
LINKED = CACHE / "src"
# The same files copied, without what git ignores: ansible-test and ansible-galaxy want a real folder.
TREE = CACHE / "tree"
COLLECTION = Path("ansible_collections") / "certfleet" / "acme"
INSTALLED = CACHE / "installed"
BUILD = CACHE / "build"
HOME = CACHE / "home"

UNDER_CI = os.environ.get("CI", "").lower() not in ("", "0", "false", "no")

# Settings of a person's own Ansible, Python or cloud account that must not reach the tests.
_FOREIGN = re.compile(
    r"^(ANSIBLE_.*|PYTHON(PATH|HOME|STARTUP|SAFEPATH|WARNINGS)|PYTEST_.*|AWS_(?!CA_BUNDLE$).*|GOOGLE_.*|VIRTUAL_ENV)$"
)


def environment(*, collections: Path | None = None, path: list[Path] | None = None) -> dict[str, str]:
    """The environment of a tool.

    collections: folder that holds ansible_collections, for Ansible and (when it is LINKED) for Python.
    path: folders put first on PATH.
    Kept as they are: pip's settings and CA bundles of the machine. Loopback never goes through a proxy.
    """
    env = {key: value for key, value in os.environ.items() if not _FOREIGN.match(key)}
    env["PATH"] = os.pathsep.join([*(str(entry) for entry in path or []), env.get("PATH", os.defpath)])
    env["ANSIBLE_CONFIG"] = str(ansible_configuration())
    env["ANSIBLE_HOME"] = str(CACHE / "ansible")
    env["ANSIBLE_NOCOLOR"] = "1"
    env["NO_COLOR"] = "1"
    for name in ("no_proxy", "NO_PROXY"):
        env[name] = ",".join(filter(None, [env.get(name, ""), "127.0.0.1", "localhost", "::1"]))
    if not re.search(r"utf-?8", env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG", ""), re.IGNORECASE):
        env["LC_ALL"] = "C.UTF-8"
    if collections is not None:
        env["ANSIBLE_COLLECTIONS_PATH"] = str(collections)
        if collections == LINKED:
            env["PYTHONPATH"] = os.pathsep.join([str(LINKED), str(ROOT)])
    return env


def ansible_configuration() -> Path:
    """An ansible.cfg with nothing of this machine in it."""
    path = CACHE / "ansible.cfg"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        path.write_text("[defaults]\n", encoding="utf-8")
    return path
