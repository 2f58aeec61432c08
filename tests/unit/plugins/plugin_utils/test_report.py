# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.plugin_utils import _report

REQUEST = {
    "name": "web",
    "needs": "issue",
    "reasons": [{"code": "due", "text": "less than a third of its lifetime is left"}],
    "current": {"serial": "a1", "not_after": "2026-12-01T00:00:00Z"},
}
OBTAINED = {"name": "web", "serial": "b2", "not_after": "2027-02-01T00:00:00Z", "changed": True}
SERVED = {
    "name": "web",
    "version": "0002",
    "serial": "b2",
    "not_after": "2027-02-01T00:00:00Z",
    "previous_version": "0001",
    "previous_serial": "a1",
    "changed": True,
    "active": True,
    "deployed": True,
    "proven": True,
}


def row(*steps: object, check_mode: bool = False, **named: object) -> dict:
    given = {**dict.fromkeys(("requested", "obtained", "installed"), ()), **named}
    given.update(zip(("requested", "obtained", "installed", "published"), steps))
    rows = _report.rows_of_host("h", **given, check_mode=check_mode)  # type: ignore[arg-type]
    assert len(rows) == 1
    return rows[0]


def test_a_rotation_names_both_serials_and_the_reason() -> None:
    found = row([REQUEST], [OBTAINED], [SERVED])
    assert found["outcome"] == "served"
    assert (found["serial"], found["previous_serial"]) == ("b2", "a1")
    assert _report.lines([found], []) == [
        "h web: new certificate served, serial b2, until 2027-02-01T00:00:00Z; before it serial a1 "
        "(less than a third of its lifetime is left)",
        "1 certificate: 1 changed, 0 unchanged, 0 failed",
    ]


def test_the_first_failure_is_the_cause() -> None:
    refused = {"name": "web", "failed": True, "msg": "the CA refuses it"}
    follows = {"name": "web", "failed": True, "msg": "there is no chain"}
    found = row([REQUEST], [refused], [follows])
    assert (found["outcome"], found["msg"]) == ("failed", "the CA refuses it")
    assert _report.lines([found], [])[0] == (
        "h web: FAILED: the CA refuses it (wanted because: less than a third of its lifetime is left)"
    )


def test_what_only_the_cloud_refused_is_named_as_such() -> None:
    refused = {"name": "web", "stage": "publish", "serial": "b2", "failed": True, "msg": "ACM: it is down"}
    found = row([REQUEST], [OBTAINED], [SERVED], [refused])
    assert (found["outcome"], found["msg"], found["serial"]) == ("failed", "publish: ACM: it is down", "b2")
    published = {**refused, "stage": "published", "failed": False, "msg": "", "changed": True}
    assert row([REQUEST], [OBTAINED], [SERVED], [published])["outcome"] == "served"
    later = row([{**REQUEST, "needs": "install"}], [], [{**SERVED, "changed": False}], [published])
    assert _report.lines([later], [])[0].startswith("h web: certificate published, serial b2, until")
    assert row([REQUEST], [], [], [published], check_mode=True)["outcome"] == "planned"


def test_nothing_due_is_silent_but_for_the_totals() -> None:
    found = row([{**REQUEST, "needs": "nothing", "reasons": []}])
    assert found["outcome"] == "unchanged"
    assert _report.lines([found], []) == ["1 certificate: 0 changed, 1 unchanged, 0 failed"]


def test_what_was_served_before_is_not_news() -> None:
    found = row(installed=[{**SERVED, "changed": False, "previous_serial": "b2"}])
    assert (found["outcome"], found["serial"]) == ("unchanged", "b2")


def test_check_mode_says_what_would_change() -> None:
    found = row([REQUEST], [{"name": "web", "changed": True}], check_mode=True)
    assert found["outcome"] == "planned"
    assert _report.lines([found], [])[-1] == "1 certificate: 1 would change, 0 changed, 0 unchanged, 0 failed"


