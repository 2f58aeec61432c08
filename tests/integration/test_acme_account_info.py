# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._keys.account import load_account_key

from tests.integration.conftest import Labs
from tests.support.controller import Controller, key_pem, make_key

BOTH = pytest.mark.parametrize("lab", [("pebble", "ministack"), ("acme2certifier", "moto")], indirect=True)


@pytest.fixture
def controller(lab: Any, tmp_path: Path) -> Controller:
    return Controller(lab, tmp_path)


@BOTH
def test_the_directory_alone_needs_no_key_and_one_request(controller: Controller) -> None:
    options = controller.ca()
    del options["account_key_src"]
    found = controller.module("acme_account_info", **options)
    assert (found["changed"], found["exists"], found["account"]) == (False, False, None)
    assert "shortlived" in found["profiles"]
    assert found["directory"]["newOrder"].startswith("https://127.0.0.1:")
    assert found["external_account_required"] is False
    assert found["offers"]["key_change"]
    assert isinstance(found["caa_identities"], list)
    assert controller.lab.counts("acme") == {"directory": 1}


@BOTH
def test_an_account_is_told_and_none_is_ever_made(controller: Controller) -> None:
    controller.key.write_text(key_pem(make_key()))
    none = controller.module("acme_account_info", **controller.ca())
    assert (none["exists"], none["account_uri"], none["account"]) == (False, None, None)
    assert not controller.module("acme_account_info", **controller.ca())["exists"]

    made = controller.account(contact=["ops@example.com"])
    found = controller.module("acme_account_info", check=True, **controller.ca(account_uri=made["account_uri"]))
    assert (found["changed"], found["exists"], found["account_uri"]) == (False, True, made["account_uri"])
    assert found["account"]["status"] == "valid"
    assert found["account"]["contact"] == ["mailto:ops@example.com"]
    key = load_account_key(str(controller.key))
    assert found["account"]["public_account_key"] == key.jwk.public_key().to_json()
    assert "d" not in found["account"]["public_account_key"]
    assert found["account_key_thumbprint"] == key.thumbprint
    assert "order_uris" not in found
    wrong = controller.module("acme_account_info", **controller.ca(account_uri=made["account_uri"] + "x"))
    assert "belongs to" in wrong["msg"]


def test_orders_come_from_all_pages_as_many_as_asked_for(labs: Labs, tmp_path: Path) -> None:
    controller = Controller(labs.get("pebble", "ministack"), tmp_path)
    controller.account()
    names = [f"listed{number}.example.com" for number in range(17)]
    orders = [{"name": name, "identifiers": [name]} for name in names]
    ordered = controller.module("acme_order", **controller.ca(), orders=orders)
    uris = {order["order_uri"] for order in ordered["orders"]}
    assert len(uris) == 17
    controller.lab.reset_log()
    listed = controller.module("acme_account_info", **controller.ca(retrieve_orders="url_list"))
    assert (set(listed["order_uris"]), listed["orders_complete"]) == (uris, True)
    assert controller.lab.counts("acme")["orders"] == 2
    assert "orders" not in listed
    some = controller.module("acme_account_info", **controller.ca(retrieve_orders="object_list", max_orders=15))
    assert (len(some["order_uris"]), some["orders_complete"]) == (15, False)
    assert [order["uri"] for order in some["orders"]] == some["order_uris"]
    assert {order["status"] for order in some["orders"]} == {"pending"}
    assert {order["identifiers"][0]["value"] for order in some["orders"]} < set(names)
    assert controller.lab.counts("acme")["order"] == 15


def test_a_ca_that_lists_no_orders_is_not_a_failure(labs: Labs, tmp_path: Path) -> None:
    controller = Controller(labs.get("acme2certifier", "moto"), tmp_path)
    controller.account()
    found = controller.module("acme_account_info", **controller.ca(retrieve_orders="object_list"))
    assert found["exists"]
    assert found["orders"] == [] if found["account"]["orders"] else "order_uris" not in found


def test_a_deactivated_account_is_told_as_such(labs: Labs, tmp_path: Path) -> None:
    controller = Controller(labs.get("pebble", "ministack"), tmp_path)
    controller.account()
    assert controller.module("acme_account", **controller.ca(state="absent"))["changed"]
    found = controller.module("acme_account_info", **controller.ca())
    assert (found["exists"], found["account"]) == (False, {"status": "deactivated"})
