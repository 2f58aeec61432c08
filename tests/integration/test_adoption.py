# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates that are on the host already are taken over: nothing is issued, nothing moves under the service."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._tls.connection import handshake
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.integration.fleet import playbook
from tests.support.certbot_tree import CertbotTree, key_pem, make_key
from tests.support.host import Host, only
from tests.support.small_ca import DAY, DIRECTORY, SmallCA, pem
from tests.support.tls_server import TlsServer

CA = SmallCA()
NAMES = ["web.example", "www.web.example"]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.fixture
def tree(tmp_path: Path) -> CertbotTree:
    return CertbotTree(tmp_path / "letsencrypt", CA)


@pytest.fixture
def server() -> Iterator[TlsServer]:
    server = TlsServer()
    yield server
    server.close()


def declared(lineage: Path, **more: Any) -> dict[str, Any]:
    return {"name": "web", "identifiers": NAMES, "adopt": {"certbot": str(lineage)}, **more}


def ask(host: Host, item: dict[str, Any], **options: Any) -> dict[str, Any]:
    options.setdefault("acme_directory", DIRECTORY)
    return only(host.module("certificate_request", certificates=[item], **options))


def codes(item: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in item["reasons"]]


def served(server: TlsServer, name: str) -> str:
    return str(handshake("127.0.0.1", server.port, name, timeout=5).facts()["serial"])


def lineages_of(tree: CertbotTree) -> list[str]:
    """30 lineages of many kinds; the first name of each."""
    kinds: dict[int, dict[str, Any]] = {
        3: {"key_type": "rsa-2048"},
        5: {"key_type": "ecdsa-p384", "versions": 2},
        7: {"versions": 3, "reuse_key": True},
        9: {"more": "required_profile = classic"},
        11: {"more": 'preferred_profile = "shortlived"'},
    }
    for number in range(30):
        first = f"site{number}.example"
        names = [first, f"*.{first}"] if number % 4 == 0 else [first, f"www.{first}", f"mail.{first}"]
        name = first + ("-0001" if number == 13 else "")
        tree.lineage(name, names, **kinds.get(number, {"versions": 1 + number % 3}))
    return [f"site{number}.example" for number in range(30)]


