# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The key of one host on another, by the modules alone."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.host import Host, only
from tests.support.small_ca import SmallCA

CA = SmallCA()
WEB = {"name": "web", "identifiers": ["web.example"], "key_location": "shared"}


class Pair:
    """Two hosts with a store each; ``one`` orders, ``two`` follows."""

    def __init__(self, root: Path) -> None:
        self.one, self.two = Host(root / "one"), Host(root / "two")
        for host in (self.one, self.two):
            host.root.mkdir()

    def ask(self, host: Host, **options: Any) -> dict[str, Any]:
        return only(
            host.module("certificate_request", certificates=[{**WEB, **options.pop("declared", {})}], **options)
        )

    def share(self, asked: dict[str, Any], public_key: str, host: Host | None = None, **more: Any) -> dict[str, Any]:
        wanted = {
            "name": "web",
            "host": "two",
            "recipient": asked["recipient"],
            "public_key_sha256": public_key,
            **more,
        }
        result = (host or self.one).module("certificate_share", wanted=[wanted], item_failures="report")
        assert not result["changed"]
        return only(result, "shares")

    def install(self, host: Host, item: dict[str, Any], **options: Any) -> dict[str, Any]:
        certificates = [{**WEB, **options.pop("declared", {})}]
        result = host.module(
            "certificate_install", certificates=certificates, issued=[item], item_failures="report", **options
        )
        return only(result)

    def held(self) -> dict[str, Any]:
        """The certificate that ``one`` has, which it gets first."""
        assert not self.install(self.one, CA.issued(self.ask(self.one)))["failed"]
        found: dict[str, Any] = self.ask(self.one)["held"]
        return found


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def key(host: Host) -> Path:
    return host.store / "web" / "current" / "privkey.pem"


def follower(item: dict[str, Any], share: dict[str, Any]) -> dict[str, Any]:
    """What the roles make of an item and the key that came for it."""
    return {**item, **{name: value for name, value in share.items() if value is not None}, "shared_from": "one"}


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "rsa-2048"])
def test_a_certificate_that_has_just_come_and_one_that_is_there(pair: Pair, key_type: str) -> None:
    declared = {"key_type": key_type}
    first, second = pair.ask(pair.one, declared=declared), pair.ask(pair.two, declared=declared)
    assert first["recipient"] != second["recipient"]
    assert first["public_key_sha256"] != second["public_key_sha256"]
    issued = CA.issued(first)
    # Its certificate is not in the first host's store yet.
    share = pair.share(second, first["public_key_sha256"])
    assert (share["failed"], share["fullchain"]) == (False, None)
    recipient = pair.two.store / "web" / "pending" / "recipient.pem"
    assert recipient.stat().st_mode & 0o777 == 0o600
    done = pair.install(pair.two, follower(issued, share), declared=declared)
    assert (done["failed"], done["active"], done["serial"]) == (False, True, issued["serial"])
    assert not recipient.exists()
    assert key(pair.two).stat().st_mode & 0o777 == 0o600
    assert not pair.install(pair.one, issued, declared=declared)["failed"]
    assert key(pair.one).read_bytes() == key(pair.two).read_bytes()
    for host in (pair.one, pair.two):
        again = pair.ask(host, declared=declared)
        assert (again["needs"], again["changed"], again["held"]["serial"]) == ("nothing", False, issued["serial"])
    # Once more, which is no news; the recipient's key is gone, and the key is there.
    assert not pair.install(pair.two, follower(issued, share), declared=declared)["changed"]


def test_what_is_in_the_store_comes_with_all_that_is_known_of_it(pair: Pair) -> None:
    held = pair.held()
    share = pair.share(pair.ask(pair.two), held["public_key_sha256"], serial=held["serial"])
    done = pair.install(pair.two, follower({"name": "web"}, share))
    assert done["serial"] == held["serial"]
    one, two = (pair.ask(host)["current"] for host in (pair.one, pair.two))
    told = ("acme_directory", "account_uri", "order_uri", "certificate_url", "profile", "requested_profile", "issuer")
    assert {name: one[name] for name in told} == {name: two[name] for name in told}
    assert two["acme_directory"]
    assert (key(pair.two).parent / "fullchain.pem").read_text() == (key(pair.one).parent / "fullchain.pem").read_text()


