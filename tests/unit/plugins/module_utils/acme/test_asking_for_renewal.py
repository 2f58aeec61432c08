# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import socket
import threading
import time
from collections.abc import Iterator
from email.utils import format_datetime
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme.renewal import Question, ask
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._renewal_state import RenewalState, Window

from tests.support import rfc9773

from .scripted import ScriptedCA, problem, scripted_ca

UTC = datetime.timezone.utc
NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY, HOUR, SECOND = datetime.timedelta(days=1), datetime.timedelta(hours=1), datetime.timedelta(seconds=1)
KNOWN = RenewalState().answered(Window(NOW, NOW + DAY), None, None, NOW, lambda: 0.5)
PATH = f"renewal-info/{rfc9773.CERT_ID}"
PAST = {"suggestedWindow": {"start": "2025-01-02T04:00:00Z", "end": "2025-01-03T04:00:00Z"}}


@pytest.fixture
def ca() -> Iterator[ScriptedCA]:
    with scripted_ca() as found:
        found.directory["renewalInfo"] = f"{found.url}/renewal-info"
        yield found


def asked(directory: str, *states: RenewalState, ids: Any = None, **options: Any) -> list[RenewalState]:
    params = {"acme_directory": directory, "request_timeout": 30, "concurrency": 4, "renewal_info_timeout": 30}
    questions = [Question(cert_id, state) for cert_id, state in zip(ids or [rfc9773.CERT_ID] * len(states), states)]
    return ask({**params, **options}, questions, lambda: NOW)


def test_the_example_of_the_standard(ca: ScriptedCA) -> None:
    ca.script[PATH] = [(200, {"Retry-After": "21600"}, {**PAST, "explanationURL": "https://acme.example.com/docs/ari"})]
    (state,) = asked(f"{ca.url}/directory", RenewalState())
    assert [(method, path, protected) for method, path, protected, _payload in ca.asked] == [
        ("GET", "/directory", None),
        ("GET", "/renewal-info/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", None),
    ]
    assert state.window == Window(
        datetime.datetime(2025, 1, 2, 4, tzinfo=UTC), datetime.datetime(2025, 1, 3, 4, tzinfo=UTC)
    )
    assert state.renew_at is not None
    assert state.window.holds(state.renew_at)
    assert (state.next_check, state.explanation_url) == (NOW + 6 * HOUR, "https://acme.example.com/docs/ari")


@pytest.mark.parametrize(
    ("retry_after", "hours"),
    [("7200", 2), ("in three hours", 3), ("soon", 6), (None, 6)],
)
def test_retry_after_in_both_forms(ca: ScriptedCA, retry_after: str | None, hours: int) -> None:
    if retry_after == "in three hours":
        retry_after = format_datetime(datetime.datetime.now(UTC) + 3 * HOUR, usegmt=True)
    ca.script[PATH] = [(200, {"Retry-After": retry_after} if retry_after else {}, PAST)]
    (state,) = asked(f"{ca.url}/directory", RenewalState())
    assert state.next_check is not None
    assert abs(state.next_check - NOW - hours * HOUR) < datetime.timedelta(minutes=3)


