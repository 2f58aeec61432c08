# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TXT values in Route53, through real emulators and a real name server.

moto accepts a CREATE over an existing set and a DELETE of values that are not there any more; AWS refuses both, and so
does ministack. What depends on that refusal is tested on ministack only.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord, quote

from tests.integration.conftest import DEFAULT, Labs
from tests.integration.fleet import playbook
from tests.integration.records import ONE, TWO, challenge, many
from tests.integration.route53_cloud import Cloud, run_module
from tests.lab import tls

pytestmark = pytest.mark.provider("route53", reason="what is the same with Cloud DNS is in test_dns01_cloud_dns.py")


@pytest.fixture(params=["ministack", "moto"])
def cloud(request: pytest.FixtureRequest, labs: Labs, tmp_path: Path) -> Cloud:
    """Each of the emulators."""
    return Cloud(labs.get(DEFAULT[0], request.param, purpose="zones", hosts=0), tmp_path)


@pytest.fixture
def strict(labs: Labs, tmp_path: Path) -> Cloud:
    """The emulator with the layer that refuses what AWS refuses."""
    cloud = Cloud(labs.get(DEFAULT[0], "ministack", purpose="strict", hosts=0, strict=True), tmp_path)
    cloud.lab.set_faults()
    return cloud


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port of the loopback where nobody listens as long as the test runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_name_that_route53_refuses_does_not_block_the_others(labs: Labs, tmp_path: Path) -> None:
    """A zone id that belongs to another zone: Route53 itself has to say no. ministack takes names outside the zone."""
    cloud = Cloud(labs.get(DEFAULT[0], "moto", purpose="zones", hosts=0), tmp_path)
    zone, zone_id = cloud.zone()
    names = [challenge(f"w{number}", zone) for number in range(6)]
    other = "_acme-challenge.other.test"
    ids = {zone: zone_id, "other.test": zone_id}
    answer = cloud.module({name: [ONE] for name in [*names[:3], other, *names[3:]]}, zone_ids=ids, wait="none")
    assert answer.result["failed_items"] == [other]
    assert "is not permitted in zone" in answer.record(other)["msg"]
    assert set(cloud.holds(zone_id)) == set(names)


def test_a_hundred_names_cost_at_most_six_calls(cloud: Cloud) -> None:
    zone, zone_id = cloud.zone()
    records = many(100, zone)
    cloud.count()
    engine = cloud.engine(rate=4)
    assert not engine.present(records).failed
    assert len(cloud.holds(zone_id)) == 100
    assert not engine.absent(records).failed
    counts = cloud.count()
    # Our own look at the zone is a list of record sets, which the engine never asks for here.
    del counts["ListResourceRecordSets"]
    assert counts["ChangeResourceRecordSets"] == 2
    assert sum(counts.values()) <= 6, counts
    assert sum(engine.calls.values()) == sum(counts.values())
    assert cloud.holds(zone_id) == {}


def test_the_same_in_two_processes(cloud: Cloud) -> None:
    zone, zone_id = cloud.zone()
    records = {record.name: [record.value] for record in many(100, zone)}
    cloud.count()
    first = cloud.module(records, requests_per_second=4, environment={})
    second = cloud.module(records, requests_per_second=4, state="absent", environment={})
    counts = cloud.count()
    assert (first.returncode, second.returncode) == (0, 0)
    assert sum(counts.values()) <= 6, counts
    assert first.result["api_calls"] + second.result["api_calls"] == sum(counts.values())
    assert cloud.holds(zone_id) == {}


def test_more_names_than_a_batch_takes(cloud: Cloud) -> None:
    zone, zone_id = cloud.zone()
    records = many(800, zone)
    cloud.count()
    engine = cloud.engine(wait="provider")
    assert not engine.present(records).failed
    assert not engine.absent(records).failed
    counts = cloud.count()
    assert counts["ChangeResourceRecordSets"] == 4
    assert cloud.holds(zone_id) == {}