def test_no_key_leaves_a_host_that_anybody_else_could_use(pair: Pair, tmp_path: Path) -> None:
    held, asked = pair.held(), pair.ask(pair.two)
    share = pair.share(asked, held["public_key_sha256"])
    pem = key(pair.one).read_bytes()
    assert pem[60:100] not in base64.b64decode(share["sealed_key"])
    third = Host(tmp_path / "three")
    assert pair.ask(third)["needs"] == "issue"
    stolen = pair.install(third, follower({"name": "web"}, share))
    assert stolen["failed"]
    assert "sealed for another request" in stolen["msg"]
    # A request is of one time: the next one has another recipient.
    forced = pair.ask(pair.two, force=True)
    assert forced["recipient"] != asked["recipient"]
    late = pair.install(pair.two, follower({"name": "web"}, share))
    assert "sealed for another request" in late["msg"]
    assert not key(pair.two).exists()
    assert share["sealed_key"] not in str(stolen)


def test_what_was_tampered_with_is_refused(pair: Pair) -> None:
    held, asked = pair.held(), pair.ask(pair.two)
    share = pair.share(asked, held["public_key_sha256"])
    octets = bytearray(base64.b64decode(share["sealed_key"]))
    octets[-1] ^= 1
    damaged = {**share, "sealed_key": base64.b64encode(bytes(octets)).decode()}
    assert "is damaged" in pair.install(pair.two, follower({"name": "web"}, damaged))["msg"]
    # Another certificate beside the right key, and the right one without its key.
    other = CA.issued(pair.ask(Host(pair.two.root / "other")))
    swapped = {**share, "fullchain": other["fullchain"]}
    assert "another certificate" in pair.install(pair.two, follower({"name": "web"}, swapped))["msg"]
    bare = {**share, "sealed_key": None}
    assert (
        "its key is on one and has not come from there"
        in (pair.install(pair.two, follower({"name": "web"}, bare))["msg"])
    )
    assert (
        "not declared here as shared"
        in (pair.install(pair.two, follower({"name": "web"}, share), declared={"key_location": "host"})["msg"])
    )
    assert not key(pair.two).exists()
    assert not pair.install(pair.two, follower({"name": "web"}, share))["failed"]


def test_what_cannot_be_sealed_is_said(pair: Pair) -> None:
    asked = pair.ask(pair.two)
    assert "there is no web in the store" in pair.share(asked, "ab" * 32)["msg"]
    held = pair.held()
    gone = pair.share(asked, "ab" * 32)
    assert "is in the store" in gone["msg"]
    assert "no more" in gone["msg"]
    other = pair.share(asked, held["public_key_sha256"], serial="ab")
    assert "no more" in other["msg"]
    bad = pair.share({"recipient": "AAAA"}, held["public_key_sha256"])
    assert "the recipient's public key" in bad["msg"]


def test_a_host_with_another_certificate_asks_when_it_is_told(pair: Pair) -> None:
    held = pair.held()
    assert not pair.install(pair.two, CA.issued(pair.ask(pair.two)))["failed"]
    before = pair.ask(pair.two)
    assert before["needs"] == "nothing"
    told = [{"name": "web", "host": "one", "serial": held["serial"]}]
    snapshot = pair.two.snapshot()
    planned = pair.two.module("certificate_request", certificates=[WEB], shared_elsewhere=told, check=True)
    assert (only(planned)["needs"], pair.two.snapshot()) == ("issue", snapshot)
    asked = pair.ask(pair.two, shared_elsewhere=told)
    assert [reason["code"] for reason in asked["reasons"]] == ["shared_elsewhere"]
    assert f"the certificate of one, serial {held['serial']}" in asked["msg"]
    share = pair.share(asked, held["public_key_sha256"])
    assert pair.install(pair.two, follower({"name": "web"}, share))["serial"] == held["serial"]
    assert pair.ask(pair.two, shared_elsewhere=told)["needs"] == "nothing"


def test_another_location_of_the_key(pair: Pair) -> None:
    own = {"key_location": "host"}
    asked = pair.ask(pair.one, declared=own)
    assert (asked["recipient"], asked["held"]) == (None, None)
    pair.install(pair.one, CA.issued(asked), declared=own)
    # Its key may be shared from now on, and has been when it is declared to be the host's alone again.
    assert pair.ask(pair.one)["needs"] == "nothing"
    again = pair.ask(pair.one, declared=own)
    assert [reason["code"] for reason in again["reasons"]] == ["key_location_changed"]
    pair.install(pair.one, CA.issued(again), declared=own)
    assert pair.ask(pair.one, declared=own)["needs"] == "nothing"


def test_a_group_that_may_read_the_key_may_not_read_what_opens_it(pair: Pair) -> None:
    pair.ask(pair.two, declared={"group": str(os.getgid())})
    recipient = pair.two.store / "web" / "pending" / "recipient.pem"
    recipient.chmod(0o640)
    assert pair.ask(pair.two, declared={"group": str(os.getgid())})["changed"]
    assert recipient.stat().st_mode & 0o777 == 0o600
