# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of modules that publish TXT records at several providers; mirrors DNS_ARGSPEC of _dns/argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  dns_providers:
    description:
      - Where TXT records are published.
      - A name goes to the entry that has the longest of the O(dns_providers[].zones) it lies in, else to the entry
        without O(dns_providers[].zones) whose account has its zone.
    type: list
    elements: dict
    default: []
    suboptions:
      provider:
        description: The kind of provider.
        type: str
        choices: [route53, cloud_dns, rfc2136]
        required: true
      zones:
        description:
          - The zones, or parts of zones, that this entry is for.
          - Empty means everything that no other entry names.
        type: list
        elements: str
        default: []
      route53:
        description: Options of V(route53). Credentials may come from the environment instead.
        type: dict
        suboptions:
          access_key:
            description:
              - The AWS access key id.
              - Not given, the environment variables E(AWS_ACCESS_KEY_ID) and E(AWS_ACCESS_KEY) count, then what boto3
                finds by itself (shared credentials file, container or instance role).
              - Not together with O(dns_providers[].route53.profile).
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
              - The profile of the AWS configuration files to use.
              - Not given, the environment variables E(AWS_PROFILE) and E(AWS_DEFAULT_PROFILE) count.
            type: str
            aliases: [aws_profile]
          region:
            description:
              - The AWS region. Route53 is global, so it only matters outside the standard partition, and to STS.
              - Not given, the environment variables E(AWS_REGION) and E(AWS_DEFAULT_REGION) count, then C(us-east-1).
            type: str
            aliases: [aws_region]
          endpoint_url:
            description:
              - Where Route53 is, when not at AWS's own address.
              - Not given, the environment variable E(AWS_URL) counts.
            type: str
            aliases: [aws_endpoint_url]
          aws_ca_bundle:
            description:
              - The CA certificates (PEM file) to check the certificates of Route53 and STS with.
              - Not given, the environment variable E(AWS_CA_BUNDLE) counts.
            type: path
          assume_role_arn:
            description:
              - The ARN of a role to assume for Route53, for example one of the account that has the zones. The other
                credentials, or what boto3 finds by itself, must be allowed C(sts:AssumeRole) for it.
              - Its temporary credentials are in memory only and are renewed in a long run.
              - Not given, the environment variables E(AWS_ROLE_ARN) and E(AWS_WEB_IDENTITY_TOKEN_FILE) count
                together, as Kubernetes sets them, where neither keys nor a profile are given. Given beside them, the
                role is assumed with the credentials of that one.
              - Roles in an AWS profile need none of these options.
            type: str
            aliases: [iam_role_arn]
          external_id:
            description:
              - The external id that the role's trust policy asks for. Not for web identity, which knows none.
            type: str
          role_session_name:
            description:
              - What the role's session is called in CloudTrail.
              - Not given, the environment variable E(AWS_ROLE_SESSION_NAME) counts, then C(certfleet), or
                C(certfleet-awx-) with the number of the job where AWX runs this.
            type: str
          duration_seconds:
            description:
              - How long the credentials of the role are good for, from 900 to 43200. AWS refuses more than the role's
                maximum session duration. They are renewed in time, so there is seldom a need for more than AWS's
                default of an hour.
            type: int
          web_identity_token_file:
            description:
              - A file with an OpenID Connect token, where the module runs, to assume the role with instead of AWS
                credentials. It is read again when the credentials are renewed.
              - The role is O(dns_providers[].route53.assume_role_arn), or else E(AWS_ROLE_ARN).
              - Not together with O(dns_providers[].route53.access_key) or O(dns_providers[].route53.profile).
            type: path
          sts_endpoint_url:
            description:
              - Where STS is, for O(dns_providers[].route53.assume_role_arn) and web identity, when not at AWS's own
                address, such as an interface endpoint in a private network. O(dns_providers[].route53.endpoint_url)
                is for Route53 alone.
              - Not given, the environment variable E(AWS_ENDPOINT_URL_STS) counts, which also holds for the roles of
                profiles.
            type: str
          zone_ids:
            description:
              - Hosted zone ids by zone name. When given, only these zones are used and none are listed, so that the
                credentials need neither C(route53:ListHostedZones) nor C(route53:ListHostedZonesByName).
              - Needed where two zones of the account have the same name.
            type: dict
            default: {}
          private_zone:
            description:
              - Use private hosted zones instead of public ones.
            type: bool
            default: false
          requests_per_second:
            description:
              - How many requests a second to send at most. AWS allows 5 for the whole account, the console and all
                other programs included.
              - Entries without a role, and entries whose roles are of one account, keep the lowest of their
                rates together.
            type: float
            default: 4.0
      cloud_dns:
        description: Options of V(cloud_dns). Credentials may come from the environment instead.
        type: dict
        suboptions:
          project:
            description:
              - The Google Cloud project that has the zones.
              - Not given, the environment variable E(GCP_PROJECT) counts, then the project that the credentials name.
            type: str
          auth_kind:
            description:
              - The kind of credentials.
              - V(application) are the application default credentials that google-auth finds by itself, such as the
                file that E(GOOGLE_APPLICATION_CREDENTIALS) names (a key, or workload identity federation) or the
                account of the machine.
              - Not given, the environment variable E(GCP_AUTH_KIND) counts, then what is given.
                O(dns_providers[].cloud_dns.service_account_file) or
                O(dns_providers[].cloud_dns.service_account_contents) means V(serviceaccount),
                O(dns_providers[].cloud_dns.access_token) means V(accesstoken), nothing means V(application).
            type: str
            choices: [application, serviceaccount, accesstoken]
          service_account_file:
            description:
              - The key file (JSON) of a service account, where the module runs.
              - Not given, the environment variable E(GCP_SERVICE_ACCOUNT_FILE) counts.
            type: path
          service_account_contents:
            description:
              - The content of a key file, as a mapping or as JSON, for V(serviceaccount) instead of
                O(dns_providers[].cloud_dns.service_account_file).
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
              - The OAuth 2.0 scopes to ask for. Without them only what changes of records need.
              - Not given, the environment variable E(GCP_SCOPES) counts.
            type: list
            elements: str
          api_endpoint:
            description:
              - Where Cloud DNS is, when not at C(https://dns.googleapis.com).
            type: str
          zone_ids:
            description:
              - Names of managed zones, such as C(example-com), by the zones' DNS names. When given, only these zones
                are used and none are listed, so that the credentials do not need C(dns.managedZones.list).
              - Needed where two zones of the project have the same DNS name.
            type: dict
            default: {}
          private_zone:
            description:
              - Use private zones instead of public ones.
            type: bool
            default: false
          requests_per_second:
            description:
              - How many requests a second to send at most. Google's quota is for the whole project.
              - Entries of one project keep the lowest of their rates together.
            type: float
            default: 4.0
      rfc2136:
        description: Options of V(rfc2136), dynamic updates as BIND, Knot and PowerDNS take them.
        type: dict
        version_added: 1.0.0
        suboptions:
          server:
            description:
              - The primary name server of the zones, as C(host:port). Required.
            type: str
          key_name:
            description: The name of the TSIG key. Without one, updates are not signed.
            type: str
          key_secret:
            description: The TSIG key in base64.
            type: str
          key_algorithm:
            description: The algorithm of the TSIG key.
            type: str
            choices: [hmac-sha1, hmac-sha224, hmac-sha256, hmac-sha384, hmac-sha512]
            default: hmac-sha256
requirements:
  - boto3 >= 1.34, for names in Route53
  - google-cloud-dns >= 0.35, for names in Cloud DNS
  - dnspython >= 2.4
notes:
  - Environment variables and configuration files are read where the module runs.
"""

    WRITING = r"""
options:
  dns_ttl:
    description:
      - Seconds that name servers may keep a record set that is made here. A set that exists keeps its own.
    type: int
    default: 60
  dns_wait:
    description:
      - What to wait for after TXT records were written.
      - V(none) goes on at once.
      - V(provider) waits until the provider says that its name servers have the change.
      - V(authoritative) also asks all name servers of the zone. Recursive resolvers are never asked for the TXT
        records, because they would remember that there are none.
      - The name servers of a private zone are asked only when they are given in O(dns_resolvers).
    type: str
    choices: [none, provider, authoritative]
    default: authoritative
  dns_timeout:
    description: Seconds to wait at most.
    type: int
    default: 300
  dns_resolvers:
    description:
      - The name servers to ask, as C(host:port), instead of those in the zone's NS records. They must be
        authoritative for the zones.
      - They are also the ones asked for the CNAMEs of O(dns_follow_cname).
    type: list
    elements: str
    default: []
  dns_follow_cname:
    description:
      - Whether to put values where a CNAME at C(_acme-challenge.NAME) points, as the CA will look there. That may be in
        a zone of another entry of O(dns_providers).
      - Authoritative servers are asked for the CNAME, from those of the top-level domain down, or those of
        O(dns_resolvers). A recursive resolver would remember that there is nothing at the name and hide the value.
      - Where no server answers, the name is taken as it is. So it is where the CNAME is one of a wildcard such as
        C(*.example.com), which no longer speaks for a name that holds a value.
    type: bool
    default: true
    version_added: 1.0.0
"""
