# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.host import Host, only
from tests.support.small_ca import DAY, DIRECTORY, SmallCA

CA = SmallCA()
WEB = {"name": "web", "identifiers": ["example.com", "*.example.com"]}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def installed(host: Host, declared: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Request, issue, install; returns the result of the installation."""
    asked = only(host.module("certificate_request", certificates=[declared]))
    issued = CA.issued(asked, **options)
    return only(host.module("certificate_install", certificates=[declared], issued=[issued]))


def codes(item: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in item["reasons"]]


def needs(host: Host, declared: dict[str, Any], **options: Any) -> tuple[str, list[str]]:
    item = only(host.module("certificate_request", certificates=[declared], **options))
    return item["needs"], codes(item)


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072"])
def test_a_missing_certificate_gets_a_key_and_a_csr_once(host: Host, key_type: str) -> None:
    declared = {**WEB, "key_type": key_type}
    before = host.module("certificate_request", certificates=[declared], check=True)
    assert before["changed"]
    assert only(before)["needs"] == "issue"
    assert only(before)["csr_content"] is None
    assert not host.store.exists()

    first = host.module("certificate_request", certificates=[declared])
    item = only(first)
    assert first["changed"]
    assert item["needs"] == "issue"
    assert codes(item) == ["missing"]
    assert item["current"] is None
    assert item["replaces"] is None
    names, key = CA_facts(item["csr_content"])
    assert names == ["*.example.com", "example.com"]
    assert key == (key_type, item["public_key_sha256"])

    snapshot = host.snapshot()
    second = host.module("certificate_request", certificates=[declared])
    assert not second["changed"]
    assert only(second)["csr_content"] == item["csr_content"]
    assert host.snapshot() == snapshot


def CA_facts(csr: str) -> tuple[list[str], tuple[str, str]]:
    from ansible_collections.certfleet.acme.plugins.module_utils._x509 import csr_facts

    facts = csr_facts(csr)
    return facts["identifiers"], (facts["key_type"], facts["public_key_sha256"])


def test_the_key_is_for_its_owner_only_and_the_request_for_nobody_else(host: Host) -> None:
    host.module("certificate_request", certificates=[WEB])
    modes = {path.name: path.stat().st_mode & 0o777 for path in (host.store / "web").rglob("*")}
    assert modes == {"pending": 0o700, "privkey.pem": 0o600, "request.csr": 0o644, "request.json": 0o644}
    assert (host.store / "web").stat().st_mode & 0o777 == 0o700


def test_nothing_is_needed_once_it_is_installed(host: Host) -> None:
    done = installed(host, WEB)
    before = host.snapshot()
    result = host.module("certificate_request", certificates=[WEB], acme_directory=DIRECTORY)
    item = only(result)
    assert not result["changed"]
    assert (item["needs"], item["reasons"], item["csr_content"]) == ("nothing", [], None)
    assert item["current"]["serial"] == done["serial"]
    assert item["current"]["version"] == "0001"
    assert item["current"]["acme_directory"] == DIRECTORY
    assert host.snapshot() == before


@pytest.mark.parametrize(
    ("change", "options", "code"),
    [
        ({"identifiers": ["example.com", "www.example.com"]}, {}, "identifiers_changed"),
        ({"key_type": "ecdsa-p384"}, {}, "key_type_changed"),
        ({"profile": "shortlived"}, {}, "profile_changed"),
        ({}, {"acme_directory": "https://other.example/directory"}, "ca_changed"),
        ({"renew_when_remaining": 0.999999}, {}, "due"),
        ({"force": True}, {}, "forced"),
        ({}, {"force": True}, "forced"),
    ],
)
def test_each_reason_makes_a_new_request_with_a_new_key(
    host: Host, change: dict[str, Any], options: dict[str, Any], code: str
) -> None:
    installed(host, WEB)
    old = only(host.module("certificate_info"))
    declared = {**WEB, **change}
    tried = only(host.module("certificate_request", certificates=[declared], check=True, **options))
    assert (tried["needs"], codes(tried), tried["csr_content"]) == ("issue", [code], None)
    before = host.snapshot()
    item = only(host.module("certificate_request", certificates=[declared], diff=True, **options))
    assert (item["needs"], codes(item)) == ("issue", [code])
    assert item["public_key_sha256"] != old["public_key_sha256"]
    assert item["replaces"] == (None if code == "ca_changed" else old["ari_cert_id"])
    kept = {path: facts for path, facts in before.items() if "/versions" in path or path.endswith("current")}
    assert kept.items() <= host.snapshot().items()


def test_renew_false_leaves_what_is_merely_due_and_not_what_has_expired(host: Host) -> None:
    installed(host, WEB, lifetime=30 * DAY, age=25 * DAY)
    assert needs(host, WEB) == ("issue", ["due"])
    assert needs(host, WEB, renew=False) == ("nothing", [])
    drifted = {**WEB, "identifiers": ["example.com"]}
    assert needs(host, drifted, renew=False) == ("issue", ["identifiers_changed"])


def test_a_broken_certificate_is_issued_again(host: Host) -> None:
    installed(host, WEB)
    (host.store / "web" / "current" / "privkey.pem").write_text("nonsense")
    item = only(host.module("certificate_request", certificates=[WEB]))
    assert codes(item) == ["broken"]
    assert "private key cannot be read" in item["reasons"][0]["text"]


def test_an_unfinished_request_is_gone_on_with_unless_it_no_longer_fits(host: Host) -> None:
    first = only(host.module("certificate_request", certificates=[WEB]))["csr_content"]
    turned = {**WEB, "identifiers": ["*.example.com", "EXAMPLE.com."]}
    assert only(host.module("certificate_request", certificates=[turned]))["csr_content"] == first
    other = {**WEB, "identifiers": ["example.com"]}
    second = only(host.module("certificate_request", certificates=[other]))["csr_content"]
    assert second != first
    third = only(host.module("certificate_request", certificates=[{**other, "key_type": "rsa-2048"}]))["csr_content"]
    assert third not in (first, second)
    (host.store / "web" / "pending" / "privkey.pem").unlink()
    assert only(host.module("certificate_request", certificates=[other]))["csr_content"] not in (first, second, third)


def test_force_distrusts_a_key_of_an_ordinary_request_and_goes_on_with_its_own(host: Host) -> None:
    ordinary = only(host.module("certificate_request", certificates=[WEB]))["csr_content"]
    forced = only(host.module("certificate_request", certificates=[WEB], force=True))["csr_content"]
    assert forced != ordinary
    again = host.module("certificate_request", certificates=[WEB], force=True)
    assert only(again)["csr_content"] == forced
    assert not again["changed"]


def aged(host: Host, days: int) -> None:
    """Let the request that lies there have been made so many days ago."""
    path = host.store / "web" / "pending" / "request.json"
    made = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)
    path.write_text(json.dumps({**json.loads(path.read_text()), "created_at": made.strftime("%Y-%m-%dT%H:%M:%SZ")}))


def test_what_was_asked_for_by_force_is_asked_for_until_it_has_come(host: Host) -> None:
    installed(host, WEB)
    forced = only(host.module("certificate_request", certificates=[WEB], force=True))["csr_content"]
    before = host.snapshot()
    for options in ({"check": True}, {}, {"renew": False}):
        result = host.module("certificate_request", certificates=[WEB], **options)
        item = only(result)
        assert (item["needs"], codes(item), item["csr_content"]) == ("issue", ["forced"], forced)
        assert "asked for by force and has not come yet" in item["msg"]
        assert not result["changed"]
    assert host.snapshot() == before
    host.module("certificate_install", certificates=[WEB])
    assert needs(host, {**WEB, "renew_when_remaining": 0.999999}) == ("issue", ["forced", "due"])
    again = only(host.module("certificate_request", certificates=[WEB]))
    done = only(host.module("certificate_install", certificates=[WEB], issued=[CA.issued(again)]))
    assert done["version"] == "0002"
    assert needs(host, WEB) == ("nothing", [])


def test_force_outlives_its_request(host: Host) -> None:
    """Its key is too old, then its names are changed: each time a new key, and still by force."""
    installed(host, WEB)
    keys = [only(host.module("certificate_request", certificates=[WEB], force=True))["public_key_sha256"]]
    aged(host, 8)
    for declared in (WEB, {**WEB, "identifiers": ["example.com"]}, WEB):
        item = only(host.module("certificate_request", certificates=[declared]))
        assert codes(item)[0] == "forced"
        keys.append(item["public_key_sha256"])
    assert len(set(keys)) == 4
    (host.store / "web" / "pending" / "privkey.pem").unlink()
    assert needs(host, WEB) == ("issue", ["forced"])


def test_a_request_that_a_killed_run_left_beside_its_version_asks_for_nothing(host: Host) -> None:
    asked = only(host.module("certificate_request", certificates=[WEB], force=True))
    shutil.copytree(host.store / "web" / "pending", host.root / "kept")
    host.module("certificate_install", certificates=[WEB], issued=[CA.issued(asked)])
    shutil.move(host.root / "kept", host.store / "web" / "pending")
    for check in (True, False):
        item = only(host.module("certificate_request", certificates=[WEB], check=check))
        assert (item["needs"], codes(item)) == ("nothing", [])


def test_a_key_that_nothing_asks_for_any_more_does_not_stay(host: Host) -> None:
    installed(host, WEB)
    due = {**WEB, "renew_when_remaining": 0.999999}
    assert needs(host, due) == ("issue", ["due"])
    pending = host.store / "web" / "pending"
    aged(host, 6)  # another run may be at it
    assert not host.module("certificate_request", certificates=[WEB])["changed"]
    assert (pending / "privkey.pem").exists()
    aged(host, 8)
    told = host.module("certificate_request", certificates=[WEB], check=True, diff=True)
    assert told["changed"]
    assert "request:" not in told["diff"][0]["after"]
    assert (pending / "privkey.pem").exists()
    assert host.module("certificate_request", certificates=[WEB])["changed"]
    assert sorted(path.name for path in (host.store / "web").iterdir()) == ["current", "versions"]
    assert not host.module("certificate_request", certificates=[WEB])["changed"]


def test_a_staged_certificate_waits_for_its_installation(host: Host) -> None:
    asked = only(host.module("certificate_request", certificates=[WEB]))
    host.module("certificate_install", certificates=[WEB], issued=[CA.issued(asked)], state="staged")
    assert needs(host, WEB) == ("install", ["pending_install"])
    changed = {**WEB, "identifiers": ["example.org"]}
    assert needs(host, changed) == ("issue", ["identifiers_changed"])


def test_a_declaration_of_deploy_that_was_never_proven_asks_for_installation(host: Host) -> None:
    installed(host, WEB)
    declared = {**WEB, "deploy": {"reload": ["true"]}}
    assert needs(host, declared) == ("install", ["not_deployed"])
    host.module("certificate_install", certificates=[declared])
    assert needs(host, declared) == ("nothing", [])
    assert needs(host, {**WEB, "deploy": {"reload": ["true", "now"]}}) == ("install", ["not_deployed"])


def test_a_profile_that_the_ca_chose_by_itself_is_no_drift_and_a_dropped_one_is(host: Host) -> None:
    declared = {**WEB, "profile": "classic"}
    installed(host, declared)
    assert needs(host, declared) == ("nothing", [])
    assert needs(host, WEB) == ("issue", ["profile_changed"])


def test_modes_are_brought_back_and_check_mode_only_tells(host: Host) -> None:
    installed(host, WEB)
    key = host.store / "web" / "versions" / "0001" / "privkey.pem"
    key.chmod(0o644)
    assert host.module("certificate_request", certificates=[WEB], check=True)["changed"]
    assert key.stat().st_mode & 0o777 == 0o644
    result = host.module("certificate_request", certificates=[WEB])
    assert result["changed"]
    assert only(result)["needs"] == "nothing"
    assert key.stat().st_mode & 0o777 == 0o600
    assert not host.module("certificate_request", certificates=[WEB])["changed"]


def test_a_declared_mode_is_given_to_what_is_there_and_to_what_comes(host: Host) -> None:
    """The parts of a SELinux context change nothing where there is no SELinux."""
    installed(host, WEB)
    declared = {**WEB, "mode": "0640", "seuser": "_default", "serole": "object_r", "setype": "cert_t", "selevel": "s0"}
    assert host.module("certificate_request", certificates=[declared], check=True)["changed"]
    assert host.module("certificate_request", certificates=[declared])["changed"]
    assert not host.module("certificate_request", certificates=[declared])["changed"]
    assert not host.module("certificate_install", certificates=[declared], check=True)["changed"]
    installed(host, {**declared, "force": True})
    for version in ("0001", "0002"):
        folder = host.store / "web" / "versions" / version
        assert (folder / "privkey.pem").stat().st_mode & 0o777 == 0o640
        assert (folder / "cert.pem").stat().st_mode & 0o777 == 0o644
        assert folder.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"name": "../web"}, "cannot name a certificate"),
        ({"name": ".hidden"}, "cannot name a certificate"),
        ({"identifiers": []}, "no identifier"),
        ({"mode": "0644"}, "mode of web is 0644, which gives others rights"),
        ({"mode": 0o640}, "mode of web is 416"),  # YAML without quotes
        ({"setype": "etc_t:s0"}, "setype of web is"),
        ({"identifiers": ["no name"]}, "not a DNS name"),
        ({"renew_when_remaining": 1.5}, "renew_when_remaining is 1.5"),
        ({"owner": "nobody-has-this-name"}, "no user"),
        ({"group": "nobody-has-this-name"}, "no group"),
        ({"deploy": {"reload": [""]}}, "empty program name"),
        (
            {"deploy": {"reload": "systemctl reload nginx"}},
            "deploy.reload of web is one string, 'systemctl reload nginx', and no program has that name here. "
            "Write it as a list of words: [systemctl, reload, nginx]",
        ),
        ({"deploy": {"check": "sh -c 'nginx -t'"}}, 'list of words: [sh, "-c", "nginx -t"]'),
        ({"deploy": {"check": "sh 'open"}}, """list of words: [sh, "'open"]"""),
    ],
)
def test_one_bad_declaration_fails_alone_in_one_line(host: Host, item: dict[str, Any], words: str) -> None:
    good = {"name": "good", "identifiers": ["good.example"]}
    result = host.module("certificate_request", certificates=[{**WEB, **item}, good])
    assert result["failed"]
    bad, fine = result["certificates"]
    assert bad["failed"]
    assert words in bad["msg"]
    assert words in result["msg"]
    assert "\n" not in result["msg"]
    assert fine["csr_content"]
    assert sorted(path.name for path in host.store.iterdir()) == ["good"]
    reported = host.module("certificate_request", certificates=[{**WEB, **item}, good], item_failures="report")
    assert reported["failed_items"] == [{**WEB, **item}["name"]]


def test_a_program_whose_path_has_a_space_is_no_command_line(host: Host, tmp_path: Path) -> None:
    program = tmp_path / "my reload"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    done = installed(host, {**WEB, "deploy": {"reload": [str(program)]}})
    assert done["deployed"]


def test_one_name_twice_is_refused_before_anything_is_written(host: Host) -> None:
    result = host.module("certificate_request", certificates=[WEB, WEB])
    assert "declared twice" in result["msg"]
    assert not host.store.exists()


def _link(host: Host) -> None:
    (host.root / "elsewhere").mkdir()
    host.store.symlink_to(host.root / "elsewhere")


def _open_to_all(host: Host) -> None:
    host.store.mkdir()
    host.store.chmod(0o777)


def _file_in_its_way(host: Host) -> None:
    host.store.write_text("")


@pytest.mark.parametrize("module", ["certificate_request", "certificate_install"])
@pytest.mark.parametrize(
    ("spoil", "options", "words"),
    [
        (_link, {}, "is not followed"),
        (_open_to_all, {}, "can be written by others"),
        (_file_in_its_way, {}, "is a link or not what the store has in that place"),
        (None, {"certificates": [WEB, WEB]}, "declared twice"),
        (None, {"store_path": "/dev/null/store", "certificates": [WEB]}, "/dev/null is no directory"),
    ],
)
def test_what_concerns_all_is_reported_as_the_failure_of_each(
    host: Host, module: str, spoil: Any, options: dict[str, Any], words: str
) -> None:
    if spoil:
        spoil(host)
    asked = {"certificates": [WEB, {"name": "mail", "identifiers": ["mail.example"]}], **options}
    result = host.module(module, item_failures="report", **asked)
    assert "failed" not in result
    assert result["failed_items"] == [item["name"] for item in asked["certificates"]]
    for item, declared in zip(result["certificates"], asked["certificates"]):
        assert (item["name"], item["failed"], item["changed"]) == (declared["name"], True, False)
        assert words in item["msg"]
    failing = host.module(module, **asked)
    assert failing["failed"]
    assert words in failing["msg"]
    if spoil:
        assert host.module(module, certificates=[], item_failures="report")["failed"]


def test_diff_tells_names_dates_and_reasons(host: Host) -> None:
    installed(host, WEB)
    result = host.module("certificate_request", certificates=[{**WEB, "identifiers": ["example.com"]}], diff=True)
    (diff,) = result["diff"]
    assert "not_after: " in diff["before"]
    assert "identifiers: *.example.com dropped" in diff["after"]


def test_a_store_that_is_gone_is_made_again(host: Host) -> None:
    installed(host, WEB)
    shutil.rmtree(host.store)
    assert needs(host, WEB) == ("issue", ["missing"])
