# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._renewal import (
    Broken,
    Held,
    Wanted,
    decide,
    next_run,
    parse_instant,
)
from hypothesis import given
from hypothesis import strategies as st

UTC = datetime.timezone.utc
START = datetime.datetime(2026, 9, 1, tzinfo=UTC)
DAY = datetime.timedelta(days=1)
SECOND = datetime.timedelta(seconds=1)
HELD = Held(
    identifiers=("b.example", "a.example"),
    key_type="ecdsa-p256",
    not_before=START,
    not_after=START + 90 * DAY,
    profile="classic",
    acme_directory="https://ca.example/directory",
)
WANTED = Wanted(
    identifiers=("a.example", "b.example"),
    key_type="ecdsa-p256",
    profile="classic",
    acme_directory="https://ca.example/directory/",
)


def codes(wanted: Wanted, held: Any, now: datetime.datetime = START + DAY, **options: Any) -> list[str]:
    return [reason.code for reason in decide(wanted, held, now, **options).reasons]


def test_as_declared_and_fresh_is_no_reason() -> None:
    decision = decide(WANTED, HELD, START + 9 * DAY)
    assert not decision.should_renew
    assert decision.remaining == pytest.approx(0.9)
    assert decision.due_at == START + 60 * DAY


@pytest.mark.parametrize(
    ("wanted", "held", "expected"),
    [
        ({}, None, ["missing"]),
        ({"force": True}, None, ["forced", "missing"]),
        ({}, Broken("no key"), ["broken"]),
        ({"identifiers": ("a.example",)}, HELD, ["identifiers_changed"]),
        ({"key_type": "rsa-2048"}, HELD, ["key_type_changed"]),
        ({"key_type": None}, HELD, []),
        ({"profile": None}, HELD, ["profile_changed"]),
        ({"profile": "short"}, HELD, ["profile_changed"]),
        ({"profile": "short"}, replace(HELD, profile_known=False), []),
        ({"acme_directory": "https://new.example/"}, HELD, ["ca_changed"]),
        ({"acme_directory": None}, HELD, []),
        ({"acme_directory": "https://new.example/"}, replace(HELD, acme_directory=None), []),
        (
            {"force": True, "identifiers": ("c.example",), "key_type": "rsa-2048", "profile": None},
            replace(HELD, acme_directory="https://old.example/", not_after=START + DAY),
            ["forced", "identifiers_changed", "key_type_changed", "profile_changed", "ca_changed", "expired"],
        ),
    ],
)
def test_reasons_come_weightiest_first(wanted: dict[str, Any], held: Any, expected: list[str]) -> None:
    assert codes(replace(WANTED, **wanted), held) == expected


def test_the_text_says_what_changed() -> None:
    wanted = replace(WANTED, identifiers=("a.example", "c.example"))
    assert decide(wanted, HELD, START).reasons[0].text == "identifiers: c.example added; b.example dropped"


@pytest.mark.parametrize(
    ("lifetime", "share", "due_after"),
    [
        (90 * DAY, None, 60 * DAY),
        (10 * DAY, None, 10 * DAY * 2 / 3),
        (10 * DAY - SECOND, None, (10 * DAY - SECOND) / 2),
        (6 * DAY, None, 3 * DAY),
        (90 * DAY, 0.5, 45 * DAY),
        (6 * DAY, 0.25, 4.5 * DAY),
    ],
)
def test_due_from_the_share_of_the_lifetime_on(
    lifetime: datetime.timedelta, share: float | None, due_after: datetime.timedelta
) -> None:
    held = replace(HELD, not_after=START + lifetime)
    wanted = replace(WANTED, renew_when_remaining=share)
    assert codes(wanted, held, START + due_after - SECOND) == []
    assert codes(wanted, held, START + due_after + SECOND) == ["due"]
    assert codes(wanted, held, START + due_after + SECOND, renew=False) == []
    assert codes(wanted, held, START + lifetime, renew=False) == ["expired"]


def test_the_instant_of_the_ca_moves_the_renewal_both_ways() -> None:
    early, late = replace(HELD, renew_at=START + 5 * DAY), replace(HELD, renew_at=START + 80 * DAY)
    assert codes(WANTED, early, START + 5 * DAY) == ["ari"]
    assert codes(WANTED, early, START + 5 * DAY - SECOND) == []
    assert codes(WANTED, late, START + 79 * DAY) == []
    assert codes(WANTED, late, START + 81 * DAY) == ["ari"]


def test_a_declared_share_stands_beside_the_instant_of_the_ca() -> None:
    late = replace(HELD, renew_at=START + 80 * DAY)
    assert codes(replace(WANTED, renew_when_remaining=0.5), late, START + 50 * DAY) == ["due"]


