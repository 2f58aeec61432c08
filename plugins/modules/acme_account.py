#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: acme_account
short_description: Create, find, update and deactivate an account with an ACME CA, and change its key
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Looks the account up by its key, creates it when the CA has none, and brings its contacts up to date.
  - Contacts are compared as a set. When the CA tells none, the account has none, or the CA does not tell them, as Let's
    Encrypt does not. The contacts that are asked for are then sent, and it is a change when the CA's answer tells them.
  - Changes the account's key for another one (RFC 8555 section 7.3.5), so that the account cannot be lost on the way.
options:
  state:
    description:
      - With V(present) the account exists at the end.
      - With V(absent) it is deactivated, which cannot be undone, or the CA has none for the key. The key's file stays.
      - With V(changed_key) the account has another key at the end, O(new_account_key_src) or
        O(new_account_key_content), or one that is made when O(generate_account_key) is set. Nothing else about it is
        changed. The options for new accounts are ignored.
    type: str
    choices: [present, absent, changed_key]
    default: present
  new_account_key_src:
    description:
      - File with the key to change to, in PEM, of the kinds that O(account_key_src) may have.
      - It is copied to O(account_key_src) when the CA has taken it, and stays where it is. When there is no file and
        O(generate_account_key) is set, the new key is made there.
    type: path
  new_account_key_content:
    description: The key to change to, in PEM. It is written to O(account_key_src), and nowhere without that.
    type: str
  new_account_key_passphrase:
    description:
      - Passphrase of the new key, when it is encrypted. From then on it belongs into O(account_key_passphrase).
      - A key that is made has this passphrase, or O(account_key_passphrase) without it.
    type: str
  generate_account_key:
    description:
      - With O(state=present), whether to make a new account key at O(account_key_src), mode C(0600), when there is no
        file. An existing file is never replaced.
      - With O(state=changed_key), whether to make the key to change to, of the kind O(account_key_type). Without
        O(new_account_key_src) that is another key on each run.
      - Keep the file. Without it the account is lost.
    type: bool
    default: false
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
    details:
      - Asks the CA whether the account exists, and with O(state=changed_key) whether the new key has one. Makes no key.
      - Where the CA tells no contacts of an account, check mode cannot know whether there are any, and reports no
        change of them.
  diff_mode:
    support: full
    details: Shows the account's URL, status and contacts, or the thumbprints of its keys.
  idempotent:
    support: partial
    details: With O(state=changed_key) and a key that is made, the key is changed on each run.
  platform:
    platforms: posix
notes:
  - With O(state=changed_key) and O(account_key_src), the new key is first written beside that file, with C(.rollover)
    added to its name, and synced. Then the CA is asked, then it must find the account by the new key, and then the new
    file takes the place of the old one in one step. A run that is killed leaves both files, and the next one, with
    O(state=changed_key) or O(state=present), asks the CA which key it knows and finishes. The other modules use the key
    that the CA knows.
  - When the two keys have different passphrases, the run that finishes needs both, O(account_key_passphrase) and
    O(new_account_key_passphrase). The other modules have one passphrase, and ask for that run first.
  - A key that is changed for one CA is gone for all. Give an account at another CA a key file of its own.
  - When both keys are given as content, nothing is written. Keep both until RV(valid_account_key) says which one
    counts; another run with the same options tells it again and changes nothing.
  - Some CAs cannot change keys. The module says so, and the account keeps its key. The way to another key is then a new
    account with O(account_key_src) naming another file, and O(state=absent) with the old key.
seealso:
  - module: certfleet.acme.acme_account_info
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

- name: A new key for the account; account.pem holds it afterwards
  certfleet.acme.acme_account:
    state: changed_key
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_src: /etc/acme/account.pem
    generate_account_key: true
  delegate_to: localhost
  run_once: true

- name: Change from one key to another in a vault, and say which one counts
  certfleet.acme.acme_account:
    state: changed_key
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_content: "{{ vault_account_key }}"
    new_account_key_content: "{{ vault_new_account_key }}"
  delegate_to: localhost
  run_once: true
  register: changed_key

- name: Bind a new account to one that the CA gave out by other means
  certfleet.acme.acme_account:
    acme_directory: https://acme.example.com/directory
    account_key_src: /etc/acme/account.pem
    generate_account_key: true
    terms_agreed: true
    external_account_binding:
      kid: "{{ vault_binding_kid }}"
      key: "{{ vault_binding_key }}"
  delegate_to: localhost
  run_once: true

- name: Give the account up
  certfleet.acme.acme_account:
    state: absent
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_src: /etc/acme/account.pem
  delegate_to: localhost
"""

RETURN = r"""
account_uri:
  description: The account's URL. V(none) in check mode for one that would be created, and when there is none.
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
      description: Its status, usually V(valid); V(deactivated) after O(state=absent).
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
  description: Whether an account key was made now (would be, in check mode).
  returned: success
  type: bool
  sample: false
account_key_type:
  description: The kind of the account's key.
  returned: success
  type: str
  sample: ecdsa-p256
account_key_thumbprint:
  description: The thumbprint (RFC 7638) of the account's public key. V(none) when the key would be made in check mode.
  returned: success
  type: str
  sample: 9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI
valid_account_key:
  description:
    - The option whose key is the account's now (would be, in check mode), such as V(account_key_src) or
      V(new_account_key_content).
    - After a failure it is there when that is known, V(none) when only the next run can tell.
  returned: with O(state=changed_key)
  type: str
  sample: account_key_src
previous_account_key_thumbprint:
  description: The thumbprint of the key that O(account_key_src) or O(account_key_content) had.
  returned: with O(state=changed_key)
  type: str
  sample: LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ
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
