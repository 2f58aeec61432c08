# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The DNS providers that the race and the count of calls run on, by name. Each brings its servers up and sees what they
hold from outside, past the engine. A further provider is one class here and one line in GROUNDS."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any

import boto3
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import RecordSet, Swap, Zone, quote, unquote
from ansible_collections.certfleet.acme.plugins.module_utils._dns.provider import BatchRefused, Provider
from ansible_collections.certfleet.acme.plugins.module_utils._dns.route53 import Route53
from botocore.config import Config

from tests.lab.api import Lab
from tests.lab.requestlog import Request
from tests.lab.route53 import unquoted


class Ground(ABC):
    """One provider of a lab. A context manager: leaving it ends the servers."""

    #: As in ``dns_providers``.
    name: str

    def __init__(self, *, limited: bool = False) -> None:
        """limited: let the servers hold to the provider's limit of rate, as far as the lab knows one."""
        self.limited = limited
        #: Seconds until a change is applied; 0: as the emulator does it.
        self.delay = 0.0

    @abstractmethod
    def __enter__(self) -> Ground: ...

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    @abstractmethod
    def entry(self, **options: Any) -> dict[str, Any]:
        """An entry of ``dns_providers`` for it; options: more of the provider's own. JSON."""

    @abstractmethod
    def zone(self, name: str) -> str:
        """Make a zone; returns its id."""

    @abstractmethod
    def put(self, zone_id: str, values: dict[str, list[str]], ttl: int) -> None:
        """What another program writes: TXT values (unquoted) by name. Any number of names."""

    @abstractmethod
    def held(self, zone_id: str) -> dict[str, set[str]]:
        """Every TXT value (unquoted) of a zone by name, as it is now."""

    @property
    @abstractmethod
    def resolvers(self) -> list[str]:
        """Name servers that answer from it, host:port."""

    @abstractmethod
    def calls(self) -> list[Request]:
        """API requests that it got since the last call of this. ``delay`` holds from here on."""

    @staticmethod
    @abstractmethod
    def blind(provider: Provider) -> None:
        """Make a provider of the engine write as most programs do: read, merge, overwrite, whatever is there by then.
        The proof that the race can be lost."""


class Route53Ground(Ground):
    """ministack behind the strict layer."""

    name = "route53"

    def __enter__(self) -> Route53Ground:
        self._lab = Lab.up(hosts=0, strict=True, zones=["example.com"])
        info = self._lab.route53
        self._access = {key: info[key] for key in ("endpoint_url", "access_key", "secret_key", "region")}
        self._client = boto3.client(
            "route53",
            endpoint_url=info["endpoint_url"],
            aws_access_key_id=info["access_key"],
            aws_secret_access_key=info["secret_key"],
            region_name=info["region"],
            config=Config(proxies={}),
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lab.down()

    def entry(self, **options: Any) -> dict[str, Any]:
        return {"provider": "route53", "zones": [], "route53": {**self._access, **options}}

    def zone(self, name: str) -> str:
        self._lab.set_faults()
        made = self._client.create_hosted_zone(Name=name, CallerReference=uuid.uuid4().hex)
        return str(made["HostedZone"]["Id"]).rpartition("/")[2]

    def put(self, zone_id: str, values: dict[str, list[str]], ttl: int) -> None:
        changes = [
            {
                "Action": "CREATE",
                "ResourceRecordSet": {
                    "Name": name,
                    "Type": "TXT",
                    "TTL": ttl,
                    "ResourceRecords": [{"Value": quote(value)} for value in texts],
                },
            }
            for name, texts in values.items()
        ]
        self._lab.set_faults()
        for at in range(0, len(changes), 500):
            batch = {"Changes": changes[at : at + 500]}
            self._client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)

    def held(self, zone_id: str) -> dict[str, set[str]]:
        self._lab.set_faults()
        pages = self._client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
        return {
            entry["Name"].rstrip("."): {unquote(record["Value"]) for record in entry["ResourceRecords"]}
            for page in pages
            for entry in page["ResourceRecordSets"]
            if entry["Type"] == "TXT"
        }

    @property
    def resolvers(self) -> list[str]:
        return [self._lab.dns]

    def calls(self) -> list[Request]:
        found = self._lab.requests("strict")
        self._lab.reset_log()
        # Only between measurements does the lab itself write as fast as it can.
        self._lab.set_faults(rate=5 if self.limited else 0, pending=self.delay)
        return found

    @staticmethod
    def blind(provider: Provider) -> None:
        assert isinstance(provider, Route53)
        client = provider._client

        def write(zone: Zone, swaps: list[Swap]) -> str:
            changes = []
            for swap in swaps:
                current, merged = _merged(provider, zone, swap)
                one = merged or current
                if one is None:
                    continue
                entry = {
                    "Name": f"{swap.name}.",
                    "Type": "TXT",
                    "TTL": one.ttl,
                    "ResourceRecords": [{"Value": value} for value in one.values],
                }
                changes.append({"Action": "UPSERT" if merged else "DELETE", "ResourceRecordSet": entry})
            answer = client.change_resource_record_sets(HostedZoneId=zone.id, ChangeBatch={"Changes": changes})
            return str(answer["ChangeInfo"]["Id"])

        provider.write = write  # type: ignore[assignment, method-assign]


