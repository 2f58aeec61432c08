# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils import _tls
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.host import Host, only
from tests.support.small_ca import DAY, DIRECTORY, SmallCA, pem
from tests.support.tls_server import TlsServer

CA = SmallCA()


class Service:
    """Two certificates, ``one`` and ``two``, that one TLS server serves."""

    def __init__(self, host: Host, server: TlsServer) -> None:
        self.host = host
        self.server = server
        self.check = host.root / "check"
        self.check.write_text("ok")

    def declared(self, name: str, **deploy: Any) -> dict[str, Any]:
        script = "import sys; text = open(sys.argv[1]).read(); print(text); sys.exit(text != 'ok')"
        return {
            "name": name,
            "identifiers": [f"{name}.example"],
            "deploy": {
                "check": [sys.executable, "-I", "-S", "-c", script, str(self.check)],
                "reload": self.server.reload,
                "endpoints": [{"port": self.server.port}],
                "timeout": 2,
                **deploy,
            },
        }

    @property
    def both(self) -> list[dict[str, Any]]:
        return [self.declared("one"), self.declared("two")]

    def issue(self, certificates: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
        asked = self.host.module("certificate_request", certificates=certificates, **options)
        return [CA.issued(item) for item in asked["certificates"] if item["needs"] == "issue"]

    def install(self, certificates: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
        return self.host.module("certificate_install", certificates=certificates, **options)

    def serve(self, *names: str) -> None:
        """Configure the server for these names only."""
        self.server.directories = {f"{name}.example": self.host.store / name / "current" for name in names}

    def start(self) -> dict[str, str]:
        """Issue and deploy both; the serials that are served then."""
        result = self.install(self.both, issued=self.issue(self.both))
        assert not result.get("failed"), result
        self.server.reloads = 0
        return {item["name"]: item["serial"] for item in result["certificates"]}

    def served(self, name: str) -> str:
        serial = _tls.handshake("127.0.0.1", self.server.port, f"{name}.example", timeout=5).facts()["serial"]
        return str(serial)

    def needs(self, name: str) -> list[str]:
        item = only(self.host.module("certificate_request", certificates=[self.declared(name)]))
        return [item["needs"], *(reason["code"] for reason in item["reasons"])]

    def current(self, name: str) -> str | None:
        link = self.host.store / name / "current"
        return os.readlink(link) if link.is_symlink() else None


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    host = Host(tmp_path)
    server = TlsServer()
    service = Service(host, server)
    service.serve("one", "two")
    yield service
    server.close()


def test_two_certificates_are_served_after_one_reload_and_then_nothing_is_left_to_do(service: Service) -> None:
    issued = service.issue(service.both)
    result = service.install(service.both, issued=issued)
    assert result["changed"]
    assert result["failed_items"] == []
    for item, source in zip(result["certificates"], issued):
        assert item["stage"] == "deployed"
        assert item["active"]
        assert item["deployed"]
        assert not item["rolled_back"]
        assert item["version"] == "0001"
        assert item["previous_serial"] is None
        assert item["path"] == str(service.host.store / item["name"] / "current")
        assert service.served(item["name"]) == item["serial"] == source["serial"]
    assert service.server.reloads == 1

    handshakes, before = service.server.handshakes, service.host.snapshot()
    for again in (service.install(service.both, issued=issued), service.install(service.both)):
        assert not again["changed"]
        assert [item["stage"] for item in again["certificates"]] == ["deployed", "deployed"]
    assert service.server.reloads == 1
    assert service.server.handshakes == handshakes
    assert service.host.snapshot() == before
    assert service.needs("one") == ["nothing"]


def test_what_is_kept_beside_the_certificate(service: Service) -> None:
    service.start()
    version = service.host.store / "one" / "versions" / "0001"
    meta = json.loads((version / "certificate.json").read_text())
    assert meta["acme_directory"] == DIRECTORY
    assert meta["profile"] == "chosen-by-the-ca"
    assert meta["requested_profile"] is None
    assert meta["deployed"]["at"]
    full = (version / "fullchain.pem").read_text()
    assert full == (version / "cert.pem").read_text() + (version / "chain.pem").read_text()
    assert (version / "cert.pem").read_text().count("BEGIN") == 1
    modes = {path.name: path.stat().st_mode & 0o777 for path in version.iterdir()}
    assert modes.pop("privkey.pem") == 0o600
    assert set(modes.values()) == {0o644}
    assert not (service.host.store / "one" / "pending").exists()


def test_a_rotation_serves_the_new_key_and_keeps_the_version_before(service: Service) -> None:
    serials = service.start()
    issued = service.issue(service.both, force=True)
    result = service.install(service.both, issued=issued)
    for item in result["certificates"]:
        assert item["version"] == "0002"
        assert item["previous_serial"] == serials[item["name"]]
        assert service.served(item["name"]) == item["serial"] != serials[item["name"]]
    versions = service.host.store / "one" / "versions"
    keys = {(versions / label / "privkey.pem").read_text() for label in ("0001", "0002")}
    assert len(keys) == 2
    listed = service.host.module("certificate_info", names=["one"], versions="replaced")
    assert only(listed)["serial"] == serials["one"]


def test_check_mode_writes_nothing_and_runs_nothing(service: Service) -> None:
    serials = service.start()
    issued = service.issue(service.both, force=True)
    before, handshakes = service.host.snapshot(), service.server.handshakes
    for state in ("staged", "active"):
        result = service.install(service.both, issued=issued, state=state, check=True, diff=True)
        assert result["changed"]
        assert len(result["diff"]) == 2
    without = service.install([service.declared("one")], issued=[{"name": "one", "failed": False}], check=True)
    assert without["changed"]
    assert service.host.snapshot() == before
    assert (service.server.reloads, service.server.handshakes) == (0, handshakes)
    assert service.served("one") == serials["one"]


def test_staged_first_active_later(service: Service) -> None:
    serials = service.start()
    issued = service.issue(service.both, force=True)
    staged = service.install(service.both, issued=issued, state="staged")
    assert [(item["stage"], item["active"]) for item in staged["certificates"]] == [("staged", False)] * 2
    assert not service.install(service.both, issued=issued, state="staged")["changed"]
    assert service.current("one") == "versions/0001"
    assert service.server.reloads == 0
    assert service.served("one") == serials["one"]
    would = service.install(service.both, check=True)
    assert would["changed"]
    assert service.current("one") == "versions/0001"
    result = service.install(service.both)
    assert [item["stage"] for item in result["certificates"]] == ["deployed"] * 2
    assert service.server.reloads == 1
    assert service.served("one") == result["certificates"][0]["serial"] != serials["one"]


def refused(kind: str, item: dict[str, Any], csr: str) -> dict[str, Any]:
    """An issued item with a chain that must not get into the store."""
    names = ["one.example"]
    other = pem(CA.sign(ec.generate_private_key(ec.SECP256R1()).public_key(), names))
    chains = {
        "key": other + pem(CA.intermediate),
        "names": CA.chain_for(csr, ["other.example"]),
        "expired": CA.chain_for(csr, lifetime=DAY, age=2 * DAY),
        "order": pem(x509.load_pem_x509_certificate(CA.chain_for(csr).encode())) + other,
        "damaged": CA.chain_for(csr)[:100] + CA.chain_for(csr)[140:],
        "upside down": pem(CA.intermediate) + item["certificate"],
    }
    return {**item, "fullchain": chains[kind], "certificate": "", "chain": ""}


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("key", "another key"),
        ("names", "for other.example, not for one.example"),
        ("expired", "expired at"),
        ("order", "out of order"),
        ("damaged", "cannot be read"),
        ("upside down", "another key"),
    ],
)
def test_a_chain_that_does_not_belong_is_refused_and_leaves_nothing(
    service: Service, kind: str, words: str, check: bool
) -> None:
    service.start()
    asked = service.host.module("certificate_request", certificates=service.both, force=True)["certificates"]
    one, two = (CA.issued(item) for item in asked)
    bad = refused(kind, one, asked[0]["csr_content"])
    before = {path: facts for path, facts in service.host.snapshot().items() if "/one" in path}
    result = service.install(service.both, issued=[bad, two], check=check)
    assert result["failed"]
    assert result["failed_items"] == ["one"]
    failed, fine = result["certificates"]
    assert failed["stage"] == "stage"
    assert words in failed["msg"]
    assert words in result["msg"]
    assert {path: facts for path, facts in service.host.snapshot().items() if "/one" in path} == before
    assert fine["changed"]
    if not check:
        assert fine["serial"] == service.served("two")
        # The request is still there: the right chain goes in.
        assert not service.install(service.both, issued=[one])["failed_items"]


