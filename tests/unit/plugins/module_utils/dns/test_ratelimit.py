# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.ratelimit import TokenBucket
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from hypothesis import given
from hypothesis import strategies as st


@given(st.floats(0.5, 20), st.lists(st.floats(0, 2), min_size=1, max_size=60))
def test_never_more_than_the_rate_after_the_burst(rate: float, pauses: list[float]) -> None:
    now = 0.0
    sent: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    bucket = TokenBucket(rate, 2, clock=lambda: now, sleep=sleep)
    for pause in pauses:
        now += pause
        bucket.take()
        sent.append(now)
    for first, start in enumerate(sent):
        for count, moment in enumerate(sent[first:], 1):
            assert count <= 2 + rate * (moment - start) + 1e-6


def test_a_quiet_time_is_not_saved_up() -> None:
    now = 1000.0
    bucket = TokenBucket(4, 2, clock=lambda: now, sleep=lambda seconds: None)
    assert [bucket.take() for _turn in range(3)] == [0.0, 0.0, 0.25]


def test_in_no_second_are_there_more_than_the_rate_from_the_first_request_on() -> None:
    now = 0.0
    sent: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    bucket = TokenBucket(4, clock=lambda: now, sleep=sleep)
    for _turn in range(12):
        bucket.take()
        sent.append(now)
    assert all(sum(start <= moment < start + 1 for moment in sent) <= 4 for start in sent)
    assert sent[-1] == 11 / 4


@pytest.mark.parametrize("rate", [0, -1])
def test_a_rate_that_lets_nothing_through_is_refused(rate: float) -> None:
    with pytest.raises(CertfleetError, match="requests_per_second"):
        TokenBucket(rate)