def test_staged_is_not_served() -> None:
    staged = {"name": "web", "serial": "b2", "changed": True, "active": False, "deployed": False}
    assert row([REQUEST], [OBTAINED], [staged])["outcome"] == "staged"
    assert row([REQUEST], [OBTAINED], [{**staged, "active": True}])["outcome"] == "active"


def test_a_host_that_left_the_play_is_named_once() -> None:
    failed = row([{"name": "web", "failed": True, "msg": "no room on the disk"}])
    lines = _report.lines([failed], ["h", "gone"])
    assert [line for line in lines if line.startswith("h ")] == ["h web: FAILED: no room on the disk"]
    assert [line for line in lines if line.startswith("gone: FAILED")]
    assert lines[-1] == "1 certificate: 0 changed, 0 unchanged, 1 failed, 2 hosts lost"


def test_failures_come_last() -> None:
    rows = [
        *_report.rows_of_host("a", [{"name": "x", "failed": True, "msg": "no"}], [], [], check_mode=False),
        *_report.rows_of_host("b", [REQUEST], [OBTAINED], [SERVED], check_mode=False),
    ]
    assert [line.split(":")[0] for line in _report.lines(rows, [])[:2]] == ["b web", "a x"]


def test_revocations_have_their_own_words() -> None:
    items = [
        {"name": "web", "changed": True, "failed": False, "serial": "a1"},
        {"name": "old", "changed": False, "failed": False, "serial": "b2"},
        {"name": "bad", "changed": False, "failed": True, "serial": "c3", "msg": "the CA refuses it"},
    ]
    rows = _report.rows_of_revocations("h", items, check_mode=False)
    assert _report.lines(rows, []) == [
        "h web: revoked, serial a1",
        "h bad: FAILED: the CA refuses it",
        "3 certificates: 1 changed, 1 unchanged, 1 failed",
    ]
    assert [row["outcome"] for row in _report.rows_of_revocations("h", items, check_mode=True)] == [
        "planned",
        "unchanged",
        "failed",
    ]


def test_hosts_of_later_waves_are_named() -> None:
    assert _report.lines([], [], ["x", "y"]) == [
        "0 certificates: 0 changed, 0 unchanged, 0 failed, not reached yet: x, y"
    ]


def test_staged_and_then_not_reached_is_staged() -> None:
    staged = {"name": "web", "serial": "b2", "changed": True, "active": False, "deployed": False}
    untouched = {"name": "web", "serial": "a1", "changed": False, "active": True, "deployed": True}

    def outcome(*installed: dict) -> str:
        (found,) = _report.rows_of_host("h", [REQUEST], [OBTAINED], installed, staged=[staged], check_mode=False)
        return str(found["outcome"])

    assert outcome() == "staged"
    assert outcome(SERVED) == "served"
    assert outcome(untouched) == "staged"
    assert outcome({**SERVED, "failed": True, "msg": "no"}) == "failed"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("ari", "the CA asks for renewal from 2026-11-01T00:00:00Z (https://ca.example/incident)"),
        ("pending_install", "version 0002 (serial b2) waits to be activated"),
        ("files_differ", "/etc/haproxy/web.pem is not what it should be"),
    ],
)
def test_why_is_said_whatever_becomes_of_it(code: str, text: str) -> None:
    request = {**REQUEST, "needs": "install", "reasons": [{"code": code, "text": text}]}
    broken = {**SERVED, "failed": True, "msg": "the proof failed"}
    served = row([request], [], [SERVED])
    assert _report.lines([served], [])[0].endswith(f"; before it serial a1 ({text})")
    failed = row([request], [], [broken])
    assert _report.lines([failed], [])[0] == f"h web: FAILED: the proof failed (wanted because: {text})"
    planned = row([request], [], [], check_mode=True)
    assert _report.lines([planned], [])[0] == f"h web: would change ({text})"


