# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operator's own commands: no shell, bounded, their output told in one line when they fail."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from typing import IO

from .._errors import CertfleetError

#: Seconds after which a command is stopped.
COMMAND_TIMEOUT = 300.0
#: Where service programs are, which a user who is not root, and sudo at times, does not search.
_ADMIN_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_MAX_OUTPUT = 600


def search_path() -> str:
    """PATH, and after it where programs of administrators are."""
    parts = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join([*parts, *(folder for folder in _ADMIN_PATH if folder not in parts)])


def run_command(argv: Sequence[str], *, timeout: float | None = None) -> None:
    """Run a program and wait for it. Raises CertfleetError with its last output when it fails.

    timeout: seconds, COMMAND_TIMEOUT unless given.

    Its output goes to an unnamed file, not a pipe: a daemon that it leaves behind may keep that open for ever.
    """
    shown = shlex.join(argv)
    try:
        with tempfile.TemporaryFile() as output:
            _run(argv, shown, output, COMMAND_TIMEOUT if timeout is None else timeout)
    except OSError as error:
        raise CertfleetError(f"{shown}: {error.strerror}") from error


def _run(argv: Sequence[str], shown: str, output: IO[bytes], timeout: float) -> None:
    # AnsibleModule.run_command knows no deadline and waits for daemons that keep its pipes.
    process = subprocess.Popen(  # pylint: disable=ansible-bad-function
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd="/",
        env={**os.environ, "PATH": search_path()},
        start_new_session=True,
    )
    try:
        status = process.wait(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise CertfleetError(f"{shown} did not end within {timeout:.0f} s{_last(output)}") from None
    if status:
        how = f"was ended by signal {-status}" if status < 0 else f"failed with status {status}"
        raise CertfleetError(f"{shown} {how}{_last(output)}")


def _last(output: IO[bytes]) -> str:
    """The end of what it said, in one line."""
    size = os.fstat(output.fileno()).st_size
    text = os.pread(output.fileno(), _MAX_OUTPUT * 4, max(0, size - _MAX_OUTPUT * 4))
    line = " ".join(text.decode("utf-8", "replace").split())
    if not line:
        return ""
    return f": {line}" if len(line) <= _MAX_OUTPUT else f": ...{line[-_MAX_OUTPUT:]}"
