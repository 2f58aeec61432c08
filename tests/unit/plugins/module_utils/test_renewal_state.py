# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._renewal_state import (
    LONG_TERM,
    RETRY_LEAST,
    RETRY_MOST,
    RenewalState,
    Window,
    held_to_bounds,
    read_answer,
)
from hypothesis import given
from hypothesis import strategies as st

UTC = datetime.timezone.utc
NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY, HOUR, MINUTE, SECOND = (datetime.timedelta(**{unit: 1}) for unit in ("days", "hours", "minutes", "seconds"))
WINDOW = Window(NOW + 10 * DAY, NOW + 12 * DAY)
URL = "https://ca.example/why"
KNOWN = RenewalState().answered(WINDOW, URL, 7200, NOW, lambda: 0.5)


def body(start: Any, end: Any, **more: Any) -> dict[str, Any]:
    return {"suggestedWindow": {"start": start, "end": end}, **more}


def test_an_answer_chooses_an_instant_and_keeps_it_with_the_time_of_the_next_question() -> None:
    assert KNOWN.renew_at == NOW + 11 * DAY
    assert (KNOWN.supported, KNOWN.window, KNOWN.explanation_url) == (True, WINDOW, URL)
    assert (KNOWN.checked_at, KNOWN.next_check, KNOWN.failures, KNOWN.error) == (NOW, NOW + 2 * HOUR, 0, None)
    again = KNOWN.answered(WINDOW, None, 7200, NOW + DAY, lambda: 0.9)
    assert again.renew_at == KNOWN.renew_at, "the same window does not move the instant"
    assert again.explanation_url is None
    wider = KNOWN.answered(Window(NOW, NOW + 30 * DAY), None, None, NOW + DAY, lambda: 0.0)
    assert wider.renew_at == KNOWN.renew_at, "nor does one that holds it"
    moved = KNOWN.answered(Window(NOW - 2 * DAY, NOW - DAY), None, None, NOW + DAY, lambda: 0.25)
    assert moved.renew_at == NOW - 2 * DAY + 6 * HOUR


def test_instants_are_spread_evenly_over_the_window() -> None:
    window = Window(NOW, NOW + 1000 * SECOND)
    picks = iter(number / 1000 for number in range(1000))
    chosen = [window.choose(lambda: next(picks)) for _number in range(1000)]
    assert chosen == [NOW + number * SECOND for number in range(1000)]
    by_chance = {RenewalState().answered(WINDOW, None, None, NOW).renew_at for _number in range(50)}
    assert len(by_chance) > 40
    assert all(instant is not None and WINDOW.holds(instant) for instant in by_chance)


@pytest.mark.parametrize(
    ("seconds", "held"),
    [
        (None, LONG_TERM),
        (0, RETRY_LEAST),
        (59, RETRY_LEAST),
        (61, 61 * SECOND),
        (86401, RETRY_MOST),
        (1e18, RETRY_MOST),
    ],
)
def test_retry_after_is_held_to_bounds(seconds: float | None, held: datetime.timedelta) -> None:
    assert held_to_bounds(seconds) == held
    assert RenewalState().answered(WINDOW, None, seconds, NOW).next_check == NOW + held


@pytest.mark.parametrize(
    ("state", "after", "asked"),
    [
        (RenewalState(), 6 * HOUR - SECOND, False),
        (RenewalState(), 6 * HOUR, True),
        (RenewalState(), -SECOND, True),
        (KNOWN, 2 * HOUR - SECOND, False),
        (KNOWN, 2 * HOUR, True),
        (RenewalState(next_check=NOW + DAY), SECOND, False),
        (RenewalState(next_check=NOW + DAY + 2 * SECOND), SECOND, True),
    ],
)
def test_when_it_is_time_to_ask(state: RenewalState, after: datetime.timedelta, asked: bool) -> None:
    assert state.to_be_asked(NOW + after, issued=NOW, lifetime=90 * DAY) is asked


def test_a_certificate_that_lives_for_hours_is_asked_for_sooner() -> None:
    assert not RenewalState().to_be_asked(NOW + 59 * MINUTE, issued=NOW, lifetime=10 * HOUR)
    assert RenewalState().to_be_asked(NOW + 60 * MINUTE, issued=NOW, lifetime=10 * HOUR)


