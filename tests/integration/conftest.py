# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab for tests. Each test process starts its own, one for each CA and emulator, and keeps it to the end."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tests.integration import providers
from tests.lab.api import Lab
from tests.lab.authorities import PROGRAMS
from tests.lab.errors import LabError
from tests.runner import paths, tree

if TYPE_CHECKING:
    from tests.integration.google_cloud import GoogleCloud
    from tests.integration.route53_cloud import Cloud
    from tests.support.service import Service

Grounds = Callable[[str], "Cloud | GoogleCloud"]
#: The lab of scenarios that name none, unless a provider is chosen.
DEFAULT = ("acme2certifier", "ministack")

if "ANSIBLE_COLLECTIONS_PATH" not in os.environ:  # run by hand, not by `make`
    tree.link()
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(paths.LINKED)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(paths.LINKED), str(paths.ROOT)])
    sys.path.insert(0, str(paths.LINKED))


def pytest_addoption(parser: pytest.Parser) -> None:
    words = "run every scenario that touches DNS, and only those, with this provider"
    parser.addoption("--dns", choices=sorted(providers.PROVIDERS), help=words)


def pytest_configure(config: pytest.Config) -> None:
    line = "provider(name, reason): a scenario of one DNS provider (route53 or cloud_dns), and why of no other"
    config.addinivalue_line("markers", line)
    if config.getoption("--dns"):
        os.environ[providers.VARIABLE] = config.getoption("--dns")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With a provider chosen: keep what uses a lab, without what is of another provider."""
    for mark in (mark for item in items for mark in item.iter_markers("provider")):
        assert mark.args[0] in providers.PROVIDERS.values(), mark
        assert mark.kwargs["reason"], mark
    if not providers.chosen():
        return
    kind = providers.PROVIDERS[providers.chosen()]
    kept = [
        item
        for item in items
        if "labs" in getattr(item, "fixturenames", ())
        and all(mark.args[0] == kind for mark in item.iter_markers("provider"))
    ]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def missing(what: str) -> NoReturn:
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
    """Labs of this test process, each started when first asked for. dns: an emulator of Route53, or cloud_dns."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str], Lab] = {}
        self._all: list[Lab] = []

    def get(self, ca: str, dns: str = "", *, purpose: str = "", **options: Any) -> Lab:
        """The lab of this CA and emulator that tests share: use names and stores of your own in it.

        Tests that leave records behind share one among themselves, under a purpose of their own.
        """
        key = (ca, dns or providers.pairs(DEFAULT)[0][1], purpose)
        if key not in self._kept:
            self._kept[key] = self.fresh(*key[:2], **options)
        return self._kept[key]

    def fresh(self, ca: str = DEFAULT[0], dns: str = "", **options: Any) -> Lab:
        """A lab that nobody else uses, options as for Lab.up. The test may end it; else it ends with the process."""
        provided(ca)
        dns = dns or providers.pairs(DEFAULT)[0][1]
        lab = Lab.up(ca=ca, **providers.options(dns, options))
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
def lab(request: pytest.FixtureRequest, labs: Labs) -> Iterator[Lab]:
    """A shared lab, its request log empty; ``parametrize("lab", pairs((CA, PROVIDER)), indirect=True)`` chooses which.

    Nothing that was sent to Cloud DNS or answered by it may be against Google's own description of its API.
    """
    chosen = labs.get(*getattr(request, "param", providers.pairs(DEFAULT)[0]))
    chosen.reset_log()
    yield chosen
    if chosen.cloud_dns:
        assert chosen.cloud_violations() == []


@pytest.fixture
def grounds(labs: Labs, tmp_path: Path) -> Iterator[Grounds]:
    """Gives a DNS provider by name: ``strict`` (ministack behind the layer that refuses what AWS refuses), ``moto`` or
    ``cloud_dns``. It does no harm by itself, and nothing that Cloud DNS got or answered may be against its description.
    """
    from tests.integration.google_cloud import GoogleCloud
    from tests.integration.route53_cloud import Cloud

    used: list[GoogleCloud] = []

    def get(name: str) -> Cloud | GoogleCloud:
        if name == providers.CLOUD_DNS:
            lab = labs.get(*DEFAULT, purpose="cloud zones", hosts=0, cloud_zones=["example.org"])
            used.append(GoogleCloud(lab, tmp_path))
            used[-1].set_faults()
            return used[-1]
        if name == "moto":
            return Cloud(labs.get(DEFAULT[0], name, purpose="zones", hosts=0), tmp_path)
        cloud = Cloud(labs.get(*DEFAULT, purpose="strict", hosts=0, strict=True), tmp_path)
        cloud.set_faults()
        return cloud

    yield get
    for cloud in used:
        cloud.set_faults()
        assert cloud.lab.cloud_violations() == []


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A TLS server that is to serve two certificates of a store."""
    from tests.support.service import running

    with running(tmp_path) as found:
        yield found


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts take a twentieth, botocore's too; how many attempts there are is as it is."""
    from ansible_collections.certfleet.acme.plugins.module_utils._dns.cloud_dns import CloudDns
    from ansible_collections.certfleet.acme.plugins.module_utils._dns.engine import Engine

    pause = time.sleep

    def short(seconds: float) -> None:
        pause(seconds / 20)

    monkeypatch.setattr(time, "sleep", short)
    for made in (Engine, CloudDns):
        monkeypatch.setitem(made.__init__.__kwdefaults__ or {}, "sleep", short)


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