def test_a_call_that_came_to_nothing_is_told_for_each_that_it_was_for() -> None:
    requested: list[dict[str, Any]] = [
        REQUEST,
        {"name": "other", "needs": "nothing"},
        {"name": "more", "needs": "install"},
    ]
    lost = _report.of_lost_call(requested, {"unreachable": True, "msg": "no route\nto host"})
    assert [(item["name"], item["msg"]) for item in lost] == [
        ("web", "the host was not reached any more: no route to host"),
        ("more", "the host was not reached any more: no route to host"),
    ]
    assert [item["msg"] for item in _report.of_lost_call(requested, {"failed": True})] == [
        "the module failed without a word"
    ] * 2
    assert _report.of_lost_call(requested, {"failed": True, "certificates": [SERVED]}) == []
    assert _report.of_lost_call(requested, {"skipped": True}) == []


def test_a_publishing_that_came_to_nothing_is_told_where_there_was_something_to_publish() -> None:
    def asks(name: str, *codes: str, publish: bool = True) -> dict[str, Any]:
        reasons = [{"code": code, "text": code} for code in codes]
        return {"name": name, "needs": "install" if codes else "nothing", "reasons": reasons, "publish": publish}

    requested = [
        asks("new", "pending_install"),
        asks("late", "not_deployed", "not_published"),
        asks("settled", "not_deployed"),
        asks("idle"),
        asks("private", "due", publish=False),
    ]
    gone = {"unreachable": True, "msg": "no route"}
    lost = _report.of_lost_publishing(requested, [], gone)
    assert {(item["name"], item["stage"], item["failed"]) for item in lost} == {
        ("new", "publish", True),
        ("late", "publish", True),
    }
    found = row([REQUEST], [OBTAINED], [SERVED], [{**lost[0], "name": "web"}])
    assert (found["outcome"], found["serial"]) == ("failed", "b2")
    assert _report.lines([found], ["h"]) == [
        "h web: FAILED: publish: the host was not reached any more: no route",
        "1 certificate: 0 changed, 0 unchanged, 1 failed, 1 host lost",
    ]
    installed = [{**SERVED, "publish": True}, {**SERVED, "name": "private", "publish": False}]
    assert [item["name"] for item in _report.of_lost_publishing([], installed, gone)] == ["web"]
    assert _report.of_lost_publishing([asks("idle")], installed, gone) == []
    assert _report.of_lost_publishing(requested, [], {"certificates": [SERVED], "failed": True}) == []


def test_why_it_was_to_be_installed_is_no_reason_where_only_publishing_failed() -> None:
    refused = {"name": "web", "stage": "publish", "serial": "b2", "failed": True, "msg": "ACM: it is down"}
    reasons = [
        {"code": "pending_install", "text": "version 0002 waits to be activated"},
        {"code": "not_published", "text": "version 0002 is not published to ACM"},
    ]

    def line(*reasons: dict[str, str]) -> str:
        return _report.lines([row([{**REQUEST, "reasons": list(reasons)}], [], [SERVED], [refused])], [])[0]

    assert line(reasons[0]) == "h web: FAILED: publish: ACM: it is down"
    assert line(reasons[1]).endswith("it is down (wanted because: version 0002 is not published to ACM)")


def test_certificates_are_not_as_they_were_on_a_host_that_was_lost_later() -> None:
    found = row([REQUEST], [OBTAINED], [SERVED])
    assert _report.lines([found], ["h", "g"])[1:3] == [
        "h: FAILED: it left the play (unreachable or failed, see above)",
        "g: FAILED: it left the play (unreachable or failed, see above); its certificates are as they were",
    ]
    assert _report.lines([], ["h"], absent=["h"])[0] == (
        "h: FAILED: it had left an earlier play (unreachable or failed, see above) and took no part"
    )


