# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person sees: one line a step with how long it took, and all of a failing step's output."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.runner.paths import LOGS, ROOT, UNDER_CI

WIDTH = 66


class Missing(Exception):
    """Something that this machine lacks; the text names it and the command that installs it."""


class StepFailed(Exception):
    """A step did not succeed; its log says why."""


class Console:
    """Runs steps, remembers how they went and closes with a summary."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.skipped: list[str] = []
        self.passed = 0
        self.started = time.monotonic()

    def step(self, title: str, work: Callable[[Path], str | None]) -> bool:
        """Run ``work`` with the path of its log file. What it returns is shown after the duration. False: it failed."""
        LOGS.mkdir(parents=True, exist_ok=True)
        log = LOGS / (re.sub(r"[^a-z0-9.]+", "-", title.lower()).strip("-") + ".log")
        log.write_text("", encoding="utf-8")
        self._write(f"{title} {'.' * max(3, WIDTH - len(title))} ")
        started = time.monotonic()
        try:
            note = work(log)
        except (StepFailed, Missing) as error:
            self._write(f"FAILED {_seconds(started)}\n")
            output = log.read_text(encoding="utf-8", errors="replace").rstrip()
            if output:
                self._write(f"--- output of: {title}\n{output}\n--- end of output\n")
            self._write(f"    {error}\n")
            self.failed.append(title)
            return False
        self.passed += 1
        self._write(f"ok {_seconds(started)}{'  ' + note if note else ''}\n")
        return True

    def say(self, text: str = "") -> None:
        """Write a line."""
        self._write(text + "\n")

    def skip(self, title: str, why: str) -> None:
        """Say that a step cannot run here. An automated build (CI=true) counts it as a failure."""
        if UNDER_CI:
            self._write(f"{title}: cannot run: {why}; with CI=true that is a failure\n")
            self.failed.append(title)
        else:
            self._write(f"{title}: skipped: {why}\n")
            self.skipped.append(f"{title}: {why}")

    def close(self) -> int:
        """Print the summary; returns the exit code."""
        self.say()
        for entry in self.skipped:
            self.say(f"skipped: {entry}")
        for entry in self.failed:
            self.say(f"FAILED: {entry}")
        took = int(time.monotonic() - self.started)
        counts = f"{self.passed} steps ok, {len(self.failed)} failed, {len(self.skipped)} skipped"
        self.say(f"{counts} in {took // 60} min {took % 60} s")
        return 1 if self.failed else 0

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def _seconds(started: float) -> str:
    return f"{time.monotonic() - started:5.1f} s"


def call(
    log: Path,
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path = ROOT,
    timeout: float = 1200,
) -> str:
    """Run a command without input, its output appended to ``log``; returns that output.

    timeout: seconds, after which the command and what it started are ended. Raises StepFailed for a non-zero exit code.
    """
    words = [str(word) for word in argv]
    with log.open("a", encoding="utf-8") as stream:
        stream.write(f"$ {shlex.join(words)}\n")
        stream.flush()
        start = stream.tell()
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            raise StepFailed(f"no end after {timeout:.0f} s: {shlex.join(words)}") from None
        except BaseException:
            _end(process)
            raise
    with log.open(encoding="utf-8", errors="replace") as stream:
        stream.seek(start)
        output = stream.read()
    if code != 0:
        raise StepFailed(f"exit code {code}: {shlex.join(words)}")
    return output


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and its children; politely first, so that a lab can take its servers down."""
    for number, patience in ((signal.SIGINT, 20.0), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(patience)
            return
        except subprocess.TimeoutExpired:
            continue
