# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from tests.support.host import only
from tests.support.service import Service
from tests.support.small_ca import DIRECTORY


def test_two_certificates_are_served_after_one_reload_and_then_nothing_is_left_to_do(service: Service) -> None:
    issued = service.issue(service.both)
    result = service.install(service.both, issued=issued)
    assert result["changed"]
    assert result["failed_items"] == []
    for item, source in zip(result["certificates"], issued):
        assert item["stage"] == "deployed"
        assert item["active"]
        assert item["deployed"]
        assert not item["rolled_back"]
        assert item["version"] == "0001"
        assert item["previous_serial"] is None
        assert item["path"] == str(service.host.store / item["name"] / "current")
        assert service.served(item["name"]) == item["serial"] == source["serial"]
    assert service.server.reloads == 1

    handshakes, before = service.server.handshakes, service.host.snapshot()
    for again in (service.install(service.both, issued=issued), service.install(service.both)):
        assert not again["changed"]
        assert [item["stage"] for item in again["certificates"]] == ["deployed", "deployed"]
    assert service.server.reloads == 1
    assert service.server.handshakes == handshakes
    assert service.host.snapshot() == before
    assert service.needs("one") == ["nothing"]


def test_what_is_kept_beside_the_certificate(service: Service) -> None:
    service.start()
    version = service.host.store / "one" / "versions" / "0001"
    meta = json.loads((version / "certificate.json").read_text())
    assert meta["acme_directory"] == DIRECTORY
    assert meta["profile"] == "chosen-by-the-ca"
    assert meta["requested_profile"] is None
    assert meta["deployed"]["at"]
    full = (version / "fullchain.pem").read_text()
    assert full == (version / "cert.pem").read_text() + (version / "chain.pem").read_text()
    assert (version / "cert.pem").read_text().count("BEGIN") == 1
    modes = {path.name: path.stat().st_mode & 0o777 for path in version.iterdir()}
    assert modes.pop("privkey.pem") == 0o600
    assert set(modes.values()) == {0o644}
    assert not (service.host.store / "one" / "pending").exists()


def test_a_rotation_serves_the_new_key_and_keeps_the_version_before(service: Service) -> None:
    serials = service.start()
    issued = service.issue(service.both, force=True)
    result = service.install(service.both, issued=issued)
    for item in result["certificates"]:
        assert item["version"] == "0002"
        assert item["previous_serial"] == serials[item["name"]]
        assert service.served(item["name"]) == item["serial"] != serials[item["name"]]
    versions = service.host.store / "one" / "versions"
    keys = {(versions / label / "privkey.pem").read_text() for label in ("0001", "0002")}
    assert len(keys) == 2
    listed = service.host.module("certificate_info", names=["one"], versions="replaced")
    assert only(listed)["serial"] == serials["one"]


def test_check_mode_writes_nothing_and_runs_nothing(service: Service) -> None:
    serials = service.start()
    issued = service.issue(service.both, force=True)
    before, handshakes = service.host.snapshot(), service.server.handshakes
    for state in ("staged", "active"):
        result = service.install(service.both, issued=issued, state=state, check=True, diff=True)
        assert result["changed"]
        assert len(result["diff"]) == 2
    without = service.install([service.declared("one")], issued=[{"name": "one", "failed": False}], check=True)
    assert without["changed"]
    assert service.host.snapshot() == before
    assert (service.server.reloads, service.server.handshakes) == (0, handshakes)
    assert service.served("one") == serials["one"]


def test_staged_first_active_later(service: Service) -> None:
    serials = service.start()
    issued = service.issue(service.both, force=True)
    staged = service.install(service.both, issued=issued, state="staged")
    assert [(item["stage"], item["active"]) for item in staged["certificates"]] == [("staged", False)] * 2
    assert not service.install(service.both, issued=issued, state="staged")["changed"]
    assert service.current("one") == "versions/0001"
    assert service.server.reloads == 0
    assert service.served("one") == serials["one"]
    would = service.install(service.both, check=True)
    assert would["changed"]
    assert service.current("one") == "versions/0001"
    result = service.install(service.both)
    assert [item["stage"] for item in result["certificates"]] == ["deployed"] * 2
    assert service.server.reloads == 1
    assert service.served("one") == result["certificates"][0]["serial"] != serials["one"]


