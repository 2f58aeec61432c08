# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the modules that write TXT values at one provider; mirrors _RECORDS_ARGSPEC of the room _dns."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  records:
    description: The names and their values.
    type: list
    elements: dict
    required: true
    suboptions:
      record:
        description: The full name of the TXT record, such as C(_acme-challenge.example.com).
        type: str
        required: true
      values:
        description: The values, with or without quotes around the whole of each. Other quotes are part of the value.
        type: list
        elements: str
        required: true
  state:
    description: Whether the values are to be there or not.
    type: str
    choices: [present, absent]
    default: present
  ttl:
    description:
      - Seconds that name servers may keep a record set that is made here. A set that exists keeps its own.
      - Give the same for V(absent) as for V(present) and removing the values needs no look at them first.
    type: int
    default: 60
  wait:
    description:
      - What to wait for after values were added. Removing does not wait.
      - V(none) goes on at once.
      - V(provider) waits until the provider says that its name servers have the change.
      - V(authoritative) also asks all name servers of the zone. Recursive resolvers are never asked for the TXT
        records, because they would remember that there are none.
      - The name servers of a private zone are asked only when they are given in O(resolvers).
    type: str
    choices: [none, provider, authoritative]
    default: authoritative
  wait_timeout:
    description: Seconds to wait at most, for all names together.
    type: int
    default: 300
  resolvers:
    description:
      - The name servers to ask, as C(host:port), instead of those in the zone's NS records. They must be
        authoritative for the zones.
    type: list
    elements: str
    default: []
  follow_cname:
    description:
      - Whether to put values where a CNAME at the name points, as a CA will look there.
      - Authoritative servers are asked for the CNAME, from those of the top-level domain down, or those of
        O(resolvers). A recursive resolver would remember that there is nothing at the name and hide the value.
      - The CNAME of a wildcard is not followed. It no longer speaks for a name that holds a value.
      - M(certfleet.acme.acme_order) returns plain names whether they have a CNAME or not.
    type: bool
    default: false
  item_failures:
    description:
      - What a failed record means for the task. The results of all records are returned in either case.
      - With V(fail) the task fails when a record failed, and its message has the cause of each.
      - With V(report) the task goes on, and each record says by RV(records[].failed) whether it failed.
    type: str
    choices: [fail, report]
    default: fail
"""
