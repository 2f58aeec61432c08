# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

from tests.support.host import only
from tests.support.service import Service


def test_a_failed_check_rolls_back_before_any_reload_and_the_next_run_finishes(service: Service) -> None:
    serials = service.start()
    issued = service.issue(service.both, force=True)
    service.check.write_text("unknown directive foo in line 7")
    result = service.install(service.both, issued=issued)
    for item in result["certificates"]:
        assert (item["failed"], item["stage"], item["rolled_back"]) == (True, "check", True)
        assert "unknown directive foo in line 7" in item["msg"]
        assert "version 0001 is active again" in item["msg"]
        assert not item["active"]
    assert service.server.reloads == 0
    assert service.current("one") == "versions/0001"
    assert service.served("one") == serials["one"]

    assert service.needs("one") == ["install", "pending_install"]
    service.check.write_text("ok")
    assert not service.install(service.both)["failed_items"]
    assert service.served("one") == issued[0]["serial"]


def test_a_failed_reload_rolls_back_and_reloads_again(service: Service) -> None:
    serials = service.start()
    issued = service.issue(service.both, force=True)
    service.server.broken = "no memory left"
    result = service.install(service.both, issued=issued)
    for item in result["certificates"]:
        assert (item["stage"], item["rolled_back"]) == ("reload", True)
        assert "no memory left" in item["msg"]
        assert "the reload after rolling back failed too" in item["msg"]
    assert service.server.reloads == 2
    assert service.served("two") == serials["two"]
    assert service.current("two") == "versions/0001"
    service.server.broken = ""
    assert not service.install(service.both)["failed_items"]
    assert service.served("two") == issued[1]["serial"]


def test_one_endpoint_that_keeps_the_old_certificate_rolls_back_alone(service: Service) -> None:
    serials = service.start()
    issued = service.issue(service.both, force=True)
    service.server.stuck = {"one.example"}
    result = service.install(service.both, issued=issued)
    stuck, fine = result["certificates"]
    assert (stuck["stage"], stuck["rolled_back"], stuck["active"]) == ("prove", True, False)
    where = f"127.0.0.1:{service.server.port} (one.example)"
    still = (
        f"{where} still serves the previous certificate (serial {serials['one']}, one.example), 2 s after the reload"
    )
    assert stuck["msg"].startswith(still)
    assert "version 0001 is active again" in stuck["msg"]
    assert "after rolling back, the previous certificate is served" in stuck["msg"]
    assert stuck["msg"].endswith(
        f"See whether the service reads {service.host.store}/one/current for that name, "
        "and whether its reload reads it again."
    )
    assert service.current("one") == "versions/0001"
    assert (fine["stage"], fine["failed"]) == ("deployed", False)
    assert service.served("two") == issued[1]["serial"]
    assert service.server.reloads == 2
    service.server.stuck = set()
    again = service.install(service.both)
    assert [item["changed"] for item in again["certificates"]] == [True, False]
    assert service.served("one") == issued[0]["serial"]


def test_a_first_deployment_that_fails_leaves_no_version_active(service: Service) -> None:
    service.serve("one")
    declared = service.declared("one", endpoints=[{"port": 1}])
    result = service.install([declared], issued=service.issue([declared]))
    item = only(result)
    assert (item["stage"], item["rolled_back"], item["previous_serial"]) == ("prove", True, None)
    assert "127.0.0.1:1 (one.example): Connection refused" in item["msg"]
    assert service.current("one") is None
    assert service.needs("one") == ["install", "pending_install"]


def test_a_new_declaration_that_cannot_be_proven_takes_nothing_away(service: Service) -> None:
    serials = service.start()
    declared = service.declared("one", endpoints=[{"port": 1}])
    item = only(service.install([declared]))
    assert (item["stage"], item["rolled_back"], item["active"]) == ("prove", False, True)
    assert service.current("one") == "versions/0001"
    assert service.served("one") == serials["one"]


def test_a_run_that_ended_before_the_proof_is_taken_up_or_taken_back(service: Service) -> None:
    serials = service.start()
    service.install(service.both, issued=service.issue(service.both, force=True), state="staged")
    # What a run leaves that is killed after the switch.
    for name in ("one", "two"):
        entry = service.host.store / name
        path = entry / "versions" / "0002" / "certificate.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "activating": {"from": "0001"}}))
        (entry / "current").unlink()
        (entry / "current").symlink_to("versions/0002")
    assert service.needs("one") == ["install", "not_deployed"]
    service.server.stuck = {"one.example"}
    result = service.install(service.both)
    assert [item["rolled_back"] for item in result["certificates"]] == [True, False]
    assert service.current("one") == "versions/0001"
    assert service.served("one") == serials["one"]
    assert service.served("two") == result["certificates"][1]["serial"] != serials["two"]


def test_without_deploy_it_is_activated_and_that_is_all(service: Service) -> None:
    declared = {"name": "one", "identifiers": ["one.example"]}
    item = only(service.install([declared], issued=service.issue([declared])))
    assert (item["stage"], item["active"], item["deployed"]) == ("active", True, False)
    assert not service.install([declared])["changed"]
    assert service.server.reloads == 0
