# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._x509 import certificate_facts
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.conftest import Labs
from tests.support import controller as issuance
from tests.support import rfc9773
from tests.support.controller import Controller
from tests.support.host import Host, only
from tests.support.small_ca import DAY, DIRECTORY, SmallCA, pem

CA = SmallCA()
NAMES = ["a.example", "b.example"]


def leaf(**options: Any) -> x509.Certificate:
    return CA.sign(ec.generate_private_key(ec.SECP256R1()).public_key(), NAMES, **options)


FRESH, OLD, EXPIRED = leaf(age=9 * DAY), leaf(age=80 * DAY), leaf(age=91 * DAY)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def decided(host: Host, item: dict[str, Any], **options: Any) -> dict[str, Any]:
    result = host.module("acme_renewal_info", certificates=[{"name": "web", **item}], **options)
    assert not result["changed"]
    return only(result)


@pytest.mark.parametrize(
    ("item", "options", "codes"),
    [
        ({"certificate_content": pem(FRESH)}, {}, []),
        ({"certificate_content": pem(OLD)}, {}, ["due"]),
        ({"certificate_content": pem(EXPIRED)}, {}, ["expired"]),
        ({"certificate_content": pem(FRESH), "renew_when_remaining": 0.95}, {}, ["due"]),
        ({"certificate_content": pem(OLD), "renew_when_remaining": 0.05}, {}, []),
        ({"certificate_content": pem(FRESH), "force": True}, {}, ["forced"]),
        ({"certificate_content": pem(FRESH), "identifiers": ["B.example.", "a.example"]}, {}, []),
        ({"certificate_content": pem(FRESH), "identifiers": ["a.example"]}, {}, ["identifiers_changed"]),
        ({"certificate_content": pem(FRESH), "key_type": "rsa-2048"}, {}, ["key_type_changed"]),
        ({"certificate_content": pem(FRESH), "profile": "short"}, {}, []),
        ({"certificate_content": pem(FRESH), "profile": "short", "issued_profile": "x"}, {}, ["profile_changed"]),
        ({"certificate_content": pem(FRESH), "issued_profile": "x"}, {}, []),
        (
            {"certificate_content": pem(FRESH), "issued_acme_directory": DIRECTORY},
            {"acme_directory": DIRECTORY, "renewal_info": "never"},
            [],
        ),
        (
            {"certificate_content": pem(FRESH), "issued_acme_directory": DIRECTORY},
            {"acme_directory": "https://other.example/"},
            ["ca_changed"],
        ),
        ({"certificate_content": pem(FRESH), "renew_at": "2020-01-01T00:00:00Z"}, {}, ["ari"]),
        ({"certificate_content": pem(FRESH), "renewal_info": {"renew_at": "2020-01-01T00:00:00Z"}}, {}, ["ari"]),
        ({"certificate_content": pem(FRESH), "renewal_info": {"renew_at": "2020"}}, {}, []),
        (
            {"certificate_content": pem(FRESH), "renewal_info": {"renew_at": "2020-01-01T00:00:00Z"}},
            {"renewal_info": "never"},
            [],
        ),
        ({"certificate_content": pem(FRESH)}, {"next_run_in": 80 * 86400}, []),
        ({"certificate_content": pem(FRESH)}, {"next_run_in": 82 * 86400}, ["due"]),
        ({"certificate_content": "nonsense"}, {}, ["broken"]),
        ({"certificate_path": "/no/such/file"}, {}, ["missing"]),
        ({}, {}, ["missing"]),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_decisions(host: Host, item: dict[str, Any], options: dict[str, Any], codes: list[str], check: bool) -> None:
    result = decided(host, item, check=check, **options)
    assert [reason["code"] for reason in result["reasons"]] == codes
    assert result["should_renew"] == bool(codes)
    # Nothing of the kind asks anybody.
    assert (result["supports_ari"], result["asked"]) == (None, False)
    assert result["msg"] == "; ".join(reason["text"] for reason in result["reasons"])


def test_what_is_told_of_the_certificate(host: Host, tmp_path: Path) -> None:
    file = tmp_path / "chain.pem"
    file.write_text(pem(FRESH) + pem(CA.intermediate))
    result = decided(host, {"certificate_path": str(file)})
    facts = certificate_facts(FRESH)
    assert result["cert_id"] == facts["ari_cert_id"]
    assert result["serial"] == facts["serial"]
    assert result["not_after"] == facts["not_after"]
    assert result["identifiers"] == NAMES
    assert result["remaining"] == pytest.approx(0.9, abs=0.001)


def test_the_identifier_of_the_certificate_in_the_standard(host: Host) -> None:
    result = decided(host, {"certificate_content": rfc9773.CERTIFICATE})
    assert result["cert_id"] == rfc9773.CERT_ID
    assert [reason["code"] for reason in result["reasons"]] == ["expired"]


def test_one_bad_item_fails_alone(host: Host, tmp_path: Path) -> None:
    items = [
        {"name": "good", "certificate_content": pem(FRESH)},
        {"name": "share", "certificate_content": pem(FRESH), "renew_when_remaining": 30},
        {"name": "instant", "certificate_content": pem(FRESH), "renew_at": "soon"},
        {"name": "folder", "certificate_path": str(tmp_path)},
    ]
    result = host.module("acme_renewal_info", certificates=items)
    assert result["failed"]
    assert result["failed_items"] == ["share", "instant", "folder"]
    assert result["certificates"][0]["should_renew"] is False
    assert [item["should_renew"] for item in result["certificates"][1:]] == [None] * 3
    assert "\n" not in result["msg"]


def test_defaults_of_the_action_group_are_accepted(host: Host) -> None:
    result = decided(
        host,
        {"certificate_content": pem(FRESH)},
        acme_directory=DIRECTORY,
        account_key_src="/no/such/key",
        contact=["mailto:ops@example.com"],
        ca_path="/no/such/file",
        renewal_info="never",
    )
    assert result["should_renew"] is False


def test_content_and_path_together_are_refused(host: Host) -> None:
    items = [{"certificate_content": pem(FRESH), "certificate_path": "/x"}]
    assert "mutually exclusive" in host.module("acme_renewal_info", certificates=items)["msg"]


PAST = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}


@pytest.fixture
def controller(labs: Labs, tmp_path: Path) -> Controller:
    made = Controller(labs.get("pebble", "ministack"), tmp_path)
    made.account()
    return made


def asked(controller: Controller, items: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
    controller.lab.reset_log()
    result = controller.module("acme_renewal_info", **controller.ca(certificates=items, **options))
    assert not result["changed"]
    found: list[dict[str, Any]] = result["certificates"]
    return found


def test_a_real_ca_is_asked_once_for_all_and_not_again_before_its_time(controller: Controller) -> None:
    names = [f"ask{number}.example.com" for number in range(3)]
    issued = controller.issue([issuance.item(name, name) for name in names])["certificates"]
    assert not any(entry["failed"] for entry in issued)
    two, three = issued[1:]
    answer = {"suggestedWindow": PAST, "explanationURL": "https://ca.example/incident"}
    controller.lab.set_renewal_info(two["certificate"], json.dumps(answer))
    controller.lab.set_renewal_info(three["certificate"], "{ no JSON")
    items: list[dict[str, Any]] = [
        {"name": entry["name"], "host": "web1", "certificate_content": entry["fullchain"]} for entry in issued
    ]
    # They are new.
    assert [entry["asked"] for entry in asked(controller, items)] == [False] * 3
    assert controller.lab.counts("acme") == {}

    stranger = {"name": "stranger", "certificate_content": pem(FRESH)}
    gone = {"name": "gone", "certificate_content": pem(EXPIRED)}
    first = asked(controller, [*items, stranger, gone], renewal_info="now")
    assert controller.lab.counts("acme") == {"directory": 1, "renewalInfo": 4}
    assert [entry["asked"] for entry in first] == [True, True, True, True, False], "what has expired is not asked for"
    assert [entry["should_renew"] for entry in first] == [False, True, False, False, True]
    assert [entry["host"] for entry in first] == ["web1"] * 3 + [None] * 2
    assert first[1]["msg"].startswith("the CA asks for renewal from 2026-01-01T")
    assert first[1]["msg"].endswith(" (https://ca.example/incident)")
    window = first[0]["renewal_info"]["window"]
    assert window["start"] <= first[0]["renewal_info"]["renew_at"] <= window["end"]
    assert first[0]["due_at"] == first[0]["renewal_info"]["renew_at"]
    assert "is not a JSON object" in first[2]["renewal_info"]["error"]
    assert "no known issuer matches" in first[3]["renewal_info"]["error"]

    # Nothing that is known is asked for again; the answers are the same.
    old = {"name": "old", "certificate_content": pem(OLD)}
    (due,) = asked(controller, [old])
    assert (due["should_renew"], due["asked"]) == (True, False), "nor what is due anyway"
    again = [{**spec, "renewal_info": entry["renewal_info"]} for spec, entry in zip([*items, stranger], first)]
    second = asked(controller, again)
    assert controller.lab.counts("acme") == {}
    for before, after in zip(first, second):
        assert after == {**before, "asked": False}

    # The instant stays when the CA is asked again.
    third = asked(controller, again, renewal_info="now")
    assert third[0]["renewal_info"]["renew_at"] == first[0]["renewal_info"]["renew_at"]
    assert [entry["asked"] for entry in third] == [True] * 4


def test_a_ca_that_is_down_fails_nobody_and_is_told_in_one_line(host: Host) -> None:
    items = [{"name": f"web{number}", "certificate_content": pem(FRESH)} for number in range(9)]
    items.append({"name": "old", "certificate_content": pem(OLD)})
    result = host.module("acme_renewal_info", certificates=items, acme_directory="http://127.0.0.1:1/directory")
    assert [entry["should_renew"] for entry in result["certificates"]] == [False] * 9 + [True]
    assert [entry["renewal_info"]["failures"] for entry in result["certificates"][:9]] == [1] * 9
    # In one process, warnings of other calls are still there.
    told = [str(warning) for warning in result["warnings"] if "web0, web1, web2, web3, web4 and 4 more" in str(warning)]
    assert len(told) == 1
    assert "no renewal information for web0" in told[0]
    assert "Connection refused" in told[0]
