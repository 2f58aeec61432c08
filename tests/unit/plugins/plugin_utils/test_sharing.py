# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.plugin_utils import _sharing
from ansible_collections.certfleet.acme.plugins.plugin_utils._sharing import EARLIER, HERE, LOST, Member, Plan
from hypothesis import given
from hypothesis import strategies as st


def held(number: int, *answers: str) -> dict[str, Any]:
    """A certificate; a higher number is newer."""
    return {
        "serial": f"{number:x}",
        "public_key_sha256": f"key{number}",
        "not_before": f"2026-11-{number:02d}T00:00:00Z",
        "not_after": f"2027-02-{number:02d}T00:00:00Z",
        "identifiers": ["a.example"],
        "answers": list(answers),
    }


def member(
    host: str, *codes: str, has: dict[str, Any] | None = None, place: str = HERE, obtained: Any = None, **more: Any
) -> Member:
    """A host; in need for the reasons of these codes, of nothing without any."""
    item = {
        "name": "web",
        "needs": "issue" if codes else "nothing",
        "reasons": [{"code": code, "text": code} for code in codes],
        "identifiers": ["a.example"],
        "key_type": "ecdsa-p256",
        "profile": None,
        "key_location": "shared",
        "public_key_sha256": f"request-{host}" if codes else None,
        "recipient": f"recipient-{host}" if codes else None,
        "held": has,
        **more,
    }
    return _sharing.member(host, item, f"/store/{host}", place, obtained or {})


def who(plan: Plan) -> dict[str, tuple[str, str | None, bool]]:
    """By host: who it gets the certificate from, its serial number (None for a new one), and whether it has asked."""
    return {
        share.host: (share.source.host, share.held["serial"] if share.held else None, not share.behind)
        for share in plan.shares
    }


def ordering(plan: Plan, *hosts: str) -> list[str]:
    """Which of these hosts send an order."""
    return [item["host"] for item in plan.ordered({"host": host, "name": "web"} for host in hosts)]


def test_the_first_in_need_orders_for_all() -> None:
    plan = _sharing.plan([member("a", "missing"), member("b", "missing"), member("c", "missing")])
    assert ordering(plan, "a", "b", "c") == ["a"]
    assert who(plan) == {"b": ("a", None, True), "c": ("a", None, True)}


def test_a_host_that_comes_later_gets_what_the_others_have() -> None:
    plan = _sharing.plan([member("a", has=held(1)), member("b", "missing"), member("c", has=held(1))])
    assert ordering(plan, "b") == []
    assert who(plan) == {"b": ("a", "1", True)}


def test_a_broken_store_is_no_reason_to_order() -> None:
    plan = _sharing.plan([member("a", "broken"), member("b", has=held(1))])
    assert who(plan) == {"a": ("b", "1", True)}


@pytest.mark.parametrize(
    "code", ["due", "ari", "expired", "ca_changed", "profile_changed", "identifiers_changed", "new"]
)
def test_what_one_host_holds_against_a_certificate_counts_for_all(code: str) -> None:
    # Each host picks its own instant from what the CA suggests, so that one of them is the first to be due.
    plan = _sharing.plan([member("a", has=held(1)), member("b", code, has=held(1)), member("c", has=held(1))])
    assert ordering(plan, "b") == ["b"]
    assert who(plan) == {"a": ("b", None, False), "c": ("b", None, False)}


def test_one_that_is_newer_than_what_is_due_is_taken() -> None:
    plan = _sharing.plan([member("a", "due", has=held(1)), member("b", has=held(2))])
    assert who(plan) == {"a": ("b", "2", True)}


def test_the_newest_is_for_all() -> None:
    plan = _sharing.plan([member("a", has=held(1)), member("b", has=held(3)), member("c", has=held(2))])
    assert who(plan) == {"a": ("b", "3", False), "c": ("b", "3", False)}


def test_the_same_everywhere_is_nothing_to_do() -> None:
    assert not _sharing.plan([member("a", has=held(1)), member("b", has=held(1)), member("c", has=held(1))])


def test_force_is_for_a_new_one() -> None:
    members = [member("a", "forced", has=held(1)), member("b", "forced", has=held(1)), member("c", has=held(1))]
    plan = _sharing.plan(members)
    assert ordering(plan, "a", "b") == ["a"]
    assert who(plan) == {"b": ("a", None, True), "c": ("a", None, False)}
    assert plan.answers == {("a", "web"): ["request-b"]}


