# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What services want besides the PEM files: more files in a version's directory, made of the same key and chain.

Each is noted in certificate.json with its own SHA-256 and that of what it was made of, so that nothing is made again to
see that it is right. Of a passphrase nothing is noted: the file itself tells whether it is the declared one.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import _x509
from .._errors import CertfleetError
from . import keys, keystore
from ._library import serialization
from .entry import VERSIONS, Entry
from .files import Folder
from .version import CERT_DER, COMBINED, FULLCHAIN, HOLD_A_KEY, KEY, KEY_DER, KEYSTORE, Version, needed

if TYPE_CHECKING:
    from .declared import Declared

#: The files of each format.
FORMATS = {"combined_pem": (COMBINED,), "pkcs12": (KEYSTORE,), "der": (CERT_DER, KEY_DER)}
_ALL = frozenset(name for files in FORMATS.values() for name in files)
_NOTE = "formats"
_PKCS8 = re.compile(rb"-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END PRIVATE KEY-----\s*")


@dataclass(frozen=True)
class Keystore:
    """How keystore.p12 is to be. friendly_name: what Java calls the alias."""

    passphrase: str = field(repr=False)
    friendly_name: str


def parse_formats(name: str, item: dict[str, Any]) -> tuple[tuple[str, ...], Keystore | None]:
    """The files that the entry ``name`` declares as formats, and how its keystore is to be. Raises CertfleetError."""
    declared = item.get("formats") or []
    files = tuple(dict.fromkeys(file for one in declared for file in FORMATS[one]))
    options = item.get("pkcs12")
    if KEYSTORE not in files:
        if options:
            raise CertfleetError(f"{name} has pkcs12 but not the format pkcs12", remedy="Add pkcs12 to its formats.")
        return files, None
    options = options or {}
    passphrase = keystore.check_passphrase(options.get("passphrase"))
    _refuse_words_of_results(name, item, passphrase)
    friendly_name = options.get("friendly_name") or name
    if not friendly_name.isprintable():
        raise CertfleetError(f"pkcs12.friendly_name of {name} has a character that cannot be printed")
    return files, Keystore(passphrase, friendly_name)


#: Words of 6 letters and more that results have of certificates, besides names and numbers.
_WORDS = (
    "needs issue install nothing staged activate active deployed check reload prove prune rollback publish replaced "
    "withdrawn forced missing broken compromised identifiers_changed key_type_changed profile_changed ca_changed "
    "expired key_location_changed shared_elsewhere adopted pending_install files_differ not_deployed not_published "
    "ecdsa-p256 ecdsa-p384 rsa-2048 rsa-3072 rsa-4096 certificate"
)


def _refuse_words_of_results(name: str, item: dict[str, Any], passphrase: str) -> None:
    """Ansible makes stars of a secret wherever it occurs in results, also in the middle of a name that the next call
    needs. Raises CertfleetError, without the passphrase in it."""
    said = [name, *item["identifiers"], item.get("profile") or "", _WORDS]
    said += [str(file["path"]) for file in item.get("files") or []]
    hexadecimal = re.fullmatch(r"[0-9a-f]{,12}", passphrase) is not None
    if hexadecimal or any(passphrase in text for text in said):
        raise CertfleetError(
            f"pkcs12.passphrase of {name} is part of a name, a path or a word of results, or looks like a number; "
            "Ansible would black it out there",
            remedy="Choose another one, longer and with other characters too.",
        )


def present(entry: Entry, label: str) -> list[str]:
    """The formats that a version has, whole or not."""
    with entry.folder.sub(VERSIONS) as versions, versions.sub(label) as folder:
        names = set(folder.names())
    return [one for one, files in FORMATS.items() if names.issuperset(files)]


def differing(entry: Entry, version: Version, declared: Declared) -> list[str]:
    """Files of formats that are missing, damaged or not as declared, and those that are not declared any more.

    Raises CertfleetError for a link or directory in the place of one.
    """
    if not declared.formats and not version.meta.get(_NOTE):
        return []
    with entry.folder.sub(VERSIONS) as versions, versions.sub(version.label) as folder:
        return _differing(folder, version, declared)


