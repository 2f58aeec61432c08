# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TXT values in Cloud DNS, through the lab's server, which obeys Google's discovery document, and a name server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord, quote

from tests.integration.conftest import DEFAULT, Labs
from tests.integration.fleet import playbook
from tests.integration.google_cloud import GoogleCloud, run_module
from tests.integration.records import ONE, TWO, challenge, many

pytestmark = pytest.mark.provider("cloud_dns", reason="what is the same with Route53 is in test_dns01_route53.py")


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


def calls(counts: dict[str, int]) -> int:
    """API calls; a token is asked for elsewhere."""
    return sum(count for kind, count in counts.items() if kind not in ("token", "generateAccessToken"))


def test_names_that_cloud_dns_refuses_do_not_block_the_others(cloud: GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    good, alias, elsewhere = challenge("a", zone), challenge("alias", zone), "_acme-challenge.other.test"
    cloud.put(zone_id, alias, ["elsewhere.test."], kind="CNAME")
    answer = cloud.module({good: [ONE], alias: [ONE]})
    assert answer.result["failed_items"] == [alias]
    assert "CNAME" in answer.record(alias)["msg"]
    assert cloud.holds(zone_id) == {good: (60, [quote(ONE)])}

    # A name outside of the zone: Cloud DNS itself has to say no.
    ids = {zone: zone_id, "other.test": zone_id}
    names = [challenge(f"w{number}", zone) for number in range(6)]
    records = {name: [ONE] for name in [*names[:3], elsewhere, *names[3:]]}
    answer = cloud.module(records, zone_ids=ids, wait="none")
    assert answer.result["failed_items"] == [elsewhere]
    assert set(cloud.holds(zone_id)) == {good, *names}


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
        first = cloud.module(records, wait="provider", environment={})
        second = cloud.module(records, state="absent", environment={})
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


def test_a_change_whose_answer_was_lost_is_waited_for(cloud: GoogleCloud) -> None:
    zone, zone_id = cloud.zone()
    cloud.lab.set_cloud_behaviour(delay=3)
    cloud.lab.set_cloud_faults({"every": 1, "last": 1, "kind": "changes.create", "cut": True, "after": True})
    cloud.count()
    outcome = cloud.engine(wait="provider").present(many(3, zone))
    assert not outcome.failed
    assert all(outcome.changed.values())
    counts = cloud.count()
    assert counts["changes.list"] == 1
    assert counts["changes.get"] >= 1
    (served,) = (one["served"] for one in cloud.client.dump() if one["name"] == zone_id)
    assert sum(entry["type"] == "TXT" for entry in served) == 3


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
