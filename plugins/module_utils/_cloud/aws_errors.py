# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""What AWS and botocore say when something goes wrong, in words that name the way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from . import _library
from .errors import Denied, ProviderBusy, ProviderError
from .sts_errors import ASSUMING, explain_sts


@dataclass(frozen=True)
class Service:
    """A service of AWS. name: botocore's, and IAM's for its actions; title: for messages; region: where none is given,
    empty when one is needed; when_busy: what to do when it is."""

    name: str
    title: str
    region: str = ""
    when_busy: str = "Try again later."


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


def explain(error: Any, service: Service, endpoint: str = "") -> ProviderError:
    """A botocore exception as one line with its way out."""
    known = _library.aws_core().exceptions
    response = getattr(error, "response", None)
    if getattr(error, "operation_name", "") in ASSUMING:
        # botocore assumes the roles of profiles by itself, in the middle of another request.
        return explain_sts(error)
    if isinstance(error, known.ClientError) and response:
        return _explain_answer(error, response, service)
    text = _short(error)
    if isinstance(error, (known.NoCredentialsError, known.PartialCredentialsError)):
        return ProviderError(
            f"no AWS credentials were found for {service.title}: {text}",
            remedy="Give access_key and secret_key, or a profile, or the environment variables AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY.",
            fatal=True,
        )
    if isinstance(error, known.ProfileNotFound):
        return ProviderError(f"the AWS profile cannot be used: {text}", fatal=True)
    asked = str((getattr(error, "kwargs", None) or {}).get("endpoint_url") or "")
    ours = not endpoint or not asked or urlsplit(asked).netloc == urlsplit(endpoint).netloc
    # Profiles may have botocore ask STS and others before it asks the service.
    who = f"{service.title} at {endpoint}" if ours else "what lends the AWS credentials"
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
    return ProviderError(f"{service.title} cannot be asked: {text}", fatal=True)


def _explain_answer(error: Any, response: dict[str, Any], service: Service) -> ProviderError:
    code = str(response["Error"].get("Code", ""))
    text = " ".join(str(response["Error"].get("Message", "")).split()).rstrip(".") or code
    action = f"{service.name}:{error.operation_name}"
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _CREDENTIALS:
        return ProviderError(
            f"AWS refuses the credentials for {service.title} ({code}): {text}",
            remedy="Check access_key, secret_key, session_token or the profile, and the clock of this machine.",
            fatal=True,
        )
    if code in _DENIED or status == 403:
        return Denied(
            f"AWS does not allow {action} ({code}): {text}",
            remedy=f"Allow {action} in the IAM policy of these credentials.",
        )
    if code in _BUSY or status >= 500 or status == 429:
        return ProviderBusy(f"{service.title} is busy ({code}): {text}", remedy=service.when_busy)
    return ProviderError(f"{service.title} answered {action} with {code}: {text}")


def _short(error: Any) -> str:
    return " ".join(str(error).split()).rstrip(".")
