# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of what writes to Route53; mirrors ROUTE53_ARGSPEC of module_utils/_dns/argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  access_key:
    description:
      - The AWS access key id.
      - Not given, the environment variables E(AWS_ACCESS_KEY_ID) and E(AWS_ACCESS_KEY) count, then what boto3 finds
        by itself (shared credentials file, container or instance role).
      - Not together with O(profile).
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
      - Not given, the environment variables E(AWS_ROLE_ARN) and E(AWS_WEB_IDENTITY_TOKEN_FILE) count together, as
        Kubernetes sets them, where neither keys nor a profile are given. Given beside them, the role is assumed with
        the credentials of that one.
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
      - Not given, the environment variable E(AWS_ROLE_SESSION_NAME) counts, then C(certfleet), or C(certfleet-awx-)
        with the number of the job where AWX runs this.
    type: str
  duration_seconds:
    description:
      - How long the credentials of the role are good for, from 900 to 43200. AWS refuses more than the role's maximum
        session duration. They are renewed in time, so there is seldom a need for more than AWS's default of an hour.
    type: int
  web_identity_token_file:
    description:
      - A file with an OpenID Connect token, where the module runs, to assume the role with instead of AWS
        credentials. It is read again when the credentials are renewed.
      - The role is O(assume_role_arn), or else E(AWS_ROLE_ARN).
      - Not together with O(access_key) or O(profile).
    type: path
  sts_endpoint_url:
    description:
      - Where STS is, for O(assume_role_arn) and web identity, when not at AWS's own address, such as an interface
        endpoint in a private network. O(endpoint_url) is for Route53 alone.
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
      - How many requests a second to send at most. AWS allows 5 for the whole account, the console and all other
        programs included.
    type: float
    default: 4.0
requirements:
  - boto3 >= 1.34
  - dnspython >= 2.4
notes:
  - Environment variables and configuration files are read where the module runs.
"""
