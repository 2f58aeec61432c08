# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running playbooks as an operator does, and reading what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
#: An Ansible configuration of the tests' own: nothing of the user's applies.
_SETTINGS = {
    "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
    "ANSIBLE_CALLBACKS_ENABLED": "record",
    "ANSIBLE_CONFIG": str(HERE / "ansible.cfg"),
    "ANSIBLE_DEPRECATION_WARNINGS": "false",
    "ANSIBLE_FORKS": "8",
    "ANSIBLE_HOST_KEY_CHECKING": "false",
    "ANSIBLE_LOCALHOST_WARNING": "false",
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_RETRY_FILES_ENABLED": "false",
}


@dataclass
class Run:
    """What a playbook did. tasks: a row for each host and task, see the callback record."""

    returncode: int
    output: str
    tasks: list[dict[str, Any]] = field(default_factory=list)

    def of(self, action: str, host: str | None = None) -> list[dict[str, Any]]:
        """The rows of an action of this collection, by its short name."""
        return [
            row for row in self.tasks if row["action"] == f"certfleet.acme.{action}" and host in (None, row["host"])
        ]

    @property
    def changed(self) -> list[str]:
        """Tasks that reported a change, as ``host: task``."""
        return [f"{row['host']}: {row['task']}" for row in self.tasks if row["result"].get("changed")]

    @property
    def failed(self) -> dict[str, str]:
        """Hosts that failed or were unreachable, and why."""
        return {
            row["host"]: str(row["result"].get("msg"))
            for row in self.tasks
            if row["outcome"] in ("failed", "unreachable")
        }

    @property
    def module_calls(self) -> list[str]:
        """``host: module`` for each row that a module process was run for."""
        quiet = {"fleet_report", "fail", "debug", "group_by", "set_fact", "set_stats", "validate_argument_spec"}
        return [
            f"{row['host']}: {row['action'].rsplit('.', 1)[-1]}"
            for row in self.tasks
            if row["outcome"] != "skipped" and row["action"].rsplit(".", 1)[-1] not in quiet
        ]

    @property
    def report(self) -> list[str]:
        """The lines of the run's report."""
        rows = [row for row in self.of("fleet_report") if row["outcome"] == "ok"]
        return list(rows[-1]["result"]["lines"]) if rows else []


def playbook(
    name: str | Path,
    inventory: str | Path,
    work: Path,
    *,
    arguments: Sequence[str] = (),
    variables: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    expect: int | None = 0,
    programs: Path | None = None,
) -> Run:
    """Run ``ansible-playbook NAME`` with the interpreter of the tests.

    work: a folder for the run's own files. variables: extra variables. expect: the exit code that it must have, None
    for any. programs: the folder of another Ansible's commands. Raises AssertionError with the whole output when the
    exit code is another.
    """
    work.mkdir(parents=True, exist_ok=True)
    record = work / "record.jsonl"
    record.unlink(missing_ok=True)
    programs = programs or Path(sys.executable).parent
    command = [str(programs / "ansible-playbook"), str(name), "-i", str(inventory), *arguments]
    if variables:
        extra = work / "extra.json"
        extra.write_text(json.dumps(dict(variables)), encoding="utf-8")
        command += ["-e", f"@{extra}"]
    env = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "GCP_", "GOOGLE_"))}
    folders = {
        "ANSIBLE_HOME": str(work / "home"),
        "ANSIBLE_LOCAL_TEMP": str(work / "local-tmp"),
        "ANSIBLE_REMOTE_TEMP": str(work / "remote-tmp"),
        "CERTFLEET_RECORD": str(record),
    }
    answer = subprocess.run(
        command,
        env={**env, **_SETTINGS, **folders, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    rows = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()] if record.exists() else []
    run = Run(answer.returncode, answer.stdout, rows)
    assert expect is None or run.returncode == expect, run.output
    return run
