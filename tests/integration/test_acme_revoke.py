# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Labs
from tests.integration.providers import pairs
from tests.support.controller import Controller, item, key_pem, make_csr, make_key

BOTH = pytest.mark.parametrize("lab", pairs(("pebble", "ministack"), ("acme2certifier", "moto")), indirect=True)


@pytest.fixture
def controller(lab: Any, tmp_path: Path) -> Controller:
    made = Controller(lab, tmp_path)
    made.account()
    return made


def issued(controller: Controller, *names: str, key: Any = None) -> list[dict[str, Any]]:
    """A certificate for each name."""
    specs = [{**item(name, name), "csr_content": make_csr(name, key=key)} for name in names]
    certificates: list[dict[str, Any]] = controller.issue(specs)["certificates"]
    controller.lab.reset_log()
    return certificates


@BOTH
def test_certificates_are_revoked_once_by_the_account(controller: Controller, tmp_path: Path) -> None:
    one, two = issued(controller, "revoke1.example.com", "revoke2.example.com")
    path = tmp_path / "two.pem"
    path.write_text(two["fullchain"])
    options = controller.ca(
        revoke_reason="superseded",
        certificates=[
            {"name": "one", "host": "web1", "certificate_content": one["fullchain"]},
            {"name": "two", "certificate_path": str(path), "revoke_reason": 5},
        ],
    )
    planned = controller.module("acme_revoke", check=True, **options)
    assert planned["changed"]
    assert controller.lab.counts("acme") == {"directory": 1, "newNonce": 1, "newAccount": 1}  # the look-up
    assert not controller.lab.is_revoked(one["serial"])

    first = controller.module("acme_revoke", **options)
    assert [entry["changed"] for entry in first["certificates"]] == [True, True]
    assert [entry["reason"] for entry in first["certificates"]] == [4, 5]
    assert [entry["host"] for entry in first["certificates"]] == ["web1", None]
    assert first["certificates"][0]["serial"] == one["serial"]
    assert controller.lab.is_revoked(one["serial"])
    assert controller.lab.is_revoked(two["serial"])

    again = controller.module("acme_revoke", **options)
    assert not again["changed"]
    assert [entry["already_revoked"] for entry in again["certificates"]] == [True, True]


def test_a_certificate_is_revoked_with_its_own_key_and_with_no_other(labs: Labs, tmp_path: Path) -> None:
    controller = Controller(labs.get("pebble"), tmp_path)
    controller.account()
    key = make_key()
    own, other = issued(controller, "own.example.com", key=key)[0], issued(controller, "other.example.com")[0]
    options = controller.ca(
        private_key_content=key_pem(key),
        revoke_reason="key_compromise",
        certificates=[
            {"name": "own", "certificate_content": own["certificate"]},
            {"name": "other", "certificate_content": other["certificate"]},
        ],
    )
    result = controller.module("acme_revoke", **options)
    assert result["failed_items"] == ["other"]
    assert "the private key is not this certificate's" in result["msg"]
    assert controller.lab.is_revoked(own["serial"])
    assert not controller.lab.is_revoked(other["serial"])
    assert controller.lab.counts("acme")["newAccount"] == 0


@BOTH
def test_one_that_the_ca_refuses_fails_alone(controller: Controller, tmp_path: Path) -> None:
    (one,) = issued(controller, "refuse1.example.com")
    stranger = Path(controller.lab.acme["ca_path"]).read_text()  # not one of this CA's certificates
    result = controller.module(
        "acme_revoke",
        **controller.ca(
            certificates=[
                {"name": "stranger", "certificate_content": stranger},
                {"name": "one", "certificate_content": one["certificate"]},
                {"name": "none", "certificate_path": str(tmp_path / "none.pem")},
                {"name": "nonsense", "certificate_content": "nonsense"},
            ]
        ),
    )
    assert result["failed_items"] == ["stranger", "none", "nonsense"]
    messages = {entry["name"]: entry["msg"] for entry in result["certificates"]}
    assert messages["stranger"].startswith("the CA refused the revocation: ")
    assert "none.pem cannot be read: No such file or directory" in messages["none"]
    assert "there is no PEM certificate in it" in messages["nonsense"]
    assert controller.lab.is_revoked(one["serial"])


@pytest.mark.parametrize("reason", ["bored", "7", 8, "removeFromCRL", 11, -1, True])
def test_a_reason_that_is_none_is_refused_before_anything_is_sent(labs: Labs, tmp_path: Path, reason: Any) -> None:
    controller = Controller(labs.get("acme2certifier"), tmp_path)
    controller.lab.reset_log()
    certificate = Path(controller.lab.acme["ca_path"]).read_text()
    for where in ("batch", "item"):
        item_of = {"name": "one", "certificate_content": certificate}
        options = {"revoke_reason": reason} if where == "batch" else {}
        items = [item_of if where == "batch" else {**item_of, "revoke_reason": reason}]
        result = controller.module("acme_revoke", **controller.ca(certificates=items, **options))
        assert f"{reason} is not a reason for revocation" in result["msg"]
    assert controller.lab.counts("acme") == {}


def test_a_reason_that_the_ca_does_not_take_is_left_out_with_a_warning(labs: Labs, tmp_path: Path) -> None:
    # acme2certifier knows no ca_compromise; OpenBao answers the same to every reason.
    controller = Controller(labs.get("acme2certifier"), tmp_path)
    controller.account()
    (one,) = issued(controller, "reason.example.com")
    options = controller.ca(
        revoke_reason="ca_compromise", certificates=[{"name": "one", "certificate_content": one["certificate"]}]
    )
    result = controller.module("acme_revoke", **options)
    (entry,) = result["certificates"]
    assert (entry["changed"], entry["reason"], entry["already_revoked"]) == (True, None, False)
    assert entry["warnings"][0] in str(result["warnings"])
    assert "the CA does not take 2 as the reason, so none was given (badRevocationReason" in entry["warnings"][0]
    assert controller.lab.is_revoked(one["serial"])
    assert controller.lab.counts("acme")["revokeCert"] == 2

    again = controller.module("acme_revoke", **options)
    assert not again["changed"]
    assert again["certificates"][0]["already_revoked"] is True
    assert again["certificates"][0]["warnings"] == []
