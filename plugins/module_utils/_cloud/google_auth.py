# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""A session with an API of Google from the options, spelled as in google.cloud. Nothing is written to disk."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from .._errors import CertfleetError
from . import _library
from .google_errors import short

#: What the credentials that impersonate another account need (google.auth.impersonated_credentials).
_IMPERSONATING_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
#: Seconds for one request for a token.
_TOKEN_TIMEOUT = 30
_KINDS = ("application", "serviceaccount", "accesstoken")


def connect(options: Mapping[str, Any], *, scope: str, address: str) -> tuple[Any, Any, str]:
    """A session (of requests) that signs what it sends, the credentials, and the project.

    scope: to ask for where the options name none; address: the API's own, for messages. Sends nothing. Raises
    CertfleetError, MissingLibrary.
    """
    google = _library.google_auth()
    endpoint = str(options.get("api_endpoint") or "")
    if endpoint and not endpoint.startswith(("https://", "http://")):
        raise CertfleetError(f"api_endpoint {endpoint!r} cannot be used", remedy=f"Write it as {address}.")
    credentials, found = _credentials(google, options, scope)
    project = options.get("project") or found or os.environ.get("GOOGLE_CLOUD_PROJECT")
    if not project:
        raise CertfleetError(
            "no Google Cloud project is given, and the credentials name none",
            remedy="Give project, or the environment variable GCP_PROJECT.",
        )
    session = google.auth.transport.requests.AuthorizedSession(credentials, refresh_timeout=_TOKEN_TIMEOUT)
    # Else requests would put what it finds for this host in a .netrc in the place of the token.
    session.auth = lambda request: request
    return session, credentials, str(project)


def _credentials(google: Any, options: Mapping[str, Any], scope: str) -> tuple[Any, str | None]:
    """The credentials, and the project that they name."""
    wanted = list(options.get("scopes") or [scope])
    target = options.get("impersonate_service_account")
    scopes = [_IMPERSONATING_SCOPE] if target else wanted
    kind = _kind(options)
    if kind == "serviceaccount":
        credentials, project = _service_account(google, options, scopes)
    elif kind == "accesstoken":
        if not options.get("access_token"):
            raise CertfleetError("auth_kind is accesstoken and no access_token is given")
        credentials, project = google.oauth2.credentials.Credentials(str(options["access_token"])), None
    else:
        try:
            credentials, project = google.auth.default(scopes=scopes)
        except (google.auth.exceptions.GoogleAuthError, OSError, ValueError) as error:
            raise CertfleetError(
                f"no application default credentials of Google can be used: {short(error)}",
                remedy="Give service_account_file, service_account_contents or access_token, or let the environment"
                " variable GOOGLE_APPLICATION_CREDENTIALS name a key file.",
            ) from error
    if target:
        credentials = google.auth.impersonated_credentials.Credentials(
            source_credentials=credentials, target_principal=str(target), target_scopes=wanted
        )
    return credentials, project


def _kind(options: Mapping[str, Any]) -> str:
    kind = options.get("auth_kind")
    if kind:
        if kind not in _KINDS:
            raise CertfleetError(f"auth_kind is {kind!r}", remedy=f"Give one of {', '.join(_KINDS)}.")
        return str(kind)
    if options.get("service_account_file") or options.get("service_account_contents"):
        return "serviceaccount"
    return "accesstoken" if options.get("access_token") else "application"


def _service_account(google: Any, options: Mapping[str, Any], scopes: list[str]) -> tuple[Any, str | None]:
    contents, path = options.get("service_account_contents"), options.get("service_account_file")
    if contents and path:
        raise CertfleetError(
            "both service_account_file and service_account_contents are given",
            remedy="Give one of them; the environment variables GCP_SERVICE_ACCOUNT_FILE and"
            " GCP_SERVICE_ACCOUNT_CONTENTS count too.",
        )
    if not contents and not path:
        raise CertfleetError(
            "auth_kind is serviceaccount and there is no key",
            remedy="Give service_account_file or service_account_contents.",
        )
    what = "service_account_contents"
    if path:
        what = f"service_account_file {path}"
        try:
            with open(path, encoding="utf-8") as stream:
                contents = stream.read()
        except OSError as error:
            raise CertfleetError(f"{what} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise CertfleetError(f"{what} is not a key file of a service account") from error
    try:
        key = json.loads(contents) if isinstance(contents, (str, bytes)) else dict(contents or {})
    except ValueError as error:
        # The text of this error would quote nothing, its cause all of the key.
        raise CertfleetError(f"{what} is not JSON, so it is not the key of a service account") from error
    if not isinstance(key, dict) or key.get("type") != "service_account":
        raise CertfleetError(
            f"{what} is not the key of a service account",
            remedy="Other kinds of credentials belong in the file that GOOGLE_APPLICATION_CREDENTIALS names, with"
            " auth_kind=application.",
        )
    try:
        credentials = google.oauth2.service_account.Credentials.from_service_account_info(key, scopes=scopes)
    except (google.auth.exceptions.GoogleAuthError, ValueError, TypeError) as error:
        missing = [name for name in ("client_email", "private_key", "token_uri") if not key.get(name)]
        why = f"it has no {', '.join(missing)}" if missing else "its private_key is not one in PEM"
        raise CertfleetError(f"{what} cannot be used: {why}") from error
    return credentials, credentials.project_id
