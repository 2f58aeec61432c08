# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renewals that do not bunch: where each certificate's place is, and what becomes of a fleet over the years."""

from __future__ import annotations

import collections
import datetime
import random
from dataclasses import replace

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._renewal import (
    LONG_SHARE,
    SPREAD_UP_TO,
    Held,
    Wanted,
    decide,
    earlier,
    spread_of,
)
from hypothesis import given
from hypothesis import strategies as st

DAY = datetime.timedelta(days=1)
START = datetime.datetime(2026, 9, 1, tzinfo=datetime.timezone.utc)
WANTED = Wanted(identifiers=("a.example",))
HELD = Held(("a.example",), "ecdsa-p256", START, START + 90 * DAY, fingerprint_sha256="80" + 62 * "0")

FINGERPRINTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
SPREADS = st.floats(min_value=0, max_value=0.4999)
SHARES = st.floats(min_value=0.01, max_value=0.99)


@given(FINGERPRINTS, SHARES, SPREADS, SPREADS)
def test_each_has_its_own_place_within_the_bounds(fingerprint: str, share: float, one: float, other: float) -> None:
    moved = earlier(fingerprint, share, one)
    assert moved == earlier(fingerprint, share, one)
    assert 0 <= moved <= one
    assert share + moved <= max(share, SPREAD_UP_TO)
    narrow, wide = sorted((one, other))
    assert earlier(fingerprint, share, narrow) <= earlier(fingerprint, share, wide)


@given(FINGERPRINTS, FINGERPRINTS, SHARES, SPREADS)
def test_places_are_in_the_order_of_fingerprints(one: str, other: str, share: float, spread: float) -> None:
    first, second = sorted((one, other))
    assert earlier(first, share, spread) <= earlier(second, share, spread)


def test_places_are_spread_evenly() -> None:
    chance = random.Random(20261122)
    places = [earlier(chance.randbytes(32).hex(), LONG_SHARE, 0.1) for _number in range(1000)]
    buckets = collections.Counter(int(place / 0.01) for place in places)
    assert sorted(buckets) == list(range(10))
    assert all(70 <= count <= 130 for count in buckets.values()), "each within three deviations of 100"


@given(FINGERPRINTS, SPREADS, st.timedeltas(10 * DAY, 4000 * DAY))
def test_never_in_the_first_half_and_never_later(fingerprint: str, spread: float, lifetime: datetime.timedelta) -> None:
    held = replace(HELD, not_after=START + lifetime, fingerprint_sha256=fingerprint)
    plain, moved = decide(WANTED, held, START).due_at, decide(WANTED, held, START, spread=spread).due_at
    assert plain is not None
    assert moved is not None
    microsecond = datetime.timedelta(microseconds=1)
    assert START + lifetime / 2 - microsecond <= moved <= plain
    assert plain - moved <= lifetime * spread + microsecond
    early, due = decide(WANTED, held, moved - microsecond, spread=spread), decide(WANTED, held, moved, spread=spread)
    assert [reason.code for reason in due.reasons] == ["due"]
    assert not early.should_renew


def test_the_reason_tells_of_the_place() -> None:
    # The place is in the middle: 4.5 of 9 days before a third is left.
    assert not decide(WANTED, HELD, START + 55.4 * DAY, spread=0.1).should_renew
    (reason,) = decide(WANTED, HELD, START + 55.6 * DAY, spread=0.1).reasons
    assert reason.text == (
        "34.4 days of 90.0 days are left, due below 38% (33% and its place in the fleet's spread; "
        "expires 2026-11-30T00:00:00Z)"
    )


def test_what_is_declared_and_what_the_ca_says_is_not_spread() -> None:
    declared = replace(WANTED, renew_when_remaining=1 / 3)
    assert not decide(declared, HELD, START + 59.9 * DAY, spread=0.4).should_renew
    asked = replace(HELD, renew_at=START + 70 * DAY)
    assert not decide(WANTED, asked, START + 69.9 * DAY, spread=0.4).should_renew
    short = replace(HELD, not_after=START + 6 * DAY)
    assert not decide(WANTED, short, START + 2.9 * DAY, spread=0.4).should_renew


@pytest.mark.parametrize("share", [-0.1, 0.5, 10])
def test_a_spread_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(CertfleetError, match="renewal_spread"):
        spread_of(share)
    assert spread_of(0.1) == 0.1


def nights(count: int, days: int, spread: float) -> list[int]:
    """How many of a fleet that was issued within an hour are renewed in each night."""
    chance = random.Random(20261122)

    def issued(when: datetime.datetime) -> Held:
        start = when + datetime.timedelta(seconds=chance.randrange(3600))
        fingerprint = chance.randbytes(32).hex()
        return replace(HELD, not_before=start, not_after=start + 90 * DAY, fingerprint_sha256=fingerprint)

    fleet = [issued(START) for _number in range(count)]
    renewals = []
    for night in range(days):
        now = START + night * DAY
        # None is due in the first half of its life; leaving those out is most of what this would take.
        due = [number for number, held in enumerate(fleet) if now - held.not_before > 44 * DAY]
        due = [number for number in due if decide(WANTED, fleet[number], now, spread=spread).should_renew]
        renewals.append(len(due))
        for number in due:
            fleet[number] = issued(now)
    return renewals


def test_a_fleet_that_was_issued_at_once_does_not_bunch() -> None:
    spread, even = nights(1000, 540, 0.1), 1000 / 9
    first = spread[50:62]
    assert sum(first) == 1000
    assert max(first) <= 1.3 * even, "the first time they are renewed, over nine nights"
    assert max(spread[62:]) <= 1.3 * even, "and never again more at once"
    assert max(spread[-120:]) <= 0.7 * even, "after some generations far fewer"
    assert max(nights(1000, 70, 0.0)) == 1000, "without a spread all, each time"