def test_what_was_forced_and_has_come_to_one_host_is_not_ordered_again() -> None:
    # The run ended after the first host had got it.
    plan = _sharing.plan([member("a", has=held(2, "request-b")), member("b", "forced", has=held(1))])
    assert who(plan) == {"b": ("a", "2", True)}


def test_a_host_that_has_gone_back_from_it_is_left_alone() -> None:
    members = [member("a", has=held(1), withdrawn=["2"]), member("b", has=held(2)), member("c", has=held(1))]
    plan = _sharing.plan(members)
    assert who(plan) == {"c": ("b", "2", False)}
    assert list(plan.notes) == [("a", "web")]
    alone = _sharing.plan(members[:2])
    assert alone
    result = _sharing.complete({"skipped": True, "warnings": ["other"]}, alone, check_mode=False)
    assert (result["certificates"], result["shares"], result["behind"]) == ([], [], {})
    (left,) = result["left_alone"]
    assert (left["name"], left["host"]) == ("web", "a")
    assert left["msg"].startswith("a has gone back from the certificate web of b, serial 2, and goes on with an older")
    assert result["warnings"] == ["other", left["msg"]]


def test_a_host_in_need_that_has_gone_back_from_it_orders_another_for_all() -> None:
    members = [member("a", "due", has=held(1), withdrawn=["2"]), member("b", has=held(2))]
    plan = _sharing.plan(members)
    assert ordering(plan, "a", "b") == ["a"]
    assert who(plan) == {"b": ("a", None, False)}
    assert not plan.notes


def test_earlier_waves_have_what_they_were_given() -> None:
    came = {"host": "a", "name": "web", "failed": False, **held(2)}
    plan = _sharing.plan(
        [member("b", "missing"), member("a", "due", has=held(1), place=EARLIER, obtained=came), member("c", "missing")]
    )
    assert who(plan) == {"b": ("a", "2", True), "c": ("a", "2", True)}
    failed = {**came, "failed": True}
    plan = _sharing.plan([member("b", "missing"), member("a", "due", has=held(1), place=EARLIER, obtained=failed)])
    assert ordering(plan, "b") == ["b"]


def test_who_has_it_and_is_lost_is_named() -> None:
    plan = _sharing.plan([member("b", "missing"), member("a", has=held(1), place=LOST)])
    assert ordering(plan, "b") == []
    assert "a has this certificate, and it has left the play" in plan.refused["b", "web"]
    assert not _sharing.plan([member("b", has=held(1)), member("a", has=held(1), place=LOST)])
    due = _sharing.plan([member("b", "due", has=held(1)), member("a", has=held(1), place=LOST)])
    assert ordering(due, "b") == ["b"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (
            {"identifiers": ["a.example", "b.example"]},
            "other identifiers on b than on a: a.example, b.example, not a.example",
        ),
        ({"key_type": "rsa-2048"}, "other key type on b than on a: rsa-2048, not ecdsa-p256"),
        ({"profile": "short"}, "other profile on b than on a: short, not none"),
    ],
)
def test_hosts_that_declare_it_otherwise_are_named(other: dict[str, Any], words: str) -> None:
    plan = _sharing.plan([member("a", "missing"), member("b", "missing", **other), member("c", has=held(1))])
    assert ordering(plan, "a", "b") == []
    assert set(plan.refused) == {("a", "web"), ("b", "web"), ("c", "web")}
    assert words in plan.refused["a", "web"]


