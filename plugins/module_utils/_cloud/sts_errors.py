# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What STS says when a role cannot be assumed, in words that name the role and the way out."""

from __future__ import annotations

from typing import Any

from . import _library
from .errors import ProviderBusy, ProviderError

#: What lends the credentials of a role. Where one of them fails, the service itself was not asked.
ASSUMING = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})
_BUSY = frozenset(
    {
        "IDPCommunicationError",
        "IDPCommunicationErrorException",
        "InternalFailure",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
#: AWS Identity and Access Management User Guide, "Update the maximum session duration for a role".
_DURATION_REMEDY = (
    "Give a smaller duration_seconds, or a longer maximum session duration to the role. One hour is the most where"
    " the credentials that assume it are a role's themselves."
)
#: Of sts:AssumeRole; no policy allows the rest of them.
_TOKEN_REMEDIES = {
    "ExpiredToken": "Have a new one written there before the run; it is read again each time.",
    "InvalidIdentityToken": "The account of the role needs an identity provider for the token's issuer, with its"
    " audience, and the token must be whole.",
    "IDPRejectedClaim": "The issuer refuses the token or cannot be asked; have a new one written.",
}


def explain_sts(error: Any, role: str = "", *, token_file: str = "", external_id: bool = False) -> ProviderError:
    """A botocore exception of the attempt to assume a role as one line with its way out.

    role: its ARN, where known; token_file: of a web identity; external_id: one was sent.
    """
    known = _library.aws_core().exceptions
    named = f"the role {role}" if role else "the role of the AWS configuration"
    response = getattr(error, "response", None)
    if isinstance(error, known.ClientError) and response:
        return _explain_answer(error, response, named, token_file, external_id)
    text = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, known.SSLError):
        return ProviderError(
            f"{named} cannot be assumed: STS has a certificate that is not trusted: {text}",
            remedy="Give the CA bundle that it was issued from in aws_ca_bundle.",
            fatal=True,
        )
    if isinstance(error, (known.HTTPClientError, known.ConnectionError)):
        return ProviderError(
            f"{named} cannot be assumed: STS cannot be reached: {text}",
            remedy="Check the network, the proxy and the region. In a network without a way to the Internet, give"
            " the address of its STS endpoint in sts_endpoint_url.",
            fatal=True,
        )
    return ProviderError(f"{named} cannot be assumed: {text}", fatal=True)


def _explain_answer(
    error: Any, response: dict[str, Any], named: str, token_file: str, external_id: bool
) -> ProviderError:
    code = str(response["Error"].get("Code", ""))
    text = " ".join(str(response["Error"].get("Message", "")).split()).rstrip(".") or code
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    by_token = token_file or error.operation_name == "AssumeRoleWithWebIdentity"
    message = f"{named} cannot be assumed ({code}): {text}"
    if code in _BUSY or status >= 500 or status == 429:
        return ProviderBusy(message, remedy="STS or what it asks is busy; try again later.")
    if by_token and code.removesuffix("Exception") in _TOKEN_REMEDIES:
        what = f"the web identity token in {token_file}" if token_file else "the web identity token"
        remedy = _TOKEN_REMEDIES[code.removesuffix("Exception")]
        return ProviderError(f"{named} cannot be assumed with {what} ({code}): {text}", remedy=remedy, fatal=True)
    if code in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"):
        return ProviderError(message, remedy=_denied_remedy(bool(by_token), external_id), fatal=True)
    if "DurationSeconds" in text or "durationSeconds" in text or "MaxSessionDuration" in text:
        return ProviderError(message, remedy=_DURATION_REMEDY, fatal=True)
    if code == "RegionDisabledException":
        remedy = "Activate STS for this region in the account, or give another region."
    elif status == 403 or code in ("ExpiredToken", "ExpiredTokenException"):
        remedy = (
            "The credentials that are to assume the role are refused: check access_key, secret_key, session_token or"
            " the profile, and the clock of this machine."
        )
    else:
        remedy = "Check assume_role_arn and the options that go with it."
    return ProviderError(message, remedy=remedy, fatal=True)


def _denied_remedy(by_token: bool, external_id: bool) -> str:
    if by_token:
        return (
            "The role's trust policy must allow sts:AssumeRoleWithWebIdentity to the token's issuer, for its audience"
            " and subject."
        )
    asked = (
        "The external id may be another than the trust policy asks for."
        if external_id
        else "Where the trust policy asks for an external id, give it in external_id."
    )
    return (
        "These credentials must be allowed sts:AssumeRole for the role in their IAM policy, and the role's trust policy"
        f" must name them. {asked}"
    )
