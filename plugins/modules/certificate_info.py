#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_info
short_description: List the certificates that are on a host
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Lists the certificates in the host's store, in a tree of certbot, and in any other PEM files, with names, key
    fingerprint, serial number, issuer and dates.
  - A store that is not there is an empty one.
options:
  names:
    description: Only certificates of the store with these names. Without any, all of them.
    type: list
    elements: str
  versions:
    description:
      - Which versions of each certificate of the store.
      - V(active) is the one that services read, V(replaced) are those before it, V(staged) those after it, which are
        not active yet or were rolled back.
    type: str
    choices: [active, replaced, staged, all]
    default: active
  serials:
    description:
      - Only certificates with these serial numbers, hexadecimal. Colons, capitals and leading zeros do not matter.
      - Applies to O(certbot_path) and O(paths) too. Without any, all of them.
    type: list
    elements: str
  paths:
    description:
      - Further PEM files to look at, wherever they are. Patterns with C(*) and C(?) are expanded.
      - The first certificate of each file is listed.
    type: list
    elements: path
  certbot_path:
    description:
      - Directory of certbot, usually C(/etc/letsencrypt). Each lineage in its C(live) is listed. One that is not there
        is an empty one.
      - RV(certificates[].declaration) is what to declare so that the lineage is taken over as it is.
      - Private keys are read, to see whether they belong to the certificates, and never returned.
    type: path
extends_documentation_fragment:
  - certfleet.acme.attributes
  - certfleet.acme.attributes.info_module
  - certfleet.acme.batch
  - certfleet.acme.store
attributes:
  platform:
    platforms: posix
seealso:
  - module: certfleet.acme.tls_endpoint_info
"""

EXAMPLES = r"""
- name: What does this host serve from?
  certfleet.acme.certificate_info:
  register: inventory

- name: Certificates that expire within ten days, those of certbot included
  certfleet.acme.certificate_info:
    paths: ["/etc/letsencrypt/live/*/cert.pem"]
  register: inventory
  failed_when: inventory.certificates | selectattr('seconds_remaining', 'lt', 864000) | length > 0

- name: What does certbot have here?
  certfleet.acme.certificate_info:
    certbot_path: /etc/letsencrypt
  register: info

- name: Declare all of it as it is, to be taken over
  ansible.builtin.set_fact:
    certfleet_certificates: "{{ info.certificates | map(attribute='declaration') | select | list }}"

- name: Every version whose certificate was replaced, to revoke it
  certfleet.acme.certificate_info:
    names: [web]
    versions: replaced
  register: old
