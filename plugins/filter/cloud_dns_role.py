# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: cloud_dns_role
short_description: A custom role for Google Cloud DNS with the rights that challenges need
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Makes the definition of a custom role in the form of the API of Google Cloud IAM.
  - Cloud DNS knows no rights for single names. To keep them small, delegate the challenges into a zone of their own
    with P(certfleet.acme.cname_delegations#filter) and give the role for that zone only.
options:
  _input:
    description:
      - Managed zones by zone name, as in the options of the module that writes them.
      - An empty mapping adds the right to list the zones of the project.
    type: dict
    required: true
  title:
    description: The title of the role.
    type: str
    default: ACME challenges
"""

EXAMPLES = r"""
- name: A role for one zone that is known by its id
  google.cloud.gcp_iam_role:
    name: acmeChallenges
    title: ACME challenges
    included_permissions: "{{ ({'example.com': 'example-com'} | certfleet.acme.cloud_dns_role).includedPermissions }}"
    project: my-project
    auth_kind: application
"""

RETURN = r"""
_value:
  description: The role with C(title), C(description), C(stage) and C(includedPermissions).
  type: dict
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.plugin_utils import _dns_rights


def cloud_dns_role(zone_ids: Any, title: str = "ACME challenges") -> Any:
    """See DOCUMENTATION. Raises AnsibleFilterError."""
    try:
        return _dns_rights.cloud_dns_role(zone_ids or {}, title)
    except CertfleetError as error:
        raise AnsibleFilterError(f"cloud_dns_role: {error}") from error


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cloud_dns_role": cloud_dns_role}
