# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Going back to an older version: after a failure, and when an operator asks."""

from __future__ import annotations

import datetime
import json
import sys
from typing import Any

import pytest

from tests.support.host import only
from tests.support.service import CA, Service
from tests.support.small_ca import DAY


@pytest.fixture
def rotated(service: Service) -> dict[str, str]:
    """The serials of the versions of certificate one, the newest of which is served."""
    service.serve("one")
    serials = {}
    for label in ("0001", "0002", "0003"):
        one = [service.declared("one")]
        serials[label] = only(service.install(one, issued=service.issue(one, force=True)))["serial"]
    assert service.served("one") == serials["0003"]
    service.server.reloads = 0
    return serials


def back(service: Service, version: str | None = None, **options: Any) -> dict[str, Any]:
    versions = {"versions": {"one": version}} if version else {}
    return service.install([service.declared("one")], **{"state": "rolled_back", **versions, **options})


def note(service: Service, label: str, **changes: Any) -> None:
    path = service.host.store / "one" / "versions" / label / "certificate.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_going_back_is_a_state(service: Service, rotated: dict[str, str]) -> None:
    before = service.host.snapshot()
    would = back(service, check=True, diff=True)
    assert would["changed"]
    assert "version: 0002" in would["diff"][0]["after"]
    assert service.host.snapshot() == before
    result = back(service)
    item = only(result)
    assert (result["changed"], item["stage"], item["version"], item["deployed"]) == (True, "deployed", "0002", True)
    assert (item["previous_serial"], item["serial"]) == (rotated["0003"], rotated["0002"])
    assert item["msg"] == "version 0003 is withdrawn"
    assert service.server.reloads == 1
    assert service.served("one") == rotated["0002"]
    before = service.host.snapshot()
    for check in (True, False):
        again = back(service, check=check)
        assert (again["changed"], only(again)["version"], only(again)["msg"]) == (False, "0002", "")
    assert service.host.snapshot() == before
    listed = service.host.module("certificate_info", names=["one"], versions="all")["certificates"]
    assert [(item["version"], item["state"]) for item in listed if item["withdrawn"]] == [("0003", "staged")]
    # Neither does a later run bring it back, nor is there anything to do for one.
    assert service.needs("one") == ["nothing"]
    assert not service.install([service.declared("one")])["changed"]
    assert service.served("one") == rotated["0002"]


def test_the_next_certificate_is_activated_and_what_was_withdrawn_is_not_gone_back_to(
    service: Service, rotated: dict[str, str]
) -> None:
    back(service)
    one = [service.declared("one")]
    new = only(service.install(one, issued=service.issue(one, force=True), keep_versions=1))
    assert (new["version"], new["previous_serial"]) == ("0004", rotated["0002"])
    assert service.served("one") == new["serial"]
    # The run after it keeps what it could go back to.
    service.install(one, keep_versions=1)
    left = sorted(path.name for path in (service.host.store / "one" / "versions").iterdir())
    assert left == ["0002", "0003", "0004"]
    assert only(back(service))["version"] == "0002"
    assert service.served("one") == rotated["0002"]


def test_a_version_by_its_name_back_and_forth(service: Service, rotated: dict[str, str]) -> None:
    item = only(back(service, "0001"))
    assert item["msg"] == "version 0002 is withdrawn; version 0003 is withdrawn"
    assert service.served("one") == rotated["0001"]
    assert not back(service, "0001")["changed"]
    assert not back(service)["changed"]
    item = only(back(service, "0003", state="active"))
    assert item["msg"] == "version 0003 is not withdrawn any more"
    assert service.served("one") == rotated["0003"]
    assert not back(service, "0003")["changed"]
    # 0002 is withdrawn still.
    assert only(back(service))["version"] == "0001"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"version": "0007"}, "version 0007 is not in the store, which has 0001, 0002, 0003"),
        ({"version": "0002", "state": "staged"}, "nothing is activated when state is staged. Leave versions out."),
        ({"versions": {"one": 2}}, "the version of one is 2, which is not the name of a version"),
        ({"versions": {"other": "0001"}}, "versions names other, which is not declared for this host"),
        ({"issued": [{"name": "one", "failed": True}]}, "nothing is installed while rolling back"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    service: Service, rotated: dict[str, str], options: dict[str, Any], words: str
) -> None:
    before = service.host.snapshot()
    result = back(service, **options)
    assert result["failed"]
    assert words in result["msg"]
    assert service.host.snapshot() == before
    assert service.served("one") == rotated["0003"]


def test_no_way_back(service: Service) -> None:
    service.serve("one")
    one = [service.declared("one")]
    assert "there is no version of it on this host" in back(service)["msg"]
    service.install(one, issued=service.issue(one))
    assert "there is no version before 0001 to go back to" in back(service)["msg"]


def test_a_compromised_key_is_never_gone_back_to(service: Service, rotated: dict[str, str]) -> None:
    note(service, "0002", compromised={"at": "2026-11-01T00:00:00Z"})
    for version in (None, "0002"):
        before = service.host.snapshot()
        item = only(back(service, version))
        assert (item["failed"], item["stage"], item["changed"]) == (True, "activate", False)
        assert item["msg"].startswith("not rolled back: the key of version 0002 is marked compromised. Name another")
        assert service.host.snapshot() == before
    assert only(back(service, "0001"))["deployed"]
    assert service.served("one") == rotated["0001"]


