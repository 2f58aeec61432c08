#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dns01_cloud_dns
short_description: Make TXT values of dns-01 challenges present or absent in Google Cloud DNS
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Adds TXT values to, or removes them from, many names in many managed zones with as few requests as Cloud DNS allows,
    then waits until all name servers have them.
  - Takes what M(certfleet.acme.acme_order) returns in RV(certfleet.acme.acme_order#module:txt_records).
  - Only the given values are added or removed. Other values at the same name, and their TTL, are kept even when
    another program changes them at the same time, since each change names exactly what it takes the place of.
  - With O(journal), what is added is noted down and stays so until it is removed with the same journal, by
    O(state=absent) or by M(certfleet.acme.dns01_stale).
  - Names do not touch each other. One that has no zone, or that Cloud DNS refuses, fails by itself.
extends_documentation_fragment:
  - certfleet.acme.dns01_records
  - certfleet.acme.journal
  - certfleet.acme.cloud_dns
  - certfleet.acme.attributes
attributes:
  check_mode:
    support: full
    details: Reads the managed zones and the names.
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
notes:
  - The credentials need the permissions C(dns.changes.create), C(dns.changes.get), C(dns.resourceRecordSets.list),
    C(dns.resourceRecordSets.create), C(dns.resourceRecordSets.update), C(dns.resourceRecordSets.delete), and
    C(dns.managedZones.list) unless O(zone_ids) is given. The role C(roles/dns.admin) has all of them and more.
  - With C(dns.changes.list) a change whose answer was lost on the way is waited for like any other.
seealso:
  - module: certfleet.acme.dns01_route53
  - module: certfleet.acme.acme_order
  - module: certfleet.acme.acme_validate
  - module: certfleet.acme.acme_certificate
"""

EXAMPLES = r"""
- name: Publish what the CA asks for
  certfleet.acme.dns01_cloud_dns:
    records: "{{ orders.txt_records }}"
    wait_timeout: 180
  delegate_to: localhost

- name: Take it away again
  certfleet.acme.dns01_cloud_dns:
    records: "{{ orders.txt_records }}"
    state: absent
  delegate_to: localhost

- name: With rights to one zone only, and no list permission
  certfleet.acme.dns01_cloud_dns:
    service_account_file: /etc/acme/google.json
    zone_ids:
      example.com: example-com
    records:
      - record: _acme-challenge.example.com
        values:
          - LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo
          - DK3eZ9Lr0hfFU0bTHZR4kbZ2vRGJXpXGOXVgeHqMz5A
"""

RETURN = r"""
records:
  description:
    - A result for each record, in their order. It also has the C(values) asked for, so that what this task returns
      can be given to another one.
  returned: always
  type: list
  elements: dict
  sample:
    - record: _acme-challenge.example.com
      values: [LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo]
      target: _acme-challenge.example.com
      zone: example.com
      zone_id: example-com
      changed: true
      failed: false
      msg: ""
  contains:
    record:
      description: The name, in lower case and without a dot at its end.
      type: str
      sample: _acme-challenge.example.com
    target:
      description: The name that the values are really at. Another than C(record) where O(follow_cname) led on.
      type: str
      sample: _acme-challenge.example.com
    zone:
      description: The managed zone's name, null when the record has none.
      type: str
      sample: example.com
    zone_id:
      description: The managed zone's name in the project, null when the record has no zone.
      type: str
      sample: example-com
    changed:
      description: Whether one of its values was added or removed, or would be in check mode.
      type: bool
      sample: true
    failed:
      description: Whether one of its values is not as asked for, or was not visible in time.
      type: bool
      sample: false
    msg:
      description: Why it failed.
      type: str
      sample: ""
failed_items:
  description: The names of the records that failed.
  returned: always
  type: list
  elements: str
  sample: []
api_calls:
  description: How many requests were sent to Cloud DNS, repeated ones included. Those for access tokens are
    not counted.
  returned: always
  type: int
  sample: 4
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.acme.plugins.module_utils._dns.argspec import CLOUD_DNS_MODULE_ARGSPEC
from ansible_collections.certfleet.acme.plugins.module_utils._dns.records import manage_cloud_dns
from ansible_collections.certfleet.acme.plugins.module_utils._module import run


def main() -> None:
    run(AnsibleModule(argument_spec=CLOUD_DNS_MODULE_ARGSPEC, supports_check_mode=True), manage_cloud_dns)


if __name__ == "__main__":
    main()
