# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What acme_order, acme_validate and acme_finalize do not ask a CA for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme.finalize_module import finalize_orders
from ansible_collections.certfleet.acme.plugins.module_utils._acme.order_module import make_orders
from ansible_collections.certfleet.acme.plugins.module_utils._acme.validate_module import validate_orders
from ansible_collections.certfleet.acme.plugins.module_utils._keys.account import generate_account_key

from .scripted import Answer, ScriptedCA, scripted_ca

Options = Callable[..., dict[str, Any]]


@pytest.fixture
def ca() -> Iterator[ScriptedCA]:
    with scripted_ca() as running:
        account: Answer = (201, {"Location": f"{running.url}/account/1"}, {"status": "valid"})
        running.script["newAccount"] = [account]
        yield running


@pytest.fixture
def options(ca: ScriptedCA, tmp_path: Path) -> Options:
    key = tmp_path / "account.pem"
    generate_account_key(str(key), "ecdsa-p256", None)
    common = {"acme_directory": f"{ca.url}/directory", "account_key_src": str(key), "request_timeout": 5, "timeout": 10}

    def build(*orders: dict[str, Any], **more: Any) -> dict[str, Any]:
        known = {"allow_creation": True, "terms_agreed": True, "concurrency": 2, "state": "valid"}
        return {**common, **known, "orders": list(orders), **more}

    return build


def test_no_account_is_made_for_orders_that_are_refused_here(ca: ScriptedCA, options: Options) -> None:
    wanted = [
        {"name": "profile", "identifiers": ["a.example.com"], "profile": "unheard-of"},
        {"name": "dates", "identifiers": ["b.example.com"], "not_after": "tomorrow"},
    ]
    results = make_orders(options(*wanted))
    assert results[0]["msg"].startswith("the CA does not offer the profile unheard-of: it offers none")
    assert results[1]["msg"].startswith("not_after 'tomorrow' is no instant")
    assert ca.paths() == ["/directory"]


def test_an_order_that_is_refused_here_harms_no_other(ca: ScriptedCA, options: Options) -> None:
    body = {"status": "ready", "identifiers": [{"type": "dns", "value": "b.example.com"}], "authorizations": []}
    ca.script["newOrder"] = [(201, {"Location": f"{ca.url}/order/1"}, body)]
    wanted = [
        {"name": "profile", "identifiers": ["a.example.com"], "profile": "unheard-of"},
        {"name": "good", "identifiers": ["b.example.com"]},
    ]
    results = make_orders(options(*wanted))
    assert [result["failed"] for result in results] == [True, False]
    assert ca.paths().count("/newOrder") == 1


@pytest.mark.parametrize("work", [make_orders, validate_orders, finalize_orders])
def test_no_order_needs_no_request(ca: ScriptedCA, options: Options, work: Callable[[Any], Any]) -> None:
    assert work(options()) == []
    assert ca.paths() == []
