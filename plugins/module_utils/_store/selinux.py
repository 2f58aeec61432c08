# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SELinux contexts, as the file options of Ansible have them; nothing is done where SELinux is not enabled.

What is new gets the policy's default context for its path, and what is declared instead of parts of it. What is there
already keeps its context but for the parts that are declared; ``_default`` declares what the policy says. The context
is set on the open file while it is empty and has not got its name yet.

Whether SELinux is enabled, and what the policy says, is asked of libselinux by way of ansible.module_utils, as the
modules of ansible-core do. Contexts are written and read as the kernel has them: names that mcstransd gives to levels
are not known here. The tests set real attributes on real files, with a policy of their own in the place of libselinux;
that libselinux is asked rightly, and that a kernel with a policy takes the contexts, they cannot show.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cache
from typing import Any

from .._errors import CertfleetError

POLICYS_DEFAULT = "_default"
_ATTRIBUTE = "security.selinux"
#: Ansible's setting special_context_filesystems; its default until leave_alone() says what it is.
_special = ["fuse", "nfs", "vboxsf", "ramfs", "9p", "vfat"]


@dataclass(frozen=True)
class Context:
    """The declared parts of a context: None for one that is not, POLICYS_DEFAULT for what the policy says."""

    user: str | None = None
    role: str | None = None
    type: str | None = None
    level: str | None = None

    def __bool__(self) -> bool:
        return any(astuple(self))


class Policy:
    """What is in force on this host. library: is asked by matchpathcon(). levels: whether contexts have a fourth part
    (MLS or MCS). special: types of file systems that have one context for all, which is left alone."""

    def __init__(self, library: Any, *, levels: bool, special: Sequence[str]) -> None:
        self._library = library
        self._count = 4 if levels else 3
        self._special = tuple(special)
        self._types: dict[str, str] | None = None
        self._lock = threading.Lock()

    def apply(self, fd: int, path: str, context: Context, *, fresh: bool, dry: bool = False, link: str = "") -> bool:
        """Give an open file or directory its context; True when it had another one. path: which the policy knows it by.

        fresh: it is new. dry: only tell. link: a symbolic link of that name in the open directory is meant instead.
        Raises CertfleetError.
        """
        if self._is_special(os.fstat(fd).st_dev):
            return False
        current = self._current(fd, link)
        wanted = self._wanted(fd, path, context, current, fresh=fresh, link=link)
        if wanted is None or wanted == current:
            return False
        if not dry:
            self._set(fd, path, ":".join(wanted), link, declared=bool(context))
        return True

    def _current(self, fd: int, link: str) -> list[str]:
        try:
            if link:
                value = os.getxattr(_in(fd, link), _ATTRIBUTE, follow_symlinks=False)
            else:
                value = os.getxattr(fd, _ATTRIBUTE)
        except OSError as error:
            if error.errno in {errno.ENODATA, errno.ENOTSUP}:
                return []
            raise
        return self._parts(value.rstrip(b"\0").decode("utf-8", "replace"))

    def _parts(self, context: str) -> list[str]:
        """A level has colons of its own."""
        return context.split(":", self._count - 1)

    def _wanted(
        self, fd: int, path: str, context: Context, current: list[str], *, fresh: bool, link: str
    ) -> list[str] | None:
        """None when nothing is known to be wanted."""
        declared = astuple(context)[: self._count]
        default: list[str] = []
        if fresh or not current or POLICYS_DEFAULT in declared:
            default = self._default(path, stat.S_IFLNK if link else os.fstat(fd).st_mode)
        wanted: list[str] = []
        for number, part in enumerate(declared):
            if part is not None and part != POLICYS_DEFAULT:
                wanted.append(part)
                continue
            first, second = (default, current) if fresh or part else (current, default)
            known = [parts[number] for parts in (first, second) if len(parts) > number]
            if not known:
                if not context:
                    return None
                raise CertfleetError(
                    f"{path} has no SELinux context yet, and the policy has none for it",
                    remedy="Declare all of seuser, serole, setype and selevel.",
                )
            wanted.append(known[0])
        return wanted

    def _default(self, path: str, mode: int) -> list[str]:
        """Empty when the policy says nothing of the path."""
        try:
            with self._lock:
                code, context = self._library.matchpathcon(path, mode)
        except OSError:
            return []
        return [] if code or not context else self._parts(context)

    def _set(self, fd: int, path: str, context: str, link: str, *, declared: bool) -> None:
        value = context.encode("utf-8") + b"\0"
        try:
            if link:
                os.setxattr(_in(fd, link), _ATTRIBUTE, value, follow_symlinks=False)
            else:
                os.setxattr(fd, _ATTRIBUTE, value)
        except OSError as error:
            if error.errno == errno.ENOTSUP and not declared:
                return
            raise CertfleetError(
                f"{path} cannot get the SELinux context {context}: {os.strerror(error.errno or 0)}",
                remedy="See whether the policy knows it, and whether this user may set it on this file system.",
            ) from error

    def _is_special(self, device: int) -> bool:
        """A part of the name suffices, as in Ansible: "nfs" is for nfs4 too."""
        if self._types is None:
            self._types = _file_systems()
        name = self._types.get(f"{os.major(device)}:{os.minor(device)}", "")
        return any(special in name for special in self._special)


def leave_alone(file_systems: Sequence[str] | None) -> None:
    """Take over Ansible's setting special_context_filesystems; None changes nothing. Call it before the rest."""
    if file_systems is not None:
        _special[:] = file_systems
        policy.cache_clear()


def apply(fd: int, path: str, context: Context, *, fresh: bool, dry: bool = False, link: str = "") -> bool:
    """As Policy.apply(); nothing, and False, where SELinux is not enabled."""
    if not fresh and not context:
        return False
    found = policy()
    return found is not None and found.apply(fd, path, context, fresh=fresh, dry=dry, link=link)


@cache
def policy() -> Policy | None:
    """What is in force on this host; None where SELinux is not enabled."""
    try:
        from ansible.module_utils.compat import selinux as library
    except ImportError:  # no libselinux
        return None
    if library.is_selinux_enabled() != 1:
        return None
    return Policy(library, levels=library.is_selinux_mls_enabled() == 1, special=_special)


def _file_systems() -> dict[str, str]:
    """Device number to type of file system; proc(5) has the format."""
    found: dict[str, str] = {}
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            before, _separator, after = line.partition(" - ")
            if after:
                found[before.split()[2]] = after.split()[0]
    return found


def _in(fd: int, name: str) -> str:
    """No system call takes an attribute of a link by directory and name."""
    return f"/proc/self/fd/{fd}/{name}"
