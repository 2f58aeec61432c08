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
      mode:
        description:
          - Mode of private keys and of each other file that holds one, instead of what follows from
            O(ignore:certificates[].group), as an octal number in quotes. Certificates have mode 0644.
          - One of V("0600"), V("0640"), V("0400") and V("0440"). Whatever gives rights to others, or the group the
            right to write, is refused. When the group may read keys, directories have mode 0750.
          - Where the group may read keys and no O(ignore:certificates[].group) is declared, what is new gets the group
            that the task's process has, also in a directory that hands down its own group (setgid).
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
          - V(combined_pem) makes C(combined.pem), the private key and then the full chain, as HAProxy and Postfix
            (C(smtpd_tls_chain_files)) read it.
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
          - One that cannot be removed, say because others can write to its directory by now, stays. The result says so
            in its message, the certificate is not held up, and later runs try again.
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
            command line written as one string is refused. Programs are looked for in C(PATH), then in
            C(/usr/local/sbin), C(/usr/sbin) and C(/sbin).
        type: dict
        suboptions:
          service:
            description:
              - Name of the service's unit of systemd, for example V(nginx).
              - Where O(ignore:certificates[].deploy.reload) is not given, it is C(systemctl reload-or-restart) of the
                unit. Where O(ignore:certificates[].deploy.check) is not given, it is C(nginx -t -q) for V(nginx),
                C(haproxy -c -q -f /etc/haproxy/haproxy.cfg) for V(haproxy), C(apachectl configtest) (or C(apache2ctl))
                for V(apache2) and V(httpd), C(postfix check) for V(postfix), C(doveconf -n) for V(dovecot), and nothing
                for other units.
            type: str
          check:
            description:
              - Command that checks the service's configuration, as a list of program and arguments.
              - It runs after C(current) was switched and before O(ignore:certificates[].deploy.reload). Equal commands
                of several certificates run once. When it fails, it runs once more after rolling back, to tell whether
                the certificate is the cause.
              - V([]) means none, whatever O(ignore:certificates[].deploy.service) is.
            type: list
            elements: str
          reload:
            description:
              - Command that makes the service read the certificate, as a list of program and arguments.
              - Equal commands of several certificates run once.
              - V([]) means none, whatever O(ignore:certificates[].deploy.service) is.
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
              starttls:
                description:
                  - The protocol that the connection begins in, in plain text, before it goes over to TLS. Without it,
                    TLS from the first byte on.
                type: str
                choices: [smtp, imap, pop3, ldap, postgres]
          timeout:
            description: Seconds that the proof of all endpoints may take after the reload.
            type: int
            default: 30
      publish:
        description:
          - Where in clouds the certificate is published, with its private key, by
            M(certfleet.acme.certificate_publish). Each entry has one of the options here.
          - Credentials are used on the managed host; environment variables and files are read there.
        type: list
        elements: dict
        suboptions:
          acm:
            description:
              - AWS Certificate Manager. The certificate is imported, and from then on replaced under the same ARN.
            type: dict
            suboptions:
              certificate_arn:
                description:
                  - The ARN of the certificate to replace. Name it on one host only, or on hosts that share the key.
                  - Without it, the certificate is imported once, and found again by what the host has noted, or by its
                    tags C(certfleet:certificate) (the name) and C(certfleet:host).
                type: str
              tags:
                description: Further tags. They are added where they are missing or different; others stay.
                type: dict
                default: {}
              access_key:
                description:
                  - The AWS access key id.
                  - Not given, the environment variables E(AWS_ACCESS_KEY_ID) and E(AWS_ACCESS_KEY) count, then what
                    boto3 finds by itself (shared credentials file, container or instance role).
                type: str
                aliases: [aws_access_key_id, aws_access_key]
              secret_key:
                description:
                  - The AWS secret access key.
                  - Not given, the environment variables E(AWS_SECRET_ACCESS_KEY) and E(AWS_SECRET_KEY) count.
                type: str
                aliases: [aws_secret_access_key, aws_secret_key]
              session_token:
                description:
                  - The session token of temporary credentials.
                  - Not given, the environment variable E(AWS_SESSION_TOKEN) counts.
                type: str
                aliases: [aws_session_token]
              profile:
                description:
                  - The profile of the AWS configuration files to use. Not together with an access key.
                  - Not given, the environment variables E(AWS_PROFILE) and E(AWS_DEFAULT_PROFILE) count.
                type: str
                aliases: [aws_profile]
              region:
                description:
                  - The AWS region. CloudFront wants its certificates in C(us-east-1).
                  - Not given, that of the ARN counts, then the environment variables E(AWS_REGION) and
                    E(AWS_DEFAULT_REGION), then the profile.
                type: str
                aliases: [aws_region]
              endpoint_url:
                description:
                  - Where ACM is, when not at AWS's own address. It must be an https one.
                  - Not given, the environment variable E(AWS_URL) counts.
                type: str
                aliases: [aws_endpoint_url]
              aws_ca_bundle:
                description:
                  - The CA certificates (PEM file) to check the certificates of ACM and STS with.
                  - Not given, the environment variable E(AWS_CA_BUNDLE) counts.
                type: path
              assume_role_arn:
                description:
                  - The ARN of a role to assume. The other credentials, or what boto3 finds by itself, must be allowed
                    C(sts:AssumeRole) for it.
                  - Not given, the environment variables E(AWS_ROLE_ARN) and E(AWS_WEB_IDENTITY_TOKEN_FILE) count
                    together, where neither keys nor a profile are given.
                type: str
                aliases: [iam_role_arn]
              external_id:
                description: The external id that the role's trust policy asks for.
                type: str
              role_session_name:
                description:
                  - What the role's session is called in CloudTrail.
                  - Not given, the environment variable E(AWS_ROLE_SESSION_NAME) counts, then C(certfleet).
                type: str
              duration_seconds:
                description: How long the credentials of the role are good for, from 900 to 43200.
                type: int
              web_identity_token_file:
                description:
                  - A file with an OpenID Connect token to assume the role with instead of AWS credentials.
                type: path
              sts_endpoint_url:
                description:
                  - Where STS is, when not at AWS's own address.
                  - Not given, the environment variable E(AWS_ENDPOINT_URL_STS) counts.
                type: str
          certificate_manager:
            description:
              - Google Certificate Manager. A self-managed certificate is made when there is none of this name, and
                replaced from then on.
            type: dict
            suboptions:
              certificate:
                description:
                  - The name of the certificate in the project, 1 to 63 of C(a-z), C(0-9) and hyphen.
                  - One that Google manages is refused. Hosts must not share a name unless they share the certificate.
                type: str
                required: true
              location:
                description: The location, C(global) or a region.
                type: str
                default: global
              labels:
                description: Labels. They are set where they are missing or different; others stay.
                type: dict
                default: {}
              project:
                description:
                  - The Google Cloud project.
                  - Not given, the environment variable E(GCP_PROJECT) counts, then the project that the credentials
                    name.
                type: str
              auth_kind:
                description:
                  - The kind of credentials; V(application) are the ones that google-auth finds by itself.
                  - Not given, the environment variable E(GCP_AUTH_KIND) counts, then what is given.
                type: str
                choices: [application, serviceaccount, accesstoken]
              service_account_file:
                description:
                  - The key file (JSON) of a service account.
                  - Not given, the environment variable E(GCP_SERVICE_ACCOUNT_FILE) counts.
                type: path
              service_account_contents:
                description:
                  - The content of a key file, as one text (with the filter P(ansible.builtin.to_json#filter) where it
                    is a mapping).
                  - Not given, the environment variable E(GCP_SERVICE_ACCOUNT_CONTENTS) counts.
                type: raw
              access_token:
                description:
                  - An OAuth 2.0 access token. It is good for an hour at most.
                  - Not given, the environment variable E(GCP_ACCESS_TOKEN) counts.
                type: str
              impersonate_service_account:
                description:
                  - The e-mail address of a service account to act as. The credentials need the role
                    C(roles/iam.serviceAccountTokenCreator) for it.
                type: str
              scopes:
                description:
                  - The OAuth 2.0 scopes to ask for, when not C(https://www.googleapis.com/auth/cloud-platform), the
                    only one that this API has.
                  - Not given, the environment variable E(GCP_SCOPES) counts.
                type: list
                elements: str
              api_endpoint:
                description:
                  - Where Certificate Manager is, when not at C(https://certificatemanager.googleapis.com). It must be
                    an https one.
                type: str
"""
