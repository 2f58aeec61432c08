# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One certificate on many hosts: one order, one key, carried without anybody in between reading it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.fleet import Run, playbook
from tests.integration.providers import pairs, servers
from tests.lab.api import Lab

HOSTS = ("web1", "web2", "web3")
NAMES = [f"{host}.example.com" for host in HOSTS]


class Shared:
    """A lab whose hosts share the certificate ``web``; web1 has ``apex`` for itself as well."""

    def __init__(self, lab: Lab, work: Path) -> None:
        self.lab = lab
        self.work = work
        self.inventory = work / "shared.yml"
        inventory = yaml.safe_load(lab.state.inventory.read_text(encoding="utf-8"))
        self.hosts: dict[str, Any] = inventory["all"]["children"]["web"]["hosts"]
        for variables in self.hosts.values():
            for entry in variables["certfleet_certificates"]:
                if entry["name"] == "web":
                    entry.update(identifiers=NAMES, key_location="shared")
        self.content = inventory
        self.write()

    def write(self) -> None:
        self.inventory.write_text(yaml.safe_dump(self.content), encoding="utf-8")

    def entry(self, host: str) -> dict[str, Any]:
        found: dict[str, Any] = next(
            entry for entry in self.hosts[host]["certfleet_certificates"] if entry["name"] == "web"
        )
        return found

    def run(self, name: str, **options: Any) -> Run:
        self.lab.reset_log()
        return playbook(f"certfleet.acme.{name}", self.inventory, self.work / "run", **options)

    def served(self, *hosts: str) -> set[str]:
        """Serial numbers that these hosts serve as the shared certificate; one when they serve the same."""
        return {self.lab.served(host, f"{host}.example.com").serial for host in hosts or HOSTS}

    def keys(self) -> dict[str, bytes]:
        """The key that each host serves it with."""
        stores = {host: Path(self.lab.hosts[host]["store_path"]) / "web" for host in HOSTS}
        return {
            host: (store / "current" / "privkey.pem").read_bytes()
            for host, store in stores.items()
            if (store / "current").exists()
        }

    @property
    def orders(self) -> int:
        return self.lab.counts("acme").get("newOrder", 0)


@pytest.fixture
def shared(labs: Any, tmp_path: Path) -> Iterator[Shared]:
    lab = labs.fresh(*pairs(("pebble", "ministack"))[0])
    yield Shared(lab, tmp_path)
    lab.down()


def lines(done: Run, name: str = "web") -> dict[str, str]:
    """The report's line of each host about a certificate, without its beginning."""
    found = (line.partition(f" {name}: ") for line in done.report)
    return {host: text for host, separator, text in found if separator}


def test_one_order_for_all_its_hosts(shared: Shared) -> None:
    planned = shared.run("site", arguments=["--check", "--diff"])
    assert shared.orders == 0
    assert set(lines(planned)) == set(HOSTS)
    assert not list(Path(shared.lab.hosts["web2"]["store_path"]).rglob("*"))

    # A host that comes later is not in yet.
    first = shared.run("site", arguments=["--limit", "web1,web2"])
    assert shared.orders == 2, "apex of web1, and one for all hosts of web"
    assert len(shared.served("web1", "web2")) == 1
    assert len(set(shared.keys().values())) == 1
    assert [row["host"] for row in first.of("certificate_share")] == ["web1"]
    said = lines(first)
    assert said["web2"].startswith("new certificate served, serial ")
    assert said["web2"].endswith("(there is no certificate yet; with the key of web1)")
    assert "with the key of" not in said["web1"]
    before = shared.served("web1")

    added = shared.run("site")
    assert shared.orders == 0
    assert shared.served() == before
    assert set(lines(added)) == {"web3"}
    assert [call for call in added.module_calls if "certificate_install" in call] == ["web3: certificate_install"]

    again = shared.run("site")
    assert again.changed == []
    assert sorted(again.module_calls) == [f"{host}: certificate_request" for host in HOSTS]
    assert all(shared.lab.requests(server) == [] for server in servers(shared.lab))
    old = shared.keys()

    rotated = shared.run("rotate", variables={"rotate_force": True})
    assert shared.orders == 2
    after = shared.served()
    assert len(after) == 1
    assert after != before
    assert len(set(shared.keys().values())) == 1
    assert not set(shared.keys().values()) & set(old.values())
    assert set(lines(rotated)) == set(HOSTS)
