# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One certificate of the store: its versions, which of them is current, and the request that has no chain yet."""

from __future__ import annotations

import datetime
import fcntl
import re
import time
from collections.abc import Sequence
from typing import Any

from .. import _x509
from .._errors import CertfleetError
from . import keys, parents
from .files import Folder, Ownership, Step, no_step
from .version import (
    CERT,
    CHAIN,
    CSR,
    FULLCHAIN,
    KEY,
    META,
    PUBLIC,
    REQUEST,
    Pending,
    Version,
    check_key,
    from_json,
    known_key,
    needed,
    pending_of,
    read_certificates,
    to_json,
)

CURRENT = "current"
VERSIONS = "versions"
PENDING = "pending"
_LABEL = re.compile(r"[0-9]{4,9}")
_TARGET = re.compile(r"versions/([0-9]{4,9})")
_FORMAT = 1
#: A request that nobody finished in this time is made anew, with a new key, or removed when nothing asks for it.
PENDING_LIFETIME = datetime.timedelta(days=7)
LOCK_TIMEOUT = 60.0
_LOCK_PAUSE = 0.1


class Store:
    """STORE. Use it as a context manager. trusting: read only, whoever owns it."""

    def __init__(self, path: str, *, create: bool, step: Step = no_step, trusting: bool = False) -> None:
        self._folder, self._above = parents.open_store(path, create=create, step=step, trusting=trusting)
        self.path = path

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *unused: object) -> None:
        if self._folder is not None:
            self._folder.close()

    def names(self) -> list[str]:
        """The certificates in it, sorted."""
        if self._folder is None:
            return []
        return [
            name for name in self._folder.names() if not name.startswith(".") and self._folder.kind(name) == "directory"
        ]

    def entry(self, name: str, ownership: Ownership, *, create: bool) -> Entry | None:
        """The certificate of that name, None when it is not there and ``create`` is false. Raises CertfleetError."""
        parents.refuse_owners(self._above, ownership)
        if self._folder is None:
            return None
        if create:
            return Entry(name, self._folder.make(name, ownership))
        if self._folder.kind(name) is None:
            return None
        return Entry(name, self._folder.sub(name, ownership))


