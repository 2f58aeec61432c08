# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that hold an account key: each appears whole and synced or not at all, and none is replaced unseen."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from .._errors import CertfleetError

#: What is added to the name of an account key's file for the key that is to follow it.
ROLLOVER = ".rollover"
#: Read and write for the owner and the group at most, of what the file that is followed had.
_MODE = 0o660


def write_new(path: str, data: bytes, *, like: str | None = None) -> bool:
    """Write a file that is not there yet, mode 0600; False, and nothing done, when something stands at the path.

    like: a file whose owner, group and mode (what others may do left out) the new one takes, as far as this user may
    give them. The file and its folder are synced. Raises OSError.
    """
    folder = os.path.dirname(os.path.abspath(path))
    beside = os.path.join(folder, f".{os.path.basename(path)}.{secrets.token_hex(4)}")
    try:
        _write_synced(beside, data, os.stat(like) if like else None)
        try:
            os.link(beside, path)  # unlike a rename, a link fails when somebody else was faster
        except FileExistsError:
            return False
    finally:
        if os.path.lexists(beside):
            os.unlink(beside)
    sync_folder(folder)
    return True


def put_in_place(new: str, path: str) -> None:
    """Make the file ``new`` the one at ``path`` in one step, and sync that. Raises OSError."""
    os.replace(new, path)
    sync_folder(os.path.dirname(os.path.abspath(path)))


def sweep(path: str) -> None:
    """Remove what write_new() of this path left when it was killed. Raises OSError."""
    folder, name = os.path.split(os.path.abspath(path))
    left = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{8}}")
    for entry in os.listdir(folder):
        if left.fullmatch(entry):
            os.unlink(os.path.join(folder, entry))


def sync_folder(folder: str) -> None:
    """Make what was done to a folder's entries last. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked_folder(path: str) -> Iterator[None]:
    """Be the only one on this machine who changes an account's key in the file's folder.

    The lock ends with the process. On a file system without locks it goes on without. Raises CertfleetError when
    another process is at it.
    """
    folder = os.path.dirname(os.path.abspath(path))
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise CertfleetError(f"the folder {folder} cannot be opened: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CertfleetError(
                f"another process is changing an account key in {folder}", remedy="Try again when it is done."
            ) from error
        except OSError:
            pass
        yield
    finally:
        os.close(descriptor)


def _write_synced(path: str, data: bytes, like: os.stat_result | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        if like is not None:
            _liken(stream.fileno(), like)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _liken(descriptor: int, like: os.stat_result) -> None:
    own = os.fstat(descriptor)
    if (own.st_uid, own.st_gid) != (like.st_uid, like.st_gid):
        try:
            os.fchown(descriptor, like.st_uid, like.st_gid)
        except PermissionError:
            return
    os.fchmod(descriptor, 0o600 | (like.st_mode & _MODE))
