# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a certificate is published beside its host, and what is noted of that: STORE/NAME/published.json.

The notes outlive versions, so that a target keeps its name (an ARN) for good. Nothing here asks a cloud.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._errors import CertfleetError

if TYPE_CHECKING:
    from .entry import Entry, Version

NOTES = "published.json"
_FORMAT = 1
#: The kinds of targets: for messages, and the options that tell one target from another. No credentials are among
#: them, and nothing that has a default in the environment: what certificate_request sees must be what
#: certificate_publish has noted.
_KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "acm": ("ACM", ("certificate_arn", "region", "endpoint_url", "assume_role_arn")),
    "certificate_manager": ("Certificate Manager", ("project", "location", "certificate", "api_endpoint")),
}


@dataclass(frozen=True)
class Target:
    """A place in a cloud. kind: acm or certificate_manager. options: as declared, secrets among them."""

    kind: str
    options: Mapping[str, Any] = field(repr=False)

    @property
    def title(self) -> str:
        """For messages."""
        where = self.options.get("certificate_arn") or self.options.get("certificate") or self.options.get("region")
        return f"{_KINDS[self.kind][0]} {where}" if where else _KINDS[self.kind][0]

    @property
    def names_one(self) -> bool:
        """Whether what is declared means one certificate in the cloud, whatever it is declared for here."""
        return self.kind != "acm" or bool(self.options.get("certificate_arn"))

    @property
    def digest(self) -> str:
        """What it is noted under."""
        content = [self.kind, [self.options.get(name) or None for name in _KINDS[self.kind][1]]]
        return hashlib.sha256(json.dumps(content).encode("utf-8")).hexdigest()


def parse(items: Sequence[Mapping[str, Any]] | None) -> tuple[Target, ...]:
    """The option ``publish`` of a declared certificate. Raises CertfleetError."""
    targets: list[Target] = []
    for item in items or ():
        kinds = [kind for kind in _KINDS if item.get(kind)]
        if len(kinds) != 1:
            raise CertfleetError(
                f"an entry of publish has {len(kinds)} targets", remedy=f"Give one: {' or '.join(_KINDS)}."
            )
        target = Target(kinds[0], item[kinds[0]])
        if isinstance(target.options.get("service_account_contents"), Mapping):
            # Ansible hides every text in it, the project's name too, wherever it is in results.
            raise CertfleetError(
                f"the content of the key file in publish of {target.title} is a mapping",
                remedy="Write it as one text, with the filter to_json, or string where it is one.",
            )
        if target.digest in {other.digest for other in targets}:
            raise CertfleetError(f"publish names {target.title} twice", remedy="Name each target once.")
        targets.append(target)
    return tuple(targets)


@dataclass(frozen=True)
class Material:
    """What is published of a version. chain_pem: without the leaf, may be empty."""

    label: str
    facts: dict[str, Any]
    leaf_pem: str
    chain_pem: str
    key_pem: bytes = field(repr=False)


def material(entry: Entry, version: Version) -> Material:
    """The files of a whole version. Raises CertfleetError."""
    files: dict[str, bytes] = {}
    with entry.folder.sub("versions") as versions, versions.sub(version.label) as folder:
        for name in ("cert.pem", "chain.pem", "privkey.pem"):
            data = folder.read(name)
            if data is None:
                raise CertfleetError(f"{name} of version {version.label} is missing")
            files[name] = data
    leaf, chain = (files[name].decode("ascii", "replace") for name in ("cert.pem", "chain.pem"))
    return Material(version.label, version.facts, leaf, chain, files["privkey.pem"])


def notes(entry: Entry) -> dict[str, dict[str, Any]]:
    """What is noted of each target, by its digest; nothing where what is noted cannot be read."""
    try:
        content = json.loads(entry.folder.read(NOTES) or b"{}")
    except ValueError:
        return {}
    targets = content.get("targets") if isinstance(content, dict) else None
    return {key: value for key, value in (targets or {}).items() if isinstance(value, dict)}


def note(entry: Entry, target: Target, **fields: Any) -> None:
    """Write down what a target has now. Under the lock only."""
    found = {**notes(entry), target.digest: {"kind": target.kind, **fields}}
    content = json.dumps({"format": _FORMAT, "targets": found}, indent=2, sort_keys=True) + "\n"
    entry.folder.write(NOTES, content.encode("utf-8"))


def lacking(entry: Entry, version: Version, targets: Sequence[Target]) -> list[Target]:
    """The targets that do not have this version as far as is noted."""
    if not targets:
        return []
    noted = notes(entry)
    fingerprint = version.facts.get("fingerprint_sha256")
    return [target for target in targets if noted.get(target.digest, {}).get("fingerprint_sha256") != fingerprint]
