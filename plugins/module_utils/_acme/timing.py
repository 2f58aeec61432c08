# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time: deadlines, the delays before a look at what the CA is doing, and the workers that keep to them."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Generator, Sequence
from typing import Callable, TypeVar

from .._errors import CertfleetError

T = TypeVar("T")
R = TypeVar("R")
#: Work that yields the seconds it wants to wait and returns its result.
Steps = Generator[float, None, R]


class Deadline:
    """An instant, ``seconds`` from now, after which nothing is waited for."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._end - time.monotonic())

    def within(self, wait: float) -> float:
        """``wait``, cut to what is left."""
        return min(wait, self.remaining())


class LearnedDelay:
    """How long the CA takes for something, learned while a batch runs; safe to share between threads.

    A look that comes too early costs requests (a refused finalization costs two), so what is known to be too short is
    not tried again soon; a look that found all done lets the next one come earlier.
    """

    def __init__(self, first: float, *, least: float = 0.02, most: float = 4.0) -> None:
        self._delay = first
        self._floor = self._least = least
        self._most = most
        self._lock = threading.Lock()

    @property
    def delay(self) -> float:
        """Seconds to wait before the first look."""
        return self._delay

    def wait(self, since: float, *, least: float = 0.0) -> Generator[float, None, None]:
        """Yield until the delay has passed ``since`` (monotonic), and ``least`` seconds at any rate.

        What others learn meanwhile counts: the delay may have grown when the first wait is over.
        """
        while True:
            wait = max(self._delay, least) - (time.monotonic() - since)
            if wait <= 0:
                return
            yield wait

    def was_enough(self, waited: float) -> None:
        """All was done when it was looked at ``waited`` seconds after the start."""
        with self._lock:
            self._floor = max(self._least, self._floor * 0.98)
            self._delay = max(self._floor, min(self._delay, waited) * 0.9)

    def was_too_short(self, waited: float) -> None:
        """It was not done ``waited`` seconds after the start."""
        with self._lock:
            self._floor = min(self._most, max(self._floor, waited * 1.25))
            self._delay = min(self._most, max(self._delay, self._floor * 1.5))


def backoff(first: float = 0.25, *, factor: float = 1.6, most: float = 5.0) -> Generator[float, None, None]:
    """Delays between looks, growing from ``first`` to ``most`` seconds."""
    delay = first
    while True:
        yield delay
        delay = min(most, delay * factor)


def run_steps(
    items: Sequence[T], work: Callable[[T], Steps[R]], *, concurrency: int, stop: threading.Event | None = None
) -> list[R | CertfleetError]:
    """Run the steps of each item, at most ``concurrency`` at once; an item that waits keeps no worker busy.

    Results come in the order of the items; a CertfleetError, or any other exception wrapped in one, is the result of
    its item. An interrupt of the calling thread sets ``stop``, waits for the steps that are running and passes through.
    """
    runner = _Runner(items, work, stop or threading.Event())
    return runner.run(max(1, min(concurrency, len(items))))


class _Runner:
    def __init__(self, items: Sequence[T], work: Callable[[T], Steps[R]], stop: threading.Event) -> None:
        self._results: list[R | CertfleetError | None] = [None] * len(items)
        self._steps = [work(item) for item in items]
        self._due = [(0.0, number) for number in range(len(items))]
        self._running = 0
        self._stop = stop
        self._changed = threading.Condition()

    def run(self, workers: int) -> list:
        threads = [threading.Thread(target=self._worker, daemon=True) for _number in range(workers)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:
            self._stop.set()
            with self._changed:
                self._changed.notify_all()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
            raise
        interrupted = CertfleetError("interrupted")
        return [interrupted if result is None else result for result in self._results]

    def _worker(self) -> None:
        number = self._next()
        while number is not None:
            wait: float | None = None
            try:
                wait = max(0.0, next(self._steps[number]))
            except StopIteration as end:
                self._results[number] = end.value
            except CertfleetError as error:
                self._results[number] = error
            except Exception as error:  # noqa: BLE001 - a defect in one item must not lose the rest
                wrapped = CertfleetError(f"unexpected {type(error).__name__}: {error}")
                wrapped.__cause__ = error
                self._results[number] = wrapped
            with self._changed:
                self._running -= 1
                if wait is not None:
                    heapq.heappush(self._due, (time.monotonic() + wait, number))
                self._changed.notify_all()
            number = self._next()

    def _next(self) -> int | None:
        """The number of the item that is due, waiting for it; None when all is done or stopped."""
        with self._changed:
            while not self._stop.is_set() and (self._due or self._running):
                if not self._due:
                    self._changed.wait()
                    continue
                wait = self._due[0][0] - time.monotonic()
                if wait <= 0:
                    self._running += 1
                    return heapq.heappop(self._due)[1]
                self._changed.wait(wait)
            return None
