# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One Route53 emulator with its name server, seen from outside: zones of a test's own, what they hold, what it cost."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from ansible_collections.certfleet.acme.plugins.module_utils._dns.engine import Engine
from ansible_collections.certfleet.acme.plugins.module_utils._dns.factory import build_engine
from botocore.config import Config

from tests.integration import module_run
from tests.integration.module_run import Answer
from tests.lab.api import Lab

MODULE = "ansible_collections.certfleet.acme.plugins.modules.dns01_route53"


class Cloud:
    """An emulator of a lab. Tests make zones of their own in it and so do not see each other.

    title: of the provider, in messages; zone_path: before a zone's id; zone_list, write: kinds of requests.
    """

    title, zone_path, zone_list, write = "Route53", "/hostedzone/", "ListHostedZones", "ChangeResourceRecordSets"

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.options = {key: lab.route53[key] for key in ("endpoint_url", "access_key", "secret_key", "region")}
        self._access: dict[str, Any] = {
            "endpoint_url": self.options["endpoint_url"],
            "aws_access_key_id": self.options["access_key"],
            "aws_secret_access_key": self.options["secret_key"],
            "region_name": self.options["region"],
            "config": Config(proxies={}),
        }
        self._client = boto3.client("route53", **self._access)

    # What others do

    def zone(self, name: str | None = None, *, private: bool = False) -> tuple[str, str]:
        """A new zone: its name and id."""
        name = name or f"z{uuid.uuid4().hex[:12]}.example"
        more: dict[str, Any] = {}
        if private:
            more = {
                "VPC": {"VPCRegion": "us-east-1", "VPCId": "vpc-12345678"},
                "HostedZoneConfig": {"PrivateZone": True},
            }
        answer = self._client.create_hosted_zone(Name=name, CallerReference=uuid.uuid4().hex, **more)
        return name, answer["HostedZone"]["Id"].rpartition("/")[2]

    def put(self, zone_id: str, name: str, values: list[str], ttl: int = 300, kind: str = "TXT") -> None:
        """What another program writes, its way."""
        entry = {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": value} for value in values]}
        changes = [{"Action": "UPSERT", "ResourceRecordSet": entry}]
        self._client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": changes})

    def put_set(self, zone_id: str, name: str, values: list[str], ttl: int = 300, **policy: Any) -> None:
        """What another program writes with a routing policy."""
        records = [{"Value": value} for value in values]
        self.put_entry(zone_id, {"Name": name, "Type": "TXT", "TTL": ttl, "ResourceRecords": records, **policy})

    def put_entry(self, zone_id: str, entry: dict[str, Any]) -> None:
        """Any record set."""
        changes = [{"Action": "UPSERT", "ResourceRecordSet": entry}]
        self._client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": changes})

    def sets(self, zone_id: str) -> list[dict[str, Any]]:
        """Every TXT set of a zone as the API has it."""
        pages = self._client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
        return [entry for page in pages for entry in page["ResourceRecordSets"] if entry["Type"] == "TXT"]

    def holds(self, zone_id: str) -> dict[str, tuple[int, list[str]]]:
        """Every TXT set of a zone: name to TTL and sorted values."""
        found: dict[str, tuple[int, list[str]]] = {}
        for page in self._client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id):
            for entry in page["ResourceRecordSets"]:
                if entry["Type"] == "TXT":
                    values = sorted(value["Value"] for value in entry["ResourceRecords"])
                    found[entry["Name"].rstrip(".")] = (entry["TTL"], values)
        return found

    def user(self, statements: list[dict[str, Any]]) -> dict[str, Any]:
        """The keys of a new IAM user with this policy."""
        name = f"u{uuid.uuid4().hex[:12]}"
        iam = boto3.client("iam", **self._access)
        iam.create_user(UserName=name)
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]}

    def role(self, principal: dict[str, str], action: str, condition: dict[str, Any]) -> str:
        """The ARN of a new IAM role that may do anything in Route53; who may assume it how."""
        name = f"r{uuid.uuid4().hex[:12]}"
        iam = boto3.client("iam", **self._access)
        trust = {"Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"])
        allowed = [{"Effect": "Allow", "Action": "route53:*", "Resource": "*"}]
        policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        iam.put_role_policy(RoleName=name, PolicyName="dns", PolicyDocument=policy)
        return arn

    def set_faults(self, **faults: float) -> None:
        """From now on, let the strict layer do this; what is not named is off."""
        self.lab.set_faults(**faults)

    def count(self) -> Counter[str]:
        """Start counting API calls from here; returns those until now."""
        counts = self.lab.counts("route53")
        self.lab.reset_log()
        return counts

    # What we do

    def params(
        self, *, wait: str = "authoritative", rate: float = 100.0, timeout: int = 20, **more: Any
    ) -> dict[str, Any]:
        """Options of an engine for this emulator."""
        options = {**self.options, "requests_per_second": rate, **more}
        return {
            "dns_providers": [{"provider": "route53", "zones": [], "route53": options}],
            "dns_wait": wait,
            "dns_timeout": timeout,
            "dns_resolvers": [self.lab.dns],
        }

    def engine(self, **options: Any) -> Engine:
        """An engine for this emulator."""
        return build_engine(self.params(**options))

    def module(
        self,
        records: Mapping[str, list[str]],
        *,
        check: bool = False,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Answer:
        """Run dns01_route53; see module_run.run."""
        arguments = {
            **self.options,
            "requests_per_second": 100,
            "resolvers": [self.lab.dns],
            "wait_timeout": 20,
            "records": [{"record": name, "values": values} for name, values in records.items()],
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            **options,
        }
        arguments = {name: value for name, value in arguments.items() if value is not None}
        return run_module(arguments, self.folder, environment)


def run_module(arguments: Mapping[str, Any], folder: Path, environment: Mapping[str, str] | None = None) -> Answer:
    """Run dns01_route53 with these arguments and, of AWS, nothing of the environment but what is given."""
    return module_run.run(
        MODULE, arguments, folder, environment, foreign=("AWS_",), fixed={"AWS_EC2_METADATA_DISABLED": "true"}
    )
