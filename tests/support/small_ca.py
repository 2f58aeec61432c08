# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small real CA in memory: a root, an intermediate, leaves for CSRs."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

UTC = datetime.timezone.utc
DAY = datetime.timedelta(days=1)
DIRECTORY = "https://ca.example/directory"


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


class SmallCA:
    """Issues for any key and any names."""

    def __init__(self) -> None:
        self._root_key = ec.generate_private_key(ec.SECP256R1())
        self._key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name("Small Intermediate"))
            .issuer_name(_name("Small Root"))
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + 3650 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        )
        self.intermediate = builder.sign(self._root_key, hashes.SHA256())

    def sign(
        self,
        public_key: Any,
        names: Sequence[str],
        *,
        lifetime: datetime.timedelta = 90 * DAY,
        age: datetime.timedelta = datetime.timedelta(minutes=1),
    ) -> x509.Certificate:
        """A leaf. lifetime: from notBefore to notAfter. age: how long ago notBefore was."""
        start = datetime.datetime.now(UTC) - age
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.intermediate.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + lifetime)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())

    def chain_for(self, csr_pem: str, names: Sequence[str] | None = None, **options: Any) -> str:
        """Full chain in PEM for a CSR, for its own names unless others are given."""
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        if names is None:
            extension = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            names = extension.get_values_for_type(x509.DNSName)
        return pem(self.sign(csr.public_key(), names, **options)) + pem(self.intermediate)

    def issued(self, item: dict[str, Any], **options: Any) -> dict[str, Any]:
        """What acme_certificate returns for an item of certificate_request."""
        fullchain = self.chain_for(item["csr_content"], **options)
        leaf = x509.load_pem_x509_certificate(fullchain.encode())
        return {
            "name": item["name"],
            "host": "web1",
            "changed": True,
            "failed": False,
            "msg": "",
            "problem": None,
            "order_uri": "https://ca.example/order/1",
            "certificate_url": "https://ca.example/cert/1",
            "certificate": pem(leaf),
            "chain": pem(self.intermediate),
            "fullchain": fullchain,
            "serial": format(leaf.serial_number, "x"),
            "acme_directory": DIRECTORY,
            "account_uri": "https://ca.example/account/1",
            "profile": "chosen-by-the-ca",
            "identifiers": item["identifiers"],
        }


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
