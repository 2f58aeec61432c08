# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._store.commands import run_command

PYTHON = [sys.executable, "-I", "-S", "-c"]


def failure(argv: list[str], **options: float) -> str:
    with pytest.raises(CertfleetError) as raised:
        run_command(argv, **options)
    return str(raised.value)


def test_a_command_that_works_is_silent() -> None:
    run_command([*PYTHON, "print('fine')"])


def test_no_shell_sees_the_arguments(tmp_path: Path) -> None:
    run_command([*PYTHON, "import sys; open(sys.argv[1], 'w').write(sys.argv[2])", str(tmp_path / "out"), "$HOME; *"])
    assert (tmp_path / "out").read_text() == "$HOME; *"


def test_a_failure_tells_the_end_of_its_output_in_one_line() -> None:
    script = "import sys; print('noise ' * 5000, flush=True); sys.stderr.write('the\\nreason\\n'); sys.exit(3)"
    text = failure([*PYTHON, script])
    assert "failed with status 3: ..." in text
    assert text.endswith("noise the reason")
    assert "\n" not in text
    assert len(text) < 1000


def test_a_missing_program_and_a_signal_are_named() -> None:
    assert failure(["/no/such/program"]) == "/no/such/program: No such file or directory"
    assert "was ended by signal 15" in failure([*PYTHON, "import os; os.kill(os.getpid(), 15)"])


def test_a_command_that_hangs_is_stopped_with_its_children() -> None:
    script = (
        "import subprocess, sys, time; print('waiting for a password', flush=True); "
        "subprocess.Popen([sys.executable, '-I', '-S', '-c', 'import time; time.sleep(60)']); time.sleep(60)"
    )
    start = time.monotonic()
    text = failure([*PYTHON, script], timeout=1)
    assert "did not end within 1 s: waiting for a password" in text
    assert time.monotonic() - start < 20


def test_a_daemon_that_keeps_the_output_open_does_not_hold_it_up() -> None:
    script = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-I', '-S', '-c', 'input()']).pid)"
    start = time.monotonic()
    run_command([*PYTHON, script.replace("input()", "import time; time.sleep(15)")], timeout=12)
    assert time.monotonic() - start < 12
