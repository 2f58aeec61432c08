# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of RFC 8555 one by one, each twice and in check mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils import _x509

from tests.integration.conftest import Labs
from tests.integration.providers import access, dns_of, pairs
from tests.support.controller import Controller, make_csr

LABS = [("pebble", "ministack"), ("acme2certifier", "moto")]
BOTH = pytest.mark.parametrize("lab", pairs(*LABS), indirect=True)


class Steps(Controller):
    """Each step for the orders that a test has."""

    def order(self, *orders: dict[str, Any], check: bool = False, **options: Any) -> dict[str, Any]:
        return self.module("acme_order", check=check, **self.ca(orders=list(orders), **options))

    def publish(self, ordered: dict[str, Any], state: str = "present") -> dict[str, Any]:
        where = {**access(self.lab), "resolvers": [self.lab.dns]}
        return self.module(f"dns01_{dns_of(self.lab).name}", records=ordered["txt_records"], state=state, **where)

    def validate(self, *uris: str, check: bool = False, **options: Any) -> dict[str, Any]:
        orders = [{"name": uri, "order_uri": uri} for uri in uris]
        return self.module("acme_validate", check=check, **self.ca(orders=orders, **options))

    def finalize(self, uri: str, csr: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
        orders = [{"name": "one", "order_uri": uri, "csr_content": csr}]
        return self.module("acme_finalize", check=check, **self.ca(orders=orders, **options))


@pytest.fixture
def steps(lab: Any, tmp_path: Path) -> Steps:
    made = Steps(lab, tmp_path)
    made.account()
    return made


@pytest.mark.parametrize("lab", pairs(*LABS, ("pebble", "cloud_dns")), indirect=True)
def test_from_the_order_to_the_certificate(steps: Steps) -> None:
    wanted = {"name": "one", "identifiers": ["steps.example.com", "*.steps.example.com"]}
    planned = steps.order(wanted, check=True)
    assert planned["changed"]
    assert planned["txt_records"] == [{"record": "_acme-challenge.steps.example.com", "values": []}]
    assert steps.lab.counts("acme") == {"directory": 1, "newNonce": 1, "newAccount": 1}

    ordered = steps.order(wanted, {"name": "bad", "identifiers": ["bad.refused.test"]}, item_failures="report")
    assert ordered["changed"]
    assert ordered["failed_items"] == ["bad"]
    assert "rejectedIdentifier" in ordered["orders"][1]["msg"]
    one = ordered["orders"][0]
    assert (one["status"], len(one["authorizations"])) == ("pending", 2)
    assert sorted(entry["wildcard"] for entry in one["authorizations"]) == [False, True]
    (record,) = ordered["txt_records"]
    assert record["record"] == "_acme-challenge.steps.example.com"
    assert len(set(record["values"])) == 2
    challenge = next(entry for entry in one["authorizations"][0]["challenges"] if entry["type"] == "dns-01")
    assert challenge["key_authorization"].startswith(f"{challenge['token']}.")

    uri = one["order_uri"]
    steps.lab.reset_log()
    for check in (True, False):
        again = steps.order({**wanted, "order_uri": uri}, check=check)
        assert not again["changed"]
        assert again["orders"][0]["order_uri"] == uri
        assert again["txt_records"] == ordered["txt_records"]
    assert steps.lab.counts("acme")["newOrder"] == 0

    assert steps.publish(ordered)["changed"]
    steps.lab.reset_log()
    assert steps.validate(uri, check=True)["changed"]
    assert steps.lab.counts("acme")["challenge"] == 0
    validated = steps.validate(uri)
    assert validated["changed"]
    assert validated["orders"][0]["status"] == "ready"
    for check in (True, False):
        assert not steps.validate(uri, check=check)["changed"]
    assert steps.publish(ordered, "absent")["changed"]

    csr = make_csr("steps.example.com", "*.steps.example.com")
    wrong = steps.finalize(uri, make_csr("other.example.com"))
    assert "the CSR is for other.example.com, the order for " in wrong["msg"]
    steps.lab.reset_log()
    planned = steps.finalize(uri, csr, check=True)
    assert (planned["changed"], planned["orders"][0]["certificate"]) == (True, None)
    assert steps.lab.counts("acme")["finalize"] == 0
    issued = steps.finalize(uri, csr)
    assert issued["changed"]
    _x509.check_chain_for_csr(issued["orders"][0]["fullchain"], csr)
    for check in (True, False):
        again = steps.finalize(uri, csr, check=check)
        assert not again["changed"]
        assert again["orders"][0]["serial"] == issued["orders"][0]["serial"]
    assert steps.lab.counts("acme")["finalize"] == 1
    assert not steps.validate(uri)["changed"]
    stranger = steps.finalize(uri, make_csr("steps.example.com", "*.steps.example.com"))
    assert "what the CA issued is refused: the certificate is for another key" in stranger["msg"]


@BOTH
def test_an_order_without_its_txt_value_fails_with_its_name_and_another_is_made(steps: Steps) -> None:
    wanted = {"name": "one", "identifiers": ["missing.example.com"]}
    first = steps.order(wanted)["orders"][0]["order_uri"]
    good = steps.order({"name": "two", "identifiers": ["there.example.com"]})
    steps.publish(good)
    result = steps.validate(first, good["orders"][0]["order_uri"])
    assert result["failed_items"] == [first]
    assert result["orders"][0]["msg"].startswith(
        "the CA did not validate the order for missing.example.com: missing.example.com: "
    )
    assert result["orders"][1]["status"] == "ready"
    steps.publish(good, "absent")
    again = steps.order({**wanted, "order_uri": first})
    assert again["changed"]
    assert again["orders"][0]["order_uri"] != first
    lost = steps.order({"name": "one", "order_uri": first})
    assert "the CA does not go on with the order" in lost["msg"]


def test_authorizations_can_be_given_up(labs: Labs, tmp_path: Path) -> None:
    steps = Steps(labs.get("pebble"), tmp_path)
    steps.account()
    uri = steps.order({"name": "one", "identifiers": ["given.example.com", "up.example.com"]})["orders"][0]["order_uri"]
    assert steps.validate(uri, state="deactivated", check=True)["changed"]
    assert steps.validate(uri, state="deactivated")["changed"]
    assert not steps.validate(uri, state="deactivated")["changed"]
    assert "given.example.com: deactivated" in steps.validate(uri)["msg"]


def test_a_ca_that_does_not_give_up_authorizations_is_told(labs: Labs, tmp_path: Path) -> None:
    steps = Steps(labs.get("acme2certifier"), tmp_path)
    steps.account()
    uri = steps.order({"name": "one", "identifiers": ["held.example.com"]})["orders"][0]["order_uri"]
    result = steps.validate(uri, state="deactivated")
    assert "the CA did not deactivate the authorization for held.example.com" in result["msg"]


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"identifiers": ["bad name"]}, "'bad name' is not a DNS name"),
        ({"csr_content": "nonsense"}, "the CSR cannot be read"),
        ({"csr_content": make_csr("a.example.com"), "identifiers": ["b.example.com"]}, "the CSR is for a.example.com"),
        ({"identifiers": ["a.example.com"], "profile": "imagined"}, "does not offer the profile imagined"),
    ],
)
def test_bad_orders_are_refused_before_the_ca_is_asked_for_them(
    labs: Labs, tmp_path: Path, spec: dict[str, Any], cause: str
) -> None:
    steps = Steps(labs.get("acme2certifier"), tmp_path)
    steps.account()
    result = steps.order({"name": "one", **spec})
    assert cause in result["orders"][0]["msg"]
    assert steps.lab.counts("acme")["newOrder"] == 0


def test_steps_for_an_account_that_is_not_there_are_told(labs: Labs, tmp_path: Path) -> None:
    steps = Steps(labs.get("acme2certifier"), tmp_path)
    steps.account()
    strange = Steps(steps.lab, tmp_path / "elsewhere")
    strange.root.mkdir()
    strange.key.write_text(_other_key())
    result = strange.validate(f"{steps.lab.acme['directory']}/order/1", item_failures="report")
    assert "has no account for this key" in result["orders"][0]["msg"]


def _other_key() -> str:
    from tests.support.controller import key_pem, make_key

    return key_pem(make_key())
