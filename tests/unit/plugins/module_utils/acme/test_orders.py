# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme import orders
from ansible_collections.certfleet.acme.plugins.module_utils._acme.problems import AcmeProblem
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError

from .scripted import KEY, URN, Answer, ScriptedCA, problem, scripted_ca


@pytest.fixture
def ca() -> Iterator[ScriptedCA]:
    with scripted_ca() as running:
        yield running


def created(ca: ScriptedCA) -> Answer:
    return 201, {"Location": f"{ca.url}/order/1"}, {"status": "pending", "identifiers": [], "authorizations": []}


def sent(ca: ScriptedCA) -> list[Any]:
    return [payload for _method, path, _protected, payload in ca.asked if path == "/newOrder"]


def test_an_order_says_names_profile_and_dates(ca: ScriptedCA) -> None:
    ca.script["newOrder"] = [created(ca)]
    order = orders.new_order(
        ca.session(), ["example.com", "*.example.com", "192.0.2.7"], profile="short", not_after="2026-12-01t00:00:00z"
    )
    assert order.uri == f"{ca.url}/order/1"
    assert sent(ca) == [
        {
            "identifiers": [
                {"type": "dns", "value": "example.com"},
                {"type": "dns", "value": "*.example.com"},
                {"type": "ip", "value": "192.0.2.7"},
            ],
            "profile": "short",
            "notAfter": "2026-12-01T00:00:00Z",
        }
    ]


@pytest.mark.parametrize(
    "instant",
    ["2097-01-31T00:00:00Z", "2097-01-31t00:00:00z", "2097-01-31T00:00:00.123456789Z", "2097-01-31T00:00:00-05:30"],
)
def test_an_instant_of_rfc_3339_is_taken(instant: str) -> None:
    orders.check_validity({"not_before": "2097-01-01T00:00:00Z", "not_after": instant})


@pytest.mark.parametrize(
    "instant",
    [
        "20970131T000000Z",
        "2097-01-31 00:00:00Z",
        "2097-01-31T00Z",
        "2097-01-31T00:00Z",
        "2097-W05-7T00:00:00Z",
        "2097-01-31T00:00:00",
        "2097-01-31T00:00:00+0100",
        "2097-01-31T00:00:00+01:00:30",
        "2097-02-30T00:00:00Z",
        "2097-01-31T00:00:00Z\n",
        "2097-01-31",
    ],
)
@pytest.mark.parametrize("name", ["not_before", "not_after"])
def test_what_is_no_instant_of_rfc_3339_is_refused(name: str, instant: str) -> None:
    with pytest.raises(CertfleetError, match=rf"{name} '.*' is no instant"):
        orders.check_validity({name: instant})


def test_a_validity_that_is_over_is_refused() -> None:
    orders.check_validity({"not_before": "2020-01-01T00:00:00Z"})
    with pytest.raises(CertfleetError, match=r"not_after 2020-01-01T00:00:00Z is past"):
        orders.check_validity({"not_after": "2020-01-01T00:00:00Z"})


def test_replaces_is_kept_from_a_ca_without_renewal_information(ca: ScriptedCA) -> None:
    ca.script["newOrder"] = [created(ca)]
    assert orders.new_order(ca.session(), ["example.com"], replaces="a.b").replaces_dropped == ""
    assert ["replaces" in one for one in sent(ca)] == [False]


@pytest.mark.parametrize(
    "refusal",
    [
        problem("alreadyReplaced", 409),
        problem("malformed", 409, "certificate was already replaced"),
        problem("malformed", 404, "no such certificate"),
        problem("unauthorized", 403, "another account's"),
        problem("malformed", 400, 'parsing the "replaces" field'),
        problem("malformed", 400, "parsing ARI CertID failed"),
        problem("serverInternal", 500, "could not find an order for the given certificate"),
        (500, {}, b"no words at all"),
    ],
)
def test_replaces_is_dropped_when_the_ca_refuses_it(ca: ScriptedCA, refusal: Answer) -> None:
    ca.directory["renewalInfo"] = f"{ca.url}/renewalInfo"
    ca.script["newOrder"] = [refusal, created(ca)]
    order = orders.new_order(ca.session(), ["example.com"], replaces="a.b")
    assert [one.get("replaces") for one in sent(ca)] == ["a.b", None]
    assert order.replaces_dropped.startswith("the CA refused to note which certificate is replaced: ")


def test_replaces_is_sent_once_when_the_ca_takes_it(ca: ScriptedCA) -> None:
    ca.directory["renewalInfo"] = f"{ca.url}/renewalInfo"
    ca.script["newOrder"] = [created(ca)]
    orders.new_order(ca.session(), ["example.com"], replaces="a.b")
    assert [one.get("replaces") for one in sent(ca)] == ["a.b"]


@pytest.mark.parametrize(
    "refusal",
    [
        problem("rateLimited", 403),
        problem("rateLimited", 429, Retry_After="9999"),
        problem("serverInternal", 503, Retry_After="9999"),
    ],
)
def test_a_ca_that_wants_to_be_left_alone_is_not_asked_without_replaces(ca: ScriptedCA, refusal: Answer) -> None:
    ca.directory["renewalInfo"] = f"{ca.url}/renewalInfo"
    ca.script["newOrder"] = [refusal]
    with pytest.raises(AcmeProblem, match=r"the CA refused the order for example.com"):
        orders.new_order(ca.session(), ["example.com"], replaces="a.b")
    assert len(sent(ca)) == 1


