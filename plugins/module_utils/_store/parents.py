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
from dataclasses import dataclass, field

from .._errors import CertfleetError
from . import selinux
from .files import OPEN_DIRECTORY, Folder, Ownership, Step, explained, no_step

#: Search permission suffices for a directory that is only passed through.
_PASS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_LINKS = 40
_MODE = 0o755
_ELSEWHERE = "choose a place that only root can write to"


@dataclass
class _Way:
    """fd: of the directory that was reached; None when it is not there. place: its path without links. above: of the
    directories on the way that belong to neither root nor this user, owner to path."""

    fd: int | None = None
    place: str = "/"
    above: dict[int, str] = field(default_factory=dict)

    def go(self, fd: int, place: str) -> None:
        self.close()
        self.fd, self.place = fd, place

    def close(self) -> None:
        if self.fd is not None:
            os.close(self.fd)
        self.fd = None

    def folder(self, path: str, ownership: Ownership, step: Step) -> Folder:
        """For reading what is in it too. Closes this."""
        try:
            with explained(path):
                fd = os.open(".", OPEN_DIRECTORY, dir_fd=self.fd)
        finally:
            self.close()
        return Folder(fd, path, ownership, step, place=self.place)


def open_directory(path: str, ownership: Ownership, *, step: Step = no_step) -> Folder:
    """The directory ``path`` outside of the store, to write files in it that get this ownership.

    It and all above it must belong to root, the user of the process or the declared owner, and nobody else may write
    to them: no other user, no group but root's and the process's own. Above it, directories like /tmp are fine, where
    each may only remove what is his (sticky). Raises CertfleetError when it is missing or not safe.
    """
    path = _absolute(path, "the path")
    way = _descend(path, make=False, follow_last=True, step=step)
    if way.fd is None:
        raise CertfleetError(f"there is no directory {path}", remedy="Make it, or name another path.")
    try:
        _judge(way, sticky_helps=False)
        refuse_owners(way.above, ownership)
    except BaseException:
        way.close()
        raise
    return way.folder(path, ownership, step)


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
    way = _descend(path, make=create, follow_last=False, step=step)
    if way.fd is None:
        return None, way.above
    folder = way.folder(path, Ownership(), step)
    folder.refuse_foreign()
    return folder, way.above


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


def _descend(path: str, *, make: bool, follow_last: bool, step: Step) -> _Way:
    """The way to the directory, which is not judged itself. make: the directories that are missing."""
    way = _Way(os.open("/", _PASS))
    rest = _parts(path)
    links = 0
    try:
        while rest:
            _judge(way)
            name = rest.pop()
            there = os.path.normpath(os.path.join(way.place, name))
            with explained(there):
                status = _status(name, way)
                if status is None:
                    if not make:
                        way.close()
                        return way
                    step(f"make the directory {there}")
                    _make(name, there, way)
                elif stat.S_ISLNK(status.st_mode) and (rest or follow_last):
                    links += 1
                    target = _link(name, there, way, status.st_uid, links)
                    rest += _parts(target)
                    if os.path.isabs(target):
                        way.go(os.open("/", _PASS), "/")
                    continue
                elif rest and not stat.S_ISDIR(status.st_mode):
                    raise CertfleetError(f"{there} is no directory, so there can be none below it")
                way.go(os.open(name, _PASS, dir_fd=way.fd), there)
    except BaseException:
        way.close()
        raise
    return way


def _parts(path: str) -> list[str]:
    """The names of a path, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in {"", "."}]


def _status(name: str, way: _Way) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=way.fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _make(name: str, there: str, way: _Way) -> None:
    """The mode is the final one from the beginning, whatever the umask: a run may end after any system call.

    The umask belongs to the whole process, so this is done before there are threads.
    """
    mask = os.umask(0o777 & ~_MODE)
    try:
        os.mkdir(name, _MODE, dir_fd=way.fd)
    except FileExistsError:  # another run was quicker
        return
    finally:
        os.umask(mask)
    if selinux.policy() is not None:
        with Folder(os.open(name, OPEN_DIRECTORY, dir_fd=way.fd), there, Ownership(), no_step) as folder:
            selinux.apply(folder.fd, there, selinux.Context(), fresh=True)


def _link(name: str, there: str, way: _Way, uid: int, links: int) -> str:
    """Where a link on the way leads. Nobody but its owner can replace it: the directory that it is in was judged."""
    if uid not in {0, os.geteuid()}:
        raise CertfleetError(
            f"{there} is a link that another user (uid {uid}) has made; it is not followed",
            remedy=f"See where it leads, then let root make it, or {_ELSEWHERE}.",
        )
    if links > _MAX_LINKS:
        raise CertfleetError(f"{there} is one of too many links that lead to each other")
    return os.readlink(name, dir_fd=way.fd)


def _judge(way: _Way, *, sticky_helps: bool = True) -> None:
    """Raises CertfleetError when others may write to the directory; notes down an owner who is not the usual one."""
    if way.fd is None:
        return
    status = os.fstat(way.fd)
    if status.st_uid not in {0, os.geteuid()}:
        way.above.setdefault(status.st_uid, way.place)
    mode = stat.S_IMODE(status.st_mode)
    if mode & stat.S_ISVTX and sticky_helps:
        return
    if mode & stat.S_IWOTH:
        _refuse(way.place, mode, "every user", "o-w")
    if mode & stat.S_IWGRP:
        if status.st_gid not in {0, os.getegid()}:
            _refuse(way.place, mode, f"the group {_group_name(status.st_gid)}", "g-w")
        if _has_acl(way.fd):
            _refuse(way.place, mode, "those in its access control list", "g-w")


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
