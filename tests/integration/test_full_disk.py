# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A disk that is full: what is served stays, the message names the file, the next run goes on when there is room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.host import only
from tests.support.service import CA, Service, running
from tests.support.small_disk import Disk, on_small_disk


class Rotation:
    """A certificate that is served, on a disk that is small, and its rotations."""

    def __init__(self, disk: Disk, service: Service) -> None:
        self.disk = disk
        self.service = service
        self.one = [service.declared("one")]
        service.serve("one")
        self.serial = str(only(service.install(self.one, issued=service.issue(self.one)))["serial"])

    def request(self) -> dict[str, Any]:
        asked = self.service.host.module(
            "certificate_request", certificates=self.one, force=True, item_failures="report"
        )
        return only(asked)

    def install(self, issued: list[dict[str, Any]]) -> dict[str, Any]:
        return only(self.service.install(self.one, issued=issued, item_failures="report"))

    def unharmed(self, item: dict[str, Any]) -> None:
        """The message tells the file, and what is served has stayed."""
        assert str(self.service.host.store) in item["msg"]
        assert self.disk.full in item["msg"]
        assert self.service.served("one") == self.serial
        active = self.service.host.module("certificate_info", names=["one"], versions="active")
        assert (only(active)["serial"], only(active)["broken"]) == (self.serial, None)

    def finish(self, issued: list[dict[str, Any]]) -> None:
        """There is room again: the next run finishes with what was issued."""
        self.disk.empty()
        done = self.install(issued)
        assert (done["failed"], done["stage"], done["serial"]) == (False, "deployed", issued[0]["serial"]), done
        self.serial = str(done["serial"])
        assert self.service.served("one") == self.serial
        assert self.service.needs("one") == ["nothing"]


def requests(rotation: Rotation) -> int:
    """Ask with room for nothing, for one page and so on; how often there was too little."""
    for pages in range(40):
        rotation.disk.leave(pages)
        item = rotation.request()
        if not item["failed"]:
            rotation.disk.empty()
            return pages
        rotation.unharmed(item)
        rotation.disk.empty()
        rotation.finish([CA.issued(rotation.request())])
    raise AssertionError("there was never enough room")


def installations(rotation: Rotation) -> list[str]:
    """Install with room for nothing, for one page and so on; where it broke off, in turn."""
    stages = []
    for pages in range(40):
        issued = [CA.issued(rotation.request())]
        rotation.disk.leave(pages)
        item = rotation.install(issued)
        if item["failed"]:
            rotation.unharmed(item)
            stages.append(str(item["stage"]))
            rotation.finish(issued)
        else:
            rotation.serial = str(item["serial"])
            rotation.disk.empty()
            return stages
    raise AssertionError("there was never enough room")


@pytest.mark.parametrize("mounting", [True, False], ids=["small disk", "small files"])
def test_a_full_disk(tmp_path: Path, mounting: bool) -> None:
    def work(disk: Disk) -> None:
        (disk.path / "host").mkdir()
        with running(disk.path / "host") as service:
            rotation = Rotation(disk, service)
            assert requests(rotation) >= 2
            assert installations(rotation).count("stage") >= 3

    on_small_disk(tmp_path / "disk", 1024, work, mounting=mounting)
