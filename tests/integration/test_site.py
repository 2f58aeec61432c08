# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The main job end to end: issue, deploy, rotate and revoke, on real CAs, through each DNS provider."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.certfleet.acme.plugins.module_utils import _x509
from cryptography.hazmat.primitives import serialization

from tests.integration.fleet import Run, playbook
from tests.integration.providers import WRITES, pairs, servers
from tests.lab.api import Lab

#: Each CA and each emulator of Route53; ``--dns`` has every CA with that provider.
#: Names in Cloud DNS go through the same in test_site_two_clouds.py, and here with --dns=cloud_dns.
PAIRS = pairs(("acme2certifier", "ministack"), ("pebble", "moto"))
#: What each host serves, by host and server name, with the name of the certificate.
ENDPOINTS = [
    ("web1", "example.com", "apex"),
    ("web1", "www.example.com", "apex"),
    ("web1", "web1.example.com", "web"),
    ("web2", "web2.example.com", "web"),
    ("web3", "web3.example.com", "web"),
]
#: Requests that may change something at a CA or in a zone.
WRITING = {"newAccount", "newOrder", "challenge", "finalize", "revokeCert", *WRITES}


@pytest.fixture
def fresh(request: pytest.FixtureRequest, labs: Any) -> Iterator[Lab]:
    """A lab that nothing has been issued in."""
    lab = labs.fresh(*getattr(request, "param", PAIRS[0]))
    yield lab
    try:
        assert not lab.cloud_dns or lab.cloud_violations() == []
    finally:
        lab.down()


def run(lab: Lab, name: str, work: Path, **options: Any) -> Run:
    return playbook(f"certfleet.acme.{name}", lab.state.inventory, work, **options)


def play(lab: Lab, work: Path, *plays: dict[str, Any], **options: Any) -> Run:
    """Several playbooks as one: starting Ansible is a good part of what each costs."""
    book = work / "book.yml"
    book.write_text(json.dumps(plays), encoding="utf-8")
    return playbook(book, lab.state.inventory, work, **options)


def serials(lab: Lab) -> dict[tuple[str, str], str]:
    return {(host, name): lab.served(host, name).serial for host, name, _certificate in ENDPOINTS}


def reported(done: Run) -> dict[tuple[str, str], str]:
    rows = [row["result"]["certificates"] for row in done.of("fleet_report")][-1]
    return {(row["host"], row["name"]): row["serial"] for row in rows}


def snapshot(root: Path) -> dict[str, Any]:
    """What is in a folder, and when each thing in it was changed."""
    return {str(path): path.lstat().st_mtime_ns for path in sorted(root.rglob("*"))}


def quiet(lab: Lab) -> None:
    """Nothing was asked of the CA, the zones or the name server."""
    for server in servers(lab):
        assert lab.requests(server) == []


