# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The third-party libraries of the clouds, imported when they are first needed and not before."""

from __future__ import annotations

from typing import Any

from .._module import require


def aws() -> Any:
    """boto3 (with botocore beneath it). Raises MissingLibrary."""
    error: ImportError | None = None
    try:
        import boto3
    except ImportError as caught:
        error = caught
    require(boto3=error)
    return boto3


def aws_core() -> Any:
    """botocore, with the modules of it that are imported here. Raises MissingLibrary."""
    aws()
    import botocore.config
    import botocore.credentials
    import botocore.exceptions
    import botocore.session
    import botocore.utils

    return botocore


def google_auth() -> Any:
    """The namespace ``google`` with google-auth in it. Raises MissingLibrary."""
    error: ImportError | None = None
    try:
        import google.auth
        import google.auth.exceptions
        import google.auth.impersonated_credentials
        import google.oauth2.credentials
        import google.oauth2.service_account
    except ImportError as caught:
        error = caught
    require(google_auth=error)
    requests()
    import google.auth.transport.requests

    return google


def requests() -> Any:
    """requests with its ``exceptions`` (google-cloud-dns brings it). Raises MissingLibrary."""
    error: ImportError | None = None
    try:
        import requests
    except ImportError as caught:
        error = caught
    require(requests=error)
    return requests
