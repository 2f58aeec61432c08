# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import Zone
from ansible_collections.certfleet.acme.plugins.module_utils._dns.rfc2136 import Rfc2136
from ansible_collections.certfleet.acme.plugins.module_utils._dns.zones import Route, Router, longest_match
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from hypothesis import given
from hypothesis import strategies as st

from .memory import Memory

LABEL = st.sampled_from(["a", "b", "xa", "example", "com"])
NAMES = st.lists(LABEL, min_size=1, max_size=5).map(".".join)


@given(NAMES, st.lists(NAMES, max_size=6))
def test_the_longest_suffix_by_labels_wins(name: str, zones: list[str]) -> None:
    fitting = [zone for zone in zones if name == zone or name.endswith("." + zone)]
    assert longest_match(name, dict.fromkeys(zones)) == max(fitting, key=len, default=None)


def place(router: Router, name: str) -> str:
    found = router.locate([name])[name]
    return f"failed: {found}" if isinstance(found, CertfleetError) else found[1].id


def test_sub_zones_and_private_zones() -> None:
    zones = [
        Zone("Z1", "example.com"),
        Zone("Z2", "sub.example.com"),
        Zone("Z3", "example.com", private=True),
        Zone("Z4", "inside.example.com", private=True),
    ]
    public, private = Router([Route(Memory(*zones))]), Router([Route(Memory(*zones), private=True)])
    assert place(public, "_acme-challenge.www.example.com") == "Z1"
    assert place(public, "_acme-challenge.sub.example.com") == "Z2"
    assert place(public, "_acme-challenge.xsub.example.com") == "Z1"
    assert place(public, "_acme-challenge.inside.example.com") == "Z1"
    assert place(private, "_acme-challenge.inside.example.com") == "Z4"
    assert place(private, "_acme-challenge.sub.example.com") == "Z3"


def test_a_name_without_a_zone_says_which_there_are_and_the_way_out() -> None:
    router = Router([Route(Memory(Zone("Z1", "example.com"), Zone("Z9", "corp.internal", private=True)))])
    unknown = place(router, "_acme-challenge.example.org")
    assert "_acme-challenge.example.org" in unknown
    assert "example.com" in unknown
    assert "zone_ids" in unknown
    assert "private_zone=true" in place(router, "_acme-challenge.host.corp.internal")


def test_a_server_has_neither_accounts_nor_ids_to_give() -> None:
    text = place(Router([Route(Rfc2136({"server": "127.0.0.1:5353"}), zone_ids={"example.com": "x"})]), "a.example.org")
    memory = Memory(Zone("Z1", "example.com"))
    memory.has_accounts, memory.title = False, "the name server ns.example.com"
    for said in (text, place(Router([Route(memory)]), "a.example.org")):
        assert "is not authoritative for a zone that holds a.example.org (zones found: example.com)" in said
        assert not any(word in said for word in ("zone_ids", "account", "public", "The name"))


def test_two_zones_of_one_name_are_refused_with_their_ids() -> None:
    zones = (Zone("ZB", "example.com"), Zone("ZA", "example.com"), Zone("ZC", "example.com", private=True))
    text = place(Router([Route(Memory(*zones))]), "_acme-challenge.example.com")
    assert "ZA, ZB" in text
    assert "ZC" not in text
    assert "zone_ids" in text
    assert place(Router([Route(Memory(*zones), private=True)]), "_acme-challenge.example.com") == "ZC"


def test_given_ids_need_no_list_and_are_all_there_is() -> None:
    memory = Memory(Zone("Z1", "example.net"))
    router = Router([Route(memory, zone_ids={"Example.COM.": "Z7"})])
    assert place(router, "_acme-challenge.example.com") == "Z7"
    assert "example.com" in place(router, "_acme-challenge.example.net")
    assert memory.calls == 0


def test_zones_are_asked_for_once() -> None:
    memory = Memory()
    router = Router([Route(memory)])
    for name in ("a.example.com", "b.example.com", "c.example.org", "a.example.com"):
        place(router, name)
    assert memory.calls == 1


def test_names_go_to_the_provider_that_claims_them() -> None:
    whole = Zone("Z1", "example.com")
    first, second, rest = Memory(whole), Memory(Zone("Z2", "example.com")), Memory(Zone("Z3", "example.org"), whole)
    router = Router([Route(first, suffixes=["example.com"]), Route(second, suffixes=["eu.example.com"]), Route(rest)])
    assert place(router, "a.example.com") == "Z1"
    assert place(router, "a.eu.example.com") == "Z2"
    assert place(router, "a.example.org") == "Z3"
    only = Router([Route(first, suffixes=["example.com"])])
    assert "no DNS provider is given" in place(only, "a.example.org")
    assert "more than one DNS provider" in place(Router([Route(first), Route(rest)]), "a.example.com")


def test_one_broken_provider_leaves_the_names_of_the_others_alone() -> None:
    broken, fine = Memory(), Memory(Zone("Z2", "example.org"))
    broken.unreachable = True
    router = Router([Route(broken, suffixes=["example.com"]), Route(fine)])
    places = router.locate(["a.example.com", "a.example.org"])
    assert "cannot be reached" in str(places["a.example.com"])
    assert not isinstance(places["a.example.org"], CertfleetError)


def test_the_same_zone_cannot_be_claimed_twice() -> None:
    from ansible_collections.certfleet.acme.plugins.module_utils._dns.factory import build_engine

    options = {"access_key": "AKIAEXAMPLE", "secret_key": "s" * 40}
    entry = {"provider": "route53", "zones": ["example.com"], "route53": options}
    with pytest.raises(CertfleetError, match=r"example\.com"):
        build_engine({"dns_providers": [entry, entry], "dns_wait": "none"})