@pytest.mark.parametrize(
    "fresh",
    [PAIRS[0], *(pytest.param(pair, marks=pytest.mark.thorough) for pair in PAIRS[1:])],
    indirect=True,
    ids="-".join,
)
def test_issue_deploy_rotate_revoke(fresh: Lab, tmp_path: Path) -> None:
    lab = fresh
    first = run(lab, "site", tmp_path)
    before = serials(lab)
    assert {
        key: before[key[0], name] for key in reported(first) for host, name, cert in ENDPOINTS if (host, cert) == key
    } == (reported(first))
    assert lab.all_txt() == {}
    assert first.module_calls == [
        *(f"{host}: certificate_request" for host in sorted_hosts(first, "certificate_request")),
        "web1: acme_certificate",
        # Each host keeps what it got; then it is brought into use, on one host, and then on the others.
        *(f"{host}: certificate_install" for host in sorted_hosts(first, "certificate_install")),
    ]
    assert sorted(sorted_hosts(first, "certificate_install")[:3]) == ["web1", "web2", "web3"]
    assert sorted_hosts(first, "certificate_install")[3:] == ["web1", "web2", "web3"]

    # Nothing due: one module call for each host, and nobody else is asked anything.
    lab.reset_log()
    stores = [Path(host["store_path"]) for host in lab.hosts.values()]
    state = [snapshot(store) for store in stores]
    second = run(lab, "site", tmp_path)
    assert second.changed == []
    assert sorted(second.module_calls) == [f"web{number}: certificate_request" for number in (1, 2, 3)]
    assert second.report == ["4 certificates: 0 changed, 4 unchanged, 0 failed"]
    assert [snapshot(store) for store in stores] == state
    assert serials(lab) == before
    # The handshakes above are with nginx, which asks nobody.
    quiet(lab)

    journal = tmp_path / "journal"
    rotated = run(lab, "rotate", tmp_path, variables={"rotate_force": True, "certfleet_journal": str(journal)})
    assert stat.S_IMODE(journal.stat().st_mode) == 0o700
    assert [path.name for path in journal.iterdir()] == [".lock"]  # it was used, and nothing is left to tell of
    after = serials(lab)
    assert not set(after.values()) & set(before.values())
    keys = {
        item["serial"]: item["previous_serial"]
        for row in rotated.of("certificate_install")
        for item in row["result"]["certificates"]
    }
    assert set(keys.values()) == set(before.values())
    assert lab.all_txt() == {}

    lab.reset_log()
    checked = run(lab, "revoke", tmp_path, arguments=["--check"])
    assert checked.changed
    assert WRITING & set(lab.counts("acme")) <= {"newAccount"}  # the account is looked up
    assert not any(lab.is_revoked(serial) for serial in before.values())

    revoked = run(lab, "revoke", tmp_path)
    assert revoked.changed
    assert all(lab.is_revoked(serial) for serial in before.values())
    assert not any(lab.is_revoked(serial) for serial in after.values())
    again = run(lab, "revoke", tmp_path)
    assert again.changed == []
    assert serials(lab) == after


def sorted_hosts(done: Run, action: str) -> list[str]:
    """Hosts in the order in which their results of an action came."""
    return [row["host"] for row in done.of(action)]


@pytest.mark.parametrize(
    "fresh", pairs(("acme2certifier", "ministack"), ("pebble", "cloud_dns")), indirect=True, ids="-".join
)
def test_check_mode_says_what_would_be_done_and_does_nothing(fresh: Lab, tmp_path: Path) -> None:
    lab = fresh
    before = snapshot(lab.state.root / "hosts") | snapshot(lab.state.root / "controller")
    done = run(lab, "site", tmp_path, arguments=["--check", "--diff"])
    assert not WRITING & {kind for server in servers(lab) for kind in lab.counts(server)}
    assert lab.all_txt() == {}
    assert snapshot(lab.state.root / "hosts") | snapshot(lab.state.root / "controller") == before
    assert "web2 web: would change (there is no certificate yet)" in done.report
    assert done.report[-1] == "4 certificates: 4 would change, 0 changed, 0 unchanged, 0 failed"
    assert "+request: ecdsa-p256 for example.com, *.example.com" in done.output
    with pytest.raises(OSError, match="refused"):
        lab.served("web2", "web2.example.com")


def test_issue_and_deploy_each_on_its_own(fresh: Lab, tmp_path: Path) -> None:
    lab = fresh
    issued = run(lab, "issue", tmp_path)
    assert any(line.startswith("web2 web: new certificate staged, serial ") for line in issued.report)
    store = Path(lab.hosts["web2"]["store_path"]) / "web"
    assert not (store / "current").exists()
    with pytest.raises(OSError, match="refused"):
        lab.served("web2", "web2.example.com")

    lab.reset_log()
    assert run(lab, "issue", tmp_path).changed == []
    quiet(lab)

    planned = run(lab, "deploy", tmp_path, arguments=["--check"])
    assert planned.changed
    assert not (store / "current").exists()
    deployed = run(lab, "deploy", tmp_path)
    assert set(reported(deployed).values()) == set(serials(lab).values())
    again = play(lab, tmp_path, *({"import_playbook": f"certfleet.acme.{name}"} for name in ("deploy", "site")))
    assert again.changed == []
    assert len(again.of("fleet_report")) == 3 + 1, "one for each wave of the first, and one at the end of the other"
    quiet(lab)


