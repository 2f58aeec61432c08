# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which AWS roles to assume, and how: a decision from the options and the environment, without any request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._errors import CertfleetError

#: Seconds that a session may last (STS API Reference, AssumeRole, DurationSeconds).
_DURATION = range(900, 43200 + 1)
#: STS API Reference, AssumeRole: RoleSessionName and ExternalId.
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]+", re.ASCII)
#: Options that mean nothing where no role is assumed.
_OF_A_ROLE = ("external_id", "role_session_name", "duration_seconds", "sts_endpoint_url")


@dataclass(frozen=True)
class Role:
    """A role to assume; token_file: by the web identity token in this file instead of by AWS credentials."""

    arn: str
    session_name: str
    token_file: str = ""
    external_id: str = ""
    duration: int | None = None

    def arguments(self) -> dict[str, Any]:
        """Arguments of AssumeRole or AssumeRoleWithWebIdentity, without the role itself and the token."""
        arguments: dict[str, Any] = {"RoleSessionName": self.session_name}
        if self.external_id:
            arguments["ExternalId"] = self.external_id
        if self.duration is not None:
            arguments["DurationSeconds"] = self.duration
        return arguments


def roles(options: Mapping[str, Any], environment: Mapping[str, str]) -> list[Role]:
    """The roles to assume, each with the credentials of the one before it; none when there is nothing to assume.

    The environment's role (AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE, as Kubernetes and others set them) counts
    where neither keys nor a profile are given, as in the AWS SDKs. It is then also what another role is assumed with.
    Raises CertfleetError for options that do not go together or cannot work.
    """
    _check_identity(options)
    chain = _chain(options, environment)
    _check_use(options, chain)
    if not chain:
        return []
    name = _session_name(options, environment)
    duration = options.get("duration_seconds")
    if duration is not None and int(duration) not in _DURATION:
        raise CertfleetError(
            f"duration_seconds is {duration}, which is not between {_DURATION[0]} and {_DURATION[-1]}",
            remedy="AWS lends the credentials of a role for no other times.",
        )
    last = len(chain) - 1
    return [
        Role(
            arn=_checked_arn(arn),
            session_name=name,
            token_file=token_file,
            external_id=str(options.get("external_id") or "") if number == last else "",
            duration=int(duration) if number == last and duration is not None else None,
        )
        for number, (arn, token_file) in enumerate(chain)
    ]


def _check_identity(options: Mapping[str, Any]) -> None:
    """No two kinds of credentials at once."""
    keys = [options.get(name) for name in ("access_key", "secret_key", "session_token")]
    if options.get("profile") and any(keys):
        raise CertfleetError(
            "both an AWS profile and AWS access keys are given",
            remedy="Give one of them; the environment variables AWS_PROFILE and AWS_ACCESS_KEY_ID count too.",
        )
    if bool(keys[0]) != bool(keys[1]):
        raise CertfleetError("access_key and secret_key belong together and one of them is missing")
    if keys[2] and not keys[0]:
        raise CertfleetError(
            "session_token is given without access_key and secret_key",
            remedy="Give all three or none; the environment variable AWS_SESSION_TOKEN counts too.",
        )
    if options.get("web_identity_token_file") and _own_credentials(options):
        other = "an AWS profile" if options.get("profile") else "AWS access keys"
        raise CertfleetError(
            f"both web_identity_token_file and {other} are given",
            remedy="Give one of them, since the token takes the place of credentials; the environment variables"
            " AWS_PROFILE and AWS_ACCESS_KEY_ID count too.",
        )


def _own_credentials(options: Mapping[str, Any]) -> bool:
    return any(options.get(name) for name in ("access_key", "secret_key", "session_token", "profile"))


def _chain(options: Mapping[str, Any], environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """ARN and token file of each role."""
    wanted = str(options.get("assume_role_arn") or "")
    token_file = str(options.get("web_identity_token_file") or "")
    theirs = "" if _own_credentials(options) else environment.get("AWS_ROLE_ARN", "")
    their_file = "" if _own_credentials(options) else environment.get("AWS_WEB_IDENTITY_TOKEN_FILE", "")
    if token_file:
        if not wanted and not theirs:
            raise CertfleetError(
                "web_identity_token_file is given without a role",
                remedy="Give the role that the token is for in assume_role_arn, or in the environment variable"
                " AWS_ROLE_ARN.",
            )
        return [(wanted or theirs, token_file)]
    if their_file:
        if not wanted and not theirs:
            raise CertfleetError(
                "the environment variable AWS_WEB_IDENTITY_TOKEN_FILE is set without a role",
                remedy="Give the role that the token is for in the environment variable AWS_ROLE_ARN, or in"
                " assume_role_arn.",
            )
        if wanted and theirs and wanted != theirs:
            return [(theirs, their_file), (wanted, "")]
        return [(wanted or theirs, their_file)]
    return [(wanted, "")] if wanted else []


def _check_use(options: Mapping[str, Any], chain: list[tuple[str, str]]) -> None:
    """No option that would have no effect, nor one of the wrong form."""
    given = [name for name in _OF_A_ROLE if options.get(name) not in (None, "")]
    if given and not chain:
        raise CertfleetError(
            f"{' and '.join(given)} {'is' if len(given) == 1 else 'are'} given without a role",
            remedy="Give the role in assume_role_arn. A role that an AWS profile names has such settings in the"
            " profile.",
        )
    if "external_id" in given:
        if chain[-1][1]:
            raise CertfleetError(
                "external_id is given and the role is assumed by a web identity token, which knows no external id",
                remedy="Leave external_id away.",
            )
        if not _EXTERNAL_ID.fullmatch(str(options["external_id"])):
            raise CertfleetError(
                "external_id cannot be one",
                remedy="AWS takes 2 to 1224 letters, digits and the characters +=,.@:/-_ in it.",
            )
    endpoint = str(options.get("sts_endpoint_url") or "")
    if endpoint and not endpoint.startswith(("https://", "http://")):
        raise CertfleetError(
            f"sts_endpoint_url {endpoint!r} cannot be used",
            remedy="Write it as https://sts.eu-central-1.amazonaws.com.",
        )


def _checked_arn(arn: str) -> str:
    if not _ROLE_ARN.fullmatch(arn):
        raise CertfleetError(
            f"the role {arn!r} is not the ARN of a role", remedy="Write it as arn:aws:iam::123456789012:role/NAME."
        )
    return arn


def _session_name(options: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """What the session is called in CloudTrail; with the number of the job where AWX runs this."""
    name = options.get("role_session_name") or environment.get("AWS_ROLE_SESSION_NAME")
    if name:
        if not _SESSION_NAME.fullmatch(str(name)):
            raise CertfleetError(
                f"the role's session cannot be called {name!r}",
                remedy="Give 2 to 64 letters, digits and the characters +=,.@-_ in role_session_name; the environment"
                " variable AWS_ROLE_SESSION_NAME counts too.",
            )
        return str(name)
    job = environment.get("JOB_ID", "")
    return f"certfleet-awx-{job}" if environment.get("AWX_HOST") and re.fullmatch("[0-9]{1,20}", job) else "certfleet"
