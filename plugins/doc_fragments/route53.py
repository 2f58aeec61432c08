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
      - The AWS region. Route53 is global, so it only matters outside the standard partition.
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
      - The CA certificates (PEM file) to check the endpoint's certificate with.
      - Not given, the environment variable E(AWS_CA_BUNDLE) counts.
    type: path
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
