# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A disk that is as small as a test wants, for a child process of the test alone."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS of unshare(2)
_PAGE = 4096


class Disk:
    """Where the test may write. real: a file system of this size; else no file may grow once the disk is full."""

    def __init__(self, path: Path, *, real: bool) -> None:
        self.path = path
        self.real = real
        self._filler = path / "filler"
        self.full = "No space left on device" if real else "File too large"

    def leave(self, pages: int) -> None:
        """So many pages of 4 KiB are left."""
        self.empty()
        if self.real:
            room = os.statvfs(self.path)
            with open(self._filler, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, (room.f_bavail - pages - 1) * room.f_frsize)
                while os.statvfs(self.path).f_bavail > pages:
                    file.seek(0, os.SEEK_END)
                    file.write(bytes(_PAGE))
                    file.flush()
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (pages * 256, resource.RLIM_INFINITY))

    def empty(self) -> None:
        """There is room again."""
        self._filler.unlink(missing_ok=True)
        if not self.real:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def on_small_disk(path: Path, kibibytes: int, work: Callable[[Disk], None], *, mounting: bool = True) -> None:
    """Run ``work`` in a child, with a file system of this size at ``path`` that only the child sees.

    Where mounting is not allowed, or not wanted, the size of files is limited instead. What fails in it fails here.
    """
    path.mkdir()
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: the child needs none of them
        child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            work(Disk(path, real=mounting and _mount(path, kibibytes)))
        except BaseException:  # noqa: BLE001 - told to the parent
            with suppress(OSError):
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            os.write(writer, traceback.format_exc().encode()[-60000:])
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8", errors="replace") as stream:
        failure = stream.read()
    os.waitpid(child, 0)
    assert not failure, failure


def _mount(path: Path, kibibytes: int) -> bool:
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_MOUNTS):
        return False
    private = subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, check=False)
    if private.returncode:
        return False
    options = f"size={kibibytes}k,mode=755"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], capture_output=True, check=False)
    return done.returncode == 0