def test_errors_that_may_pass_wait_longer_each_time_and_keep_what_is_known() -> None:
    state, pauses = KNOWN, []
    for _number in range(6):
        state = state.unreachable("no\nanswer", None, NOW)
        assert state.next_check is not None
        pauses.append(state.next_check - NOW)
    assert pauses == [MINUTE, 10 * MINUTE, 100 * MINUTE, LONG_TERM, LONG_TERM, LONG_TERM]
    assert (state.renew_at, state.window, state.failures) == (KNOWN.renew_at, WINDOW, 6)
    assert state.error == "no answer"
    assert state.answered(WINDOW, None, None, NOW).failures == 0
    assert KNOWN.unreachable("busy", 3600, NOW).next_check == NOW + HOUR
    assert KNOWN.unreachable("busy", 1e12, NOW).next_check == NOW + RETRY_MOST


def test_errors_that_last_are_looked_at_after_six_hours() -> None:
    state = KNOWN.unreachable("no answer", None, NOW).refused("404", NOW)
    assert (state.next_check, state.failures, state.error) == (NOW + LONG_TERM, 0, "404")
    assert state.renew_at == KNOWN.renew_at
    assert RenewalState().refused("404", NOW).renew_at is None


def test_a_ca_without_renewal_information_is_looked_at_once_a_day() -> None:
    state = KNOWN.unsupported(NOW)
    assert (state.supported, state.renew_at, state.next_check) == (False, None, NOW + DAY)


def test_what_is_kept_is_what_was_said() -> None:
    states = [RenewalState(), KNOWN, KNOWN.refused("x", NOW), KNOWN.unreachable("x", None, NOW), KNOWN.unsupported(NOW)]
    for state in states:
        assert RenewalState.read(json.loads(json.dumps(state.as_result()))) == state
    assert KNOWN.says_as(KNOWN.refused("x", NOW + DAY))
    assert KNOWN.says_as(KNOWN.answered(WINDOW, URL, 60, NOW + DAY))
    assert not KNOWN.says_as(RenewalState())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(list(KNOWN.as_result()))


@given(st.dictionaries(NAMES, JSON | st.sampled_from(list(KNOWN.as_result().values()))) | JSON)
def test_whatever_lies_there_is_read_as_something_usable(content: Any) -> None:
    state = RenewalState.read(content)
    assert RenewalState.read(state.as_result()) == state
    state.to_be_asked(NOW, issued=NOW, lifetime=DAY)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-11-22T12:00:00Z", "2026-11-22T13:00:00Z", (NOW, NOW + HOUR)),
        ("2026-11-22T14:00:00+02:00", "2026-11-22T07:00:01-05:00", (NOW, NOW + SECOND)),
        ("2026-11-22t12:00:00.123456789z", "2026-11-22T12:00:00.9Z", (NOW, NOW)),
        ("0001-01-01T00:00:00Z", "2026-11-22T12:00:00Z", (datetime.datetime(1, 1, 1, tzinfo=UTC), NOW)),
    ],
)
def test_windows_are_read(start: str, end: str, expected: tuple[datetime.datetime, datetime.datetime]) -> None:
    window, url = read_answer(body(start, end, explanationURL=URL))
    assert (window.start, window.end) == expected
    assert url == URL
    chosen = RenewalState().answered(window, url, None, NOW)
    assert RenewalState.read(chosen.as_result()) == chosen


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"suggestedWindow": []},
        body("2026-11-22T12:00:00Z", None),
        body("2026-11-22T12:00:00Z", 1795348800),
        body("2026-11-22T12:00:00Z", "tomorrow"),
        body("2026-11-22 ", "2026-11-23"),
        body("2026-11-22T12:00:00", "2026-11-22T13:00:00"),
        body("2026-13-22T12:00:00Z", "2026-14-22T13:00:00Z"),
        body("0001-01-01T00:00:00+14:00", "2026-11-22T13:00:00Z"),
        body("2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z"),
        body("2026-11-22T13:00:00Z", "2026-11-22T12:00:00Z"),
    ],
)
def test_what_is_no_window_is_refused(answer: Any) -> None:
    with pytest.raises(CertfleetError, match=r"suggested ?[wW]indow"):
        read_answer(answer)


@pytest.mark.parametrize(
    "url", [None, 1, "", "javascript:x", "https://ca.example/a b", "https://ca.example/\n", "https://x/" + "y" * 600]
)
def test_an_explanation_that_is_no_address_is_not_shown(url: Any) -> None:
    assert read_answer(body("2026-11-22T12:00:00Z", "2026-11-22T13:00:00Z", explanationURL=url))[1] is None
