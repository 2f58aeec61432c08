# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs `ansible-test sanity` on the copied tree, with a home folder of its own below .cache."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path

from tests.runner.console import StepFailed, call
from tests.runner.interpreters import find
from tests.runner.paths import HOME, environment
from tests.runner.tree import copied
from tests.runner.venvs import Venv

# Versions whose interpreters ansible-test compiles and imports the host-plane code with, when they are there.
_VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")

# What ansible-test runs in place of get-pip.py: the pip it asks for, from the file lying beside this one.
_STUB = '''"""Stands in for get-pip.py where that cannot be downloaded: installs pip from the wheel beside it."""
import glob
import os
import sys

wheel = glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "pip-{version}-*.whl"))[0]
wanted = [wheel] + [word for word in sys.argv[1:] if not word.startswith(("-", "pip=="))]
sys.path.insert(0, wheel)
from pip._internal.cli.main import main

sys.exit(main(["install", "--disable-pip-version-check"] + wanted))
'''


def run(venv: Venv, log: Path) -> str:
    """Run all sanity tests; returns what to say after it. Raises StepFailed when one of them finds something."""
    interpreters = [path.parent for path in map(find, _VERSIONS) if path is not None]
    env = environment(path=[*interpreters])
    env["HOME"] = str(HOME)
    _write_pip_configuration(venv, log)
    note = _provide_pip(venv, log)
    command = [venv.bin("ansible-test"), "sanity", "--venv", "--color", "no"]
    with copied() as source:
        # Else it takes the checkout around .cache for the place to ask git in, where all this is ignored.
        env["ANSIBLE_TEST_CONTENT_ROOT"] = str(source)
        call(log, [str(word) for word in command], env=env, cwd=source, timeout=1800)
    tests = re.findall(r'^Running sanity test "([^"]+)"', log.read_text(encoding="utf-8"), re.MULTILINE)
    if not tests:
        raise StepFailed("ansible-test ran no test")
    return f"{len(set(tests))} tests{note}"


def _write_pip_configuration(venv: Venv, log: Path) -> None:
    """ansible-test passes neither pip's environment settings nor the home folder on: write them where its pip looks."""
    settings = call(log, [venv.bin("python"), "-m", "pip", "config", "list"], env=environment())
    values: dict[str, str] = {}
    pattern = r"^(:env:|global)\.([a-z-]+)='(.*)'$"
    # "global" sorts behind ":env:", and what the environment says goes before what a file says.
    for _origin, name, value in sorted(re.findall(pattern, settings, re.MULTILINE)):
        if name not in ("user", "target", "prefix", "root", "require-virtualenv"):
            values.setdefault(name, value.encode().decode("unicode_escape").replace("\n", "\n    "))
    cache = call(log, [venv.bin("python"), "-m", "pip", "cache", "dir"], env=environment()).strip()
    if "no-cache-dir" not in values and cache.startswith("/"):
        values.setdefault("cache-dir", cache)
    path = HOME / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)  # an index address may carry a password
    path.write_text(
        "\n".join(["[global]", *(f"{name} = {value}" for name, value in values.items()), ""]), encoding="utf-8"
    )


def _provide_pip(venv: Venv, log: Path) -> str:
    """Lay a stand-in into ansible-test's cache where it could not download get-pip.py; returns a note on it."""
    package = next(venv.path.glob("lib/python3*/site-packages/ansible_test"))
    setup = (package / "_util/target/setup/requirements.py").read_text(encoding="utf-8")
    versions = (package / "_internal/python_requirements.py").read_text(encoding="utf-8")
    address = re.search(r"url = '([^']+get-pip-%s\.py)'", setup)
    version = re.search(r"\bpip='([\d.]+)'", versions)
    if address is None or version is None:
        return ""
    cached = HOME / ".ansible/test/cache" / f"get_pip_{version[1].replace('.', '_')}.py"
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        try:
            with urllib.request.urlopen(address[1] % version[1], timeout=20) as answer:
                cached.write_bytes(answer.read())
        except OSError:
            pip = [str(venv.bin("python")), "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            call(log, [*pip, "--dest", str(cached.parent), f"pip=={version[1]}"], env=environment())
            cached.write_text(_STUB.replace("{version}", version[1]), encoding="utf-8")
    return ", with a stand-in for get-pip.py" if cached.read_text(encoding="utf-8").startswith(_STUB[:40]) else ""