def test_a_result_without_a_certificate_is_a_failure(service: Service) -> None:
    service.issue(service.both)
    item = only(service.install([service.declared("one")], issued=[{"name": "one", "failed": False}]))
    assert (item["failed"], item["stage"]) == (True, "stage")
    assert "no certificate came" in item["msg"]


def test_a_certificate_that_was_never_asked_for_here_is_refused(service: Service) -> None:
    service.serve("one")
    issued = service.issue([service.declared("one")])
    other = [{**issued[0], "name": "two"}, {**issued[0], "name": "three"}]
    result = service.install(service.both, issued=[*issued, *other])
    assert result["failed_items"] == ["two", "three"]
    assert "Run certificate_request first" in result["certificates"][1]["msg"]
    assert "not declared for this host" in result["certificates"][2]["msg"]
    assert result["certificates"][0]["deployed"]


def staged_files(service: Service) -> dict[str, Any]:
    return {path: facts for path, facts in service.host.snapshot().items() if "/one" in path}


@pytest.mark.parametrize("state", ["staged", "active"])
def test_two_runs_that_sent_one_request_to_the_ca_get_the_version_of_the_first(service: Service, state: str) -> None:
    one = [service.declared("one")]
    service.serve("one")
    asked = only(service.host.module("certificate_request", certificates=one))
    mine, theirs = CA.issued(asked), CA.issued(asked)
    assert mine["serial"] != theirs["serial"]
    first = only(service.install(one, issued=[theirs], state=state))
    before = service.host.snapshot()
    for check in (True, False):
        result = service.install(one, issued=[mine], state=state, check=check)
        item = only(result)
        assert (result["changed"], item["failed"], item["msg"]) == (False, False, "")
        assert (item["version"], item["serial"]) == ("0001", first["serial"]) == ("0001", theirs["serial"])
        assert item["stage"] == first["stage"]
    assert service.host.snapshot() == before
    assert not service.install(one, issued=[mine])["failed_items"]
    assert service.served("one") == theirs["serial"]


