# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory of a journal: who may be in it, a file for each run, and which of those runs still live.

A run holds a lock on its file for as long as it lives; the kernel lets go of it however the process ends. All else that
looks at files or changes those of dead runs holds the lock of the whole directory for that moment, so that nobody takes
a look for a life, and a file is never seen before its lock is held.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from .._errors import CertfleetError
from . import model
from .model import Noted, Placed, Told

_LOCK = ".lock"
_RUN_FILE = re.compile(r"^\d{8}T\d{6}Z-[0-9a-f]{16}\.jsonl$")
_OPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
#: Seconds for the lock of the directory, which is held for moments only.
_PATIENCE = 15.0
_PAUSE = 0.02
#: Seconds after which an order of a dead run is of no use: Let's Encrypt, for one, lets orders expire after 7 days.
ORDER_LIFE = 7 * 86400.0


@dataclass
class RunFile:
    """The file of a run. alive: the run still holds its lock."""

    name: str
    told: Told
    alive: bool


class Folder:
    """The directory. create: make it, with mode 0700, when it is not there.

    Raises CertfleetError when it cannot be used, or when others could put something into it.
    """

    def __init__(self, path: str, *, create: bool) -> None:
        self.path = _absolute(path)
        self._fd = -1
        if create:
            self._make()
        with self._explained(self.path):
            self._fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            status = os.fstat(self._fd)
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or status.st_uid not in (0, os.geteuid()):
            os.close(self._fd)
            raise CertfleetError(
                f"others may write to the journal {self.path} (mode {stat.S_IMODE(status.st_mode):04o},"
                f" owner {status.st_uid}): what it says would not be to be trusted",
                remedy="Make it a directory of the user that runs the module, with mode 0700.",
            )

    def close(self) -> None:
        """Let go of the directory; what was locked in it stays so."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _make(self) -> None:
        with self._explained(self.path):
            try:
                os.mkdir(self.path, 0o700)
            except FileExistsError:
                return
            parent = os.open(os.path.dirname(self.path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(parent)
            finally:
                os.close(parent)

    # --- files

    @contextmanager
    def moment(self) -> Generator[list[RunFile], None, None]:
        """All runs' files, which nobody else looks at or begins until the end of this. Raises CertfleetError."""
        with self._locked(exclusive=True):
            yield [found for found, fd in self._each()]

    def begin(self, moment: str, content: bytes, *, locked: bool = False) -> tuple[int, str]:
        """Make the file of a run, locked and on the disk; its open descriptor and its name. moment: when the run began,
        as YYYYMMDDTHHMMSSZ; locked: the caller is within moment(). Raises CertfleetError."""
        name = f"{moment}-{secrets.token_hex(8)}.jsonl"
        with nullcontext() if locked else self._locked(exclusive=True), self._explained(self._in(name)):
            fd = os.open(name, _OPEN | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600, dir_fd=self._fd)
            try:
                if not self._try_lock(fd, fcntl.LOCK_EX):
                    raise CertfleetError(f"{self._in(name)}, just made, is locked by somebody else")
                append(fd, content)
                os.fsync(self._fd)
            except BaseException:
                os.unlink(name, dir_fd=self._fd)
                os.close(fd)
                raise
        return fd, name

    def remove(self, name: str) -> None:
        """Remove a run's file. Raises CertfleetError."""
        with self._explained(self._in(name)):
            os.unlink(name, dir_fd=self._fd)

    def files(self) -> list[RunFile]:
        """All runs' files, as they are at one moment. Raises CertfleetError."""
        with self._locked(exclusive=False) as begun:
            if not begun:
                return []
            return [found for found, fd in self._each()]

    def strike(self, values: Collection[Placed], orders: Collection[Noted] = (), *, locked: bool = False) -> None:
        """Note down in the files of dead runs that these values are gone and these orders settled, and remove those
        files that have no more. locked: the caller is within moment(). Raises CertfleetError."""
        wanted, done = set(values), set(orders)
        now = time.time()
        with nullcontext() if locked else self._locked(exclusive=True):
            for found, fd in self._each():
                told = found.told
                if found.alive or told.later:
                    continue
                struck, settled = wanted & told.values.keys(), done & told.orders.keys()
                useful = {order for order, at in told.orders.items() if now - at < ORDER_LIFE} - settled
                if not told.values.keys() - struck and not useful:
                    self.remove(found.name)
                elif struck or settled:
                    with self._explained(self._in(found.name)):
                        # Behind a torn line, which ends here.
                        append(fd, b"\n" + model.gone(struck, now) + (model.settled(settled, now) if settled else b""))

    def _each(self) -> Iterator[tuple[RunFile, int]]:
        with self._explained(self.path):
            names = sorted(name for name in os.listdir(self._fd) if _RUN_FILE.match(name))
        for name in names:
            with self._explained(self._in(name)):
                try:
                    fd = os.open(name, _OPEN | os.O_APPEND | os.O_NONBLOCK, dir_fd=self._fd)
                except FileNotFoundError:  # its run has just come to its end
                    continue
                try:
                    status = os.fstat(fd)
                    if not stat.S_ISREG(status.st_mode) or status.st_uid not in (0, os.geteuid()):
                        raise CertfleetError(
                            f"{self._in(name)} is not a file that this user has made", remedy="See who put it there."
                        )
                    alive = not self._try_lock(fd, fcntl.LOCK_SH)
                    yield RunFile(name, model.read(_content(fd)), alive), fd
                finally:
                    os.close(fd)

    # --- locks

    @contextmanager
    def _locked(self, *, exclusive: bool) -> Generator[bool, None, None]:
        """Hold the lock of the directory; False when there is none yet, so that there are no runs either."""
        fd = -1
        try:
            with self._explained(self._in(_LOCK)):
                try:
                    fd = os.open(_LOCK, _OPEN | (os.O_CREAT if exclusive else 0), 0o600, dir_fd=self._fd)
                except FileNotFoundError:
                    if exclusive:
                        raise
            if fd >= 0:
                self._wait_for_lock(fd, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
            yield fd >= 0
        finally:
            if fd >= 0:
                os.close(fd)

    def _wait_for_lock(self, fd: int, how: int) -> None:
        end = time.monotonic() + _PATIENCE
        while not self._try_lock(fd, how):
            if time.monotonic() > end:
                raise CertfleetError(
                    f"the journal {self.path} has been locked by another process for {_PATIENCE:g} s",
                    remedy="See which process holds its .lock, such as with fuser.",
                )
            time.sleep(_PAUSE)

    def _try_lock(self, fd: int, how: int) -> bool:
        try:
            fcntl.flock(fd, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise CertfleetError(
                f"the file system of the journal {self.path} has no locks: {os.strerror(error.errno or 0)}",
                remedy="Put it on one that has, such as a local one or NFS 4.",
            ) from error
        return True

    # --- small helpers

    def _in(self, name: str) -> str:
        return os.path.join(self.path, name)

    @contextmanager
    def _explained(self, path: str) -> Generator[None, None, None]:
        try:
            yield
        except OSError as error:
            raise explained(path, error) from error


def check(path: str) -> None:
    """Look whether a run could keep its journal there, and change nothing. Raises CertfleetError when not."""
    place = _absolute(path)
    if os.path.lexists(path):
        Folder(path, create=False).close()
    else:
        place = os.path.dirname(place)
    try:
        fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        finally:
            os.close(fd)
        if not os.access(place, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise explained(path, error) from error


def _absolute(path: str) -> str:
    if not os.path.isabs(path):
        raise CertfleetError(f"the journal {path} is not an absolute path")
    return os.path.normpath(path)


def explained(path: str, error: OSError) -> CertfleetError:
    """What the error means for the journal, and what helps."""
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return CertfleetError(
            f"the journal {path} is a link or not what should be there; it is not followed",
            remedy="Give a directory, or see who put that there.",
        )
    remedy = "Give a directory that this user may write to, below one that exists."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "Make room on its file system, or in this user's quota."
    return CertfleetError(f"the journal {path}: {os.strerror(error.errno or 0)}", remedy=remedy)


def append(fd: int, data: bytes) -> None:
    """Write all of it at the end of a file and onto the disk. Raises OSError."""
    while data:
        data = data[os.write(fd, data) :]
    os.fsync(fd)


def _content(fd: int) -> bytes:
    pieces: list[bytes] = []
    while True:
        piece = os.read(fd, 1 << 20)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