def test_requests_keep_the_rate(cloud: Cloud) -> None:
    """The bucket stands before every request: five of them at four a second."""
    zone, _zone_id = cloud.zone()
    cloud.count()
    engine = cloud.engine(wait="none", rate=4)
    for number in range(4):
        assert not engine.present([TxtRecord(challenge(f"w{number}", zone), ONE)]).failed
    log = cloud.lab.state.requests(cloud.lab.provider).read_text(encoding="utf-8").splitlines()
    moments = [json.loads(line)["time"] for line in log]
    assert len(moments) == 5
    assert moments[-1] - moments[0] >= 4 / 4 - 0.1


def test_an_account_of_many_zones_costs_one_call_more(labs: Labs, tmp_path: Path) -> None:
    lab = labs.fresh(hosts=0)
    try:
        cloud = Cloud(lab, tmp_path)
        for number in range(250):
            cloud.zone(f"a{number:03d}.example")
        zone, _zone_id = cloud.zone("zzz.example")
        cloud.count()
        engine = cloud.engine(wait="provider")
        assert not engine.present(many(100, zone)).failed
        assert not engine.absent(many(100, zone)).failed
        counts = cloud.count()
        assert sum(counts.values()) <= 6, counts
        cloud.count()
        engine = cloud.engine(wait="none")
        spread = [TxtRecord(challenge("", f"a{number:03d}.example"), ONE) for number in range(240, 250)]
        assert not engine.present([*spread, TxtRecord(challenge("", "unknown.test"), ONE)]).zones.keys() ^ set(spread)
        assert cloud.count()["ListHostedZones"] == 3
    finally:
        lab.down()


def test_refused_credentials_are_one_line(strict: Cloud) -> None:
    zone, zone_id = strict.zone()
    answer = strict.module({challenge("a", zone): [ONE]}, access_key="AKIANOTTHERIGHTONE00")
    assert answer.returncode == 1
    assert "AWS refuses the credentials for Route53 (InvalidClientTokenId)" in answer.result["msg"]
    assert "\n" not in answer.result["msg"]
    assert strict.options["secret_key"] not in answer.output
    assert strict.holds(zone_id) == {}


def test_rights_to_one_zone_are_enough_with_its_id(strict: Cloud) -> None:
    zone, zone_id = strict.zone()
    _other, other_id = strict.zone(f"other.{zone}")
    writing = [f"arn:aws:route53:::hostedzone/{zone_id}"]
    actions = ["route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets"]
    keys = strict.user([{"Effect": "Allow", "Action": actions, "Resource": writing}])
    name, outside = challenge("a", zone), challenge("a", f"other.{zone}")

    unlisted = strict.module({name: [ONE]}, **keys)
    assert unlisted.returncode == 1
    assert "route53:ListHostedZones" in unlisted.result["msg"]
    assert "zone_ids" in unlisted.result["msg"]

    ids = {zone: zone_id, f"other.{zone}": other_id}
    answer = strict.module({name: [ONE], outside: [ONE]}, zone_ids=ids, **keys)
    assert answer.result["failed_items"] == [outside]
    assert "route53:ChangeResourceRecordSets" in answer.record(outside)["msg"]
    # Without the right to ask for the change's status, the name servers are the proof.
    assert not answer.record(name)["failed"]
    assert strict.holds(zone_id) == {name: (60, [quote(ONE)])}
    assert strict.holds(other_id) == {}
    waiting = strict.module({name: [TWO]}, zone_ids=ids, wait="provider", **keys)
    assert "route53:GetChange" in waiting.record(name)["msg"]