@pytest.mark.parametrize(
    ("code", "more", "outcome", "text"),
    [
        ("adopted", {"previous_serial": None}, "adopted", "taken over, serial b2, until END, served"),
        (
            "adopted",
            {"previous_serial": None, "deployed": False, "proven": False},
            "adopted",
            "taken over, serial b2, until END; no endpoint to prove it at",
        ),
        (
            None,
            {"version": "0001", "previous_version": "0002", "serial": "a1", "previous_serial": "b2"},
            "returned",
            "gone back to serial a1, until END, served; before it serial b2",
        ),
        (
            None,
            {"previous_serial": "b2", "previous_version": "0002", "withdrawn": ["0003"]},
            "returned",
            "gone back to serial b2, until END, served",
        ),
        (
            "files_differ",
            {"previous_serial": "b2", "previous_version": "0002"},
            "redeployed",
            "deployed anew as declared, serial b2, until END, served",
        ),
        (
            "due",
            {"proven": False},
            "deployed",
            "new certificate deployed, serial b2, until END; no endpoint to prove it at; before it serial a1",
        ),
        (
            "due",
            {"deployed": False, "proven": False},
            "active",
            "new certificate in place, serial b2, until END; no endpoint to prove it at; before it serial a1",
        ),
        ("due", {}, "served", "new certificate served, serial b2, until END; before it serial a1"),
    ],
)
def test_what_was_done_is_called_by_its_name(code: str | None, more: dict[str, Any], outcome: str, text: str) -> None:
    request = {**REQUEST, "needs": "install", "reasons": [{"code": code, "text": "WHY"}]}
    found = row([request] if code else [], [], [{**SERVED, "not_after": "END", **more}])
    assert found["outcome"] == outcome
    assert _report.lines([found], []) == [
        f"h web: {text}{' (WHY)' if code else ''}",
        "1 certificate: 1 changed, 0 unchanged, 0 failed",
    ]


def test_serial_and_end_are_of_one_certificate() -> None:
    # What was obtained is not what was installed: another run has installed its own meanwhile.
    found = row([REQUEST], [OBTAINED], [{**SERVED, "serial": "c3", "not_after": "2027-03-01T00:00:00Z"}])
    assert (found["serial"], found["not_after"]) == ("c3", "2027-03-01T00:00:00Z")


def test_what_the_request_itself_did_is_told() -> None:
    quiet = {**REQUEST, "needs": "nothing", "reasons": [], "changed": True}
    assert row([quiet])["outcome"] == "unchanged", "when the CA is to be asked again is no news"
    corrected = row([{**quiet, "corrected": True}])
    assert _report.lines([corrected], []) == [
        "h web: files corrected, serial a1, until 2026-12-01T00:00:00Z",
        "1 certificate: 1 changed, 0 unchanged, 0 failed",
    ]
    assert row([{**quiet, "corrected": True}], check_mode=True)["outcome"] == "planned"
    adopted = {**quiet, "needs": "install", "reasons": [{"code": "adopted", "text": "it was found"}]}
    assert _report.lines([row([adopted])], [])[0] == "h web: taken over, not in use yet (it was found)"
    assert row([{**adopted, "changed": False}])["outcome"] == "unchanged"


@pytest.mark.parametrize(
    ("broken", "wave", "percentage", "ends"),
    [
        (0, 4, 0.0, False),
        (1, 4, 0.0, True),
        (1, 4, 25.0, False),
        (2, 4, 25.0, True),
        (3, 4, None, False),
        (4, 4, None, True),
        (4, 4, 100.0, True),
        (0, 0, 0.0, False),
    ],
)
def test_the_play_ends_as_ansible_ends_it(broken: int, wave: int, percentage: float | None, ends: bool) -> None:
    assert _report.stops(broken, wave, percentage) == ends


def test_what_is_not_reached_is_said_with_what_to_do() -> None:
    lines = _report.lines([], [], ["x", "y"], stopped=True, staged=True)
    assert lines == [
        "the rollout stops here, not reached: x, y; what was obtained for them is staged there and not in use. "
        "Repair what failed and run the same again: it goes on from here and orders nothing again that was obtained",
        "0 certificates: 0 changed, 0 unchanged, 0 failed, not reached: x, y",
    ]
    assert "they are as they were" in _report.lines([], [], ["x"], stopped=True)[0]
