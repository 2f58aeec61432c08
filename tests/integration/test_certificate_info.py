# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.host import Host, only
from tests.support.small_ca import DAY, DIRECTORY, SmallCA, pem

CA = SmallCA()
NAMES = ("web", "mail")


def declared(name: str) -> dict[str, Any]:
    return {"name": name, "identifiers": [f"{name}.example"]}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """``web`` with a replaced, an active and a staged version, ``mail`` with an active one."""
    host = Host(tmp_path)
    for name, rounds in (("web", ("active", "active", "staged")), ("mail", ("active",))):
        for state in rounds:
            asked = only(host.module("certificate_request", certificates=[declared(name)], force=True))
            issued = CA.issued(asked, lifetime=30 * DAY)
            host.module("certificate_install", certificates=[declared(name)], issued=[issued], state=state)
    return host


def rows(host: Host, **options: Any) -> list[tuple[str, str, str]]:
    result = host.module("certificate_info", **options)
    assert not result["changed"]
    return [(item["name"], item["version"], item["state"]) for item in result["certificates"]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [("mail", "0001", "active"), ("web", "0002", "active")]),
        ({"versions": "replaced"}, [("web", "0001", "replaced")]),
        ({"versions": "staged"}, [("web", "0003", "staged")]),
        (
            {"versions": "all", "names": ["web"]},
            [("web", "0001", "replaced"), ("web", "0002", "active"), ("web", "0003", "staged")],
        ),
        ({"names": ["nothing"]}, []),
        ({"store_path": "/no/such/store"}, []),
    ],
)
def test_which_versions_are_listed(host: Host, options: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    before = host.snapshot()
    assert rows(host, **options) == expected
    assert rows(host, **options, check=True) == expected
    assert host.snapshot() == before


def test_serials_are_found_in_any_spelling(host: Host) -> None:
    wanted = next(item for item in host.module("certificate_info")["certificates"] if item["name"] == "web")
    serial = wanted["serial"].upper()
    spelled = (
        "00:" + ":".join(serial[at : at + 2] for at in range(0, len(serial), 2)) if len(serial) % 2 == 0 else serial
    )
    assert rows(host, serials=[spelled], versions="all") == [("web", "0002", "active")]
    assert "not a hexadecimal" in host.module("certificate_info", serials=["xyz"])["msg"]


def test_what_was_asked_for_and_is_in_no_version_is_named(host: Host) -> None:
    web = host.module("certificate_info", names=["web"], versions="all")
    serials = [item["serial"] for item in web["certificates"]]
    assert (web["missing_names"], web["missing_serials"]) == ([], [])
    host.module("certificate_request", certificates=[declared("asked")])
    result = host.module("certificate_info", names=["mail", "gone", "asked", "gone"], versions="replaced")
    assert (result["certificates"], result["missing_names"]) == ([], ["gone", "asked"])
    for options in ({}, {"names": ["mail"]}, {"versions": "replaced"}):
        result = host.module("certificate_info", serials=[*serials, "00:AB", "Ab"], **options)
        assert result["missing_serials"] == ["Ab"]
    empty = host.module("certificate_info", store_path="/no/such/store", names=["web"], serials=[serials[0]])
    assert (empty["missing_names"], empty["missing_serials"]) == (["web"], [serials[0]])
    path = str(host.store / "mail" / "current" / "cert.pem")
    of_mail = only(host.module("certificate_info", names=["mail"]))["serial"]
    outside = host.module("certificate_info", store_path="/no/such/store", paths=[path], serials=[of_mail])
    assert outside["missing_serials"] == []


def test_what_is_told_of_a_certificate(host: Host) -> None:
    item = only(host.module("certificate_info", names=["mail"]))
    assert item["source"] == "store"
    assert item["identifiers"] == ["mail.example"]
    assert item["key_type"] == "ecdsa-p256"
    assert item["issuer"] == "CN=Small Intermediate"
    assert item["acme_directory"] == DIRECTORY
    assert item["profile"] == "chosen-by-the-ca"
    assert item["path"] == str(host.store / "mail" / "versions" / "0001")
    assert item["certificate"] == (host.store / "mail" / "current" / "cert.pem").read_text()
    assert item["broken"] is None
    assert item["expired"] is False
    assert 29 * 86400 < item["seconds_remaining"] <= 30 * 86400


def test_a_broken_version_is_listed_with_what_is_wrong(host: Host) -> None:
    (host.store / "mail" / "current" / "privkey.pem").unlink()
    item = only(host.module("certificate_info", names=["mail"]))
    assert item["broken"] == "privkey.pem is missing"
    assert item["identifiers"] == ["mail.example"]


def test_other_paths_and_patterns(host: Host, tmp_path: Path) -> None:
    live = tmp_path / "live"
    for name, age in (("a.example", 0), ("b.example", 40)):
        (live / name).mkdir(parents=True)
        leaf = CA.sign(ec.generate_private_key(ec.SECP256R1()).public_key(), [name], lifetime=30 * DAY, age=age * DAY)
        (live / name / "fullchain.pem").write_text("A comment\n" + pem(leaf) + pem(CA.intermediate))
    os.symlink(live / "a.example" / "fullchain.pem", live / "link.pem")
    (live / "text.pem").write_text("nothing")
    options: dict[str, Any] = {"store_path": "/no/such/store", "item_failures": "report"}
    paths = [str(live / "*" / "fullchain.pem"), str(live / "*.pem"), str(live / "gone.pem"), str(live / "none*")]
    result = host.module("certificate_info", paths=paths, **options)
    found = [
        (item["path"].removeprefix(f"{live}/"), item["identifiers"], item["expired"]) for item in result["certificates"]
    ]
    assert found == [
        ("a.example/fullchain.pem", ["a.example"], False),
        ("b.example/fullchain.pem", ["b.example"], True),
        ("link.pem", ["a.example"], False),
        ("text.pem", None, None),
        ("gone.pem", None, None),
    ]
    assert result["failed_items"] == [str(live / "text.pem"), str(live / "gone.pem")]
    messages = [item["msg"] for item in result["certificates"] if item["failed"]]
    assert messages == [
        f"{live}/text.pem: there is no PEM certificate in it",
        f"{live}/gone.pem: No such file or directory",
    ]
    failing = host.module("certificate_info", paths=paths, store_path="/no/such/store")
    assert failing["failed"]
    assert failing["msg"].startswith("2 of 5 certificates failed")


def test_a_folder_that_cannot_be_looked_at_does_not_hide_the_others(host: Host) -> None:
    (host.store / "mail" / "current").unlink()
    (host.store / "mail" / "current").symlink_to("/etc")
    result = host.module("certificate_info", item_failures="report")
    assert result["failed_items"] == ["mail"]
    assert [item["name"] for item in result["certificates"]] == ["mail", "web"]
    named = host.module("certificate_info", names=["mail"], serials=["ab"], item_failures="report")
    assert (named["failed_items"], named["missing_names"]) == (["mail"], [])
