# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import string
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.acme.plugins.filter.caa_records import caa_records
from ansible_collections.certfleet.acme.plugins.filter.cloud_dns_role import cloud_dns_role
from ansible_collections.certfleet.acme.plugins.filter.cname_delegations import cname_delegations
from ansible_collections.certfleet.acme.plugins.filter.route53_policy import route53_policy
from ansible_collections.certfleet.acme.plugins.filter.waves import waves
from hypothesis import given
from hypothesis import strategies as st

CERTIFICATES = [
    {"name": "apex", "identifiers": ["Example.com", "*.example.com"]},
    {"name": "web", "identifiers": ["www.example.com", "10.0.0.1", "a.sub.example.com"]},
    {"name": "wild", "identifiers": ["*.example.net"]},
]
NAMES = st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=5), min_size=1, max_size=6)


def allowed(policy: dict[str, Any]) -> dict[str, list[str]]:
    """Zone resource to names."""
    return {
        statement["Resource"][0]: statement["Condition"]["ForAllValues:StringEquals"][
            "route53:ChangeResourceRecordSetsNormalizedRecordNames"
        ]
        for statement in policy["Statement"]
        if "Condition" in statement
    }


def test_the_policy_allows_each_name_in_its_own_zone_only() -> None:
    zones = {"example.com": "Z1", "sub.example.com.": "/hostedzone/Z2", "example.net": "Z3"}
    policy = route53_policy(CERTIFICATES, zones)
    assert allowed(policy) == {
        "arn:aws:route53:::hostedzone/Z1": ["_acme-challenge.example.com", "_acme-challenge.www.example.com"],
        "arn:aws:route53:::hostedzone/Z2": ["_acme-challenge.a.sub.example.com"],
        "arn:aws:route53:::hostedzone/Z3": ["_acme-challenge.example.net"],
    }
    conditions = policy["Statement"][0]["Condition"]["ForAllValues:StringEquals"]
    assert conditions["route53:ChangeResourceRecordSetsRecordTypes"] == ["TXT"]
    assert conditions["route53:ChangeResourceRecordSetsActions"] == ["CREATE", "DELETE"]
    assert "ListHostedZones" not in str(policy)
    assert "ListHostedZones" in str(route53_policy(CERTIFICATES))
    with pytest.raises(AnsibleFilterError, match=r"_acme-challenge\.example\.net lies in none of the zones"):
        route53_policy(CERTIFICATES, {"example.com": "Z1"})


def test_the_policy_of_delegated_names_is_for_where_they_lead() -> None:
    names = allowed(route53_policy(CERTIFICATES, {"acme.example.org": "Z9"}, "acme.example.org"))
    targets = sorted(entry["value"] for entry in cname_delegations(CERTIFICATES, "acme.example.org"))
    assert names == {"arn:aws:route53:::hostedzone/Z9": targets}


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_the_policy_names_resources_of_its_partition_only(partition: str) -> None:
    for zones in ({}, {"example.com": "Z1", "example.net": "Z3"}):
        statements = route53_policy(CERTIFICATES, zones, partition=partition)["Statement"]
        resources = [resource for statement in statements for resource in statement["Resource"] if resource != "*"]
        assert {resource.split(":")[1] for resource in resources} == {partition}
        assert any(resource.endswith(":::change/*") for resource in resources)


@pytest.mark.parametrize("partition", ["", "aws:", "azure", "aws\n"])
def test_what_is_no_partition_is_said(partition: str) -> None:
    with pytest.raises(AnsibleFilterError, match="is no partition of AWS"):
        route53_policy(CERTIFICATES, partition=partition)


