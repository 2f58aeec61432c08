# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Route53 and botocore say when something goes wrong, in words that name the way out."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from . import _library
from .provider import BatchRefused, Denied, ProviderBusy, ProviderError
from .sts_errors import ASSUMING, explain_sts

#: AWS says some of these with status 400, some with 403 (AWS General Reference, "Common error types").
_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedOperation"})
_BUSY = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
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


def explain(error: Any, endpoint: str = "", zone_id: str = "") -> ProviderError:
    """A botocore exception as one line with its way out."""
    known = _library.aws_core().exceptions
    response = getattr(error, "response", None)
    if getattr(error, "operation_name", "") in ASSUMING:
        # botocore assumes the roles of profiles by itself, in the middle of a request for Route53.
        return explain_sts(error)
    if isinstance(error, known.ClientError) and response:
        return _explain_answer(error, response, zone_id)
    text = _short(error)
    if isinstance(error, (known.NoCredentialsError, known.PartialCredentialsError)):
        return ProviderError(
            f"no AWS credentials were found for Route53: {text}",
            remedy="Give access_key and secret_key, or a profile, or the environment variables AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY.",
            fatal=True,
        )
    if isinstance(error, known.ProfileNotFound):
        return ProviderError(f"the AWS profile cannot be used: {text}", fatal=True)
    asked = str((getattr(error, "kwargs", None) or {}).get("endpoint_url") or "")
    ours = not endpoint or not asked or urlsplit(asked).netloc == urlsplit(endpoint).netloc
    # Profiles may have botocore ask STS and others before it asks Route53.
    who = f"Route53 at {endpoint}" if ours else "what lends the AWS credentials"
    if isinstance(error, known.SSLError):
        return ProviderError(
            f"{who} has a certificate that is not trusted: {text}",
            remedy="Give the CA bundle that it was issued from in aws_ca_bundle.",
            fatal=True,
        )
    if isinstance(error, (known.HTTPClientError, known.ConnectionError)):
        return ProviderError(
            f"{who} cannot be reached: {text}",
            remedy=f"Check the network, the proxy and {'endpoint_url' if ours else 'the AWS configuration'}.",
            fatal=True,
        )
    return ProviderError(f"Route53 cannot be asked: {text}", fatal=True)


def _explain_answer(error: Any, response: dict[str, Any], zone_id: str) -> ProviderError:
    code = str(response["Error"].get("Code", ""))
    text = " ".join(str(response["Error"].get("Message", "")).split()).rstrip(".") or code
    action = f"route53:{error.operation_name}"
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _CREDENTIALS:
        return ProviderError(
            f"AWS refuses the credentials for Route53 ({code}): {text}",
            remedy="Check access_key, secret_key, session_token or the profile, and the clock of this machine.",
            fatal=True,
        )
    if code in _DENIED or status == 403:
        remedy = f"Allow {action} in the IAM policy of these credentials."
        if error.operation_name.startswith("ListHostedZones"):
            remedy = f"Allow {action}, or name the zones with their ids in zone_ids, which needs no list."
        return Denied(f"AWS does not allow {action} ({code}): {text}", remedy=remedy)
    if code == "NoSuchHostedZone":
        return ProviderError(
            f"Route53 has no hosted zone {zone_id}: {text}", remedy="Check zone_ids and the AWS account."
        )
    if code in _BUSY or status >= 500 or status == 429:
        return ProviderBusy(
            f"Route53 is busy ({code}): {text}",
            remedy="Others may use up the account's 5 requests a second; lower requests_per_second or try again later.",
        )
    return ProviderError(f"Route53 answered {action} with {code}: {text}")


def _short(error: Any) -> str:
    return " ".join(str(error).split()).rstrip(".")
