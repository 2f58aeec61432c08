# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates that are on the host already, put there by something else: looked at, and copied into the store.

Where they come from is only ever read. What is taken over is read once, into memory: what was judged is what is kept.
"""

from __future__ import annotations

import datetime
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .. import _x509
from .._errors import CertfleetError
from .._names import validate_identifiers
from .._renewal import Held, Reason, parse_instant
from . import certbot, keys
from ._library import serialization
from .entry import Entry, Version

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_MAX_FILE = 1024 * 1024
_KEY_BLOCK = re.compile(rb"-----BEGIN ((?:[A-Z0-9]+ )*)PRIVATE KEY-----.+?-----END \1PRIVATE KEY-----", re.DOTALL)
_DER = b"\x30"


@dataclass(frozen=True)
class Source:
    """Where a certificate lies: a lineage of certbot, or files. certificate: the leaf alone or with its chain."""

    certbot: str | None = None
    certificate: str | None = None
    private_key: str | None = None
    chain: str | None = None

    @classmethod
    def of(cls, item: dict[str, Any] | None) -> Source | None:
        """The option ``adopt``; None without it. Raises CertfleetError."""
        if not item:
            return None
        for name, path in item.items():
            if path is not None and not os.path.isabs(path):
                raise CertfleetError(f"adopt.{name} {path!r} is not an absolute path")
        if item.get("certbot"):
            certbot.tree_of(item["certbot"])
        return cls(**{name: os.path.normpath(path) for name, path in item.items() if path})

    @property
    def path(self) -> str:
        """What messages name."""
        return self.certbot or self.certificate or ""


@dataclass(frozen=True)
class Find:
    """A certificate with its key, whole and belonging together. facts: of the leaf. notes: what people should know."""

    path: str
    key_pem: bytes = field(repr=False)
    chain_pem: str
    facts: dict[str, Any]
    renewal: certbot.Renewal
    notes: tuple[str, ...] = ()

    def held(self) -> Held:
        """What the decision about renewal needs."""
        return Held(
            identifiers=tuple(self.facts["identifiers"]),
            key_type=self.facts["key_type"],
            not_before=parse_instant(self.facts["not_before"]),
            not_after=parse_instant(self.facts["not_after"]),
            profile=self.renewal.profile,
            profile_known=self.renewal.known,
            acme_directory=self.renewal.acme_directory,
        )

    def reason(self) -> Reason:
        return _reason(self.path, self.facts["serial"], self.notes)


def reason_of(version: Version) -> Reason | None:
    """Why a version that was taken over waits to be activated; None for one that was issued."""
    path = version.meta.get("adopted_from")
    return _reason(str(path), version.facts["serial"]) if path else None


def _reason(path: str, serial: str, notes: tuple[str, ...] = ()) -> Reason:
    more = "".join(f"; {note}" for note in notes)
    return Reason("adopted", f"the certificate of {path}, serial {serial}, is taken over, nothing is issued{more}")


def refusal(find: Find, key_type: str, reasons: Sequence[Reason]) -> CertfleetError:
    """Why a certificate that is whole is not taken over. reasons: of the decision about it. key_type: the declared."""
    texts = "; ".join(reason.text for reason in reasons)
    found = find.facts["key_type"]
    remedy = f"Declare key_type: {found} to take it over." if found != key_type else ""
    return CertfleetError(f"{find.path}: {texts}", remedy=remedy)


def look(source: Source, owner: int | None = None) -> Find:
    """The certificate that lies there. Raises CertfleetError that says what keeps it from being used.

    owner: the declared one, whose files are trusted as root's and those of the task's user are.
    """
    owners = {0, os.geteuid()} | ({owner} if owner is not None else set())
    if source.certbot:
        read = partial(_read, owners=owners, within=certbot.tree_of(source.certbot))
        paths = {kind: os.path.join(source.certbot, f"{kind}.pem") for kind in ("fullchain", "privkey")}
        certificate, private_key, chain = paths["fullchain"], paths["privkey"], None
        renewal = certbot.renewal_of(source.certbot, lambda path: read(path)[0])
    else:
        read = partial(_read, owners=owners, within=None)
        certificate, private_key, chain = source.certificate or "", source.private_key or "", source.chain
        renewal = certbot.Renewal()
    leaf, *rest = _certificates(read(certificate)[0], certificate)
    if chain:
        rest = _certificates(read(chain)[0], chain)
        rest = rest[1:] if rest[0] == leaf else rest
    facts = _facts(leaf, certificate)
    key_data, key_mode = read(private_key)
    key = _key(key_data, private_key)
    if keys.fingerprint(key) != facts["public_key_sha256"]:
        raise CertfleetError(f"the private key {private_key} does not belong to the certificate {certificate}")
    chain_pem = "".join(_pem(cert) for cert in (leaf, *rest))
    _x509.check_chain(chain_pem, public_key=facts["public_key_sha256"], names=facts["identifiers"])
    notes = [] if rest else ["no chain lies there with it"]
    if key_mode & stat.S_IROTH:
        notes.append(f"every user of the host can read {private_key} (mode {key_mode:04o}): rotate it soon")
    return Find(source.path, keys.to_pem(key), chain_pem, facts, renewal, tuple(notes))


def stage(entry: Entry, find: Find, now: datetime.datetime) -> Version:
    """Copy it into the store as the next version, not active yet. Under the lock only. Raises CertfleetError."""
    pending = entry.pending()
    meta: dict[str, Any] = {
        "adopted_from": find.path,
        "adopted_at": _x509.timestamp(now),
        "acme_directory": find.renewal.acme_directory,
        "identifiers": find.facts["identifiers"],
        "key_type": find.facts["key_type"],
        "serial": find.facts["serial"],
        "not_after": find.facts["not_after"],
        # Should another run come with a chain for the request that this takes the place of, it finds what came of it.
        "instead_of": [*(pending.request.get("instead_of") or []), pending.public_key_sha256] if pending else [],
    }
    if find.renewal.known:
        meta["requested_profile"] = find.renewal.profile
    return entry.load(entry.stage(find.chain_pem, meta, key_pem=find.key_pem))


def declaration(path: str, name: str, find: Find) -> dict[str, Any]:
    """The entry for ``certificates`` that takes over a lineage of certbot as it is. Raises CertfleetError."""
    profile = {"profile": find.renewal.profile} if find.renewal.profile else {}
    return {
        "name": name,
        "identifiers": validate_identifiers(find.facts["identifiers"]),
        "key_type": find.facts["key_type"],
        **profile,
        "adopt": {"certbot": path},
    }


def leaf_of(lineage: str) -> tuple[dict[str, Any], str]:
    """Facts and PEM of a lineage's certificate, whoever may write to it. Raises CertfleetError."""
    path = os.path.join(lineage, "fullchain.pem")
    leaf = _certificates(_read(path, owners=None, within=certbot.tree_of(lineage))[0], path)[0]
    return _facts_of_any(leaf, path), _pem(leaf)