def test_thirty_lineages_of_certbot_are_taken_over_and_then_rotated(
    host: Host, tree: CertbotTree, server: TlsServer
) -> None:
    names = lineages_of(tree)
    directories = {name: tree.live(name + ("-0001" if name == "site13.example" else "")) for name in names}
    server.directories = directories
    subprocess.run(server.reload, check=True, capture_output=True)
    server.reloads = server.handshakes = 0
    before, serials = tree.snapshot(), {name: served(server, name) for name in names}
    found = host.module("certificate_info", certbot_path=str(tree.root))
    assert not found["changed"]
    certificates = [
        {
            **item["declaration"],
            "deploy": {
                "check": ["false"],
                "reload": server.reload,
                "endpoints": [{"port": server.port, "server_name": item["name"].removesuffix("-0001")}],
            },
        }
        for item in found["certificates"]
    ]
    common: dict[str, Any] = {"certificates": certificates}

    planned = host.module("certificate_request", **common, acme_directory=DIRECTORY, check=True)
    assert planned["changed"]
    assert {(item["needs"], *codes(item)) for item in planned["certificates"]} == {("install", "adopted")}
    assert not host.store.exists()

    asked = host.module("certificate_request", **common, acme_directory=DIRECTORY, diff=True)
    assert [item["reasons"] for item in asked["certificates"]] == [item["reasons"] for item in planned["certificates"]]
    assert {(item["needs"], item["csr_content"], item["changed"]) for item in asked["certificates"]} == {
        ("install", None, True)
    }
    assert "is taken over, nothing is issued" in asked["diff"][0]["after"]
    again = host.module("certificate_request", **common, acme_directory=DIRECTORY)
    assert not again["changed"]
    assert [item["reasons"] for item in again["certificates"]] == [item["reasons"] for item in asked["certificates"]]

    server.handshakes = 0
    installed = host.module("certificate_install", **common)
    assert {(item["stage"], item["version"], item["deployed"]) for item in installed["certificates"]} == {
        ("deployed", "0001", True)
    }
    assert server.reloads == 0
    assert server.handshakes == 30
    assert {name: served(server, name) for name in names} == serials
    assert sorted(item["serial"] for item in installed["certificates"]) == sorted(serials.values())
    for item in found["certificates"]:
        current = host.store / item["declaration"]["name"] / "current"
        for kind in ("fullchain", "cert", "chain", "privkey"):
            assert (current / f"{kind}.pem").read_bytes() == Path(item["path"], f"{kind}.pem").read_bytes()
    assert tree.snapshot() == before

    # Nothing is left to do, and nobody is asked.
    state, server.handshakes = host.snapshot(), 0
    for module in ("certificate_request", "certificate_install"):
        result = host.module(module, **common)
        assert not result["changed"]
    assert {item["needs"] for item in host.module("certificate_request", **common)["certificates"]} == {"nothing"}
    assert host.snapshot() == state
    assert (server.reloads, server.handshakes) == (0, 0)

    # From here on the store is what is read, and what is due comes through it.
    server.directories = {name: host.store / path.name / "current" for name, path in directories.items()}
    certificates[0] = {**certificates[0], "renew_when_remaining": 0.999999}
    certificates[1] = {**certificates[1], "force": True}
    certificates = [{**item, "deploy": {**item["deploy"], "check": ["true"]}} for item in certificates]
    due = host.module("certificate_request", certificates=certificates, acme_directory=DIRECTORY)["certificates"]
    assert [codes(item) for item in due[:2]] == [["due"], ["forced"]]
    assert [item["replaces"] for item in due[:2]] == [item["ari_cert_id"] for item in found["certificates"][:2]]
    assert {codes(item)[0] for item in due[2:]} == {"not_deployed"}  # what proves it is declared otherwise now
    issued = [CA.issued(item) for item in due[:2]]
    rotated = host.module("certificate_install", certificates=certificates, issued=issued)["certificates"]
    assert [(item["version"], item["deployed"]) for item in rotated] == [("0002", True)] * 2 + [("0001", True)] * 28
    assert server.reloads == 1
    for item, answer in zip(found["certificates"], issued):
        serials[item["name"]] = answer["serial"]
    assert {name: served(server, name) for name in names} == serials
    assert tree.snapshot() == before


def test_what_is_kept_of_where_it_came_from(host: Host, tree: CertbotTree) -> None:
    lineage = tree.lineage("web", NAMES, more="required_profile = classic")
    item = declared(lineage, profile="classic", group=str(os.getegid()))
    asked = ask(host, item)
    assert asked["msg"] == f"install: {asked['reasons'][0]['text']}"
    serial = x509.load_pem_x509_certificate((lineage / "cert.pem").read_bytes()).serial_number
    assert f"{lineage}, serial {serial:x}, is taken over" in asked["msg"]
    assert only(host.module("certificate_install", certificates=[item]))["stage"] == "active"
    version = host.store / "web" / "versions" / "0001"
    meta = json.loads((version / "certificate.json").read_text())
    assert meta["adopted_from"] == str(lineage)
    assert meta["acme_directory"] == DIRECTORY
    assert meta["requested_profile"] == "classic"
    assert {path.name: path.stat().st_mode & 0o777 for path in version.iterdir()} == {
        "privkey.pem": 0o640,
        **dict.fromkeys(["cert.pem", "chain.pem", "fullchain.pem", "certificate.json"], 0o644),
    }
    assert ask(host, item)["current"]["adopted_from"] == str(lineage)
    assert only(host.module("certificate_info"))["adopted_from"] == str(lineage)


