# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: waves
short_description: The sizes of waves, from whatever a variable has for them
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Makes the list that the keyword C(serial) of a play takes. Extra variables and the surveys of AWX give text where a
    list is meant, and not every ansible-core reads a list out of it.
options:
  _input:
    description:
      - A number of hosts, a share of them such as V(25%), a list of these, or any of it as text, with commas between
        sizes, with or without brackets and quotes.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: One host first, then a quarter of them at a time
  hosts: web
  serial: "{{ my_waves | default([1, '25%']) | certfleet.acme.waves }}"
  tasks: []
# '[1, "25%"]', "1, 25%" and [1, "25%"] are the same
"""

RETURN = r"""
_value:
  description: The sizes, each a number or a share.
  type: list
  elements: raw
"""

import re
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

_SIZE = re.compile(r"([0-9]+)(?:\.0)?|[0-9]+(?:\.[0-9]+)?%")


def waves(sizes: Any) -> list[int | str]:
    """See DOCUMENTATION. Raises AnsibleFilterError."""
    given = sizes if isinstance(sizes, (list, tuple)) else [sizes]
    words = [word.strip(" \t\n'\"") for entry in given for word in str(entry).strip("[] \t\n").split(",")]
    found: list[int | str] = []
    for word in words:
        match = _SIZE.fullmatch(word)
        if match is None or not float(word.rstrip("%")):
            raise AnsibleFilterError(
                f"waves: {word!r} is no size of a wave. Give a number of hosts, a share such as 25%, or several of "
                f"them, as in [1, 25%, 100%]; it was {sizes!r}."
            )
        found.append(int(match[1]) if match[1] else str(word))
    return found


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"waves": waves}
