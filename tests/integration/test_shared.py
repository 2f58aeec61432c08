# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One certificate on many hosts: one order, one key, carried without anybody in between reading it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.fleet import Run, playbook
from tests.integration.providers import pairs, servers
from tests.integration.test_gathering import item, play
from tests.lab.api import Lab

HOSTS = ("web1", "web2", "web3")
SITE = "certfleet.acme.site"
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

    def run(self, name: str | Path, **options: Any) -> Run:
        self.lab.reset_log()
        return playbook(name, self.inventory, self.work / "run", **options)

    def waves(self, hosts: str) -> Path:
        """A playbook of the user's own that goes from host to host."""
        play = {"hosts": hosts, "gather_facts": False, "serial": 1, "roles": [{"role": "certfleet.acme.rotate"}]}
        book = self.work / "waves.yml"
        book.write_text(json.dumps([play]), encoding="utf-8")
        return book

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
    planned = shared.run(SITE, arguments=["--check", "--diff"])
    assert shared.orders == 0
    assert set(lines(planned)) == set(HOSTS)
    assert not list(Path(shared.lab.hosts["web2"]["store_path"]).rglob("*"))

    # A host that comes later is not in yet. The second one gets it from a wave that is over.
    first = shared.run(shared.waves("web1,web2"))
    assert shared.orders == 2, "apex of web1, and one for all hosts of web"
    assert len(shared.served("web1", "web2")) == 1
    assert len(set(shared.keys().values())) == 1
    assert len(first.of("certificate_share")) == 1
    said = lines(first)
    assert said["web2"].startswith("new certificate served, serial ")
    assert said["web2"].endswith("(there is no certificate yet; with the key of web1)")
    assert "with the key of" not in said["web1"]
    before = shared.served("web1")

    added = shared.run(SITE)
    assert shared.orders == 0
    assert shared.served() == before
    assert set(lines(added)) == {"web3"}
    assert {call for call in added.module_calls if "certificate_install" in call} == {"web3: certificate_install"}

    (old,) = set(shared.keys().values())
    rotated = shared.run("certfleet.acme.rotate", variables={"rotate_force": True}, arguments=["--limit", "web2,web3"])
    assert shared.orders == 1
    after = shared.served("web2", "web3")
    assert len(after) == 1
    assert after != before == shared.served("web1")
    assert set(lines(rotated)) == {"web2", "web3"}

    # The one that was not in the play has a certificate that would do, and still gets what the others have.
    joined = shared.run(SITE)
    assert shared.orders == 0
    assert shared.served() == after
    (new,) = set(shared.keys().values())
    assert new != old
    (serial,) = after
    assert set(lines(joined)) == {"web1"}
    assert (
        f"all its hosts are to serve the certificate of web2, serial {serial}; with the key of web2"
        in (lines(joined)["web1"])
    )

    again = shared.run(SITE)
    assert again.changed == []
    assert sorted(again.module_calls) == [f"{host}: certificate_request" for host in HOSTS]
    assert all(shared.lab.requests(server) == [] for server in servers(shared.lab))


HELD = {
    "serial": "a1",
    "public_key_sha256": "ab" * 32,
    "not_before": "2026-11-01T00:00:00Z",
    "not_after": "2027-02-01T00:00:00Z",
    "identifiers": ["a.example"],
    "answers": [],
}


def asks(name: str, host: str, **more: Any) -> dict[str, Any]:
    """A host that has nothing yet."""
    reasons = [{"code": "missing", "text": "there is no certificate yet"}]
    told = {"key_location": "shared", "public_key_sha256": "cd" * 32, "recipient": f"recipient-of-{host}", "held": None}
    return item("issue", name=name, reasons=reasons, **told, **more)


def has(name: str, **more: Any) -> dict[str, Any]:
    return item("nothing", name=name, key_location="shared", held=HELD, recipient=None, **more)


