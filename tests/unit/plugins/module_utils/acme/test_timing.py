# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Generator

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme import timing
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from hypothesis import given
from hypothesis import strategies as st

Waits = Generator[float, None, int]


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(timing.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_deadline_cuts_waits_and_never_goes_below_zero(clock: Clock) -> None:
    deadline = timing.Deadline(10)
    clock.now += 7
    assert deadline.remaining() == pytest.approx(3)
    assert deadline.within(60) == pytest.approx(3)
    assert deadline.within(1) == 1
    clock.now += 7
    assert deadline.remaining() == 0


def test_backoff_grows_and_stops_growing() -> None:
    waits = list(itertools.islice(timing.backoff(0.25, factor=2, most=3), 6))
    assert waits == [0.25, 0.5, 1, 2, 3, 3]


def test_a_delay_that_was_enough_gets_shorter_but_not_below_what_was_too_short() -> None:
    delay = timing.LearnedDelay(0.5)
    delay.was_too_short(0.2)
    for _number in range(5):
        delay.was_enough(delay.delay)
    assert 0.2 < delay.delay < 0.5


def test_a_delay_that_was_too_short_gets_longer_than_that_at_once_up_to_a_bound() -> None:
    delay = timing.LearnedDelay(0.5)
    delay.was_too_short(1.0)
    assert delay.delay > 1.0
    for _number in range(50):
        delay.was_too_short(delay.delay)
    assert delay.delay == 4.0


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 100)), max_size=60))
def test_a_delay_stays_within_its_bounds_whatever_is_learned(history: list[tuple[bool, float]]) -> None:
    delay = timing.LearnedDelay(0.5, least=0.02, most=4.0)
    for enough, waited in history:
        (delay.was_enough if enough else delay.was_too_short)(waited)
        assert 0.02 <= delay.delay <= 4.0


def test_a_wait_goes_on_when_the_delay_grew_meanwhile(clock: Clock) -> None:
    delay = timing.LearnedDelay(0.5)
    waits = delay.wait(clock.now)
    assert next(waits) == pytest.approx(0.5)
    clock.now += 0.5
    delay.was_too_short(2.0)
    assert next(waits) == pytest.approx(delay.delay - 0.5)
    clock.now += delay.delay
    assert list(waits) == []


def test_a_wait_lasts_as_long_as_the_ca_asked_for(clock: Clock) -> None:
    assert next(timing.LearnedDelay(0.5).wait(clock.now, least=7)) == pytest.approx(7)


@given(st.lists(st.integers(0, 30), max_size=20), st.integers(1, 5))
def test_results_come_in_the_order_of_the_items_whatever_fails(items: list[int], concurrency: int) -> None:
    def work(item: int) -> Waits:
        yield 0.0
        if item % 3 == 0:
            raise CertfleetError(f"no {item}")
        if item % 5 == 0:
            raise KeyError(item)
        return item

    results = timing.run_steps(items, work, concurrency=concurrency)
    assert len(results) == len(items)
    for item, result in zip(items, results):
        if item % 3 == 0:
            assert str(result) == f"no {item}"
        elif item % 5 == 0:
            assert str(result) == f"unexpected KeyError: {item}"
        else:
            assert result == item


def test_an_item_that_waits_keeps_no_worker_busy() -> None:
    started: list[int] = []
    all_started = threading.Event()

    def work(item: int) -> Waits:
        started.append(item)
        if len(started) == 10:
            all_started.set()
        while not all_started.is_set():
            yield 0.01
        return item

    assert timing.run_steps(range(10), work, concurrency=1) == list(range(10))


def test_no_more_than_concurrency_run_at_once() -> None:
    lock = threading.Lock()
    running = highest = 0
    both = threading.Barrier(3)

    def work(item: int) -> Waits:
        nonlocal running, highest
        yield 0.0
        with lock:
            running += 1
            highest = max(highest, running)
        both.wait(10)  # passes only when three run at once
        with lock:
            running -= 1
        return item

    timing.run_steps(range(12), work, concurrency=3)
    assert highest == 3


def test_stop_ends_it_and_what_was_not_done_says_so() -> None:
    stop = threading.Event()

    def work(item: int) -> Waits:
        if item == 0:
            stop.set()
            return item
        while True:
            yield 3600.0

    results = timing.run_steps([1, 0], work, concurrency=1, stop=stop)
    assert str(results[0]) == "interrupted"
    assert results[1] == 0


def test_an_interrupt_of_the_caller_stops_the_workers_and_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    running = threading.Event()
    joined = threading.Thread.join
    interrupted = False

    def join(thread: threading.Thread, timeout: float | None = None) -> None:
        nonlocal interrupted
        if not interrupted:
            running.wait(10)
            interrupted = True
            raise KeyboardInterrupt
        joined(thread, timeout)

    def work(item: int) -> Waits:
        running.set()
        while True:
            yield 3600.0

    before = threading.active_count()
    monkeypatch.setattr(threading.Thread, "join", join)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        timing.run_steps(range(4), work, concurrency=2, stop=stop)
    assert stop.is_set()
    assert threading.active_count() == before
    assert time.monotonic() - begun < 60