def test_a_compromised_key_is_replaced_and_never_activated(service: Service, rotated: dict[str, str]) -> None:
    one = [service.declared("one")]
    service.install(one, issued=service.issue(one, force=True), state="staged")
    note(service, "0004", compromised={"at": "2026-11-01T00:00:00Z"})
    assert service.needs("one") == ["nothing"]
    service.install(one)
    assert service.served("one") == rotated["0003"]
    assert not service.install(one)["changed"]
    note(service, "0003", compromised={"at": "2026-11-01T00:00:00Z"})
    assert service.needs("one") == ["issue", "compromised"]
    assert only(service.install(one, issued=service.issue(one)))["version"] == "0005"
    assert service.needs("one") == ["nothing"]


def test_a_failure_leaves_the_new_version_when_the_old_key_is_compromised(
    service: Service, rotated: dict[str, str]
) -> None:
    note(service, "0003", compromised={"at": "2026-11-01T00:00:00Z"})
    one = [service.declared("one")]
    issued = service.issue(one, force=True)
    service.server.stuck = {"one.example"}
    item = only(service.install(one, issued=issued))
    assert (item["failed"], item["rolled_back"], item["active"]) == (True, False, True)
    words = "not rolled back: the key of version 0003 is marked compromised, so version 0004 stays active"
    assert words in item["msg"]
    assert service.current("one") == "versions/0004"
    assert service.server.reloads == 1
    service.server.stuck = set()
    assert service.needs("one") == ["install", "not_deployed"]
    assert only(service.install(one))["deployed"]
    assert service.served("one") == issued[0]["serial"] != rotated["0003"]


def test_an_expired_version_is_gone_back_to_after_a_failure_only_and_by_name(service: Service) -> None:
    service.serve("one")
    one = [service.declared("one")]
    asked = service.host.module("certificate_request", certificates=one)["certificates"]
    soon = CA.issued(asked[0], lifetime=DAY, age=DAY - datetime.timedelta(seconds=3))
    first = only(service.install(one, issued=[soon]))
    issued = service.issue(one, force=True)
    while "expired" not in service.needs("one"):
        pass
    service.server.stuck = {"one.example"}
    item = only(service.install(one, issued=issued))
    assert item["rolled_back"]
    assert f"version 0001, which expired at {first['not_after']}, is active again" in item["msg"]
    service.server.stuck = set()
    assert only(service.install(one))["deployed"]
    refused = only(back(service))
    assert f"not rolled back: version 0001 expired at {first['not_after']}" in refused["msg"]
    assert only(back(service, "0001"))["deployed"]
    assert service.served("one") == first["serial"]


def test_an_older_version_that_fails_too_leaves_all_as_it_was(service: Service, rotated: dict[str, str]) -> None:
    service.server.stuck = {"one.example"}
    item = only(back(service))
    assert (item["failed"], item["stage"], item["rolled_back"]) == (True, "prove", True)
    assert "version 0003 is active again; after rolling back, the previous certificate is served" in item["msg"]
    assert service.current("one") == "versions/0003"
    service.server.stuck = set()
    # It is not withdrawn: another one may be asked for and gone back from.
    assert only(back(service))["msg"] == "version 0003 is withdrawn"
    assert service.served("one") == rotated["0002"]


def test_a_way_back_that_was_cut_off_is_gone_on_with(service: Service, rotated: dict[str, str]) -> None:
    # What a run leaves that is killed after the withdrawal, before the switch.
    note(service, "0003", withdrawn={"at": "2026-11-01T00:00:00Z", "for": "0002"})
    assert not service.install([service.declared("one")])["changed"]
    assert service.current("one") == "versions/0003"
    assert only(back(service))["version"] == "0002"
    assert service.served("one") == rotated["0002"]


def test_a_staged_version_that_failed_is_withdrawn_and_the_active_one_stays(
    service: Service, rotated: dict[str, str]
) -> None:
    one = [service.declared("one")]
    service.install(one, issued=service.issue(one, force=True), state="staged")
    item = only(back(service))
    assert (item["version"], item["msg"]) == ("0003", "version 0004 is withdrawn")
    assert service.needs("one") == ["nothing"]
    assert service.served("one") == rotated["0003"]


def check_of_target(service: Service, label: str) -> list[str]:
    """A check that fails when this version is the active one."""
    script = "import os, sys; sys.exit('key values mismatch' if os.readlink(sys.argv[1]).endswith(sys.argv[2]) else 0)"
    return [sys.executable, "-I", "-S", "-c", script, str(service.host.store / "one" / "current"), label]


def test_a_check_that_fails_for_the_new_version_alone_does_not_blame_the_configuration(
    service: Service, rotated: dict[str, str]
) -> None:
    one = [service.declared("one", check=check_of_target(service, "0004"))]
    item = only(service.install(one, issued=service.issue(one, force=True)))
    assert (item["stage"], item["rolled_back"]) == ("check", True)
    assert "key values mismatch; rolled back: version 0003 is active again" in item["msg"]
    assert "not the cause" not in item["msg"]
    assert service.server.reloads == 0
    assert service.served("one") == rotated["0003"]


def test_a_check_that_fails_before_anything_was_switched_says_so(service: Service, rotated: dict[str, str]) -> None:
    item = only(service.install([service.declared("one", check=check_of_target(service, "0003"))]))
    assert (item["stage"], item["rolled_back"]) == ("check", False)
    assert item["msg"].endswith("nothing was switched before this check, so the certificate is not the cause")
    assert service.served("one") == rotated["0003"]
