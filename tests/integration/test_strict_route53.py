# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layer that refuses what AWS refuses and does what networks do. Runs of the engine in it: test_dns01_faults.py."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import boto3
import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord, quote
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from tests.integration.conftest import DEFAULT, Labs
from tests.integration.route53_cloud import Cloud

pytestmark = pytest.mark.provider("route53", reason="Cloud DNS refuses by its own emulator")
VALUE = '"x"'


@pytest.fixture(params=["ministack", "moto"])
def cloud(request: pytest.FixtureRequest, labs: Labs, tmp_path: Path) -> Cloud:
    """An emulator behind the layer, which does no harm at first."""
    made = Cloud(labs.get(DEFAULT[0], request.param, purpose="strict", hosts=0, strict=True), tmp_path)
    made.lab.set_faults()
    return made


@pytest.fixture
def client(cloud: Cloud) -> Any:
    """Amazon's own client, which tries nothing again."""
    return boto3.client(
        "route53",
        endpoint_url=cloud.options["endpoint_url"],
        aws_access_key_id=cloud.options["access_key"],
        aws_secret_access_key=cloud.options["secret_key"],
        region_name="us-east-1",
        config=Config(proxies={}, retries={"total_max_attempts": 1}),
    )


def change(action: str, name: str, *values: str, **more: Any) -> dict[str, Any]:
    kept = {"TTL": 60, "Type": "TXT", **more}
    return {
        "Action": action,
        "ResourceRecordSet": {"Name": name, "ResourceRecords": [{"Value": value} for value in values], **kept},
    }


def send(client: Any, zone_id: str, *changes: dict[str, Any]) -> Any:
    return client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": list(changes)})


def test_the_layer_refuses_what_aws_refuses_and_applies_nothing_of_it(cloud: Cloud, client: Any) -> None:
    zone, zone_id = cloud.zone()
    held, free, alias, multi = (f"{label}.{zone}" for label in ("held", "free", "alias", "multi"))
    answers = {"SetIdentifier": "a", "MultiValueAnswer": True}
    send(
        client,
        zone_id,
        change("CREATE", held, VALUE, '"y"'),
        change("CREATE", alias, "x.example.", Type="CNAME"),
        change("CREATE", multi, VALUE, **answers),
    )
    before = cloud.sets(zone_id)
    many = [change("CREATE", f"n{number}.{zone}", VALUE) for number in range(1001)]
    long = [change("CREATE", f"n{number}.{zone}", quote("v" * 98)) for number in range(321)]
    for words, changes in {
        "but it already exists": [change("CREATE", held, VALUE)],
        "do not match the current values": [change("DELETE", held, VALUE)],
        "but it was not found": [change("DELETE", free, VALUE)],
        "is not permitted in zone": [change("CREATE", "free.elsewhere.example", VALUE)],
        "enclosed in quotation marks": [change("CREATE", free, "x")],
        "Duplicate Resource Record": [change("CREATE", free, VALUE, VALUE)],
        "conflicting RRSet of type CNAME": [change("CREATE", alias, VALUE)],
        "as other RRSets exist": [change("CREATE", multi, VALUE)],
        "non multivalue answer rrset exists": [change("CREATE", held, VALUE, **answers)],
        "records limit of 1000": many,
        "limit of 32000": long,
        "limit of 400 values": [change("CREATE", free, *(f'"{number}"' for number in range(401)))],
        "TXTRDATATooLong": [change("CREATE", free, quote("v" * 4001))],
        "records limit of 1000 ": [change("UPSERT", f"n{number}.{zone}", VALUE) for number in range(501)],
    }.items():
        with pytest.raises(ClientError, match=words.strip()) as refused:
            send(client, zone_id, change("CREATE", f"good.{zone}", VALUE), *changes)
        assert refused.value.response["Error"]["Code"] == "InvalidChangeBatch"
        assert cloud.sets(zone_id) == before, words
    send(client, zone_id, *many[:1000])
    # The order of values says nothing, only moto minds it.
    values = [VALUE, '"y"'] if cloud.lab.provider == "moto" else ['"y"', VALUE]
    send(client, zone_id, change("DELETE", held, *values), change("CREATE", held, VALUE))


def test_the_layer_brings_the_faults_that_it_is_told_to(cloud: Cloud, client: Any) -> None:
    zone, zone_id = cloud.zone()
    codes = []
    cloud.lab.set_faults(throttle=2)
    for number in range(4):
        try:
            codes.append(send(client, zone_id, change("CREATE", f"t{number}.{zone}", VALUE)) and "")
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert sorted(codes) == ["", "", "Throttling", "Throttling"]
    cloud.lab.set_faults(error=1)
    with pytest.raises(ClientError) as refused:
        client.list_hosted_zones()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    for fault, carried_out in (("cut", False), ("lose", True)):
        cloud.lab.set_faults(**{fault: 1})
        with pytest.raises(HTTPClientError):
            send(client, zone_id, change("CREATE", f"{fault}.{zone}", VALUE))
        cloud.lab.set_faults()
        assert (f"{fault}.{zone}" in cloud.holds(zone_id)) is carried_out
    cloud.lab.set_faults(prior=30)
    send(client, zone_id, change("CREATE", f"first.{zone}", VALUE))
    with pytest.raises(ClientError, match="PriorRequestNotComplete"):
        send(client, zone_id, change("CREATE", f"second.{zone}", VALUE))
    cloud.lab.set_faults(rate=5)
    with pytest.raises(ClientError, match="Throttling"):
        for _number in range(50):
            client.list_hosted_zones()


def test_a_thousand_names_cost_at_most_twelve_calls_at_four_a_second(labs: Labs, tmp_path: Path) -> None:
    """With Route53's own limit of rate in force and changes that take a while (moto gives all changes one id)."""
    cloud = Cloud(labs.get(DEFAULT[0], "ministack", purpose="strict", hosts=0, strict=True), tmp_path)
    zone, zone_id = cloud.zone()
    records = [TxtRecord(f"_acme-challenge.w{number}.{zone}", f"{number:043d}") for number in range(1000)]
    cloud.lab.reset_log()
    cloud.lab.set_faults(rate=5, pending=1.0)
    engine = cloud.engine(wait="provider", rate=4, timeout=60)
    assert not engine.present(records).failed
    assert not engine.absent(records).failed
    requests = cloud.lab.requests("strict")
    cloud.lab.set_faults()
    counts = Counter(request["kind"] for request in requests)
    assert counts["ChangeResourceRecordSets"] == 4
    # The newest change twice, until it is applied; the one before it, which is applied by then, once.
    assert counts["GetChange"] == 3
    assert sum(engine.calls.values()) == len(requests) <= 12, counts
    moments = sorted(request["time"] for request in requests)
    assert all(fifth - first > 0.8 for first, fifth in zip(moments, moments[4:])), moments
    assert cloud.holds(zone_id) == {}
