# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the host keeps of the CA's renewal information, when it says that the CA is to be asked, and what it decides."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._renewal import earlier, parse_instant
from ansible_collections.certfleet.acme.plugins.module_utils._renewal_state import RenewalState, Window

from tests.support.host import Host, only
from tests.support.small_ca import DAY, DIRECTORY, SmallCA

CA = SmallCA()
WEB = {"name": "web", "identifiers": ["example.com", "*.example.com"]}
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
HOUR = datetime.timedelta(hours=1)
URL = "https://ca.example/incident"
FAR, PAST = Window(NOW + 50 * DAY, NOW + 52 * DAY), Window(NOW - 2 * DAY, NOW - DAY)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """One whose certificate came seven hours ago."""
    made = Host(tmp_path)
    install(made)
    note(made, "0001", staged_at=(NOW - 7 * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ"))
    return made


def install(host: Host, declared: dict[str, Any] | None = None, **options: Any) -> None:
    declared = declared or WEB
    asked = request(host, declared)
    issued = [CA.issued(asked, age=options.pop("age", 7 * HOUR))]
    host.module("certificate_install", certificates=[declared], issued=issued, **options)


def request(host: Host, declared: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    certificates = [declared or WEB]
    return only(host.module("certificate_request", certificates=certificates, acme_directory=DIRECTORY, **options))


def note(host: Host, version: str, **changes: Any) -> None:
    path = host.store / "web" / "versions" / version / "certificate.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def kept(host: Host) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((host.store / "web" / "current" / "certificate.json").read_text())
    return found


def answer(host: Host, state: RenewalState, **changes: Any) -> list[dict[str, Any]]:
    """A result of acme_renewal_info for the active certificate."""
    cert_id = request(host, check=True)["current"]["ari_cert_id"]
    return [{"name": "web", "cert_id": cert_id, "renewal_info": state.as_result(), "failed": False, **changes}]


def said(window: Window, hours: float = 6, *, at: datetime.datetime = NOW, url: str | None = None) -> RenewalState:
    return RenewalState().answered(window, url, hours * 3600, at, lambda: 0.5)


def test_a_new_certificate_is_not_asked_for_at_once(host: Host) -> None:
    item = request(host)
    question = item["renewal_info"]
    assert item["needs"] == "nothing"
    assert (question["ask"], question["acme_directory"], question["state"]) == (True, DIRECTORY, None)
    assert question["certificate"] == (host.store / "web" / "current" / "cert.pem").read_text()
    note(host, "0001", staged_at=(NOW - 5 * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ"))
    question = request(host)["renewal_info"]
    assert (question["ask"], question["certificate"]) == (False, None)
    assert request(host, renewal_info="now")["renewal_info"]["ask"] is True
    assert request(host, renewal_info="never")["renewal_info"] is None
    assert request(host, renew=False)["renewal_info"] is None


def test_an_answer_is_kept_and_a_second_run_changes_and_asks_nothing(host: Host) -> None:
    state = said(FAR, url=URL)
    answers = answer(host, state)
    before = host.snapshot()
    planned = request(host, renewal_info_answers=answers, check=True)
    assert (planned["changed"], planned["needs"]) == (True, "nothing")
    assert host.snapshot() == before

    first = request(host, renewal_info_answers=answers)
    assert (first["changed"], first["needs"]) == (True, "nothing")
    assert first["renewal_info"] == {
        "ask": False,
        "certificate": None,
        "acme_directory": DIRECTORY,
        "state": state.as_result(),
    }
    assert kept(host)["ari"] == state.as_result()
    after = host.snapshot()
    for given in ([], answers):
        second = request(host, renewal_info_answers=given)
        assert (second["changed"], second["renewal_info"]["ask"]) == (False, False)
    assert host.snapshot() == after


def test_that_the_ca_was_asked_is_kept_and_is_no_change(host: Host) -> None:
    request(host, renewal_info_answers=answer(host, said(FAR)))
    later = said(FAR).answered(FAR, None, 7200, NOW + HOUR)
    down = later.unreachable("no answer", None, NOW + 2 * HOUR)
    for state in (later, down):
        item = request(host, renewal_info_answers=answer(host, state))
        assert not item["changed"]
        assert kept(host)["ari"] == state.as_result()


def test_what_the_ca_wants_renewed_is_requested_and_why(host: Host) -> None:
    item = request(host, renewal_info_answers=answer(host, said(PAST, url=URL)))
    assert item["needs"] == "issue"
    assert [reason["code"] for reason in item["reasons"]] == ["ari"]
    assert item["reasons"][0]["text"].endswith(f" ({URL})")
    assert item["renewal_info"] is None
    assert item["replaces"] == item["current"]["ari_cert_id"]
    csr = item["csr_content"]
    # It is so in later runs too, though the CA is not asked any more.
    again = request(host)
    assert (again["needs"], again["csr_content"], again["changed"]) == ("issue", csr, False)
    assert [reason["code"] for reason in again["reasons"]] == ["ari"]
    assert request(host, renewal_info="never")["needs"] == "nothing"
    assert request(host, renew=False)["needs"] == "nothing"


def test_what_the_ca_wants_renewed_before_the_next_run_is_requested(host: Host) -> None:
    soon = Window(NOW + 10 * HOUR, NOW + 14 * HOUR)
    answers = answer(host, said(soon))
    assert request(host, renewal_info_answers=answers, check=True, next_run_in=11 * 3600)["needs"] == "nothing"
    item = request(host, renewal_info_answers=answers, next_run_in=13 * 3600)
    assert item["needs"] == "issue"
    assert "which is before the next run in 13.0 hours" in item["msg"]
    assert "next_run_in is -1" in host.module("certificate_request", certificates=[WEB], next_run_in=-1)["msg"]


def test_answers_that_are_not_for_this_certificate_or_are_none_change_nothing(host: Host) -> None:
    before = host.snapshot()
    useless: list[dict[str, Any]] = [
        {"cert_id": "aki.serial"},
        {"cert_id": None},
        {"failed": True},
        {"renewal_info": None},
        {"renewal_info": {}},
        {"renewal_info": {"renew_at": "yesterday", "window": [1], "failures": "x"}},
    ]
    for changes in useless:
        item = request(host, renewal_info_answers=answer(host, said(PAST), **changes))
        assert (item["changed"], item["needs"]) == (False, "nothing")
    assert host.snapshot() == before


@pytest.mark.parametrize("rubbish", [[], "x", {"renew_at": 1}, {"next_check": "2999-01-01T00:00:00Z"}])
def test_rubbish_that_is_kept_is_as_if_nothing_were(host: Host, rubbish: Any) -> None:
    note(host, "0001", ari=rubbish)
    item = request(host)
    assert (item["needs"], item["failed"], item["renewal_info"]["ask"]) == ("nothing", False, True)


def test_what_is_to_be_issued_was_replaced_or_has_expired_is_not_asked_for(host: Host) -> None:
    assert request(host, {**WEB, "force": True}, check=True)["renewal_info"] is None
    other = only(
        host.module("certificate_request", certificates=[WEB], acme_directory="https://x.example/", check=True)
    )
    assert (other["needs"], other["renewal_info"]) == ("issue", None)
    assert request(host, {**WEB, "renew_when_remaining": 0.999}, check=True)["renewal_info"] is None

    # A newer version waits to be activated: that one is asked for, and its predecessor is not.
    install(host, {**WEB, "force": True}, state="staged")
    item = request(host, renewal_info="now")
    assert item["needs"] == "install"
    staged = (host.store / "web" / "versions" / "0002" / "cert.pem").read_text()
    assert item["renewal_info"]["certificate"] == staged
    # It is not as declared any more: what is active is what is wanted, but the CA has replaced it.
    note(host, "0002", requested_profile="other")
    item = request(host, renewal_info="now")
    assert (item["needs"], item["renewal_info"]) == ("nothing", None)


def test_a_new_certificate_starts_without_what_was_said_about_the_old_one(host: Host) -> None:
    asked = request(host, renewal_info_answers=answer(host, said(PAST)))
    host.module("certificate_install", certificates=[WEB], issued=[CA.issued(asked)])
    item = request(host)
    assert (item["needs"], item["current"]["version"]) == ("nothing", "0002")
    assert (item["renewal_info"]["ask"], item["renewal_info"]["state"]) == (False, None)


def test_renewals_by_age_are_spread_where_that_is_asked_for(tmp_path: Path) -> None:
    host = Host(tmp_path)
    install(host, age=59 * DAY)
    item = request(host, renewal_info="never")
    assert item["needs"] == "nothing", "a third is left a day later"
    # With each spread it is due from a share on that lies the same way between a third and the end of the spread.
    fingerprint = item["current"]["fingerprint_sha256"]
    for spread in (0.01, 0.05, 0.16):
        due = 1 / 3 + earlier(fingerprint, 1 / 3, spread) > 31 / 90
        found = request(host, renewal_info="never", renewal_spread=spread, check=True)
        assert (found["needs"] == "issue") == due
        assert not due or "its place in the fleet's spread" in found["reasons"][0]["text"]
    refused = host.module("certificate_request", certificates=[WEB], renewal_spread=0.5)
    assert "renewal_spread is 0.5" in refused["msg"]

    given = {"name": "web", "certificate_content": (host.store / "web" / "current" / "cert.pem").read_text()}
    plain, moved = (
        only(host.module("acme_renewal_info", certificates=[given], renewal_spread=spread))["due_at"]
        for spread in (0, 0.16)
    )
    shift = parse_instant(plain) - parse_instant(moved)
    assert abs(shift - 90 * DAY * earlier(fingerprint, 1 / 3, 0.16)) < datetime.timedelta(seconds=2)
