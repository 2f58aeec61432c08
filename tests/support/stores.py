# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Local hosts whose stores hold certificates of a small CA, for playbooks that need no ACME server."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.host import Host
from tests.support.small_ca import DIRECTORY, SmallCA


def fill(
    root: Path,
    certificates: Sequence[dict[str, Any]],
    ca: SmallCA,
    *,
    state: str = "active",
    directory: str = DIRECTORY,
) -> Path:
    """Issue and install what a host declares, as if it came from the CA of this directory; returns the store's path.

    state: as certificate_install has it.
    """
    host = Host(root)
    request = host.module("certificate_request", certificates=certificates, acme_directory=directory)
    issued = [{**ca.issued(item), "acme_directory": directory} for item in request["certificates"]]
    done = host.module("certificate_install", certificates=certificates, issued=issued, state=state)
    assert not done["failed_items"], done
    return host.store


def inventory(
    path: Path,
    hosts: Mapping[str, Mapping[str, Any]],
    *,
    directory: str = DIRECTORY,
    python: str = sys.executable,
    **variables: Any,
) -> Path:
    """Write an inventory of local hosts. directory: of the CA that their certificates come from."""
    shared = {
        "ansible_connection": "local",
        "ansible_python_interpreter": python,
        "certfleet_acme_directory": directory,
        "certfleet_account_key_src": str(path.parent / "account.key"),
        **variables,
    }
    path.write_text(json.dumps({"all": {"vars": shared, "hosts": hosts}}), encoding="utf-8")
    return path
