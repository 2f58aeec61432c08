# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: route53_policy
short_description: An IAM policy that allows the TXT changes of declared certificates and nothing else
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Makes the policy that the credentials for Route53 need, so that they can change TXT records of the
    C(_acme-challenge) names of these certificates only.
  - It allows V(CREATE) and V(DELETE), which is all that this collection sends. A program that uses C(UPSERT) would be
    refused.
  - A managed policy of AWS holds 6,144 characters. For more names than fit, delegate them into a zone of their own, see
    P(certfleet.acme.cname_delegations#filter).
options:
  _input:
    description: Declared certificates, each with its C(identifiers), or a list of names. IP addresses are left out.
    type: list
    elements: raw
    required: true
  zone_ids:
    description:
      - Hosted zone ids by zone name, as in the option C(zone_ids) of P(certfleet.acme.dns01_route53#module).
      - When given, each name is allowed in its own zone only, and no right to list zones is in the policy.
    type: dict
    default: {}
  delegated_to:
    description: The zone that the names are delegated into by CNAME, if they are. The rights are then for names in it.
    type: str
    default: ""
  partition:
    description: The partition of AWS that the zones are in, such as V(aws), V(aws-cn) or V(aws-us-gov).
    type: str
    default: aws
"""

EXAMPLES = r"""
- name: Keep the rights of the issuing role at what is declared
  amazon.aws.iam_policy:
    iam_type: role
    iam_name: acme
    policy_name: challenges
    policy_json: "{{ certificates | certfleet.acme.route53_policy(zone_ids={'example.com': 'Z0123456789'}) }}"
"""

RETURN = r"""
_value:
  description: The policy, as a mapping.
  type: dict
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.plugin_utils import _dns_rights


def route53_policy(certificates: Any, zone_ids: Any = None, delegated_to: str = "", partition: str = "aws") -> Any:
    """See DOCUMENTATION. Raises AnsibleFilterError."""
    try:
        return _dns_rights.route53_policy(certificates, zone_ids or {}, delegated_to, partition)
    except CertfleetError as error:
        raise AnsibleFilterError(f"route53_policy: {error}") from error


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"route53_policy": route53_policy}
