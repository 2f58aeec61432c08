# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Formats, links and copies through the modules, each opened by the programs that they are for."""

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
from ansible_collections.certfleet.acme.plugins.module_utils._tls.connection import handshake
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.integration.conftest import missing
from tests.support.host import Host, only
from tests.support.small_ca import SmallCA
from tests.support.tls_server import TlsServer

CA = SmallCA()
PASSPHRASE = "correct-horse-battery"
KEY_TYPES = ["ecdsa-p256", "rsa-2048"]


def program(name: str) -> str:
    """Where it is; the test is left out without it, where that is allowed."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None:
        missing(f"there is no {name} on this machine")
    return found


def declared(**options: Any) -> dict[str, Any]:
    return {
        "name": "web",
        "identifiers": ["web.example"],
        "formats": ["combined_pem", "pkcs12", "der"],
        "pkcs12": {"passphrase": PASSPHRASE, "friendly_name": "tomcat"},
        **options,
    }


class Web:
    """One certificate on a host, and a directory for links and copies."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.current = host.store / "web" / "current"
        self.etc = host.root / "etc"
        self.etc.mkdir()

    def install(self, certificate: dict[str, Any], *, force: bool = False, **options: Any) -> dict[str, Any]:
        """Request, issue when needed, install; the result of the module."""
        asked = only(self.host.module("certificate_request", certificates=[certificate], force=force))
        issued = [CA.issued(asked)] if asked["needs"] == "issue" else []
        return self.host.module("certificate_install", certificates=[certificate], issued=issued, **options)


@pytest.fixture
def web(tmp_path: Path) -> Web:
    return Web(Host(tmp_path))


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_openssl_reads_the_keystore(web: Web, key_type: str) -> None:
    openssl = program("openssl")
    web.install(declared(key_type=key_type))
    command = [openssl, "pkcs12", "-in", str(web.current / "keystore.p12"), "-passin", "env:WORD", "-nodes"]
    done = subprocess.run(command, capture_output=True, text=True, env={"WORD": PASSPHRASE}, timeout=60, check=True)
    assert done.stdout.count("BEGIN CERTIFICATE") == 2
    assert done.stdout.count("PRIVATE KEY") == 2
    assert "friendlyName: tomcat" in done.stdout
    wrong = subprocess.run(
        command, capture_output=True, text=True, env={"WORD": "wrong-wrong"}, timeout=60, check=False
    )
    assert wrong.returncode != 0


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_java_reads_the_keystore_and_its_key(web: Web, key_type: str) -> None:
    keytool = program("keytool")
    web.install(declared(key_type=key_type))
    environment = {"WORD": PASSPHRASE, "PATH": os.environ["PATH"], "LC_ALL": "C"}
    source = ["-storepass:env", "WORD", "-keystore", str(web.current / "keystore.p12")]
    listed = subprocess.run(
        [keytool, "-list", "-v", *source], capture_output=True, text=True, env=environment, timeout=120, check=True
    )
    assert "Alias name: tomcat" in listed.stdout
    assert "Entry type: PrivateKeyEntry" in listed.stdout
    assert "Certificate chain length: 2" in listed.stdout
    serial = format(x509.load_pem_x509_certificate((web.current / "cert.pem").read_bytes()).serial_number, "x")
    assert f"Serial number: {serial}" in listed.stdout
    # To sign with the key, Java must have decrypted it.
    asked = subprocess.run(
        [keytool, "-certreq", "-alias", "tomcat", *source],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=True,
    )
    public = x509.load_pem_x509_csr(asked.stdout.encode()).public_key()
    key = serialization.load_pem_private_key((web.current / "privkey.pem").read_bytes(), None)
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert public.public_bytes(*form) == key.public_key().public_bytes(*form)


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_servers_read_the_combined_file_and_the_library_reads_der(web: Web, key_type: str) -> None:
    web.install(declared(key_type=key_type))
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(web.current / "combined.pem")
    leaf = x509.load_pem_x509_certificate((web.current / "cert.pem").read_bytes())
    assert x509.load_der_x509_certificate((web.current / "cert.der").read_bytes()) == leaf
    data = (web.current / "privkey.der").read_bytes()
    key = serialization.load_der_private_key(data, None)
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert key.public_key().public_bytes(*form) == leaf.public_key().public_bytes(*form)
    words = [program("openssl"), "pkcs8", "-inform", "DER", "-nocrypt", "-in", str(web.current / "privkey.der")]
    assert subprocess.run(words, capture_output=True, timeout=60, check=True).stdout.startswith(
        b"-----BEGIN PRIVATE KEY-----"
    )


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_haproxy_reads_the_combined_file_in_place_and_as_link_and_copy(web: Web, key_type: str) -> None:
    haproxy = program("haproxy")
    files = [
        {"path": str(web.etc / "link.pem"), "source": "combined.pem"},
        {"path": str(web.etc / "copy.pem"), "source": "combined.pem", "kind": "copy"},
    ]
    configuration = web.host.root / "haproxy.cfg"
    text = "defaults\n  timeout client 1s\n  timeout connect 1s\n  timeout server 1s\n  mode http\n"
    places = [web.current / "combined.pem", web.etc / "link.pem", web.etc / "copy.pem"]
    for number, place in enumerate(places):
        text += f"frontend f{number}\n  bind unix@{web.host.root}/s{number} ssl crt {place}\n  default_backend none\n"
    configuration.write_text(text + "backend none\n")
    deploy = {"check": [haproxy, "-c", "-f", str(configuration)]}
    done = web.install(declared(key_type=key_type, files=files, deploy=deploy))
    assert only(done)["stage"] == "deployed", done
    # Without what it reads, the check fails, and what was removed for it is there again.
    before = (web.etc / "copy.pem").read_bytes()
    refused = web.install(declared(key_type=key_type, formats=[], pkcs12=None, files=[], deploy=deploy))
    assert refused["failed"]
    assert "its files are as before again" in only(refused)["msg"]
    assert (web.etc / "copy.pem").read_bytes() == before == (web.etc / "link.pem").read_bytes()
    assert subprocess.run(deploy["check"], capture_output=True, timeout=60, check=False).returncode == 0


