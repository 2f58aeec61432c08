# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's modules through Ansible on the oldest Pythons and libraries that distributions bring."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from tests.integration.conftest import missing
from tests.integration.fleet import Run, playbook
from tests.integration.test_formats import program
from tests.runner import interpreters, paths
from tests.support.certbot_tree import CertbotTree
from tests.support.host import Host, only
from tests.support.small_ca import SmallCA
from tests.support.tls_server import TlsServer

CA = SmallCA()
PASSPHRASE = "correct-horse-battery"
#: Python of the host and its cryptography: RHEL 9 and Ubuntu 22.04.
HOSTS = [("3.9", "36.0.2"), ("3.10", "3.4.8")]


def interpreter(version: str, cryptography: str) -> str:
    """The Python of an environment with this cryptography, made in the cache when it is not there.

    CERTFLEET_HOST_PYTHON_3_9 and the like name another Python to make it with.
    """
    matrix = os.environ.get("CERTFLEET_MATRIX")
    if matrix and Path(matrix).is_file():
        for row in json.loads(Path(matrix).read_text(encoding="utf-8"))["hosts"]:
            if (row["python"], row["cryptography"]) == (version, cryptography):
                return str(row["interpreter"])
    folder = paths.CACHE / f"host-plane-{version}-{cryptography}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        base = os.environ.get(f"CERTFLEET_HOST_PYTHON_{version.replace('.', '_')}") or interpreters.find(version)
        if base is None:
            missing(f"there is no Python {version} on this machine")
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([str(base), "-m", "venv", str(folder)], check=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*command, f"cryptography=={cryptography}"], check=True)
        (folder / "complete").touch()
    return str(python)


class OldHost:
    """Runs tasks on one host with an old Python."""

    def __init__(self, work: Path, python: str) -> None:
        self.work = work
        self.store = work / "store"
        self.inventory = work / "inventory.yml"
        variables = {"ansible_connection": "local", "ansible_python_interpreter": python}
        self.inventory.write_text(yaml.safe_dump({"all": {"hosts": {"old": variables}}}))

    def run(self, *tasks: dict[str, Any], expect: int = 0) -> Run:
        play = self.work / "play.yml"
        named = [{f"certfleet.acme.{name}": options for name, options in task.items()} for task in tasks]
        play.write_text(yaml.safe_dump([{"hosts": "old", "gather_facts": False, "tasks": named}]))
        return playbook(play, self.inventory, self.work / "run", expect=expect)

    def results(self, *tasks: dict[str, Any]) -> list[dict[str, Any]]:
        return [row["result"] for row in self.run(*tasks).tasks]


@pytest.fixture(params=HOSTS, ids=lambda host: f"python{host[0]}-cryptography{host[1]}")
def old(request: pytest.FixtureRequest, tmp_path: Path) -> OldHost:
    return OldHost(tmp_path, interpreter(*request.param))


@pytest.fixture
def server() -> Iterator[TlsServer]:
    server = TlsServer()
    yield server
    server.close()


def test_the_life_of_a_certificate(old: OldHost, server: TlsServer) -> None:
    server.directories = {"web.example": old.store / "web" / "current"}
    web = {
        "name": "web",
        "identifiers": ["web.example"],
        "deploy": {"reload": server.reload, "endpoints": [{"port": server.port}], "timeout": 10},
    }
    strong = {"name": "strong", "identifiers": ["strong.example", "192.0.2.7"], "key_type": "rsa-2048"}
    third = {
        "name": "third",
        "identifiers": ["third.example"],
        "key_type": "ecdsa-p384",
        "profile": "short",
        "formats": ["combined_pem", "pkcs12", "der"],
        "pkcs12": {"passphrase": PASSPHRASE},
        "files": [{"path": str(old.work / "third.pem"), "source": "combined.pem", "kind": "copy"}],
    }
    common = {"store_path": str(old.store), "certificates": [web, strong, third]}

    asked, again = old.results({"certificate_request": common}, {"certificate_request": common})
    assert asked["changed"]
    assert not again["changed"]
    assert [item["csr_content"] for item in asked["certificates"]] == [
        item["csr_content"] for item in again["certificates"]
    ]
    issued = [CA.issued(asked["certificates"][number]) for number in (0, 2)]
    endpoint = {"host": "127.0.0.1", "port": server.port, "server_name": "web.example"}
    pem = {"name": "web", "certificate_path": str(old.store / "web" / "current" / "cert.pem")}
    installed, nothing, needs, inventory, served, due = old.results(
        {"certificate_install": {**common, "issued": issued}},
        {"certificate_install": common},
        {"certificate_request": {**common, "renew": False}},
        {"certificate_info": {"store_path": str(old.store)}},
        {"tls_endpoint_info": {"endpoints": [endpoint]}},
        {"acme_renewal_info": {"certificates": [pem]}},
    )
    assert [item["stage"] for item in installed["certificates"]] == ["deployed", "nothing", "active"]
    assert not nothing["changed"]
    assert [item["needs"] for item in needs["certificates"]] == ["nothing", "issue", "nothing"]
    assert [item["name"] for item in inventory["certificates"]] == ["third", "web"]
    assert served["endpoints"][0]["serial"] == issued[0]["serial"] == inventory["certificates"][1]["serial"]
    assert due["certificates"][0]["should_renew"] is False

    # What the old library wrote, today's programs read.
    current = old.store / "third" / "current"
    assert (old.work / "third.pem").read_bytes() == (current / "combined.pem").read_bytes()
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(current / "combined.pem")
    loaded = pkcs12.load_pkcs12((current / "keystore.p12").read_bytes(), PASSPHRASE.encode())
    assert loaded.cert is not None
    assert format(loaded.cert.certificate.serial_number, "x") == issued[1]["serial"]
    assert (loaded.cert.friendly_name, len(loaded.additional_certs)) == (b"third", 1)
    assert serialization.load_der_private_key((current / "privkey.der").read_bytes(), None)
    words = [program("keytool"), "-list", "-storepass:env", "WORD", "-keystore", str(current / "keystore.p12")]
    listed = subprocess.run(words, env={**os.environ, "WORD": PASSPHRASE}, capture_output=True, text=True, check=True)
    assert "third, " in listed.stdout
    third["pkcs12"] = {"passphrase": PASSPHRASE + "-2"}
    changed, again = old.results({"certificate_install": common}, {"certificate_install": common})
    assert changed["certificates"][2]["files"] == ["keystore.p12"]
    assert not again["changed"]


