# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Cloud DNS and Google's libraries say when something goes wrong, in words that name the way out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .._cloud import google_errors
from . import _library
from .model import Swap
from .provider import BatchRefused, Denied, ProviderBusy, ProviderError

TITLE = "Cloud DNS"
#: Reasons of status 403 that say "later" (Cloud DNS API, "Error messages"; Google APIs, usage limits).
_BUSY = frozenset({"quotaExceeded", "rateLimitExceeded", "userRateLimitExceeded", "limitExceeded", "backendError"})
_PART = re.compile(r"entity\.change\.(?P<list>additions|deletions)\[(?P<index>\d+)\]")
_ZONE = re.compile(r"parameters\.(?P<what>managedZone|project)\b")


def refused_batch(error: Any, swaps: Sequence[Swap]) -> BatchRefused | None:
    """The error as a refused change, if it is one.

    Cloud DNS names what is wrong by its place in the request, ``entity.change.additions[0]``, and often only the first
    such place.
    """
    status, details = _details(error)
    if status not in (400, 404, 409, 412) or any(_ZONE.search(text) for _reason, text in details):
        return None
    if status == 404 and not any(_PART.search(text) for _reason, text in details):
        return None
    lists = {
        "additions": [swap.name for swap in swaps if swap.new is not None],
        "deletions": [swap.name for swap in swaps if swap.old is not None],
    }
    refusal = BatchRefused("; ".join(dict.fromkeys(text for _reason, text in details)))
    for reason, text in details:
        for match in _PART.finditer(text):
            names = lists[match["list"]]
            index = int(match["index"])
            if index >= len(names):
                continue
            if status == 400:
                refusal.refused[names[index]] = text
                continue
            refusal.conflicts[names[index]] = text
            if reason == "notFound":
                refusal.missing.add(names[index])
    if status in (409, 412) and len(swaps) == 1 and not refusal.conflicts:
        # Somebody else was there, and there is only one place where that can have been.
        refusal.conflicts[swaps[0].name] = refusal.text
    return refusal


def explain(error: Any, endpoint: str, project: str, *, action: str = "", zone_id: str = "") -> ProviderError:
    """An exception of google-cloud-dns, google-auth or requests as one line with its way out.

    action: the permission that the request needs, e.g. ``dns.changes.create``.
    """
    google = _library.google()
    if isinstance(error, google.api_core.exceptions.GoogleAPICallError):
        return _explain_answer(error, project, action, zone_id)
    return google_errors.explain(error, TITLE, endpoint)


def _explain_answer(error: Any, project: str, action: str, zone_id: str) -> ProviderError:
    status, details = _details(error)
    reasons = {reason for reason, _text in details}
    text = "; ".join(dict.fromkeys(text for _reason, text in details))
    said = f"{status} {', '.join(sorted(reasons - {''}))}".strip()
    if status == 401:
        return google_errors.credentials_refused(TITLE, text)
    if status == 429 or status >= 500 or (status == 403 and reasons & _BUSY):
        return ProviderBusy(
            f"Cloud DNS is busy ({said}): {text}",
            remedy="Others may use up the quota of the project; lower requests_per_second or try again later.",
            unsure=status >= 500,
            # Said of requests a minute, and of what a zone, a set or a change may hold.
            divisible="quotaExceeded" in reasons or "limitExceeded" in reasons,
        )
    if status == 403:
        if "accessNotConfigured" in reasons or "SERVICE_DISABLED" in reasons:
            return ProviderError(
                f"the Cloud DNS API is not enabled in project {project}: {text}", remedy="Enable it there.", fatal=True
            )
        remedy = f"Give these credentials the permission {action}."
        if action == "dns.managedZones.list":
            remedy = f"Give these credentials the permission {action}, or name the zones in zone_ids, which needs none."
        return Denied(f"Google does not allow {action} in project {project} ({said}): {text}", remedy=remedy)
    if status == 404:
        where = next((match["what"] for _reason, words in details if (match := _ZONE.search(words))), "")
        if where == "project" or not zone_id:
            return ProviderError(
                f"there is no Google Cloud project {project}: {text}", remedy="Check project.", fatal=True
            )
        return ProviderError(
            f"Cloud DNS has no managed zone {zone_id} in project {project}: {text}",
            remedy="Check zone_ids and project.",
        )
    return ProviderError(f"Cloud DNS answered {action} with {said}: {text}")


def _details(error: Any) -> tuple[int, list[tuple[str, str]]]:
    """The HTTP status, and reason and text of each error that the answer lists."""
    listed = [item for item in getattr(error, "errors", None) or () if isinstance(item, dict)]
    details = [(str(item.get("reason", "")), google_errors.line(item.get("message", ""))) for item in listed]
    # The library puts the method and the URL before the text.
    text = google_errors.line(re.sub(r"^[A-Z]+ \S+: ", "", str(getattr(error, "message", error))))
    return int(getattr(error, "code", 0) or 0), details or [("", text)]
