#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: acme_order
short_description: Create or take up ACME orders
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Creates orders (RFC 8555 section 7.4) and says which challenges prove them, and which TXT records dns-01 needs.
  - The first of four steps. The others are publishing the TXT records, M(certfleet.acme.acme_validate) and
    M(certfleet.acme.acme_finalize). Where nothing of your own stands between them, M(certfleet.acme.acme_certificate)
    does them all.
options:
  orders:
    description: The orders to create or take up.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Joins the result to what asked for it. Not sent to the CA.
        type: str
        required: true
      identifiers:
        description:
          - The DNS names and IP addresses to order.
          - One of O(orders[].identifiers), O(orders[].csr_content) and O(orders[].order_uri) is needed.
        type: list
        elements: str
      csr_content:
        description: A CSR in PEM, whose names are ordered.
        type: str
      profile:
        description: The profile to order. It must be one that the CA's directory offers.
        type: str
      replaces:
        description:
          - The identifier (RFC 9773) of the certificate that this one replaces. Sent only to a CA that offers renewal
            information. When the CA refuses the order with it, the order is made without, and a warning says so.
        type: str
      not_before:
        description: When the validity should begin, RFC 3339. Many CAs refuse it.
        type: str
      not_after:
        description: When the validity should end, RFC 3339, in the future. Many CAs refuse it.
        type: str
      order_uri:
        description:
          - The URL of an order from an earlier run. When it can still be used, nothing is created. When it cannot, or
            is for other names, a new order is made of O(orders[].identifiers) or O(orders[].csr_content).
        type: str
extends_documentation_fragment:
  - certfleet.acme.acme
  - certfleet.acme.acme.account
  - certfleet.acme.acme.creation
  - certfleet.acme.batch
  - certfleet.acme.attributes
  - certfleet.acme.attributes.action_group
attributes:
  check_mode:
    support: full
    details:
      - Reads the CA's directory, and the order of an O(orders[].order_uri), and looks the account up, which need not
        exist when it may be made. The values of TXT records are not known.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: With O(orders[].order_uri) nothing is created while that order can be used. Without, each run orders.
  platform:
    platforms: posix
seealso:
  - module: certfleet.acme.acme_validate
  - module: certfleet.acme.acme_finalize
  - module: certfleet.acme.dns01_route53
"""

EXAMPLES = r"""
- name: Order
  certfleet.acme.acme_order:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_src: /etc/acme/account.pem
    orders:
      - name: web
        identifiers: [example.com, "*.example.com"]
  register: ordered

- name: Publish what proves the names
  certfleet.acme.dns01_route53:
    records: "{{ ordered.txt_records }}"

- name: Let the CA look
  certfleet.acme.acme_validate:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_src: /etc/acme/account.pem
    orders:
      - name: web
        order_uri: "{{ ordered.orders[0].order_uri }}"

- name: Get the certificate
  certfleet.acme.acme_finalize:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_src: /etc/acme/account.pem
    orders:
      - name: web
        order_uri: "{{ ordered.orders[0].order_uri }}"
        csr_content: "{{ lookup('ansible.builtin.file', 'web.csr') }}"
  register: issued
"""

RETURN = r"""
orders:
  description: A result for each item, in their order.
  returned: always
  type: list
  elements: dict
  sample:
    - name: web
      changed: true
      failed: false
      msg: ""
      problem: null
      retry_at: null
      warnings: []
      order_uri: https://ca.example/order/17
      status: pending
      identifiers: [example.com]
      profile: classic
      expires: "2026-11-29T08:00:00Z"
      authorizations:
        - identifier: example.com
          wildcard: false
          status: pending
          uri: https://ca.example/authz/31
          expires: "2026-11-29T08:00:00Z"
          challenges:
            - type: dns-01
              url: https://ca.example/challenge/88
              status: pending
              token: DGyRejmCefe7v4NfDGDKfA
              key_authorization: DGyRejmCefe7v4NfDGDKfA.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI
              error: null
      txt_records:
        - record: _acme-challenge.example.com
          values: [LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ]
  contains:
    name:
      description: The item's O(orders[].name).
      type: str
    changed:
      description: Whether an order was created (would be, in check mode).
      type: bool
    failed:
      description: Whether the item failed.
      type: bool
    msg:
      description: Why it failed, one line. Empty otherwise.
      type: str
    problem:
      description: The CA's problem document (RFC 7807) with its subproblems, when the CA is what refused.
      type: dict
    retry_at:
      description:
        - When the CA wants to be asked again (RFC 3339), if it asked for a longer wait than O(retry_after_max) or
          O(timeout) allows.
      returned: always
      type: str
    warnings:
      description: What went wrong without making the item fail.
      type: list
      elements: str
    order_uri:
      description: The order's URL.
      type: str
    status:
      description: V(pending), V(ready), V(processing) or V(valid).
      type: str
    identifiers:
      description: The names it is for.
      type: list
      elements: str
    profile:
      description: Its profile, when the CA says so.
      type: str
    expires:
      description: When the CA forgets it, when it says so.
      type: str
    authorizations:
      description: What the CA wants proven, each with its challenges.
      type: list
      elements: dict
    txt_records:
      description:
        - The TXT records that prove what is still pending, as O(certfleet.acme.dns01_route53#module:records).
        - Their names are those that the CA asks for first, whether they have a CNAME or not. The modules that write
          them follow one when O(certfleet.acme.dns01_route53#module:follow_cname) says so.
      type: list
      elements: dict
txt_records:
  description: The TXT records of all items together, each name once.
  returned: always
  type: list
  elements: dict
  sample:
    - record: _acme-challenge.example.com
      values: [LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ]
failed_items:
  description: The names of the items that failed.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.acme.plugins.module_utils._acme.order_module import (
    ORDER_ARGSPEC,
    ORDER_RULES,
    run_orders,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ORDER_ARGSPEC, supports_check_mode=True, **ORDER_RULES)
    run_orders(module)


if __name__ == "__main__":
    main()
