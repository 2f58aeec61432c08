# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Amazon Route53."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from .._cloud import aws_auth
from . import _library
from . import route53_sets as sets
from .model import RecordSet, Swap, Zone
from .provider import Limits, Provider, ProviderError, ZoneList
from .ratelimit import TokenBucket
from .route53_errors import SERVICE, explain, refused_batch, unanswered
from .route53_sets import plain
from .zones import longest_match

#: Zones a ListHostedZones or ListHostedZonesByName call returns at most, and record sets a ListResourceRecordSets
#: call returns at most (Route53 API Reference, MaxItems of each).
_ZONE_PAGE = 100
_SET_PAGE = 300
#: Look zones up by name, instead of listing on, when the names have no more parents than this.
_FEW_PARENTS = 3


def connect(options: Mapping[str, Any]) -> Any:
    """A boto3 client for Route53 from the AWS options; see aws_auth.connect()."""
    return aws_auth.connect(options, SERVICE)


class Route53(Provider):
    """Route53 through a boto3 client.

    Limits of one ChangeResourceRecordSets request: 1,000 ResourceRecord elements and 32,000 characters of Value, each
    counted twice for UPSERT and once for CREATE and DELETE (Route53 Developer Guide, "Quotas", maximums on
    ChangeResourceRecordSets requests). So 711 new challenge values of 45 characters fit.
    """

    title = "Route53"
    limits = Limits(elements=1000, characters=32000)
    # "Quotas", maximums on records: values of a record set.
    values_max = 400

    def __init__(self, client: Any, *, requests_per_second: float = 4.0, bucket: TokenBucket | None = None) -> None:
        self._client = client
        self._bucket = bucket or TokenBucket(requests_per_second)
        self.calls = 0
        #: Whether a request sent by the running call may have been carried out though its answer did not say so.
        self._unsure = False
        client.meta.events.register("before-send.route-53", self._before_send)
        client.meta.events.register("needs-retry.route-53", self._answered)

    def _before_send(self, **_ignored: Any) -> None:
        """Each request passes here, botocore's own repetitions included."""
        self._bucket.take()
        self.calls += 1

    def _answered(self, response: Any = None, caught_exception: Any = None, **_ignored: Any) -> None:
        """Each answer or its absence passes here, before botocore decides whether to repeat the request."""
        status = response[0].status_code if response else 0
        self._unsure = self._unsure or status >= 500 or (caught_exception is not None and unanswered(caught_exception))

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        core = _library.aws_core()
        self._unsure = False
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**arguments)
        except ProviderError as error:  # of the credentials, when they had to be renewed for a repetition
            error.unsure = self._unsure
            raise
        except (core.exceptions.BotoCoreError, core.exceptions.ClientError) as error:
            refusal = refused_batch(error)
            if refusal is not None:
                refusal.retried = self._unsure
                raise refusal from error
            explained = explain(error, self._client.meta.endpoint_url, arguments.get("HostedZoneId", ""))
            explained.unsure = self._unsure
            raise explained from error
        return answer

    # --- zones

    def zones(self, names: Collection[str]) -> ZoneList:
        """One call for an account of up to 100 zones. With more of them, a call for each parent of few names, or the
        rest of the list for many. Needs route53:ListHostedZones or route53:ListHostedZonesByName."""
        try:
            page = self._call("list_hosted_zones", MaxItems=str(_ZONE_PAGE))
        except ProviderError as error:
            if error.fatal:
                raise
            return self._zones_by_name_only(names, error)
        zones = _zones(page)
        if page.get("IsTruncated"):
            by_name = self._by_name(names)
            if by_name is not None and _all_match(names, [*zones, *by_name]):
                return ZoneList([*zones, *by_name], complete=False)
        while page.get("IsTruncated"):
            page = self._call("list_hosted_zones", MaxItems=str(_ZONE_PAGE), Marker=page["NextMarker"])
            zones += _zones(page)
        return ZoneList(zones, complete=True)

    def _zones_by_name_only(self, names: Collection[str], denied: ProviderError) -> ZoneList:
        try:
            found = self._by_name(names)
        except ProviderError:
            found = None
        if found is None:
            raise denied
        return ZoneList(found, complete=False)

    def _by_name(self, names: Collection[str]) -> list[Zone] | None:
        """Zones at and below the last two labels of the names; None when that would take many calls.

        ListHostedZonesByName sorts by the labels in reverse, so a zone and those below it follow each other.
        """
        parents = {".".join(name.split(".")[-2:]) for name in names}
        if len(parents) > _FEW_PARENTS:
            return None
        found: list[Zone] = []
        for parent in sorted(parents):
            start: dict[str, str] = {"DNSName": parent}
            while start:
                page = self._call("list_hosted_zones_by_name", MaxItems=str(_ZONE_PAGE), **start)
                zones = _zones(page)
                found += zones
                inside = bool(zones) and longest_match(zones[-1].name, {parent: None}) is not None
                start = {}
                if page.get("IsTruncated") and inside:
                    start = {"DNSName": page["NextDNSName"], "HostedZoneId": page["NextHostedZoneId"]}
        return found

    # --- record sets

    def read(self, zone: Zone, names: Collection[str]) -> dict[str, RecordSet | None]:
        """One call a name, or the whole zone when that takes fewer calls. Needs route53:ListResourceRecordSets."""
        found: dict[str, RecordSet | None] = {}
        if zone.size is not None and -(-zone.size // _SET_PAGE) <= len(names):
            start = self._sets(zone, found, {})
            while start:
                start = self._sets(zone, found, start)
            return {**dict.fromkeys(names), **found}
        for name in names:
            if name not in found:
                # The names that follow come along; often some of those asked for are among them.
                self._sets(zone, found, {"StartRecordName": name, "StartRecordType": "TXT"})
                found.setdefault(name, None)
        return found

    def _sets(self, zone: Zone, found: dict[str, RecordSet | None], start: Mapping[str, str]) -> Mapping[str, str]:
        """Read a page, and on until the last name of it is complete; returns where the next one starts, if any."""
        entries: dict[str, list[dict[str, Any]]] = {}
        while True:
            page = self._call("list_resource_record_sets", HostedZoneId=zone.id, MaxItems=str(_SET_PAGE), **start)
            for entry in page["ResourceRecordSets"]:
                if entry["Type"] == "TXT":
                    entries.setdefault(plain(entry["Name"]), []).append(entry)
            start = {}
            if page.get("IsTruncated"):
                keys = ("NextRecordName", "NextRecordType", "NextRecordIdentifier")
                start = {key.replace("Next", "Start"): page[key] for key in keys if page.get(key)}
            if start.get("StartRecordType") != "TXT" or plain(start["StartRecordName"]) not in entries:
                break
        found.update((name, sets.record_set(name, group)) for name, group in entries.items())
        return start

    def joined(self, name: str, current: RecordSet | None, values: Iterable[str], ttl: int) -> RecordSet:
        return sets.joined(name, current, values, ttl)

    def left(self, current: RecordSet | None, values: Iterable[str]) -> RecordSet | None:
        return sets.left(current, values)

    def cost(self, swap: Swap) -> Limits:
        values = [value for _action, entry in sets.changes(swap) for value in sets.entry_values(entry)]
        return super().cost(swap)._replace(elements=len(values), characters=sum(len(value) for value in values))

    def too_large(self, swap: Swap) -> str:
        """A set is replaced as a whole, so one of about 355 challenge values is as large as a request may be twice."""
        cost = self.cost(swap)
        if cost.characters > self.limits.characters or cost.elements > self.limits.elements:
            return (
                f"what is there and what takes its place are {cost.elements} values of {cost.characters} characters"
                f" together, and Route53 takes {self.limits.elements} of {self.limits.characters} a request"
            )
        # Of several sets with a routing policy each is for itself.
        over = [len(entry) for entry in sets.values_of_each(swap.new) if len(entry) > self.values_max]
        return f"it would have {max(over)} values, and Route53 takes {self.values_max} values a set" if over else ""

    def write(self, zone: Zone, swaps: Sequence[Swap]) -> str:
        """One ChangeResourceRecordSets request; Route53 applies it as a whole or not at all."""
        changes = [
            {"Action": action, "ResourceRecordSet": entry} for swap in swaps for action, entry in sets.changes(swap)
        ]
        answer = self._call(
            "change_resource_record_sets",
            HostedZoneId=zone.id,
            ChangeBatch={"Comment": "certfleet.acme", "Changes": changes},
        )
        return str(answer["ChangeInfo"]["Id"]).rpartition("/")[2]

    def applied(self, zone: Zone, change: str) -> bool:
        """GetChange says INSYNC: all Route53 name servers have the change. Needs route53:GetChange."""
        return bool(self._call("get_change", Id=change)["ChangeInfo"]["Status"] == "INSYNC")


def _all_match(names: Iterable[str], zones: Iterable[Zone]) -> bool:
    known = {zone.name: zone for zone in zones}
    return all(longest_match(name, known) for name in names)


def _zones(page: Mapping[str, Any]) -> list[Zone]:
    return [
        Zone(
            id=zone["Id"].rpartition("/")[2],
            name=plain(zone["Name"]),
            private=bool(zone.get("Config", {}).get("PrivateZone")),
            size=zone.get("ResourceRecordSetCount"),
        )
        for zone in page["HostedZones"]
    ]