@given(NAMES, st.sets(st.sampled_from(["", "*."]), min_size=1))
def test_every_name_gets_its_challenge_and_nothing_else(labels: list[str], forms: set[str]) -> None:
    names = [f"{form}{label}.example.com" for label in labels for form in sorted(forms)]
    expected = sorted({f"_acme-challenge.{label}.example.com" for label in labels})
    assert allowed(route53_policy(names, {"example.com": "Z1"})) == {"arn:aws:route53:::hostedzone/Z1": expected}
    moved = cname_delegations(names, "acme.example.org")
    assert sorted(entry["record"] for entry in moved) == expected
    assert all(entry["value"] == f"{entry['record']}.acme.example.org" for entry in moved)
    assert cname_delegations(names, "example.com") == []


def test_the_role_lists_zones_only_where_none_is_named() -> None:
    assert "dns.managedZones.list" in cloud_dns_role({})["includedPermissions"]
    named = cloud_dns_role({"example.com": "example-com"}, title="mine")
    assert "dns.managedZones.list" not in named["includedPermissions"]
    assert named["title"] == "mine"
    assert "dns.changes.list" in named["includedPermissions"]


def test_caa_allows_what_is_declared_and_forbids_the_rest() -> None:
    found = {
        entry["record"]: entry["values"] for entry in caa_records(CERTIFICATES, ["ca.example"], "https://ca/acct/1")
    }
    allow = "ca.example; accounturi=https://ca/acct/1; validationmethods=dns-01"
    assert found == {
        "example.com": [f'0 issue "{allow}"'],
        "www.example.com": [f'0 issue "{allow}"', '0 issuewild ";"'],
        "a.sub.example.com": [f'0 issue "{allow}"', '0 issuewild ";"'],
        "example.net": ['0 issue ";"', f'0 issuewild "{allow}"'],
    }
    plain = caa_records(["a.example"], "ca.example", validation_methods=[], iodef="mailto:x@a.example")
    assert plain[0]["values"] == ['0 issue "ca.example"', '0 issuewild ";"', '0 iodef "mailto:x@a.example"']


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((["a.example"], []), "no issuer"),
        ((["a.example"], ["ca.example"], "https://ca/x; y"), "cannot be the account"),
        ((["a.example"], ["ca.example"], "https://ca/x\n"), "cannot be the account"),
        ((["a.example"], ["ca.example"], "", ["dns 01"]), "no validation method"),
        ((["a.example"], ["ca.example"], "", ["dns-01\n"]), "no validation method"),
        ((["a.example"], ["ca.example"], "", [], 'mailto:a"b@a.example'), "cannot be the iodef"),
        ((["a.example"], ["ca.example"], "", [], "mailto:x@a.example\n"), "cannot be the iodef"),
        ((["a.example"], ["ca.example"], "", [], "mailto:x\\@a.example"), "cannot be the iodef"),
        ((["a.example"], ["ca.example"], "", [], "x@a.example"), "cannot be the iodef"),
        (("a.example", ["ca.example"]), "a list of"),
        (([{"name": "x"}], ["ca.example"]), "neither a name nor"),
        ((["-bad-.example"], ["ca.example"]), "-bad-"),
    ],
)
def test_what_cannot_be_a_caa_record_is_said(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        caa_records(*arguments)


@pytest.mark.parametrize(
    ("sizes", "meant"),
    [
        (3, [3]),
        ("3", [3]),
        ("25%", ["25%"]),
        ([1, "25%", "100%"], [1, "25%", "100%"]),
        ('[1,"50%"]', [1, "50%"]),
        ("[1, '50%']", [1, "50%"]),
        ("1, 12.5%,100%", [1, "12.5%", "100%"]),
        (["1", 2.0], [1, 2]),
    ],
)
def test_waves_are_read_from_whatever_a_variable_has(sizes: Any, meant: list[Any]) -> None:
    assert waves(sizes) == meant


@pytest.mark.parametrize("sizes", ["many", "", "0", 0, "-1", "25 %", [1, None], {"a": 1}, "1;2", [2.5]])
def test_waves_of_no_size_are_refused(sizes: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="no size of a wave"):
        waves(sizes)