@pytest.mark.parametrize(
    "old",
    [HOSTS[0], *(pytest.param(host, marks=pytest.mark.thorough) for host in HOSTS[1:])],
    indirect=True,
    ids=lambda host: f"python{host[0]}-cryptography{host[1]}",
)
def test_a_proof_that_fails_is_rolled_back(old: OldHost, server: TlsServer) -> None:
    server.directories = {"web.example": old.store / "web" / "current"}
    deploy = {"reload": server.reload, "endpoints": [{"port": server.port}], "timeout": 2}
    web = {"name": "web", "identifiers": ["web.example"], "deploy": deploy}
    common = {"store_path": str(old.store), "certificates": [web]}
    for stuck in (set(), {"web.example"}):
        (asked,) = old.results({"certificate_request": {**common, "force": True}})
        server.stuck = stuck
        issued = [CA.issued(asked["certificates"][0])]
        done = old.run({"certificate_install": {**common, "issued": issued}}, expect=2 if stuck else 0)
    assert "still serves the previous certificate" in done.failed["old"]
    assert "version 0001 is active again" in done.failed["old"]
    assert os.readlink(old.store / "web" / "current") == "versions/0001"


def test_what_certbot_left_is_taken_over(old: OldHost, server: TlsServer) -> None:
    tree = CertbotTree(old.work / "letsencrypt", CA)
    for number, kind in enumerate(("ecdsa-p256", "ecdsa-p384", "rsa-2048")):
        tree.lineage(f"{kind}.example", [f"{kind}.example"], key_type=kind, versions=2, reuse_key=number == 2)
    server.directories = {path.name: path for path in (tree.root / "live").iterdir() if path.is_dir()}
    subprocess.run(server.reload, check=True, capture_output=True)
    server.reloads, before = 0, tree.snapshot()
    (found,) = old.results({"certificate_info": {"store_path": str(old.store), "certbot_path": str(tree.root)}})
    deploy = {"reload": server.reload, "endpoints": [{"port": server.port}]}
    certificates = [{**item["declaration"], "deploy": deploy} for item in found["certificates"]]
    common = {"store_path": str(old.store), "certificates": certificates}
    asked, installed, again = old.results(
        {"certificate_request": common}, {"certificate_install": common}, {"certificate_request": common}
    )
    assert [item["reasons"][0]["code"] for item in asked["certificates"]] == ["adopted"] * 3
    assert [item["deployed"] for item in installed["certificates"]] == [True] * 3
    assert {item["needs"] for item in again["certificates"]} == {"nothing"}
    assert server.reloads == 0
    assert tree.snapshot() == before


def test_a_shared_key_goes_to_an_old_host_and_from_it(old: OldHost) -> None:
    web = {"name": "web", "identifiers": ["web.example"], "key_location": "shared"}
    common = {"store_path": str(old.store), "certificates": [web]}
    # Two hosts with the newest library, before it and after it.
    first, last = Host(old.work / "first"), Host(old.work / "last")
    for host in (first, last):
        host.root.mkdir()
    item = only(first.module("certificate_request", certificates=[web]))
    issued, held = CA.issued(item), {"name": "web", "public_key_sha256": item["public_key_sha256"]}

    def wanted(asked: dict[str, Any]) -> list[dict[str, Any]]:
        return [{**held, "host": "next", "recipient": only(asked)["recipient"]}]

    def shared(result: dict[str, Any]) -> dict[str, Any]:
        return {**issued, "sealed_key": only(result, "shares")["sealed_key"], "shared_from": "the one before"}

    (asked,) = old.results({"certificate_request": common})
    sealed = first.module("certificate_share", wanted=wanted(asked))
    asked = last.module("certificate_request", certificates=[web])
    _installed, sealed = old.results(
        {"certificate_install": {**common, "issued": [shared(sealed)]}},
        {"certificate_share": {"store_path": str(old.store), "wanted": wanted(asked)}},
    )
    assert only(last.module("certificate_install", certificates=[web], issued=[shared(sealed)]))["active"]
    first.module("certificate_install", certificates=[web], issued=[issued])
    stores = (first.store, old.store, last.store)
    assert len({(store / "web" / "current" / "privkey.pem").read_bytes() for store in stores}) == 1
