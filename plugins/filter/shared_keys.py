# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: shared_keys
short_description: Put the sealed keys of shared certificates into what was obtained
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Takes what M(certfleet.acme.acme_certificate) returned, and puts into the items of hosts that get their certificate
    from another one what M(certfleet.acme.certificate_share) returned there, for
    M(certfleet.acme.certificate_install).
  - An item whose key could not be sealed fails, with the cause.
options:
  _input:
    description: The result of M(certfleet.acme.acme_certificate).
    type: dict
    required: true
  sealed:
    description: The result of M(certfleet.acme.certificate_share), of a task with a loop too.
    type: dict
    required: true
seealso:
  - module: certfleet.acme.certificate_share
"""

EXAMPLES = r"""
- name: Install what was issued or shared for this host
  certfleet.acme.certificate_install:
    certificates: "{{ my_certificates }}"
    issued: >-
      {{ (obtained | certfleet.acme.shared_keys(sealed)).certificates | selectattr('host', 'eq', inventory_hostname) }}
"""

RETURN = r"""
_value:
  description: The result, with the keys and certificates in the items of its C(certificates).
  type: dict
"""

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.acme.plugins.plugin_utils import _sharing


def shared_keys(obtained: Any, sealed: Any) -> Any:
    """See DOCUMENTATION. Raises AnsibleFilterError."""
    if not isinstance(obtained, Mapping) or not isinstance(sealed, Mapping):
        raise AnsibleFilterError("shared_keys: results of acme_certificate and of certificate_share are wanted")
    results = sealed.get("results", [sealed])
    return _sharing.with_keys(obtained, [share for result in results for share in result.get("shares") or []])


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"shared_keys": shared_keys}
