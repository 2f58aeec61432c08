#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_share
short_description: Seal the keys of shared certificates for other hosts
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Runs on a host that has the key of a certificate with C(key_location=shared), and returns it sealed for each host
    that needs it, with the certificate where it is in the store already. Only that host can open it, and only as the
    key of this certificate, by HPKE (RFC 9180) with X25519, HKDF-SHA256 and AES-128-GCM.
  - No private key is in the options, and none is in the results that anybody else could read.
  - It gives a key to whoever's public key it is told, so that whoever may run tasks as the owner of the store decides
    who gets it, as is so without this module. The role P(certfleet.acme.issue#role) asks for hosts only that declare
    the certificate as shared, on a host that does so too.
  - It changes nothing.
options:
  store_path:
    description: The directory on this host that holds its certificates.
    type: path
    default: /etc/certfleet
  wanted:
    description: Which keys are to be sealed, and for whom.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the certificate, here and there.
        type: str
        required: true
      host:
        description: The host that needs it. A label that the result carries.
        type: str
        required: true
      recipient:
        description:
          - RV(certfleet.acme.certificate_request#module:certificates[].recipient) of that host.
          - With O(gather) it is taken from there.
        type: str
        required: true
      public_key_sha256:
        description: Fingerprint of the key that is wanted, in a version of the store or in a request.
        type: str
        required: true
      serial:
        description: Serial number of the certificate that is wanted with it, when it is in the store already.
        type: str
  gather:
    description:
      - Name of the variable that the hosts of the play registered M(certfleet.acme.certificate_request) under. Each
        O(wanted[].recipient) that is not given is looked up there.
      - With it, a host that cannot be reached or has failed is the failure of each item and not of the task.
    type: str
extends_documentation_fragment:
  - certfleet.acme.attributes
  - certfleet.acme.attributes.info_module
  - certfleet.acme.batch
attributes:
  platform:
    platforms: posix
requirements:
  - cryptography >= 3.4.8 (on the managed host)
seealso:
  - module: certfleet.acme.certificate_request
  - module: certfleet.acme.certificate_install
  - plugin: certfleet.acme.shared_keys
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Seal the keys that hosts share, where they are
  certfleet.acme.certificate_share:
    store_path: "{{ item.store_path }}"
    wanted: "{{ item.wanted }}"
    gather: request
    item_failures: report
  loop: "{{ obtained.shares }}"
  delegate_to: "{{ item.host }}"
  run_once: true
  no_log: true
  register: sealed

- name: Install what was issued or shared for this host
  certfleet.acme.certificate_install:
    certificates: "{{ my_certificates }}"
    issued: >-
      {{ (obtained | certfleet.acme.shared_keys(sealed)).certificates | selectattr('host', 'eq', inventory_hostname) }}
"""

RETURN = r"""
shares:
  description: A result for each item of O(wanted), in their order.
  returned: always
  type: list
  elements: dict
  sample:
    - name: web
      host: web2
      sealed_key: U2VhbGVkIGZvciB3ZWIyIG9ubHk=
      fullchain: "-----BEGIN CERTIFICATE-----\n..."
      changed: false
      failed: false
      msg: ""
  contains:
    name:
      description: As wanted.
      type: str
    host:
      description: As wanted.
      type: str
    sealed_key:
      description: The key as only that host can read it, base64. V(none) when it failed.
      type: str
    fullchain:
      description:
        - The certificate with its chain in PEM. V(none) when only the key is here yet, because the certificate has just
          come.
        - With it come C(certificate), C(chain), C(serial), C(not_before), C(not_after), C(issuer), C(identifiers),
          C(public_key_sha256), C(acme_directory), C(account_uri), C(order_uri), C(certificate_url), C(profile) and
          C(answers), the fingerprints of the keys that it took the place of.
      type: str
    changed:
      description: Always V(false).
      type: bool
    failed:
      description: Whether it could not be sealed.
      type: bool
    msg:
      description: The cause in one line.
      type: str
failed_items:
  description: Names of the certificates that failed.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.acme.plugins.module_utils._batch import BATCH_ARGSPEC
from ansible_collections.certfleet.acme.plugins.module_utils._module import run
from ansible_collections.certfleet.acme.plugins.module_utils._store.argspec import STORE_ARGSPEC, WANTED
from ansible_collections.certfleet.acme.plugins.module_utils._store.sharing import main_work


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            BATCH_ARGSPEC,
            **STORE_ARGSPEC,
            wanted={"type": "list", "elements": "dict", "required": True, "options": WANTED},
            gather={"type": "str"},
        ),
        supports_check_mode=True,
    )
    run(module, main_work)


if __name__ == "__main__":
    main()
