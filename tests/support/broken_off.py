# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work that ends at one of its steps: killed there, or on a full disk."""

from __future__ import annotations

import errno
import os
import signal
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError

Step = Callable[[str], None]


def killed_at(number: int, work: Callable[[Step], Any]) -> bool:
    """Run ``work`` in a child that dies by SIGKILL at the step of that number; False when it ended before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: this child starts none
        child = os.fork()
    if child == 0:
        count = 0

        def step(_name: str) -> None:
            nonlocal count
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1

        try:
            work(step)
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def full_at(number: int, work: Callable[[Step], Any]) -> bool:
    """Run ``work`` on a disk that is full at the step of that number; False when it ended before."""
    count = 0

    def step(_name: str) -> None:
        nonlocal count
        count += 1
        if count == number + 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with suppress(CertfleetError):
        work(step)
    return count > number
