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
                  - The ARN of the certificate to replace.
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
