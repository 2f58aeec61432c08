# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes that modules declare."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and tell what it would do without changing anything, anywhere.
  diff_mode:
    description: Returns details on what has changed, or would change, when in diff mode.
  idempotent:
    description: A second run with the same options and nothing changed in between reports no change.
  platform:
    description: Where the module runs.
    support: full
    platforms: posix
"""

    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/certfleet.acme.acme) in C(module_defaults) to set options for this module.
    support: full
    membership:
      - certfleet.acme.acme
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details: The module changes nothing.
  diff_mode:
    support: N/A
    details: The module changes nothing.
  idempotent:
    support: full
"""