def test_a_service_that_does_not_serve_it_is_reloaded_as_ever(host: Host, tree: CertbotTree, server: TlsServer) -> None:
    lineage = tree.lineage("web", NAMES)
    server.directories = {"web.example": host.store / "web" / "current", "www.web.example": lineage}
    subprocess.run([*server.reload], check=False, capture_output=True)  # the first of them is not there yet
    server.reloads = 0
    endpoints = [{"port": server.port, "server_name": name} for name in NAMES]
    item = declared(lineage, deploy={"reload": server.reload, "endpoints": endpoints, "timeout": 5})
    assert ask(host, item)["needs"] == "install"
    assert only(host.module("certificate_install", certificates=[item]))["deployed"]
    assert server.reloads == 1
    assert ask(host, item)["needs"] == "nothing"


def test_a_deployment_that_fails_rolls_back_to_nothing_and_is_tried_again(
    host: Host, tree: CertbotTree, server: TlsServer
) -> None:
    lineage = tree.lineage("web", NAMES)
    item = declared(lineage, deploy={"reload": server.reload, "endpoints": [{"port": server.port}], "timeout": 1})
    server.broken = "the configuration is broken"
    ask(host, item)
    failed = only(host.module("certificate_install", certificates=[item]))
    assert failed["rolled_back"]
    assert not (host.store / "web" / "current").exists()
    assert (ask(host, item)["needs"], codes(ask(host, item))) == ("install", ["adopted"])
    server.broken, server.directories = "", {"web.example": lineage}
    assert only(host.module("certificate_install", certificates=[item]))["deployed"]


Harm = Callable[[CertbotTree, Path], None]


def over(kind: str, content: Callable[[Path], bytes]) -> Harm:
    """Write something else over a file of the archive."""

    def harm(_tree: CertbotTree, lineage: Path) -> None:
        path = lineage / f"{kind}.pem"
        path.write_bytes(content(path))

    return harm


def mode(kind: str, mode: int) -> Harm:
    return lambda _tree, lineage: (lineage / f"{kind}.pem").resolve().chmod(mode)


def led_away(tree: CertbotTree, lineage: Path) -> None:
    """The key's link leads to a file outside of the tree."""
    (tree.root.parent / "elsewhere.pem").write_bytes((lineage / "privkey.pem").read_bytes())
    (lineage / "privkey.pem").unlink()
    (lineage / "privkey.pem").symlink_to("../../../elsewhere.pem")


def encrypted(path: Path) -> bytes:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    wrapped = serialization.BestAvailableEncryption(b"secret")
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, wrapped)


def der_key(path: Path) -> bytes:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, plain)


def der(path: Path) -> bytes:
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(serialization.Encoding.DER)


def remove(_tree: CertbotTree, lineage: Path) -> None:
    (lineage / "privkey.pem").resolve().unlink()


HARMS: list[tuple[Harm, str]] = [
    (over("privkey", lambda _path: key_pem(make_key("ecdsa-p256"))), "does not belong to the certificate"),
    (over("privkey", encrypted), "privkey.pem: the private key is encrypted"),
    (over("privkey", der_key), "privkey.pem is DER or PKCS#12, not PEM"),
    (over("privkey", lambda _path: b"no key"), "privkey.pem is not PEM"),
    (over("privkey", lambda path: (path.parent / "cert.pem").read_bytes()), "there is no PEM private key in it"),
    (over("fullchain", der), "fullchain.pem is DER or PKCS#12, not PEM"),
    (over("fullchain", lambda path: path.read_bytes() * 2), "the chain is out of order"),
    (over("fullchain", lambda path: path.read_bytes().replace(b"M", b"!", 3)), "fullchain.pem: a certificate in it"),
    (mode("privkey", 0o660), "can be written by others (mode 0660)"),
    (mode("fullchain", 0o646), "can be written by others (mode 0646)"),
    (lambda tree, _lineage: (tree.root / "archive").chmod(0o777), "archive can be written by others (mode 0777)"),
    (led_away, "elsewhere.pem, out of "),
    (remove, "privkey.pem: No such file or directory"),
]


