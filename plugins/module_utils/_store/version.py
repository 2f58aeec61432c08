# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a version and a request are, and whether their files belong together."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from .. import _x509
from .._errors import CertfleetError
from .._renewal import Broken, Held, parse_instant
from .._renewal_state import RenewalState
from . import keys
from .files import Folder

KEY = "privkey.pem"
CERT = "cert.pem"
CHAIN = "chain.pem"
FULLCHAIN = "fullchain.pem"
COMBINED, KEYSTORE, CERT_DER, KEY_DER = "combined.pem", "keystore.p12", "cert.der", "privkey.der"
META = "certificate.json"
CSR = "request.csr"
REQUEST = "request.json"
#: Private half of the key that a shared certificate's key is sealed to; of this one request.
RECIPIENT = "recipient.pem"
#: Files that only the owner and the declared group may read.
HOLD_A_KEY = frozenset({KEY, COMBINED, KEYSTORE, KEY_DER, RECIPIENT})
#: Files that everyone may read. What is neither, say a leftover of a run that was killed, may hold a key.
PUBLIC = frozenset({CERT, CHAIN, FULLCHAIN, CERT_DER, META, CSR, REQUEST})


@dataclass
class Version:
    """A version as it lies there. facts: of the leaf, empty when broken. meta: certificate.json, empty when lost."""

    label: str
    facts: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    leaf_pem: str = ""
    broken: str = ""

    @property
    def deployed_digest(self) -> str | None:
        return (self.meta.get("deployed") or {}).get("digest")

    @property
    def compromised(self) -> bool:
        """Whether its key is marked as known to others: it must not be activated again."""
        return bool(self.meta.get("compromised"))

    @property
    def withdrawn(self) -> bool:
        """Whether an operator has gone back to an older version: only by name is it activated again."""
        return bool(self.meta.get("withdrawn"))

    @property
    def renewal(self) -> RenewalState:
        """What is kept of the CA's renewal information."""
        return RenewalState.read(self.meta.get("ari"))

    def held(self) -> Held | Broken:
        """What the decision about renewal needs."""
        if self.broken:
            return Broken(f"version {self.label} cannot be used: {self.broken}")
        return Held(
            identifiers=tuple(self.facts["identifiers"]),
            key_type=self.facts["key_type"],
            not_before=parse_instant(self.facts["not_before"]),
            not_after=parse_instant(self.facts["not_after"]),
            profile=self.meta.get("requested_profile"),
            profile_known="requested_profile" in self.meta,
            acme_directory=self.meta.get("acme_directory"),
            compromised=self.compromised,
            renew_at=self.renewal.renew_at,
            explanation_url=self.renewal.explanation_url,
        )


@dataclass(frozen=True)
class Pending:
    """A request without a chain. request: request.json."""

    csr_pem: str
    identifiers: tuple[str, ...]
    key_type: str
    public_key_sha256: str
    request: dict[str, Any]


def read_certificates(folder: Folder, version: Version) -> None:
    leaf = needed(folder, CERT)
    version.leaf_pem = leaf.decode("ascii", "replace")
    version.facts = _x509.certificate_facts(_x509.load_chain(version.leaf_pem)[0])
    if needed(folder, FULLCHAIN) != leaf + needed(folder, CHAIN):
        raise CertfleetError(f"{FULLCHAIN} is not {CERT} and {CHAIN}")
    check_key(needed(folder, KEY), version.facts["public_key_sha256"], version.meta)


def check_key(key_pem: bytes, public_key: str, noted: dict[str, Any]) -> None:
    """Raises CertfleetError unless the private key belongs to the public key with that fingerprint.

    A file that was found to belong to it and has not changed since is not opened again: libraries test an RSA key
    for a second and more each time they load it.
    """
    if noted.get("key") == known_key(key_pem, public_key):
        return
    if keys.fingerprint(keys.load(key_pem)) != public_key:
        raise CertfleetError("the private key belongs to another certificate")


def known_key(key_pem: bytes, public_key: str) -> dict[str, str]:
    """That this file holds the private key to this public key."""
    return {"file_sha256": hashlib.sha256(key_pem).hexdigest(), "public_key_sha256": public_key}


def pending_of(csr_pem: str, facts: dict[str, Any], request: dict[str, Any]) -> Pending:
    return Pending(
        csr_pem=csr_pem,
        identifiers=tuple(facts["identifiers"]),
        key_type=facts["key_type"],
        public_key_sha256=facts["public_key_sha256"],
        request={name: value for name, value in request.items() if name != "key"},
    )


def needed(folder: Folder, name: str) -> bytes:
    data = folder.read(name)
    if data is None:
        raise CertfleetError(f"{name} is missing")
    return data


def from_json(data: bytes | None) -> dict[str, Any]:
    try:
        content = json.loads(data or b"{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def to_json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode("utf-8")