@pytest.mark.usefixtures("hurry")
def test_nobody_at_the_endpoint_is_one_line(strict: Cloud, free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    answer = strict.module({f"_acme-challenge.w{n}.example.com": [ONE] for n in range(3)}, endpoint_url=url)
    assert answer.returncode == 1
    assert f"Route53 at {url} cannot be reached" in answer.result["msg"]
    assert "\n" not in answer.result["msg"]
    assert len(answer.result["failed_items"]) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"access_key": None, "secret_key": None}, "no AWS credentials were found"),
        ({"access_key": None, "secret_key": None, "profile": "nobody"}, "nobody"),
        ({"profile": "nobody"}, "both an AWS profile and AWS access keys"),
        ({"secret_key": None}, "belong together"),
        ({"endpoint_url": "nonsense"}, "nonsense"),
        ({"aws_ca_bundle": "/nowhere/ca.pem"}, "/nowhere/ca.pem"),
        ({"requests_per_second": 0}, "requests_per_second"),
        ({"ttl": 0}, "TTL"),
        ({"wait_timeout": 0}, "timeout"),
        ({"resolvers": ["127.0.0.1:nothing"]}, "127.0.0.1:nothing"),
        ({"zone_ids": {"example.com": "not an id"}}, "not an id"),
    ],
)
def test_options_that_cannot_work_are_one_line(strict: Cloud, options: dict[str, Any], words: str) -> None:
    answer = strict.module({"_acme-challenge.example.com": [ONE]}, **options)
    assert answer.returncode == 1
    assert words in answer.result["msg"]
    assert "\n" not in answer.result["msg"]
    assert "Traceback" not in answer.output


def test_credentials_from_the_environment(strict: Cloud) -> None:
    zone, zone_id = strict.zone()
    environment = {
        "AWS_ACCESS_KEY_ID": strict.options["access_key"],
        "AWS_SECRET_ACCESS_KEY": strict.options["secret_key"],
        "AWS_URL": strict.options["endpoint_url"],
    }
    nothing: dict[str, Any] = dict.fromkeys(("access_key", "secret_key", "endpoint_url", "region"))
    answer = strict.module({challenge("a", zone): [ONE]}, environment=environment, **nothing)
    assert answer.returncode == 0, answer.output
    assert set(strict.holds(zone_id)) == {challenge("a", zone)}


def test_an_unknown_zone_id_says_so(strict: Cloud) -> None:
    answer = strict.module({"_acme-challenge.example.com": [ONE]}, zone_ids={"example.com": "Z0NOTTHERE"})
    assert answer.returncode == 1
    assert "no hosted zone Z0NOTTHERE" in answer.result["msg"]


@pytest.fixture
def encrypted(strict: Cloud, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """TLS before the emulator: its address and the CA's certificate."""
    authority = tls.make_authority("a company's own CA")
    authority.write(tmp_path / "ca.pem", tmp_path / "ca.key")
    tls.make_listener(authority).write(tmp_path / "listener.pem", tmp_path / "listener.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "listener.pem", tmp_path / "listener.key")
    address = urlsplit(strict.options["endpoint_url"])
    listener = socket.create_server(("127.0.0.1", 0))

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass

    def serve() -> None:
        while True:
            try:
                plain, _peer = listener.accept()
            except OSError:
                return
            try:
                near = context.wrap_socket(plain, server_side=True)
            except OSError:
                continue
            far = socket.create_connection((str(address.hostname), int(address.port or 0)))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=pass_on, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}", tmp_path / "ca.pem"
    listener.close()


def test_the_given_ca_bundle_wins_over_the_environment(strict: Cloud, encrypted: tuple[str, Path]) -> None:
    url, bundle = encrypted
    zone, zone_id = strict.zone()
    name = challenge("a", zone)
    other = strict.folder / "other.pem"
    tls.make_authority("somebody else").write(other, strict.folder / "other.key")
    wrong = dict.fromkeys(("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"), str(other))
    answer = strict.module({name: [ONE]}, endpoint_url=url, aws_ca_bundle=str(bundle), environment=wrong)
    assert answer.returncode == 0, answer.output
    assert set(strict.holds(zone_id)) == {name}
    refused = strict.module({name: [TWO]}, endpoint_url=url, environment=wrong)
    assert refused.returncode == 1
    assert "aws_ca_bundle" in refused.result["msg"]
    assert "\n" not in refused.result["msg"]


def test_through_ansible(strict: Cloud) -> None:
    """Packed and run by Ansible, with the options of a task; the provider's secret is in no output."""
    zone, zone_id = strict.zone()
    task = {
        "name": "Publish",
        "certfleet.acme.dns01_route53": {
            **strict.options,
            "resolvers": [strict.lab.dns],
            "records": [{"record": challenge("a", zone), "values": [ONE]}],
        },
    }
    file = strict.folder / "play.json"
    file.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]), encoding="utf-8")
    inventory = strict.folder / "inventory.json"
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(json.dumps({"all": {"hosts": {"localhost": local}}}), encoding="utf-8")
    run = playbook(file, inventory, strict.folder, arguments=["-vvv", "--diff"])
    assert run.changed == ["localhost: Publish"]
    assert set(strict.holds(zone_id)) == {challenge("a", zone)}
    assert strict.options["secret_key"] not in run.output
    assert not playbook(file, inventory, strict.folder).changed


