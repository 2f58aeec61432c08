# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Route53 and botocore say when something goes wrong, in words that name the way out."""

from __future__ import annotations

import re
from typing import Any

from .._cloud import aws_errors
from .._cloud.aws_errors import Service
from .._cloud.sts_errors import ASSUMING
from . import _library
from .provider import BatchRefused, Denied, ProviderError

#: Where one message of a list ends and the next begins.
_NEXT_MESSAGE = re.compile(
    r"(?=Tried to (?:create|delete)|(?<!conflicting )RRSet (?:with|of)|Invalid request: Expected)"
)
_MATCHING = re.compile(r"(?:name='|DNS name |TXT |resource record set (?!\[)|Name=)(?P<name>[^\s',\]]+)")
#: Words for a set that is not what the batch took it for; what the others say is wrong with the name itself.
_CONFLICT = (
    "already exists",
    "it was not found",
    "do not match the current",
    "Expected exactly one of",
    "other RRSets exist with the same name",
    "rrset exists with the same name and type",
)
_OCTAL = re.compile(r"\\([0-7]{3})")


def unanswered(error: BaseException) -> bool:
    """True when a request that ended in this exception may have been carried out: it had been sent."""
    return isinstance(error, _library.aws_core().exceptions.HTTPClientError)


def refused_batch(error: Any) -> BatchRefused | None:
    """The error as a refused batch, if it is one.

    Route53 lists everything that is wrong with a batch in one answer (InvalidChangeBatch). Emulators name only the
    first, or say InvalidInput where a DELETE does not match.
    """
    response = getattr(error, "response", None) or {}
    code = response.get("Error", {}).get("Code")
    if code not in ("InvalidChangeBatch", "InvalidInput") or getattr(error, "operation_name", "") != (
        "ChangeResourceRecordSets"
    ):
        return None
    messages = [*response.get("messages", ()), response["Error"].get("Message", "")]
    text = _OCTAL.sub(lambda match: chr(int(match[1], 8)), " ".join(dict.fromkeys(str(part) for part in messages)))
    text = " ".join(text.split()).strip("[] ") or str(code)
    refusal = BatchRefused(text)
    for message in _NEXT_MESSAGE.split(text):
        _sort(message.strip(" ,"), refusal)
    return refusal


def _sort(message: str, refusal: BatchRefused) -> None:
    """Put one message where it belongs, under each name that it has."""
    found = {match["name"].rstrip(".").lower() for match in _MATCHING.finditer(message)}
    names = {name for name in found if "." in name}
    for name in names:
        if "conflicting RRSet" in message or not any(words in message for words in _CONFLICT):
            refusal.refused[name] = message
            continue
        # Not found does not mean that nothing is there: sets with a routing policy are not what a plain DELETE names.
        refusal.conflicts[name] = message


#: Requests are signed for us-east-1 unless another partition is meant: Route53 is global.
SERVICE = Service(
    "route53",
    "Route53",
    region="us-east-1",
    when_busy="Others may use up the account's 5 requests a second; lower requests_per_second or try again later.",
)


def explain(error: Any, endpoint: str = "", zone_id: str = "") -> ProviderError:
    """A botocore exception as one line with its way out."""
    operation = str(getattr(error, "operation_name", ""))
    found = (getattr(error, "response", None) or {}).get("Error", {})
    if operation not in ASSUMING and found.get("Code") == "NoSuchHostedZone":
        text = " ".join(str(found.get("Message", "")).split()).rstrip(".") or "NoSuchHostedZone"
        return ProviderError(
            f"Route53 has no hosted zone {zone_id}: {text}", remedy="Check zone_ids and the AWS account."
        )
    problem = aws_errors.explain(error, SERVICE, endpoint)
    if isinstance(problem, Denied) and operation.startswith("ListHostedZones"):
        remedy = f"Allow route53:{operation}, or name the zones with their ids in zone_ids, which needs no list."
        return Denied(problem.message, remedy=remedy)
    return problem
