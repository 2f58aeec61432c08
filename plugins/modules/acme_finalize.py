#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: acme_finalize
short_description: Submit CSRs to ACME orders and download the certificates
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Finalizes orders whose names are validated (RFC 8555 section 7.4), waits for the certificates and downloads them.
  - A chain is returned only when it is for the CSR's key and names.
  - An order that is valid already gives its certificate again, without change.
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
      host:
        description: A label that the result carries, such as the host that the CSR is from.
        type: str
      order_uri:
        description: The order's URL, as M(certfleet.acme.acme_order) returned it.
        type: str
        required: true
      csr_content:
        description: The CSR in PEM, for exactly the names of the order.
        type: str
        required: true
      select_chain:
        description:
          - Which of the chains that the CA offers to take. The first criterion that a chain fits decides; when none
            fits, the CA's default is taken.
        type: list
        elements: dict
        suboptions:
          test_certificates:
            description: The certificates of a chain to look at, beginning with the one that issued yours.
            type: str
            choices: [first, last, all]
            default: all
          issuer:
            description: Attributes that the issuer has, such as C(CN).
            type: dict
          subject:
            description: Attributes that the subject has, such as C(CN).
            type: dict
          subject_key_identifier:
            description: The subject key identifier in hexadecimal.
            type: str
          authority_key_identifier:
            description: The authority key identifier in hexadecimal.
            type: str
extends_documentation_fragment:
  - certfleet.acme.acme
  - certfleet.acme.acme.account
  - certfleet.acme.batch
  - certfleet.acme.attributes
  - certfleet.acme.attributes.action_group
attributes:
  check_mode:
    support: full
    details: Reads the orders, checks them against the CSRs, and downloads the certificates of those that are valid.
  diff_mode:
    support: none
  idempotent:
    support: full
  platform:
    platforms: posix
seealso:
  - module: certfleet.acme.acme_order
  - module: certfleet.acme.acme_validate
"""

EXAMPLES = r"""
- name: Get the certificate
  certfleet.acme.acme_finalize:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_src: /etc/acme/account.pem
    orders:
      - name: web
        order_uri: https://ca.example/order/17
        csr_content: "{{ lookup('ansible.builtin.file', 'web.csr') }}"
  register: issued

- name: Keep it
  ansible.builtin.copy:
    content: "{{ issued.orders[0].fullchain }}"
    dest: /etc/pki/web.pem
    mode: "0644"
"""

RETURN = r"""
orders:
  description: A result for each item, in their order.
  returned: always
  type: list
  elements: dict
  sample:
    - name: web
      host: web1
      changed: true
      failed: false
      msg: ""
      problem: null
      retry_at: null
      warnings: []
      order_uri: https://ca.example/order/17
      certificate_url: https://ca.example/cert/17
      certificate: "-----BEGIN CERTIFICATE-----\n..."
      chain: "-----BEGIN CERTIFICATE-----\n..."
      fullchain: "-----BEGIN CERTIFICATE-----\n..."
      serial: 3c4f9a8e12
      not_before: "2026-11-22T08:00:00Z"
      not_after: "2027-02-20T08:00:00Z"
      issuer: CN=R11,O=Let's Encrypt,C=US
      public_key_sha256: 0b5f3f0a6a1c1f34a0e2d1d2ad0dbb1f7e8b3b60f0c8d7a3d1e4c5b6a7988796
      acme_directory: https://ca.example/directory
      account_uri: https://ca.example/account/4
      profile: classic
      identifiers: [example.com, "*.example.com"]
  contains:
    name:
      description: The item's O(orders[].name).
      type: str
    host:
      description: The item's O(orders[].host).
      type: str
    changed:
      description: Whether the CSR was submitted (would be, in check mode).
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
    certificate_url:
      description: Where the CA hands the certificate out.
      type: str
    certificate:
      description: The certificate in PEM.
      type: str
    chain:
      description: The rest of the chain in PEM.
      type: str
    fullchain:
      description: Certificate and chain in PEM.
      type: str
    serial:
      description: Serial number, hexadecimal, lower case.
      type: str
    not_before:
      description: Begin of the validity, ISO 8601 in UTC.
      type: str
    not_after:
      description: End of the validity, ISO 8601 in UTC.
      type: str
    issuer:
      description: The issuer's name (RFC 4514).
      type: str
    public_key_sha256:
      description: SHA-256 of the public key (SubjectPublicKeyInfo), hexadecimal.
      type: str
    acme_directory:
      description: The CA's directory.
      type: str
    account_uri:
      description: The account that ordered.
      type: str
    profile:
      description: The profile of the order, as far as the CA says or you did.
      type: str
    identifiers:
      description: The certificate's names; what was asked for when there is no certificate.
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
from ansible_collections.certfleet.acme.plugins.module_utils._acme.finalize_module import (
    FINALIZE_ARGSPEC,
    FINALIZE_RULES,
    run_finalizations,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=FINALIZE_ARGSPEC, supports_check_mode=True, **FINALIZE_RULES)
    run_finalizations(module)


if __name__ == "__main__":
    main()
