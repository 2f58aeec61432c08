# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One certificate on many hosts: its key leaves the host that has it only sealed for the host that needs it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .._batch import finish, results_or_cause, run_batch
from .._errors import CertfleetError
from .._module import require
from . import keys, sealing
from ._library import CRYPTOGRAPHY_IMPORT_ERROR
from .argspec import SHARED
from .declared import Declared
from .entry import PENDING, VERSIONS, Entry, Store
from .ownership import Ownership
from .version import CHAIN, FULLCHAIN, KEY, RECIPIENT, Pending, Version

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

#: What certificate.json has and the other host's is to have too.
_META = ("acme_directory", "account_uri", "order_uri", "certificate_url", "profile")
_FACTS = ("serial", "not_before", "not_after", "issuer", "public_key_sha256", "identifiers")


def recipient(entry: Entry, *, create: bool) -> str | None:
    """The public key that a shared certificate's key may be sealed to for this host; None when there is none.

    Its private half lies with the request, open to nobody else, and goes with it.
    """
    with entry.folder.sub(PENDING, entry.folder.ownership.private()) as folder:
        pem = folder.read(RECIPIENT)
        if pem is None and create:
            pem = keys.to_pem(sealing.new_recipient())
            folder.write(RECIPIENT, pem, secret=True)
    return None if pem is None else sealing.public_text(keys.load(pem))


def opened(entry: Entry, public_key_sha256: str, sealed: Any) -> bytes:
    """The key in PEM that was sealed for this host's request. Raises CertfleetError, with no byte of a key in it."""
    if entry.folder.kind(PENDING) is None:
        pem = None
    else:
        with entry.folder.sub(PENDING, entry.folder.ownership.private()) as folder:
            pem = folder.read(RECIPIENT)
    if pem is None:
        raise CertfleetError("what the key was sealed to is gone", remedy="Another run has ended meanwhile: run again.")
    info = sealing.binding(entry.name, public_key_sha256)
    key_pem = sealing.unseal(keys.load(pem), info, str(sealed))
    if keys.fingerprint(keys.load(key_pem)) != public_key_sha256:
        raise CertfleetError("the key that came belongs to another certificate")
    return key_pem


def held(version: Version | None) -> dict[str, Any] | None:
    """What results say of the version that other hosts may have to get; None when it is of no use to them."""
    if version is None or version.broken or version.withdrawn or version.compromised:
        return None
    return {
        **{name: version.facts[name] for name in _FACTS},
        "version": version.label,
        "answers": list(version.meta.get("instead_of") or []),
    }


def withdrawn(entry: Entry) -> list[str]:
    """Serial numbers of the versions that an operator has gone back from."""
    versions = [version for version in map(entry.load, entry.labels()) if version.withdrawn]
    serials = [version.facts.get("serial") or version.meta.get("serial") for version in versions]
    return [str(serial) for serial in serials if serial]


def note_location(entry: Entry, declared: Declared, version: Version | None, *, dry: bool) -> None:
    """That this key is one that leaves the host is noted before it does."""
    if dry or not declared.shared or version is None or version.broken:
        return
    if version.meta.get("key_location") != SHARED:
        entry.note(version.label, key_location=SHARED)


def main_work(module: AnsibleModule) -> dict[str, Any]:
    """The module certificate_share."""
    params = module.params
    wanted = params["wanted"]

    def work() -> list[dict[str, Any]]:
        require(cryptography=CRYPTOGRAPHY_IMPORT_ERROR)
        with Store(params["store_path"], create=False, trusting=True) as store:
            found = run_batch(wanted, partial(_share, store), concurrency=params["concurrency"])
        return [
            {**_empty(item), **result.as_result()} if isinstance(result, CertfleetError) else result
            for item, result in zip(wanted, found)
        ]

    finish(module, "shares", results_or_cause(module, wanted, work, _empty))


def _share(store: Store, item: dict[str, Any]) -> dict[str, Any]:
    entry = store.entry(item["name"], Ownership(), create=False)
    if entry is None:
        raise CertfleetError(f"there is no {item['name']} in the store {store.path}")
    with entry:
        entry.lock()
        version = _version(entry, item)
        if version is None:
            pending = _pending(entry, item["public_key_sha256"])
            if pending is None:
                raise CertfleetError(
                    f"the key {item['public_key_sha256']} of {item['name']} is in the store {store.path} no more",
                    remedy="Another run has replaced it meanwhile: run again.",
                )
            with entry.folder.sub(PENDING) as folder:
                key_pem = folder.read(KEY)
            told: dict[str, Any] = {}
        else:
            with entry.folder.sub(VERSIONS) as versions, versions.sub(version.label) as folder:
                key_pem = folder.read(KEY)
                chain = (folder.read(FULLCHAIN) or b"").decode("ascii"), (folder.read(CHAIN) or b"").decode("ascii")
            told = {
                **{name: version.facts[name] for name in _FACTS},
                **{name: version.meta.get(name) for name in _META},
                "fullchain": chain[0],
                "certificate": version.leaf_pem,
                "chain": chain[1],
                "answers": list(version.meta.get("instead_of") or []),
            }
    info = sealing.binding(item["name"], item["public_key_sha256"])
    return {**_empty(item), **told, "sealed_key": sealing.seal(item["recipient"], info, key_pem or b"")}


def _version(entry: Entry, item: dict[str, Any]) -> Version | None:
    """The newest whole version with the key that is wanted, and with the serial number where one is named."""
    for label in reversed(entry.labels()):
        version = entry.load(label)
        is_meant = version.facts.get("public_key_sha256") == item["public_key_sha256"]
        if not version.broken and is_meant and item["serial"] in (None, version.facts["serial"]):
            return version
    return None


def _pending(entry: Entry, public_key_sha256: str) -> Pending | None:
    """The request, when its certificate has just come and is not beside its key yet."""
    pending = entry.pending()
    return pending if pending is not None and pending.public_key_sha256 == public_key_sha256 else None


def _empty(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": item["name"],
        "host": item["host"],
        "sealed_key": None,
        "fullchain": None,
        "changed": False,
        "failed": False,
        "msg": "",
    }
