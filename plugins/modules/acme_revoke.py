#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: acme_revoke
short_description: Revoke certificates at an ACME CA
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Revokes certificates (RFC 8555 section 7.6), signed by the account that obtained them or with a certificate's own
    key.
  - A certificate that is revoked already is a success without change.
  - A reason that is none, or that the standard forbids, is refused before anything is sent to the CA. Where the CA does
    not take a sound one, the certificate is revoked without a reason, and a warning says so, because that it is revoked
    matters more.
  - Deploy the replacement first, unless the certificate must go at once. Clients that check revocation refuse it from
    then on.
options:
  certificates:
    description:
      - The certificates to revoke.
      - One of O(certificates) and O(gather) is needed.
    type: list
    elements: dict
    suboptions:
      name:
        description: Joins the result to what asked for it. Not sent to the CA.
        type: str
        required: true
      host:
        description: A label that the result carries.
        type: str
      certificate_content:
        description:
          - The certificate in PEM; of a chain, the first one.
          - One of O(certificates[].certificate_content) and O(certificates[].certificate_path) is needed.
        type: str
      certificate_path:
        description: A file with the certificate in PEM; of a chain, the first one.
        type: path
      revoke_reason:
        description: As O(revoke_reason), for this certificate.
        type: raw
  gather:
    description:
      - Instead of O(certificates), the name of the variable that the hosts of the play registered
        M(certfleet.acme.certificate_info) under. All certificates in it are revoked. Use it with C(run_once).
    type: str
  revoke_reason:
    description:
      - The reason by name or number (RFC 5280 section 5.3.1), V(unspecified) (0), V(key_compromise) (1),
        V(ca_compromise) (2), V(affiliation_changed) (3), V(superseded) (4), V(cessation_of_operation) (5),
        V(certificate_hold) (6), V(privilege_withdrawn) (9) or V(aa_compromise) (10).
      - The numbers 7 and 8 are refused. RFC 5280 does not use the one, and the other is for lists of revoked
        certificates only.
      - Which of the others it takes is the CA's policy. Public CAs take V(unspecified), V(key_compromise),
        V(superseded) and V(cessation_of_operation) from subscribers; OpenBao takes none. V(ca_compromise) and
        V(aa_compromise) are about other certificates than those of servers, and V(certificate_hold) is not final.
    type: raw
  private_key_src:
    description:
      - File with the certificate's own private key in PEM, to sign with instead of the account key.
      - This proves to the CA that the key is in other hands. Let's Encrypt then sets the reason to V(key_compromise)
        whatever is asked for, blocks the key for good, and revokes every other certificate that has it, of every
        account. Issue and deploy all replacements first when the key is shared.
      - By the account key, the certificate alone is revoked and the key can be used again.
    type: path
  private_key_content:
    description: As O(private_key_src), the key itself in PEM. It is not written anywhere.
    type: str
  private_key_passphrase:
    description: Passphrase of that key, when it is encrypted.
    type: str
  account_key_src:
    description:
      - File with the account's private key in PEM, ECDSA on P-256, P-384 or (where the CA takes it) P-521, or RSA with
        2048 to 4096 bits.
      - One of O(account_key_src), O(account_key_content), O(private_key_src) and O(private_key_content) is needed.
    type: path
extends_documentation_fragment:
  - certfleet.acme.acme
  - certfleet.acme.acme.account
  - certfleet.acme.batch
  - certfleet.acme.attributes
  - certfleet.acme.attributes.action_group
attributes:
  check_mode:
    support: full
    details:
      - Looks the account up, or compares the private key with the certificates.
      - Cannot tell whether a certificate is revoked already; it is taken not to be.
  diff_mode:
    support: none
  idempotent:
    support: full
  platform:
    platforms: posix
seealso:
  - module: certfleet.acme.acme_certificate
  - module: certfleet.acme.certificate_info
"""

EXAMPLES = r"""
- name: Revoke what was replaced
  certfleet.acme.acme_revoke:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_src: /etc/acme/account.pem
    revoke_reason: superseded
    certificates:
      - name: web
        certificate_path: /etc/certfleet/web/versions/0006/cert.pem
  delegate_to: localhost

- name: Make the CA block a key that got into other hands
  certfleet.acme.acme_revoke:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    private_key_content: "{{ stolen_key }}"
    revoke_reason: key_compromise
    certificates:
      - name: web
        certificate_content: "{{ stolen_certificate }}"
  delegate_to: localhost
"""

RETURN = r"""
certificates:
  description: A result for each item, in their order.
  returned: always
  type: list
  elements: dict
  sample:
    - name: web
      host: null
      changed: true
      failed: false
      msg: ""
      problem: null
      retry_at: null
      serial: 3c4f9a8e12
      issuer: CN=R11,O=Let's Encrypt,C=US
      identifiers: [example.com]
      reason: 4
      already_revoked: false
      warnings: []
  contains:
    name:
      description: The item's O(certificates[].name).
      type: str
    host:
      description: The item's O(certificates[].host).
      type: str
    changed:
      description: Whether it was revoked now (would be, in check mode).
      type: bool
    failed:
      description: Whether the item failed.
      type: bool
    msg:
      description: Why it failed, one line. Empty otherwise.
      type: str
    problem:
      description: The CA's problem document (RFC 7807), when the CA is what refused.
      type: dict
    retry_at:
      description:
        - When the CA wants to be asked again (RFC 3339), if it asked for a longer wait than O(retry_after_max) or
          O(timeout) allows.
      returned: always
      type: str
    serial:
      description: Serial number, hexadecimal, lower case.
      type: str
    issuer:
      description: The issuer's name (RFC 4514).
      type: str
    identifiers:
      description: The certificate's names.
      type: list
      elements: str
    reason:
      description: The number of the reason that the CA took; V(none) when none was sent, or it takes none.
      type: int
    already_revoked:
      description:
        - Whether it was revoked before. V(none) in check mode, and when the CA's first answer was lost and the second
          one says that the certificate is revoked; RV(certificates[].changed) is V(true) then.
      type: bool
    warnings:
      description: What is worth knowing about a success, such as that the CA takes no reason.
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
from ansible_collections.certfleet.acme.plugins.module_utils._acme.revoke_module import (
    REVOKE_ARGSPEC,
    REVOKE_RULES,
    run_revocations,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=REVOKE_ARGSPEC, supports_check_mode=True, **REVOKE_RULES)
    run_revocations(module)


if __name__ == "__main__":
    main()
