# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Debian packages that tests want. An automated build gets them installed; a developer decides for themself."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.fleet import packages
from tests.runner.console import Console, Missing, StepFailed, call
from tests.runner.paths import UNDER_CI, environment

#: What is missing without them.
FLEET = "tests of the fleet of sshd hosts"
#: Programs that single tests want: a name server that takes dynamic updates, a reader of keystores.
_PROGRAMS = (("BIND", "named", "bind9"), ("Java", "keytool", "default-jre-headless"))
_POLICY = Path("/usr/sbin/policy-rc.d")
#: No mail system of the machine's own.
_ANSWERS = "postfix postfix/main_mailer_type select No configuration\n"
# Nothing here must outlive a power failure, and the packages' own writing to disk in small steps is most of the time.
_OPTIONS = ["-y", "-q", "--no-install-recommends", "-o", "Dpkg::Options::=--force-unsafe-io", "-o", "Dpkg::Use-Pty=0"]


def provide(console: Console, *, programs: bool = False) -> None:
    """Have what the fleet needs, and the programs that single tests want if ``programs``; else say what is missing."""
    wanted = {FLEET: packages.missing()}
    for name, program, package in _PROGRAMS if programs else ():
        if shutil.which(program, path=packages.SEARCH) is None:
            wanted[f"tests with {name}"] = [package]
    lacking = [package for some in wanted.values() for package in some]
    if not lacking:
        return
    if UNDER_CI and os.geteuid() == 0 and shutil.which("apt-get"):
        console.step(f"packages of the distribution: {' '.join(lacking)}", lambda log: _install(log, lacking))
        return
    for title, some in wanted.items():
        if some:
            console.skip(title, f"{packages.remedy(some)} brings what is missing")


def require_fleet(console: Console) -> None:
    """Have what the fleet needs. Raises Missing, which names the command that brings it."""
    if UNDER_CI:
        provide(console)
    lacking = packages.missing()
    if lacking:
        raise Missing(f"the fleet needs Debian packages that are not here: {packages.remedy(lacking)}")


def _install(log: Path, names: Sequence[str]) -> None:
    """Install packages and start nothing. Raises StepFailed."""
    env = {**environment(), "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    subprocess.run(["debconf-set-selections"], input=_ANSWERS, text=True, env=env, check=False)
    words = ["apt-get", "install", *_OPTIONS, *names]
    with _nothing_starts():
        try:
            call(log, words, env=env)
        except StepFailed:
            # There are no lists of packages, or they are of another day.
            call(log, ["apt-get", "update", "-q"], env=env)
            call(log, words, env=env)


@contextlib.contextmanager
def _nothing_starts() -> Iterator[None]:
    """Packages ask this file whether they may start their services; one that is there already has its own answer."""
    ours = not _POLICY.exists()
    try:
        if ours:
            _POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
            _POLICY.chmod(0o755)
        yield
    finally:
        if ours:
            _POLICY.unlink(missing_ok=True)
