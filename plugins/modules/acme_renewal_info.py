#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: acme_renewal_info
short_description: Decide which certificates are due for renewal and why
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Compares each certificate with what is declared for it and says whether it is to be renewed, and all reasons.
  - The reasons, the weightiest first, are C(forced), C(missing), C(broken), C(identifiers_changed),
    C(key_type_changed), C(profile_changed), C(ca_changed), C(expired), C(ari) (the instant that was chosen from the
    window that the CA suggests has come) and C(due) (too little of the lifetime is left).
  - With O(acme_directory), the CA is asked when it wants the certificates renewed (RFC 9773), for all of them at once
    and without an account. It is not asked for a certificate that is to be renewed anyway, that has expired or came
    from another CA, and not before the time that it named the last time.
  - A CA that is down, slow, or offers no renewal information never makes the module fail. What is known from before
    and the lifetime decide then, and a warning says so.
  - M(certfleet.acme.certificate_request) decides in the same way for certificates in the store of a host, and keeps
    there what the CA said.
options:
  certificates:
    description:
      - The certificates.
      - One of O(certificates) and O(gather) is needed.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name for the result.
        type: str
      host:
        description: A label that the result carries.
        type: str
      certificate_content:
        description:
          - The certificate in PEM. A chain may follow.
          - Without it and O(certificates[].certificate_path), the certificate is missing, and so due.
        type: str
      certificate_path:
        description:
          - File with the certificate in PEM, where the module runs. When it is not there, the certificate is missing.
        type: path
      identifiers:
        description: Names that the certificate is to be for. Without them, those that it is for.
        type: list
        elements: str
      key_type:
        description: Kind of key that it is to have. Without it, any.
        type: str
        choices: [ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096]
      profile:
        description: Profile that it is to have. Compared when O(certificates[].issued_profile) is given.
        type: str
      issued_profile:
        description: Profile that it was asked for with.
        type: str
      issued_acme_directory:
        description: Directory of the CA that issued it. Compared with O(acme_directory).
        type: str
      renewal_info:
        description:
          - What RV(certificates[].renewal_info) was the last time. With it the instant that was chosen stays the same
            as long as it lies in the window that the CA suggests, and the CA is asked no sooner than it wants to be.
        type: dict
      renew_at:
        description: Instant from which it is to be renewed, ISO 8601, where O(certificates[].renewal_info) has none.
        type: str
      renew_when_remaining:
        description:
          - Renew when less than this share of the lifetime is left, between 0 and 1.
          - Without it, a certificate is due when less than a third is left, or less than half when it lives for less
            than ten days. Where the CA says when, that counts instead, but no later than when a twentieth is left.
        type: float
      force:
        description: Renew in any case.
        type: bool
        default: false
  gather:
    description:
      - Instead of O(certificates), the name of the variable that the hosts of the play registered
        M(certfleet.acme.certificate_request) under. The CA is asked for those certificates for which it says that it
        is time to. Use it with C(run_once).
    type: str
  acme_directory:
    description: Directory of the CA that the certificates are to come from. Without it, any, and nobody is asked.
    type: str
    required: false
  renewal_info:
    description:
      - Whether the CA is asked. V(when_due) asks for certificates that it was not asked for yet, from six hours after
        the begin of their validity on, and for others when the time has come that the CA named the last time.
      - V(now) asks whatever the CA said about when, also for certificates that are to be renewed anyway, as an operator
        may who hears of a mass revocation.
      - V(never) does not ask, and does not use what the CA said before.
    type: str
    choices: [when_due, now, never]
    default: when_due
  renewal_info_timeout:
    description: Seconds that asking may take, for all certificates together. What is left is asked by a later run.
    type: int
    default: 30
  next_run_in:
    description:
      - Seconds until this is run the next time. What the CA wants renewed before that, or what expires, is due now.
    type: int
    default: 0
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
notes:
  - The options for the account are accepted so that defaults for the whole action group can be set. They are not used.
extends_documentation_fragment:
  - certfleet.acme.acme
  - certfleet.acme.acme.account
  - certfleet.acme.acme.creation
  - certfleet.acme.attributes
  - certfleet.acme.attributes.action_group
  - certfleet.acme.attributes.info_module
  - certfleet.acme.batch
attributes:
  platform:
    platforms: posix
seealso:
  - module: certfleet.acme.certificate_request
"""

EXAMPLES = r"""
- name: Which of these certificates are due?
  certfleet.acme.acme_renewal_info:
    certificates:
      - name: web
        certificate_path: /srv/certificates/web.pem
        identifiers: [example.com, www.example.com]
        renew_when_remaining: 0.4
  register: renewal
  delegate_to: localhost

- name: Say why
  ansible.builtin.debug:
    msg: "{{ renewal.certificates | selectattr('should_renew') | map(attribute='msg') }}"

# What the CA said has to be kept somewhere from run to run; certificate_request does so by itself.
- name: Ask the CA as well, when it is time
  certfleet.acme.acme_renewal_info:
    acme_directory: https://acme-v02.api.letsencrypt.org/directory
    next_run_in: 86400
    certificates:
      - name: web
        certificate_path: /srv/certificates/web.pem
        renewal_info: "{{ what_the_ca_said_about_web | default(omit) }}"
  register: renewal
  delegate_to: localhost
