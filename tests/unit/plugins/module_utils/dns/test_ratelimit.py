# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any, cast

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.factory import build_engine
from ansible_collections.certfleet.acme.plugins.module_utils._dns.ratelimit import Buckets, TokenBucket
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


def route53(zone: str, **options: Any) -> dict[str, Any]:
    keys = {"access_key": "a", "secret_key": "b", "endpoint_url": "http://127.0.0.1:9", **options}
    return {"provider": "route53", "zones": [zone], "route53": keys}


def cloud_dns(zone: str, project: str) -> dict[str, Any]:
    options = {"project": project, "access_token": "t", "api_endpoint": "http://127.0.0.1:9"}
    return {"provider": "cloud_dns", "zones": [zone], "cloud_dns": options}


def test_entries_of_one_account_share_its_rate() -> None:
    role = "arn:aws:iam::{}:role/dns"
    entries = [
        route53("a.example", requests_per_second=3),
        route53("b.example", private_zone=True, requests_per_second=2),
        route53("c.example", assume_role_arn=role.format("1" * 12)),
        route53("d.example", assume_role_arn=role.format("1" * 12) + "2"),
        route53("e.example", assume_role_arn=role.format("2" * 12)),
        route53("f.example", endpoint_url="http://127.0.0.1:10"),
        cloud_dns("g.example", "one-project"),
        cloud_dns("h.example", "one-project"),
        cloud_dns("i.example", "another-project"),
    ]
    engine = build_engine({"dns_providers": entries, "dns_wait": "none"})
    buckets = [cast("Any", route.provider)._bucket for route in engine._router.routes]
    first = [buckets.index(bucket) for bucket in buckets]
    assert first == [0, 0, 2, 2, 4, 5, 6, 6, 8]
    assert buckets[0]._rate == 2


@pytest.mark.parametrize("rates", [(3, 2), (2, 3)])
def test_the_lowest_rate_counts_for_all_that_share_one(rates: tuple[float, float]) -> None:
    buckets = Buckets()
    one, other = (buckets.of("limit", rate) for rate in rates)
    assert one is other
    assert buckets.of("other", 9) is not one
    with pytest.raises(CertfleetError, match="requests_per_second"):
        buckets.of("limit", 0)
    assert one._rate == 2
