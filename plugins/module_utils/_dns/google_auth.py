# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""A client for Cloud DNS from the options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._cloud import google_auth
from . import _library

#: Changes of records, and nothing else of the project (OAuth 2.0 Scopes for Google APIs, Cloud DNS API v1).
_SCOPE = "https://www.googleapis.com/auth/ndev.clouddns.readwrite"


def connect(options: Mapping[str, Any]) -> Any:
    """A google.cloud.dns client with credentials as the options say. Raises CertfleetError, MissingLibrary."""
    google = _library.google()
    session, credentials, project = google_auth.connect(options, scope=_SCOPE, address="https://dns.googleapis.com")
    endpoint = str(options.get("api_endpoint") or "").rstrip("/")
    return google.cloud.dns.Client(
        project=project,
        credentials=credentials,
        _http=session,
        client_info=google.api_core.client_info.ClientInfo(user_agent="certfleet.acme"),
        client_options={"api_endpoint": endpoint} if endpoint else None,
    )
