#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_request
short_description: Decide what the certificates of a host need, and make keys and CSRs
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Compares the declared certificates with the host's store and says for each whether it must be issued, installed or
    left alone, and why.
  - For a certificate that must be issued it makes the private key and the CSR on the host. The key stays in the store;
    only the CSR is returned. For O(certificates[].key_location=shared) it makes a second key too, that another host
    may seal the certificate's key to, and returns its public half.
  - A request whose certificate never arrived is gone on with, same key and same CSR, for seven days and as long as its
    names and key type are still the declared ones. One that is older and that nothing asks for any more is removed with
    its key.
  - What was asked for by force and has not come, because the run failed, is asked for by every later run until it has
    come, be it with O(force) or without.
  - Reasons, the weightiest first, are C(forced), C(missing), C(broken), C(compromised), C(identifiers_changed),
    C(key_type_changed), C(profile_changed), C(ca_changed), C(expired), C(ari) (the CA asked for renewal), C(due),
    C(key_location_changed) (the key is one of other hosts too, and one of its own is declared) and C(shared_elsewhere)
    (another host has the certificate that all are to serve) for RV(certificates[].needs=issue), C(adopted),
    C(pending_install), C(files_differ) (formats, links or copies), C(not_deployed) and C(not_published) for
    RV(certificates[].needs=install).
  - A certificate that is on the host already is taken over where O(certificates[].adopt) says where it is. The text of
    C(adopted) says which, and that of C(missing) why not.
  - It also brings owner, group and mode of the store's files back to what is declared.
options:
  acme_directory:
    description:
      - Directory of the CA that the certificates are to come from. A certificate that came from another one is due.
      - Nothing is sent to it. Without it, certificates of any CA are kept.
    type: str
  renew:
    description:
      - Whether certificates that are merely due are to be issued.
      - With V(false) only those that are missing, broken, expired or other than declared.
    type: bool
    default: true
  force:
    description: As O(certificates[].force), for all of them.
    type: bool
    default: false
  renewal_info:
    description:
      - Whether what the CA says about when to renew (RFC 9773) counts. This module asks nobody;
        RV(certificates[].renewal_info) says for which certificates it is time to, M(certfleet.acme.acme_renewal_info)
        asks, and O(renewal_info_answers) brings the answers here, where they are kept beside the certificates.
      - V(when_due) says so for certificates that the CA was not asked for yet, from six hours after they came on, and
        for others when the time has come that the CA named the last time.
      - V(now) says so for all, as an operator may want who hears of a mass revocation.
      - V(never) does not say so, and does not use what the CA said before.
    type: str
    choices: [when_due, now, never]
    default: when_due
  renewal_info_answers:
    description:
      - Results of M(certfleet.acme.acme_renewal_info) for certificates of this host. What they say is kept beside the
        certificates and counts from then on.
    type: list
    elements: dict
  next_run_in:
    description:
      - Seconds until this is run the next time. What the CA wants renewed before that, or what expires, is due now.
      - Set it to the interval of your schedule. Without it, what the CA wants renewed is due from the first run after
        that instant on.
    type: int
    default: 0
  shared_elsewhere:
    description:
      - The certificates of O(certificates[].key_location=shared) that all their hosts are to serve, as far as this host
        has another one. This host asks for them then. M(certfleet.acme.acme_certificate) says which, in C(behind).
    type: list
    elements: dict
    suboptions:
      name:
        description: The certificate's name.
        type: str
        required: true
      host:
        description: The host that has it.
        type: str
        required: true
      serial:
        description: Its serial number, hexadecimal. In check mode there may be none yet.
        type: str
  renewal_spread:
    description:
      - Share of its lifetime over which the instants are spread from which certificates are due by their age, so that
        what was issued together is not renewed together for ever. Each becomes due earlier by a part of it that its
        fingerprint decides, the same in every run.
      - With V(0.1), certificates of ninety days are renewed between nine and no days before a third of the lifetime is
        left. None becomes due by it in the first half of its life; those of less than ten days are due at the half and
        therefore not spread.
      - A declared O(certificates[].renew_when_remaining) is meant as it is and not spread, nor is what the CA says.
    type: float
    default: 0
extends_documentation_fragment:
  - certfleet.acme.attributes
  - certfleet.acme.batch
  - certfleet.acme.certificates
  - certfleet.acme.store
attributes:
  check_mode:
    support: full
    details: No key is made, so RV(certificates[].csr_content) is V(none) for a certificate that would need a new one.
  diff_mode:
    support: full
    details: Shows names, dates and reasons, never a key.
  idempotent:
    support: partial
    details: With O(force) or O(certificates[].force) a request is made again once the last one was installed.
  platform:
    platforms: posix
seealso:
  - module: certfleet.acme.acme_certificate
  - module: certfleet.acme.certificate_install
"""

EXAMPLES = r"""
- name: See what the host's certificates need
  certfleet.acme.certificate_request:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    certificates:
      - name: web
        identifiers: [example.com, "*.example.com"]
        deploy:
          check: [nginx, -t]
          reload: [systemctl, reload-or-restart, nginx]
          endpoints:
            - port: 443
              server_name: example.com
  register: request

- name: Say why
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.reasons | map(attribute='text') | join('; ') }}"
  loop: "{{ request.certificates | rejectattr('needs', 'eq', 'nothing') }}"
  loop_control:
    label: "{{ item.name }}"

- name: New keys for all of them after a compromise
  certfleet.acme.certificate_request:
    certificates: "{{ my_certificates }}"
    force: true
