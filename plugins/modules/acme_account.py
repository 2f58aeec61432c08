#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: acme_account
short_description: Create, find and update an account with an ACME CA
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Looks the account up by its key, creates it when the CA has none, and brings its contacts up to date.
  - Contacts are compared as a set. A CA that does not tell an account's contacts, as Let's Encrypt does not, is never
    asked to change them.
options:
  state:
    description:
      - With V(present) the account exists at the end.
    type: str
    choices: [present]
    default: present
  contact:
    description:
      - How the CA can reach you, as URLs such as V(mailto:ops@example.com); a plain e-mail address will do.
      - Without it, an existing account keeps what it has. An empty list takes all contacts away.
    type: list
    elements: str
extends_documentation_fragment:
  - certfleet.acme.acme
  - certfleet.acme.acme.account
  - certfleet.acme.acme.creation
  - certfleet.acme.attributes
  - certfleet.acme.attributes.action_group
attributes:
  check_mode:
    support: full
    details: Asks the CA whether the account exists. Makes no key.
  diff_mode:
    support: full
    details: Shows the account's URL, status and contacts.
  idempotent:
    support: full
  platform:
    platforms: posix
seealso:
  - module: certfleet.acme.acme_certificate
"""

EXAMPLES = r"""
- name: An account with a key that is made now
  certfleet.acme.acme_account:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_src: /etc/acme/account.pem
    generate_account_key: true
    terms_agreed: true
    contact:
      - mailto:ops@example.com
  delegate_to: localhost
  run_once: true

- name: Find the account that a key from a vault belongs to
  certfleet.acme.acme_account:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_content: "{{ vault_account_key }}"
    allow_creation: false
  delegate_to: localhost
  register: account
"""

RETURN = r"""
account_uri:
  description: The account's URL. V(none) in check mode for one that would be created.
  returned: success
  type: str
  sample: https://ca.example/account/4
account:
  description: The account.
  returned: success
  type: dict
  sample:
    uri: https://ca.example/account/4
    status: valid
    contact: ["mailto:ops@example.com"]
    contact_known: true
    orders: https://ca.example/account/4/orders
    terms_of_service_agreed: true
  contains:
    uri:
      description: Its URL.
      type: str
    status:
      description: Its status, usually V(valid).
      type: str
    contact:
      description: Its contacts; when the CA does not tell them, those that were asked for.
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
account_key_generated:
  description: Whether the account key was made now (would be, in check mode).
  returned: success
  type: bool
  sample: false
account_key_type:
  description: The kind of the account key.
  returned: success
  type: str
  sample: ecdsa-p256
account_key_thumbprint:
  description: The thumbprint (RFC 7638) of the public account key. V(none) when the key would be made in check mode.
  returned: success
  type: str
  sample: 9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI
terms_of_service:
  description: Where the CA's terms of service are, when it says so.
  returned: success
  type: str
  sample: https://ca.example/terms
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.acme.plugins.module_utils._acme.account_module import (
    ACCOUNT_MODULE_ARGSPEC,
    ACCOUNT_MODULE_RULES,
    manage_account,
)
from ansible_collections.certfleet.acme.plugins.module_utils._module import run


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ACCOUNT_MODULE_ARGSPEC, supports_check_mode=True, **ACCOUNT_MODULE_RULES)
    run(module, manage_account)


if __name__ == "__main__":
    main()
