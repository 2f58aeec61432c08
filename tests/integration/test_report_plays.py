# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the playbooks say of hosts that are lost at the last step, and of what an earlier play of the run has done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.integration.fleet import Run
from tests.integration.test_waves import Fleet, ends, waves

SITE: dict[str, Any] = {"import_playbook": "certfleet.acme.site"}
DEPLOY: dict[str, Any] = {"import_playbook": "certfleet.acme.deploy"}
#: A host that is lost once its certificates are in use, and so cannot publish.
LOST_LAST = {
    "ansible_connection": "{{ 'ssh' if (deploy_installed|default({})).certificates is defined else 'local' }}",
    "ansible_host": "gone.invalid",
}


def publishing(root: Path) -> Fleet:
    """Host b is to publish its certificate and is lost right before."""
    fleet = Fleet(root, "abc", b=LOST_LAST)
    inventory = json.loads(fleet.inventory.read_text(encoding="utf-8"))
    (certificate,) = inventory["all"]["hosts"]["b"]["certfleet_certificates"]
    certificate["publish"] = [{"acm": {"region": "eu-central-1"}}]
    fleet.inventory.write_text(json.dumps(inventory), encoding="utf-8")
    return fleet


def reports(done: Run) -> list[list[str]]:
    return [row["result"]["lines"] for row in done.of("fleet_report") if row["result"].get("lines")]


def test_a_host_that_is_lost_before_it_publishes_fails(tmp_path: Path) -> None:
    fleet = publishing(tmp_path)
    lost = fleet.run(fleet.together(SITE, SITE), expect=None)
    assert lost.returncode in (2, 4, 6)
    assert waves(lost) == ["a", "b", "c"], "publishing is not what stops a rollout"
    assert fleet.active == "abc"
    first, second = reports(lost)
    (line,) = [line for line in first if line.startswith("b web: ")]
    assert line.startswith("b web: FAILED: publish: the host was not reached any more: ")
    assert "waits to be activated" not in line
    assert first[-1] == "3 certificates: 2 changed, 0 unchanged, 1 failed"
    # It takes no part in the second one, and what it has of the first one is not told again.
    assert second == [
        "b: FAILED: it had left an earlier play (unreachable or failed, see above) and took no part",
        "2 certificates: 0 changed, 2 unchanged, 0 failed, 1 host lost",
    ]


def test_the_same_with_the_playbook_deploy(tmp_path: Path) -> None:
    fleet = publishing(tmp_path)
    lost = fleet.run("certfleet.acme.deploy", variables={"certfleet_serial": "100%"}, expect=4)
    assert [line.split(", serial")[0].split(": Failed")[0] for line in lost.report[:2]] == [
        "a web: new certificate deployed",
        "c web: new certificate deployed",
    ]
    assert lost.report[2].startswith("b web: FAILED: publish: the host was not reached any more: ")
    assert lost.report[3:] == ["3 certificates: 2 changed, 0 unchanged, 1 failed, 1 host lost"]


def test_each_play_tells_its_own(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "ab")
    done = fleet.run(fleet.together(SITE, DEPLOY), variables={"certfleet_serial": 1})
    told = reports(done)
    assert [lines[-1] for lines in told] == [
        "2 certificates: 2 changed, 0 unchanged, 0 failed",
        "1 certificate: 0 changed, 1 unchanged, 0 failed, not reached yet: b",
        "2 certificates: 0 changed, 2 unchanged, 0 failed",
    ]
    assert all("new certificate deployed, serial" in line for line in told[0][:2])


def test_what_to_go_back_with_may_be_text(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "a")
    fleet.run("certfleet.acme.deploy")
    for text, cause in {
        "web": "there is no version before 0001 to go back to",
        '["web", "wbe"]': "deploy_rollback names wbe, which",
    }.items():
        done = fleet.run("certfleet.acme.deploy", variables={"deploy_rollback": text}, expect=2)
        assert cause in done.failed["a"]
    none = fleet.run("certfleet.acme.deploy", variables={"deploy_rollback": " "})
    assert ends(none) == "1 certificate: 0 changed, 1 unchanged, 0 failed"
