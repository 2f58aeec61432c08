# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import string
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import Swap, quote
from ansible_collections.certfleet.acme.plugins.module_utils._dns.route53_sets import changes, joined, left, record_set
from hypothesis import given
from hypothesis import strategies as st

NAME = "_acme-challenge.example.com"
WORDS = st.text(string.ascii_lowercase, min_size=1, max_size=3)
VALUES = st.lists(WORDS, min_size=1, max_size=4, unique=True)


def entry(values: list[str], ttl: int = 300, **policy: Any) -> dict[str, Any]:
    records = [{"Value": quote(value)} for value in values]
    return {"Name": f"{NAME}.", "Type": "TXT", "TTL": ttl, "ResourceRecords": records, **policy}


def multivalue(*values: str) -> list[dict[str, Any]]:
    return [entry([value], SetIdentifier=f"id-{value}", MultiValueAnswer=True, HealthCheckId="h") for value in values]


def weighted(*values: list[str]) -> list[dict[str, Any]]:
    return [entry(held, SetIdentifier=f"w{number}", Weight=number) for number, held in enumerate(values)]


def apply(held: list[dict[str, Any]], swap: Swap) -> list[dict[str, Any]]:
    """What Route53 does: DELETE must match exactly, CREATE must not meet a set of the same identifier."""
    after = list(held)
    for action, one in changes(swap):
        if action == "DELETE":
            after.remove(one)
        else:
            assert one.get("SetIdentifier") not in [other.get("SetIdentifier") for other in after]
            after.append(one)
    return after


def test_a_value_joins_multivalue_sets_as_one_more_and_touches_none_of_the_others() -> None:
    held = multivalue("a", "b")
    old = record_set(NAME, held)
    new = joined(NAME, old, ["ours"], 60)
    assert changes(Swap(NAME, old, new)) == [
        ("CREATE", entry(["ours"], SetIdentifier="ours", MultiValueAnswer=True)),
    ]
    assert changes(Swap(NAME, new, left(new, ["ours"]))) == [
        ("DELETE", entry(["ours"], SetIdentifier="ours", MultiValueAnswer=True)),
    ]


def test_a_value_is_put_into_each_weighted_set_since_any_may_be_the_answer() -> None:
    held = weighted(["a"], ["b", "c"])
    old = record_set(NAME, held)
    after = apply(held, Swap(NAME, old, joined(NAME, old, ["ours"], 60)))
    assert [one["ResourceRecords"][-1]["Value"] for one in after] == ['"ours"', '"ours"']
    assert [one["Weight"] for one in after] == [0, 1]


def test_an_alias_cannot_be_joined() -> None:
    alias = {"Name": f"{NAME}.", "Type": "TXT", "AliasTarget": {"DNSName": "x."}, "SetIdentifier": "a", "Weight": 1}
    assert record_set(NAME, [alias]).policy


def test_an_identifier_that_somebody_else_has_is_not_taken() -> None:
    held = [entry(["foreign"], SetIdentifier="ours", MultiValueAnswer=True)]
    old = record_set(NAME, held)
    assert len(apply(held, Swap(NAME, old, joined(NAME, old, ["ours"], 60)))) == 2


@pytest.mark.parametrize("kind", ["plain", "multivalue", "weighted"])
@given(foreign=VALUES, more=VALUES, ours=VALUES)
def test_joining_and_leaving_change_nothing_of_anybody_else(
    kind: str, foreign: list[str], more: list[str], ours: list[str]
) -> None:
    """Whatever was there before; a value of ours that was there already counts as ours."""
    held = {
        "plain": [entry(foreign)],
        "multivalue": multivalue(*foreign),
        "weighted": weighted(foreign, more),
    }[kind]
    old = record_set(NAME, held)
    new = joined(NAME, old, ours, 60)
    present = apply(held, Swap(NAME, old, new))
    assert set(record_set(NAME, present).parts) == set(new.parts)
    assert set(record_set(NAME, present).values) == set(new.values)
    visible = [{record["Value"] for record in one["ResourceRecords"]} for one in present]
    answers = visible if kind == "weighted" else [set().union(*visible)]
    assert all({quote(value) for value in ours} <= answer for answer in answers)
    assert joined(NAME, new, ours, 60) is new
    assert changes(Swap(NAME, new, new)) == []

    gone = left(new, ours)
    after = apply(present, Swap(NAME, new, gone))
    expected = []
    for one in held:
        kept = [record for record in one["ResourceRecords"] if record["Value"] not in map(quote, ours)]
        if kept:
            expected.append({**one, "ResourceRecords": kept})
    assert sorted(map(str, after)) == sorted(map(str, expected))
    assert left(gone, ours) is gone
