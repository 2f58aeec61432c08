# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The main job with two clouds: Cloud DNS beside Route53, and a certificate that has a name in each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Labs
from tests.integration.fleet import Run, playbook
from tests.integration.providers import WRITES, chosen
from tests.lab.api import Lab

pytestmark = pytest.mark.provider("cloud_dns", reason="it is about two of them; test_site.py is about each alone")
#: Lies in Cloud DNS; all else is in Route53.
BESIDE = ("example.org",)
#: Requests that may change something at a CA or in a zone.
WRITING = {"newAccount", "newOrder", "challenge", "finalize", *WRITES}


@pytest.fixture
def fresh(request: pytest.FixtureRequest, labs: Labs) -> Iterator[Lab]:
    """A lab that nothing has been issued in. Nothing in it may be against Google's description of its API."""
    ca, zones = request.param
    lab = labs.fresh(ca, "ministack", hosts=2, cloud_zones=zones)
    yield lab
    try:
        assert lab.cloud_violations() == []
    finally:
        lab.down()


def run(lab: Lab, name: str, work: Path, **options: Any) -> Run:
    return playbook(f"certfleet.acme.{name}", lab.state.inventory, work, **options)


def names(lab: Lab) -> dict[tuple[str, str], str]:
    """What each endpoint serves, by host and name."""
    return {
        (host, name): lab.served(host, name.replace("*.", "www.")).serial
        for host, facts in lab.hosts.items()
        for identifiers in facts["certificates"].values()
        for name in identifiers
    }


@pytest.mark.parametrize(
    "fresh",
    [("pebble", BESIDE), *([("acme2certifier", BESIDE)] if chosen() else [])],
    indirect=True,
    ids=lambda pair: pair[0],
)
def test_issue_deploy_rotate_revoke(fresh: Lab, tmp_path: Path) -> None:
    lab = fresh
    planned = run(lab, "site", tmp_path, arguments=["--check"])
    assert planned.changed
    for server in ("acme", "route53", "cloud_dns"):
        assert not WRITING & set(lab.counts(server))

    lab.reset_log()
    first = run(lab, "site", tmp_path)
    before = names(lab)
    assert before["web1", "both.example.com"] == before["web1", "both.example.org"]
    assert len(set(before.values())) == 4
    assert lab.counts("cloud_dns")["changes.create"] == 2
    assert lab.counts("route53")["ChangeResourceRecordSets"] == 2
    assert lab.all_txt() == {}
    assert len(first.of("acme_certificate")) == 1

    lab.reset_log()
    second = run(lab, "site", tmp_path)
    assert second.changed == []
    assert second.report == ["4 certificates: 0 changed, 4 unchanged, 0 failed"]
    for server in ("acme", "route53", "cloud_dns", "dns"):
        assert lab.requests(server) == []

    run(lab, "rotate", tmp_path, variables={"rotate_force": True})
    after = names(lab)
    assert not set(after.values()) & set(before.values())
    run(lab, "revoke", tmp_path)
    assert all(lab.is_revoked(serial) for serial in before.values())
    assert not any(lab.is_revoked(serial) for serial in after.values())
    assert lab.all_txt() == {}


@pytest.mark.thorough
@pytest.mark.parametrize("fresh", [("acme2certifier", BESIDE)], indirect=True)
def test_one_cloud_that_refuses_harms_the_certificates_with_names_in_it_only(fresh: Lab, tmp_path: Path) -> None:
    lab = fresh
    lab.set_cloud_faults({"every": 1, "status": 403, "reason": "forbidden", "message": "not you"})
    # In one wave: that nginx of web1 does not start without all of its certificates would stop the next one.
    done = run(lab, "site", tmp_path, variables={"certfleet_serial": "100%"}, expect=2)
    assert set(done.failed) == {"web1"}
    (failure,) = [line for line in done.report if line.startswith("web1 both: FAILED: ")]
    assert "dns.managedZones.list" in failure
    # web1's nginx does not start before it has all of its certificates, so what was issued for it is not in use yet.
    (issued,) = done.of("acme_certificate")
    assert {item["name"]: item["failed"] for item in issued["result"]["certificates"] if item["host"] == "web1"} == {
        "apex": False,
        "web": False,
        "both": True,
    }
    assert lab.served("web2", "web2.example.com").serial
    assert lab.all_txt() == {}

    lab.set_cloud_faults()
    run(lab, "site", tmp_path)
    assert lab.served("web1", "both.example.org").serial == lab.served("web1", "both.example.com").serial
    assert lab.all_txt() == {}


@pytest.mark.thorough
@pytest.mark.parametrize("fresh", [("acme2certifier", BESIDE)], indirect=True)
def test_a_cloud_that_stumbles_and_is_slow(fresh: Lab, tmp_path: Path) -> None:
    lab = fresh
    lab.set_cloud_faults({"every": 2, "status": 503, "after": True})
    lab.set_cloud_behaviour(delay=1.0)
    run(lab, "site", tmp_path)
    assert lab.served("web1", "both.example.org").serial == lab.served("web1", "both.example.com").serial
    assert lab.all_txt() == {}