@pytest.mark.parametrize(
    "fresh",
    [PAIRS[0], *(pytest.param(pair, marks=pytest.mark.thorough) for pair in PAIRS[1:2])],
    indirect=True,
    ids="-".join,
)
def test_an_unreachable_host_and_a_refused_name_harm_nobody_else(fresh: Lab, tmp_path: Path) -> None:
    lab = fresh
    extra = {
        "web": {
            "hosts": {
                "web3": {
                    "certfleet_certificates": [
                        {"name": "bad", "identifiers": ["shop.refused.test"]},
                        {"name": "good", "identifiers": ["good.example.com"]},
                    ]
                },
                "web4": {"ansible_connection": "ssh", "ansible_host": "web4.invalid"},
            }
        }
    }
    more = tmp_path / "more.yml"
    more.write_text(json.dumps(extra), encoding="utf-8")
    done = run(lab, "site", tmp_path, arguments=["-i", str(more)], expect=4)
    assert lab.served("web1", "example.com").serial == reported(done)["web1", "apex"]
    assert lab.served("web2", "web2.example.com").serial == reported(done)["web2", "web"]
    assert (Path(lab.hosts["web3"]["store_path"]) / "good" / "current" / "fullchain.pem").exists()
    assert set(done.failed) == {"web3", "web4"}
    refusal = next(line for line in done.report if line.startswith("web3 bad: FAILED: "))
    assert "shop.refused.test" in refusal
    assert "rejectedIdentifier" in refusal
    assert any(line.startswith("web4: FAILED: it left the play") for line in done.report)
    assert done.report[-1] == "5 certificates: 4 changed, 0 unchanged, 1 failed, 1 host lost"
    assert lab.all_txt() == {}


def stored(lab: Lab) -> dict[str, list[str]]:
    """For each certificate on each host which version is in use, and then all that there are."""
    folders = [folder for host in lab.hosts.values() for folder in sorted(Path(host["store_path"]).iterdir())]
    return {
        str(folder): [
            (folder / "current").readlink().name,
            *sorted(path.name for path in (folder / "versions").iterdir()),
        ]
        for folder in folders
        if folder.is_dir()
    }


def test_a_service_that_does_not_take_its_certificate_stops_the_rollout(fresh: Lab, tmp_path: Path) -> None:
    """The canary keeps serving the old one, nobody else is touched, and what was obtained for them is not lost."""
    lab = fresh
    run(lab, "site", tmp_path, variables={"certfleet_serial": "100%"})
    before, first = serials(lab), stored(lab)
    assert set(map(tuple, first.values())) == {("0001", "0001")}

    # The reload of web1 does nothing, so that the proof finds the old certificate.
    declared = json.loads(json.dumps(inventory_of(lab)["web1"]["certfleet_certificates"]))
    for certificate in declared:
        certificate["deploy"].update(reload=["true"], timeout=1)
    deaf = tmp_path / "deaf.yml"
    deaf.write_text(json.dumps({"all": {"hosts": {"web1": {"certfleet_certificates": declared}}}}), encoding="utf-8")
    lab.reset_log()
    stopped = run(lab, "rotate", tmp_path, variables={"rotate_force": True}, arguments=["-i", str(deaf)], expect=2)
    assert [len(row["result"]["certificates"]) for row in stopped.of("acme_certificate")] == [4]
    assert lab.counts("acme")["newOrder"] == 4
    assert set(stopped.failed) == {"web1"}
    assert "still serves the previous certificate" in stopped.failed["web1"]
    assert serials(lab) == before
    assert set(map(tuple, stored(lab).values())) == {("0001", "0001", "0002")}
    assert any("not reached: web2, web3; what was obtained for them is staged" in line for line in stopped.report)
    assert any(line.startswith("web2 web: new certificate staged, serial ") for line in stopped.report)
    why = "(wanted because: a new certificate is asked for by force)"
    assert any(line.startswith("web1 apex: FAILED: ") and line.endswith(why) for line in stopped.report)

    # Repaired: the rest of the way, and nobody is asked for anything again.
    lab.reset_log()
    done = run(lab, "site", tmp_path)
    quiet(lab)
    assert set(map(tuple, stored(lab).values())) == {("0002", "0001", "0002")}
    assert not set(serials(lab).values()) & set(before.values())
    assert done.report[-1] == "4 certificates: 4 changed, 0 unchanged, 0 failed"
    assert [row["result"]["waiting_hosts"] for row in done.of("fleet_report")] == [["web2", "web3"], ["web3"], [], []]


