# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of the store: nothing is followed, nothing is half-written, nothing is open to others for an instant.

Every operation is relative to the descriptor of an open directory, so that no name on the way can be swapped for a
link between the check and the use. Files are written beside and renamed, with their final mode, owner and SELinux
context from the first byte, and reach the disk before their name does.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Callable

from .._errors import CertfleetError
from . import selinux
from .ownership import Ownership

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_FILE = 1024 * 1024

#: Called with the name of each step before it changes anything; tests end the process there.
Step = Callable[[str], None]


def no_step(name: str) -> None:
    """The step of ordinary runs."""


class Folder:
    """An open directory. Use it as a context manager, or close() it. How to come by one: parents.py.

    place: its path in the end and without links, by which SELinux' policy knows it; ``path`` where that is the same.
    trusting: read only, whoever could write there.
    """

    def __init__(
        self, fd: int, path: str, ownership: Ownership, step: Step, *, place: str = "", trusting: bool = False
    ) -> None:
        self.fd = fd
        self.path = path
        self.place = place or path
        self.ownership = ownership
        self._step = step
        self._trusting = trusting

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self.fd)

    def refuse_foreign(self) -> None:
        """Raises CertfleetError, and closes it, when it belongs to or can be written by someone else."""
        try:
            self._refuse_foreign()
        except CertfleetError:
            self.close()
            raise

    def _refuse_foreign(self) -> None:
        status = os.fstat(self.fd)
        if status.st_uid not in {os.geteuid(), 0, self.ownership.uid}:
            raise CertfleetError(
                f"{self.path} belongs to another user (uid {status.st_uid})",
                remedy="Declare that user as owner, or give the directory back to root.",
            )
        if stat.S_IMODE(status.st_mode) & 0o022:
            raise CertfleetError(
                f"{self.path} can be written by others (mode {stat.S_IMODE(status.st_mode):04o})",
                remedy=f"Look into it, then: chmod go-w {self.path}",
            )

    def names(self) -> list[str]:
        """What is in it, sorted."""
        with explained(self.path):
            return sorted(os.listdir(self.fd))

    def kind(self, name: str) -> str | None:
        """``directory``, ``file``, ``link`` or ``other``; None when there is nothing of that name."""
        with explained(self._in(name)):
            try:
                mode = os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_mode
            except FileNotFoundError:
                return None
        if stat.S_ISDIR(mode):
            return "directory"
        if stat.S_ISREG(mode):
            return "file"
        return "link" if stat.S_ISLNK(mode) else "other"

    def sub(self, name: str, ownership: Ownership | None = None, *, becomes: str = "") -> Folder:
        """The directory of that name in it. Raises CertfleetError, also for a link in its place.

        becomes: the name that it is going to have.
        """
        with explained(self._in(name)):
            fd = os.open(name, OPEN_DIRECTORY, dir_fd=self.fd)
        place = os.path.join(self.place, becomes or name)
        ownership = ownership or self.ownership
        folder = Folder(fd, self._in(name), ownership, self._step, place=place, trusting=self._trusting)
        if not self._trusting:
            folder.refuse_foreign()
        return folder

    def make(self, name: str, ownership: Ownership | None = None, *, becomes: str = "") -> Folder:
        """As sub(), the directory made when it is not there."""
        with explained(self._in(name)):
            if self.kind(name) is None:
                self._step(f"make {name}")
                os.mkdir(name, 0o700, dir_fd=self.fd)
        folder = self.sub(name, ownership, becomes=becomes)
        try:
            # An empty one was perhaps made by a run that ended before this.
            folder.settle(fresh=not folder.names())
        except BaseException:
            folder.close()
            raise
        return folder

    def settle(self, *, fresh: bool = False) -> None:
        """Give the directory itself the declared owner, group, mode and context. fresh: it is new."""
        with explained(self.path):
            self.ownership.settle(self.fd, self.ownership.directory_mode)
            selinux.apply(self.fd, self.place, self.ownership.context, fresh=fresh)

    def read(self, name: str) -> bytes | None:
        """The content of a regular file; None when there is none. Raises CertfleetError for a link in its place."""
        with explained(self._in(name)):
            try:
                fd = os.open(name, _READ, dir_fd=self.fd)
            except FileNotFoundError:
                return None
            with os.fdopen(fd, "rb") as file:
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    raise CertfleetError(f"{self._in(name)} is not a regular file")
                return file.read(_MAX_FILE)

    def write(self, name: str, data: bytes, *, secret: bool = False) -> None:
        """Write the whole file beside, then rename it into place. Raises CertfleetError, nothing half-written left."""
        beside = f".{name}.new"
        with explained(self._in(name)):
            self._unlink(beside)
            self._step(f"create {name}")
            fd = os.open(beside, _CREATE, 0o600, dir_fd=self.fd)
            try:
                with os.fdopen(fd, "wb") as file:
                    self.ownership.settle(fd, self.ownership.file_mode(secret=secret))
                    selinux.apply(fd, os.path.join(self.place, name), self.ownership.context, fresh=True)
                    self._step(f"fill {name}")
                    file.write(data)
                    file.flush()
                    os.fsync(fd)
                self._step(f"rename {name}")
                os.rename(beside, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
            except BaseException:
                self._unlink(beside)
                raise
            os.fsync(self.fd)

    def link(self, name: str, target: str) -> None:
        """Make or switch a symbolic link in one step. Raises CertfleetError when ``name`` is not a link now."""
        if self.kind(name) not in {None, "link"}:
            raise CertfleetError(f"{self._in(name)} is not a link", remedy="Move it away.")
        beside = f".{name}.new"
        with explained(self._in(name)):
            self._unlink(beside)
            self._step(f"link {name}")
            os.symlink(target, beside, dir_fd=self.fd)
            selinux.apply(self.fd, os.path.join(self.place, name), self.ownership.context, fresh=True, link=beside)
            self._step(f"switch {name}")
            os.rename(beside, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
            self._step(f"sync {name}")
            os.fsync(self.fd)

    def target(self, name: str) -> str | None:
        """Where a link points; None when there is nothing. Raises CertfleetError when it is not a link."""
        with explained(self._in(name)):
            try:
                return os.readlink(name, dir_fd=self.fd)
            except FileNotFoundError:
                return None
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
        raise CertfleetError(f"{self._in(name)} is not a link", remedy="Move it away.")

    def rename(self, old: str, new: str) -> None:
        """Rename within the directory; both names and what is in them reach the disk."""
        with explained(self._in(old)):
            self._step(f"rename {old} to {new}")
            os.rename(old, new, src_dir_fd=self.fd, dst_dir_fd=self.fd)
            os.fsync(self.fd)

    def unlink(self, name: str) -> None:
        """Remove a file or a link; nothing happens when there is none."""
        with explained(self._in(name)):
            self._step(f"unlink {name}")
            self._unlink(name)
            os.fsync(self.fd)

    def remove(self, name: str) -> None:
        """Remove a directory and all in it, links not followed. It has lost its name before it loses any content."""
        if self.kind(name) != "directory":
            self.unlink(name)
            return
        gone = name if name.startswith(".") else f".{name}.old"
        with explained(self._in(name)):
            if gone != name:
                if self.kind(gone) is not None:
                    self.remove(gone)
                self.rename(name, gone)
            with self.sub(gone) as folder:
                for inner in folder.names():
                    if folder.kind(inner) == "directory":
                        folder.remove(inner)
                    else:
                        folder._step(f"unlink {inner}")
                        folder._unlink(inner)
            self._step(f"remove {name}")
            os.rmdir(gone, dir_fd=self.fd)
            os.fsync(self.fd)

    def sweep(self) -> None:
        """Remove what an interrupted run left behind."""
        for name in self.names():
            if name.startswith(".") and name.endswith((".new", ".old")):
                self.remove(name)

    def correct(self, name: str, *, secret: bool, dry: bool) -> bool:
        """Bring a file's owner, group, mode and context to what is declared; True when one was not. dry: only tell."""
        with explained(self._in(name)):
            fd = os.open(name, _READ, dir_fd=self.fd)
            try:
                return self._correct(fd, name, self.ownership.file_mode(secret=secret), dry=dry)
            finally:
                os.close(fd)

    def correct_self(self, *, dry: bool) -> bool:
        """As correct(), for the directory itself."""
        with explained(self.path):
            return self._correct(self.fd, "", self.ownership.directory_mode, dry=dry)

    def correct_link(self, name: str, *, dry: bool) -> bool:
        """As correct(), for a symbolic link, which has a context only."""
        with explained(self._in(name)):
            return self._relabel(self.fd, name, link=name, dry=dry)

    def _correct(self, fd: int, name: str, mode: int, *, dry: bool) -> bool:
        """name: empty for the directory itself."""
        changed = not self.ownership.settled(fd, mode)
        if changed and not dry:
            self._step(f"correct {name or self.path}")
            self.ownership.settle(fd, mode)
        return self._relabel(fd, name, dry=dry) or changed

    def _relabel(self, fd: int, name: str, *, dry: bool, link: str = "") -> bool:
        place = os.path.join(self.place, name) if name else self.place
        context = self.ownership.context
        if not selinux.apply(fd, place, context, fresh=False, dry=True, link=link):
            return False
        if not dry:
            self._step(f"relabel {name or self.path}")
            selinux.apply(fd, place, context, fresh=False, link=link)
        return True

    def _unlink(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)

    def _in(self, name: str) -> str:
        return os.path.join(self.path, name)


@contextmanager
def explained(path: str) -> Iterator[None]:
    """An OSError becomes one line that names the path."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise CertfleetError(
                f"{path} is a link or not what the store has in that place; it is not followed",
                remedy="See who put it there, then move it away.",
            ) from error
        raise CertfleetError(f"{path}: {os.strerror(error.errno or 0)}") from error
