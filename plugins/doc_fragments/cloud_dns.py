# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of what writes to Cloud DNS; mirrors CLOUD_DNS_ARGSPEC of module_utils/_dns/argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  project:
    description:
      - The Google Cloud project that has the zones.
      - Not given, the environment variable E(GCP_PROJECT) counts, then the project that the credentials name.
    type: str
  auth_kind:
    description:
      - The kind of credentials.
      - V(application) are the application default credentials that google-auth finds by itself, such as the file that
        E(GOOGLE_APPLICATION_CREDENTIALS) names (a key, or workload identity federation) or the account of the
        machine.
      - Not given, the environment variable E(GCP_AUTH_KIND) counts, then what is given. O(service_account_file) or
        O(service_account_contents) means V(serviceaccount), O(access_token) means V(accesstoken), nothing means
        V(application).
    type: str
    choices: [application, serviceaccount, accesstoken]
  service_account_file:
    description:
      - The key file (JSON) of a service account, where the module runs.
      - Not given, the environment variable E(GCP_SERVICE_ACCOUNT_FILE) counts.
    type: path
  service_account_contents:
    description:
      - The content of a key file, as a mapping or as JSON, for V(serviceaccount) instead of O(service_account_file).
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
      - Names of managed zones, such as C(example-com), by the zones' DNS names. When given, only these zones are used
        and none are listed, so that the credentials do not need C(dns.managedZones.list).
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
    type: float
    default: 4.0
requirements:
  - google-cloud-dns >= 0.35
  - dnspython >= 2.4
notes:
  - Environment variables and files are read where the module runs.
"""