def inventory_of(lab: Lab) -> dict[str, Any]:
    """The variables of each host in the lab's inventory."""
    found = yaml.safe_load(Path(lab.state.inventory).read_text(encoding="utf-8"))
    hosts: dict[str, Any] = found["all"]["children"]["web"]["hosts"]
    return hosts


KEY_TYPES = ("rsa-2048", "rsa-3072", "rsa-4096", "ecdsa-p256", "ecdsa-p384")


@pytest.mark.thorough
def test_account_keys_of_each_type(lab: Lab, tmp_path: Path) -> None:
    def account(key_type: str) -> dict[str, Any]:
        settings = {"certfleet_account_key_type": key_type, "certfleet_account_key_src": str(tmp_path / key_type)}
        return {"import_playbook": "certfleet.acme.account", "vars": settings}

    first = play(lab, tmp_path, *map(account, KEY_TYPES))
    assert len(first.changed) == len(KEY_TYPES)
    for key_type in KEY_TYPES:
        made = serialization.load_pem_private_key((tmp_path / key_type).read_bytes(), None)
        assert _x509.key_type(made) == key_type
    again = play(lab, tmp_path, *map(account, KEY_TYPES))
    assert again.changed == []
    assert len(again.of("acme_account")) == len(KEY_TYPES)


@pytest.mark.thorough
def test_certificates_of_each_key_type_in_one_batch(lab: Lab, tmp_path: Path) -> None:
    """With an account key of another type than any of the defaults."""

    def certificates(types: tuple[str, ...]) -> list[dict[str, Any]]:
        return [
            {"name": name, "identifiers": [f"{name}.example.com"], "key_type": key_type}
            for name, key_type in zip(KEY_TYPES, types)
        ]

    variables = {
        "certfleet_account_key_type": "rsa-2048",
        "certfleet_account_key_src": str(tmp_path / "account.key"),
        "certfleet_certificates": certificates(KEY_TYPES),
        "certfleet_store_path": str(tmp_path / "store"),
    }
    limit = ["--limit", "web2"]
    done = run(lab, "site", tmp_path, variables=variables, arguments=limit)
    for key_type in KEY_TYPES:
        chain = (tmp_path / "store" / key_type / "current" / "fullchain.pem").read_text(encoding="utf-8")
        assert _x509.certificate_facts(_x509.load_chain(chain)[0])["key_type"] == key_type
    staged, installed = done.of("certificate_install")
    assert [item["stage"] for item in staged["result"]["certificates"]] == ["staged"] * len(KEY_TYPES)
    assert [item["active"] for item in installed["result"]["certificates"]] == [True] * len(KEY_TYPES)

    others = (*KEY_TYPES[1:], KEY_TYPES[0])
    declared = {**variables, "certfleet_certificates": certificates(others)}
    drift = run(lab, "site", tmp_path, variables=declared, arguments=[*limit, "--check"])
    for was, is_now in zip(KEY_TYPES, others):
        assert any(f"key type: {was}, {is_now} is declared" in line for line in drift.report)


@pytest.mark.thorough
def test_names_that_are_added_are_issued(lab: Lab, tmp_path: Path) -> None:
    variables: dict[str, Any] = {"certfleet_store_path": str(tmp_path / "store")}
    one = [{"name": "drift", "identifiers": ["drift.example.com"]}]
    two = [{"name": "drift", "identifiers": ["drift.example.com", "drift2.example.com"]}]
    limit = ["--limit", "web2"]
    run(lab, "site", tmp_path, variables={**variables, "certfleet_certificates": one}, arguments=limit)
    done = run(lab, "site", tmp_path, variables={**variables, "certfleet_certificates": two}, arguments=limit)
    assert "drift2.example.com added" in done.report[0]
    item = done.of("acme_certificate")[0]["result"]["certificates"][0]
    assert item["identifiers"] == ["drift.example.com", "drift2.example.com"]