def test_a_missing_option_is_named(tmp_path: Path) -> None:
    answer = run_module({"state": "present"}, tmp_path)
    assert answer.returncode == 1
    assert "records" in answer.result["msg"]


def test_a_cname_is_followed_when_asked_for(strict: Cloud) -> None:
    """Into another zone, and back out of it by the clean-up; without the option Route53 refuses the name."""
    (zone, zone_id), (other, other_id) = strict.zone(), strict.zone()
    name, target = challenge("", zone), f"_acme-challenge.{zone}.{other}"
    strict.put(zone_id, name, [f"{target}."], kind="CNAME")
    plain = strict.module({name: [ONE]})
    assert (plain.returncode, strict.holds(zone_id)) == (1, {})
    followed = strict.module({name: [ONE], challenge("plain", zone): [TWO]}, follow_cname=True)
    assert followed.returncode == 0, followed.output
    record = followed.record(name)
    assert (record["target"], record["zone"], record["zone_id"]) == (target, other, other_id)
    assert followed.record(challenge("plain", zone))["target"] == challenge("plain", zone)
    assert strict.holds(other_id) == {target: (60, [quote(ONE)])}
    assert strict.lab.txt_values(target) == [ONE]
    gone = strict.module({name: [ONE], challenge("plain", zone): [TWO]}, follow_cname=True, state="absent")
    assert (gone.returncode, gone.result["changed"]) == (0, True)
    assert strict.holds(zone_id) == strict.holds(other_id) == {}


def test_sets_with_identifiers_are_joined_and_only_ours_leave(strict: Cloud) -> None:
    """As cert-manager makes them: each value a multivalue answer of its own."""
    zone, zone_id = strict.zone()
    multi, weighted, alias = challenge("multi", zone), challenge("weighted", zone), challenge("alias", zone)
    records = {multi: [ONE, TWO], weighted: [ONE, TWO]}
    for identifier in ("theirs", "more"):
        strict.put_set(zone_id, multi, [f'"{identifier}"'], SetIdentifier=identifier, MultiValueAnswer=True)
        strict.put_set(zone_id, weighted, [f'"{identifier}"'], SetIdentifier=identifier, Weight=10)
    strict.put(zone_id, challenge("target", zone), ['"x"'])
    target = {"HostedZoneId": zone_id, "DNSName": challenge("target", zone), "EvaluateTargetHealth": False}
    strict.put_entry(zone_id, {"Name": alias, "Type": "TXT", "AliasTarget": target})
    before = strict.sets(zone_id)
    assert strict.module(records, check=True).result["changed"]
    assert strict.sets(zone_id) == before

    done = strict.module({**records, alias: [ONE]})
    assert done.result["failed_items"] == [alias]
    now = strict.sets(zone_id)
    assert sorted(one["SetIdentifier"] for one in now if one["Name"] == f"{multi}.") == sorted(
        ["theirs", "more", ONE, TWO]
    )
    assert [len(one["ResourceRecords"]) for one in now if one["Name"] == f"{weighted}."] == [3, 3]
    assert not strict.module(records).result["changed"]
    # A process that knows nothing of what is there takes them away.
    assert strict.module(records, state="absent").result["changed"]
    assert strict.sets(zone_id) == before
