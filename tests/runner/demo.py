# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings what the demonstration needs and runs it (tests/demo) with that."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.runner import interpreters, tree, venvs
from tests.runner.console import Console
from tests.runner.paths import CACHE, ROOT, environment
from tests.runner.venvs import Venv

COLLECTIONS = CACHE / "demo"


def main() -> int:
    """Run it; returns the exit code. KEEP=1 in the environment leaves the lab up."""
    console = Console()
    interpreter, version = interpreters.best()
    core = interpreters.newest_core(version)
    made: list[Venv] = []

    def tools(log: Path) -> str:
        files = (venvs.RUNTIME, venvs.LAB)
        made.append(venvs.ensure("demo", interpreter, log, packages=[f"ansible-core=={core}.*"], files=files))
        return "reused" if made[0].reused else ""

    def collection(log: Path) -> str:
        return tree.install(made[0], log, tree.build(made[0], log, COLLECTIONS), COLLECTIONS)

    if not console.step(f"tools: ansible-core {core} on Python {version}, the lab's servers", tools):
        return 1
    if not console.step("the collection, built and installed away from the checkout", collection):
        return 1
    console.say()
    env = environment(collections=COLLECTIONS, path=[made[0].path / "bin"])
    env["KEEP"] = os.environ.get("KEEP", "")
    child = subprocess.Popen([made[0].bin("python"), "-m", "tests.demo"], env=env, cwd=ROOT, stdin=subprocess.DEVNULL)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue  # the terminal sent it to the demonstration too, which takes the lab down
