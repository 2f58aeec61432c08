# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running a module and reading what it printed."""

from __future__ import annotations

import importlib
import io
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from ansible.module_utils.testing import patch_module_args


@dataclass
class Answer:
    """What the module printed."""

    returncode: int
    result: dict[str, Any]
    output: str

    def record(self, name: str) -> dict[str, Any]:
        """The result of one record."""
        return next(entry for entry in self.result["records"] if entry["record"] == name)


def run(
    module: str,
    arguments: Mapping[str, Any],
    folder: Path,
    environment: Mapping[str, str] | None,
    *,
    foreign: tuple[str, ...],
    fixed: Mapping[str, str],
) -> Answer:
    """Run a module by its full name, with nothing of the user's settings.

    environment: variables of the test, for which the module runs as Ansible runs it, in a process of its own and with
    its options in a file; None: here, since loading a cloud's library is most of what a process costs.
    foreign: beginnings of the variables that do not reach it; fixed: those that it always has.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    kept.update({"HOME": str(folder), **fixed, **(environment or {})})
    if environment is None:
        output = io.StringIO()
        with (
            mock.patch.dict(os.environ, kept, clear=True),
            patch_module_args(dict(arguments)),
            redirect_stdout(output),
            redirect_stderr(output),
            pytest.raises(SystemExit) as end,
        ):
            importlib.import_module(module).main()
        return _answer(int(end.value.code or 0), output.getvalue(), "")
    file = folder / f"{uuid.uuid4().hex}.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": dict(arguments)}), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", module, str(file)],
        capture_output=True,
        text=True,
        timeout=120,
        env=kept,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    file.unlink()
    return _answer(done.returncode, done.stdout, done.stderr)


def _answer(code: int, printed: str, beside: str) -> Answer:
    assert printed.lstrip().startswith("{"), printed + beside
    return Answer(code, json.loads(printed), printed + beside)
