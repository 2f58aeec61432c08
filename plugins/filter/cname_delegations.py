# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: cname_delegations
short_description: The CNAME records that delegate challenges into one zone
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Makes a CNAME for the C(_acme-challenge) name of each of these certificates, into a zone that holds nothing else.
  - The credentials for issuing then need rights to that zone only. The CNAMEs are created once, by whoever looks after
    the other zones. See O(certfleet.acme.acme_certificate#module:dns_follow_cname).
options:
  _input:
    description: Declared certificates, each with its C(identifiers), or a list of names. IP addresses are left out.
    type: list
    elements: raw
    required: true
  zone:
    description: The zone to delegate into.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the records to create
  ansible.builtin.debug:
    msg: "{{ certificates | certfleet.acme.cname_delegations('acme.example.org') }}"
# _acme-challenge.www.example.com CNAME _acme-challenge.www.example.com.acme.example.org
"""

RETURN = r"""
_value:
  description: A record for each name that does not lie in the zone already, with C(record), C(type) and C(value).
  type: list
  elements: dict
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.plugin_utils import _dns_rights


def cname_delegations(certificates: Any, zone: str) -> Any:
    """See DOCUMENTATION. Raises AnsibleFilterError."""
    try:
        return _dns_rights.delegations(certificates, zone)
    except CertfleetError as error:
        raise AnsibleFilterError(f"cname_delegations: {error}") from error


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cname_delegations": cname_delegations}
