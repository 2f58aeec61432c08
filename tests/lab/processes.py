# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting, watching and ending the lab's processes, and none but those.

Each process leads a session of its own, and a file records its process id with the time the kernel started
it: a process id that was given to somebody else in the meantime is never touched.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError
from .state import State, read_json, write_json

KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "USER", "LOGNAME")
MAIN = Path(__file__).resolve().with_name("__main__.py")
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Member:
    """A process as the kernel shows it: started is in clock ticks since boot."""

    pid: int
    session: int
    started: int
    zombie: bool


def _look(pid: int) -> Member | None:
    """Read /proc/PID/stat (proc(5): fields 3, 6 and 22), None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, ValueError):
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return Member(pid=pid, session=int(fields[3]), started=int(fields[19]), zombie=fields[0] in "ZX")


def _reap(pid: int) -> None:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]


def _session_members(leader: int, started: int) -> list[Member]:
    """The living processes of a session that the lab opened, the leader included."""
    _reap(leader)
    now = _look(leader)
    if now is not None and now.started != started:
        return []
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            member = _look(int(entry))
            if member and member.session == leader and member.started >= started and not member.zombie:
                found.append(member)
    return found


def clean_environment(state: State, extra: dict[str, str] | None = None) -> dict[str, str]:
    """The environment of a server: nothing of the shell's proxies, CA bundles, AWS or Python settings."""
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    kept.update({"TMPDIR": str(state.root / "tmp"), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"})
    kept.update(extra or {})
    return kept


def own_command(*arguments: str) -> list[str]:
    """The argv that runs this package in a process of its own, by path."""
    return [sys.executable, "-P", str(MAIN), *arguments]


def start(state: State, name: str, argv: Sequence[str], environment: dict[str, str] | None = None) -> int:
    """Start a server in the background, its output in its log, and record it.

    :returns: the process id.
    :raises LabError: when the program cannot be started.
    """
    with open(state.log(name), "ab") as log:
        try:
            child = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=state.root,
                env=clean_environment(state, environment),
                start_new_session=True,
            )
        except OSError as error:
            raise LabError(f"cannot start {name} ({argv[0]}): {error}") from error
    _children[child.pid] = child
    seen = _look(child.pid)
    write_json(state.root / "run" / f"{name}.json", {"pid": child.pid, "started": seen.started if seen else 0})
    return child.pid


def names(state: State) -> list[str]:
    """Every process recorded in this lab."""
    return sorted(path.stem for path in (state.root / "run").glob("*.json") if not path.name.startswith("."))


def record(state: State, name: str) -> tuple[int, int] | None:
    """The process id and start time recorded under a name."""
    path = state.root / "run" / f"{name}.json"
    if not path.is_file():
        return None
    value = read_json(path)
    return int(value["pid"]), int(value["started"])


def alive(state: State, name: str) -> bool:
    """Whether the process recorded under this name still runs."""
    known = record(state, name)
    if known is None:
        return False
    _reap(known[0])
    now = _look(known[0])
    return now is not None and now.started == known[1] and not now.zombie


def send(state: State, name: str, number: signal.Signals) -> None:
    """Send a signal to the process recorded under a name, if it still runs."""
    known = record(state, name)
    if known is not None and alive(state, name):
        os.kill(known[0], number)


def stop(state: State, which: Sequence[str], patience: float = 5.0) -> None:
    """End processes with all their children: asked first, forced when their patience (s) is over.

    :raises LabError: when one cannot be ended.
    """
    sessions = {name: known for name in which if (known := record(state, name)) is not None}
    for name in sessions:
        send(state, name, signal.SIGTERM)
    forced = time.monotonic() + patience
    given_up = forced + patience
    while True:
        left = {name: members for name, known in sessions.items() if (members := _session_members(*known))}
        if not left:
            break
        now = time.monotonic()
        if now > given_up:
            raise LabError("cannot end " + ", ".join(f"{name} (pid {left[name][0].pid})" for name in left))
        for name, members in left.items():
            leader_gone = all(member.pid != sessions[name][0] for member in members)
            if now > forced or leader_gone:
                for member in members:
                    try:
                        os.kill(member.pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
        time.sleep(0.02)
    for name in which:
        (state.root / "run" / f"{name}.json").unlink(missing_ok=True)


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, indented, for an error message."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    except OSError:
        text = []
    return "\n".join(f"    {line}" for line in text) or "    (it wrote nothing)"


def wait_ready(state: State, name: str, ready: Callable[[], bool], timeout: float = 30.0) -> None:
    """Poll a server until it answers.

    :param ready: True once it does; OSError from it counts as not yet.
    :param timeout: in seconds.
    :raises LabError: when it ended or stayed silent; the end of its log is in the message.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            if ready():
                return
        except OSError:
            pass
        if not alive(state, name):
            raise LabError(f"{name} ended while it started; the end of its log:\n{tail(state.log(name))}")
        if time.monotonic() > deadline:
            raise LabError(f"{name} did not answer in {timeout:.0f} s; the end of its log:\n{tail(state.log(name))}")
        time.sleep(0.03)
