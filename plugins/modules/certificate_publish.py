#!/usr/bin/python
# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_publish
short_description: Publish certificates of a host to AWS Certificate Manager and Google Certificate Manager
version_added: 1.0.0
author:
  - certfleet.acme contributors (@certfleet)
description:
  - Lets load balancers and content delivery networks of a cloud have the certificates that are active in the store of
    this host, under a name that stays (the same ARN, the same certificate).
  - For each certificate that declares O(certificates[].publish), the active version is compared with what the cloud
    has, put in its place where that is another one, and read back for proof.
  - This sends the private key from the host that made it to the cloud's API, over TLS, and nowhere else. Only
    certificates that declare O(certificates[].publish) are concerned. An address without encryption is refused, unless
    it is this machine's own.
  - It runs on the host that has the store. That host needs the cloud's library, a way to the cloud's API, and
    credentials.
  - What was published where is noted in C(STORE/NAME/published.json), without any secret, so that
    M(certfleet.acme.certificate_request) can say without asking a cloud that the active version is not published yet.
  - A version that is broken or has expired, or whose key is marked compromised, is not published.
options:
  host:
    description:
      - What tells the certificates of this host from those of others in the same account of AWS, where no
        O(certificates[].publish[].acm.certificate_arn) is given. With the name of the certificate it is what a
        certificate in ACM is tagged with and found by, so it must stay when the machine is replaced.
      - The roles give the name of the host in the inventory. Without it, the name that the machine has for itself.
    type: str
  timeout:
    description:
      - Seconds that publishing one certificate to one target may take, with all repetitions and waiting.
    type: int
    default: 120
  concurrency:
    description: How many certificates are published at the same time.
    type: int
    default: 4
extends_documentation_fragment:
  - certfleet.acme.attributes
  - certfleet.acme.batch
  - certfleet.acme.certificates
  - certfleet.acme.store
attributes:
  check_mode:
    support: full
    details: Asks the clouds what they have, and says what would change. Sends no key and writes nothing.
  diff_mode:
    support: full
    details: Shows serial numbers, never a key.
  idempotent:
    support: full
  platform:
    platforms: posix
requirements:
  - boto3 >= 1.34 (on the managed host, for ACM)
  - google-auth >= 2.23 and requests (on the managed host, for Certificate Manager)
notes:
  - ACM needs the permissions C(acm:DescribeCertificate), C(acm:GetCertificate) and C(acm:ImportCertificate) on the
    certificate, with O(certificates[].publish[].acm.tags) also C(acm:ListTagsForCertificate) and
    C(acm:AddTagsToCertificate). Without O(certificates[].publish[].acm.certificate_arn) they are needed on
    C(arn:aws:acm:REGION:ACCOUNT:certificate/*), with C(acm:ListCertificates) on C(*) as well.
  - ACM keeps an ARN to the key type and to the key usages that it was first imported with, and replaces no certificate
    that it issued itself.
  - Certificate Manager needs the permissions C(certificatemanager.certs.get), C(certificatemanager.certs.create),
    C(certificatemanager.certs.update) and C(certificatemanager.operations.get), as C(roles/certificatemanager.editor)
    has them.
  - Nothing is removed from a cloud, also when a certificate or a target is no longer declared.
seealso:
  - module: certfleet.acme.certificate_install
  - module: certfleet.acme.certificate_request
"""

EXAMPLES = r"""
- name: Publish to a load balancer of AWS that has its certificate by this ARN
  certfleet.acme.certificate_publish:
    certificates:
      - name: web
        identifiers: [example.com, "*.example.com"]
        publish:
          - acm:
              certificate_arn: arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012

- name: Import to ACM for CloudFront, and to Certificate Manager; both are made when they are not there
  certfleet.acme.certificate_publish:
    host: "{{ inventory_hostname }}"
    certificates:
      - name: web
        identifiers: [example.com, "*.example.com"]
        publish:
          - acm:
              region: us-east-1
              assume_role_arn: arn:aws:iam::123456789012:role/certificates
              tags:
                team: web
          - certificate_manager:
              project: my-project
              certificate: web-example-com
              service_account_file: /etc/certfleet-cloud/certificates.json
"""

RETURN = r"""
certificates:
  description: A result for each declared certificate, in their order.
  returned: always
  type: list
  elements: dict
  sample:
    - name: web
      changed: true
      failed: false
      msg: ""
      stage: published
      version: "0008"
      serial: 4b1d
      targets:
        - kind: acm
          title: ACM us-east-1
          resource: arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012
          changed: true
          created: false
          serial: 4b1d
          previous_serial: 3f2a
          failed: false
          msg: ""
  contains:
    name:
      description: As declared.
      type: str
    changed:
      description: Whether something was changed in a cloud, or would be in check mode.
      type: bool
    failed:
      description: Whether a target failed. The others were still tried.
      type: bool
    msg:
      description: The cause of each target that failed.
      type: str
    stage:
      description:
        - V(published) when all targets have the active version, V(publish) when it failed, V(nothing) when there was
          nothing to publish.
      type: str
    version:
      description: The version in the store that was published.
      type: str
    serial:
      description: Serial number of its certificate, hexadecimal.
      type: str
    targets:
      description: A result for each entry of O(certificates[].publish), in their order.
      type: list
      elements: dict
      contains:
        kind:
          description: V(acm) or V(certificate_manager).
          type: str
        title:
          description: The target in messages.
          type: str
        resource:
          description: Its name in the cloud, an ARN or C(projects/PROJECT/locations/LOCATION/certificates/NAME).
          type: str
        changed:
          description: Whether something was changed there, or would be in check mode.
          type: bool
        created:
          description: Whether there was no certificate before.
          type: bool
        serial:
          description: Serial number of the certificate that it is to have.
          type: str
        previous_serial:
          description: Serial number of the certificate that it had before.
          type: str
        failed:
          description: Whether it failed.
          type: bool
        msg:
          description: The cause in one line.
          type: str
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
from ansible_collections.certfleet.acme.plugins.module_utils._publish.module import main_work
from ansible_collections.certfleet.acme.plugins.module_utils._store.argspec import CERTIFICATES_ARGSPEC, STORE_ARGSPEC


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **BATCH_ARGSPEC,
            **CERTIFICATES_ARGSPEC,
            **STORE_ARGSPEC,
            "host": {"type": "str"},
            "timeout": {"type": "int", "default": 120},
            "concurrency": {"type": "int", "default": 4},
        },
        supports_check_mode=True,
    )
    run(module, main_work)


if __name__ == "__main__":
    main()
