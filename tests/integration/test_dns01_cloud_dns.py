# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TXT values in Cloud DNS, through the lab's server, which obeys Google's discovery document, and a name server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord, quote

from tests.integration.conftest import DEFAULT, Labs
from tests.integration.fleet import playbook
from tests.integration.google_cloud import GoogleCloud, run_module

pytestmark = pytest.mark.provider("cloud_dns", reason="what is the same with Route53 is in test_dns01_route53.py")
ONE = "LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo"
TWO = "DK3eZ9Lr0hfFU0bTHZR4kbZ2vRGJXpXGOXVgeHqMz5A"


@pytest.fixture
def cloud(labs: Labs, tmp_path: Path) -> Iterator[GoogleCloud]:
    """A project; afterwards nothing that was sent or answered may be against Google's own description of the API."""
    lab = labs.get(*DEFAULT, purpose="cloud zones", hosts=0, cloud_zones=["example.org"])
    found = GoogleCloud(lab, tmp_path)
    lab.reset_log()
    yield found
    lab.set_cloud_faults()
    lab.set_cloud_behaviour()
    assert lab.cloud_violations() == []


def challenge(label: str, zone: str) -> str:
    return f"_acme-challenge.{label}.{zone}" if label else f"_acme-challenge.{zone}"


def many(count: int, zone: str) -> list[TxtRecord]:
    return [TxtRecord(challenge(f"w{number}", zone), f"{number:043d}") for number in range(count)]


def calls(counts: dict[str, int]) -> int:
    """API calls; a token is asked for elsewhere."""
    return sum(count for kind, count in counts.items() if kind not in ("token", "generateAccessToken"))