def test_what_is_wrong_with_the_order_itself_is_told_by_the_second_answer(ca: ScriptedCA) -> None:
    ca.directory["renewalInfo"] = f"{ca.url}/renewalInfo"
    ca.script["newOrder"] = [problem("rejectedIdentifier", 400, "first"), problem("rejectedIdentifier", 400, "second")]
    with pytest.raises(AcmeProblem, match=r"the CA refused the order for example.com: rejectedIdentifier: second"):
        orders.new_order(ca.session(), ["example.com"], replaces="a.b")
    assert [one.get("replaces") for one in sent(ca)] == ["a.b", None]


def test_a_lost_answer_does_not_cost_replaces(ca: ScriptedCA) -> None:
    ca.directory["renewalInfo"] = f"{ca.url}/renewalInfo"
    ca.script["newOrder"] = [None, created(ca)]
    assert orders.new_order(ca.session(), ["example.com"], replaces="a.b").replaces_dropped == ""
    assert [one.get("replaces") for one in sent(ca)] == ["a.b", "a.b"]


@pytest.mark.parametrize(
    ("status", "authorization", "names", "usable"),
    [
        ("pending", "pending", ["example.com"], True),
        ("pending", "valid", ["example.com"], True),
        ("pending", "invalid", ["example.com"], False),
        ("pending", "deactivated", ["example.com"], False),
        ("ready", "valid", ["example.com"], True),
        ("processing", "valid", ["example.com"], True),
        ("valid", "valid", [], True),
        ("invalid", "valid", ["example.com"], False),
        ("ready", "valid", ["example.com", "example.net"], False),
    ],
)
def test_an_order_of_an_earlier_run_is_taken_up_when_it_can_still_give_the_certificate(
    ca: ScriptedCA, status: str, authorization: str, names: list[str], usable: bool
) -> None:
    identifier = {"type": "dns", "value": "example.com"}
    body = {"status": status, "identifiers": [identifier], "authorizations": [f"{ca.url}/authz"]}
    ca.script["order"] = [(200, {}, body)]
    ca.script["authz"] = [(200, {}, {"status": authorization, "identifier": identifier, "challenges": []})]
    found = orders.usable_order(ca.session(), f"{ca.url}/order", names)
    assert (found is not None) is usable


def test_an_order_that_the_ca_forgot_is_not_taken_up(ca: ScriptedCA) -> None:
    assert orders.usable_order(ca.session(), f"{ca.url}/order", []) is None


def test_the_txt_record_is_that_of_rfc_8555() -> None:
    import base64
    import hashlib

    token = "DGyRejmCefe7v4NfDGDKfA"
    body = {"identifier": {"type": "dns", "value": "Example.COM"}, "wildcard": True, "status": "pending"}
    authorization = orders.Authorization("https://ca.example/1", body)

    class Keyed:
        signing_key = KEY

    challenge = orders.Challenge({"type": "dns-01", "url": "https://ca.example/2", "token": token})
    digest = hashlib.sha256(f"{token}.{KEY.thumbprint}".encode()).digest()
    expected = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    keyed: Any = Keyed()
    assert orders.txt_record(keyed, authorization, challenge) == ("_acme-challenge.example.com", expected)


def test_a_token_that_is_too_short_to_be_safe_is_refused() -> None:
    authorization = orders.Authorization("u", {"identifier": {"type": "dns", "value": "example.com"}})
    keyed: Any = None
    with pytest.raises(CertfleetError, match=r"challenge for example.com cannot be read"):
        orders.txt_record(keyed, authorization, orders.Challenge({"type": "dns-01", "url": "u", "token": "YWJj"}))


def test_a_challenge_that_is_not_offered_is_told_with_those_that_are() -> None:
    body = {
        "identifier": {"type": "dns", "value": "example.com"},
        "challenges": [{"type": "http-01"}, {"type": "tls-alpn-01"}],
    }
    with pytest.raises(CertfleetError, match=r"no dns-01 challenge for example.com, only http-01, tls-alpn-01"):
        orders.Authorization("u", body).challenge("dns-01")


def test_a_ca_that_says_yes_to_a_deactivation_and_does_nothing_is_told(ca: ScriptedCA) -> None:
    body = {"identifier": {"type": "dns", "value": "example.com"}, "status": "pending"}
    ca.script["authz"] = [(200, {}, body), (200, {}, {**body, "status": "deactivated"})]
    session = ca.session()
    with pytest.raises(CertfleetError, match=r"did not deactivate the authorization for example.com"):
        orders.deactivate_authorization(session, f"{ca.url}/authz")
    orders.deactivate_authorization(session, f"{ca.url}/authz")
    assert ca.asked[-1][3] == {"status": "deactivated"}


def test_errors_of_the_ca_name_the_problem_of_each_identifier(ca: ScriptedCA) -> None:
    parts = [
        {"type": URN + "caa", "detail": "no", "identifier": {"type": "dns", "value": "a.example.com"}},
        {"type": URN + "dns", "detail": "gone", "identifier": {"type": "dns", "value": "b.example.com"}},
    ]
    body = {"type": URN + "compound", "detail": "two of them", "subproblems": parts}
    ca.script["newOrder"] = [(403, {}, body)]
    with pytest.raises(AcmeProblem) as caught:
        orders.new_order(ca.session(), ["a.example.com", "b.example.com"])
    assert "compound: two of them (a.example.com: caa: no; b.example.com: dns: gone)" in str(caught.value)
    assert caught.value.details["problem"]["subproblems"] == parts
