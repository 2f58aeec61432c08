# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token bucket: so many requests a second."""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import Callable

from .._errors import CertfleetError


class TokenBucket:
    """Makes the caller wait so that no more than ``rate`` requests a second are sent, after a burst of ``burst``. With
    a burst of one there are no more than that in any second.

    Route53 allows 5 requests a second for the whole AWS account, the console and other programs included
    (Route53 Developer Guide, "Quotas", maximums on API requests).
    """

    def __init__(
        self,
        rate: float,
        burst: float = 1.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if rate <= 0:
            raise CertfleetError(f"requests_per_second is {rate:g}", remedy="Give a number above 0.")
        self._rate = rate
        self._burst = max(1.0, burst)
        self._tokens = self._burst
        self._clock = clock
        self._sleep = sleep
        self._last = clock()

    def slow_to(self, rate: float) -> TokenBucket:
        """Let no more than ``rate`` through from now on, if that is less than until now; returns itself."""
        if rate <= 0:
            raise CertfleetError(f"requests_per_second is {rate:g}", remedy="Give a number above 0.")
        self._rate = min(self._rate, rate)
        return self

    def take(self) -> float:
        """Take one token, waiting for it when there is none. Returns the seconds waited."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._last) * self._rate)
        self._last = now
        self._tokens -= 1.0
        if self._tokens >= 0:
            return 0.0
        wait = -self._tokens / self._rate
        self._sleep(wait)
        return wait


class Buckets:
    """One bucket for all that share a limit of rate."""

    def __init__(self) -> None:
        self._by_limit: dict[Hashable, TokenBucket] = {}

    def of(self, limit: Hashable, rate: float) -> TokenBucket:
        """The bucket of those under ``limit``; the lowest rate given for it counts."""
        if limit not in self._by_limit:
            self._by_limit[limit] = TokenBucket(rate)
        return self._by_limit[limit].slow_to(rate)