def test_from_nothing_to_present_and_back(cloud: GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    name = challenge("", zone)
    wanted = {name: [ONE, TWO]}
    expected = {name: (60, sorted([quote(ONE), quote(TWO)]))}

    planned = cloud.module(wanted, check=True)
    assert planned.returncode == 0, planned.output
    assert planned.result["changed"]
    assert cloud.holds(zone_id) == {}
    assert "changes.create" not in cloud.count()

    first = cloud.module(wanted)
    assert (first.returncode, first.result["changed"]) == (0, True)
    assert first.record(name) == {
        "record": name,
        "values": [ONE, TWO],
        "zone": zone,
        "target": name,
        "zone_id": zone_id,
        "changed": True,
        "failed": False,
        "msg": "",
    }
    assert first.result["diff"] == planned.result["diff"]
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
    gone = cloud.module(wanted, state="absent")
    assert (gone.returncode, gone.result["changed"]) == (0, False)


def test_apex_and_wildcard_and_one_after_the_other(cloud: GoogleCloud) -> None:
    """Both have the same name; the second value joins the first, and each goes by itself."""
    zone, zone_id = cloud.zone()
    name = challenge("", zone)
    engine = cloud.engine()
    assert not engine.present([TxtRecord(name, ONE)]).failed
    assert not engine.present([TxtRecord(name, TWO), TxtRecord(name, ONE)]).failed
    assert cloud.holds(zone_id) == {name: (60, sorted([quote(ONE), quote(TWO)]))}
    assert not engine.absent([TxtRecord(name, ONE)]).failed
    assert cloud.holds(zone_id) == {name: (60, [quote(TWO)])}
    assert not engine.absent([TxtRecord(name, TWO)]).failed
    assert cloud.holds(zone_id) == {}


def test_values_and_ttl_of_others_are_kept(cloud: GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    name, other = challenge("a", zone), challenge("b", zone)
    foreign = ['"kept \\"as it is\\""', '"two" "parts"']
    cloud.put(zone_id, name, foreign, ttl=900)
    cloud.put(zone_id, other, ['"untouched"'])
    before = cloud.holds(zone_id)

    assert cloud.module({name: [ONE]}, check=True).result["diff"][0]["before"].count(" 900 IN TXT ") == 2
    assert cloud.holds(zone_id) == before
    assert cloud.module({name: [ONE]}).result["changed"]
    assert cloud.holds(zone_id)[name] == (900, sorted([*foreign, quote(ONE)]))
    assert not cloud.module({name: [ONE]}).result["changed"]
    assert cloud.module({name: [ONE]}, state="absent").result["changed"]
    assert cloud.holds(zone_id) == before


def test_eight_writers_at_the_same_names_lose_nothing(cloud: GoogleCloud) -> None:
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


def test_bad_names_do_not_block_the_others(cloud: GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    good, outside, wrong = challenge("a", zone), "_acme-challenge.nowhere.test", "_acme-challenge.*.bad"
    alias, elsewhere = challenge("alias", zone), "_acme-challenge.other.test"
    cloud.put(zone_id, alias, ["elsewhere.test."], kind="CNAME")
    answer = cloud.module({outside: [ONE], good: [ONE], wrong: [ONE], alias: [ONE]})
    assert answer.returncode == 1
    assert answer.result["failed_items"] == [outside, wrong, alias]
    assert f"no public Cloud DNS zone holds {outside}" in answer.record(outside)["msg"]
    assert "CNAME" in answer.record(alias)["msg"]
    assert answer.record(good)["changed"]
    assert cloud.holds(zone_id) == {good: (60, [quote(ONE)])}

    # A name outside of the zone: Cloud DNS itself has to say no.
    ids = {zone: zone_id, "other.test": zone_id}
    names = [challenge(f"w{number}", zone) for number in range(6)]
    records = {name: [ONE] for name in [*names[:3], elsewhere, *names[3:]]}
    answer = cloud.module(records, zone_ids=ids, wait="none")
    assert answer.result["failed_items"] == [elsewhere]
    assert set(cloud.holds(zone_id)) == {good, *names}
    reported = cloud.module({outside: [ONE], good: [ONE]}, state="absent", item_failures="report")
    assert (reported.returncode, reported.result["failed_items"]) == (0, [outside])


def test_a_thousand_names_cost_at_most_ten_calls(cloud: GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    records = many(1000, zone)
    cloud.lab.set_cloud_behaviour(delay=1.0)
    cloud.count()
    engine = cloud.engine(rate=4, timeout=60)
    assert not engine.present(records).failed
    assert len(cloud.holds(zone_id)) == 1000
    assert not engine.absent(records).failed
    counts = cloud.count()
    assert counts["changes.create"] == 2
    assert calls(counts) <= 10, counts
    assert sum(engine.calls.values()) == calls(counts)
    assert cloud.holds(zone_id) == {}


def test_the_same_in_two_processes_among_many_records_and_zones(labs: Labs, tmp_path: Path) -> None:
    lab = labs.fresh(hosts=0, cloud_zones=["example.org"])
    try:
        cloud = GoogleCloud(lab, tmp_path)
        for number in range(300):
            cloud.zone(f"a{number:03d}.example", zone_id=f"a{number:03d}")
        zone, zone_id = cloud.zone("zzz.example", zone_id="zzz")
        cloud.fill(zone_id, zone, 20_000)
        cloud.put(zone_id, challenge("w5", zone), ['"foreign"'])
        records = {record.name: [record.value] for record in many(1000, zone)}
        cloud.count()
        first = cloud.module(records, wait="provider")
        second = cloud.module(records, state="absent")
        counts = cloud.count()
        assert (first.returncode, second.returncode) == (0, 0), first.output[:2000]
        # Both look for the zone and read the one name that somebody else has, in both the whole batch is sent again.
        assert calls(counts) <= 10 + 2 * 3, counts
        assert first.result["api_calls"] + second.result["api_calls"] == calls(counts)
        assert cloud.holds(zone_id) == {challenge("w5", zone): (300, ['"foreign"'])}

        cloud.count()
        one = cloud.engine(wait="provider")
        assert not one.present([TxtRecord(challenge("new", zone), ONE)]).failed
        assert not one.absent([TxtRecord(challenge("new", zone), ONE)]).failed
        assert calls(cloud.count()) <= 7
        cloud.count()
        engine = cloud.engine(wait="provider")
        assert not engine.present(many(1000, zone)[6:]).failed
        assert not engine.absent(many(1000, zone)[6:]).failed
        assert calls(cloud.count()) <= 10
        assert lab.cloud_violations() == []
    finally:
        lab.down()


def test_names_that_are_there_already_cost_few_calls(cloud: GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    cloud.fill(zone_id, zone, 3000)
    records = many(1000, zone)
    assert not cloud.engine(wait="none").present(records).failed
    cloud.count()
    outcome = cloud.engine(wait="provider").present(records)
    assert not outcome.failed
    assert not any(outcome.changed.values())
    assert calls(cloud.count()) <= 25


def test_more_names_than_a_change_takes(cloud: GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    records = many(1500, zone)
    engine = cloud.engine(wait="provider")
    assert not engine.present(records).failed
    assert not engine.absent(records).failed
    counts = cloud.count()
    assert counts["changes.create"] == 4
    assert cloud.holds(zone_id) == {}


@pytest.mark.usefixtures("hurry")
def test_a_cloud_that_stays_busy_is_given_up(cloud: GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    cloud.lab.set_cloud_faults({"every": 1, "status": 429, "reason": "rateLimitExceeded"})
    record = TxtRecord(challenge("a", zone), ONE)
    refusal = str(cloud.engine(zone_ids={zone: zone_id}).present([record]).failed[record])
    assert refusal.startswith("Cloud DNS is busy (429 rateLimitExceeded)")
    assert "\n" not in refusal
    assert calls(cloud.count()) == 7
    assert cloud.holds(zone_id) == {}


def test_it_waits_until_the_change_is_done_and_served(cloud: GoogleCloud) -> None:
    zone, _zone_id = cloud.zone()
    cloud.lab.set_cloud_behaviour(delay=1.5)
    cloud.lab.set_dns_lag(1.0)
    try:
        outcome = cloud.engine().present(many(30, zone))
        assert not outcome.failed
        late = cloud.module({challenge("late", zone): [ONE]}, wait_timeout=1)
    finally:
        cloud.lab.set_dns_lag(0)
    assert late.returncode == 1
    assert late.record(challenge("late", zone))["changed"]
    assert "Cloud DNS had not applied change" in late.result["msg"]


def test_sub_zones_private_zones_and_ids(cloud: GoogleCloud) -> None:
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
    chosen = cloud.module({challenge("c", sub): [ONE]}, zone_ids={sub: f"managedZones/{twin_id}"}, wait="none")
    assert chosen.returncode == 0, chosen.output
    assert set(cloud.holds(twin_id)) == {challenge("c", sub)}
    assert "managedZones.list" not in cloud.count()


def test_rights_to_one_zone_are_enough_with_its_name(cloud: GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    _other, other_id = cloud.zone(f"other.{zone}")
    denied = ["dns.managedZones.list", "dns.changes.get"]
    account = cloud.lab.cloud_account(f"one-{zone_id}", zones=[zone], denied=denied)
    key: dict[str, Any] = {"service_account_file": None, "service_account_contents": account.key}
    name, outside = challenge("a", zone), challenge("a", f"other.{zone}")

    unlisted = cloud.module({name: [ONE]}, **key)
    assert unlisted.returncode == 1
    assert "dns.managedZones.list" in unlisted.result["msg"]
    assert "zone_ids" in unlisted.result["msg"]

    ids = {zone: zone_id, f"other.{zone}": other_id}
    cloud.count()
    records = {name: [ONE], **{challenge(f"w{number}", f"other.{zone}"): [ONE] for number in range(30)}}
    answer = cloud.module({**records, outside: [ONE]}, zone_ids=ids, **key)
    assert len(answer.result["failed_items"]) == 31
    assert "dns.changes.create" in answer.record(outside)["msg"]
    assert cloud.count()["changes.create"] == 2
    # Without the right to ask for the change's status, the name servers are the proof.
    assert not answer.record(name)["failed"]
    assert cloud.holds(zone_id) == {name: (60, [quote(ONE)])}
    assert cloud.holds(other_id) == {}
    waiting = cloud.module({name: [TWO]}, zone_ids=ids, wait="provider", **key)
    assert "dns.changes.get" in waiting.record(name)["msg"]


def test_each_kind_of_credentials(cloud: GoogleCloud, tmp_path: Path) -> None:
    """By options and by environment; a key of Google's own domain goes to the token endpoint, once a run."""
    zone, zone_id = cloud.zone()
    real = cloud.lab.cloud_account(f"real-{zone_id}", universe="googleapis.com")
    path = tmp_path / "key.json"
    path.write_text(json.dumps(real.key), encoding="utf-8")
    nothing: dict[str, Any] = {"service_account_file": None, "project": None}
    kinds: list[tuple[dict[str, Any], dict[str, str]]] = [
        ({"service_account_file": str(path)}, {}),
        ({"auth_kind": "serviceaccount", "service_account_contents": real.key}, {}),
        ({"service_account_contents": json.dumps(real.key)}, {}),
        ({"auth_kind": "accesstoken", "access_token": real.token, "project": cloud.options["project"]}, {}),
        ({}, {"GCP_AUTH_KIND": "serviceaccount", "GCP_SERVICE_ACCOUNT_FILE": str(path)}),
        ({}, {"GCP_SERVICE_ACCOUNT_CONTENTS": json.dumps(real.key)}),
        ({}, {"GCP_ACCESS_TOKEN": real.token, "GCP_PROJECT": cloud.options["project"]}),
        ({}, {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}),
        ({"auth_kind": "application"}, {"GOOGLE_APPLICATION_CREDENTIALS": str(path), "GCP_ACCESS_TOKEN": "wrong"}),
    ]
    for number, (options, environment) in enumerate(kinds):
        name = challenge(f"k{number}", zone)
        cloud.count()
        answer = cloud.module({name: [ONE]}, environment=environment, **{**nothing, **options})
        assert answer.returncode == 0, (number, answer.output)
        assert answer.record(name)["zone"] == zone
        assert name in cloud.holds(zone_id)
        token = "access_token" in options or ("GCP_ACCESS_TOKEN" in environment and "auth_kind" not in options)
        assert cloud.count()["token"] == (0 if token else 1)
        assert real.key["private_key"].splitlines()[3] not in answer.output
        assert real.token not in answer.output


def test_another_account_is_acted_as(cloud: GoogleCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth import iam

    zone, zone_id = cloud.zone()
    target = cloud.lab.cloud_account(f"target-{zone_id}")
    caller = cloud.lab.cloud_account(f"caller-{zone_id}", zones=[], impersonates=[target.email])
    monkeypatch.setattr(
        iam, "_IAM_ENDPOINT", cloud.options["api_endpoint"] + "/v1/projects/-/serviceAccounts/{}:generateAccessToken"
    )
    key: dict[str, Any] = {"service_account_file": None, "service_account_contents": caller.key}
    record = TxtRecord(challenge("a", zone), ONE)
    alone = cloud.engine(**key).present([record])
    assert "Google does not allow dns.changes.create" in str(alone.failed[record])
    cloud.count()
    assert not cloud.engine(impersonate_service_account=target.email, **key).present([record]).failed
    assert cloud.count()["generateAccessToken"] == 1
    assert set(cloud.holds(zone_id)) == {record.name}
    other = cloud.engine(impersonate_service_account=caller.email, **key).present([record])
    assert "Google refuses the credentials" in str(other.failed[record])
    assert "iam.serviceAccounts.getAccessToken" in str(other.failed[record])
    assert "\n" not in str(other.failed[record])


def test_refused_credentials_are_one_line(cloud: GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    records = {challenge(f"w{number}", zone): [ONE] for number in range(3)}
    key = cloud.lab.cloud_account(f"wrong-{zone_id}", universe="googleapis.com").key
    forged = {**key, "private_key": cloud.lab.cloud_account(f"forger-{zone_id}").key["private_key"]}
    refused: list[tuple[dict[str, Any], str]] = [
        ({"service_account_contents": forged}, "Invalid JWT Signature"),
        ({"service_account_contents": {**forged, "universe_domain": "certfleet.test"}}, "invalid authentication"),
        ({"service_account_contents": {**key, "client_email": "nobody@example.com"}}, "account not found"),
        ({"access_token": "ya29.nothing"}, "credentials"),
    ]
    for options, words in refused:
        answer = cloud.module(records, **{"service_account_file": None, **options})
        assert answer.returncode == 1
        assert "Google refuses the credentials for Cloud DNS" in answer.result["msg"]
        assert words in answer.result["msg"]
        assert "\n" not in answer.record(challenge("w0", zone))["msg"]
        assert forged["private_key"].splitlines()[3] not in answer.output
        assert "ya29.nothing" not in answer.output
        assert "Traceback" not in answer.output
    assert cloud.holds(zone_id) == {}


def test_a_domain_with_the_name_of_the_project_stays_readable(cloud: GoogleCloud) -> None:
    """Ansible hides all parts of the key, and the project is one of them."""
    zone, _zone_id = cloud.zone(f"{cloud.options['project']}.example")
    key = cloud.lab.cloud_account("readable").key
    answer = cloud.module({challenge("a", zone): [ONE]}, service_account_file=None, service_account_contents=key)
    assert answer.result["records"][0]["zone"] == zone
    assert "BEGIN PRIVATE KEY" not in answer.output
    assert key["private_key"].splitlines()[3] not in answer.output
    assert key["private_key_id"] not in answer.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"service_account_file": None}, "no application default credentials of Google can be used"),
        ({"service_account_file": "/nowhere/key.json"}, "/nowhere/key.json cannot be read: No such file"),
        ({"service_account_file": "/dev/null"}, "is not JSON"),
        ({"service_account_file": None, "service_account_contents": {"type": "authorized_user"}}, "is not the key"),
        (
            {"service_account_file": None, "service_account_contents": {"type": "service_account"}},
            "it has no client_email, private_key, token_uri",
        ),
        ({"service_account_contents": "{}"}, "both service_account_file and service_account_contents"),
        ({"auth_kind": "accesstoken"}, "no access_token is given"),
        ({"auth_kind": "serviceaccount", "service_account_file": None}, "there is no key"),
        ({"project": None, "service_account_file": None, "access_token": "x"}, "no Google Cloud project is given"),
        ({"project": "another-project"}, "another-project"),
        ({"api_endpoint": "nonsense"}, "api_endpoint 'nonsense' cannot be used"),
        ({"api_endpoint": "http://127.0.0.1:1"}, "Cloud DNS at http://127.0.0.1:1 cannot be reached: "),
        ({"requests_per_second": 0}, "requests_per_second"),
        ({"zone_ids": {"example.org": "Not A Zone"}}, "is not the name of a managed zone"),
        ({"zone_ids": {"example.org": "not-there"}}, "Cloud DNS has no managed zone not-there in project"),
    ],
)
def test_options_that_cannot_work_are_one_line(cloud: GoogleCloud, options: dict[str, Any], words: str) -> None:
    answer = cloud.module({"_acme-challenge.example.org": [ONE]}, **options)
    assert answer.returncode == 1
    assert words in answer.result["msg"]
    assert "\n" not in answer.result["msg"]
    assert "Traceback" not in answer.output
    assert cloud.holds("example-org") == {}


def test_through_ansible(cloud: GoogleCloud) -> None:
    """Packed and run by Ansible, with the options of a task; the key is in no output and in no file but its own."""
    zone, zone_id = cloud.zone()
    key = cloud.lab.cloud_account(f"task-{zone_id}").key
    task = {
        "name": "Publish",
        "certfleet.acme.dns01_cloud_dns": {
            "api_endpoint": cloud.options["api_endpoint"],
            "service_account_contents": key,
            "resolvers": [cloud.lab.dns],
            "records": [{"record": challenge("a", zone), "values": [ONE]}],
        },
    }
    file = cloud.folder / "play.json"
    file.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]), encoding="utf-8")
    inventory = cloud.folder / "inventory.json"
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(json.dumps({"all": {"hosts": {"localhost": local}}}), encoding="utf-8")
    work = cloud.folder / "work"
    run = playbook(file, inventory, work, arguments=["-vvv", "--diff"])
    assert run.changed == ["localhost: Publish"]
    assert set(cloud.holds(zone_id)) == {challenge("a", zone)}
    secret = key["private_key"].splitlines()[3]
    assert secret not in run.output
    assert not playbook(file, inventory, work).changed
    assert [path for path in work.rglob("*") if path.is_file() and secret in path.read_text(errors="replace")] == []


def test_a_missing_option_is_named(tmp_path: Path) -> None:
    answer = run_module({"state": "present"}, tmp_path)
    assert answer.returncode == 1
    assert "records" in answer.result["msg"]
