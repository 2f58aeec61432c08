#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_report
short_description: Say what became of each certificate of a play
version_added: 1.0.0
description:
  - Puts together what M(certfleet.acme.certificate_request), M(certfleet.acme.acme_certificate),
    M(certfleet.acme.certificate_install) and M(certfleet.acme.certificate_publish) registered on the hosts of a play,
    and says for each certificate what was done, why, and for each failure its cause. Hosts that left the play are
    named.
  - The rows are also given as the job's artifacts (C(set_stats)) under C(certfleet_certificates_report),
    C(certfleet_lost_hosts) and C(certfleet_waiting_hosts), where AWX and Automation Platform keep them.
  - Runs no module on any host. Use it with C(run_once).
author:
  - certfleet.acme contributors (@certfleet)
extends_documentation_fragment:
  - certfleet.acme.attributes
attributes:
  check_mode:
    support: full
    details: It changes nothing; in check mode it says what would have been done.
  diff_mode:
    support: N/A
    details: It changes nothing.
  idempotent:
    support: full
  platform:
    platforms: posix
options:
  requested:
    description: The variable that the hosts registered M(certfleet.acme.certificate_request) under.
    type: str
  obtained:
    description: The variable that the hosts registered M(certfleet.acme.acme_certificate) under.
    type: str
  installed:
    description: The variable that the hosts registered M(certfleet.acme.certificate_install) under.
    type: str
  published:
    description: The variable that the hosts registered M(certfleet.acme.certificate_publish) under.
    type: str
  staged:
    description:
      - The variable that the hosts registered an earlier M(certfleet.acme.certificate_install) under, one with
        O(ignore:state=staged), when O(installed) is that of a later one.
    type: str
  revoked:
    description: The variable that the hosts registered M(certfleet.acme.acme_revoke) under.
    type: str
  hosts:
    description:
      - The hosts to tell of, when they are more than those of the play, because earlier plays belong to the same run.
      - Without it, all hosts of the play.
    type: list
    elements: str
  lost:
    description:
      - The hosts of them that are known to have left an earlier play of the run.
      - Without it, those that have left this play.
    type: list
    elements: str
  only_when_stopped:
    description:
      - Say something only when so many hosts of the wave could not bring their certificates into use that the play ends
        after it, by C(max_fail_percentage) or because they are all.
    type: bool
    default: false
seealso:
  - module: certfleet.acme.acme_certificate
"""

EXAMPLES = r"""
- name: Say what became of each certificate
  certfleet.acme.fleet_report:
    requested: request
    obtained: batch
    installed: install
  run_once: true
  register: report

- name: Let the host fail whose certificates failed
  ansible.builtin.fail:
    msg: "{{ report.failures[inventory_hostname] | join('; ') }}"
  when: inventory_hostname in report.failures
"""

RETURN = r"""
lines:
  description: The report as it was shown.
  returned: always
  type: list
  elements: str
  sample:
    - "web1 web: new certificate served, serial 2a41, until 2027-02-20T08:00:00Z (there is no certificate yet)"
    - "1 certificate: 1 changed, 0 unchanged, 0 failed"
certificates:
  description:
    - A row for each certificate of each host.
    - C(outcome) is C(failed), C(unchanged), C(planned) (check mode), or what was done.
    - C(served) is a new one that was proven at an endpoint, C(deployed) and C(active) are new ones without an endpoint
      to prove them at. C(adopted) was taken over, C(found) too, but is not in use yet.
    - C(returned) went back to an older one, C(redeployed) is the same one as before, C(corrected) says that files of
      the store were. The others are C(staged), C(obtained), C(published) and C(revoked).
  returned: always
  type: list
  elements: dict
  sample:
    - host: web1
      name: web
      outcome: served
      activated: true
      proven: true
      why: [there is no certificate yet]
      serial: 2a41
      previous_serial:
      not_after: "2027-02-20T08:00:00Z"
      msg:
lost_hosts:
  description: Hosts that failed or became unreachable before the end of the play.
  returned: always
  type: list
  elements: str
  sample: [web7]
waiting_hosts:
  description: Hosts of the play that a later wave is to reach, or that are not reached because the play stops.
  returned: always
  type: list
  elements: str
  sample: [web3, web4]
stopped:
  description: Whether the play ends after this wave once the hosts have failed that are to.
  returned: always
  type: bool
  sample: false
broken:
  description: The causes of each host that could not bring its certificates into use.
  returned: always
  type: dict
  sample:
    web2: ["web: 127.0.0.1:443 serves another certificate"]
failures:
  description: The causes of each host that has a failed certificate.
  returned: always
  type: dict
  sample:
    web2: ["web: the CA refuses refused.example.com"]
"""
