# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The installed collection on the oldest and the newest ansible-core, with hosts as old as they may be."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Labs, missing
from tests.integration.fleet import Run, playbook
from tests.integration.providers import dns_of

# ansible-core and the Python of the controller, then Python and cryptography of the hosts.
ROWS = [("2.16", "3.11", "3.10", "3.4.8"), ("2.21", "3.13", "3.9", "36.0.2")]


def entry(rows: list[dict[str, str]], **wanted: str) -> dict[str, str]:
    """The row of matrix.json with these values; without one the test cannot run."""
    found = next((row for row in rows if wanted.items() <= row.items()), None)
    if found is None:
        missing(f"no environment with {', '.join(f'{key} {value}' for key, value in wanted.items())}")
    return found


@pytest.mark.parametrize(
    "row",
    # The newest ansible-core runs everything else.
    [pytest.param(row, marks=pytest.mark.thorough if row is ROWS[-1] else ()) for row in ROWS],
    ids=lambda row: f"core{row[0]}-hosts{row[2]}",
)
def test_site_runs_from_the_installed_collection(
    row: tuple[str, str, str, str], matrix: dict[str, Any], labs: Labs, tmp_path: Path
) -> None:
    core, controller_python, host_python, cryptography = row
    controller = entry(matrix["controllers"], core=core, python=controller_python)
    host = entry(matrix["hosts"], python=host_python, cryptography=cryptography)
    programs = Path(controller["bin"])
    if core == "2.16" and " " in host["interpreter"] + controller["bin"]:
        missing("ansible-core 2.16 runs no Python from a folder with a space in its name")
    version = subprocess.run([programs / "ansible-playbook", "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith(f"ansible-playbook [core {core}.")
    with labs.fresh(python=host["interpreter"]) as lab:
        # Nothing but the installed collection is to be found: neither by Ansible nor by the modules' Python.
        only_installed = {"ANSIBLE_COLLECTIONS_PATH": matrix["collections"], "PYTHONPATH": ""}

        def run(book: str | Path) -> Run:
            return playbook(book, lab.state.inventory, tmp_path, environment=only_installed, programs=programs)

        first = run("certfleet.acme.site")
        declared = {
            (name, certificate): identifiers
            for name, facts in lab.hosts.items()
            for certificate, identifiers in facts["certificates"].items()
        }
        installed = {
            (result["host"], item["name"]): int(item["serial"], 16)
            for result in first.of("certificate_install")
            for item in result["result"]["certificates"]
        }
        assert installed.keys() == declared.keys()
        for (name, certificate), identifiers in declared.items():
            asked = identifiers[0].replace("*.", "www.")
            assert int(lab.served(name, asked).serial, 16) == installed[name, certificate]

        # Nothing to issue or deploy, nothing replaced to revoke, the account as it should be.
        lab.reset_log()
        every = tmp_path / "every.yml"
        names = ("site", "issue", "deploy", "rotate", "revoke", "account")
        every.write_text(
            json.dumps([{"import_playbook": f"certfleet.acme.{name}"} for name in names]), encoding="utf-8"
        )
        again = run(every)
        assert again.changed == []
        for action in ("certificate_request", "certificate_install", "certificate_info", "acme_account"):
            assert again.of(action), f"{action} was run"
        assert set(lab.counts("acme")) <= {"directory", "newNonce", "newAccount", "account"}
        assert not lab.counts(dns_of(lab).name)
