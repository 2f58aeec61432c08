# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.provider import Denied, ProviderBusy
from ansible_collections.certfleet.acme.plugins.module_utils._dns.route53_errors import explain, refused_batch
from botocore import exceptions

A, B = "_acme-challenge.a.example.com", "_acme-challenge.b.example.com"


def answer(
    code: str, message: str, status: int = 400, operation: str = "ChangeResourceRecordSets"
) -> exceptions.ClientError:
    return exceptions.ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation
    )


@pytest.mark.parametrize(
    ("code", "text", "conflicts", "refused"),
    [
        (
            "InvalidChangeBatch",
            f"[Tried to create resource record set [name='{A}.', type='TXT'] but it already exists, "
            f"Tried to delete resource record set [name='{B}.', type='TXT'] but it was not found]",
            {A, B},
            set(),
        ),
        (
            "InvalidChangeBatch",
            f'[RRSet with DNS name {A}., type TXT, SetIdentifier "x.y" cannot be created because a non multivalue '
            "answer rrset exists with the same name and type.]",
            {A},
            set(),
        ),
        (
            "InvalidChangeBatch",
            f"[Tried to delete resource record set [name='{A}.', type='TXT'] but the values provided do not match the "
            f"current values, RRSet with DNS name {B}. is not permitted in zone example.org.]",
            {A},
            {B},
        ),
        (
            "InvalidChangeBatch",
            f"[RRSet of type TXT with DNS name {A}. is not permitted because a conflicting RRSet of type  CNAME "
            "with the same DNS name already exists in zone example.com.]",
            set(),
            {A},
        ),
        (
            "InvalidChangeBatch",
            f"Tried to create resource record set {A}. type TXT but it already exists.",
            {A},
            set(),
        ),
        (
            "InvalidInput",
            "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or "
            f"TrafficPolicyInstanceId], but found none in Change with [Action=DELETE, Name={A}., Type=TXT]",
            {A},
            set(),
        ),
        ("InvalidChangeBatch", "Invalid Resource Record: FATAL problem: CharacterStringTooLong", set(), set()),
        ("InvalidChangeBatch", "Number of records limit of 1000 exceeded.", set(), set()),
    ],
)
def test_refused_batches_are_taken_apart_by_name(code: str, text: str, conflicts: set[str], refused: set[str]) -> None:
    refusal = refused_batch(answer(code, text))
    assert refusal is not None
    assert (set(refusal.conflicts), refusal.missing, set(refusal.refused)) == (conflicts, set(), refused)
    for name in conflicts | refused:
        assert name in {**refusal.conflicts, **refusal.refused}[name]


def test_a_cname_in_the_way_is_told_to_the_end() -> None:
    text = (
        f"RRSet of type TXT with DNS name {A}. is not permitted because a conflicting RRSet of type CNAME with the"
        " same DNS name already exists in zone example.com."
    )
    both = f"[{text}, RRSet with DNS name {B}. is not permitted in zone example.org.]"
    refusal = refused_batch(answer("InvalidChangeBatch", both))
    assert refusal is not None
    assert refusal.refused[A] == text
    assert set(refusal.refused) == {A, B}


def test_the_messages_of_a_list_are_read() -> None:
    error = answer("InvalidChangeBatch", "")
    error.response["messages"] = [
        f"Tried to create resource record set [name='{A}.', type='TXT'] but it already exists"
    ]
    refusal = refused_batch(error)
    assert refusal is not None
    assert set(refusal.conflicts) == {A}


@pytest.mark.parametrize("error", [answer("AccessDenied", "no", 403), answer("InvalidInput", "no", 400, "GetChange")])
def test_other_answers_are_no_refused_batches(error: exceptions.ClientError) -> None:
    assert refused_batch(error) is None


@pytest.mark.parametrize(
    ("error", "kind", "fatal", "words"),
    [
        (answer("InvalidClientTokenId", "The security token is invalid", 403), "ProviderError", True, "access_key"),
        (answer("SignatureDoesNotMatch", "x", 403), "ProviderError", True, "credentials"),
        (answer("AccessDenied", "not authorized", 403, "ListHostedZones"), "Denied", False, "zone_ids"),
        (answer("AccessDenied", "not authorized", 403), "Denied", False, "route53:ChangeResourceRecordSets"),
        (answer("NoSuchHostedZone", "No hosted zone found", 404), "ProviderError", False, "no hosted zone Z9"),
        (answer("Throttling", "Rate exceeded"), "ProviderBusy", False, "requests_per_second"),
        (answer("PriorRequestNotComplete", "x"), "ProviderBusy", False, "busy"),
        (answer("Whatever", "x", 503), "ProviderBusy", False, "busy"),
        (exceptions.NoCredentialsError(), "ProviderError", True, "AWS_ACCESS_KEY_ID"),
        (exceptions.EndpointConnectionError(endpoint_url="http://x"), "ProviderError", True, "cannot be reached"),
        (exceptions.SSLError(endpoint_url="https://x", error="bad"), "ProviderError", True, "aws_ca_bundle"),
        (exceptions.ProfileNotFound(profile="acme"), "ProviderError", True, "acme"),
    ],
)
def test_errors_are_one_line_with_a_way_out(error: Exception, kind: str, fatal: bool, words: str) -> None:
    told = explain(error, "https://route53.example", "Z9")
    assert (type(told).__name__, told.fatal) == (kind, fatal)
    assert words in str(told)
    assert "\n" not in str(told)
    assert isinstance(told, Denied) == (kind == "Denied")
    assert isinstance(told, ProviderBusy) == (kind == "ProviderBusy")
