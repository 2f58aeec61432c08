#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: acme_caa_info
short_description: Find out whether CAA records let a CA issue for names
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - For each name, climbs the tree of domains to the CAA records that apply (RFC 8659 section 3) and says whether they
    let this CA, this account and this validation method (RFC 8657) issue.
  - M(certfleet.acme.acme_certificate) does the same before it orders.
  - Authoritative name servers are asked, from those of the top-level domain down. A recursive resolver would remember
    names that are not there.
options:
  identifiers:
    description: The DNS names, wildcards too. Addresses have no CAA records and are left out of the result.
    type: list
    elements: str
    required: true
  validation_method:
    description: The validation method that is to be used, as C(validationmethods) names it.
    type: str
    default: dns-01
  dns_resolvers:
    description:
      - The name servers to ask, as C(host:port), instead of those in each zone's NS records. They must be authoritative
        for the zones. What they refuse to answer counts as nothing there.
    type: list
    elements: str
    default: []
  account_key_src:
    description:
      - File with the account's private key in PEM, to find out which account it is. Nothing is created.
      - With neither this nor O(account_key_content) nor O(account_uri), records that allow one account only cannot be
        judged.
  account_uri:
    description: URL of the account. With a key, the key must be of this account.
extends_documentation_fragment:
  - certfleet.acme.acme
  - certfleet.acme.acme.account
  - certfleet.acme.caa
  - certfleet.acme.attributes
  - certfleet.acme.attributes.action_group
  - certfleet.acme.attributes.info_module
requirements:
  - dnspython >= 2.4
attributes:
  platform:
    platforms: posix
seealso:
  - plugin: certfleet.acme.caa_records
    plugin_type: filter
  - module: certfleet.acme.acme_certificate
"""

EXAMPLES = r"""
- name: May this CA issue for the new names?
  certfleet.acme.acme_caa_info:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_src: /etc/acme/account.pem
    identifiers: [example.com, "*.example.com"]
  register: caa
  failed_when: caa.forbidden | default([]) | length > 0
"""

RETURN = r"""
identifiers:
  description: What CAA says about each DNS name, in their order.
  returned: success
  type: list
  elements: dict
  sample:
    - identifier: www.example.com
      allowed: false
      msg: >-
        CAA at example.com forbids www.example.com: 0 issue "ca.example" does not name this CA (letsencrypt.org)
      where: example.com
      records: ['0 issue "ca.example"']
  contains:
    identifier:
      description: The name.
      type: str
    allowed:
      description: Whether the CA may issue. Null when that cannot be told.
      type: bool
    msg:
      description: Why not, or why it cannot be told, one line. Empty when it may.
      type: str
    where:
      description: The name whose records apply. Null when there are none, and so every CA may issue.
      type: str
    records:
      description: Those records.
      type: list
      elements: str
forbidden:
  description: The names for which the CA must not issue.
  returned: success
  type: list
  elements: str
  sample: [www.example.com]
caa_identities:
  description: The issuer domain names that were looked for.
  returned: success
  type: list
  elements: str
  sample: [letsencrypt.org]
account_uri:
  description: The account that was looked for, when it is known.
  returned: success
  type: str
  sample: https://ca.example/account/17
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.acme.plugins.module_utils._caa.info_module import (
    CAA_INFO_ARGSPEC,
    CAA_INFO_RULES,
    run_caa_info,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=CAA_INFO_ARGSPEC, supports_check_mode=True, **CAA_INFO_RULES)
    run_caa_info(module)


if __name__ == "__main__":
    main()
