#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dns01_stale
short_description: List, remove or forget TXT values that killed runs have left in DNS
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - A TXT value of a challenge is a digest, which does not tell whose it is. So this module goes by a journal alone,
    which the other modules keep when they have the option C(journal). What is in no journal is never touched.
  - It tells of each value that was noted down and not taken away since, which run added it and when, whether that run
    still lives, and whether the value is still in DNS.
  - It removes those values and no others. Other values at the same name, and their TTL, are kept even when another
    program changes them at the same time.
  - Values of a run that still lives are never removed. When one comes to need a value while it is being removed, the
    value is put back.
options:
  journal:
    description:
      - The directory of the journal, on the controller. When it is not there the list is empty, with a warning.
    type: path
    required: true
  state:
    description:
      - V(listed) changes nothing.
      - V(absent) removes the values that O(older_than) and O(owner) mean, and crosses them off the journal. At least
        one of the two is needed.
      - V(forgotten) crosses off the values that these mean and changes nothing in DNS. It is for values that cannot be
        removed any more, such as those of a zone that was deleted. Those that O(dns_providers) still have, or cannot be
        asked for, stay in the journal.
    type: str
    choices: [listed, absent, forgotten]
    default: listed
  older_than:
    description:
      - Only values that were added at least so long ago, in seconds or as in V(30m), V(2h), V(1d) or V(1w).
      - The values of M(certfleet.acme.dns01_route53), M(certfleet.acme.dns01_cloud_dns) and
        M(certfleet.acme.dns01_rfc2136) are meant to outlive their runs. Leave them the time that they are needed for.
    type: str
  owner:
    description:
      - Only values of runs with this owner, as they had it in C(journal_owner).
    type: str
  item_failures:
    description:
      - What a failed value means for the task. The results of all values are returned in either case.
      - With V(fail) the task fails when a value failed, and its message has the cause of each.
      - With V(report) the task goes on, and each value says by RV(records[].failed) whether it failed.
    type: str
    choices: [fail, report]
    default: fail
extends_documentation_fragment:
  - certfleet.acme.dns01
  - certfleet.acme.attributes
attributes:
  check_mode:
    support: full
    details: Reads the journal and the names.
  diff_mode:
    support: full
    details: With O(state=absent).
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
notes:
  - O(dns_providers) is needed to remove. Without it, V(listed) only tells what the journal says.
  - The credentials must be allowed to read the TXT records (C(route53:ListResourceRecordSets),
    C(dns.resourceRecordSets.list)).
seealso:
  - module: certfleet.acme.acme_certificate
  - module: certfleet.acme.dns01_route53
  - module: certfleet.acme.dns01_cloud_dns
  - module: certfleet.acme.dns01_rfc2136
"""

EXAMPLES = r"""
- name: See what is left of killed runs, without asking DNS
  certfleet.acme.dns01_stale:
    journal: /var/lib/certfleet/journal
  delegate_to: localhost
  run_once: true
  register: left

- name: Remove what was left more than a day ago
  certfleet.acme.dns01_stale:
    journal: /var/lib/certfleet/journal
    state: absent
    older_than: 1d
    dns_providers:
      - provider: route53
        zones: [example.com]
  delegate_to: localhost
  run_once: true

- name: Remove what one job has left
  certfleet.acme.dns01_stale:
    journal: /var/lib/certfleet/journal
    state: absent
    owner: awx job 4711
    dns_providers:
      - provider: route53
  delegate_to: localhost
  run_once: true

- name: Forget what was left in zones that do not exist any more
  certfleet.acme.dns01_stale:
    journal: /var/lib/certfleet/journal
    state: forgotten
    older_than: 4w
    dns_providers:
      - provider: route53
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
records:
  description: A result for each value that is meant, in the order of their providers, zones and names.
  returned: always
  type: list
  elements: dict
  contains:
    record:
      description: The name that the value was written to.
      type: str
      sample: _acme-challenge.example.com
    value:
      description: The value.
      type: str
      sample: LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo
    zone:
      description: The zone's name.
      type: str
      sample: example.com
    zone_id:
      description: The zone's id at the provider.
      type: str
      sample: Z0123456789ABCDEFGHIJ
    provider:
      description: The kind of provider.
      type: str
      sample: route53
    owner:
      description: Who added it.
      type: str
      sample: awx job 4711
    run:
      description: The run that added it.
      type: str
      sample: 5d0c7a62b1f04e9a
    program:
      description: The module that added it.
      type: str
      sample: acme_certificate
    host:
      description: The machine or container that the run was on.
      type: str
      sample: controller
    kept:
      description: Whether it was meant to stay after the run, as values of C(dns01_route53) are.
      type: bool
      sample: false
    added:
      description: When it was added, ISO 8601 in UTC.
      type: str
      sample: "2026-11-22T02:00:13Z"
    age_seconds:
      description: How long ago that was.
      type: int
      sample: 86400
    alive:
      description: Whether its run still lives. Such a value is not removed.
      type: bool
      sample: false
    served:
      description: Whether O(dns_providers) have its zone.
      type: bool
      sample: true
    in_dns:
      description: Whether the provider had it when it was asked, null when it could not be.
      type: bool
      sample: true
    changed:
      description: Whether it was removed from DNS or, with O(state=forgotten), crossed off; or would be in check mode.
      type: bool
      sample: true
    failed:
      description:
        - Whether the provider could not be asked, or the value was to be removed and is not.
      type: bool
      sample: false
    msg:
      description: Why. Also for a zone that is not served, and for a value that is in DNS and so was not forgotten.
      type: str
      sample: ""
failed_items:
  description: The names of the values that failed.
  returned: always
  type: list
  elements: str
  sample: []
api_calls:
  description: How many requests were sent to the providers, repeated ones included.
  returned: always
  type: int
  sample: 4
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.acme.plugins.module_utils._dns.stale import STALE_ARGSPEC, manage_stale
from ansible_collections.certfleet.acme.plugins.module_utils._module import run


def main() -> None:
    # Ansible writes the options to the system log, and would not find a key of several lines among dns_providers.
    run(AnsibleModule(argument_spec=STALE_ARGSPEC, supports_check_mode=True, no_log=True), manage_stale)


if __name__ == "__main__":
    main()