def complete(plan: Plan, ordered: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    result = {"certificates": ordered} if ordered else {"skipped": True, "skip_reason": "nobody", "certificates": []}
    return _sharing.complete({**result, "changed": bool(ordered)}, plan, check_mode=bool(more.get("check")))


def test_each_host_has_an_item_and_the_holder_is_told_what_to_seal() -> None:
    plan = _sharing.plan([member("a", has=held(2)), member("b", "missing"), member("c", has=held(1))])
    done = complete(plan)
    assert "skipped" not in done
    assert [(item["host"], item["shared_from"], item["serial"]) for item in done["certificates"]] == [
        ("b", "a", "2"),
        ("c", "a", "2"),
    ]
    wanted = {"name": "web", "public_key_sha256": "key2", "serial": "2"}
    assert done["shares"] == [
        {
            "host": "a",
            "store_path": "/store/a",
            "wanted": [
                {**wanted, "host": "b", "recipient": "recipient-b"},
                {**wanted, "host": "c", "recipient": None},
            ],
        }
    ]
    assert done["behind"] == {"c": [{"name": "web", "host": "a", "serial": "2"}]}
    checked = complete(plan, check=True)
    assert (checked["shares"], checked["behind"]) == ([], done["behind"])


def test_all_fail_with_the_reason_of_who_ordered() -> None:
    plan = _sharing.plan([member("a", "due", has=held(1)), member("b", "due", has=held(1)), member("c", has=held(1))])
    failed = {"name": "web", "host": "a", "changed": False, "failed": True, "msg": "the CA refuses it"}
    done = complete(plan, [failed])
    # What c has goes on being good: it loses nothing.
    assert [(item["host"], item["msg"]) for item in done["certificates"]] == [
        ("a", "the CA refuses it"),
        ("b", "a ordered it for all its hosts, and that failed: the CA refuses it"),
    ]
    assert (done["shares"], done["behind"]) == ([], {})
    assert done["failed_items"] == ["web", "web"]


def test_who_ordered_notes_what_it_answers() -> None:
    plan = _sharing.plan([member("a", "forced"), member("b", "forced")])
    done = complete(plan, [{"name": "web", "host": "a", "failed": False, "fullchain": "PEM", **held(2)}])
    leader, follower = done["certificates"]
    assert leader["answers"] == ["request-b"] == follower["answers"]
    assert (follower["fullchain"], follower["changed"]) == ("PEM", False)


def test_the_sealed_keys_come_into_the_items_that_wait_for_them() -> None:
    own = {"name": "own", "host": "b", "fullchain": "PEM"}
    waits = {"name": "web", "host": "b", "shared_from": "a", "failed": False, "serial": "2"}
    share = {"name": "web", "host": "b", "sealed_key": "SEALED", "fullchain": None, "failed": False, "msg": ""}
    done = _sharing.with_keys({"certificates": [own, {**waits, "fullchain": "CHAIN"}], "changed": True}, [share])
    assert done["certificates"] == [own, {**waits, "fullchain": "CHAIN", "sealed_key": "SEALED", **QUIET}]
    assert done["changed"]
    (failed,) = _sharing.failed([{"name": "web", "host": "b"}], "it cannot be reached")
    (item,) = _sharing.with_keys({"certificates": [waits]}, [failed])["certificates"]
    assert item["failed"]
    assert item["msg"] == "its key is on a and did not come from there: it cannot be reached"


QUIET = {"changed": False, "failed": False, "msg": ""}

_CODES = st.sampled_from(["missing", "broken", "due", "ari", "forced", "ca_changed"])


@st.composite
def plays(draw: st.DrawFn) -> list[Member]:
    found = []
    for number in range(draw(st.integers(1, 6))):
        codes = draw(st.lists(_CODES, max_size=2, unique=True))
        has = draw(st.none() | st.integers(1, 3).map(held)) if codes else held(draw(st.integers(1, 3)))
        place = draw(st.sampled_from([HERE, HERE, HERE, EARLIER, LOST]))
        found.append(member(f"h{number}", *codes, has=has, place=place))
    return found


def end(members: list[Member], plan: Plan) -> Mapping[str, Any]:
    """What each host of the wave has when all went well; a new one is 99."""
    has: dict[str, Any] = {one.host: (one.held or {}).get("serial") for one in members if one.place == HERE}
    for one in members:
        if one.needy and (one.host, "web") not in plan.refused:
            has[one.host] = "new"
    for share in plan.shares:
        has[share.host] = share.held["serial"] if share.held else "new"
    return has


@given(plays())
def test_at_most_one_order_and_all_end_with_the_same(members: list[Member]) -> None:
    plan = _sharing.plan(members)
    needy = [one.host for one in members if one.needy]
    assert len(ordering(plan, *needy)) <= 1
    has = end(members, plan)
    if not plan.refused:
        assert len(set(has.values())) <= 1
    gets = [share.host for share in plan.shares]
    assert len(gets) == len(set(gets))
    for share in plan.shares:
        assert share.source.host not in gets, "who gives does not take"
        assert share.source.place != LOST
        assert (share.held is None) == (share.source.host in ordering(plan, *needy))
    # Those in need get it, or learn why not.
    assert set(needy) <= {*gets, *ordering(plan, *needy), *(host for host, _name in plan.refused)}


@given(plays())
def test_what_came_of_it_needs_nothing_more(members: list[Member]) -> None:
    plan = _sharing.plan(members)
    if plan.refused:
        return
    has = {
        one.host: held(9) if serial == "new" else held(int(str(serial), 16))
        for one in members
        for serial in [end(members, plan).get(one.host)]
        if serial is not None
    }
    assert not _sharing.plan([member(host, has=certificate) for host, certificate in has.items()])
