#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_install
short_description: Install, activate and deploy certificates on a host, or roll back
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Puts the certificates that were issued for this host beside their keys, activates them, runs the declared commands
    and proves by TLS handshake that the services serve them.
  - With each version come the other formats that are declared; links and copies at other paths follow the switch.
  - All certificates of the call are one transaction for the host. All chains are checked against key and names and
    staged; then C(current) is switched for all of them and their copies follow; then each distinct check command and
    each distinct reload command runs once; then all endpoints are proven at the same time.
  - A certificate that was taken over from elsewhere on the host and that all its endpoints serve already is proven by
    that; its commands are not run, unless paths of O(certificates[].files) have changed.
  - A certificate whose check, reload or proof fails goes back to the version that was active before. The others stay. A
    rolled back version stays staged, and the next run tries it again.
  - After a failed check, which no service has noticed, the check runs once more, and the message says so when it fails
    with the version before too. After a failed reload or proof the reload command runs again, and for up to 5 seconds
    the endpoints are asked whether they serve the version before; the message says whether they do.
  - It goes back to a version that has expired meanwhile, since the service has that, and says so. It never goes back to
    one whose key is marked compromised, or that is not whole; then the new one stays active, and the message says why.
  - When another run has installed the answer to the same request meanwhile, or to the one that took its place, that
    version is the result and the certificate that came is left out.
  - A crash at any point leaves C(current) on a whole version. The next run takes up what was left.
options:
  issued:
    description:
      - The results of M(certfleet.acme.acme_certificate) for this host, failed ones included, as they are.
      - They are joined to O(certificates) by their C(name). Of each, C(fullchain) (or C(certificate) and C(chain)),
        C(failed) and C(msg) are used; C(acme_directory), C(account_uri), C(order_uri), C(certificate_url) and
        C(profile) are kept beside the certificate.
      - One with C(shared_from) is for the key of another host, which is in C(sealed_key), sealed for this host by
        M(certfleet.acme.certificate_share). It is opened here, checked against the certificate and stored as every key
        is.
      - A failed one fails here too, with its own message, after the others were installed.
      - Without any, the newest version of each certificate is activated and deployed when that has not been done yet.
    type: list
    elements: dict
  state:
    description:
      - V(staged) only puts the chains beside their keys; services do not notice.
      - V(active) also activates and deploys.
      - V(rolled_back) goes back, for all of O(certificates). The newest version of each is withdrawn, and the newest
        one before it that is not withdrawn is activated, deployed and proven as any other. That is a state, so a second
        run changes nothing and goes no further back. Should the older version not work either, all is as it was before.
      - A withdrawn version stays in the store and is not activated any more, unless O(versions) names it. A certificate
        that is due, or is no longer as declared, is requested anew by the next rotation all the same; declare what the
        older version has, or leave the certificate out, when that is not wanted.
      - It does not go back to a version whose key is marked compromised, that has expired or that is not whole.
    type: str
    choices: [staged, active, rolled_back]
    default: active
  versions:
    description:
      - Versions to activate instead, by the names of certificates, as their directories are called. YAML needs quotes
        around them.
      - Newer versions are withdrawn as with O(state=rolled_back). A version that was withdrawn and is named here is not
        withdrawn any more. One that has expired is activated all the same.
    type: dict
  keep_versions:
    description:
      - How many versions of each certificate stay in the store after a success.
      - The active one, the one before it and newer ones stay in any case.
    type: int
    default: 3
  concurrency:
    description: How many endpoints are proven at the same time.
    type: int
    default: 8
extends_documentation_fragment:
  - certfleet.acme.attributes
  - certfleet.acme.batch
  - certfleet.acme.certificates
  - certfleet.acme.store
attributes:
  check_mode:
    support: full
    details: No file is written, no command runs and no endpoint is asked.
  diff_mode:
    support: full
    details: Shows serials, versions and names of files, never what is in them.
  idempotent:
    support: full
  platform:
    platforms: posix
seealso:
  - module: certfleet.acme.certificate_request
  - module: certfleet.acme.acme_certificate
"""

EXAMPLES = r"""
- name: Install what was issued for this host, reload nginx, prove that it is served
  certfleet.acme.certificate_install:
    certificates:
      - name: web
        identifiers: [example.com, "*.example.com"]
        deploy:
          check: [nginx, -t]
          reload: [systemctl, reload-or-restart, nginx]
          endpoints:
            - port: 443
              server_name: example.com
    issued: "{{ issue.certificates | selectattr('host', 'eq', inventory_hostname) }}"