@pytest.mark.parametrize(("harm", "text"), HARMS, ids=[text for _harm, text in HARMS])
def test_what_is_not_good_is_issued_and_the_item_says_why(host: Host, tree: CertbotTree, harm: Harm, text: str) -> None:
    lineage = tree.lineage("web", NAMES)
    harm(tree, lineage)
    before = tree.snapshot()
    planned = ask(host, declared(lineage), check=True)
    asked = ask(host, declared(lineage))
    for item in (planned, asked):
        assert (item["needs"], codes(item)) == ("issue", ["missing"])
        assert "there is no certificate yet; not adopted: " in item["reasons"][0]["text"]
        assert text in item["reasons"][0]["text"]
    assert asked["csr_content"]
    assert tree.snapshot() == before
    listed = only(host.module("certificate_info", certbot_path=str(tree.root), store_path="/no/such/store"))
    assert text in listed["broken"]
    assert (listed["declaration"], listed["failed"]) == (None, False)


@pytest.mark.parametrize(
    ("change", "options", "text"),
    [
        ({"identifiers": ["web.example"]}, {}, "identifiers: www.web.example dropped"),
        ({"key_type": "rsa-2048"}, {}, "rsa-2048 is declared. Declare key_type: ecdsa-p256 to take it over."),
        ({"profile": "shortlived"}, {}, "profile: none was asked for, shortlived is declared"),
        ({"renew_when_remaining": 0.999999}, {}, "are left, due below 100%"),
        ({}, {"acme_directory": "https://other.example/directory"}, f"CA: issued by {DIRECTORY}"),
        ({}, {"force": True}, "a new certificate is asked for by force"),
    ],
)
def test_what_is_not_as_declared_is_issued(
    host: Host, tree: CertbotTree, change: dict[str, Any], options: dict[str, Any], text: str
) -> None:
    item = {**declared(tree.lineage("web", NAMES)), **change}
    asked = ask(host, item, **options)
    assert asked["needs"] == "issue"
    assert text in asked["msg"]
    assert asked["csr_content"]


def test_what_has_expired_or_another_kind_of_key_is_issued(host: Host, tree: CertbotTree) -> None:
    old = tree.lineage("old", NAMES, lifetime=30 * DAY, age=31 * DAY)
    assert "it expired at" in ask(host, declared(old, name="old"))["msg"]
    other = tree.lineage("other", NAMES, key_type="ecdsa-p521")
    assert "is ecdsa-p521, and keys here are ecdsa-p256" in ask(host, declared(other, name="other"))["msg"]
    listed = host.module("certificate_info", certbot_path=str(tree.root), store_path="/no/such/store")["certificates"]
    assert [item["declaration"] for item in listed] == [None, None]
    assert listed[0]["broken"].startswith("it expired at")


