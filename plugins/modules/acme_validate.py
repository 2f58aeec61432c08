#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: acme_validate
short_description: Answer the challenges of ACME orders, or give their authorizations up
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Tells the CA that the proofs of orders are in place (RFC 8555 section 7.5.1) and waits until it has validated them.
  - Can also deactivate the authorizations of orders (RFC 8555 section 7.5.2).
options:
  orders:
    description: The orders.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Joins the result to what asked for it. Not sent to the CA.
        type: str
        required: true
      order_uri:
        description: The order's URL, as M(certfleet.acme.acme_order) returned it.
        type: str
        required: true
  state:
    description:
      - With V(valid), all that the orders need is validated at the end.
      - With V(deactivated), none of their authorizations can be used any more, for these or for other orders.
    type: str
    choices: [valid, deactivated]
    default: valid
  challenge:
    description:
      - The type of the challenges to answer, such as V(dns-01) or V(http-01). What proves them must be in place.
    type: str
    default: dns-01
extends_documentation_fragment:
  - certfleet.acme.acme
  - certfleet.acme.acme.account
  - certfleet.acme.batch
  - certfleet.acme.attributes
  - certfleet.acme.attributes.action_group
attributes:
  check_mode:
    support: full
    details: Reads the orders and says which challenges would be answered.
  diff_mode:
    support: none
  idempotent:
    support: full
  platform:
    platforms: posix
seealso:
  - module: certfleet.acme.acme_order
  - module: certfleet.acme.acme_finalize
"""

EXAMPLES = r"""
- name: Let the CA look at the TXT records
  certfleet.acme.acme_validate:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_src: /etc/acme/account.pem
    orders:
      - name: web
        order_uri: "{{ ordered.orders[0].order_uri }}"

- name: Give up what a cancelled order had proven
  certfleet.acme.acme_validate:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_src: /etc/acme/account.pem
    state: deactivated
    orders:
      - name: web
        order_uri: https://ca.example/order/17
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
      order_uri: https://ca.example/order/17
      status: ready
      identifiers: [example.com]
  contains:
    name:
      description: The item's O(orders[].name).
      type: str
    changed:
      description: Whether a challenge was answered, or an authorization deactivated (would be, in check mode).
      type: bool
    failed:
      description: Whether the item failed.
      type: bool
    msg:
      description: Why it failed, one line, with the CA's reason for each name. Empty otherwise.
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
    order_uri:
      description: The order's URL.
      type: str
    status:
      description: The order's status.
      type: str
    identifiers:
      description: The names it is for.
      type: list
      elements: str
failed_items:
  description: The names of the items that failed.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.acme.plugins.module_utils._acme.validate_module import (
    VALIDATE_ARGSPEC,
    VALIDATE_RULES,
    run_validations,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=VALIDATE_ARGSPEC, supports_check_mode=True, **VALIDATE_RULES)
    run_validations(module)


if __name__ == "__main__":
    main()