def test_a_run_that_another_one_has_overtaken_by_force(service: Service) -> None:
    one = [service.declared("one")]
    service.serve("one")
    mine = CA.issued(only(service.host.module("certificate_request", certificates=one)))
    # As long as the other run has nothing, neither has this one.
    asked = only(service.host.module("certificate_request", certificates=one, force=True))
    before = staged_files(service)
    item = only(service.install(one, issued=[mine]))
    assert (item["failed"], item["stage"], item["changed"]) == (True, "stage", False)
    assert "another run has asked for it anew meanwhile" in item["msg"]
    assert staged_files(service) == before
    theirs = only(service.install(one, issued=[CA.issued(asked)]))
    # Now the host has a newer certificate than the one that comes.
    result = service.install(one, issued=[mine])
    assert (result["changed"], only(result)["serial"], only(result)["failed"]) == (False, theirs["serial"], False)
    assert service.served("one") == theirs["serial"]
    # A certificate that the host never asked for is another matter.
    stranger = refused("key", mine, asked["csr_content"])
    assert "no request that the certificate could answer" in only(service.install(one, issued=[stranger]))["msg"]


def test_a_run_that_another_declaration_has_overtaken_fails(service: Service) -> None:
    one = service.declared("one")
    other = {**one, "identifiers": ["one.example", "www.one.example"]}
    service.serve("one")
    mine = CA.issued(only(service.host.module("certificate_request", certificates=[one])))
    theirs = only(service.install([other], issued=service.issue([other])))
    before = service.host.snapshot()
    item = only(service.install([one], issued=[mine], state="staged"))
    assert item["failed"]
    assert "another run has installed version 0001 meanwhile, but version 0001 is not as declared" in item["msg"]
    assert service.host.snapshot() == before
    assert service.served("one") == theirs["serial"]