def bring(
    entry: Entry, version: Version, declared: Declared, undo: Callable[[Callable[[], None]], None] | None = None
) -> list[str]:
    """Bring a version's formats to what is declared; returns the names of the files that were not.

    undo: takes what undoes it, a call for each change. Raises CertfleetError.
    """
    names = differing(entry, version, declared)
    if not names:
        return []
    noted = dict(version.meta.get(_NOTE) or {})
    if undo is not None:
        undo(lambda: _note(entry, version, noted))
    after = {name: note for name, note in noted.items() if name not in names}
    with entry.folder.sub(VERSIONS) as versions, versions.sub(version.label) as folder:
        material = _Material(folder)
        for name in names:
            content = material.content(name, declared) if name in declared.formats else None
            if undo is not None:
                undo(_restorer(entry, version.label, name, folder.read(name)))
            if content is None:
                folder.unlink(name)
            else:
                folder.write(name, content, secret=name in HOLD_A_KEY)
                after[name] = _noted(content, material, name, declared)
    _note(entry, version, after)
    return names


def _note(entry: Entry, version: Version, noted: dict[str, Any]) -> None:
    entry.note(version.label, **{_NOTE: noted})
    version.meta[_NOTE] = noted


def _restorer(entry: Entry, label: str, name: str, data: bytes | None) -> Callable[[], None]:
    def restore() -> None:
        with entry.folder.sub(VERSIONS) as versions, versions.sub(label) as folder:
            if data is None:
                folder.unlink(name)
            else:
                folder.write(name, data, secret=name in HOLD_A_KEY)

    return restore


class _Material:
    """Key and chain of a version, as they lie there."""

    def __init__(self, folder: Folder) -> None:
        self.key = needed(folder, KEY)
        self.fullchain = needed(folder, FULLCHAIN)

    def digest(self) -> str:
        return hashlib.sha256(self.key + b"\0" + self.fullchain).hexdigest()

    def content(self, name: str, declared: Declared) -> bytes:
        """What the file of that name is to have in it. Raises CertfleetError."""
        if name == COMBINED:
            return self.key + self.fullchain  # Postfix wants the key first, to others the order is one
        if name == KEY_DER:
            return _pkcs8(self.key)
        if name == KEYSTORE and declared.keystore is not None:
            wanted = declared.keystore
            return keystore.make(self.key, self.fullchain, wanted.passphrase, wanted.friendly_name)
        leaf = _x509.load_chain(self.fullchain.decode("ascii", "replace"))[0]
        return leaf.public_bytes(serialization.Encoding.DER)


def _differing(folder: Folder, version: Version, declared: Declared) -> list[str]:
    noted = version.meta.get(_NOTE) or {}
    gone = [name for name in noted if name not in declared.formats and name in _ALL]
    if not declared.formats:
        return gone
    material = _Material(folder)
    found = [name for name in declared.formats if not _right(folder, name, material, noted.get(name), declared)]
    return found + gone


def _right(folder: Folder, name: str, material: _Material, noted: Any, declared: Declared) -> bool:
    data = folder.read(name)
    if data is None or noted != _noted(data, material, name, declared):
        return False
    return name != KEYSTORE or declared.keystore is None or keystore.opens(data, declared.keystore.passphrase)


def _noted(data: bytes, material: _Material, name: str, declared: Declared) -> dict[str, str]:
    note = {"sha256": hashlib.sha256(data).hexdigest(), "made_of": material.digest()}
    if name == KEYSTORE and declared.keystore is not None:
        note["friendly_name"] = declared.keystore.friendly_name
    return note


def _pkcs8(key_pem: bytes) -> bytes:
    """The key in DER. A PEM file that is PKCS#8 already only loses its lines: to load an RSA key can take seconds."""
    match = _PKCS8.fullmatch(key_pem)
    if match:
        return base64.b64decode(match.group(1))
    return keys.load(key_pem).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
