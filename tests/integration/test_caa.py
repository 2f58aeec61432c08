# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CAA before an order: records in a real zone, asked for over DNS, held against a CA and an account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.route53_cloud import Cloud
from tests.lab.api import Lab
from tests.support.controller import Controller, item

IDENTITY = "pebble.letsencrypt.org"

# acme2certifier does not say under which names it issues.
pytestmark = pytest.mark.parametrize("lab", [("pebble", "ministack")], indirect=True)


@pytest.fixture
def controller(lab: Lab, tmp_path: Path) -> Controller:
    return Controller(lab, tmp_path)


@pytest.fixture
def zone(lab: Lab, controller: Controller, tmp_path: Path) -> str:
    """A zone with a set for each case; the account exists."""
    cloud = Cloud(lab, tmp_path)
    name, zone_id = cloud.zone()
    account = controller.account()["account_uri"]
    sets = {
        "mine": [f'0 issue "{IDENTITY}; validationmethods=dns-01; accounturi={account}"'],
        "other": ['0 issue "ca.example"', '0 issuewild ";"'],
        "http": [f'0 issue "{IDENTITY}; validationmethods=http-01"'],
        "account": [f'0 issue "{IDENTITY}; accounturi={account}0"'],
    }
    for label, values in sets.items():
        cloud.put(zone_id, f"{label}.{name}", values, kind="CAA")
    lab.reset_log()
    return name


def test_what_caa_says_of_each_name(controller: Controller, zone: str) -> None:
    names = [f"www.mine.{zone}", f"*.other.{zone}", f"http.{zone}", f"account.{zone}", f"free.{zone}", "192.0.2.1"]
    options: dict[str, Any] = {"identifiers": names, "dns_resolvers": [controller.lab.dns]}
    first = controller.module("acme_caa_info", **controller.ca(), **options)
    assert not first["changed"]
    assert first["forbidden"] == names[1:4]
    assert first["caa_identities"] == [IDENTITY]
    found = {one["identifier"]: one for one in first["identifiers"]}
    assert list(found) == names[:5]
    assert (found[names[0]]["allowed"], found[names[0]]["where"]) == (True, f"mine.{zone}")
    assert found[names[0]]["msg"] == ""
    assert found[names[1]]["records"] == ['0 issue "ca.example"', '0 issuewild ";"']
    assert f"CAA at http.{zone} forbids http.{zone}" in found[names[2]]["msg"]
    assert "dns-01" in found[names[2]]["msg"]
    assert first["account_uri"] in found[names[3]]["msg"]
    assert (found[names[4]]["allowed"], found[names[4]]["where"], found[names[4]]["records"]) == (True, None, [])
    assert controller.module("acme_caa_info", check=True, **controller.ca(), **options) == first
    # Without an account, what depends on it cannot be told; with other identities the answer is another one.
    keyless = {name: value for name, value in controller.ca().items() if name != "account_key_src"}
    unknown = controller.module("acme_caa_info", **keyless, **options)
    assert [one["allowed"] for one in unknown["identifiers"]] == [None, False, False, None, True]
    other = controller.module("acme_caa_info", **keyless, **options, caa_identities=["ca.example"])
    assert [one["allowed"] for one in other["identifiers"]] == [False, False, False, False, True]


def test_refused_before_anything_is_ordered_and_no_other_certificate_with_it(controller: Controller, zone: str) -> None:
    wanted = [item("good", f"mine.{zone}"), item("bad", f"free.{zone}", f"other.{zone}")]
    for check in (True, False):
        result = controller.issue(wanted, check=check, caa="refuse", item_failures="report")
        good, bad = result["certificates"]
        assert (good["failed"], good["changed"], good["warnings"]) == (False, True, [])
        assert (bad["failed"], bad["changed"], bad["order_uri"]) == (True, False, None)
        assert f"CAA at other.{zone} forbids other.{zone}: " in bad["msg"]
    assert controller.lab.counts("acme")["newOrder"] == 1


def test_a_warning_by_default_and_no_look_when_told_so(controller: Controller, zone: str) -> None:
    (warned,) = controller.issue([item("bad", f"other.{zone}")])["certificates"]
    assert not warned["failed"]
    assert any(f"CAA at other.{zone} forbids" in text for text in warned["warnings"])
    assert controller.lab.counts("dns")["CAA"] > 0
    controller.lab.reset_log()
    (silent,) = controller.issue([item("bad", f"other.{zone}")], caa="ignore")["certificates"]
    assert silent["warnings"] == []
    assert controller.lab.counts("dns")["CAA"] == 0
