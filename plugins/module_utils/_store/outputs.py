# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links and copies of a certificate's files at paths that the user names.

What lies at such a path is replaced by rename and never followed. Which paths were made is noted beside the versions,
before they are made, so that those that are not declared any more can be removed again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._errors import CertfleetError
from .entry import CURRENT, VERSIONS, Entry
from .files import Folder, Step, no_step
from .formats import FORMATS
from .ownership import Ownership
from .parents import open_directory
from .version import CERT, CHAIN, FULLCHAIN, HOLD_A_KEY, KEY, Version

if TYPE_CHECKING:
    from .declared import Declared

SOURCES = (FULLCHAIN, KEY, CERT, CHAIN, *(file for files in FORMATS.values() for file in files))
NOTE = "files.json"
_FORMAT = 1
_MAX_FILE = 1024 * 1024
Undo = Callable[[Callable[[], None]], None]


@dataclass(frozen=True)
class FileOwnership(Ownership):
    """With the mode of one file, be it secret or not. The context is the policy's for the path, not the store's."""

    def file_mode(self, *, secret: bool) -> int:
        return super().file_mode(secret=secret) if self.mode is None else self.mode


@dataclass(frozen=True)
class Output:
    """One path. source: the file of the version. kind: link or copy. ownership: of a copy."""

    path: str
    source: str
    kind: str
    ownership: Ownership

    @property
    def secret(self) -> bool:
        return self.source in HOLD_A_KEY

    @property
    def name(self) -> str:
        return os.path.basename(self.path)


def parse_outputs(
    name: str, item: dict[str, Any], formats: tuple[str, ...], ownership: Ownership
) -> tuple[Output, ...]:
    """The paths that the entry ``name`` declares. Raises CertfleetError."""
    return tuple(_parse(name, file, formats, ownership) for file in item.get("files") or [])


def _parse(name: str, file: dict[str, Any], formats: tuple[str, ...], ownership: Ownership) -> Output:
    path, source, kind = _normal(file["path"]), file["source"], file.get("kind") or "link"
    if source not in (FULLCHAIN, KEY, CERT, CHAIN, *formats):
        format_name = next(one for one, files in FORMATS.items() if source in files)
        raise CertfleetError(
            f"{path} of {name} is to be {source}, which is not among its formats",
            remedy=f"Add {format_name} to its formats.",
        )
    own = {key: file.get(key) for key in ("owner", "group", "mode") if file.get(key)}
    if kind == "link":
        if own:
            raise CertfleetError(
                f"{path} of {name} is a link, which has no {', '.join(own)} of its own",
                remedy="Declare owner, group and mode of the certificate, or kind: copy.",
            )
        return Output(path, source, kind, FileOwnership(ownership.uid))
    given, secret = Ownership.of(file.get("owner"), file.get("group")), source in HOLD_A_KEY
    uid = ownership.uid if given.uid is None else given.uid
    # A group of its own may read it, as the certificate's group may read the certificate's files.
    like = ownership if given.gid is None else Ownership(uid, given.gid)
    mode = _mode(str(own["mode"]), path, secret=secret) if "mode" in own else like.file_mode(secret=secret)
    return Output(path, source, kind, FileOwnership(uid, like.gid, mode))


def _mode(text: str, path: str, *, secret: bool) -> int:
    """An octal mode. Raises CertfleetError for one that opens the file to more than it may."""
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise CertfleetError(f"the mode {text!r} of {path} is no octal number", remedy='Write it as "0640".')
    mode = int(text, 8)
    if mode & (0o137 if secret else 0o133):
        what = "others may not read what holds a key, and " if secret else ""
        raise CertfleetError(
            f"the mode {text!r} of {path} is not allowed: {what}nobody but the owner may write it",
            remedy='Write it in quotes, as "0640".',
        )
    return mode


def check_paths(certificates: Iterable[dict[str, Any]], store_path: str) -> None:
    """Raises CertfleetError for a path that is not absolute, is in the store, or is declared twice.

    Links among the directories above are followed, so that two spellings of one path are found out.
    """
    stores = {_normal(store_path), os.path.realpath(store_path)}
    seen: dict[str, str] = {}
    for item in certificates:
        for file in item.get("files") or []:
            path = _normal(file["path"])
            if not os.path.isabs(path) or not os.path.basename(path):
                raise CertfleetError(f"{file['path']!r} of {item['name']} is not the absolute path of a file")
            real = _real(path)
            if any(
                os.path.join(place, "").startswith(os.path.join(store, ""))
                for place in (path, real)
                for store in stores
            ):
                raise CertfleetError(
                    f"{path} of {item['name']} is in the store", remedy="Services may read it there as it is."
                )
            if real in seen:
                raise CertfleetError(f"{path} is declared twice, for {seen[real]} and for {item['name']}")
            seen[real] = item["name"]


