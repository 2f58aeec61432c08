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
      adopt:
        description:
          - Where the certificate is on the host already, put there by something else. It is taken over into the store
            instead of a new one being issued, as long as the store has no version of it.
          - It is copied, key and all; nothing is ever written there. From then on the store's copy is what is rotated.
          - It is taken over when it is as declared (names, kind of key, profile and CA where they are known), not due
            and not asked for by force, when the key belongs to it, and when the files and all directories on the way
            belong to root, the user of the task or the declared O(ignore:certificates[].owner), and nobody else can
            write to them. Otherwise it is issued, and the reason says what was not good.
          - Encrypted keys, other formats than PEM and other kinds of keys than
            O(ignore:certificates[].key_type) has are not taken over.
        type: dict
        suboptions:
          certbot:
            description:
              - Lineage of certbot, C(/etc/letsencrypt/live/NAME). The CA and the profile are read from
                C(/etc/letsencrypt/renewal/NAME.conf).
              - Its links are followed within C(/etc/letsencrypt) and not out of it.
            type: path
          certificate:
            description:
              - PEM file with the certificate, alone or with its chain after it. A link is not followed.
              - Nobody knows which CA it came from, so a declared CA is no reason to issue it anew.
            type: path
          private_key:
            description: PEM file with the private key, not encrypted. A link is not followed.
            type: path
          chain:
            description:
              - PEM file with the rest of the chain. Without it, what comes after the certificate in
                O(ignore:certificates[].adopt.certificate).
            type: path
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
              - A certificate that was taken over (O(ignore:certificates[].adopt)) and that all of them serve already is
                proven by that, with no command run.
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
