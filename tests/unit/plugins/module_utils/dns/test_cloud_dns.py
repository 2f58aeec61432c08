# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Cloud DNS and Google's libraries say, as the engine and the user hear it; and how changes are cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from ansible_collections.certfleet.acme.plugins.module_utils._dns.cloud_dns import CloudDns
from ansible_collections.certfleet.acme.plugins.module_utils._dns.cloud_dns_errors import (
    explain,
    refused_batch,
)
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import RecordSet, Swap, Zone
from ansible_collections.certfleet.acme.plugins.module_utils._dns.provider import (
    Denied,
    ProviderBusy,
    ProviderError,
)
from google.api_core import exceptions as google_exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import dns as google_dns

OLD = RecordSet("b.example.com", 60, ('"x"',))
SWAPS = [
    Swap("a.example.com", None, RecordSet("a.example.com", 60, ('"1"',))),
    Swap("b.example.com", OLD, RecordSet("b.example.com", 60, ('"x"', '"1"'))),
    Swap("c.example.com", RecordSet("c.example.com", 60, ('"1"',)), None),
]


def answer(status: int, *errors: tuple[str, str]) -> Any:
    """The exception for an answer of Google's."""
    response = requests.Response()
    response.status_code = status
    response.request = requests.Request("POST", "https://dns.googleapis.com/dns/v1/projects/p/x").prepare()
    listed = [{"reason": reason, "message": message, "domain": "global"} for reason, message in errors]
    body = {"error": {"code": status, "message": errors[0][1], "errors": listed}}
    response._content = json.dumps(body).encode()
    return google_exceptions.from_http_response(response)


def told(error: Any, **more: Any) -> ProviderError:
    return explain(error, "https://dns.googleapis.com", "p", **more)


@pytest.mark.parametrize(
    ("status", "reason", "text", "conflicts", "missing", "refused"),
    [
        (409, "alreadyExists", "The resource 'entity.change.additions[1]' named 'b' already exists", "b", "", ""),
        (412, "conditionNotMet", "Precondition not met for 'entity.change.deletions[0]'", "b", "", ""),
        (404, "notFound", "The 'entity.change.deletions[1]' resource named 'c' does not exist.", "c", "c", ""),
        (400, "invalid", "Invalid value for 'entity.change.additions[0].name': 'x'", "", "", "a"),
        (400, "cnameResourceRecordSetConflict", "'entity.change.additions[1]' is invalid: CNAME", "", "", "b"),
        (412, "conditionNotMet", "words that nobody has heard before", "", "", ""),
        (412, "conditionNotMet", "'entity.change.deletions[7]' is not in the request", "", "", ""),
    ],
)
def test_places_in_the_request_are_names(
    status: int, reason: str, text: str, conflicts: str, missing: str, refused: str
) -> None:
    refusal = refused_batch(answer(status, (reason, text)), SWAPS)
    assert refusal is not None
    assert refusal.text == text.rstrip(".")
    found = ["".join(sorted(name[0] for name in names)) for names in (refusal.conflicts, refusal.missing)]
    assert [*found, "".join(name[0] for name in refusal.refused)] == [conflicts, missing, refused]


@pytest.mark.parametrize("status", [409, 412])
def test_a_conflict_without_a_place_is_that_of_the_only_name(status: int) -> None:
    (alone,) = SWAPS[:1]
    refusal = refused_batch(answer(status, ("conditionNotMet", "On purpose")), [alone])
    assert refusal is not None
    assert set(refusal.conflicts) == {alone.name}
    among = refused_batch(answer(status, ("conditionNotMet", "On purpose")), SWAPS)
    assert among is not None
    assert not among.conflicts


def test_all_that_an_answer_lists_counts() -> None:
    both = answer(
        409,
        ("alreadyExists", "The resource 'entity.change.additions[0]' named 'a' already exists"),
        ("conditionNotMet", "Precondition not met for 'entity.change.deletions[1]'"),
    )
    refusal = refused_batch(both, SWAPS)
    assert refusal is not None
    assert set(refusal.conflicts) == {"a.example.com", "c.example.com"}


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (404, "The 'parameters.managedZone' resource named 'z' does not exist."),
        (400, "Invalid value for 'parameters.project': 'P'"),
        (404, "Not Found"),
        (403, "entity.change.additions[0] is forbidden"),
        (503, "later"),
    ],
)
def test_not_everything_is_about_the_batch(status: int, text: str) -> None:
    assert refused_batch(answer(status, ("reason", text)), SWAPS) is None


@pytest.mark.parametrize(
    ("status", "reason", "kind", "fatal", "unsure"),
    [
        (401, "authError", ProviderError, True, False),
        (403, "forbidden", Denied, False, False),
        (403, "insufficientPermissions", Denied, False, False),
        (403, "accessNotConfigured", ProviderError, True, False),
        (403, "quotaExceeded", ProviderBusy, False, False),
        (403, "rateLimitExceeded", ProviderBusy, False, False),
        (403, "userRateLimitExceeded", ProviderBusy, False, False),
        (429, "rateLimitExceeded", ProviderBusy, False, False),
        (500, "backendError", ProviderBusy, False, True),
        (503, "backendError", ProviderBusy, False, True),
        (404, "notFound", ProviderError, True, False),
        (418, "teapot", ProviderError, False, False),
    ],
)
def test_kinds_of_answers(status: int, reason: str, kind: type, fatal: bool, unsure: bool) -> None:
    error = told(answer(status, (reason, "said\nso.")), action="dns.changes.create")
    # The very kind: a Denied or a ProviderBusy is a ProviderError too.
    assert error.__class__ is kind
    assert (error.fatal, error.unsure) == (fatal, unsure)
    assert "said so" in str(error)
    assert "\n" not in str(error)
    assert "https://dns" not in str(error)


