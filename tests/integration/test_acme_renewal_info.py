# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._x509 import certificate_facts
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

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
        ({"certificate_content": pem(FRESH), "issued_acme_directory": DIRECTORY}, {"acme_directory": DIRECTORY}, []),
        (
            {"certificate_content": pem(FRESH), "issued_acme_directory": DIRECTORY},
            {"acme_directory": "https://other.example/"},
            ["ca_changed"],
        ),
        ({"certificate_content": pem(FRESH), "renew_at": "2020-01-01T00:00:00Z"}, {}, ["ari"]),
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
    assert result["supports_ari"] is None
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
    )
    assert result["should_renew"] is False


def test_content_and_path_together_are_refused(host: Host) -> None:
    items = [{"certificate_content": pem(FRESH), "certificate_path": "/x"}]
    assert "mutually exclusive" in host.module("acme_renewal_info", certificates=items)["msg"]