def test_a_failed_check_rolls_back_before_any_reload_and_the_next_run_finishes(service: Service) -> None:
    serials = service.start()
    issued = service.issue(service.both, force=True)
    service.check.write_text("unknown directive foo in line 7")
    result = service.install(service.both, issued=issued)
    for item in result["certificates"]:
        assert (item["failed"], item["stage"], item["rolled_back"]) == (True, "check", True)
        assert "unknown directive foo in line 7" in item["msg"]
        assert "version 0001 is active again" in item["msg"]
        assert not item["active"]
    assert service.server.reloads == 0
    assert service.current("one") == "versions/0001"
    assert service.served("one") == serials["one"]

    assert service.needs("one") == ["install", "pending_install"]
    service.check.write_text("ok")
    assert not service.install(service.both)["failed_items"]
    assert service.served("one") == issued[0]["serial"]


def test_a_failed_reload_rolls_back_and_reloads_again(service: Service) -> None:
    serials = service.start()
    issued = service.issue(service.both, force=True)
    service.server.broken = "no memory left"
    result = service.install(service.both, issued=issued)
    for item in result["certificates"]:
        assert (item["stage"], item["rolled_back"]) == ("reload", True)
        assert "no memory left" in item["msg"]
        assert "the reload after rolling back failed too" in item["msg"]
    assert service.server.reloads == 2
    assert service.served("two") == serials["two"]
    assert service.current("two") == "versions/0001"
    service.server.broken = ""
    assert not service.install(service.both)["failed_items"]
    assert service.served("two") == issued[1]["serial"]


def test_one_endpoint_that_keeps_the_old_certificate_rolls_back_alone(service: Service) -> None:
    serials = service.start()
    issued = service.issue(service.both, force=True)
    service.server.stuck = {"one.example"}
    result = service.install(service.both, issued=issued)
    stuck, fine = result["certificates"]
    assert (stuck["stage"], stuck["rolled_back"], stuck["active"]) == ("prove", True, False)
    assert f"serves another certificate (serial {serials['one']}, one.example)" in stuck["msg"]
    assert service.current("one") == "versions/0001"
    assert (fine["stage"], fine["failed"]) == ("deployed", False)
    assert service.served("two") == issued[1]["serial"]
    assert service.server.reloads == 2
    service.server.stuck = set()
    again = service.install(service.both)
    assert [item["changed"] for item in again["certificates"]] == [True, False]
    assert service.served("one") == issued[0]["serial"]


def test_a_first_deployment_that_fails_leaves_no_version_active(service: Service) -> None:
    service.serve("one")
    declared = service.declared("one", endpoints=[{"port": 1}])
    result = service.install([declared], issued=service.issue([declared]))
    item = only(result)
    assert (item["stage"], item["rolled_back"], item["previous_serial"]) == ("prove", True, None)
    assert "127.0.0.1:1 (one.example): Connection refused" in item["msg"]
    assert service.current("one") is None
    assert service.needs("one") == ["install", "pending_install"]


def test_a_new_declaration_that_cannot_be_proven_takes_nothing_away(service: Service) -> None:
    serials = service.start()
    declared = service.declared("one", endpoints=[{"port": 1}])
    item = only(service.install([declared]))
    assert (item["stage"], item["rolled_back"], item["active"]) == ("prove", False, True)
    assert service.current("one") == "versions/0001"
    assert service.served("one") == serials["one"]


def test_a_run_that_ended_before_the_proof_is_taken_up_or_taken_back(service: Service) -> None:
    serials = service.start()
    service.install(service.both, issued=service.issue(service.both, force=True), state="staged")
    # What a run leaves that is killed after the switch.
    for name in ("one", "two"):
        entry = service.host.store / name
        path = entry / "versions" / "0002" / "certificate.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "activating": {"from": "0001"}}))
        (entry / "current").unlink()
        (entry / "current").symlink_to("versions/0002")
    assert service.needs("one") == ["install", "not_deployed"]
    service.server.stuck = {"one.example"}
    result = service.install(service.both)
    assert [item["rolled_back"] for item in result["certificates"]] == [True, False]
    assert service.current("one") == "versions/0001"
    assert service.served("one") == serials["one"]
    assert service.served("two") == result["certificates"][1]["serial"] != serials["two"]