def test_files_of_another_user_are_taken_over_when_that_user_is_declared(
    host: Host, tree: CertbotTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    lineage = tree.lineage("web", NAMES)
    owner = 4711
    if os.geteuid() == 0:
        os.chown((lineage / "privkey.pem").resolve(), owner, -1)
    else:
        owner = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert f"belongs to another user (uid {owner})" in ask(host, declared(lineage), check=True)["msg"]
    taken = ask(host, declared(lineage, owner=str(owner)), check=True)
    assert codes(taken) == ["adopted"]


def test_plain_files_in_every_arrangement(host: Host, tmp_path: Path) -> None:
    key = make_key("ecdsa-p256")
    leaf = pem(CA.sign(key.public_key(), NAMES))
    chain = pem(CA.intermediate)
    private = key_pem(key).decode()
    texts = {
        "leaf.crt": f"subject=\n{leaf}",
        "full.crt": leaf + chain,
        "chain.crt": chain,
        "web.key": private,
        "all.pem": leaf + chain + private,
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    arrangements = {
        "leaf": ({"certificate": "leaf.crt", "private_key": "web.key", "chain": "chain.crt"}, leaf + chain),
        "both": ({"certificate": "full.crt", "private_key": "web.key", "chain": "full.crt"}, leaf + chain),
        "one": ({"certificate": "all.pem", "private_key": "all.pem"}, leaf + chain),
        "bare": ({"certificate": "leaf.crt", "private_key": "web.key"}, leaf),
    }
    for name, (paths, fullchain) in arrangements.items():
        adopt = {option: str(tmp_path / path) for option, path in paths.items()}
        item = {"name": name, "identifiers": NAMES, "adopt": adopt}
        asked = ask(host, item)
        assert codes(asked) == ["adopted"], asked["msg"]
        assert ("no chain lies there with it" in asked["msg"]) == (name == "bare")
        version = host.store / name / "versions" / "0001"
        assert (version / "fullchain.pem").read_text() == fullchain
        assert (version / "privkey.pem").read_text() == private
        meta = json.loads((version / "certificate.json").read_text())
        assert (meta["adopted_from"], meta["acme_directory"]) == (adopt["certificate"], None)
        assert asked["renewal_info"] is None
        assert "requested_profile" not in meta

    (tmp_path / "link.crt").symlink_to("full.crt")
    adopt = {"certificate": str(tmp_path / "link.crt"), "private_key": str(tmp_path / "web.key")}
    refused = ask(host, {"name": "link", "identifiers": NAMES, "adopt": adopt})
    assert f"link.crt is a link, which is not followed. Name what it leads to: {tmp_path}/full.crt" in refused["msg"]
    (tmp_path / "web.key").chmod(0o644)
    adopt["certificate"] = str(tmp_path / "full.crt")
    told = ask(host, {"name": "told", "identifiers": NAMES, "adopt": adopt})
    assert codes(told) == ["adopted"]
    assert "web.key (mode 0644): rotate it soon" in told["msg"]


def test_a_request_that_is_on_its_way_ends_at_what_was_taken_over(host: Host, tree: CertbotTree) -> None:
    item = declared(tree.lineage("web", NAMES))
    first = ask(host, {key: value for key, value in item.items() if key != "adopt"})
    assert first["needs"] == "issue"
    before = host.snapshot()
    planned = ask(host, item, check=True)
    assert (codes(planned), planned["changed"]) == (["adopted"], True)
    assert host.snapshot() == before
    assert codes(ask(host, item)) == ["adopted"]
    assert not (host.store / "web" / "pending").exists()
    late = only(host.module("certificate_install", certificates=[item], issued=[CA.issued(first)]))
    assert (late["version"], late["stage"], late["failed"]) == ("0001", "active", False)


def test_what_is_in_the_store_already_is_left_alone(host: Host, tree: CertbotTree) -> None:
    item = declared(tree.lineage("web", NAMES))
    plain = {key: value for key, value in item.items() if key != "adopt"}
    host.module("certificate_install", certificates=[plain], issued=[CA.issued(ask(host, plain))])
    before = host.snapshot()
    assert ask(host, item)["needs"] == "nothing"
    assert host.snapshot() == before


@pytest.mark.parametrize(
    ("adopt", "text"),
    [
        ({"certbot": "/etc/letsencrypt/live/x", "certificate": "/x", "private_key": "/y"}, "mutually exclusive"),
        ({"certificate": "/etc/ssl/web.pem"}, "private_key"),
        ({"chain": "/etc/ssl/web.pem"}, "adopt"),
        ({"certbot": "letsencrypt/live/x"}, "'letsencrypt/live/x' is not an absolute path"),
        ({"certbot": "/etc/letsencrypt/renewal/x"}, "is no lineage of certbot"),
    ],
)
def test_options_that_make_no_sense_are_refused(host: Host, adopt: dict[str, str], text: str) -> None:
    result = host.module("certificate_request", certificates=[{"name": "web", "identifiers": NAMES, "adopt": adopt}])
    assert result["failed"]
    assert text in result["msg"]
    assert not (host.store / "web").exists()


def test_the_listing_of_a_tree(host: Host, tree: CertbotTree) -> None:
    tree.lineage("example.com", ["example.com", "*.example.com"], versions=2)
    tree.lineage("Shop_Ä", ["shop.example"], key_type="rsa-2048", more="required_profile = classic")
    (tree.lineage("gone", ["gone.example"]) / "fullchain.pem").unlink()
    result = host.module("certificate_info", certbot_path=str(tree.root))
    assert not result["changed"]
    shop, example, gone = result["certificates"]
    assert {item["source"] for item in (shop, example, gone)} == {"certbot"}
    assert example["declaration"] == {
        "name": "example.com",
        "identifiers": ["*.example.com", "example.com"],
        "key_type": "ecdsa-p256",
        "adopt": {"certbot": str(tree.live("example.com"))},
    }
    assert (example["acme_directory"], example["expired"], example["broken"]) == (DIRECTORY, False, None)
    assert example["certificate"] == (tree.live("example.com") / "cert.pem").read_text()
    assert (shop["name"], shop["declaration"]["name"]) == ("Shop_Ä", "shop_-")
    assert (shop["declaration"]["key_type"], shop["declaration"]["profile"]) == ("rsa-2048", "classic")
    assert "fullchain.pem: No such file or directory" in gone["broken"]
    assert (gone["failed"], gone["declaration"]) == (False, None)
    chosen = host.module("certificate_info", certbot_path=str(tree.root), serials=[shop["serial"]])
    assert only(chosen)["name"] == "Shop_Ä"
    assert chosen["missing_serials"] == []
    assert host.module("certificate_info", certbot_path="/no/such/tree")["certificates"] == []


def test_a_play_over_a_host_whose_certificates_came_from_elsewhere(labs: Any, tmp_path: Path) -> None:
    lab = labs.fresh(hosts=1)
    try:
        tree = CertbotTree(tmp_path / "letsencrypt", CA, server=lab.acme["directory"])
        found = lab.hosts["web1"]["certificates"]
        for name, names in found.items():
            tree.lineage(name, names, versions=2)
        before = tree.snapshot()
        tasks = [
            {"certfleet.acme.certificate_info": {"certbot_path": str(tree.root)}, "register": "info"},
            {
                "ansible.builtin.set_fact": {
                    "certfleet_certificates": "{{ info.certificates | map(attribute='declaration') | select"
                    " | zip(certfleet_certificates | sort(attribute='name')) | map('combine') }}"
                }
            },
        ]
        book = tmp_path / "book.yml"
        taking = {"hosts": "web1", "gather_facts": False, "tasks": tasks}
        site = {"import_playbook": "certfleet.acme.site"}
        book.write_text(json.dumps([taking, site, site]), encoding="utf-8")
        done = playbook(book, lab.state.inventory, tmp_path)
        assert lab.requests("acme") == []
        assert lab.requests("route53") == []
        first, second = done.of("certificate_request")
        assert {item["needs"] for item in first["result"]["certificates"]} == {"install"}
        assert {codes(item)[0] for item in first["result"]["certificates"]} == {"adopted"}
        assert {item["needs"] for item in second["result"]["certificates"]} == {"nothing"}
        live = {name: (tree.live(name) / "cert.pem").read_bytes() for name in found}
        for name, names in found.items():
            served = lab.served("web1", names[0].replace("*", "www"))
            assert served.certificate == x509.load_pem_x509_certificate(live[name])
        assert tree.snapshot() == before

        site["vars"] = {"rotate_force": True}  # type: ignore[assignment]
        book.write_text(json.dumps([taking, site]), encoding="utf-8")
        rotated = playbook(book, lab.state.inventory, tmp_path)
        staged, row = rotated.of("certificate_install")
        assert {item["stage"] for item in staged["result"]["certificates"]} == {"staged"}
        assert {(item["version"], item["deployed"]) for item in row["result"]["certificates"]} == {("0002", True)}
        assert lab.counts("acme")["newOrder"] == len(found)
        for name, names in found.items():
            served = lab.served("web1", names[0].replace("*", "www"))
            assert served.certificate != x509.load_pem_x509_certificate(live[name])
        assert tree.snapshot() == before
    finally:
        lab.down()
