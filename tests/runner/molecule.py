# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Molecule scenarios, each with its own lab, run with the collection as an artifact would install it."""

from __future__ import annotations

import os
import subprocess
from functools import partial
from pathlib import Path

from tests.runner import interpreters, tree, venvs
from tests.runner.console import Console, StepFailed, call
from tests.runner.paths import CACHE, REQUIREMENTS, TREE, environment
from tests.runner.venvs import Venv

SCENARIOS = ("issue", "deploy", "rotate")


def run(console: Console) -> None:
    """A step for each scenario; SCENARIO in the environment chooses one."""
    interpreter, version = interpreters.best()
    core = interpreters.newest_core(version)
    made: list[Venv] = []

    def tools(log: Path) -> str:
        files = (venvs.RUNTIME, venvs.LAB, REQUIREMENTS / "molecule.txt")
        made.append(venvs.ensure("molecule", interpreter, log, packages=[f"ansible-core=={core}.*"], files=files))
        return "reused" if made[0].reused else ""

    if not console.step(f"tools: Molecule, ansible-core {core} on Python {version}", tools):
        return
    env = environment(collections=TREE, path=[made[0].path / "bin"])
    # Molecule installs what it tests into the home folder otherwise.
    env.update(HOME=str(CACHE / "home"), CERTFLEET_CACHE=str(CACHE))
    wanted = os.environ.get("SCENARIO")
    for name in [wanted] if wanted else SCENARIOS:
        console.step(f"molecule test -s {name}", partial(_scenario, made[0], env, name))


def _scenario(tools: Venv, env: dict[str, str], name: str, log: Path) -> None:
    with tree.copied() as source:
        try:
            call(log, [tools.bin("molecule"), "test", "-s", name], env=env, cwd=source, timeout=600)
        except StepFailed:
            subprocess.run([tools.bin("molecule"), "destroy", "-s", name], env=env, cwd=source, check=False)
            raise
