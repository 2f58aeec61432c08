# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: caa_records
short_description: CAA records that let only your CAs issue what is declared
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Makes a CAA record set (RFC 8659) for each name of these certificates. Where only the name itself is declared,
    wildcards are forbidden, and the other way round.
  - Bound to an account and to methods of validation (RFC 8657), a CA refuses everybody else even when they control a
    part of the network.
  - A record set at a name takes the place of those above it. A name with a CNAME cannot have one of its own.
options:
  _input:
    description: Declared certificates, each with its C(identifiers), or a list of names. IP addresses are left out.
    type: list
    elements: raw
    required: true
  issuers:
    description: The domain names of the CAs as they are in CAA records, such as V(letsencrypt.org).
    type: list
    elements: str
    required: true
  account_uri:
    description: The URI of the only ACME account that may order.
    type: str
    default: ""
  validation_methods:
    description: The methods of validation that may be used. An empty list allows all.
    type: list
    elements: str
    default: [dns-01]
  iodef:
    description: Where CAs report refused requests to, such as V(mailto:security@example.com).
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show the records to create
  ansible.builtin.debug:
    msg: >-
      {{ certificates | certfleet.acme.caa_records(issuers=['letsencrypt.org'],
         account_uri='https://acme-v02.api.letsencrypt.org/acme/acct/1') }}
"""

RETURN = r"""
_value:
  description: A record set for each name, with C(record), C(type) and C(values).
  type: list
  elements: dict
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.plugin_utils import _dns_rights


def caa_records(
    certificates: Any, issuers: Any, account_uri: str = "", validation_methods: Any = ("dns-01",), iodef: str = ""
) -> Any:
    """See DOCUMENTATION. Raises AnsibleFilterError."""
    try:
        return _dns_rights.caa_records(
            certificates,
            [issuers] if isinstance(issuers, str) else issuers,
            account_uri,
            [validation_methods] if isinstance(validation_methods, str) else validation_methods,
            iodef,
        )
    except CertfleetError as error:
        raise AnsibleFilterError(f"caa_records: {error}") from error


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"caa_records": caa_records}
