#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: acme_certificate
short_description: Obtain certificates from an ACME CA, a whole batch in one go
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Takes CSRs and returns certificates. It orders, publishes the TXT records of all dns-01 challenges together, lets
    the CA validate, submits the CSRs, downloads the chains and takes the TXT records away again, whatever happens.
  - All certificates of a batch share one account, one set of connections and one DNS change for each zone.
  - Certificates do not touch each other. A name that the CA or DNS refuses fails its own certificate, with the CA's
    reason.
  - A chain is returned only when it is for the CSR's key and names.
  - Names that the CA has validated before need no DNS.
  - Before it orders, it looks whether CAA records allow what is ordered, see O(caa).
  - With O(journal), what earlier runs with the same journal had to leave in DNS because they were killed is taken away
    along with this run's own values, in the zones that O(dns_providers) serve. Runs that still live are not touched.
    A batch in which nothing is ordered takes nothing away.
  - With O(journal), it also goes on with the orders of such runs for the same names, and hands out a certificate that
    one of them had obtained for the same key.
options:
  certificates:
    description:
      - The certificates to obtain.
      - One of O(certificates) and O(gather) is needed.
    type: list
    elements: dict
    suboptions:
      name:
        description: Joins the result to what asked for it. Not sent to the CA.
        type: str
        required: true
      host:
        description: A label that the result carries, such as the host that the CSR is from.
        type: str
      csr_content:
        description:
          - The CSR in PEM. The names of its subject alternative name are ordered.
          - Only in check mode can it be left out, when there is no key yet.
        type: str
      identifiers:
        description: The names that the CSR must have. Needed when there is no CSR.
        type: list
        elements: str
      profile:
        description: The profile to order. It must be one that the CA's directory offers.
        type: str
      replaces:
        description:
          - The identifier (RFC 9773) of the certificate that this one replaces. Sent only to a CA that offers renewal
            information. When the CA refuses the order with it, the order is made without, and a warning says so.
        type: str
      order_uri:
        description:
          - The URL of an order from an earlier run, to go on with. A valid one gives its certificate, without change.
            One that the CA does not go on with is replaced by a new one.
        type: str
      not_before:
        description: When the validity should begin, RFC 3339. Many CAs refuse it.
        type: str
      not_after:
        description: When the validity should end, RFC 3339, in the future. Many CAs refuse it.
        type: str
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
  gather:
    description:
      - Instead of O(certificates), the name of the variable that the hosts of the play registered
        M(certfleet.acme.certificate_request) under. All that they need is obtained in one batch; O(certificates[].host)
        becomes the host's name. Use it with C(run_once). The strategy C(free) is refused.
      - Of a certificate that hosts share (C(key_location=shared)), the first host in need orders for all of them, and
        nobody does when another host of the play has one that is good for all. Each host gets a result in either case.
        RV(shares) says then what M(certfleet.acme.certificate_share) is to seal.
    type: str
extends_documentation_fragment:
  - certfleet.acme.acme
  - certfleet.acme.acme.account
  - certfleet.acme.acme.creation
  - certfleet.acme.dns01
  - certfleet.acme.caa
  - certfleet.acme.caa.orders
  - certfleet.acme.dns01.writing
  - certfleet.acme.journal
  - certfleet.acme.batch
  - certfleet.acme.attributes
  - certfleet.acme.attributes.action_group
attributes:
  check_mode:
    support: full
    details:
      - Reads the CA's directory and the DNS zones and looks the account up; says what would be ordered. The account and
        its key need not exist when they may be made.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Each run obtains new certificates, except for an item whose O(certificates[].order_uri) is valid.
  platform:
    platforms: posix
seealso:
  - module: certfleet.acme.certificate_request
  - module: certfleet.acme.certificate_install
  - module: certfleet.acme.acme_order
  - module: certfleet.acme.dns01_stale
"""

EXAMPLES = r"""
- name: One certificate
  certfleet.acme.acme_certificate:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_src: /etc/acme/account.pem
    terms_agreed: true
    dns_providers:
      - provider: route53
    certificates:
      - name: web
        csr_content: "{{ lookup('ansible.builtin.file', 'web.csr') }}"
  delegate_to: localhost
  register: obtained

- name: What all hosts of the play need, in one batch
  certfleet.acme.acme_certificate:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    account_key_src: /etc/acme/account.pem
    dns_providers:
      - provider: route53
        zones: [example.com]
    gather: request
    item_failures: report
  delegate_to: localhost
  run_once: true
  register: obtained
"""

RETURN = r"""
certificates:
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
      description: The item's O(certificates[].name).
      type: str
    host:
      description: The item's O(certificates[].host).
      type: str
    changed:
      description: Whether a certificate was issued now (would be, in check mode).
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
    shared_from:
      description:
        - The host that has the key, for a certificate that hosts share, in the results of the others. C(answers) are
          the fingerprints of the keys of their requests that were made by force and are done with by it.
      returned: with O(gather), for a certificate of another host
      type: str
shares:
  description:
    - What is to be sealed by M(certfleet.acme.certificate_share), by the host that has the keys. It is empty in check
      mode.
  returned: with O(gather), when hosts share certificates and one of them gets one from another
  type: list
  elements: dict
  contains:
    host:
      description: The host that has the keys.
      type: str
    store_path:
      description: Its store.
      type: str
    wanted:
      description: For O(certfleet.acme.certificate_share#module:wanted).
      type: list
      elements: dict
  sample:
    - host: web1
      store_path: /etc/certfleet
      wanted:
        - name: web
          host: web2
          recipient: ybb9IQlQ6QYqLcy0jM7Y0kKd1wKx1vXxkK5C0lqQKxA=
          public_key_sha256: 0b5f3f0a6a1c1f34a0e2d1d2ad0dbb1f7e8b3b60f0c8d7a3d1e4c5b6a7988796
          serial: null
behind:
  description:
    - For each host that has a certificate other than the one that all hosts of it are to have, without having asked,
      what M(certfleet.acme.certificate_request) is to be told there in
      O(certfleet.acme.certificate_request#module:shared_elsewhere), so that the host asks for it.
  returned: with RV(shares)
  type: dict
  sample:
    web3:
      - name: web
        host: web1
        serial: 3c4f9a8e12
left_alone:
  description:
    - The hosts that keep an older certificate than the others, because it was gone back from there
      (O(certfleet.acme.certificate_install#module:state=rolled_back)). A warning says so too.
  returned: with O(gather), when there are such hosts
  type: list
  elements: dict
  contains:
    name:
      description: The name of the certificate.
      type: str
    host:
      description: The host.
      type: str
    msg:
      description: What is the matter, and what to do.
      type: str
  sample:
    - name: web
      host: web1
      msg: web1 has gone back from the certificate web of web2, serial 3c4f9a8e12, and goes on with an older one.
failed_items:
  description: The names of the items that failed.
  returned: always
  type: list
  elements: str
  sample: []
stale_removed:
  description: The TXT values that earlier runs had left in DNS and that this one took away, see O(journal).
  returned: always
  type: list
  elements: dict
  sample:
    - record: _acme-challenge.example.com
      value: LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo
      zone: example.com
      provider: route53
      owner: awx job 4711
      run: 5d0c7a62b1f04e9a
      added: "2026-11-22T02:00:13Z"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.acme.plugins.module_utils._issuance_module import (
    ISSUANCE_ARGSPEC,
    ISSUANCE_RULES,
    run_issuance,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ISSUANCE_ARGSPEC, supports_check_mode=True, **ISSUANCE_RULES)
    run_issuance(module)


if __name__ == "__main__":
    main()
