# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to a directory: each one on it is looked at, from the root down, and held open while the next is opened.

Whoever can write to a directory can put another one, or a link, in the place of what is in it. So a way is refused that
leads through a directory which someone else could write to. Links on it are followed when root or the user of the
process made them, and where they lead is looked at in the same way.
"""

from __future__ import annotations

import grp
import os
import stat
from contextlib import suppress

from .._errors import CertfleetError
from .files import OPEN_DIRECTORY, Folder, Ownership, Step, explained, no_step

#: Search permission suffices for a directory that is only passed through.
_PASS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_LINKS = 40
_MODE = 0o755
_ELSEWHERE = "choose a place that only root can write to"


def open_directory(path: str, ownership: Ownership, *, step: Step = no_step) -> Folder:
    """The directory ``path`` outside of the store, to write files in it that get this ownership.

    It and all above it must belong to root, the user of the process or the declared owner, and nobody else may write
    to them: no other user, no group but root's and the process's own. Above it, directories like /tmp are fine, where
    each may only remove what is his (sticky). Raises CertfleetError when it is missing or not safe.
    """
    path = _absolute(path, "the path")
    fd, above = _descend(path, make=False, follow_last=True, step=step)
    if fd is None:
        raise CertfleetError(f"there is no directory {path}", remedy="Make it, or name another path.")
    try:
        _judge(os.fstat(fd), fd, path, above, sticky_helps=False)
        refuse_owners(above, ownership)
        with explained(path):
            opened = os.open(".", OPEN_DIRECTORY, dir_fd=fd)
    finally:
        os.close(fd)
    return Folder(opened, path, ownership, step)


def open_store(
    path: str, *, create: bool, step: Step = no_step, trusting: bool = False
) -> tuple[Folder | None, dict[int, str]]:
    """The store's own directory, and the owners of directories above it who are neither root nor this user: user
    number to path. See refuse_owners() for them.

    The folder is None when it is not there and ``create`` is false. Raises CertfleetError. trusting: read only,
    whoever could write there.
    """
    path = _absolute(path, "store_path")
    if trusting:
        with explained(path):
            try:
                return Folder(os.open(path, OPEN_DIRECTORY), path, Ownership(), step, trusting=True), {}
            except FileNotFoundError:
                return None, {}
    fd, above = _descend(path, make=create, follow_last=False, step=step)
    if fd is None:
        return None, above
    try:
        with explained(path):
            opened = os.open(".", OPEN_DIRECTORY, dir_fd=fd)
    finally:
        os.close(fd)
    folder = Folder(opened, path, Ownership(), step)
    folder.refuse_foreign()
    return folder, above


def refuse_owners(above: dict[int, str], ownership: Ownership) -> None:
    """Raises CertfleetError when a directory above belongs to someone who is not the declared owner."""
    for uid, path in above.items():
        if uid != ownership.uid:
            raise CertfleetError(
                f"{path} belongs to another user (uid {uid}), who could put anything in the place of what is in it",
                remedy=f"Give it to root, declare that user as owner, or {_ELSEWHERE}.",
            )


def _absolute(path: str, what: str) -> str:
    if not os.path.isabs(path):
        raise CertfleetError(f"{what} {path!r} is not an absolute path")
    # Two slashes at the beginning would stay.
    return "/" + os.path.normpath(path).lstrip("/")


def _descend(path: str, *, make: bool, follow_last: bool, step: Step) -> tuple[int | None, dict[int, str]]:
    """A descriptor of the directory, itself not judged, and the foreign owners of those above it; None for a directory
    that is missing and not to be made."""
    above: dict[int, str] = {}
    rest = _parts(path)
    links = 0
    here, fd = "/", os.open("/", _PASS)
    try:
        while rest:
            _judge(os.fstat(fd), fd, here, above)
            name = rest.pop()
            there = os.path.normpath(os.path.join(here, name))
            with explained(there):
                status = _status(name, fd)
                if status is None:
                    if not make:
                        os.close(fd)
                        return None, above
                    step(f"make the directory {there}")
                    _make(name, fd)
                elif stat.S_ISLNK(status.st_mode) and (rest or follow_last):
                    links += 1
                    target = _link(name, fd, there, status.st_uid, links)
                    rest += _parts(target)
                    if os.path.isabs(target):
                        here, fd = "/", _replaced(fd, os.open("/", _PASS))
                    continue
                here, fd = there, _replaced(fd, os.open(name, _PASS, dir_fd=fd))
    except BaseException:
        os.close(fd)
        raise
    return fd, above


def _parts(path: str) -> list[str]:
    """The names of a path, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in {"", "."}]


def _status(name: str, fd: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _replaced(old: int, new: int) -> int:
    os.close(old)
    return new


def _make(name: str, fd: int) -> None:
    """The mode is the final one from the beginning, whatever the umask: a run may end after any system call.

    The umask belongs to the whole process, so this is done before there are threads.
    """
    mask = os.umask(0o777 & ~_MODE)
    try:
        with suppress(FileExistsError):
            os.mkdir(name, _MODE, dir_fd=fd)
    finally:
        os.umask(mask)


def _link(name: str, fd: int, path: str, uid: int, links: int) -> str:
    """Where a link on the way leads. Nobody but its owner can replace it: the directory that it is in was judged."""
    if uid not in {0, os.geteuid()}:
        raise CertfleetError(
            f"{path} is a link that another user (uid {uid}) has made; it is not followed",
            remedy=f"See where it leads, then let root make it, or {_ELSEWHERE}.",
        )
    if links > _MAX_LINKS:
        raise CertfleetError(f"{path} is one of too many links that lead to each other")
    return os.readlink(name, dir_fd=fd)


def _judge(status: os.stat_result, fd: int, path: str, above: dict[int, str], *, sticky_helps: bool = True) -> None:
    """Raises CertfleetError when others may write to the directory; notes down an owner who is not the usual one."""
    if status.st_uid not in {0, os.geteuid()}:
        above.setdefault(status.st_uid, path)
    mode = stat.S_IMODE(status.st_mode)
    if mode & stat.S_ISVTX and sticky_helps:
        return
    if mode & stat.S_IWOTH:
        _refuse(path, mode, "every user", "o-w")
    if mode & stat.S_IWGRP:
        if status.st_gid not in {0, os.getegid()}:
            _refuse(path, mode, f"the group {_group_name(status.st_gid)}", "g-w")
        if _has_acl(fd):
            _refuse(path, mode, "those in its access control list", "g-w")


def _refuse(path: str, mode: int, who: str, change: str) -> None:
    raise CertfleetError(
        f"{path} can be written by {who} (mode {mode:04o}), who could put anything in the place of what is in it",
        remedy=f"Look into it, then: chmod {change} {path}; or {_ELSEWHERE}.",
    )


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _has_acl(fd: int) -> bool:
    """With an access control list, the group's bits are the most that anyone named in it may do."""
    try:
        return bool(os.getxattr(f"/proc/self/fd/{fd}", "system.posix_acl_access"))
    except (OSError, AttributeError):
        return False