def test_what_the_ca_refused_is_reported_after_the_others_were_installed(service: Service) -> None:
    service.serve("two")
    issued = service.issue(service.both)
    issued[0] = {"name": "one", "failed": True, "msg": "the CA says: one.example is on its list of refused names"}
    result = service.install(service.both, issued=issued)
    assert result["failed"]
    assert "one: the CA says: one.example is on its list of refused names" in result["msg"]
    refused_one, fine = result["certificates"]
    assert refused_one["stage"] == "issue"
    assert service.served("two") == fine["serial"]
    reported = service.install(service.both, issued=issued, item_failures="report")
    assert not reported.get("failed")
    assert reported["failed_items"] == ["one"]


def test_without_deploy_it_is_activated_and_that_is_all(service: Service) -> None:
    declared = {"name": "one", "identifiers": ["one.example"]}
    item = only(service.install([declared], issued=service.issue([declared])))
    assert (item["stage"], item["active"], item["deployed"]) == ("active", True, False)
    assert not service.install([declared])["changed"]
    assert service.server.reloads == 0


def test_nothing_there_and_nothing_issued_is_no_change(service: Service) -> None:
    result = service.install(service.both)
    assert not result["changed"]
    assert [item["stage"] for item in result["certificates"]] == ["nothing", "nothing"]
    assert not service.host.store.exists()


@pytest.mark.parametrize(("keep", "left"), [(1, ["0004", "0005"]), (3, ["0003", "0004", "0005"])])
def test_old_versions_go_the_active_one_and_the_one_before_stay(service: Service, keep: int, left: list[str]) -> None:
    service.serve("one")
    declared = [service.declared("one", check=None, endpoints=None)]
    for _round in range(5):
        service.install(declared, issued=service.issue(declared, force=True), keep_versions=keep)
    assert sorted(path.name for path in (service.host.store / "one" / "versions").iterdir()) == left
    assert service.current("one") == "versions/0005"
    assert not service.install(declared, keep_versions=keep)["changed"]
    fewer = service.install(declared, keep_versions=1, check=True)["changed"]
    assert fewer == (keep > 1)
    assert service.install(declared, keep_versions=1)["changed"] == fewer
    assert not service.install(declared, keep_versions=1)["changed"]


def test_an_old_staged_version_is_not_activated_when_it_is_not_as_declared_any_more(service: Service) -> None:
    serials = service.start()
    service.install(service.both, issued=service.issue(service.both, force=True), state="staged")
    changed = {**service.declared("one"), "identifiers": ["one.example", "more.example"]}
    item = only(service.install([changed]))
    assert not item["changed"]
    assert service.current("one") == "versions/0001"
    assert service.served("one") == serials["one"]


def test_the_group_may_read_keys_and_no_request(service: Service) -> None:
    service.serve("one")
    declared = {**service.declared("one"), "group": str(os.getgid())}
    issued = service.issue([declared])
    pending = service.host.store / "one" / "pending"
    assert pending.stat().st_mode & 0o777 == 0o700
    assert (pending / "privkey.pem").stat().st_mode & 0o777 == 0o600
    service.install([declared], issued=issued)
    version = service.host.store / "one" / "versions" / "0001"
    assert (version / "privkey.pem").stat().st_mode & 0o777 == 0o640
    assert version.stat().st_mode & 0o777 == 0o750
    assert not service.install([declared])["changed"]
    closed = service.install([service.declared("one")])
    assert closed["changed"]
    assert (version / "privkey.pem").stat().st_mode & 0o777 == 0o600


def test_keep_versions_and_issued_are_checked_first(service: Service) -> None:
    assert "keep_versions is 0" in service.install(service.both, keep_versions=0)["msg"]
    issued = service.issue(service.both)
    assert "two entries for one" in service.install(service.both, issued=[issued[0], issued[0]])["msg"]
    assert "has no name" in service.install(service.both, issued=[{"fullchain": "x"}])["msg"]
    assert "has no name" in service.install(service.both, issued=[{"name": ["one"]}])["msg"]
    assert "is no text" in service.install(service.both, issued=[{**issued[0], "fullchain": [1]}])["msg"]
    unusable: list[dict[str, Any]] = [{"keep_versions": 0}, {"issued": [issued[0], issued[0]]}, {"issued": [{}]}]
    for options in unusable:
        reported = service.install(service.both, item_failures="report", **options)
        assert reported["failed_items"] == ["one", "two"]
        assert "failed" not in reported
