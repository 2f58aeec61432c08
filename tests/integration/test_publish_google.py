# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""certificate_publish to Google Certificate Manager: the lab's server, held to Google's discovery document."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.publishing import PublishingHost, google, own_environment, to_google
from tests.lab.servers.certificate_manager import CertificateManagerServer
from tests.support.host import only

__all__ = ["google", "own_environment"]
RESOURCE = "projects/certfleet-lab/locations/global/certificates/web"
WRITES = {"certificates.create", "certificates.patch"}
BUSY = {"throttle": {"status": 429}, "unavailable": {"status": 503}, "cut": {"cut": True}}
#: Carried out, and the answer says otherwise or does not come.
LOST = {"late": {"status": 503, "after": True}, "lose": {"cut": True, "after": True}}


def held(server: CertificateManagerServer) -> dict[str, Any]:
    server.api.held.settle()
    return server.api.held.certificates[RESOURCE]


def test_made_once_and_replaced_under_the_same_name(google: CertificateManagerServer, tmp_path: Path) -> None:
    google.api.held.delay = 0.3
    host = PublishingHost(tmp_path, to_google(google, labels={"team": "web"}))
    first = host.rotate()
    assert host.needs() == ("install", ["not_published"])
    checked = host.target(check=True)
    assert (checked["changed"], checked["created"], checked["resource"]) == (True, True, RESOURCE)
    assert not WRITES & google.counts().keys()

    made = host.target()
    assert (made["stage"], made["created"], made["serial"], made["resource"]) == ("published", True, first, RESOURCE)
    assert held(google)["labels"] == {"team": "web"}
    assert google.counts()["operations.get"] >= 1
    assert host.needs() == ("nothing", [])
    assert host.target()["changed"] is False
    assert google.counts() == {"certificates.get": 1}

    # What others have set stays.
    held(google).update(labels={"team": "db", "cost": "1"}, description="theirs")
    second = host.rotate()
    changed = host.target()
    assert (changed["created"], changed["previous_serial"], changed["serial"]) == (False, first, second)
    fullchain = (host.store / "web" / "current" / "fullchain.pem").read_text()
    assert held(google)["pemCertificate"] == fullchain
    assert held(google)["labels"] == {"team": "web", "cost": "1"}
    assert held(google)["description"] == "theirs"
    assert changed["diff"][0]["after"] == f"serial: {second}\n"


@pytest.mark.parametrize("faults", [BUSY, LOST], ids=["busy", "lost"])
def test_a_cloud_that_falters(
    google: CertificateManagerServer, tmp_path: Path, faults: dict[str, dict[str, Any]]
) -> None:
    """Two of three requests fail, in each way; one certificate comes of it, and the next one takes its place."""
    host = PublishingHost(tmp_path, to_google(google))
    kinds = ("certificates.get", "certificates.create", "certificates.patch", "operations.get")
    found = [
        {"kind": kind, "every": number + 1, "last": number + 1, **fault}
        for kind in kinds
        for number, fault in enumerate(faults.values())
    ]
    for _round in range(2):
        serial = host.rotate()
        google.set_faults(*found)
        made = host.target(timeout=20)
        google.set_faults()
        assert not made["failed"], made["msg"]
        assert (made["changed"], made["serial"]) == (True, serial)
        assert held(google)["pemCertificate"] == (host.store / "web" / "current" / "fullchain.pem").read_text()


def test_an_operation_that_fails(google: CertificateManagerServer, tmp_path: Path) -> None:
    host = PublishingHost(tmp_path, to_google(google))
    host.rotate()
    google.api.held.failing = [{"code": 14, "message": "Try again."}]
    assert not host.publish()["failed"]
    host.rotate()
    google.api.held.failing = [{"code": 9, "message": "No such thing."}]
    assert "certificatemanager.certs.update (code 9): No such thing" in host.publish()["msg"]
    google.api.held.delay = 60
    assert "has not finished projects/certfleet-lab/locations/global/operations/" in host.publish(timeout=1)["msg"]
    assert host.needs() == ("install", ["not_published"])


def test_what_cannot_be_published_is_refused(google: CertificateManagerServer, tmp_path: Path) -> None:
    google.put_managed("theirs")
    host = PublishingHost(tmp_path)
    host.rotate()
    limited = {
        name: json.dumps(google.account(name, denied=[f"certificatemanager.{name}"]).key)
        for name in ("certs.get", "certs.create")
    }
    for options, words in (
        ({"certificate": "theirs"}, "one that Google manages"),
        ({"certificate": "-web"}, "certificate '-web' cannot be one"),
        ({"labels": {"A": "b"}}, "cannot be a label"),
        ({"api_endpoint": "http://certificatemanager.example.com"}, "without encryption"),
        ({"api_endpoint": "http://127.0.0.1:1"}, "Certificate Manager at http://127.0.0.1:1 cannot be reached"),
        ({"service_account_contents": limited["certs.get"]}, "the permission certificatemanager.certs.get in project"),
        (
            {"service_account_contents": limited["certs.create"]},
            "Google does not allow certificatemanager.certs.create",
        ),
        ({"service_account_contents": None, "access_token": "ya29.none"}, "Google refuses the credentials"),
        ({"project": "other"}, "in project other"),
        (
            {"service_account_contents": google.account("mapping").key},
            "the content of the key file in publish of Certificate Manager web is a mapping",
        ),
    ):
        host.declared["publish"] = [to_google(google, **options)]
        item = host.publish()
        assert item["failed"], options
        assert words in item["msg"], item["msg"]
        assert not [line for line in host.key_lines if line in str(item)]
    assert set(google.api.held.certificates) == {RESOURCE.replace("/web", "/theirs")}

    host.declared["publish"] = [to_google(google)]
    both = [{**host.declared, "name": "other"}, host.declared]
    result = host.module("certificate_publish", certificates=both, host="h", timeout=5, item_failures="report")
    assert "other is published to Certificate Manager web as well" in result["certificates"][1]["msg"]
    disabled = {"status": 403, "details": [{"reason": "SERVICE_DISABLED"}], "every": 1}
    google.set_faults(disabled)
    assert "API is not enabled in project certfleet-lab" in host.publish()["msg"]


def test_the_key_stays_between_the_host_and_the_cloud(google: CertificateManagerServer, tmp_path: Path) -> None:
    host = PublishingHost(tmp_path, to_google(google))
    host.rotate()
    result = str(host.publish())
    secret = only({"targets": host.declared["publish"]}, "targets")["certificate_manager"]["service_account_contents"]
    lines = [*host.key_lines, *json.loads(secret)["private_key"].splitlines()[1:-1]]
    assert len(lines) > 5
    kept = [path for path in [*tmp_path.rglob("*.json"), *tmp_path.rglob("*.jsonl")] if path.is_file()]
    assert any(path.name == "published.json" for path in kept)
    assert any(path.parent.name == "requests" for path in kept)
    for text in (result, *(path.read_text() for path in kept), repr(google.api.held)):
        assert not [line for line in lines if line in text]


def test_a_host_without_the_library_is_told_which(
    google: CertificateManagerServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = PublishingHost(tmp_path, to_google(google))
    host.rotate()
    monkeypatch.setitem(sys.modules, "google.auth", None)
    assert "the Python library google-auth cannot be imported" in host.publish()["msg"]
