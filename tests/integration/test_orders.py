# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be ordered: many names, internationalised ones, a validity; and what is refused before any request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lab.api import Lab
from tests.support.controller import Controller, item, make_csr

pytestmark = pytest.mark.parametrize("lab", [("pebble", "ministack")], indirect=True)


@pytest.fixture
def controller(lab: Lab, tmp_path: Path) -> Controller:
    made = Controller(lab, tmp_path)
    made.account()
    return made


def test_a_hundred_names_in_one_certificate_and_no_more(controller: Controller) -> None:
    names = [f"n{number}.many.example.com" for number in range(100)]
    (found,) = controller.issue([item("many", *names)])["certificates"]
    assert (found["failed"], sorted(found["identifiers"])) == (False, sorted(names))
    assert controller.lab.counts("route53")["ChangeResourceRecordSets"] == 2
    assert controller.lab.all_txt() == {}
    controller.lab.reset_log()
    for module, key in (("acme_certificate", "certificates"), ("acme_order", "orders")):
        more: dict[str, Any] = {"name": "more", "identifiers": [*names, "one.too.example.com"]}
        if module == "acme_certificate":
            more["csr_content"] = make_csr(*names, "one.too.example.com")
        dns: dict[str, Any] = controller.dns() if module == "acme_certificate" else {}
        options: dict[str, Any] = {**controller.ca(), **dns, key: [more]}
        result = controller.module(module, **options)
        assert "101 names are too many" in result["msg"]
    assert controller.lab.counts("acme")["newOrder"] == 0


def test_an_internationalised_name_goes_in_as_it_is_written(controller: Controller) -> None:
    options = {**controller.ca(), "orders": [{"name": "idn", "identifiers": ["Bücher.example.com"]}]}
    (found,) = controller.module("acme_order", **options)["orders"]
    assert found["identifiers"] == ["xn--bcher-kva.example.com"]
    assert found["txt_records"][0]["record"] == "_acme-challenge.xn--bcher-kva.example.com"


def test_a_validity_that_the_ca_grants(controller: Controller) -> None:
    asked = {"not_before": "2026-01-02T03:04:05Z", "not_after": "2034-01-02T03:04:05Z"}
    (found,) = controller.issue([item("dated", "dated.example.com", **asked)])["certificates"]
    assert (found["not_before"], found["not_after"]) == (asked["not_before"], asked["not_after"])


@pytest.mark.parametrize(
    "bad",
    [
        {"not_after": "tomorrow"},
        {"not_before": "2030-01-01T00:00:00"},
        {"not_after": "2030-W05-7T00:00:00Z"},
        {"not_after": "2020-01-01T00:00:00Z"},
        {"not_before": "2030-01-02T00:00:00Z", "not_after": "2030-01-01T00:00:00Z"},
    ],
)
def test_a_date_that_is_none_is_refused_before_any_request(controller: Controller, bad: dict[str, str]) -> None:
    for result in (
        controller.issue([item("dated", "dated.example.com", **bad)]),
        controller.module("acme_order", **controller.ca(), orders=[item("dated", "dated.example.com", **bad)]),
    ):
        assert next(iter(bad.values())) in result["msg"]
    assert controller.lab.counts("acme") == {}


@pytest.mark.parametrize(
    ("replaces", "reason"),
    [("garbage", "parsing ARI CertID failed"), ("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", "could not find an order")],
)
def test_a_certificate_to_replace_that_the_ca_does_not_know_costs_no_order(
    controller: Controller, replaces: str, reason: str
) -> None:
    order = {"name": "new", "identifiers": ["new.example.com"], "replaces": replaces}
    (found,) = controller.module("acme_order", **controller.ca(), orders=[order])["orders"]
    assert (found["status"], len(found["warnings"])) == ("pending", 1)
    assert "refused to note which certificate is replaced: " in found["warnings"][0]
    assert controller.lab.counts("acme")["newOrder"] == 2


def test_check_mode_fails_where_the_order_would(controller: Controller, tmp_path: Path) -> None:
    before = controller.lab.counts("acme")
    wanted = [item("address", "192.0.2.7"), item("name", "name.example.com")]
    result = controller.issue(wanted, check=True, item_failures="report")
    assert [(one["failed"], one["changed"]) for one in result["certificates"]] == [(True, False), (False, True)]
    assert "the CA offers no dns-01 challenge for 192.0.2.7" in result["certificates"][0]["msg"]
    unknown = {"account_key_src": str(tmp_path / "none.pem"), "generate_account_key": True, "allow_creation": False}
    assert "has no account for this key" in controller.issue(wanted, check=True, **unknown)["msg"]
    assert controller.lab.counts("acme").get("newOrder") == before.get("newOrder")