def declared_paths(certificates: Iterable[dict[str, Any]]) -> frozenset[str]:
    """All paths of these entries."""
    return frozenset(_real(_normal(file["path"])) for item in certificates for file in item.get("files") or [])


def _normal(path: str) -> str:
    path = os.path.normpath(path)
    return "/" + path.lstrip("/") if path.startswith("//") else path


def _real(path: str) -> str:
    """The path with the links above it followed, and not one in its own place."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def paths_noted(entry: Entry) -> dict[str, dict[str, Any]]:
    """The paths that were made for a certificate, and what of each."""
    try:
        content = json.loads(entry.folder.read(NOTE) or b"{}")
        return {str(path): dict(note) for path, note in content["files"].items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


class Outputs:
    """The paths of one certificate, whose entry is locked. taken: paths that are declared in this call at all."""

    def __init__(
        self, entry: Entry, declared: Declared, *, step: Step = no_step, taken: frozenset[str] = frozenset()
    ) -> None:
        self.entry = entry
        self.declared = declared
        self._step = step
        self._taken = taken
        #: What was found out about paths that are not declared any more and have to stay, by path.
        self.left: dict[str, str] = {}

    def sweep(self) -> None:
        """Remove what interrupted runs left beside paths that may be right otherwise. Raises CertfleetError."""
        for output in self.declared.files:
            with self._open(output.path, output.ownership) as folder:
                _sweep(folder, output.name)

    def differing(self, version: Version) -> list[str]:
        """Paths that are not as declared, and those that were made, are not declared any more and can be looked at.

        Raises CertfleetError for a directory that is missing or not safe, and for one in the place of a file.
        """
        noted = paths_noted(self.entry)
        wrong = [output.path for output in self.declared.files if not self._right(output, version, noted)]
        return wrong + self._stale(noted)

    def bring(self, version: Version, undo: Undo | None = None) -> list[str]:
        """Bring all paths to what is declared, copies to this version; returns those that were not.

        undo: takes what undoes it, a call for each change. Raises CertfleetError, but not for a path that is not
        declared any more and cannot be removed: that one is in ``left``, and the next run tries again.
        """
        noted = paths_noted(self.entry)
        wrong = [output for output in self.declared.files if not self._right(output, version, noted)]
        stale = self._stale(noted)
        if not wrong and not stale:
            return []
        undo = undo or _forget
        undo(lambda: self._note(noted))
        after = {path: note for path, note in noted.items() if path not in stale}
        after.update({output.path: self._note_of(output, version) for output in wrong})
        both = {**noted, **after}
        self._note(both)
        for output in wrong:
            self._place(output, version, undo)
        for path in stale:
            try:
                self._remove(path, noted[path], undo)
            except CertfleetError as error:
                self._leave(path, error)
                after[path] = noted[path]
        # What was removed is noted again before it is brought back.
        undo(lambda: self._note(both))
        self._note(after)
        return [*(output.path for output in wrong), *(path for path in stale if path not in after)]

    def _note(self, files: dict[str, dict[str, Any]]) -> None:
        if files != paths_noted(self.entry):
            content = json.dumps({"format": _FORMAT, "files": files}, indent=2, sort_keys=True) + "\n"
            self.entry.folder.write(NOTE, content.encode("utf-8"))

    def _note_of(self, output: Output, version: Version) -> dict[str, Any]:
        note: dict[str, Any] = {"source": output.source, "kind": output.kind, "uid": output.ownership.uid}
        if output.kind == "copy":
            note["sha256"] = _digest(self._content(output.source, version.label) or b"")
        return note

    def _stale(self, noted: dict[str, dict[str, Any]]) -> list[str]:
        """Those that are to be removed. A file that nobody wants must not be in the way of a renewal."""
        declared = {output.path for output in self.declared.files}
        stale = []
        self.left.clear()
        for path in sorted(path for path in noted if path not in declared):
            try:
                if not self._gone(path):
                    with self._open(path, Ownership(noted[path].get("uid"))) as folder:
                        self._ours(folder, os.path.basename(path), noted[path])
                stale.append(path)
            except CertfleetError as error:
                self._leave(path, error)
        return stale

    def _leave(self, path: str, error: CertfleetError) -> None:
        self.left[path] = f"{path} is not declared any more and stays: {error}"

    def _gone(self, path: str) -> bool:
        """Whether another certificate has it now, or the directory that it was in is not there any more."""
        return _real(path) in self._taken or not os.path.isdir(os.path.dirname(path))

    def _content(self, source: str, label: str) -> bytes | None:
        with self.entry.folder.sub(VERSIONS) as versions, versions.sub(label) as folder:
            return folder.read(source)

    def _target(self, source: str) -> str:
        return os.path.join(self.entry.path, CURRENT, source)

    def _right(self, output: Output, version: Version, noted: dict[str, dict[str, Any]]) -> bool:
        with self._open(output.path, output.ownership) as folder:
            kind = folder.kind(output.name)
            if kind in {"directory", "other"}:
                raise CertfleetError(
                    f"{output.path} is not a file or link", remedy="Move it away, or name another path."
                )
            if noted.get(output.path) != self._note_of(output, version):
                return False
            if output.kind == "link":
                return kind == "link" and folder.target(output.name) == self._target(output.source)
            if kind != "file" or folder.read(output.name) != self._content(output.source, version.label):
                return False
            return not folder.correct(output.name, secret=output.secret, dry=True)

    def _open(self, path: str, ownership: Ownership) -> Folder:
        return open_directory(os.path.dirname(path), ownership, step=self._step)

    def _place(self, output: Output, version: Version, undo: Undo) -> None:
        content = self._content(output.source, version.label)
        if content is None:
            raise CertfleetError(f"version {version.label} has no {output.source}")
        with self._open(output.path, output.ownership) as folder:
            undo(self._restorer(folder, output.path, output.ownership))
            _sweep(folder, output.name)
            if output.kind == "link":
                _link(folder, output.name, self._target(output.source))
            else:
                folder.write(output.name, content, secret=output.secret)

    def _remove(self, path: str, note: dict[str, Any], undo: Undo) -> None:
        """Only what is ours still: a link into our store, a copy with the content of one of our versions."""
        if self._gone(path):
            return
        name, ownership = os.path.basename(path), Ownership(note.get("uid"))
        with self._open(path, ownership) as folder:
            _sweep(folder, name)
            if self._ours(folder, name, note):
                undo(self._restorer(folder, path, ownership))
                folder.unlink(name)

    def _ours(self, folder: Folder, name: str, note: dict[str, Any]) -> bool:
        kind, source = folder.kind(name), str(note.get("source"))
        if kind == "link":
            return note.get("kind") == "link" and folder.target(name) == self._target(source)
        if kind != "file" or note.get("kind") != "copy" or source not in SOURCES:
            return False
        digest = _digest(folder.read(name) or b"")
        return digest == note.get("sha256") or any(
            digest == _digest(self._content(source, label) or b"") for label in self.entry.labels()
        )

    def _restorer(self, folder: Folder, path: str, ownership: Ownership) -> Callable[[], None]:
        """What brings back whatever lies there now. Raises CertfleetError when it could not."""
        name = os.path.basename(path)
        kind = folder.kind(name)
        data, target, before = b"", "", ownership
        if kind == "file":
            status = os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
            data = folder.read(name) or b""
            if len(data) >= _MAX_FILE:
                raise CertfleetError(f"{path} is too large to be a certificate's", remedy="Move it away.")
            before = FileOwnership(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
        elif kind == "link":
            target = folder.target(name) or ""

        def restore() -> None:
            with self._open(path, ownership) as folder:
                _sweep(folder, name)
                if kind == "file":
                    with Folder(os.dup(folder.fd), folder.path, before, self._step, place=folder.place) as writer:
                        writer.write(name, data)
                elif kind == "link":
                    _link(folder, name, target)
                else:
                    folder.unlink(name)

        return restore


def _link(folder: Folder, name: str, target: str) -> None:
    """A link in the place of whatever file is there, in one step."""
    if folder.kind(name) in {None, "link"}:
        folder.link(name, target)
    else:
        folder.link(f".{name}.new", target)
        folder.rename(f".{name}.new", name)


def _sweep(folder: Folder, name: str) -> None:
    """Remove what an interrupted run left beside it."""
    for beside in _beside(name):
        if folder.kind(beside) in {"file", "link"}:
            folder.unlink(beside)


def _beside(name: str) -> Iterator[str]:
    yield f".{name}.new"
    yield f"..{name}.new.new"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _forget(_call: Callable[[], None]) -> None:
    """For whom nothing is to be undone."""
