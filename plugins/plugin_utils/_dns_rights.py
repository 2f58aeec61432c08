# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What declared certificates need in DNS: challenge names, rights to write them, CAA records, delegations. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._names import base_domain, is_ip, normalise

_PREFIX = "_acme-challenge."
#: RFC 8659 section 4.2: a parameter's value has neither blanks nor semicolons.
_CAA_VALUE = re.compile(r"[\x21-\x3a\x3c-\x7e]+")
#: RFC 8657 section 4: the labels of validation methods.
_CAA_METHOD = re.compile(r"[a-z0-9-]+")
#: RFC 8659 section 4.4: where to tell of requests, a URL; without what ends or escapes text in quotes.
_CAA_IODEF = re.compile(r"(?:mailto|https?):[\x21\x23-\x5b\x5d-\x7e]+")
#: AWS: the second part of an ARN, such as aws, aws-cn or aws-us-gov.
_PARTITION = re.compile(r"aws(?:-[a-z]+)*")
_NAME_MAX = 253


def identifiers(certificates: Any) -> list[str]:
    """The DNS names of declared certificates (mappings with ``identifiers``), or of a list of names; each once, in
    their order. Addresses are left out: they have no place in DNS. Raises CertfleetError."""
    if not isinstance(certificates, (list, tuple)):
        raise CertfleetError("a list of certificates or of names is wanted")
    names: dict[str, None] = {}
    for entry in certificates:
        listed = entry.get("identifiers") if isinstance(entry, Mapping) else [entry]
        if not isinstance(listed, (list, tuple)) or not all(isinstance(name, str) for name in listed):
            raise CertfleetError(f"neither a name nor a certificate with identifiers: {entry!r}")
        names.update((normalise(name), None) for name in listed if not is_ip(name))
    return list(names)


def challenge_names(certificates: Any) -> list[str]:
    """The names of the TXT records that prove them: a name and its wildcard have the same one."""
    return list(dict.fromkeys(_PREFIX + base_domain(name) for name in identifiers(certificates)))


def delegations(certificates: Any, zone: str) -> list[dict[str, str]]:
    """The CNAME of each challenge name into ``zone``, where alone the values are written."""
    place = normalise(zone)
    found = []
    for name in challenge_names(certificates):
        target = f"{name}.{place}"
        if len(target) > _NAME_MAX:
            raise CertfleetError(f"{target} is longer than the {_NAME_MAX} characters that a name may have")
        if not f".{name}".endswith(f".{place}"):
            found.append({"record": name, "type": "CNAME", "value": target})
    return found


def route53_policy(
    certificates: Any, zone_ids: Mapping[str, str], delegated: str, partition: str = "aws"
) -> dict[str, Any]:
    """An IAM policy for changing TXT sets of exactly the challenge names, and for what finding and waiting takes."""
    if not _PARTITION.fullmatch(partition):
        raise CertfleetError(
            f"{partition!r} is no partition of AWS", remedy="Give aws, aws-cn, aws-us-gov or another one."
        )
    names = challenge_names(certificates)
    if delegated:
        moved = {entry["record"]: entry["value"] for entry in delegations(certificates, delegated)}
        names = [moved.get(name, name) for name in names]
    if not names:
        raise CertfleetError("there are no names to allow anything for")
    by_zone: dict[str, list[str]] = {}
    known = {normalise(zone): zone_id.rpartition("/")[2] for zone, zone_id in zone_ids.items()}
    for name in names:
        zones = [zone for zone in known if f".{name}".endswith(f".{zone}")]
        if known and not zones:
            raise CertfleetError(f"{name} lies in none of the zones {', '.join(sorted(known))}")
        by_zone.setdefault(known[max(zones, key=len)] if zones else "*", []).append(name)
    resources = [f"arn:{partition}:route53:::hostedzone/{zone}" for zone in by_zone]
    statements: list[dict[str, Any]] = [
        {
            "Effect": "Allow",
            "Action": ["route53:ChangeResourceRecordSets"],
            "Resource": [f"arn:{partition}:route53:::hostedzone/{zone}"],
            "Condition": {
                "ForAllValues:StringEquals": {
                    "route53:ChangeResourceRecordSetsNormalizedRecordNames": sorted(held),
                    "route53:ChangeResourceRecordSetsRecordTypes": ["TXT"],
                    "route53:ChangeResourceRecordSetsActions": ["CREATE", "DELETE"],
                }
            },
        }
        for zone, held in by_zone.items()
    ]
    statements.append({"Effect": "Allow", "Action": ["route53:ListResourceRecordSets"], "Resource": resources})
    statements.append(
        {"Effect": "Allow", "Action": ["route53:GetChange"], "Resource": [f"arn:{partition}:route53:::change/*"]}
    )
    if not known:
        actions = ["route53:ListHostedZones", "route53:ListHostedZonesByName"]
        statements.append({"Effect": "Allow", "Action": actions, "Resource": ["*"]})
    return {"Version": "2012-10-17", "Statement": statements}


def cloud_dns_role(zone_ids: Mapping[str, str], title: str) -> dict[str, Any]:
    """A custom role for Google Cloud with what writing TXT values takes; listing zones only when none is named."""
    permissions = {
        "dns.changes.create",
        "dns.changes.get",
        "dns.changes.list",
        "dns.resourceRecordSets.create",
        "dns.resourceRecordSets.delete",
        "dns.resourceRecordSets.list",
        "dns.resourceRecordSets.update",
    }
    if not zone_ids:
        permissions.add("dns.managedZones.list")
    return {
        "title": title,
        "description": "Adds and removes the TXT values of ACME challenges",
        "stage": "GA",
        "includedPermissions": sorted(permissions),
    }


def caa_records(
    certificates: Any, issuers: Iterable[str], account_uri: str, methods: Iterable[str], iodef: str
) -> list[dict[str, Any]]:
    """CAA sets that let only these issuers give what is declared: names, wildcards or both (RFC 8659 section 4)."""
    named = [normalise(issuer) for issuer in issuers]
    if not named:
        raise CertfleetError("no issuer is given", remedy="Name at least one, such as letsencrypt.org.")
    parameters = ""
    if account_uri:
        if not _CAA_VALUE.fullmatch(account_uri) or '"' in account_uri:
            raise CertfleetError(f"{account_uri!r} cannot be the account of a CAA record")
        parameters += f"; accounturi={account_uri}"
    if iodef and not _CAA_IODEF.fullmatch(iodef):
        raise CertfleetError(
            f"{iodef!r} cannot be the iodef of a CAA record",
            remedy="Write it as mailto:security@example.com or as a URL of http or https.",
        )
    listed = list(methods)
    if listed:
        bad = [method for method in listed if not _CAA_METHOD.fullmatch(method)]
        if bad:
            raise CertfleetError(f"{bad[0]!r} is no validation method")
        parameters += f"; validationmethods={','.join(listed)}"
    allow = [issuer + parameters for issuer in named]
    names: dict[str, set[bool]] = {}
    for name in identifiers(certificates):
        names.setdefault(base_domain(name), set()).add(name.startswith("*."))
    records = []
    for name, kinds in names.items():
        values = [f'0 issue "{value}"' for value in (allow if False in kinds else [";"])]
        # Without issuewild, issue would speak for wildcards too.
        if kinds != {False, True}:
            values += [f'0 issuewild "{value}"' for value in (allow if True in kinds else [";"])]
        if iodef:
            values.append(f'0 iodef "{iodef}"')
        records.append({"record": name, "type": "CAA", "values": values})
    return records
