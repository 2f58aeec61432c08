# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deployment by the playbooks: a host that is lost between the calls, and going back by the role's variable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.fleet import Run, playbook
from tests.lab.api import Lab


@pytest.fixture
def fresh(labs: Any) -> Iterator[Lab]:
    """A lab with one host that nothing has been issued for."""
    lab = labs.fresh(hosts=1)
    yield lab
    lab.down()


def play(lab: Lab, work: Path, *plays: dict[str, Any], **options: Any) -> Run:
    book = work / "book.yml"
    book.write_text(json.dumps(plays), encoding="utf-8")
    return playbook(book, lab.state.inventory, work, **options)


def imported(*names: str) -> list[dict[str, Any]]:
    return [{"import_playbook": f"certfleet.acme.{name}"} for name in names]


def current(lab: Lab, name: str) -> str:
    return (Path(lab.hosts["web1"]["store_path"]) / name / "current").readlink().name


def test_a_host_that_is_lost_after_staging(fresh: Lab, tmp_path: Path) -> None:
    lab = fresh
    names = {certificate: names[0] for certificate, names in lab.hosts["web1"]["certificates"].items()}
    play(lab, tmp_path, *imported("site"))
    before = {certificate: lab.served("web1", name).serial for certificate, name in names.items()}
    # The connection ends between the calls.
    gone = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.set_fact": {"ansible_connection": "ssh", "ansible_port": 1}}],
    }
    forced = {"issue_force": True}
    lost = play(lab, tmp_path, *imported("issue"), gone, *imported("deploy"), variables=forced, expect=4)
    assert list(lost.failed) == ["web1"]
    assert {certificate: lab.served("web1", name).serial for certificate, name in names.items()} == before
    assert {current(lab, certificate) for certificate in names} == {"0001"}

    lab.reset_log()
    done = play(lab, tmp_path, *imported("site"))
    assert lab.requests("acme") == []  # what is on the host is not asked for again
    after = {certificate: lab.served("web1", name).serial for certificate, name in names.items()}
    assert not set(before.values()) & set(after.values())
    assert {current(lab, certificate) for certificate in names} == {"0002"}
    assert not done.failed

    # And back, by hand; no later run brings the newest one into use again.
    chosen = sorted(names)[0]
    back = {"deploy_rollback": [chosen]}
    wrong = {"deploy_rollback": ["nowhere"]}
    plays = [{**book, "vars": found} for found in (back, wrong) for book in imported("deploy")]
    planned = play(lab, tmp_path, *plays, arguments=["--check"], expect=2)
    assert "deploy_rollback names nowhere, which this host does not declare" in planned.failed["web1"]
    assert planned.changed
    assert current(lab, chosen) == "0002"
    done = play(lab, tmp_path, *imported("deploy", "deploy", "site"), variables=back)
    assert len(done.changed) == 1
    served = {certificate: lab.served("web1", name).serial for certificate, name in names.items()}
    assert served == {**after, chosen: before[chosen]}