"""

RETURN = r"""
certificates:
  description: A result for each declared certificate, in their order.
  returned: always
  type: list
  elements: dict
  sample:
    - name: web
      identifiers: [example.com, "*.example.com"]
      key_type: ecdsa-p256
      profile: null
      key_location: host
      needs: issue
      reasons:
        - code: missing
          text: there is no certificate yet
      csr_content: "-----BEGIN CERTIFICATE REQUEST-----\n..."
      public_key_sha256: 0b5f3f0a6a1c1f34a0e2d1d2ad0dbb1f7e8b3b60f0c8d7a3d1e4c5b6a7988796
      recipient: null
      current: null
      held: null
      withdrawn: []
      replaces: null
      renewal_info: null
      publish: false
      corrected: false
      changed: true
      failed: false
      msg: "issue: there is no certificate yet"
  contains:
    name:
      description: As declared.
      type: str
    identifiers:
      description: As declared, in the spelling that names are compared in.
      type: list
      elements: str
    key_type:
      description: As declared.
      type: str
    profile:
      description: As declared.
      type: str
    key_location:
      description: As declared.
      type: str
    needs:
      description:
        - V(issue) when the CSR is to be sent to the CA, or another host has the certificate; V(install) when the
          certificate is there and waits to be active or proven; V(nothing) otherwise.
      type: str
      choices: [issue, install, nothing]
    reasons:
      description: Why, the weightiest first. Empty when nothing is needed.
      type: list
      elements: dict
      contains:
        code:
          description: One of the codes above.
          type: str
        text:
          description: One line for people.
          type: str
    csr_content:
      description: The CSR in PEM when the certificate must be issued.
      type: str
    public_key_sha256:
      description: SHA-256 of the public key of that CSR.
      type: str
    recipient:
      description:
        - The public key (X25519, base64) that M(certfleet.acme.certificate_share) may seal the key of a shared
          certificate to for this host. It is of this one request. V(none) when none is needed.
      type: str
    held:
      description:
        - The version that was decided on, for a certificate that is shared; V(none) when there is no whole one.
        - C(answers) in it are the fingerprints of the keys that it took the place of.
      type: dict
    withdrawn:
      description:
        - Serial numbers of the versions of a shared certificate that were gone back from on this host. It is not to get
          them from another one.
      type: list
      elements: str
    current:
      description: The active certificate, V(none) when there is none.
      type: dict
      sample:
        version: "0007"
        serial: 3f2a9c
        not_before: "2026-09-01T00:00:00Z"
        not_after: "2026-11-30T00:00:00Z"
        issuer: CN=Example CA
        identifiers: [example.com]
        public_key_sha256: 9a3c0f7f6a1c1f34a0e2d1d2ad0dbb1f7e8b3b60f0c8d7a3d1e4c5b6a7988796
        acme_directory: https://acme-v02.api.letsencrypt.org/directory
        deployed_at: "2026-09-01T01:02:03Z"
    replaces:
      description: Identifier of the certificate that the new one replaces (RFC 9773), V(none) when there is none.
      type: str
    renewal_info:
      description:
        - What is known of the CA's renewal information. V(none) where there is nothing to ask the CA, because the
          certificate is to be issued anyway, nobody knows its CA, or O(renewal_info=never).
      type: dict
      contains:
        ask:
          description: Whether it is time to ask the CA.
          type: bool
        certificate:
          description: The certificate in PEM, when it is time.
          type: str
        acme_directory:
          description: Directory of the CA to ask.
          type: str
        state:
          description: What the CA said, as M(certfleet.acme.acme_renewal_info) returns it.
          type: dict
    publish:
      description: Whether it is declared to be published to a cloud.
      type: bool
    corrected:
      description: Whether owner, group, mode or SELinux context of its files were corrected, or would be in check mode.
      type: bool
    changed:
      description:
        - Whether something in the store was written, or would be in check mode. That the CA was asked and when it is to
          be asked again is written too and is no change; a new instant of renewal is one.
      type: bool
    failed:
      description: Whether this certificate could not be looked at or requested.
      type: bool
    msg:
      description: One line, the cause when RV(certificates[].failed).
      type: str
acme_directory:
  description: As given, so that the batch of a play goes to the CA that its hosts declare.
  returned: always
  type: str
  sample: https://acme-v02.api.letsencrypt.org/directory
store_path:
  description: As given, for M(certfleet.acme.certificate_share).
  returned: always
  type: str
  sample: /etc/certfleet
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
from ansible_collections.certfleet.acme.plugins.module_utils._store.argspec import (
    CERTIFICATES_ARGSPEC,
    ELSEWHERE,
    STORE_ARGSPEC,
)
from ansible_collections.certfleet.acme.plugins.module_utils._store.renewal import MODES
from ansible_collections.certfleet.acme.plugins.module_utils._store.request import main_work


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            BATCH_ARGSPEC,
            **CERTIFICATES_ARGSPEC,
            **STORE_ARGSPEC,
            acme_directory={"type": "str"},
            renew={"type": "bool", "default": True},
            force={"type": "bool", "default": False},
            renewal_info={"type": "str", "choices": list(MODES), "default": "when_due"},
            renewal_info_answers={"type": "list", "elements": "dict"},
            next_run_in={"type": "int", "default": 0},
            shared_elsewhere={"type": "list", "elements": "dict", "options": ELSEWHERE},
            renewal_spread={"type": "float", "default": 0},
        ),
        supports_check_mode=True,
    )
    run(module, main_work)


if __name__ == "__main__":
    main()
