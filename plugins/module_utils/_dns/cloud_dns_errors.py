# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Cloud DNS and Google's libraries say when something goes wrong, in words that name the way out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from . import _library
from .model import Swap
from .provider import BatchRefused, Denied, ProviderBusy, ProviderError

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
    known = google.auth.exceptions
    if isinstance(error, google.api_core.exceptions.GoogleAPICallError):
        return _explain_answer(error, project, action, zone_id)
    if isinstance(error, known.TransportError):
        return ProviderError(
            f"Google's token server cannot be reached: {_network(error)}",
            remedy="Check the network, the proxy and the token_uri of the key.",
            fatal=True,
        )
    if isinstance(error, known.RefreshError):
        return _credentials_refused(": ".join(dict.fromkeys(_refresh_texts(error))))
    if isinstance(error, known.GoogleAuthError):
        return _credentials_refused(short(error))
    return _explain_network(error, endpoint)


def _refresh_texts(error: Any) -> Iterator[str]:
    """What the error says, and what the answer that it carries says."""
    yield short(error.args[0] if error.args else error)
    for answer in error.args[1:]:
        try:
            yield short(json.loads(answer)["error"]["message"])
        except (KeyError, TypeError, ValueError):
            continue


def _explain_network(error: Any, endpoint: str) -> ProviderError:
    known = _library.requests().exceptions
    if isinstance(error, known.SSLError):
        return ProviderError(
            f"Cloud DNS at {endpoint} has a certificate that is not trusted: {_network(error)}",
            remedy="Name the CA bundle that it was issued from in the environment variable REQUESTS_CA_BUNDLE.",
            fatal=True,
        )
    if isinstance(error, (known.ConnectTimeout, known.ProxyError)) or _never_connected(error):
        return ProviderError(
            f"Cloud DNS at {endpoint} cannot be reached: {_network(error)}",
            remedy="Check the network, the proxy and api_endpoint.",
            fatal=True,
        )
    if isinstance(error, (known.ConnectionError, known.Timeout, known.ChunkedEncodingError)):
        return ProviderBusy(
            f"Cloud DNS at {endpoint} gave no answer: {_network(error)}",
            remedy="Check the network, or try again later.",
            unsure=True,
        )
    if isinstance(error, (known.InvalidURL, known.InvalidSchema, known.MissingSchema)):
        return ProviderError(f"api_endpoint {endpoint!r} cannot be used: {short(error)}", fatal=True)
    # An answer that is no JSON: something else than Cloud DNS is there. A change may have been made all the same.
    return ProviderError(f"what {endpoint} answers is not Cloud DNS: {short(error)}", fatal=True, unsure=True)


def _explain_answer(error: Any, project: str, action: str, zone_id: str) -> ProviderError:
    status, details = _details(error)
    reasons = {reason for reason, _text in details}
    text = "; ".join(dict.fromkeys(text for _reason, text in details))
    said = f"{status} {', '.join(sorted(reasons - {''}))}".strip()
    if status == 401:
        return _credentials_refused(text)
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


def _credentials_refused(text: str) -> ProviderError:
    return ProviderError(
        f"Google refuses the credentials for Cloud DNS: {text}",
        remedy="Check the key or the access token (one is good for an hour), and the clock of this machine.",
        fatal=True,
    )


def _details(error: Any) -> tuple[int, list[tuple[str, str]]]:
    """The HTTP status, and reason and text of each error that the answer lists."""
    listed = [item for item in getattr(error, "errors", None) or () if isinstance(item, dict)]
    details = [(str(item.get("reason", "")), _line(item.get("message", ""))) for item in listed]
    # The library puts the method and the URL before the text.
    text = _line(re.sub(r"^[A-Z]+ \S+: ", "", str(getattr(error, "message", error))))
    return int(getattr(error, "code", 0) or 0), details or [("", text)]


def _never_connected(error: Any) -> bool:
    """True when no connection came about, so that nothing can have been carried out."""
    seen = error
    for _depth in range(6):
        if type(seen).__name__ in ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError"):
            return True
        reason = getattr(seen, "reason", None)
        seen = reason if isinstance(reason, BaseException) else next(iter(getattr(seen, "args", ())), None)
        if not isinstance(seen, BaseException):
            return False
    return False


def _network(error: Any) -> str:
    """The innermost cause: the outer ones repeat it with addresses of objects."""
    text = short(error)
    for marker in ("Failed to establish a new connection: ", "Caused by "):
        text = text.rpartition(marker)[2]
    return text.rstrip("')\"")


def _line(text: Any) -> str:
    return " ".join(str(text).split()).rstrip(".")


def short(error: Any) -> str:
    """An exception's text in one line of bounded length."""
    text = _line(error) or type(error).__name__
    return text if len(text) <= 400 else f"{text[:400]}..."
