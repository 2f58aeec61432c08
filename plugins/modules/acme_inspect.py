#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: acme_inspect
short_description: Send one signed request to an ACME CA and show the answer
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - For support and for what no other module does. Signs a request as the account, sends it, and shows the answer with
    its headers, or the CA's problem document with its subproblems.
options:
  method:
    description:
      - V(get) reads (POST-as-GET, RFC 8555 section 6.3), V(post) sends O(content), V(directory-only) reads only the
        directory and needs no key.
    type: str
    choices: [get, post, directory-only]
    default: get
  url:
    description:
      - Where the request goes, a URL, a path on the CA's host, or the name of a resource of the directory, such as
        V(newOrder).
      - It must be on the directory's host, as every address that the CA sends.
      - Needed unless O(method=directory-only).
    type: str
  content:
    description: The payload of O(method=post), a JSON object. Needed for it.
    type: json
  sign_as:
    description:
      - With V(account), the request names the account, O(account_uri) or else the one that the CA has for the key. With
        V(key), it carries the public key, as the revocation by a certificate's key does.
      - A request to V(newAccount) always carries the public key.
    type: str
    choices: [account, key]
    default: account
  fail_on_acme_error:
    description: Whether the module fails when the CA answers with an error.
    type: bool
    default: true
  max_characters:
    description: How much of the answer's body is returned. What is longer is cut, and not taken for JSON.
    type: int
    default: 65536
  account_key_src:
    description:
      - File with the private key that signs, in PEM.
      - One of O(account_key_src) and O(account_key_content) is needed unless O(method=directory-only).
  account_uri:
    description: URL of the account. With it, the CA is not asked which account the key has.
extends_documentation_fragment:
  - certfleet.acme.acme
  - certfleet.acme.acme.account
  - certfleet.acme.attributes
  - certfleet.acme.attributes.action_group
attributes:
  check_mode:
    support: full
    details: With O(method=post), reads the directory and sends nothing else.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: A request is sent each time.
notes:
  - What O(content) asks for is done. The module does not know whether it can be undone.
seealso:
  - module: certfleet.acme.acme_account_info
"""

EXAMPLES = r"""
- name: The directory
  certfleet.acme.acme_inspect:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    method: directory-only
  delegate_to: localhost

- name: An order that went wrong
  certfleet.acme.acme_inspect:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_src: /etc/acme/account.pem
    url: "{{ order_uri }}"
  delegate_to: localhost
  register: order

- name: Its first authorization
  certfleet.acme.acme_inspect:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_src: /etc/acme/account.pem
    url: "{{ order.output_json.authorizations[0] }}"
  delegate_to: localhost

- name: Give this authorization up
  certfleet.acme.acme_inspect:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_src: /etc/acme/account.pem
    url: "{{ order.output_json.authorizations[0] }}"
    method: post
    content:
      status: deactivated
  delegate_to: localhost
"""

RETURN = r"""
directory:
  description: The CA's directory as it came.
  returned: when it could be read
  type: dict
  sample: {"newNonce": "https://ca.example/nonce", "newAccount": "https://ca.example/account"}
url:
  description: Where the request went (would go, in check mode).
  returned: for O(method=get) and O(method=post)
  type: str
  sample: https://ca.example/order/7
account_uri:
  description: The account that the request was signed as; V(none) when it carried the public key.
  returned: when the request was sent
  type: str
  sample: https://ca.example/account/4
status:
  description: The HTTP status of the answer.
  returned: when an answer came
  type: int
  sample: 200
headers:
  description: The headers of the answer, names in lower case.
  returned: when an answer came
  type: dict
  sample: {"content-type": "application/json", "location": "https://ca.example/order/7"}
output_text:
  description: The body of the answer, O(max_characters) of it.
  returned: when an answer came
  type: str
  sample: '{"status": "valid"}'
output_truncated:
  description: Whether the body was longer.
  returned: when an answer came
  type: bool
  sample: false
output_json:
  description: The body as JSON; V(none) when it is not JSON, or was cut.
  returned: when an answer came
  type: raw
  sample: {"status": "valid"}
problem:
  description: The CA's problem document (RFC 7807), with its subproblems.
  returned: when the CA answered with an error
  type: dict
  sample: {"type": "urn:ietf:params:acme:error:malformed", "detail": "The order is not ready", "status": 403}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.acme.plugins.module_utils._acme.inspect_module import (
    INSPECT_MODULE_ARGSPEC,
    INSPECT_MODULE_RULES,
    inspect,
)
from ansible_collections.certfleet.acme.plugins.module_utils._module import run


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=INSPECT_MODULE_ARGSPEC, supports_check_mode=True, **INSPECT_MODULE_RULES)
    run(module, inspect)


if __name__ == "__main__":
    main()
