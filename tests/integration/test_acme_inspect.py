# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Labs
from tests.support.controller import Controller, key_pem, make_key

BOTH = pytest.mark.parametrize("lab", [("pebble", "ministack"), ("acme2certifier", "moto")], indirect=True)


@pytest.fixture
def controller(lab: Any, tmp_path: Path) -> Controller:
    return Controller(lab, tmp_path)


@pytest.fixture
def pebble(labs: Labs, tmp_path: Path) -> Controller:
    return Controller(labs.get("pebble", "ministack"), tmp_path)


@BOTH
def test_from_the_directory_to_an_order_and_back(controller: Controller) -> None:
    made = controller.account(contact=["one@example.com"])
    found = controller.module(
        "acme_inspect", acme_directory=controller.lab.acme["directory"], ca_path=controller.lab.acme["ca_path"],
        method="directory-only",
    )  # fmt: skip
    assert not found["changed"]
    assert controller.lab.counts("acme") == {"directory": 1}

    identifiers = [{"type": "dns", "value": "inspected.example.com"}]
    order = {"method": "post", "url": "newOrder", "content": {"identifiers": identifiers}}
    controller.lab.reset_log()
    planned = controller.module("acme_inspect", check=True, **controller.ca(**order))
    assert (planned["changed"], planned["url"]) == (True, found["directory"]["newOrder"])
    assert "status" not in planned
    assert controller.lab.counts("acme") == {"directory": 1}

    posted = controller.module("acme_inspect", **controller.ca(**order))
    assert (posted["changed"], posted["status"], posted["account_uri"]) == (True, 201, made["account_uri"])
    assert posted["output_json"]["identifiers"] == identifiers
    assert json.loads(posted["output_text"]) == posted["output_json"]
    options = controller.ca(account_uri=made["account_uri"], url=posted["headers"]["location"])
    controller.lab.reset_log()
    read = controller.module("acme_inspect", **options)
    assert (read["changed"], read["status"], read["output_json"]["status"]) == (False, 200, "pending")
    assert controller.lab.counts("acme") == {"directory": 1, "newNonce": 1, "order": 1}  # and no look-up
    cut = controller.module("acme_inspect", max_characters=10, **options)
    assert (cut["output_text"], cut["output_truncated"]) == (read["output_text"][:10], True)
    assert cut["output_json"] is None


@BOTH
def test_an_error_shows_the_problem_and_fails_unless_told_not_to(controller: Controller) -> None:
    controller.account()
    content = {"identifiers": [{"type": "dns", "value": "one.refused.test"}, {"type": "dns", "value": "example.com"}]}
    options = controller.ca(method="post", url="newOrder", content=content)
    failed = controller.module("acme_inspect", **options)
    assert failed["failed"]
    assert "rejectedIdentifier" in failed["msg"]
    assert failed["problem"]["type"].endswith(":rejectedIdentifier")
    assert failed["status"] == failed["problem"]["status"] >= 400
    assert failed["output_json"]["detail"] == failed["problem"]["detail"]
    assert failed["headers"]["replay-nonce"]
    told = controller.module("acme_inspect", fail_on_acme_error=False, **options)
    assert not told.get("failed")
    assert (told["changed"], told["problem"]["type"]) == (False, failed["problem"]["type"])


def test_a_new_account_is_signed_by_the_key_itself(pebble: Controller) -> None:
    pebble.key.write_text(key_pem(make_key()))
    content = json.dumps({"termsOfServiceAgreed": True})
    options = pebble.ca(method="post", url="newAccount", content=content)
    made = pebble.module("acme_inspect", **options)
    assert (made["status"], made["account_uri"]) == (201, None)
    assert pebble.lab.counts("acme")["newAccount"] >= 1
    found = pebble.module("acme_account", **pebble.ca(allow_creation=False))
    assert found["account_uri"] == made["headers"]["location"]


def test_the_host_must_be_the_directorys(pebble: Controller, labs: Labs) -> None:
    pebble.account()
    other = labs.get("acme2certifier", "moto")
    other.reset_log()
    options = pebble.ca(url=other.acme["directory"])
    refused = pebble.module("acme_inspect", **options)
    assert refused["failed"]
    assert "another host than" in refused["msg"]
    assert other.requests("acme") == []


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"method": "post", "url": "newOrder", "content": "{nonsense"}, "content is not JSON"),
        ({"method": "post", "url": "newOrder", "content": "[1]"}, "content is not a JSON object"),
        ({"method": "post", "url": "newOrder"}, "content"),
        ({}, "url"),
        ({"url": "newOrder", "max_characters": 0}, "max_characters"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_the_first_request(
    pebble: Controller, options: dict[str, Any], cause: str
) -> None:
    pebble.account()
    result = pebble.module("acme_inspect", **pebble.ca(**options))
    assert result["failed"]
    assert cause in result["msg"]
    assert pebble.lab.requests("acme") == []


def test_without_an_account_nothing_is_signed_as_one(pebble: Controller) -> None:
    pebble.key.write_text(key_pem(make_key()))
    result = pebble.module("acme_inspect", **pebble.ca(url="newOrder"))
    assert "has no account for this key" in result["msg"]
