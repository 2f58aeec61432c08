# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own requests to its CAs."""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlsplit

USER_AGENT = "certfleet-lab"
"""Requests with this User-Agent are not in the request logs of servers that tell it."""


def https(
    base: str,
    ca_path: str,
    method: str,
    path: str,
    body: str | bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    """One HTTPS request that trusts the lab's CA only."""
    context = ssl.create_default_context(cafile=ca_path)
    connection = http.client.HTTPSConnection(urlsplit(base).netloc, timeout=5, context=context)
    try:
        connection.request(method, path, body=body, headers={"User-Agent": USER_AGENT, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
