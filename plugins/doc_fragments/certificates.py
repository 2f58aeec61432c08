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
      formats:
        description:
          - More files that services want, made of the same key and chain in each version's directory, so that they
            change together with the others when C(current) is switched.
          - V(combined_pem) makes C(combined.pem), the full chain and then the private key, as HAProxy reads it.
          - V(pkcs12) makes C(keystore.p12) with private key, certificate and chain, as Java reads it. See
            O(ignore:certificates[].pkcs12).
          - V(der) makes C(cert.der), the certificate, and C(privkey.der), the private key as PKCS#8.
          - What holds the private key has the mode of C(privkey.pem).
          - One that is declared later, or whose file is missing or damaged, is added to the active version, and the
            services are deployed anew. One that is not declared any more is removed from the active version at once
            rather than with the next one, so that a service that still needs it shows that while someone is looking;
            when its check, reload or proof fails then, the file comes back.
        type: list
        elements: str
        choices: [combined_pem, pkcs12, der]
      pkcs12:
        description:
          - How C(keystore.p12) is made. Only together with the format V(pkcs12).
        type: dict
        suboptions:
          passphrase:
            description:
              - Passphrase of the keystore and of the key in it, 6 characters or more of printable ASCII. Required.
              - It is kept nowhere on the host. When another one is declared, the file is made anew.
              - The file is encrypted as well as the host's C(cryptography) can, with AES-256 from version 38 on and
                with Triple-DES before. Java 8u301, 11.0.12 and 17 read both, older ones only Triple-DES.
            type: str
          friendly_name:
            description:
              - What Java calls the alias. Java makes no difference between capitals and small letters there.
              - The default is the certificate's name.
            type: str
      files:
        description:
          - Links or copies of the certificate's files at other paths, for services that look for them there.
          - They are made after C(current) was switched and before O(ignore:certificates[].deploy.check). When a check,
            reload or proof fails, there is again what was there before.
          - What lies at such a path, be it a file or a link, is replaced in one step and never followed. A directory
            there is refused.
          - They get the SELinux context that the policy has for their path.
          - Paths that are not declared any more are removed when they are still as they were made, a link into the
            store or a copy of one of its versions. Of a certificate that is not declared at all any more, nothing is
            removed.
          - Copies of C(privkey.pem) and C(fullchain.pem) change one after the other, so a service that reads them just
            then may get a key and a certificate that do not belong together. Links and C(combined.pem) have no such
            moment.
        type: list
        elements: dict
        suboptions:
          path:
            description:
              - Absolute path of the file, outside of the store, once among all certificates.
              - Its directory must exist. It and those above it must belong to root, to the user that the task runs as
                or to the file's owner, and nobody else may be able to write to them.
            type: path
            required: true
          source:
            description: Which of the certificate's files. Those that a format makes need that format.
            type: str
            choices:
              - fullchain.pem
              - privkey.pem
              - cert.pem
              - chain.pem
              - combined.pem
              - keystore.p12
              - cert.der
              - privkey.der
            required: true
          kind:
            description:
              - V(link) makes a symbolic link that leads to the file in C(current). It is made once and needs no change
                when the certificate does. Whoever reads through it must be allowed to enter the store's directories,
                see O(ignore:certificates[].group).
              - V(copy) makes a file that is written anew with each version.
            type: str
            choices: [link, copy]
            default: link
          owner:
            description: User that a copy belongs to, by name or number. Without it, the certificate's.
            type: str
          group:
            description: Group of a copy, by name or number. Without it, the certificate's.
            type: str
          mode:
            description:
              - Mode of a copy, octal and in quotes.
              - Without it, V("0644"), and for what holds the private key the mode of C(privkey.pem), or V("0640") with
                a O(ignore:certificates[].files[].group) of its own. A mode that lets others read such a file, or
                anyone but its owner write one, is refused.
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