def test_what_the_ca_refused_is_reported_after_the_others_were_installed(service: Service) -> None:
    service.serve("two")
    issued = service.issue(service.both)
    issued[0] = {"name": "one", "failed": True, "msg": "the CA says: one.example is on its list of refused names"}
    result = service.install(service.both, issued=issued)
    assert result["failed"]
    assert "one: the CA says: one.example is on its list of refused names" in result["msg"]
    refused_one, fine = result["certificates"]
    assert refused_one["stage"] == "issue"
    assert service.served("two") == fine["serial"]
    reported = service.install(service.both, issued=issued, item_failures="report")
    assert not reported.get("failed")
    assert reported["failed_items"] == ["one"]


def test_nothing_there_and_nothing_issued_is_no_change(service: Service) -> None:
    result = service.install(service.both)
    assert not result["changed"]
    assert [item["stage"] for item in result["certificates"]] == ["nothing", "nothing"]
    assert not service.host.store.exists()


@pytest.mark.parametrize(("keep", "left"), [(1, ["0004", "0005"]), (3, ["0003", "0004", "0005"])])
def test_old_versions_go_the_active_one_and_the_one_before_stay(service: Service, keep: int, left: list[str]) -> None:
    service.serve("one")
    declared = [service.declared("one", check=None, endpoints=None)]
    for _round in range(5):
        service.install(declared, issued=service.issue(declared, force=True), keep_versions=keep)
    assert sorted(path.name for path in (service.host.store / "one" / "versions").iterdir()) == left
    assert service.current("one") == "versions/0005"
    assert not service.install(declared, keep_versions=keep)["changed"]
    fewer = service.install(declared, keep_versions=1, check=True)["changed"]
    assert fewer == (keep > 1)
    assert service.install(declared, keep_versions=1)["changed"] == fewer
    assert not service.install(declared, keep_versions=1)["changed"]


def test_an_old_staged_version_is_not_activated_when_it_is_not_as_declared_any_more(service: Service) -> None:
    serials = service.start()
    service.install(service.both, issued=service.issue(service.both, force=True), state="staged")
    changed = {**service.declared("one"), "identifiers": ["one.example", "more.example"]}
    item = only(service.install([changed]))
    assert not item["changed"]
    assert service.current("one") == "versions/0001"
    assert service.served("one") == serials["one"]


def test_the_group_may_read_keys_and_no_request(service: Service) -> None:
    service.serve("one")
    declared = {**service.declared("one"), "group": str(os.getgid())}
    issued = service.issue([declared])
    pending = service.host.store / "one" / "pending"
    assert pending.stat().st_mode & 0o777 == 0o700
    assert (pending / "privkey.pem").stat().st_mode & 0o777 == 0o600
    service.install([declared], issued=issued)
    version = service.host.store / "one" / "versions" / "0001"
    assert (version / "privkey.pem").stat().st_mode & 0o777 == 0o640
    assert version.stat().st_mode & 0o777 == 0o750
    assert not service.install([declared])["changed"]
    closed = service.install([service.declared("one")])
    assert closed["changed"]
    assert (version / "privkey.pem").stat().st_mode & 0o777 == 0o600


def test_keep_versions_and_issued_are_checked_first(service: Service) -> None:
    assert "keep_versions is 0" in service.install(service.both, keep_versions=0)["msg"]
    issued = service.issue(service.both)
    assert "two entries for one" in service.install(service.both, issued=[issued[0], issued[0]])["msg"]
    assert "has no name" in service.install(service.both, issued=[{"fullchain": "x"}])["msg"]
    assert "has no name" in service.install(service.both, issued=[{"name": ["one"]}])["msg"]
    assert "is no text" in service.install(service.both, issued=[{**issued[0], "fullchain": [1]}])["msg"]
    unusable: list[dict[str, Any]] = [{"keep_versions": 0}, {"issued": [issued[0], issued[0]]}, {"issued": [{}]}]
    for options in unusable:
        reported = service.install(service.both, item_failures="report", **options)
        assert reported["failed_items"] == ["one", "two"]
        assert "failed" not in reported
