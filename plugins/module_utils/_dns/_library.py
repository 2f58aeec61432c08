# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The third-party libraries of this room, imported when they are first needed and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._cloud import _library as _shared
from .._module import require

if TYPE_CHECKING:
    from types import ModuleType

aws_core, google_auth, requests = _shared.aws_core, _shared.google_auth, _shared.requests


def dns() -> ModuleType:
    """dnspython. Raises MissingLibrary."""
    error: ImportError | None = None
    try:
        import dns.exception
        import dns.flags
        import dns.message
        import dns.query
        import dns.rcode
        import dns.rdatatype
        import dns.resolver
        import dns.tsig
        import dns.tsigkeyring
        import dns.update
    except ImportError as caught:
        error = caught
    require(dnspython=error)
    return dns


def google() -> Any:
    """The namespace ``google`` with google-cloud-dns and google-auth in it. Raises MissingLibrary."""
    error: ImportError | None = None
    try:
        import google.api_core.client_info
        import google.api_core.exceptions
        import google.api_core.page_iterator
        import google.cloud.dns
    except ImportError as caught:
        error = caught
    require(google_cloud_dns=error)
    google_auth()
    return google
