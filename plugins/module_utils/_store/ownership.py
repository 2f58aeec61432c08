# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may read what lies in the store: owner, group, mode and SELinux context, given to open files and directories."""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from dataclasses import dataclass, field, replace

from .._errors import CertfleetError
from . import selinux

#: Read and write for the owner, read for the group: no private key needs more.
_MOST = 0o640


@dataclass(frozen=True)
class Ownership:
    """uid, gid: to set; None leaves what there is, but for files of strangers. With a group, directories and keys are
    open to it. mode: of files that hold a private key, instead of what follows from the group. context: SELinux."""

    uid: int | None = None
    gid: int | None = None
    mode: int | None = None
    context: selinux.Context = field(default_factory=selinux.Context)

    @property
    def directory_mode(self) -> int:
        """Open to the group when anything in the directory is meant for it."""
        return 0o700 if self.gid is None and not (self.mode or 0) & stat.S_IRGRP else 0o750

    def file_mode(self, *, secret: bool) -> int:
        """secret: the file holds a private key."""
        if not secret:
            return 0o644
        if self.mode is not None:
            return self.mode
        return 0o600 if self.gid is None else 0o640

    def private(self) -> Ownership:
        """For what no service reads: the declared owner and group get no access."""
        return replace(self, uid=None, gid=None, mode=None)

    @classmethod
    def of(
        cls,
        owner: str | None,
        group: str | None,
        mode: int | None = None,
        context: selinux.Context | None = None,
    ) -> Ownership:
        """From names or numbers in text form. Raises CertfleetError for one that the host does not know."""
        return cls(_uid(owner), _gid(group), mode, context or selinux.Context())

    def settled(self, fd: int, mode: int) -> bool:
        """Whether an open file or directory has the owner and group, and this mode; see context for the rest."""
        status = os.fstat(fd)
        return stat.S_IMODE(status.st_mode) == mode and self._ids(status, mode) == (status.st_uid, status.st_gid)

    def settle(self, fd: int, mode: int) -> None:
        """Owner and group first: chown clears nothing that chmod set, and no group reads before it is the right one."""
        status = os.fstat(fd)
        ids = self._ids(status, mode)
        if ids != (status.st_uid, status.st_gid):
            os.fchown(fd, *ids)
        if stat.S_IMODE(status.st_mode) != mode:
            os.fchmod(fd, mode)

    def _ids(self, status: os.stat_result, mode: int) -> tuple[int, int]:
        """A group that nobody declared, say that of a setgid directory, is never let in: what is opened to a group only
        now is opened to the process's own. What a group may read already stays as it is."""
        uid, gid = self.uid, self.gid
        if gid is None:
            lets_in = mode & stat.S_IRGRP and not mode & stat.S_IROTH and not status.st_mode & stat.S_IRGRP
            gid = os.getegid() if lets_in else status.st_gid
        if uid is None:
            uid = status.st_uid if status.st_uid in {0, os.geteuid()} else os.geteuid()
        return uid, gid


def key_mode(text: str | None, name: str) -> int | None:
    """The option ``mode`` of the certificate of that name; None when it is not given. Raises CertfleetError."""
    if not text:
        return None
    remedy = 'Give one of "0600", "0640", "0400" and "0440", with the quotes: without them, YAML makes a number of it.'
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise CertfleetError(f"mode of {name} is {text!r}, which is no octal mode", remedy=remedy)
    mode = int(text, 8)
    too_much = [
        what
        for what, bits in (
            ("others rights", stat.S_IRWXO),
            ("the group the right to write", stat.S_IWGRP),
            ("the right to execute", stat.S_IXUSR | stat.S_IXGRP),
        )
        if mode & bits
    ]
    if too_much:
        raise CertfleetError(f"mode of {name} is {text}, which gives {' and '.join(too_much)}", remedy=remedy)
    if not mode & stat.S_IRUSR or mode & ~_MOST:
        raise CertfleetError(f"mode of {name} is {text}, by which its owner cannot read it", remedy=remedy)
    return mode


def _uid(owner: str | None) -> int | None:
    if not owner:
        return None
    try:
        return int(owner) if owner.isdigit() else pwd.getpwnam(owner).pw_uid
    except KeyError as error:
        raise CertfleetError(f"there is no user {owner!r} here", remedy="Create it, or change owner.") from error


def _gid(group: str | None) -> int | None:
    if not group:
        return None
    try:
        return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise CertfleetError(f"there is no group {group!r} here", remedy="Create it, or change group.") from error