@pytest.fixture
def server() -> Iterator[TlsServer]:
    server = TlsServer()
    yield server
    server.close()


def test_a_service_that_reads_copies_has_the_old_ones_after_a_failed_proof(web: Web, server: TlsServer) -> None:
    server.directories = {"web.example": web.etc}
    certificate = declared(
        files=[
            {"path": str(web.etc / name), "source": name, "kind": "copy"} for name in ("fullchain.pem", "privkey.pem")
        ],
        deploy={"reload": server.reload, "endpoints": [{"port": server.port}], "timeout": 2},
    )
    first = only(web.install(certificate))
    assert (first["deployed"], server.reloads) == (True, 1)
    server.stuck = {"web.example"}
    failed = only(web.install(certificate, force=True))
    assert (failed["rolled_back"], failed["stage"]) == (True, "prove")
    server.stuck = set()
    assert (web.etc / "privkey.pem").read_bytes() == (web.current / "privkey.pem").read_bytes()

    def served() -> str:
        return str(handshake("127.0.0.1", server.port, "web.example", timeout=5).facts()["serial"])

    assert served() == first["serial"]
    again = only(web.install(certificate))
    assert (again["deployed"], served()) == (True, again["serial"])
    assert again["serial"] != first["serial"]


def test_nothing_changes_twice_and_check_mode_changes_nothing(web: Web) -> None:
    path = str(web.etc / "haproxy.pem")
    plain = {"name": "web", "identifiers": ["web.example"]}
    wanted = declared(files=[{"path": path, "source": "combined.pem", "kind": "copy", "mode": "0600"}])
    web.install(plain)
    before = web.host.snapshot()
    asked = web.host.module("certificate_request", certificates=[wanted], check=True)
    assert (asked["changed"], only(asked)["needs"]) == (False, "install")
    assert [reason["code"] for reason in only(asked)["reasons"]] == ["files_differ"]
    seen = web.host.module("certificate_install", certificates=[wanted], check=True, diff=True)
    assert seen["changed"]
    assert sorted(only(seen)["files"]) == sorted([path, "cert.der", "combined.pem", "keystore.p12", "privkey.der"])
    assert f"file: {path}" in json.dumps(seen["diff"])
    assert before == web.host.snapshot()
    assert not Path(path).exists()

    done = web.install(wanted, diff=True)
    assert only(done)["files"] == only(seen)["files"]
    after = web.host.snapshot()
    for check in (True, False):
        for module in ("certificate_request", "certificate_install"):
            assert not web.host.module(module, certificates=[wanted], check=check)["changed"]
    assert after == web.host.snapshot()

    listed = only(web.host.module("certificate_info"))
    assert (listed["formats"], listed["files"]) == (["combined_pem", "pkcs12", "der"], [path])
    gone = web.host.module("certificate_install", certificates=[plain], check=True)
    assert (gone["changed"], sorted(only(gone)["files"])) == (True, sorted(only(done)["files"]))
    assert after == web.host.snapshot()
    web.install(plain)
    listed = only(web.host.module("certificate_info"))
    assert (listed["formats"], listed["files"], Path(path).exists()) == ([], [], False)


