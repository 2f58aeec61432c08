#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: acme_account_info
short_description: Tell what an ACME CA offers and what it has for an account key
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Reads the CA's directory, with its terms, identities for CAA records and profiles.
  - With an account key, looks the account up by it, and lists its orders where the CA does. Never creates an account.
options:
  retrieve_orders:
    description:
      - Whether to ask for the account's orders, as URLs (V(url_list)) or read one by one (V(object_list)).
      - Many CAs, Let's Encrypt among them, do not list orders.
    type: str
    choices: [ignore, url_list, object_list]
    default: ignore
  max_orders:
    description: How many orders are listed at most. The list comes in pages, which are followed.
    type: int
    default: 1000
  account_key_src:
    description:
      - File with the account's private key in PEM.
      - Without O(account_key_src) and O(account_key_content), only the directory is read.
  account_uri:
    description:
      - URL of the account, to be sure that the key is the right one. The module fails when the CA knows the key under
        another URL.
extends_documentation_fragment:
  - certfleet.acme.acme
  - certfleet.acme.acme.account
  - certfleet.acme.attributes
  - certfleet.acme.attributes.info_module
  - certfleet.acme.attributes.action_group
seealso:
  - module: certfleet.acme.acme_account
  - module: certfleet.acme.acme_inspect
"""

EXAMPLES = r"""
- name: What the CA offers
  certfleet.acme.acme_account_info:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
  delegate_to: localhost
  register: ca

- name: Its profiles
  ansible.builtin.debug:
    var: ca.profiles

- name: The account of a key, with its orders
  certfleet.acme.acme_account_info:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_src: /etc/acme/account.pem
    retrieve_orders: object_list
  delegate_to: localhost
  register: account
"""

RETURN = r"""
exists:
  description: Whether the CA has an account that this key can use. V(false) without a key.
  returned: success
  type: bool
  sample: true
account_uri:
  description: The account's URL; V(none) when there is none.
  returned: success
  type: str
  sample: https://ca.example/account/4
account:
  description: The account; V(none) when there is none. Of a deactivated one only the status is told.
  returned: success
  type: dict
  sample:
    status: valid
    contact: ["mailto:ops@example.com"]
    contact_known: true
    orders: https://ca.example/account/4/orders
    terms_of_service_agreed: true
    external_account_binding: false
    public_account_key:
      crv: P-256
      kty: EC
      x: f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU
      y: x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0
  contains:
    status:
      description: Its status, V(valid), V(deactivated) or V(revoked).
      type: str
    contact:
      description: Its contacts, as far as the CA tells them.
      type: list
      elements: str
    contact_known:
      description: Whether the CA told the contacts.
      type: bool
    orders:
      description: Where the CA lists the account's orders, when it does.
      type: str
    terms_of_service_agreed:
      description: Whether the CA says that its terms were agreed to.
      type: bool
    external_account_binding:
      description: Whether the CA says that the account is bound to another one.
      type: bool
    public_account_key:
      description: The public key of the account as a JSON Web Key (RFC 7517).
      type: dict
account_key_type:
  description: The kind of the account key.
  returned: with an account key
  type: str
  sample: ecdsa-p256
account_key_thumbprint:
  description: The thumbprint (RFC 7638) of the public account key.
  returned: with an account key
  type: str
  sample: 9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI
order_uris:
  description: The URLs of the account's orders.
  returned: when O(retrieve_orders) asks for them and the CA lists orders
  type: list
  elements: str
  sample: ["https://ca.example/order/7"]
orders_complete:
  description: Whether these are all, no more than O(max_orders).
  returned: with RV(order_uris)
  type: bool
  sample: true
orders:
  description: The orders as the CA tells them, each with its C(uri); of one that cannot be read, C(msg) has the cause.
  returned: with RV(order_uris), for V(object_list)
  type: list
  elements: dict
  sample:
    - uri: https://ca.example/order/7
      status: valid
      identifiers: [{"type": "dns", "value": "example.com"}]
directory:
  description: The CA's directory as it came.
  returned: success
  type: dict
  sample: {"newNonce": "https://ca.example/nonce", "newAccount": "https://ca.example/account"}
terms_of_service:
  description: Where the CA's terms of service are, when it says so.
  returned: success
  type: str
  sample: https://ca.example/terms
website:
  description: The CA's website, when it says so.
  returned: success
  type: str
  sample: https://ca.example
caa_identities:
  description: The names by which the CA knows itself in CAA records.
  returned: success
  type: list
  elements: str
  sample: ["ca.example"]
external_account_required:
  description: Whether a new account needs O(certfleet.acme.acme_account#module:external_account_binding).
  returned: success
  type: bool
  sample: false
profiles:
  description: The profiles that the CA offers, with its descriptions.
  returned: success
  type: dict
  sample: {"classic": "The usual one", "shortlived": "Six days"}
offers:
  description: What else the directory says that the CA can do.
  returned: success
  type: dict
  sample: {"key_change": true, "renewal_info": true, "pre_authorization": false}
  contains:
    key_change:
      description: Whether it lists a way to change an account's key (RFC 8555 section 7.3.5).
      type: bool
    renewal_info:
      description: Whether it has renewal information (RFC 9773).
      type: bool
    pre_authorization:
      description: Whether names can be authorized before an order (RFC 8555 section 7.4.1).
      type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.acme.plugins.module_utils._acme.info_module import (
    INFO_MODULE_ARGSPEC,
    INFO_MODULE_RULES,
    tell_account,
)
from ansible_collections.certfleet.acme.plugins.module_utils._module import run


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=INFO_MODULE_ARGSPEC, supports_check_mode=True, **INFO_MODULE_RULES)
    run(module, tell_account)


if __name__ == "__main__":
    main()