- name: For HAProxy and for a Java service, from the same certificate
  certfleet.acme.certificate_install:
    certificates:
      - name: web
        identifiers: [example.com]
        formats: [combined_pem, pkcs12]
        pkcs12:
          passphrase: "{{ vault_keystore_passphrase }}"
          friendly_name: tomcat
        files:
          - path: /etc/haproxy/certs/web.pem
            source: combined.pem
          - path: /opt/app/conf/keystore.p12
            source: keystore.p12
            kind: copy
            owner: app
        deploy:
          check: [haproxy, -c, -f, /etc/haproxy/haproxy.cfg]
          reload: [systemctl, reload-or-restart, haproxy]
    issued: "{{ issue.certificates | selectattr('host', 'eq', inventory_hostname) }}"

- name: Put the certificates in place now, activate them in the maintenance window
  certfleet.acme.certificate_install:
    certificates: "{{ my_certificates }}"
    issued: "{{ issue.certificates | selectattr('host', 'eq', inventory_hostname) }}"
    state: staged

- name: Activate and deploy whatever is staged
  certfleet.acme.certificate_install:
    certificates: "{{ my_certificates }}"

- name: Go back to the certificate before
  certfleet.acme.certificate_install:
    certificates: "{{ my_certificates | selectattr('name', 'eq', 'web') }}"
    state: rolled_back

- name: Go back further
  certfleet.acme.certificate_install:
    certificates: "{{ my_certificates | selectattr('name', 'eq', 'web') }}"
    state: rolled_back
    versions:
      web: "0006"
"""

RETURN = r"""
certificates:
  description:
    - A result for each declared certificate, in their order, then one for each entry of O(issued) that is not declared.
  returned: always
  type: list
  elements: dict
  sample:
    - name: web
      changed: true
      failed: false
      msg: ""
      stage: deployed
      version: "0008"
      serial: 4b1d
      not_after: "2027-02-20T00:00:00Z"
      previous_version: "0007"
      previous_serial: 3f2a
      path: /etc/certfleet/web/current
      active: true
      deployed: true
      proven: true
      rolled_back: false
      withdrawn: []
      files: [combined.pem, /etc/haproxy/certs/web.pem]
      publish: false
  contains:
    name:
      description: As declared.
      type: str
    changed:
      description: Whether something was written or run for it, or would be in check mode.
      type: bool
    failed:
      description: Whether it failed, be it at the CA.
      type: bool
    msg:
      description:
        - When it failed, the cause in one line, with the output of a failed command or what an endpoint serves instead,
          whether it was rolled back and what is served then, and the way out.
        - Else empty, or which version was withdrawn.
      type: str
    stage:
      description:
        - What was reached, V(nothing), V(staged), V(active) or V(deployed).
        - When it failed, where; V(issue), V(stage), V(activate), V(files), V(check), V(reload), V(prove) or V(prune).
      type: str
    version:
      description: The version in the store that this result is about.
      type: str
    serial:
      description: Serial number of that version's certificate, hexadecimal.
      type: str
    not_after:
      description: When that certificate expires.
      type: str
    previous_version:
      description: The version that was active before the call.
      type: str
    previous_serial:
      description: Serial number of the certificate that was active before the call.
      type: str
    path:
      description: The link that services refer to.
      type: str
    active:
      description: Whether that version is active now.
      type: bool
    deployed:
      description: Whether what O(certificates[].deploy) declares is done and proven. V(false) when it declares nothing.
      type: bool
    proven:
      description: Whether that includes an endpoint, so that it was seen to be served. V(false) when none is declared.
      type: bool
    rolled_back:
      description: Whether the version was taken back because it failed.
      type: bool
    withdrawn:
      description: Versions that were withdrawn by this call, because it was to go back, or would be in check mode.
      type: list
      elements: str
    files:
      description:
        - Files of O(certificates[].formats), by name, and of O(certificates[].files), by path, that were made, changed
          or removed, or would be in check mode.
      type: list
      elements: str
    publish:
      description: Whether it is declared to be published to a cloud.
      type: bool
failed_items:
  description: Names of the certificates that failed.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.acme.plugins.module_utils._batch import BATCH_ARGSPEC
from ansible_collections.certfleet.acme.plugins.module_utils._module import run
from ansible_collections.certfleet.acme.plugins.module_utils._store.argspec import CERTIFICATES_ARGSPEC, STORE_ARGSPEC
from ansible_collections.certfleet.acme.plugins.module_utils._store.install import main_work


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            BATCH_ARGSPEC,
            **CERTIFICATES_ARGSPEC,
            **STORE_ARGSPEC,
            issued={"type": "list", "elements": "dict"},
            state={"type": "str", "choices": ["staged", "active", "rolled_back"], "default": "active"},
            versions={"type": "dict"},
            keep_versions={"type": "int", "default": 3},
        ),
        supports_check_mode=True,
    )
    # Nobody can read them but this host, and still nobody needs to see them.
    items = module.params["issued"] or []
    module.no_log_values.update(str(item["sealed_key"]) for item in items if item.get("sealed_key"))
    run(module, main_work)


if __name__ == "__main__":
    main()