def test_what_other_hosts_have_is_not_ordered(tmp_path: Path) -> None:
    found = {
        "a": {"store_path": "/store/a", "certificates": [has("web"), has("unlike")]},
        "b": {
            "store_path": "/store/b",
            "certificates": [asks("web", "b"), asks("unlike", "b", key_type="rsa-2048"), asks("other", "b")],
        },
        "gone": {"store_path": "/store/gone", "certificates": [has("other")]},
    }
    done = play(tmp_path, found, failures="report", expect=4)
    result = done.of("acme_certificate")[0]["result"]
    items = {(one["host"], one["name"]): one for one in result["certificates"]}
    assert not result["changed"]
    assert (items["b", "web"]["shared_from"], items["b", "web"]["failed"]) == ("a", False)
    wanted = {"name": "web", "host": "b", "recipient": "recipient-of-b", "serial": "a1", "public_key_sha256": "ab" * 32}
    assert result["shares"] == [{"host": "a", "store_path": "/store/a", "wanted": [wanted]}]
    assert "gone has this certificate, and it has left the play" in items["b", "other"]["msg"]
    for host in ("a", "b"):
        assert "other key type on b than on a" in items[host, "unlike"]["msg"]
    assert {line.split(": FAILED")[0] for line in done.report if "FAILED" in line} == {
        *("a unlike", "b unlike", "b other"),
        "gone",
    }


def test_a_host_that_went_back_is_left_alone_and_told_of(tmp_path: Path) -> None:
    older = {**HELD, "serial": "a0", "not_before": "2020-01-01T00:00:00Z"}
    certificates = {"a": [has("web", withdrawn=["a1"]) | {"held": older}], "b": [has("web", withdrawn=[])]}
    found = {host: {"store_path": f"/store/{host}", "certificates": items} for host, items in certificates.items()}
    result = play(tmp_path, found).of("acme_certificate")[0]["result"]
    assert (result["certificates"], result["shares"], result["behind"]) == ([], [], {})
    assert [(one["host"], one["name"]) for one in result["left_alone"]] == [("a", "web")]
    assert "a has gone back from the certificate web of b, serial a1" in str(result["warnings"])


def test_a_wave_gets_what_an_earlier_one_has(tmp_path: Path) -> None:
    certificates = {"a": [has("web")], "b": [asks("web", "b")], "c": [asks("web", "c")]}
    found = {host: {"store_path": f"/store/{host}", "certificates": items} for host, items in certificates.items()}
    done = play(tmp_path, found, serial="1")
    results = [row["result"] for row in done.of("acme_certificate")]
    assert [[(one["host"], one["shared_from"]) for one in result["certificates"]] for result in results] == [
        [],
        [("b", "a")],
        [("c", "a")],
    ]


def test_a_host_that_cannot_be_reached_fails_what_it_was_to_give_and_nobody_else(tmp_path: Path) -> None:
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    # A name that cannot be resolved makes ssh give up at once.
    gone = {"ansible_connection": "ssh", "ansible_host": "gone.invalid"}
    asked = {"certificates": [asks("web", "a")]}
    hosts = {"a": {"asked": asked}, "b": {"asked": {}}, "gone": gone}
    (tmp_path / "inventory.json").write_text(json.dumps({"all": {"vars": local, "hosts": hosts}}), encoding="utf-8")
    wanted = [{"name": "web", "host": host, "public_key_sha256": "ab" * 32} for host in ("a", "b")]
    task = {
        "certfleet.acme.certificate_share": {"wanted": wanted, "gather": "asked", "item_failures": "report"},
        "delegate_to": "gone",
        "run_once": True,
    }
    book = [{"hosts": "a,b", "gather_facts": False, "tasks": [task]}]
    (tmp_path / "book.json").write_text(json.dumps(book), encoding="utf-8")
    done = playbook(tmp_path / "book.json", tmp_path / "inventory.json", tmp_path)
    (row,) = done.of("certificate_share")
    said = {share["host"]: share["msg"] for share in row["result"]["shares"]}
    assert said["a"].startswith("it cannot be reached: ")
    assert "the host has made no request" in said["b"]
