# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils import _names
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from hypothesis import given
from hypothesis import strategies as st

LABELS = st.from_regex(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,20}[A-Za-z0-9_])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=5).map(".".join).filter(lambda name: not _names.is_ip(name))


@given(NAMES, st.booleans(), st.booleans())
def test_spelling_of_a_name_does_not_matter(name: str, wildcard: bool, dot: bool) -> None:
    written = ("*." if wildcard else "") + name + ("." if dot else "")
    normal = _names.normalise(written)
    assert normal == _names.normalise(normal) == _names.normalise(written.upper())
    assert normal == ("*." if wildcard else "") + name.lower()
    assert _names.base_domain(normal) == name.lower()


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("Bücher.example", "xn--bcher-kva.example"),
        ("*.Bücher.example.", "*.xn--bcher-kva.example"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_normal_form(written: str, normal: str) -> None:
    assert _names.normalise(written) == normal


@pytest.mark.parametrize(
    "bad",
    ["", ".", "*.", "a..b", "-a.example", "a-.example", "a b", "x" * 64 + ".example", "a." * 127 + "a", "a/b", "*.*.a",
     "a.*.example", "https://a.example", "a.example:443", "a\nb"],
)  # fmt: skip
def test_what_is_no_name_is_refused_by_name(bad: str) -> None:
    with pytest.raises(CertfleetError) as caught:
        _names.normalise(bad)
    assert repr(bad) in caught.value.message


def test_identifiers_keep_their_order_and_lose_duplicates() -> None:
    assert _names.validate_identifiers(["B.example", "a.example", "b.example."]) == ["b.example", "a.example"]


def test_no_identifier_is_refused() -> None:
    with pytest.raises(CertfleetError, match="no identifier"):
        _names.validate_identifiers([])


@pytest.mark.parametrize("good", ["web", "0", "a.b-c_d", "a" * 64])
def test_certificate_names(good: str) -> None:
    assert _names.certificate_name(good) == good


@pytest.mark.parametrize("bad", ["", "..", ".web", "Web", "a/b", "a" * 65, "web\n", "-web", "we b"])
def test_names_that_could_leave_the_store_are_refused(bad: str) -> None:
    with pytest.raises(CertfleetError):
        _names.certificate_name(bad)