class Entry:
    """STORE/NAME. Use it as a context manager; lock() before changing anything."""

    def __init__(self, name: str, folder: Folder) -> None:
        self.name = name
        self.folder = folder
        self.path = folder.path
        #: Of requests: no service reads them.
        self._private = folder.ownership.private()

    def __enter__(self) -> Entry:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        """Also gives the lock back."""
        self.folder.close()

    def lock(self, timeout: float = LOCK_TIMEOUT) -> None:
        """Wait for other runs on this certificate; seconds. The directory itself is what is locked, so nothing is
        left over when a run is killed. Raises CertfleetError."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(self.folder.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise CertfleetError(
                        f"another run has been working on {self.path} for more than {timeout:.0f} s",
                        remedy="Wait for it to end, then run again.",
                    ) from None
            except OSError as error:
                raise CertfleetError(f"{self.path} cannot be locked: {error.strerror}") from error
            time.sleep(_LOCK_PAUSE)

    # What is there

    def labels(self) -> list[str]:
        """Labels of all versions, the oldest first."""
        if self.folder.kind(VERSIONS) is None:
            return []
        with self.folder.sub(VERSIONS) as versions:
            return sorted((name for name in versions.names() if _LABEL.fullmatch(name)), key=int)

    def current(self) -> str | None:
        """Label of the version that services read. Raises CertfleetError when ``current`` leads out of the store."""
        target = self.folder.target(CURRENT)
        if target is None:
            return None
        match = _TARGET.fullmatch(target)
        if not match:
            raise CertfleetError(
                f"{self.path}/{CURRENT} leads to {target!r}, which is not a version of the store",
                remedy="See who put it there, then remove the link.",
            )
        return match.group(1)

    def load(self, label: str) -> Version:
        """The version with everything that can be read of it; what is wrong with it is in ``broken``."""
        version = Version(label)
        with self.folder.sub(VERSIONS) as versions:
            if versions.kind(label) is None:
                version.broken = "it is gone"
                return version
            with versions.sub(label) as folder:
                try:
                    version.meta = from_json(folder.read(META))
                    read_certificates(folder, version)
                except CertfleetError as error:
                    version.broken = str(error)
        return version

    def pending(self) -> Pending | None:
        """The request that has no chain yet; None also when what lies there is of no use."""
        if self.folder.kind(PENDING) is None:
            return None
        with self.folder.sub(PENDING, self._private) as folder:
            key_pem, csr_pem, request = folder.read(KEY), folder.read(CSR), from_json(folder.read(REQUEST))
        if key_pem is None or csr_pem is None:
            return None
        try:
            facts = _x509.csr_facts(csr_pem.decode("ascii", "replace"))
            check_key(key_pem, facts["public_key_sha256"], request)
        except CertfleetError:
            return None
        return pending_of(csr_pem.decode("ascii"), facts, request)

    def request_noted(self) -> dict[str, Any] | None:
        """What is noted of the request that lies there, be it of use or not; None when there is none."""
        if self.folder.kind(PENDING) is None:
            return None
        with self.folder.sub(PENDING, self._private) as folder:
            return from_json(folder.read(REQUEST))

    # Changing it

    def sweep(self) -> None:
        """Remove what an interrupted run left behind. Under the lock only."""
        self.folder.sweep()
        if self.folder.kind(PENDING) is not None:
            with self.folder.sub(PENDING, self._private) as pending:
                pending.sweep()
        if self.folder.kind(VERSIONS) is None:
            return
        labels = self.labels()
        with self.folder.sub(VERSIONS) as versions:
            versions.sweep()
            for label in labels:
                with versions.sub(label) as folder:
                    folder.sweep()
        if labels and self.folder.kind(PENDING) is not None:
            with self.folder.sub(PENDING, self._private) as pending:
                waiting = pending.read(KEY)
            with self.folder.sub(VERSIONS) as versions, versions.sub(labels[-1]) as newest:
                try:
                    answered = waiting is not None and waiting == newest.read(KEY)
                    instead_of = from_json(newest.read(META)).get("instead_of") or []
                except CertfleetError:  # load() tells what is wrong with it
                    answered, instead_of = False, []
            request = self.pending() if instead_of else None
            answered |= request is not None and request.public_key_sha256 in instead_of
            if answered:  # the run ended between making the version and dropping its request
                self.drop_pending()

    def write_pending(self, key: Any, identifiers: Sequence[str], request: dict[str, Any]) -> Pending:
        """Keep a key and its CSR until the chain comes; a request that was there is dropped with its key."""
        csr_pem, key_pem = keys.make_csr(key, identifiers), keys.to_pem(key)
        facts = _x509.csr_facts(csr_pem)
        request = {**request, "key": known_key(key_pem, facts["public_key_sha256"])}
        beside = f".{PENDING}.new"
        if self.folder.kind(beside) is not None:
            self.folder.remove(beside)
        with self.folder.make(beside, self._private, becomes=PENDING) as folder:
            folder.write(KEY, key_pem, secret=True)
            folder.write(CSR, csr_pem.encode("ascii"))
            folder.write(REQUEST, to_json(request))
        self.drop_pending()
        self.folder.rename(beside, PENDING)
        return pending_of(csr_pem, facts, request)

    def note_request(self, request: dict[str, Any]) -> None:
        """Replace what is noted of the request that is there."""
        with self.folder.sub(PENDING, self._private) as folder:
            known = from_json(folder.read(REQUEST)).get("key")
            folder.write(REQUEST, to_json({**request, "key": known}))

    def drop_pending(self) -> None:
        if self.folder.kind(PENDING) is not None:
            self.folder.remove(PENDING)

    def stage(self, chain_pem: str, meta: dict[str, Any], *, key_pem: bytes | None = None) -> str:
        """Make the next version from the request's key and a chain that was checked against it; returns its label.

        The version gets its name when all of it is on the disk; ``current`` is not touched.
        key_pem: another key, which was found to belong to the chain: one that is taken over, or that of a shared
        certificate that another host had requested. The request is dropped in this case too.
        """
        blocks = _x509.split_pem(chain_pem)
        leaf, rest = blocks[0].encode("ascii"), "".join(blocks[1:]).encode("ascii")
        public_key = _x509.certificate_facts(_x509.load_chain(blocks[0])[0])["public_key_sha256"]
        if key_pem is None:
            with self.folder.sub(PENDING, self._private) as pending:
                key_pem, request = needed(pending, KEY), from_json(pending.read(REQUEST))
            check_key(key_pem, public_key, request)
        meta = {**meta, "key": known_key(key_pem, public_key)}
        labels = self.labels()
        label = f"{int(labels[-1]) + 1 if labels else 1:04d}"
        beside = f".{label}.new"
        with self.folder.make(VERSIONS) as versions:
            if versions.kind(beside) is not None:
                versions.remove(beside)
            with versions.make(beside, becomes=label) as folder:
                folder.write(KEY, key_pem, secret=True)
                folder.write(CERT, leaf)
                folder.write(CHAIN, rest)
                folder.write(FULLCHAIN, leaf + rest)
                folder.write(META, to_json({"format": _FORMAT, **meta}))
            versions.rename(beside, label)
        self.drop_pending()
        return label

    def activate(self, label: str | None) -> None:
        """Let ``current`` lead to this version, in one step; None takes ``current`` away."""
        if label is None:
            self.folder.unlink(CURRENT)
        else:
            self.folder.link(CURRENT, f"{VERSIONS}/{label}")

    def note(self, label: str, **changes: Any) -> None:
        """Change fields of a version's certificate.json."""
        with self.folder.sub(VERSIONS) as versions, versions.sub(label) as folder:
            meta = from_json(folder.read(META))
            meta.update(changes)
            folder.write(META, to_json({"format": _FORMAT, **meta}))

    def expendable(self, keep: int, spare: set[str]) -> list[str]:
        """Labels of all but the newest ``keep`` versions, never one of ``spare``."""
        labels = self.labels()
        return [label for label in labels[: max(0, len(labels) - keep)] if label not in spare]

    def prune(self, labels: Sequence[str]) -> None:
        """Remove these versions, keys and all."""
        with self.folder.sub(VERSIONS) as versions:
            for label in labels:
                versions.remove(label)

    def correct_modes(self, *, dry: bool) -> bool:
        """Bring owner, group, mode and context of everything in it to what is declared; True when something was not."""
        changed = self.folder.correct_self(dry=dry)
        if self.folder.kind(VERSIONS) is not None:
            with self.folder.sub(VERSIONS) as versions:
                changed |= versions.correct_self(dry=dry)
                for label in self.labels():
                    with versions.sub(label) as folder:
                        changed |= _correct_files(folder, dry=dry)
        if self.folder.kind(PENDING) is not None:
            with self.folder.sub(PENDING, self._private) as folder:
                changed |= _correct_files(folder, dry=dry)
        if self.folder.kind(CURRENT) == "link":
            changed |= self.folder.correct_link(CURRENT, dry=dry)
        return changed


def _correct_files(folder: Folder, *, dry: bool) -> bool:
    changed = folder.correct_self(dry=dry)
    for name in folder.names():
        if folder.kind(name) == "file":
            changed |= folder.correct(name, secret=name not in PUBLIC, dry=dry)
    return changed