class CloudDnsGround(Ground):
    """The lab's Cloud DNS. Google's quotas are by the minute and far above what is measured here: it has no limit."""

    name = "cloud_dns"
    _OPTIONS = ("api_endpoint", "project", "service_account_file")

    def __enter__(self) -> CloudDnsGround:
        self._lab = Lab.up(hosts=0, zones=["example.com"], cloud_zones=["example.org"])
        self._client = self._lab.cloud
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        violations = self._lab.cloud_violations()
        self._lab.down()
        assert not violations, f"against Google's description of the API: {violations[:3]}"

    def entry(self, **options: Any) -> dict[str, Any]:
        access = {key: self._lab.cloud_dns[key] for key in self._OPTIONS}
        return {"provider": "cloud_dns", "zones": [], "cloud_dns": {**access, **options}}

    def zone(self, name: str) -> str:
        return self._client.create_zone(name)

    def put(self, zone_id: str, values: dict[str, list[str]], ttl: int) -> None:
        self._lab.set_cloud_behaviour()
        additions = [
            {"name": f"{name}.", "type": "TXT", "ttl": ttl, "rrdatas": [quote(value) for value in texts]}
            for name, texts in values.items()
        ]
        for at in range(0, len(additions), 1000):
            self._client.change(zone_id, additions=additions[at : at + 1000])

    def held(self, zone_id: str) -> dict[str, set[str]]:
        return {
            name: {unquoted(value) for value in values} for name, (_ttl, values) in self._client.held(zone_id).items()
        }

    @property
    def resolvers(self) -> list[str]:
        return [self._lab.dns]

    def calls(self) -> list[Request]:
        found = self._lab.requests("cloud_dns")
        self._lab.reset_log()
        self._lab.set_cloud_behaviour(delay=self.delay)
        # A token is given out by another service.
        return [request for request in found if request["kind"] != "token"]

    @staticmethod
    def blind(provider: Provider) -> None:
        swapped: Callable[[Zone, list[Swap]], str] = provider.write

        def write(zone: Zone, swaps: list[Swap]) -> str:
            """What ResourceRecordSets.patch does, a name at a time: the set is as it was merged, whatever it was."""
            change = ""
            for swap in swaps:
                held, merged = _merged(provider, zone, swap)
                while held or merged:
                    try:
                        change = swapped(zone, [Swap(swap.name, held, merged)])
                        break
                    except BatchRefused:
                        held = provider.read(zone, [swap.name])[swap.name]
            return change

        provider.write = write  # type: ignore[assignment, method-assign]


def _merged(provider: Provider, zone: Zone, swap: Swap) -> tuple[RecordSet | None, RecordSet | None]:
    """What is at a name now, and with it what the swap adds and without what it takes away; None for nothing."""
    before = set(swap.old.values) if swap.old else set()
    after = set(swap.new.values) if swap.new else set()
    current = provider.read(zone, [swap.name])[swap.name]
    values = (set(current.values if current else ()) | (after - before)) - (before - after)
    ttl = current.ttl if current else 60
    return current, RecordSet(swap.name, ttl, tuple(sorted(values))) if values else None


GROUNDS: dict[str, type[Ground]] = {ground.name: ground for ground in (Route53Ground, CloudDnsGround)}
