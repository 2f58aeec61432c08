# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Google Cloud DNS."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Callable, TypeVar

from .._errors import CertfleetError
from . import _library
from .cloud_dns_errors import explain, refused_batch
from .model import RecordSet, Swap, Zone
from .provider import Denied, Limits, Provider, ProviderBusy, ProviderError, ZoneList
from .ratelimit import TokenBucket
from .zones import longest_match, suffixes

#: Seconds to connect, and between two parts of an answer.
_TIMEOUT = (5, 30)
#: Attempts of a request: with their pauses they span most of a minute, in which a quota begins anew. One that writes is
#: repeated by the writer, which knows what a repetition means; the library repeats none.
_ATTEMPTS = 7
#: Look zones up by name, instead of listing on, when the names have no more parents than this.
_FEW_PARENTS = 4
#: Read names one by one when there are no more than this, else all TXT sets of the zone.
_FEW_NAMES = 10
#: The name of a managed zone, or its number (Cloud DNS API, ManagedZone).
_ZONE_ID = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?|[0-9]{1,20}")
#: What comes of reading an answer that has another form than those of Cloud DNS: a proxy's, or another service's.
_OTHER_FORM = (AttributeError, IndexError, KeyError, TypeError, ValueError)
_T = TypeVar("_T")


class CloudDns(Provider):
    """Cloud DNS through a client of google-cloud-dns, for what that library lacks over its connection.

    Limits of one change: 1,000 record sets in additions, 1,000 in deletions, 100,000 bytes of rrdata in all of it
    (Cloud DNS, "Quotas and limits"). So 1,000 new challenge values fit. A set holds 100 values (same page).

    Permissions: dns.managedZones.list (unless the zones are given), dns.resourceRecordSets.list, .create and .delete
    (replacing a set needs .update), dns.changes.create and dns.changes.get; dns.changes.list helps after an answer
    that was lost.
    """

    title = "Cloud DNS"
    limits = Limits(additions=1000, deletions=1000, characters=100_000)
    values_max = 100
    repeats = _ATTEMPTS - 1

    def __init__(
        self,
        client: Any,
        *,
        requests_per_second: float = 4.0,
        bucket: TokenBucket | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self.account = str(client.project)
        self._connection = client._connection
        self._bucket = bucket or TokenBucket(requests_per_second)
        self._sleep = sleep
        self.calls = 0
        session = client._http
        send = session.send

        def counted(*arguments: Any, **options: Any) -> Any:
            """Each request to Cloud DNS passes here, also one repeated by the library; those for tokens do not."""
            self._bucket.take()
            self.calls += 1
            return send(*arguments, **options)

        session.send = counted

    def zone_id(self, name: str, value: object) -> str:
        """The name of a managed zone or its number, also as the last part of its resource name."""
        text = str(value).strip().rpartition("/")[2]
        if not _ZONE_ID.fullmatch(text):
            raise CertfleetError(
                f"zone_ids has {value!r} for {name}, which is not the name of a managed zone",
                remedy="Write it as Cloud DNS shows it, such as example-com.",
            )
        return text

    # --- requests

    @property
    def _path(self) -> str:
        return f"/projects/{self._client.project}/managedZones"

    def _send(self, action: str, zone_id: str = "", **request: Any) -> Any:
        """One request. Raises what google-cloud-dns raises for an answer, ProviderError for everything else."""
        google = _library.google()
        try:
            return self._connection.api_request(timeout=_TIMEOUT, **request)
        except google.api_core.exceptions.GoogleAPICallError:
            raise
        except (google.auth.exceptions.GoogleAuthError, OSError, ValueError) as error:
            raise self._explain(error, action, zone_id) from error
        except _OTHER_FORM as error:
            # The library looks for Google's own form of errors in every answer that tells of one.
            raise self._foreign(action, zone_id) from error

    def _read(self, action: str, zone_id: str = "", **request: Any) -> Any:
        """A request that changes nothing, tried again for as long as its attempts last."""
        google = _library.google()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._send(action, zone_id, **request)
            except google.api_core.exceptions.GoogleAPICallError as error:
                problem = self._explain(error, action, zone_id)
                if not isinstance(problem, ProviderBusy) or attempt == _ATTEMPTS:
                    raise problem from error
            except ProviderBusy:
                if attempt == _ATTEMPTS:
                    raise
            self._sleep(random.uniform(0.5, 1.0) * 2 ** min(attempt - 1, 4))  # noqa: S311 - jitter
        raise AssertionError("not reached")

    def _explain(self, error: Any, action: str, zone_id: str) -> ProviderError:
        endpoint = self._connection.API_BASE_URL
        return explain(error, endpoint, self._client.project, action=action, zone_id=zone_id)

    def _foreign(self, action: str, zone_id: str) -> ProviderError:
        return self._explain(ValueError("its JSON has another form"), action, zone_id)

    def _pages(
        self,
        action: str,
        path: str,
        key: str,
        convert: Callable[[Mapping[str, Any]], _T | None],
        zone_id: str = "",
        **parameters: str,
    ) -> Iterator[tuple[list[_T], bool]]:
        """The pages of a list, each asked for when it is needed, and whether there are more.

        convert: makes of an entry what is wanted, None of one that is not. Raises ProviderError.
        """
        iterator = _library.google().api_core.page_iterator.HTTPIterator(
            client=self._client,
            api_request=lambda **request: self._read(action, zone_id, **request),
            path=path,
            item_to_value=lambda _iterator, item: convert(item),
            items_key=key,
            extra_params=parameters,
        )
        pages = iterator.pages
        while True:
            try:
                page = next(pages, None)
                entries = [] if page is None else [entry for entry in page if entry is not None]
            except _OTHER_FORM as error:
                raise self._foreign(action, zone_id) from error
            if page is None:
                return
            yield entries, bool(iterator.next_page_token)

    # --- zones

    def zones(self, names: Collection[str]) -> ZoneList:
        """One call for a project whose zones fit in a page. With more of them, a call for each parent of few names, or
        the rest of the list for many. Needs dns.managedZones.list."""
        found: list[Zone] = []
        parents = {suffix for name in names for suffix in suffixes(name) if "." in suffix}
        by_name = len(parents) <= _FEW_PARENTS
        for page, more in self._pages("dns.managedZones.list", self._path, "managedZones", _zone):
            found += page
            if more and by_name:
                by_name = False
                some = self._by_name(parents)
                known = {zone.name: zone for zone in some}
                if all(longest_match(name, known) for name in names):
                    return ZoneList([*found, *some], complete=False)
        return ZoneList(found, complete=True)

    def _by_name(self, names: Collection[str]) -> list[Zone]:
        found: list[Zone] = []
        for name in sorted(names):
            pages = self._pages("dns.managedZones.list", self._path, "managedZones", _zone, dnsName=f"{name}.")
            found += [zone for page, _more in pages for zone in page]
        return found

    # --- record sets

    def read(self, zone: Zone, names: Collection[str]) -> dict[str, RecordSet | None]:
        """One call a name for few names, else the zone's TXT sets as long as those take fewer calls."""
        found: dict[str, RecordSet | None] = {}
        left = list(names)
        if len(left) > _FEW_NAMES:
            pages = self._sets(zone, filter=f'name=has_suffix("{zone.name}.") AND type="TXT"')
            for number, page in enumerate(pages, 1):
                found.update(page)
                # Those not asked for are worth their pages too: the writer's next batch has them.
                if number >= len(left):
                    break
            else:
                return {**dict.fromkeys(left), **found}
            left = [name for name in left if name not in found]
        for name in left:
            for page in self._sets(zone, name=f"{name}.", type="TXT"):
                found.update(page)
            found.setdefault(name, None)
        return found

    def _sets(self, zone: Zone, **parameters: str) -> Iterator[dict[str, RecordSet]]:
        path = f"{self._path}/{zone.id}/rrsets"
        for page, _more in self._pages(
            "dns.resourceRecordSets.list", path, "rrsets", _record_set, zone.id, **parameters
        ):
            yield {record_set.name: record_set for record_set in page}

    def write(self, zone: Zone, swaps: Sequence[Swap]) -> str:
        """One change; Cloud DNS applies it as a whole or not at all, and only when each of its deletions is exactly
        what the zone holds."""
        google = _library.google()
        action = "dns.changes.create"
        change = {
            "additions": [_entry(swap.new) for swap in swaps if swap.new],
            "deletions": [_entry(swap.old) for swap in swaps if swap.old],
        }
        path = f"{self._path}/{zone.id}/changes"
        try:
            answer = self._send(action, zone.id, method="POST", path=path, data=change)
        except google.api_core.exceptions.GoogleAPICallError as error:
            refusal = refused_batch(error, swaps)
            if refusal is not None:
                raise refusal from error
            problem = self._explain(error, action, zone.id)
            if isinstance(problem, Denied):
                # Rights are to the whole zone: no part of the batch would fare better.
                problem = ProviderError(problem.message, remedy=problem.remedy)
            raise problem from error
        try:
            return str(answer["id"])
        except _OTHER_FORM as error:
            raise self._foreign(action, zone.id) from error

    def newest(self, zone: Zone) -> str:
        """Ours, or one that came after it. Needs dns.changes.list."""
        newest = {"sortBy": "changeSequence", "sortOrder": "descending", "maxResults": "1"}
        path = f"{self._path}/{zone.id}/changes"
        for page, _more in self._pages("dns.changes.list", path, "changes", _change_id, zone.id, **newest):
            return page[0] if page else ""
        return ""

    def applied(self, zone: Zone, change: str) -> bool:
        """The change is done: Cloud DNS has handed it to its name servers."""
        path = f"{self._path}/{zone.id}/changes/{change}"
        action = "dns.changes.get"
        answer = self._read(action, zone.id, method="GET", path=path)
        try:
            return bool(answer["status"] == "done")
        except _OTHER_FORM as error:
            raise self._foreign(action, zone.id) from error


def _zone(entry: Mapping[str, Any]) -> Zone | None:
    """A zone that holds records itself: a forwarding or peering zone has none of its own."""
    if entry.get("forwardingConfig") or entry.get("peeringConfig"):
        return None
    return Zone(id=entry["name"], name=_plain(entry["dnsName"]), private=entry.get("visibility") == "private")


def _change_id(entry: Mapping[str, Any]) -> str:
    return str(entry["id"])


def _record_set(entry: Mapping[str, Any]) -> RecordSet | None:
    if entry["type"] != "TXT":
        return None
    policy = "record sets with a routing policy" if entry.get("routingPolicy") else ""
    values = tuple(str(value) for value in entry.get("rrdatas", ()))
    return RecordSet(_plain(entry["name"]), int(entry.get("ttl", 0)), values, policy)


def _entry(record_set: RecordSet) -> dict[str, Any]:
    return {
        "name": f"{record_set.name}.",
        "type": "TXT",
        "ttl": record_set.ttl,
        "rrdatas": list(record_set.values),
    }


def _plain(name: str) -> str:
    return name.lower().rstrip(".")