@pytest.mark.parametrize(("reason", "divisible"), [("quotaExceeded", True), ("rateLimitExceeded", False)])
def test_a_quota_may_be_that_of_a_single_name(reason: str, divisible: bool) -> None:
    error = told(answer(403, (reason, "said so")))
    assert isinstance(error, ProviderBusy)
    assert error.divisible is divisible


def test_an_unknown_zone_is_no_unknown_project() -> None:
    text = "The 'parameters.managedZone' resource named 'z' does not exist."
    error = told(answer(404, ("notFound", text)), zone_id="z")
    assert "no managed zone z in project p" in str(error)
    assert not error.fatal


def test_a_connection_that_never_was_is_sure_and_one_that_was_cut_is_not() -> None:
    refused = requests.exceptions.ConnectTimeout("no route")
    assert (told(refused).fatal, told(refused).unsure) == (True, False)
    for error in (
        requests.exceptions.ConnectionError("Connection aborted."),
        requests.exceptions.ReadTimeout("slow"),
        requests.exceptions.ChunkedEncodingError("half"),
    ):
        assert isinstance(told(error), ProviderBusy)
        assert told(error).unsure
    secret = told(requests.exceptions.SSLError("bad certificate"))
    assert secret.fatal
    assert "REQUESTS_CA_BUNDLE" in str(secret)
    assert told(ValueError("Expecting value")).unsure


class _Session:
    def send(self, *_arguments: Any, **_options: Any) -> None:
        raise AssertionError("nothing is to be sent")


class _Client:
    _connection = None
    project = "of-the-tests"

    def __init__(self) -> None:
        self._http = _Session()


class _Other(requests.adapters.BaseAdapter):
    """Answers every request in the same way."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__()
        self.status, self.body = status, body

    def send(self, request: Any, *_arguments: Any, **_options: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.request, response.url = self.status, request, str(request.url)
        response.headers["Content-Type"] = "application/json"
        response._content = self.body.encode()
        return response

    def close(self) -> None:
        """Nothing is open."""


def other(status: int, body: str) -> CloudDns:
    """Google's own client, before something that is not Google's."""
    session = requests.Session()
    session.mount("https://", _Other(status, body))
    client = google_dns.Client(project="p", credentials=AnonymousCredentials(), _http=session)
    return CloudDns(client, sleep=lambda _seconds: None)


REQUESTS: dict[str, Callable[[CloudDns], Any]] = {
    "zones": lambda cloud: cloud.zones(["a.example.com"]),
    "read": lambda cloud: cloud.read(Zone("z", "example.com"), ["a.example.com"]),
    "write": lambda cloud: cloud.write(Zone("z", "example.com"), SWAPS),
    "applied": lambda cloud: cloud.applied(Zone("z", "example.com"), "1"),
}


@pytest.mark.parametrize("request_of", list(REQUESTS))
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, '{"error": "blocked by proxy"}'),
        (200, "[]"),
        (200, '"x"'),
        (200, "null"),
        (200, '{"managedZones": [{"id": 1}], "rrsets": ["x"]}'),
        (200, '{"managedZones": 1, "rrsets": [{"type": "TXT", "name": "a.", "ttl": "soon"}]}'),
    ],
)
def test_an_answer_of_something_else_is_told_in_one_line(request_of: str, status: int, body: str) -> None:
    with pytest.raises(ProviderError) as caught:
        REQUESTS[request_of](other(status, body))
    assert "answers is not Cloud DNS: its JSON has another form" in str(caught.value)
    # Whatever it is, it may have passed the request on.
    assert (caught.value.fatal, caught.value.unsure) == (True, True)


@pytest.mark.parametrize("request_of", ["write", "applied"])
def test_an_empty_answer_is_none(request_of: str) -> None:
    with pytest.raises(ProviderError, match="is not Cloud DNS"):
        REQUESTS[request_of](other(200, "{}"))


def swaps(count: int, *, old: int = 0, new: int = 0) -> list[Swap]:
    """So many swaps, from sets of so many characters to sets of so many others."""

    def held(name: str, size: int) -> RecordSet | None:
        return RecordSet(name, 60, ("v" * size,)) if size else None

    return [Swap(f"n{n}", held(f"n{n}", old), held(f"n{n}", new)) for n in range(count)]


@pytest.mark.parametrize(
    ("wanted", "sizes"),
    [
        (swaps(1000, new=45), [1000]),
        (swaps(1001, new=45), [1000, 1]),
        (swaps(1001, old=45), [1000, 1]),
        (swaps(1000, old=45, new=45), [1000]),
        (swaps(1000, old=45, new=90), [740, 260]),
        ([*swaps(600, old=45), *swaps(1000, new=45)], [1600]),
        (swaps(3, new=100_001), [1, 1, 1]),
    ],
)
def test_changes_are_cut_where_cloud_dns_wants_it(wanted: list[Swap], sizes: list[int]) -> None:
    """1,000 additions and, besides, 1,000 deletions, and 100,000 bytes of both."""
    batches = list(CloudDns(_Client()).batches(wanted))
    assert [len(batch) for batch in batches] == sizes
    assert [swap for batch in batches for swap in batch] == wanted
