# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks that `make test` is made of, each a step of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.runner import debian, interpreters, sanity, tree, venvs
from tests.runner.console import Console, StepFailed, call
from tests.runner.paths import BUILD, CACHE, INSTALLED, LINKED, LOGS, ROOT, TREE, UNDER_CI, environment
from tests.runner.venvs import Venv

# The controllers that run the installed collection: the oldest supported ansible-core with the lowest versions that
# requirements.txt allows, and the newest with the newest.
CONTROLLERS = (("2.16", "3.11", True), ("2.21", "3.13", False))
# The managed hosts: Python and cryptography as RHEL 9 and Ubuntu 22.04 have them.
HOSTS = (("3.9", "36.0.2"), ("3.10", "3.4.8"))
#: The providers of tests/integration/providers.py.
PROVIDERS = ("ministack", "moto", "cloud_dns")
MATRIX = CACHE / "matrix.json"
# The hosts of the matrix alone.
OLD_HOSTS = CACHE / "hosts.json"

_COUNTED = ("passed", "failed", "error", "skipped")


class Checks:
    """Runs checks with one set of tools. Each returns False when it failed; the console keeps count."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._tools: Venv | None = None
        self._tests: dict[str, int] = {}

    @property
    def tools(self) -> Venv:
        """The environment with ansible-core, linters, test runner and lab. Raises StepFailed when it cannot be made."""
        if self._tools is None:
            interpreter, version = interpreters.best()
            core = interpreters.newest_core(version)
            made: list[Venv] = []

            def work(log: Path) -> str:
                files = (venvs.RUNTIME, venvs.LAB, venvs.UNITS, venvs.LINT)
                made.append(venvs.ensure("tools", interpreter, log, packages=[f"ansible-core=={core}.*"], files=files))
                return "reused" if made[0].reused else ""

            if not self.console.step(f"tools: ansible-core {core} on Python {version}", work):
                raise StepFailed("without the tools nothing can be checked")
            self._tools = made[0]
            tree.link()
        return self._tools

    def lint(self) -> None:
        """ruff, mypy, ansible-lint, the changelog's fragments and the documentation."""
        tools = self.tools
        env = environment(collections=LINKED, path=[tools.path / "bin"])
        ruff = tools.bin("ruff")
        files = ["--cache-dir", str(CACHE / "ruff"), "plugins", "tests"]
        self._call("ruff check", [ruff, "check", *files], env)
        self._call("ruff format --check", [ruff, "format", "--check", *files], env)
        # As sources, not as installed packages, which PYTHONPATH would make of them.
        typed = {
            **env,
            "PYTHONPATH": "",
            "MYPYPATH": os.pathsep.join(map(str, (LINKED, ROOT, ROOT / "tests" / "stubs"))),
        }
        packages = ["-p", "ansible_collections.certfleet.acme.plugins", "-p", "tests"]
        self._call("mypy", [tools.bin("mypy"), "--cache-dir", str(CACHE / "mypy"), *packages], typed)
        self._call("antsibull-changelog lint", [tools.bin("antsibull-changelog"), "lint"], env)
        docs = ["lint-collection-docs", "--plugin-docs", "."]
        self._call_on_copy("antsibull-docs lint", [tools.bin("antsibull-docs"), *docs])
        options = ["--profile", "production", "--offline", "--strict", "--nocolor"]
        self._call_on_copy("ansible-lint --profile production", [tools.bin("ansible-lint"), *options])

    def sanity(self) -> None:
        """ansible-test sanity on the copy."""
        tools = self.tools
        self.console.step("ansible-test sanity", lambda log: sanity.run(tools, log))

    @contextmanager
    def sanity_beside(self) -> Iterator[None]:
        """The same while something else runs, which takes one core and a half by itself."""
        tools = self.tools
        LOGS.mkdir(parents=True, exist_ok=True)
        beside = LOGS / "ansible-test-sanity-beside.log"
        beside.write_text("", encoding="utf-8")

        def ended(log: Path) -> str:
            try:
                return running.result()
            finally:
                log.write_bytes(beside.read_bytes())

        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(sanity.run, tools, beside)
            try:
                yield
            finally:
                self.console.step("ansible-test sanity", ended)

    def build(self) -> bool:
        """Build the artifact and install it away from the checkout."""
        tools = self.tools

        def work(log: Path) -> str:
            return tree.install(tools, log, tree.build(tools, log, BUILD), INSTALLED)

        return self.console.step("ansible-galaxy collection build, install", work)

    def units(self) -> None:
        """Tests that need no server, without the thorough ones."""
        self._pytest("pytest units", ["-m", "not thorough", "tests/unit"], {})

    def integration(self) -> None:
        """Tests in the lab, the matrix of controllers and hosts among them, without the thorough ones."""
        self._integration(["-m", "not thorough", "tests/integration"])

    def thorough(self) -> None:
        """The tests that take long and show what shorter ones show too, in the lab and without."""
        self._integration(["-m", "thorough", "tests/unit", "tests/integration"])

    def _integration(self, words: list[str]) -> None:
        self.provide_cas()
        debian.provide(self.console, programs=True)
        self.matrix_environments()
        # More than there are cores: what they test waits for servers half of the time.
        self._pytest("pytest integration", words, {"CERTFLEET_MATRIX": str(MATRIX)}, workers=3)

    def test_providers(self) -> None:
        """Every test that touches DNS, once with each provider."""
        self.provide_cas()
        self.matrix_environments()
        wanted = os.environ.get("PROVIDER")
        for name in [wanted] if wanted else PROVIDERS:
            self._pytest(f"pytest {name}", ["tests/integration", f"--dns={name}"], {"CERTFLEET_MATRIX": str(MATRIX)})

    def matrix(self) -> None:
        """Only the tests that run the installed collection on the oldest and the newest ansible-core."""
        self.matrix_environments()
        self._pytest("pytest matrix", ["tests/integration/test_matrix.py"], {"CERTFLEET_MATRIX": str(MATRIX)})

    def matrix_environments(self) -> None:
        """Make the environments of the matrix and write what there is to matrix.json, which the tests read."""
        installed = self.build()
        found: dict[str, object] = {
            "collections": str(INSTALLED) if installed else None,
            "controllers": [],
            "hosts": [],
        }
        controllers: list[dict[str, str]] = []
        for core, version, lowest in CONTROLLERS:
            words = f"ansible-core {core} on Python {version}" + (" with the lowest versions allowed" if lowest else "")
            venv = self._matrix_environment(
                f"controller-{core}", words, version, [f"ansible-core=={core}.*"], [venvs.RUNTIME], lowest
            )
            if venv is not None:
                controllers.append({"core": core, "python": version, "bin": str(venv.path / "bin")})
        found.update(controllers=controllers, hosts=self._host_environments())
        MATRIX.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")

    def _host_environments(self) -> list[dict[str, str]]:
        """Make the environments of the managed hosts; a row for each that could be made."""
        hosts: list[dict[str, str]] = []
        for version, cryptography in HOSTS:
            words = f"host: Python {version} with cryptography {cryptography}"
            venv = self._matrix_environment(
                f"host-{version}", words, version, [f"cryptography=={cryptography}"], [], False
            )
            if venv is not None:
                hosts.append({"python": version, "cryptography": cryptography, "interpreter": str(venv.bin("python"))})
        return hosts

    def _matrix_environment(
        self, name: str, words: str, version: str, packages: list[str], files: list[Path], lowest: bool
    ) -> Venv | None:
        interpreter = interpreters.find(version)
        if interpreter is None:
            self.console.skip(
                words, f"no Python {version} here that can make virtual environments (pyenv install {version})"
            )
            return None
        made: list[Venv] = []

        def work(log: Path) -> str:
            made.append(venvs.ensure(name, interpreter, log, packages=packages, files=files, lowest=lowest))
            return "reused" if made[0].reused else ""

        return made[0] if self.console.step(words, work) else None

    def fleet(self) -> int:
        """The fleet of sshd hosts, with hosts as old as they may be; returns its exit code."""
        debian.require_fleet(self.console)
        self.provide_cas(("pebble",))
        OLD_HOSTS.write_text(json.dumps({"hosts": self._host_environments()}) + "\n", encoding="utf-8")
        code = self.program("tests.fleet", {"CERTFLEET_MATRIX": str(OLD_HOSTS)})
        return code or int(bool(self.console.failed))

    def program(self, module: str, extra: dict[str, str] | None = None) -> int:
        """Run a program of the tests with the tools, its output shown; returns its exit code."""
        words = [str(self.tools.bin("python")), "-m", module]
        env = {**environment(collections=LINKED, path=[self.tools.path / "bin"]), **(extra or {})}
        return subprocess.run(words, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode

    def provide_cas(self, names: Sequence[str] = ("pebble", "openbao", "step-ca"), *, build: bool = False) -> None:
        """Have the lab find or bring the CAs' programs once, before several test processes want them.

        build: step-ca itself, where only Caddy is there.
        """
        for name in names:
            log = LOGS / f"{name}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            log.unlink(missing_ok=True)
            words = [str(self.tools.bin("python")), "-m", "tests.lab", "program", name, *(["--build"] if build else [])]
            try:
                path = call(log, words, env=environment(collections=LINKED), timeout=1200).strip().splitlines()[-1]
            except StepFailed:
                self.console.skip(f"tests with {name}", log.read_text(encoding="utf-8").strip().splitlines()[-1])
            else:
                self.console.say(f"{name}: {path}")

    def _call(self, title: str, argv: Sequence[str | Path], env: dict[str, str], cwd: Path = ROOT) -> None:
        self.console.step(title, lambda log: call(log, argv, env=env, cwd=cwd, timeout=600) and None)

    def _call_on_copy(self, title: str, argv: Sequence[str | Path]) -> None:
        env = environment(collections=TREE, path=[self.tools.path / "bin"])

        def work(log: Path) -> None:
            with tree.copied() as source:
                call(log, argv, env=env, cwd=source, timeout=600)

        self.console.step(title, work)

    def _pytest(self, title: str, selection: list[str], extra: dict[str, str], *, workers: int = 2) -> None:
        tools = self.tools
        env = environment(collections=LINKED, path=[tools.path / "bin"])
        env.update(extra)
        if UNDER_CI:
            env["CI"] = "true"
        words = [
            str(tools.bin("python")),
            "-m",
            "pytest",
            "-n",
            str(workers),
            "--dist=worksteal",
            "--durations=25",
            "--color=no",
            *selection,
        ]
        closing: list[str] = []

        def work(log: Path) -> None:
            try:
                call(log, words, env=env, timeout=3000)
            finally:
                output = log.read_text(encoding="utf-8", errors="replace")
                closing.extend(
                    re.findall(
                        r"^(?:(?:SKIPPED|XFAIL|XPASS) .*|=+ .*\d+ (?:passed|failed|error).* =+)$", output, re.MULTILINE
                    )
                )
                for count, word in re.findall(rf"(\d+) ({'|'.join(_COUNTED)})", closing[-1] if closing else ""):
                    self._tests[word] = self._tests.get(word, 0) + int(count)

        self.console.step(title, work)
        for line in closing:
            self.console.say(line)

    def close(self) -> int:
        """Print the summary and, last, all tests counted together; returns the exit code."""
        code = self.console.close()
        if self._tests:
            passed, failed, errors, skipped = (self._tests.get(word, 0) for word in _COUNTED)
            self.console.say(f"tests: {passed} passed, {failed + errors} failed, {skipped} skipped")
        return code


def clean() -> None:
    """Remove all that was brought and built."""
    shutil.rmtree(CACHE, ignore_errors=True)
    shutil.rmtree(ROOT / "tests" / "output", ignore_errors=True)
    for folder, folders, _files in os.walk(ROOT):
        folders[:] = [name for name in folders if name != ".git"]
        if os.path.basename(folder) == "__pycache__":
            shutil.rmtree(folder, ignore_errors=True)
