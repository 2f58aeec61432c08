# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that every batch shares; mirrors module_utils/_batch.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  concurrency:
    description:
      - How many items are worked on at the same time.
    type: int
    default: 8
  item_failures:
    description:
      - What a failed item means for the task. The results of all items are returned in either case.
      - With V(fail) the task fails when an item failed, and its message has the cause of each.
      - With V(report) the task goes on, and each item says by RV(ignore:failed) whether it failed. Use it when a
        later task deals with each item, as the roles of this collection do. What concerns all items, such as a store
        or a CA that cannot be used, is the failure of each then.
    type: str
    choices: [fail, report]
    default: fail
"""
