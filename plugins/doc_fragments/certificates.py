# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The declared certificates: the data model that modules and roles share; mirrors module_utils/_store/argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  certificates:
    description:
      - The certificates that are declared for this host.
      - The same list goes to M(certfleet.acme.certificate_request) and M(certfleet.acme.certificate_install).
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Names the certificate and its folder in the store, and joins the results of all modules.
          - 1 to 64 of V(a-z), V(0-9), dot, hyphen and underscore, the first one a letter or a digit.
        type: str
        required: true
      identifiers:
        description:
          - DNS names, wildcards among them, and IP addresses that the certificate is for.
          - Their order does not matter. Names in another script than ASCII are converted to A-labels.
        type: list
        elements: str
        required: true
      key_type:
        description: Kind of the private key, which is made on the host.
        type: str
        choices: [ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096]
        default: ecdsa-p256
      key_location:
        description:
          - V(host) makes a private key on each host, which never leaves it.
          - With V(shared), all hosts of a play that declare this name as shared serve one certificate with one key. The
            key is made on one of them and goes to the others sealed for each (HPKE, RFC 9180), so that nothing in
            between can read it. Identifiers, key type and profile must be the same on all of them.
          - A host that comes later gets what the others have, without an order. When one of them is due, one order
            renews it for all. Hosts outside of the play or its limit are not seen; they get it in the next run with
            them.
        type: str
        choices: [host, shared]
        default: host
      profile:
        description: Profile to ask the CA for. Without it, the CA chooses.
        type: str
      renew_when_remaining:
        description:
          - Renew when less than this share of the lifetime is left, between 0 and 1.
          - Without it, a certificate is due when less than a third is left, or less than half when it lives for less
            than ten days. Where the CA says when (RFC 9773), that counts instead, but no later than when a twentieth is
            left.
        type: float
      force:
        description:
          - Ask for a new certificate in any case, with a new key.
          - Every run with it asks for one more.
        type: bool
        default: false
      owner:
        description:
          - User that the certificate's files and directories belong to, by name or number.
          - Without it, the user that the task runs as. A folder that belongs to someone else is refused.
        type: str
      group:
        description:
          - Group that may read the certificate and its private key, by name or number.
          - With it, keys have mode 0640 and directories 0750; without it 0600 and 0700. Nobody but the owner may write
            in either case. A request that has no certificate yet is never open to the group.
        type: str
      deploy:
        description:
          - What makes a service serve the certificate, and what proves that it does.
          - Commands are run without a shell, from the directory V(/), and are stopped after 300 seconds. A whole
            command line written as one string is refused.
        type: dict
        suboptions:
          check:
            description:
              - Command that checks the service's configuration, as a list of program and arguments.
              - It runs after C(current) was switched and before O(ignore:certificates[].deploy.reload). Equal commands
                of several certificates run once.
            type: list
            elements: str
          reload:
            description:
              - Command that makes the service read the certificate, as a list of program and arguments.
              - Equal commands of several certificates run once.
            type: list
            elements: str
          endpoints:
            description:
              - Where the service must serve the certificate. Each is proven by a TLS handshake after the reload.
            type: list
            elements: dict
            suboptions:
              host:
                description: Name or address, as this host reaches the service.
                type: str
                default: 127.0.0.1
              port:
                description: TCP port.
                type: int
                default: 443
              server_name:
                description:
                  - Name to ask for (SNI).
                  - Without it, the first identifier that is a DNS name and no wildcard.
                type: str
          timeout:
            description: Seconds that the proof of all endpoints may take after the reload.
            type: int
            default: 30
"""
