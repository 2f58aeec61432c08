#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tls_endpoint_info
short_description: See what TLS endpoints really serve
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Shakes hands with each endpoint and tells which certificate it serves.
  - Nothing is verified, since the question is what is served and not whether to trust it.
  - Runs on the managed host or, with C(delegate_to), anywhere from where the endpoints can be reached.
options:
  endpoints:
    description: The endpoints.
    type: list
    elements: dict
    required: true
    suboptions:
      host:
        description: Name or address to connect to.
        type: str
        required: true
      port:
        description: TCP port.
        type: int
        default: 443
      server_name:
        description:
          - Name to ask for (SNI). Without it, O(endpoints[].host) when that is a name.
          - None is sent for an address.
        type: str
      starttls:
        description:
          - The protocol that the connection begins in, in plain text, before it goes over to TLS. Without it, TLS from
            the first byte on.
          - V(smtp) as in RFC 3207, V(imap) as in RFC 9051, V(pop3) as in RFC 2595, V(ldap) as in RFC 4511, V(postgres)
            as PostgreSQL's clients do.
        type: str
        choices: [smtp, imap, pop3, ldap, postgres]
      timeout:
        description: Seconds to wait for this endpoint, instead of O(timeout).
        type: int
  timeout:
    description: Seconds to wait for an endpoint, from the look-up of its name to the end of the handshake.
    type: int
    default: 10
extends_documentation_fragment:
  - certfleet.acme.attributes
  - certfleet.acme.attributes.info_module
  - certfleet.acme.batch
attributes:
  platform:
    platforms: posix
requirements:
  - cryptography >= 3.4.8
seealso:
  - module: certfleet.acme.certificate_info
"""

EXAMPLES = r"""
- name: See what is served
  certfleet.acme.tls_endpoint_info:
    endpoints:
      - host: 127.0.0.1
        server_name: example.com
      - host: mail.example.com
        port: 465
      - host: mail.example.com
        port: 25
        starttls: smtp
  register: served

- name: It must be the certificate of the store
  ansible.builtin.assert:
    that: served.endpoints[0].serial == inventory.certificates[0].serial
"""

RETURN = r"""
endpoints:
  description: A result for each endpoint, in their order.
  returned: always
  type: list
  elements: dict
  sample:
    - name: 127.0.0.1:443 (example.com)
      host: 127.0.0.1
      port: 443
      server_name: example.com
      starttls: null
      serial: 3f2a9c
      not_before: "2026-09-01T00:00:00Z"
      not_after: "2026-11-30T00:00:00Z"
      issuer: CN=Example CA
      subject: ""
      identifiers: ["*.example.com", example.com]
      fingerprint_sha256: 5d1c3f0a6a1c1f34a0e2d1d2ad0dbb1f7e8b3b60f0c8d7a3d1e4c5b6a7988796
      public_key_sha256: 9a3c0f7f6a1c1f34a0e2d1d2ad0dbb1f7e8b3b60f0c8d7a3d1e4c5b6a7988796
      key_type: ecdsa-p256
      protocol: TLSv1.3
      cipher: TLS_AES_256_GCM_SHA384
      certificate: "-----BEGIN CERTIFICATE-----\n..."
      chain: ["-----BEGIN CERTIFICATE-----\n...", "-----BEGIN CERTIFICATE-----\n..."]
      changed: false
      failed: false
      msg: ""
  contains:
    name:
      description: The endpoint in one word.
      type: str
    host:
      description: As given.
      type: str
    port:
      description: As given.
      type: int
    server_name:
      description: The name that was asked for, V(none) when none was sent.
      type: str
    starttls:
      description: As given.
      type: str
    serial:
      description: Serial number of the certificate, hexadecimal.
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
    protocol:
      description: Version of TLS that was agreed on.
      type: str
    cipher:
      description: Cipher suite that was agreed on.
      type: str
    certificate:
      description: The certificate in PEM.
      type: str
    chain:
      description: All that the server sent, in PEM, the certificate first. V(none) with a Python older than 3.13.
      type: list
      elements: str
    changed:
      description: Always V(false).
      type: bool
    failed:
      description: Whether no handshake came about.
      type: bool
    msg:
      description: The cause in one line when RV(endpoints[].failed).
      type: str
failed_items:
  description: Endpoints that no handshake came about with, as RV(endpoints[].name).
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.acme.plugins.module_utils._batch import BATCH_ARGSPEC
from ansible_collections.certfleet.acme.plugins.module_utils._endpoints import main_work
from ansible_collections.certfleet.acme.plugins.module_utils._module import run
from ansible_collections.certfleet.acme.plugins.module_utils._tls.protocols import STARTTLS_ARGSPEC


def main() -> None:
    endpoint = {
        "host": {"type": "str", "required": True},
        "port": {"type": "int", "default": 443},
        "server_name": {"type": "str"},
        **STARTTLS_ARGSPEC,
        "timeout": {"type": "int"},
    }
    module = AnsibleModule(
        argument_spec=dict(
            BATCH_ARGSPEC,
            endpoints={"type": "list", "elements": "dict", "required": True, "options": endpoint},
            timeout={"type": "int", "default": 10},
        ),
        supports_check_mode=True,
    )
    run(module, main_work)


if __name__ == "__main__":
    main()
