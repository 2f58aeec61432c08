# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import RecordSet, Swap, Zone
from ansible_collections.certfleet.acme.plugins.module_utils._dns.provider import (
    BatchRefused,
    ProviderBusy,
    ProviderError,
)
from ansible_collections.certfleet.acme.plugins.module_utils._dns.route53 import Route53, connect
from botocore import exceptions
from botocore.awsrequest import AWSResponse

NAME = "_acme-challenge.example.com"
SWAP = Swap(NAME, None, RecordSet(NAME, 60, ('"value"',)))
LOST = exceptions.ReadTimeoutError(endpoint_url="http://127.0.0.1:1/")
REFUSED = exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:1/")


class _Body:
    def __init__(self, text: str) -> None:
        self._text = text.encode()

    def stream(self, **_ignored: Any) -> Any:
        yield self._text


def error(status: int, code: str, message: str = "words") -> AWSResponse:
    text = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    return AWSResponse("http://127.0.0.1:1/", status, {"content-type": "text/xml"}, _Body(text))


EXISTS = error(400, "InvalidChangeBatch", f"Tried to create resource record set [name='{NAME}.'] but it already exists")
BUSY = error(400, "Throttling")
EXPIRED = ProviderError("the role cannot be assumed any more", fatal=True)


@pytest.mark.parametrize(
    ("answers", "unsure"),
    [
        ([EXISTS], False),
        ([BUSY, EXISTS], False),
        ([REFUSED, EXISTS], False),
        ([LOST, EXISTS], True),
        ([error(500, "InternalFailure"), EXISTS], True),
        ([LOST, BUSY, EXISTS], True),
        ([BUSY] * 5, False),
        ([LOST, *[BUSY] * 4], True),
        ([error(503, "ServiceUnavailable"), *[BUSY] * 4], True),
        ([REFUSED] * 5, False),
        ([*[REFUSED] * 4, LOST], True),
        ([EXPIRED], False),
        ([LOST, EXPIRED], True),
    ],
)
def test_a_write_is_unsure_when_an_earlier_copy_of_it_may_have_been_applied(
    monkeypatch: pytest.MonkeyPatch, answers: list[Any], unsure: bool
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    client = connect({"access_key": "a", "secret_key": "b", "region": "us-east-1"})
    provider = Route53(client, requests_per_second=1e6)
    script = iter(answers)

    def send(**_ignored: Any) -> Any:
        given = next(script)
        if isinstance(given, Exception):
            raise given
        return given

    client.meta.events.register("before-send.route-53", send)
    with pytest.raises((BatchRefused, ProviderError)) as caught:
        provider.write(Zone(id="Z1", name="example.com", private=False), [SWAP])
    assert next(script, None) is None
    assert provider.calls == len(answers)
    told: Any = caught.value
    assert (told.retried if isinstance(told, BatchRefused) else told.unsure) is unsure
    assert isinstance(told, BatchRefused) == (answers[-1] is EXISTS)
    assert isinstance(told, ProviderBusy) == (answers[-1] is BUSY)