def _facts(leaf: Any, path: str) -> dict[str, Any]:
    facts = _facts_of_any(leaf, path)
    if facts["key_type"] not in keys.KEY_TYPES:
        raise CertfleetError(f"the key of {path} is {facts['key_type']}, and keys here are {', '.join(keys.KEY_TYPES)}")
    return facts


def _facts_of_any(leaf: Any, path: str) -> dict[str, Any]:
    try:
        return _x509.certificate_facts(leaf)
    except ValueError as error:
        raise CertfleetError(f"{path}: the certificate cannot be read: {error}") from error


def _certificates(data: bytes, path: str) -> list[Any]:
    _refuse_other_formats(data, path)
    try:
        return _x509.load_chain(data.decode("ascii", "replace"))
    except CertfleetError as error:
        raise CertfleetError(f"{path}: {error.message}") from error


def _key(data: bytes, path: str) -> Any:
    _refuse_other_formats(data, path)
    block = _KEY_BLOCK.search(data)
    if block is None:
        raise CertfleetError(f"{path}: there is no PEM private key in it")
    try:
        return keys.load(block.group() + b"\n")
    except CertfleetError as error:
        raise CertfleetError(f"{path}: {error.message}") from error


def _refuse_other_formats(data: bytes, path: str) -> None:
    if b"-----BEGIN " not in data:
        what = "DER or PKCS#12, not PEM" if data[:1] == _DER else "not PEM"
        raise CertfleetError(f"{path} is {what}", remedy="Convert it with openssl, or let a new one be issued.")


def _pem(cert: Any) -> str:
    text: bytes = cert.public_bytes(serialization.Encoding.PEM)
    return text.decode("ascii")


def _read(path: str, *, owners: set[int] | None, within: str | None) -> tuple[bytes, int]:
    """Content and mode of a regular file that nobody but ``owners`` can write to; None for whoever.

    within: the directory, resolved, that links may lead to; None for no links. Raises CertfleetError.
    """
    real = os.path.realpath(path)
    if within is None and os.path.islink(path):
        raise CertfleetError(f"{path} is a link, which is not followed", remedy=f"Name what it leads to: {real}")
    if within is not None and not real.startswith(os.path.join(within, "")):
        raise CertfleetError(f"{path} leads to {real}, out of {within}; that is not followed")
    try:
        if owners is not None:
            for directory in sorted({*_above(path), *_above(real)}):
                _judge(os.stat(directory), directory, owners)
        fd = os.open(real, _OPEN)
        with os.fdopen(fd, "rb") as file:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise CertfleetError(f"{path} is not a regular file")
            if owners is not None:
                _judge(status, real, owners)
            data = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise CertfleetError(f"{path}: {error.strerror}") from error
    if len(data) > _MAX_FILE:
        raise CertfleetError(f"{path} has more than {_MAX_FILE} bytes")
    return data, stat.S_IMODE(status.st_mode)


def _above(path: str) -> Iterator[str]:
    """All directories that a path goes through."""
    while path != os.path.dirname(path):
        path = os.path.dirname(path)
        yield path


def _judge(status: os.stat_result, path: str, owners: set[int]) -> None:
    """Raises CertfleetError when someone else could write there, or replace what is in it."""
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid not in owners:
        raise CertfleetError(f"{path} belongs to another user (uid {status.st_uid})")
    directory = stat.S_ISDIR(status.st_mode)
    if directory and mode & stat.S_ISVTX:
        return  # each may only replace what is his there, as in /tmp
    own_group = directory and status.st_gid in {0, os.getegid()}
    if mode & stat.S_IWOTH or (mode & stat.S_IWGRP and not own_group):
        raise CertfleetError(f"{path} can be written by others (mode {mode:04o})")