@pytest.mark.parametrize("passphrase", [PASSPHRASE, "short", "not-ascii-é", None])
def test_the_passphrase_and_the_key_are_in_no_result(web: Web, passphrase: str | None) -> None:
    certificate = declared(
        pkcs12={"passphrase": passphrase},
        files=[{"path": str(web.etc / "key.der"), "source": "privkey.der", "kind": "copy"}],
    )
    results: list[dict[str, Any]] = []
    for check in (True, False):
        for module in ("certificate_request", "certificate_install"):
            # As with -vvv, where the result tells what the module was called with.
            options: dict[str, Any] = {"_ansible_inject_invocation": True}
            options.update(certificates=[certificate], item_failures="report")
            if results and module == "certificate_install" and not check:
                options["issued"] = [CA.issued(item) for item in results[-1]["certificates"] if item["csr_content"]]
            results.append(web.host.module(module, check=check, diff=True, **options))
    assert bool(results[-1]["failed_items"]) == (passphrase != PASSPHRASE)
    text = json.dumps(results, ensure_ascii=False)
    assert all(result["invocation"]["module_args"]["certificates"] for result in results)
    assert not passphrase or passphrase not in text
    written = [path for path in web.host.root.rglob("*") if path.is_file()]
    assert not [path for path in written if passphrase and passphrase.encode() in path.read_bytes()]
    if passphrase == PASSPHRASE:
        assert only(results[-1])["stage"] == "active"
        assert (web.etc / "key.der").read_bytes() == (web.current / "privkey.der").read_bytes()


def test_paths_are_refused_before_anything_is_written(web: Web) -> None:
    twice = [
        {"name": name, "identifiers": [f"{name}.example"], "files": [{"path": path, "source": "cert.pem"}]}
        for name, path in (("one", f"{web.etc}/a"), ("two", f"{web.etc}/../etc/a"))
    ]
    inside = [{**twice[0], "files": [{"path": str(web.host.store / "one" / "x"), "source": "cert.pem"}]}]
    relative = [{**twice[0], "files": [{"path": "etc/a", "source": "cert.pem"}]}]
    for certificates, words in (
        (twice, "declared twice"),
        (inside, "is in the store"),
        (relative, "not the absolute path"),
    ):
        for module in ("certificate_request", "certificate_install"):
            result = web.host.module(module, certificates=certificates)
            assert result["failed"]
            assert words in result["msg"]
    assert not web.host.store.exists()
    assert list(web.etc.iterdir()) == []
