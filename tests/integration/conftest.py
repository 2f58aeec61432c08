# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab for tests. Each test process starts its own, one for each CA and emulator, and keeps it to the end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.api import Lab
from tests.lab.authorities import PROGRAMS
from tests.lab.errors import LabError
from tests.runner import paths, tree

DEFAULT = ("acme2certifier", "ministack")

if "ANSIBLE_COLLECTIONS_PATH" not in os.environ:  # run by hand, not by `make`
    tree.link()
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(paths.LINKED)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(paths.LINKED), str(paths.ROOT)])
    sys.path.insert(0, str(paths.LINKED))


def missing(what: str) -> None:
    """Skip the test, or fail it in an automated build, where nothing may be left out unseen."""
    if paths.UNDER_CI:
        pytest.fail(f"{what}; with CI=true that is a failure")
    pytest.skip(what)


def provided(ca: str) -> None:
    """Skip the test where the CA's program cannot be had; fail it in an automated build."""
    try:
        PROGRAMS.get(ca, Path)()
    except LabError as error:
        missing(str(error))


class Labs:
    """Labs of this test process, each started when first asked for."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str], Lab] = {}
        self._all: list[Lab] = []

    def get(self, ca: str, dns: str, *, purpose: str = "", **options: Any) -> Lab:
        """The lab of this CA and emulator that tests share: use names and stores of your own in it.

        Tests that leave records behind share one among themselves, under a purpose of their own.
        """
        key = (ca, dns, purpose)
        if key not in self._kept:
            self._kept[key] = self.fresh(ca, dns, **options)
        return self._kept[key]

    def fresh(self, ca: str = DEFAULT[0], dns: str = DEFAULT[1], **options: Any) -> Lab:
        """A lab that nobody else uses, options as for Lab.up. The test may end it; else it ends with the process."""
        provided(ca)
        lab = Lab.up(ca=ca, dns_provider=dns, **options)
        self._all.append(lab)
        return lab

    def end(self) -> None:
        """End all that still run."""
        for lab in self._all:
            if lab.state.root.exists():
                lab.down()


@pytest.fixture(scope="session")
def labs() -> Iterator[Labs]:
    """The labs of this test process."""
    kept = Labs()
    try:
        yield kept
    finally:
        kept.end()


@pytest.fixture
def lab(request: pytest.FixtureRequest, labs: Labs) -> Lab:
    """A shared lab, its request log empty; ``parametrize("lab", [(CA, EMULATOR)], indirect=True)`` chooses which."""
    chosen = labs.get(*getattr(request, "param", DEFAULT))
    chosen.reset_log()
    return chosen


@pytest.fixture(scope="session")
def matrix() -> dict[str, Any]:
    """What matrix.json says: the installed collection, the controllers and the hosts' interpreters."""
    path = os.environ.get("CERTFLEET_MATRIX")
    if not path or not Path(path).is_file():
        missing("no matrix of ansible-core versions: `make integration` or `make matrix` brings it")
    found: dict[str, Any] = json.loads(Path(str(path)).read_text(encoding="utf-8"))
    if not found["collections"]:
        pytest.fail("the collection could not be built and installed")
    return found