"""

RETURN = r"""
certificates:
  description: One for each version that was asked for, by name and age, then one for each lineage and for each file.
  returned: always
  type: list
  elements: dict
  sample:
    - source: store
      name: web
      path: /etc/certfleet/web/versions/0007
      version: "0007"
      state: active
      active: true
      withdrawn: false
      serial: 3f2a9c
      not_before: "2026-09-01T00:00:00Z"
      not_after: "2026-11-30T00:00:00Z"
      issuer: CN=Example CA
      subject: ""
      identifiers: ["*.example.com", example.com]
      fingerprint_sha256: 5d1c3f0a6a1c1f34a0e2d1d2ad0dbb1f7e8b3b60f0c8d7a3d1e4c5b6a7988796
      public_key_sha256: 9a3c0f7f6a1c1f34a0e2d1d2ad0dbb1f7e8b3b60f0c8d7a3d1e4c5b6a7988796
      key_type: ecdsa-p256
      ari_cert_id: AQI.Pyqc
      acme_directory: https://acme-v02.api.letsencrypt.org/directory
      deployed_at: "2026-09-01T01:02:03Z"
      expired: false
      seconds_remaining: 691200
      formats: [combined_pem]
      files: [/etc/haproxy/certs/web.pem]
      certificate: "-----BEGIN CERTIFICATE-----\n..."
      broken: null
      adopted_from: null
      declaration: null
      changed: false
      failed: false
      msg: ""
  contains:
    source:
      description: V(store), V(certbot) or V(path).
      type: str
    name:
      description: Name of the certificate in the store, of the lineage, or path of the file.
      type: str
    path:
      description: The directory of the version or of the lineage, or the file.
      type: str
    version:
      description: Label of the version in the store.
      type: str
    state:
      description: V(active), V(replaced) or V(staged), V(none) for a lineage or a file.
      type: str
    active:
      description: Whether it is the version that services read, V(none) for a lineage or a file.
      type: bool
    withdrawn:
      description:
        - Whether somebody has gone back from it by hand; it is not activated again by itself. V(none) for a file.
      type: bool
    serial:
      description: Serial number, hexadecimal.
      type: str
    not_before:
      description: Begin of validity.
      type: str
    not_after:
      description: End of validity.
      type: str
    issuer:
      description: Issuer (RFC 4514).
      type: str
    subject:
      description: Subject (RFC 4514).
      type: str
    identifiers:
      description: DNS names and IP addresses, sorted.
      type: list
      elements: str
    fingerprint_sha256:
      description: SHA-256 of the certificate.
      type: str
    public_key_sha256:
      description: SHA-256 of its public key.
      type: str
    key_type:
      description: Kind of its key.
      type: str
    ari_cert_id:
      description: Identifier for renewal information (RFC 9773).
      type: str
    acme_directory:
      description: Directory of the CA that issued it, when it is known. For a lineage, as certbot has noted it.
      type: str
    account_uri:
      description: Account that it was issued to, when it is known.
      type: str
    order_uri:
      description: Order that it came from, when it is known.
      type: str
    certificate_url:
      description: Where the CA offers it, when it is known.
      type: str
    profile:
      description: Profile that the CA gave it, when it is known.
      type: str
    requested_profile:
      description: Profile that was asked for.
      type: str
    deployed_at:
      description: When it was last proven that the declared services serve it.
      type: str
    expired:
      description: Whether its time is over.
      type: bool
    seconds_remaining:
      description: Seconds until it expires, 0 when it has.
      type: int
    formats:
      description: The formats that this version has besides the PEM files, empty for a file.
      type: list
      elements: str
    files:
      description: Paths of the links and copies that were made for the active version.
      type: list
      elements: str
    certificate:
      description: The certificate itself in PEM, without its chain.
      type: str
    broken:
      description:
        - Why a version of the store cannot be used, or a lineage cannot be taken over, V(none) when it can.
        - For a lineage this is no failure.
      type: str
    adopted_from:
      description: Where a version was taken over from, V(none) when it was issued.
      type: str
    declaration:
      description:
        - Entry for O(certfleet.acme.certificate_request#module:certificates) that takes the lineage over as it is, to
          be completed with C(deploy) and whatever else is wanted. V(none) when it cannot be taken over, and for
          everything that is no lineage.
        - Its name is that of the lineage, other characters than the store takes replaced by hyphens.
      type: dict
      sample:
        name: example.com
        identifiers: ["*.example.com", example.com]
        key_type: ecdsa-p256
        adopt:
          certbot: /etc/letsencrypt/live/example.com
    changed:
      description: Always V(false).
      type: bool
    failed:
      description: Whether it could not be read.
      type: bool
    msg:
      description: The cause when RV(certificates[].failed).
      type: str
missing_names:
  description: Those of O(names) of which the store holds no version at all, as they were given.
  returned: always
  type: list
  elements: str
  sample: []
missing_serials:
  description:
    - Those of O(serials) that no certificate has, neither in any version of the store, whatever O(names) and
      O(versions) say, nor in O(paths). As they were given.
  returned: always
  type: list
  elements: str
  sample: []
failed_items:
  description: Names or paths of those that could not be read.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.acme.plugins.module_utils._batch import BATCH_ARGSPEC
from ansible_collections.certfleet.acme.plugins.module_utils._module import run
from ansible_collections.certfleet.acme.plugins.module_utils._store.argspec import STORE_ARGSPEC
from ansible_collections.certfleet.acme.plugins.module_utils._store.inventory import main_work


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            BATCH_ARGSPEC,
            **STORE_ARGSPEC,
            names={"type": "list", "elements": "str"},
            versions={"type": "str", "choices": ["active", "replaced", "staged", "all"], "default": "active"},
            serials={"type": "list", "elements": "str"},
            paths={"type": "list", "elements": "path"},
            certbot_path={"type": "path"},
        ),
        supports_check_mode=True,
    )
    run(module, main_work)


if __name__ == "__main__":
    main()
