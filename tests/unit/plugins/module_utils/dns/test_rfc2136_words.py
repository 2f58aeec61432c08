# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a name server's refusals sound like; dynamic updates against a real one are with the integration tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dns.message
import dns.rcode
import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import RecordSet, Swap, Zone
from ansible_collections.certfleet.acme.plugins.module_utils._dns.provider import ProviderBusy, ProviderError
from ansible_collections.certfleet.acme.plugins.module_utils._dns.rfc2136 import Rfc2136

ZONE = Zone("example.com", "example.com")
NAME = "a.example.com"
REQUESTS: dict[str, Callable[[Rfc2136], Any]] = {
    "read": lambda server: server.read(ZONE, [NAME]),
    "write": lambda server: server.write(ZONE, [Swap(NAME, None, RecordSet(NAME, 60, ('"x"',)))]),
}


@pytest.mark.parametrize("request_of", list(REQUESTS))
@pytest.mark.parametrize("code", [dns.rcode.SERVFAIL, dns.rcode.NOTAUTH])
def test_a_failure_says_where_to_look(request_of: str, code: dns.rcode.Rcode) -> None:
    server = Rfc2136({"server": "127.0.0.1:5353"})

    def answer(message: Any) -> Any:
        reply = dns.message.make_response(message)
        reply.set_rcode(code)
        return reply

    server._send = answer  # type: ignore[method-assign]
    with pytest.raises(ProviderError) as caught:
        REQUESTS[request_of](server)
    assert str(caught.value).startswith("the name server 127.0.0.1:5353 ")
    assert dns.rcode.to_text(code) in str(caught.value)
    assert "Its log says why" in caught.value.remedy
    assert isinstance(caught.value, ProviderBusy) == (request_of == "write" and code == dns.rcode.SERVFAIL)
