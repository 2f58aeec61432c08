# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._caa.policy import Applicant, Property, judge
from hypothesis import given
from hypothesis import strategies as st

ACCOUNT = "https://ca1.example/account/1234"
APPLICANT = Applicant(["ca1.example", "CA2.example."], ACCOUNT, "dns-01")


def properties(*lines: str) -> list[Property]:
    found = []
    for line in lines:
        flags, tag, value = line.split(" ", 2)
        found.append(Property(int(flags), tag, value))
    return found


# Those that begin with "RFC" are the examples of RFC 8659 section 4 and RFC 8657 appendix A, from the CA's side.
@pytest.mark.parametrize(
    ("lines", "plain", "wildcard"),
    [
        ([], True, True),
        (["0 iodef mailto:security@example.com"], True, True),
        (["0 issue ca1.example"], True, True),
        (["0 issue CA2.EXAMPLE"], True, True),
        (["0 issue other.example"], False, False),
        (["0 issue other.example", "0 issue ca1.example"], True, True),
        (["0 issue ;"], False, False),
        (["0 issue "], False, False),
        (["0 issue %%%%%"], False, False),
        (["0 issue ca1.example; account=230123"], True, True),
        (["0 issue ca1.example; %%%%%"], False, False),
        (["0 issue ca1.example; ;"], True, True),
        # RFC 8659 section 4.3: issuewild speaks for wildcards alone, and then issue does not.
        (["0 issue ca1.example", "0 issuewild other.example"], True, False),
        (["0 issue other.example", "0 issuewild ca1.example"], False, True),
        (["0 issuewild ;"], True, False),
        (["0 issuewild ca1.example"], True, True),
        # RFC 8659 section 4.5: a critical property that nobody knows.
        (["0 issue ca1.example", "128 tbs Unknown"], False, False),
        (["0 issue ca1.example", "0 tbs Unknown"], True, True),
        (["128 issue ca1.example"], True, True),
        (["1 tbs Unknown"], True, True),
        # RFC 8657 appendix A
        ([f"0 issue ca1.example; accounturi={ACCOUNT}"], True, True),
        (["0 issue ca1.example; accounturi=https://ca1.example/account/9"], False, False),
        (["0 issue ca1.example; validationmethods=dns-01"], True, True),
        (["0 issue ca1.example; validationmethods=http-01,dns-01"], True, True),
        (["0 issue ca1.example; validationmethods=http-01"], False, False),
        (["0 issue ca1.example; validationmethods="], False, False),
        ([f"0 issue ca1.example;accounturi={ACCOUNT};validationmethods=http-01"], False, False),
        ([f"0 issue ca1.example;accounturi={ACCOUNT}; accounturi={ACCOUNT}"], False, False),
        (["0 issue ca1.example; AccountURI=other", "0 issue ca2.example"], True, True),
        (["0 issue ca1.example; accounturi=other", f"0 issue ca1.example; accounturi={ACCOUNT}"], True, True),
    ],
)
def test_what_a_set_allows(lines: list[str], plain: bool, wildcard: bool) -> None:
    found = properties(*lines)
    for is_wildcard, expected in ((False, plain), (True, wildcard)):
        verdict = judge(found, APPLICANT, wildcard=is_wildcard)
        assert verdict.allowed is expected, verdict
        assert bool(verdict.reason) is not expected


def test_what_cannot_be_told_is_neither_yes_nor_no() -> None:
    nameless = Applicant([], ACCOUNT, "dns-01")
    assert judge(properties("0 issue ca1.example"), nameless, wildcard=False).allowed is None
    assert judge(properties("0 issue ;"), nameless, wildcard=False).allowed is False
    unknown = Applicant(["ca1.example"], None, "dns-01")
    bound = f"0 issue ca1.example; accounturi={ACCOUNT}"
    assert judge(properties(bound), unknown, wildcard=False).allowed is None
    assert judge(properties(bound, "0 issue ca1.example"), unknown, wildcard=False).allowed is True
    assert judge(properties(bound, "0 issue ca1.example; validationmethods=x"), unknown, wildcard=True).allowed is None
    # A method that is not allowed decides, whatever the account is.
    assert judge(properties(f"{bound}; validationmethods=x"), unknown, wildcard=False).allowed is False


tags = st.sampled_from(["issue", "issuewild", "iodef", "tbs"])
values = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["ca1.example", ";", "other.example; x=y", "ca1.example; validationmethods=http-01"]),
)


@given(st.lists(st.builds(Property, st.integers(0, 255), tags, values), max_size=6), st.booleans())
def test_no_set_is_too_odd_and_only_a_record_that_names_the_ca_lets_it(found: list[Property], wildcard: bool) -> None:
    verdict = judge(found, APPLICANT, wildcard=wildcard)
    assert verdict.allowed in (True, False)
    restricted = any(one.tag == "issue" or (wildcard and one.tag == "issuewild") for one in found)
    if not restricted:
        assert verdict.allowed is not any(one.flags & 128 and one.tag == "tbs" for one in found)
    elif verdict.allowed:
        assert any(one.value.strip(" \t").lower().startswith(("ca1.example", "ca2.example")) for one in found)