def test_an_instant_after_the_end_is_no_reason_to_wait_for_it() -> None:
    held = replace(HELD, renew_at=START + 91 * DAY)
    assert codes(WANTED, held, START + 61 * DAY) == ["due"]


def test_what_the_ca_wants_before_the_next_run_is_due_now() -> None:
    held = replace(HELD, renew_at=START + 5 * DAY)
    assert codes(WANTED, held, START + 4 * DAY - SECOND, next_run_in=DAY) == []
    assert codes(WANTED, held, START + 4 * DAY, next_run_in=DAY) == ["ari"]
    assert codes(WANTED, held, START + 4 * DAY, next_run_in=DAY, renew=False) == []
    reason = decide(WANTED, held, START + 4 * DAY, next_run_in=DAY).reasons[0]
    assert reason.text == (
        "the CA asks for renewal from 2026-09-06T00:00:00Z, which is before the next run in 24.0 hours"
    )
    declared = replace(WANTED, renew_when_remaining=0.01)
    assert codes(declared, HELD, START + 88 * DAY, next_run_in=DAY) == []
    assert codes(declared, HELD, START + 89 * DAY, next_run_in=DAY) == ["due"]


def test_the_explanation_of_the_ca_is_told() -> None:
    held = replace(HELD, renew_at=START, explanation_url="https://ca.example/incident")
    reason = decide(WANTED, held, START + DAY).reasons[0]
    assert reason.text == "the CA asks for renewal from 2026-09-01T00:00:00Z (https://ca.example/incident)"


def test_a_very_late_instant_leaves_time_for_a_second_attempt() -> None:
    held = replace(HELD, renew_at=START + 90 * DAY - SECOND)
    assert codes(WANTED, held, START + 85 * DAY) == []
    assert codes(WANTED, held, START + 86 * DAY) == ["due"]


def test_a_next_run_in_the_past_is_refused() -> None:
    assert next_run(3600) == 3600 * SECOND
    with pytest.raises(CertfleetError, match="next_run_in is -1"):
        next_run(-1)


@pytest.mark.parametrize("share", [0, 1, -0.1, 33])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(CertfleetError, match="renew_when_remaining"):
        Wanted(identifiers=("a.example",), renew_when_remaining=share)


SPANS = st.timedeltas(min_value=SECOND, max_value=4000 * DAY)
SHARES = st.none() | st.floats(min_value=0.01, max_value=0.99)
INSTANTS = st.none() | st.timedeltas(min_value=-DAY, max_value=4001 * DAY)


@given(SPANS, SHARES, INSTANTS, st.timedeltas(-DAY, 4000 * DAY), st.timedeltas(datetime.timedelta(0), 4000 * DAY))
def test_time_only_ever_adds_urgency(
    lifetime: datetime.timedelta,
    share: float | None,
    renew_after: datetime.timedelta | None,
    age: datetime.timedelta,
    later: datetime.timedelta,
) -> None:
    renew_at = None if renew_after is None else START + renew_after
    held = replace(HELD, not_after=START + lifetime, renew_at=renew_at)
    wanted = replace(WANTED, renew_when_remaining=share)
    first, second = decide(wanted, held, START + age), decide(wanted, held, START + age + later)
    assert second.should_renew or not first.should_renew
    assert first.remaining is not None
    assert second.remaining is not None
    assert 0 <= second.remaining <= first.remaining <= 1
    assert first.due_at is not None
    assert first.should_renew == (START + age >= first.due_at)
    assert first.due_at <= held.not_after
    assert codes(wanted, held, held.not_after) == ["expired"]


@given(st.lists(st.sampled_from("abcd"), min_size=1), st.lists(st.sampled_from("abcd"), min_size=1))
def test_only_the_set_of_names_counts(wanted: list[str], held: list[str]) -> None:
    found = codes(replace(WANTED, identifiers=tuple(wanted)), replace(HELD, identifiers=tuple(held)))
    assert found == ([] if set(wanted) == set(held) else ["identifiers_changed"])


@pytest.mark.parametrize("text", ["2026-11-22T18:00:00Z", "2026-11-22T18:00:00", "2026-11-22T19:00:00+01:00"])
def test_instants_are_read_as_utc(text: str) -> None:
    assert parse_instant(text) == datetime.datetime(2026, 11, 22, 18, tzinfo=UTC)


def test_what_is_no_instant_is_refused() -> None:
    with pytest.raises(CertfleetError, match="is not an instant"):
        parse_instant("soon")