"""

RETURN = r"""
certificates:
  description: A result for each certificate, in their order.
  returned: always
  type: list
  elements: dict
  sample:
    - name: web
      host: null
      should_renew: true
      reasons:
        - code: identifiers_changed
          text: "identifiers: www.example.com added"
      remaining: 0.71
      due_at: "2026-10-31T23:59:59Z"
      cert_id: AQI.Pyqc
      supports_ari: true
      asked: true
      renewal_info:
        supported: true
        window:
          start: "2026-10-30T00:00:00Z"
          end: "2026-11-01T00:00:00Z"
        renew_at: "2026-10-31T11:12:13Z"
        explanation_url: null
        checked_at: "2026-09-27T02:00:00Z"
        next_check: "2026-09-27T08:00:00Z"
        failures: 0
        error: null
      serial: 3f2a9c
      not_before: "2026-09-01T00:00:00Z"
      not_after: "2026-11-30T00:00:00Z"
      issuer: CN=Example CA
      identifiers: [example.com]
      public_key_sha256: 9a3c0f7f6a1c1f34a0e2d1d2ad0dbb1f7e8b3b60f0c8d7a3d1e4c5b6a7988796
      key_type: ecdsa-p256
      changed: false
      failed: false
      msg: "identifiers: www.example.com added"
  contains:
    name:
      description: As given.
      type: str
    host:
      description: As given.
      type: str
    should_renew:
      description: Whether it is to be renewed.
      type: bool
    reasons:
      description: All reasons, the weightiest first.
      type: list
      elements: dict
      contains:
        code:
          description: One of the codes above.
          type: str
        text:
          description: One line for people.
          type: str
    remaining:
      description: Share of the lifetime that is left, between 0 and 1.
      type: float
    due_at:
      description: When the dates alone make it due.
      type: str
    cert_id:
      description: Identifier for renewal information (RFC 9773), to be given to a new order as C(replaces).
      type: str
    supports_ari:
      description: Whether the CA offers renewal information. V(none) while nobody has asked it.
      type: bool
    asked:
      description: Whether the CA was asked now.
      type: bool
    renewal_info:
      description:
        - What the CA said, now or before, to be given as O(certificates[].renewal_info) the next time. V(none) while
          nobody has asked it.
      type: dict
      contains:
        supported:
          description: Whether the CA offers renewal information.
          type: bool
        window:
          description: The window that it suggests, with C(start) and C(end).
          type: dict
        renew_at:
          description: The instant that was chosen from the window, once.
          type: str
        explanation_url:
          description: Where the CA explains the window.
          type: str
        checked_at:
          description: When the CA was asked last.
          type: str
        next_check:
          description: When it is asked again.
          type: str
        failures:
          description: How often in a row it could not be asked.
          type: int
        error:
          description: Why there was no answer the last time.
          type: str
    serial:
      description: Serial number, hexadecimal.
      type: str
    not_before:
      description: Begin of validity.
      type: str
    not_after:
      description: End of validity.
      type: str
    issuer:
      description: Issuer (RFC 4514).
      type: str
    identifiers:
      description: DNS names and IP addresses of the certificate, sorted.
      type: list
      elements: str
    public_key_sha256:
      description: SHA-256 of its public key.
      type: str
    key_type:
      description: Kind of its key.
      type: str
    changed:
      description: Always V(false).
      type: bool
    failed:
      description: Whether nothing could be decided.
      type: bool
    msg:
      description: The reasons, or the cause when RV(certificates[].failed), in one line.
      type: str
failed_items:
  description: Names of the certificates that nothing could be decided for.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.acme.plugins.module_utils._acme.argspec import ACME_ARGSPEC
from ansible_collections.certfleet.acme.plugins.module_utils._batch import BATCH_ARGSPEC
from ansible_collections.certfleet.acme.plugins.module_utils._module import run
from ansible_collections.certfleet.acme.plugins.module_utils._renewal_info import main_work


def main() -> None:
    certificate = {
        "name": {"type": "str"},
        "host": {"type": "str"},
        "certificate_content": {"type": "str"},
        "certificate_path": {"type": "path"},
        "identifiers": {"type": "list", "elements": "str"},
        "key_type": {"type": "str", "choices": ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"]},
        "profile": {"type": "str"},
        "issued_profile": {"type": "str"},
        "issued_acme_directory": {"type": "str"},
        "renewal_info": {"type": "dict"},
        "renew_at": {"type": "str"},
        "renew_when_remaining": {"type": "float"},
        "force": {"type": "bool", "default": False},
    }
    module = AnsibleModule(
        argument_spec={
            **ACME_ARGSPEC,
            **BATCH_ARGSPEC,
            "acme_directory": {"type": "str"},
            "certificates": {
                "type": "list",
                "elements": "dict",
                "options": certificate,
                "mutually_exclusive": [("certificate_content", "certificate_path")],
            },
            "gather": {"type": "str"},
            "renewal_info": {"type": "str", "choices": ["when_due", "now", "never"], "default": "when_due"},
            "renewal_info_timeout": {"type": "int", "default": 30},
            "next_run_in": {"type": "int", "default": 0},
            "renewal_spread": {"type": "float", "default": 0},
        },
        mutually_exclusive=[("certificates", "gather")],
        required_one_of=[("certificates", "gather")],
        supports_check_mode=True,
    )
    run(module, main_work)


if __name__ == "__main__":
    main()
