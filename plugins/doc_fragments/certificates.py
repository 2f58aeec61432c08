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
      mode:
        description:
          - Mode of private keys and of each other file that holds one, instead of what follows from
            O(ignore:certificates[].group), as an octal number in quotes. Certificates have mode 0644.
          - One of V("0600"), V("0640"), V("0400") and V("0440"). Whatever gives rights to others, or the group the
            right to write, is refused. When the group may read keys, directories have mode 0750.
        type: str
      seuser:
        description:
          - User part of the SELinux context of the certificate's files, directories and links, request included.
          - Without it, what is new gets the policy's default for its path, and what is there keeps what it has.
            V(_default) stands for the policy's default, and brings what is there back to it.
          - Of no effect where SELinux is not enabled, and on file systems that have one context for all
            (C(special_context_filesystems) in Ansible's configuration).
        type: str
      serole:
        description: Role part of the SELinux context, as O(ignore:certificates[].seuser).
        type: str
      setype:
        description: Type part of the SELinux context, as O(ignore:certificates[].seuser).
        type: str
      selevel:
        description:
          - Level part of the SELinux context, as O(ignore:certificates[].seuser), in the spelling of the kernel such as
            V(s0). Of no effect where the policy has no levels.
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
