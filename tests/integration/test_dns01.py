# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TXT values through real API servers and a real name server: what is the same with each provider."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord, quote

from tests.integration.conftest import Grounds
from tests.integration.google_cloud import GoogleCloud
from tests.integration.providers import ONLY_CLOUD_DNS, ONLY_ROUTE53
from tests.integration.records import ONE, TWO, challenge, many
from tests.integration.route53_cloud import Cloud

STRICT = pytest.param("strict", marks=ONLY_ROUTE53)
#: It accepts a CREATE over an existing set and a DELETE of values that are not there, which AWS and ministack refuse.
MOTO = pytest.param("moto", marks=ONLY_ROUTE53)
CLOUD_DNS = pytest.param("cloud_dns", marks=ONLY_CLOUD_DNS)
ALL = pytest.mark.parametrize("cloud", [STRICT, MOTO, CLOUD_DNS], indirect=True)


@pytest.fixture(params=[STRICT, CLOUD_DNS])
def cloud(request: pytest.FixtureRequest, grounds: Grounds) -> Cloud | GoogleCloud:
    """The provider, which does no harm by itself."""
    return grounds(request.param)


@ALL
def test_from_nothing_to_present_and_back(cloud: Cloud | GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    name = challenge("", zone)
    wanted = {name: [ONE, TWO]}
    expected = {name: (60, sorted([quote(ONE), quote(TWO)]))}

    cloud.count()
    planned = cloud.module(wanted, check=True)
    assert planned.returncode == 0
    assert planned.result["changed"]
    assert cloud.holds(zone_id) == {}
    assert cloud.write not in cloud.count()

    first = cloud.module(wanted)
    assert (first.returncode, first.result["changed"]) == (0, True)
    assert first.record(name) == {
        "record": name,
        "values": [ONE, TWO],
        "target": name,
        "zone": zone,
        "zone_id": zone_id,
        "changed": True,
        "failed": False,
        "msg": "",
    }
    assert first.result["diff"] == planned.result["diff"]
    assert first.result["diff"][0]["before"] == ""
    assert quote(ONE) in first.result["diff"][0]["after"]
    assert cloud.holds(zone_id) == expected

    for check in (False, True):
        again = cloud.module(wanted, check=check)
        assert (again.returncode, again.result["changed"]) == (0, False)
        assert "diff" not in again.result
    assert cloud.holds(zone_id) == expected

    planned = cloud.module(wanted, check=True, state="absent")
    assert planned.result["changed"]
    assert planned.result["diff"][0]["after"] == ""
    assert cloud.holds(zone_id) == expected
    removed = cloud.module(wanted, state="absent")
    assert (removed.returncode, removed.result["changed"]) == (0, True)
    assert cloud.holds(zone_id) == {}


def test_removing_what_is_not_there_changes_nothing(cloud: Cloud | GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    cloud.put(zone_id, challenge("a", zone), [quote(TWO)])
    gone = cloud.module({challenge("a", zone): [ONE], challenge("b", zone): [ONE]}, state="absent")
    assert (gone.returncode, gone.result["changed"]) == (0, False)
    assert cloud.holds(zone_id) == {challenge("a", zone): (300, [quote(TWO)])}


@ALL
def test_apex_and_wildcard_and_one_after_the_other(cloud: Cloud | GoogleCloud) -> None:
    """Both have the same name; the second value joins the first, and each goes by itself."""
    zone, zone_id = cloud.zone()
    name = challenge("", zone)
    engine = cloud.engine()
    assert not engine.present([TxtRecord(name, ONE)]).failed
    assert not engine.present([TxtRecord(name, TWO), TxtRecord(name, ONE)]).failed
    assert cloud.holds(zone_id) == {name: (60, sorted([quote(ONE), quote(TWO)]))}
    assert not engine.absent([TxtRecord(name, ONE)]).failed
    assert cloud.holds(zone_id) == {name: (60, [quote(TWO)])}
    assert not engine.absent([TxtRecord(name, ONE), TxtRecord(name, TWO)]).failed
    assert cloud.holds(zone_id) == {}


def test_values_and_ttl_of_others_are_kept(cloud: Cloud | GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    name, other = challenge("a", zone), f"mail.{zone}"
    foreign = ['"foreign"', '"split" " value"', '"v=spf1 \\"x\\""']
    cloud.put(zone_id, name, foreign, ttl=900)
    cloud.put(zone_id, other, ['"untouched"'])
    before = cloud.holds(zone_id)

    planned = cloud.module({name: [ONE]}, check=True)
    assert planned.result["diff"][0]["before"].count(" 900 IN TXT ") == 3
    assert cloud.holds(zone_id) == before
    assert cloud.module({name: [ONE]}).result["changed"]
    assert cloud.holds(zone_id)[name] == (900, sorted([*foreign, quote(ONE)]))
    assert not cloud.module({name: [ONE]}).result["changed"]
    # Another process takes it away: it neither knows that others have joined nor their TTL.
    assert cloud.module({name: [ONE]}, state="absent").result["changed"]
    assert cloud.holds(zone_id) == before


def test_eight_writers_at_the_same_names_lose_nothing(cloud: Cloud | GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    names = [challenge(f"n{number}", zone) for number in range(3)]
    for name in names:
        cloud.put(zone_id, name, ['"foreign"'])
    before = cloud.holds(zone_id)

    def write(writer: int) -> list[str]:
        engine = cloud.engine(wait="none")
        records = [TxtRecord(name, f"writer-{writer}-{round_}") for name in names for round_ in range(2)]
        problems = [str(error) for error in engine.present(records).failed.values()]
        held = cloud.holds(zone_id)
        problems += [f"{record} lost" for record in records if quote(record.value) not in held[record.name][1]]
        return problems + [str(error) for error in engine.absent(records).failed.values()]

    with ThreadPoolExecutor(8) as pool:
        assert [problem for found in pool.map(write, range(8)) for problem in found] == []
    assert cloud.holds(zone_id) == before


@ALL
def test_bad_names_do_not_block_the_others(cloud: Cloud | GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    good, outside, wrong = challenge("a", zone), "_acme-challenge.nowhere.test", "_acme-challenge.*.bad"
    answer = cloud.module({outside: [ONE], good: [ONE], wrong: [ONE]})
    assert answer.returncode == 1
    assert answer.result["failed_items"] == [outside, wrong]
    assert answer.result["msg"].startswith("2 of 3 records failed: ")
    assert f"no public {cloud.title} zone holds {outside}" in answer.record(outside)["msg"]
    assert answer.record(outside)["zone"] is None
    assert "not a DNS name" in answer.record(wrong)["msg"]
    assert answer.record(good)["changed"]
    assert cloud.holds(zone_id) == {good: (60, [quote(ONE)])}
    reported = cloud.module({outside: [ONE], good: [ONE]}, state="absent", item_failures="report")
    assert (reported.returncode, reported.result["failed_items"]) == (0, [outside])
    assert cloud.holds(zone_id) == {}


def test_sub_zones_private_zones_and_ids(cloud: Cloud | GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    sub, sub_id = cloud.zone(f"sub.{zone}")
    _private, private_id = cloud.zone(f"sub.{zone}", private=True)
    records = {challenge("a", zone): [ONE], challenge("a", sub): [ONE], challenge("a", f"xsub.{zone}"): [ONE]}
    public = cloud.module(records)
    assert [entry["zone_id"] for entry in public.result["records"]] == [zone_id, sub_id, zone_id]
    private = cloud.module({challenge("b", sub): [ONE]}, private_zone=True, resolvers=[])
    assert private.record(challenge("b", sub))["zone_id"] == private_id
    assert set(cloud.holds(private_id)) == {challenge("b", sub)}

    _twin, twin_id = cloud.zone(sub)
    refused = cloud.module({challenge("c", sub): [ONE]})
    assert refused.returncode == 1
    assert sub_id in refused.result["msg"]
    assert twin_id in refused.result["msg"]
    assert private_id not in refused.result["msg"]
    cloud.count()
    chosen = cloud.module({challenge("c", sub): [ONE]}, zone_ids={sub: cloud.zone_path + twin_id}, wait="none")
    assert chosen.returncode == 0
    assert set(cloud.holds(twin_id)) == {challenge("c", sub)}
    assert not any(kind.startswith(cloud.zone_list) for kind in cloud.count())


def test_a_timeout_names_servers_and_names(cloud: Cloud | GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    name = challenge("late", zone)
    cloud.lab.set_dns_lag(60)
    try:
        answer = cloud.module({name: [ONE]}, wait_timeout=2)
    finally:
        cloud.lab.set_dns_lag(0)
    assert answer.returncode == 1
    entry = answer.record(name)
    assert (entry["changed"], entry["failed"]) == (True, True)
    assert cloud.lab.dns in entry["msg"]
    assert name in entry["msg"]
    assert "2 s" in entry["msg"]
    assert cloud.holds(zone_id) == {name: (60, [quote(ONE)])}


def test_it_waits_until_the_name_servers_have_it(cloud: Cloud | GoogleCloud) -> None:
    zone, _zone_id = cloud.zone()
    cloud.lab.set_dns_lag(1.5)
    try:
        outcome = cloud.engine().present(many(30, zone))
    finally:
        cloud.lab.set_dns_lag(0)
    assert not outcome.failed
    assert all(outcome.changed.values())