def test_one_batch_goes_to_one_ca_only(lab: Lab, tmp_path: Path) -> None:
    other = tmp_path / "more.json"
    vars_of_web3 = {"certfleet_acme_directory": "https://127.0.0.1:1/directory"}
    other.write_text(json.dumps({"all": {"hosts": {"web3": vars_of_web3}}}), encoding="utf-8")
    variables = {"certfleet_store_path": str(tmp_path / "store")}
    done = run(lab, "site", tmp_path, arguments=["-i", str(other)], variables=variables, expect=2)
    # Each host learns it as the cause of its own certificates.
    assert set(done.failed) == {"web1", "web2", "web3"}
    cause = done.failed["web1"]
    assert all("the hosts of this play declare different CAs" in text for text in done.failed.values())
    # Which host's CA the batch would go to depends on which comes first.
    assert ("web3: https://127.0.0.1:1/directory" in cause) != (f"web1: {lab.acme['directory']}" in cause)
    assert lab.requests("acme") == []


#: Passes on what it is asked to run, after it has noted it: who became another user, and for what.
_NOTING_SUDO = """#!/bin/sh
printf '%s\\n' "$*" >> {log}
while [ "$1" != /bin/sh ]; do shift; done
exec "$@"
"""


def test_no_other_user_on_the_controller_when_hosts_need_one(lab: Lab, tmp_path: Path) -> None:
    log, sudo = tmp_path / "sudo.log", tmp_path / "sudo"
    sudo.write_text(_NOTING_SUDO.format(log=log), encoding="utf-8")
    sudo.chmod(0o755)
    inventory = tmp_path / "become.json"
    settings = {
        "ansible_become": True,
        "ansible_become_method": "sudo",
        "ansible_become_exe": str(sudo),
        "ansible_become_user": "nobody",
    }
    inventory.write_text(json.dumps({"all": {"vars": settings}}), encoding="utf-8")
    variables = {
        "certfleet_store_path": str(tmp_path / "store"),
        "certfleet_certificates": [{"name": "become", "identifiers": ["become.example.com"]}],
    }
    arguments = ["--limit", "web2", "-i", str(inventory)]
    run(lab, "account", tmp_path, variables=variables, arguments=["-i", str(inventory)])
    assert not log.exists(), "the account's key is the controller's"
    run(lab, "site", tmp_path, variables=variables, arguments=arguments)
    assert "certificate_install" in log.read_text(encoding="utf-8")
    assert "acme_certificate" not in log.read_text(encoding="utf-8")
    run(lab, "revoke", tmp_path, variables={**variables, "revoke_versions": "active"}, arguments=arguments)
    assert "acme_revoke" not in log.read_text(encoding="utf-8")


def test_a_revocation_is_reported_and_a_slip_in_its_name_is_refused(lab: Lab, tmp_path: Path) -> None:
    variables = {
        "certfleet_store_path": str(tmp_path / "store"),
        "certfleet_certificates": [{"name": "gone", "identifiers": ["gone.example.com"]}],
        "revoke_versions": "active",
    }
    limit = ["--limit", "web2"]
    run(lab, "site", tmp_path, variables=variables, arguments=limit)
    slip = run(lab, "revoke", tmp_path, variables={**variables, "revoke_names": ["gnoe"]}, arguments=limit, expect=2)
    assert "no host of this play holds gnoe: nothing was revoked" in slip.failed["web2"]
    serial = run(lab, "revoke", tmp_path, variables={**variables, "revoke_serials": ["a1"]}, arguments=limit, expect=2)
    assert "no host of this play holds a1" in serial.failed["web2"]
    done = run(lab, "revoke", tmp_path, variables={**variables, "revoke_names": ["gone"]}, arguments=limit)
    (item,) = done.of("acme_revoke")[0]["result"]["certificates"]
    assert lab.is_revoked(item["serial"])
    assert done.report == [
        f"web2 gone: revoked, serial {item['serial']}",
        "1 certificate: 1 changed, 0 unchanged, 0 failed",
    ]


def test_nothing_declared_is_nothing_to_do(lab: Lab, tmp_path: Path) -> None:
    nothings: tuple[Any, ...] = ([], None)
    for nothing in nothings:
        done = run(lab, "site", tmp_path, variables={"certfleet_certificates": nothing})
        assert done.changed == []
        assert done.report == ["0 certificates: 0 changed, 0 unchanged, 0 failed"]
    quiet(lab)