def test_a_batch_reads_the_directory_once_and_keeps_the_order(ca: ScriptedCA) -> None:
    ids = [f"aki.{number}" for number in range(20)]
    for number, cert_id in enumerate(ids):
        window = {"start": "2026-12-01T00:00:00Z", "end": f"2026-12-{number + 2:02d}T00:00:00Z"}
        ca.script[f"renewal-info/{cert_id}"] = [(200, {}, {"suggestedWindow": window})]
    ca.directory["renewalInfo"] += "/"
    states = asked(f"{ca.url}/directory", *[RenewalState()] * 20, ids=ids)
    assert [state.window.end.day for state in states if state.window] == list(range(2, 22))
    assert sorted(ca.paths()) == sorted(["/directory", *(f"/renewal-info/{cert_id}" for cert_id in ids)])


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem("malformed", 404, "no such certificate"), "malformed: no such certificate"),
        (problem("unauthorized", 403), "unauthorized"),
        ((200, {}, b"<html>"), "is not a JSON object"),
        ((200, {}, []), "is not a JSON object"),
        ((200, {}, {}), "has no suggestedWindow"),
        ((200, {}, {"suggestedWindow": {"start": "2025-01-03T04:00:00Z", "end": "2025-01-02T04:00:00Z"}}), "not after"),
    ],
)
def test_errors_that_last_leave_what_is_known_and_wait_for_six_hours(ca: ScriptedCA, answer: Any, error: str) -> None:
    ca.script[PATH] = [answer]
    for known in (RenewalState(), KNOWN):
        (state,) = asked(f"{ca.url}/directory", known)
        assert state.error is not None
        assert error in state.error
        assert (state.renew_at, state.next_check, state.failures) == (known.renew_at, NOW + 6 * HOUR, 0)
    assert ca.paths().count(f"/{PATH}") == 2, "such an error is not asked for again"


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        (problem("serverInternal", 500), 60),
        (problem("rateLimited", 429, Retry_After="7200"), 7200),
        (problem("rateLimited", 503, Retry_After="99999999"), 86400),
        (None, 60),
    ],
)
def test_errors_that_may_pass_are_asked_for_again_soon(ca: ScriptedCA, answer: Any, pause: int) -> None:
    ca.script[PATH] = [answer]
    begin = time.monotonic()
    (state,) = asked(f"{ca.url}/directory", KNOWN)
    assert time.monotonic() - begin < 5
    assert (state.renew_at, state.next_check, state.failures) == (KNOWN.renew_at, NOW + pause * SECOND, 1)
    assert state.error


def test_a_hiccup_is_not_noticed(ca: ScriptedCA) -> None:
    ca.script[PATH] = [None, problem("serverInternal", 500), (200, {}, PAST)]
    (state,) = asked(f"{ca.url}/directory", RenewalState())
    assert state.error is None
    assert state.renew_at


def test_a_ca_without_renewal_information_is_told_by_its_directory(ca: ScriptedCA) -> None:
    del ca.directory["renewalInfo"]
    (state,) = asked(f"{ca.url}/directory", RenewalState())
    assert (state.supported, state.renew_at, state.next_check) == (False, None, NOW + DAY)
    assert ca.paths() == ["/directory"]


def test_another_host_is_not_asked(ca: ScriptedCA) -> None:
    ca.directory["renewalInfo"] = "http://127.0.0.1:1/renewal-info"
    (state,) = asked(f"{ca.url}/directory", RenewalState())
    assert "on another host than the directory" in str(state.error)
    assert state.next_check == NOW + 6 * HOUR


@pytest.mark.parametrize("answer", [problem("serverInternal", 503, Retry_After="5000"), (200, {}, {}), None])
def test_a_directory_that_is_none_fails_nobody(ca: ScriptedCA, answer: Any) -> None:
    ca.script["directory"] = [answer]
    states = asked(f"{ca.url}/directory", RenewalState(), KNOWN)
    assert [state.renew_at for state in states] == [None, KNOWN.renew_at]
    assert [state.failures for state in states] == [1, 1]
    expected = 5000 if answer and answer[0] == 503 else 60
    assert states[0].next_check == NOW + expected * SECOND


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    kept.append(listener.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in kept:
            connection.close()


def test_a_ca_that_never_answers_costs_bounded_time(silent: str) -> None:
    begin = time.monotonic()
    (state,) = asked(f"{silent}/directory", KNOWN, renewal_info_timeout=3)
    assert time.monotonic() - begin < 3
    assert (state.renew_at, state.failures) == (KNOWN.renew_at, 1)
    assert "did not answer within" in str(state.error)


def test_when_the_time_is_over_the_rest_is_left_for_a_later_run(ca: ScriptedCA) -> None:
    held = threading.Event()

    def slow(_payload: Any) -> Any:
        held.wait(0.6)
        return 200, {}, PAST

    ids = [f"aki.{number}" for number in range(8)]
    for cert_id in ids:
        ca.script[f"renewal-info/{cert_id}"] = [slow]
    states = asked(f"{ca.url}/directory", *[KNOWN] * 8, ids=ids, renewal_info_timeout=1, concurrency=2)
    unasked = [state for state in states if "no time left" in str(state.error)]
    assert len(unasked) == 4
    assert all((state.next_check, state.failures) == (KNOWN.next_check, 0) for state in unasked)


def test_seconds_that_are_none_are_a_mistake_of_the_options_not_a_ca_that_is_down(ca: ScriptedCA) -> None:
    with pytest.raises(CertfleetError, match="request_timeout is -5"):
        asked(f"{ca.url}/directory", KNOWN, request_timeout=-5)
    assert ca.asked == []
