# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mass revocation as operators see it: the CA moves windows of renewal into the past, and the next run follows."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Labs
from tests.integration.fleet import Run, playbook
from tests.lab.api import Lab
from tests.support.controller import Controller

URL = "https://ca.example/incident-17"
PAST = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
ALL = [("web1", "apex"), ("web1", "web"), ("web2", "web")]


@pytest.fixture
def pebble(labs: Labs) -> Iterator[Lab]:
    lab = labs.fresh("pebble", "ministack", hosts=2)
    yield lab
    lab.down()


@pytest.fixture
def forcing(labs: Labs) -> Iterator[Lab]:
    """acme2certifier with the setting for a mass revocation."""
    lab = labs.fresh("acme2certifier", "ministack", hosts=1, renewal_force=True)
    yield lab
    lab.down()


def run(lab: Lab, work: Path, name: str = "rotate", **options: Any) -> Run:
    lab.reset_log()
    return playbook(f"certfleet.acme.{name}", lab.state.inventory, work, **options)


def folder(lab: Lab, host: str, name: str) -> Path:
    return Path(lab.hosts[host]["store_path"]) / name / "current"


def serials(lab: Lab, certificates: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    return {key: json.loads((folder(lab, *key) / "certificate.json").read_text())["serial"] for key in certificates}


def kept(lab: Lab, host: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder(lab, host, name) / "certificate.json").read_text())
    return found


def hours_pass(lab: Lab, certificates: list[tuple[str, str]], hours: int = 7) -> None:
    """Date back what is noted beside certificates, so that it is time to ask the CA."""
    earlier = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hours)
    for key in certificates:
        meta = kept(lab, *key)
        meta["staged_at"] = earlier.strftime("%Y-%m-%dT%H:%M:%SZ")
        if meta.get("ari"):
            meta["ari"]["next_check"] = meta["staged_at"]
        (folder(lab, *key) / "certificate.json").write_text(json.dumps(meta))


def already_replaced(lab: Lab, work: Path, cert_id: str, name: str) -> bool:
    """Whether the CA says that an order has replaced this certificate already."""
    controller = Controller(lab, work)
    controller.key = lab.state.root / "controller" / "account.key"
    order = {"name": "probe", "identifiers": [name], "replaces": cert_id}
    result = controller.module("acme_order", **controller.ca(orders=[order]))
    return "alreadyReplaced" in json.dumps(result["orders"])


@pytest.mark.thorough
def test_exactly_those_that_the_ca_wants_renewed_are_renewed(pebble: Lab, tmp_path: Path) -> None:
    lab = pebble
    run(lab, tmp_path, "site")
    before = serials(lab, ALL)
    affected = [("web1", "web"), ("web2", "web")]
    answer = json.dumps({"suggestedWindow": PAST, "explanationURL": URL})
    for key in affected:
        lab.set_renewal_info((folder(lab, *key) / "cert.pem").read_text(), answer)

    hours_pass(lab, ALL)
    old = {key: _cert_id(lab, *key) for key in ALL}
    done = run(lab, tmp_path)
    counts = lab.counts("acme")
    assert (counts["renewalInfo"], counts["newOrder"]) == (3, 2), "one question each, and no order but for two"
    after = serials(lab, ALL)
    assert {key for key in ALL if after[key] != before[key]} == set(affected)
    for host, name in affected:
        (line,) = [line for line in done.report if line.startswith(f"{host} {name}: ")]
        assert "the CA asks for renewal from 2026-01-01T" in line
        assert f"({URL})" in line
    assert done.report[-1] == "3 certificates: 2 changed, 1 unchanged, 0 failed"
    assert already_replaced(lab, tmp_path, old["web2", "web"], "web2.example.com")
    assert not already_replaced(lab, tmp_path, old["web1", "apex"], "example.com")
    spared = kept(lab, "web1", "apex")["ari"]
    assert spared["window"]["start"] <= spared["renew_at"] <= spared["window"]["end"]

    # What the CA said, and when it wants to be asked again, is kept, and new ones are not asked for at once.
    again = run(lab, tmp_path)
    assert again.changed == []
    assert lab.requests("acme") == []
    assert sorted(again.module_calls) == ["web1: certificate_request", "web2: certificate_request"]

    # A CA that is down when it is time to ask it.
    hours_pass(lab, ALL[:1])
    lab.stop_server("acme")
    down = run(lab, tmp_path)
    assert down.changed == []
    assert "no renewal information for apex, decided by what is known and the lifetime: " in " ".join(
        down.output.split()
    )
    held = kept(lab, "web1", "apex")["ari"]
    assert (held["failures"], held["renew_at"]) == (1, spared["renew_at"])


def _cert_id(lab: Lab, host: str, name: str) -> str:
    from ansible_collections.certfleet.acme.plugins.module_utils import _x509

    leaf = _x509.load_chain((folder(lab, host, name) / "cert.pem").read_text())[0]
    return str(_x509.ari_cert_id(leaf))


def test_all_are_renewed_when_the_ca_wants_all_renewed(forcing: Lab, tmp_path: Path) -> None:
    lab = forcing
    certificates = ALL[:2]
    run(lab, tmp_path, "site")
    before = serials(lab, certificates)
    # Its windows end in a day.
    done = run(lab, tmp_path, variables={"certfleet_renewal_info": "now", "certfleet_next_run_in": 86400})
    assert not set(serials(lab, certificates).values()) & set(before.values())
    assert all("the CA asks for renewal from " in line for line in done.report[:2])
    assert lab.counts("acme")["renewalInfo"] == 2
