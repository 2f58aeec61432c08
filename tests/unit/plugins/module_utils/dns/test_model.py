# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import string

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import (
    RecordSet,
    TxtRecord,
    quote,
    unquote,
    with_values,
    without_values,
)
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from hypothesis import given
from hypothesis import strategies as st

NAME = "_acme-challenge.example.com"
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=600)
VALUES = st.lists(st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=8), max_size=6)
TTLS = st.integers(1, 86400)


@given(PRINTABLE)
def test_a_value_survives_its_presentation_form(value: str) -> None:
    quoted = quote(value)
    assert unquote(quoted) == value
    assert all(len(unquote(part)) <= 255 for part in quoted.split('" "'))


def test_a_challenge_value_is_45_characters_long_with_its_quotes() -> None:
    assert len(quote("x" * 43)) == 45


def test_long_values_are_cut_into_strings_of_255() -> None:
    assert quote("a" * 256) == '"' + "a" * 255 + '" "a"'


@pytest.mark.parametrize(
    ("text", "value"),
    [("plain", "plain"), ('""', ""), (r'"a\"b\\c"', 'a"b\\c'), ('"a" "b"', "ab"), (r'"\303\244"', r"\303\244")]
    # Not in quotes from end to end: the quotes are part of the value.
    + [(text, text) for text in ('v="x"; y', '"x" y', 'y "x"', '"x', 'x"', '"a" b "c"', '"', r'"x\"')],
)
def test_values_of_other_programs_are_read(text: str, value: str) -> None:
    assert unquote(text) == value


def test_names_are_brought_to_one_spelling() -> None:
    assert TxtRecord("_ACME-Challenge.Example.COM.", "x") == TxtRecord(NAME, "x")


@pytest.mark.parametrize(
    ("name", "value"), [("no spaces.example", "x"), ("", "x"), (NAME, "ä"), (NAME, "a\nb"), (NAME, "a\n")]
)
def test_bad_names_and_values_are_refused(name: str, value: str) -> None:
    with pytest.raises(CertfleetError):
        TxtRecord(name, value)


@given(VALUES, VALUES, TTLS, TTLS)
def test_adding_keeps_what_is_there(foreign: list[str], ours: list[str], old_ttl: int, ttl: int) -> None:
    before = RecordSet(NAME, old_ttl, tuple(map(quote, dict.fromkeys(foreign)))) if foreign else None
    after = with_values(NAME, before, ours, ttl)
    assert after.values[: len(before.values) if before else 0] == (before.values if before else ())
    assert after.ttl == (old_ttl if before else ttl)
    assert {unquote(value) for value in after.values} == {*foreign, *ours}
    assert len(set(after.values)) == len(after.values)
    assert with_values(NAME, after, ours, ttl) is after


@given(VALUES, VALUES, TTLS)
def test_removing_takes_ours_only(foreign: list[str], ours: list[str], ttl: int) -> None:
    foreign = [value for value in dict.fromkeys(foreign) if value not in ours]
    before = RecordSet(NAME, ttl, tuple(map(quote, foreign))) if foreign else None
    added = with_values(NAME, before, ours, ttl)
    after = without_values(added, ours)
    assert after == before or (before is None and after is None) or (not ours and after is added)
    assert without_values(after, ours) is after


def test_a_value_that_differs_in_its_quoting_only_is_the_same_value() -> None:
    before = RecordSet(NAME, 300, ('"ab" "c"',))
    assert with_values(NAME, before, ["abc"], 60) is before
    assert without_values(before, ["abc"]) is None
