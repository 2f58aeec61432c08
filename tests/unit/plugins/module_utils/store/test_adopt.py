# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking over certificates: certbot's notes, names for the store, and a run that ends at each single step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._store import certbot, request
from ansible_collections.certfleet.acme.plugins.module_utils._store import install as installation
from ansible_collections.certfleet.acme.plugins.module_utils._store.adopt import Source
from ansible_collections.certfleet.acme.plugins.module_utils._store.declared import parse
from ansible_collections.certfleet.acme.plugins.module_utils._store.entry import Store, Version
from ansible_collections.certfleet.acme.plugins.module_utils._store.files import Ownership, no_step
from ansible_collections.certfleet.acme.plugins.module_utils._store.transaction import Transaction, Work

from tests.support.broken_off import full_at, killed_at
from tests.support.certbot_tree import CertbotTree
from tests.support.small_ca import DIRECTORY, SmallCA

CA = SmallCA()
Step = Callable[[str], None]


def renewal(text: str) -> certbot.Renewal:
    return certbot.renewal_of("/le/live/web", lambda path: {"/le/renewal/web.conf": text}[path].encode())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[renewalparams]\nserver = https://a/d\n", certbot.Renewal(True, "https://a/d")),
        ("server = https://no/d\n[renewalparams]\n", certbot.Renewal(True)),
        ("[renewalparams]\n[[webroot_map]]\nserver = /srv\n[other]\nserver = x\n", certbot.Renewal(True)),
        (
            "[ renewalparams ] # kept\nrequired_profile = 'a'\npreferred_profile = b\nserver = None\n",
            certbot.Renewal(True, None, "a"),
        ),
        ('[renewalparams]\npreferred_profile = "b"\nrequired_profile = None\n', certbot.Renewal(True, None, "b")),
        ("version = 5.8.0\n", certbot.Renewal()),
        ("\x00\xff[", certbot.Renewal()),
    ],
)
def test_what_certbot_has_noted(text: str, expected: certbot.Renewal) -> None:
    assert renewal(text) == expected


def test_notes_that_cannot_be_read_say_nothing() -> None:
    def read(_path: str) -> bytes:
        raise CertfleetError("no")

    assert certbot.renewal_of("/le/live/web", read) == certbot.Renewal()


def test_names_that_the_store_takes() -> None:
    names = ["Example.com", "example.com", "_dmarc.example", "a" * 80, "..", "b ö/c"]
    found = certbot.store_names(names)
    assert found["example.com"] == "example.com"
    assert found["Example.com"].startswith("example.com-")
    assert (found["_dmarc.example"], found["a" * 80], found["b ö/c"]) == ("dmarc.example", "a" * 64, "b---c")
    assert found[".."].startswith("certificate-")
    assert len(set(found.values())) == len(names)
    assert certbot.store_names(list(reversed(names)))["example.com"] == "example.com"
    assert {parse(declared(Path("/x/live/x"), name=name)).name for name in found.values()} == set(found.values())


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"certbot": "live/web"}, "adopt.certbot 'live/web' is not an absolute path"),
        ({"certbot": "/etc/letsencrypt"}, "is no lineage of certbot"),
        ({"certificate": "/a", "private_key": "b"}, "adopt.private_key 'b' is not an absolute path"),
    ],
)
def test_places_that_are_none(item: dict[str, str], text: str) -> None:
    with pytest.raises(CertfleetError, match=text):
        Source.of(item)


def test_places() -> None:
    assert Source.of(None) is None
    assert Source.of({"certbot": "/le/live/web/", "chain": None}) == Source(certbot="/le/live/web")
    assert Source(certificate="/a", private_key="/b").path == "/a"


def declared(lineage: Path, **more: Any) -> dict[str, Any]:
    return {
        "name": "web",
        "identifiers": ["example.com"],
        "key_type": "ecdsa-p256",
        "profile": None,
        "renew_when_remaining": None,
        "force": False,
        "owner": None,
        "group": None,
        "deploy": {"reload": ["reload"], "endpoints": [{"host": "h", "port": 1, "server_name": None}]},
        "adopt": {"certbot": str(lineage)},
        **more,
    }


class Deployment:
    """A service that serves what it is asked for, or does not, until it was reloaded. Counts what is done to it."""

    def __init__(self, item: dict[str, Any], *, served: bool) -> None:
        self.item = item
        self.served = served
        self.reloads = 0
        self.asked: list[bool] = []

    def command(self, _argv: object) -> None:
        self.reloads += 1
        self.served = True

    def prove(self, *_where: object, once: bool = False, **_how: object) -> None:
        self.asked.append(once)
        if not self.served:
            raise CertfleetError("another certificate is served")

    def ask(self, root: Path, *, step: Step = no_step) -> dict[str, Any]:
        settings = request.Settings(acme_directory=DIRECTORY, renew=True, force=False, check=False)
        with Store(str(root), create=True, step=step) as store:
            return request.request_one(store, settings, self.item)

    def put(self, root: Path, *, step: Step = no_step) -> dict[str, Any]:
        transaction = Transaction(command=self.command, prove=self.prove)
        settings = installation.Settings(activate=True, keep=3, check=False, transaction=transaction, step=step)
        (result,) = installation.install(str(root), [self.item], [], settings)
        return result

    def whole(self, root: Path, step: Step) -> None:
        if self.ask(root, step=step)["needs"] == "install":
            self.put(root, step=step)


@pytest.mark.parametrize(
    ("broken_off_at", "waiting"),
    [(killed_at, False), (killed_at, True), (full_at, True)],
    ids=["killed", "killed-and-a-request-waits", "full-and-a-request-waits"],
)
def test_a_run_that_takes_over_may_end_at_each_step(
    tmp_path: Path, broken_off_at: Callable[[int, Callable[[Step], Any]], bool], *, waiting: bool
) -> None:
    tree = CertbotTree(tmp_path / "letsencrypt", CA)
    item = declared(tree.lineage("web", ["example.com"], versions=2))
    before = tree.snapshot()
    number = 0
    while True:
        root = tmp_path / str(number) / "store"
        service = Deployment(item, served=True)
        if waiting:
            assert Deployment({**item, "adopt": None}, served=True).ask(root)["needs"] == "issue"
        ended = not broken_off_at(number, partial(service.whole, root))
        # What has a name in the store is whole, and nothing is issued.
        with Store(str(root), create=False) as store:
            entry = store.entry("web", Ownership(), create=False)
            if entry is not None:
                with entry:
                    assert [entry.load(label).broken for label in entry.labels()] in ([], [""]), number
        asked = service.ask(root)
        assert asked["needs"] == ("nothing" if asked["current"] and asked["current"]["deployed_at"] else "install")
        done = service.put(root)
        assert (done["version"], done["deployed"], done["failed"]) == ("0001", True, False), number
        assert [str(path) for path in root.rglob(".*")] == []
        assert service.ask(root)["needs"] == "nothing"
        assert not service.put(root)["changed"]
        assert service.reloads == 0
        assert tree.snapshot() == before
        if ended:
            break
        number += 1
    assert number > 20  # the steps are really counted


def test_what_is_served_already_is_asked_for_once_and_not_reloaded(tmp_path: Path) -> None:
    tree = CertbotTree(tmp_path / "letsencrypt", CA)
    item = declared(tree.lineage("web", ["example.com"]))
    service = Deployment(item, served=True)
    service.ask(tmp_path / "store")
    assert service.put(tmp_path / "store")["deployed"]
    assert (service.reloads, service.asked) == (0, [True])
    service.item = {**item, "deploy": {**item["deploy"], "reload": ["another"]}}
    service.served = False
    assert service.put(tmp_path / "store")["deployed"]
    assert (service.reloads, service.asked) == (1, [True, False])


def test_what_is_not_served_yet_is_deployed_like_any_other(tmp_path: Path) -> None:
    tree = CertbotTree(tmp_path / "letsencrypt", CA)
    service = Deployment(declared(tree.lineage("web", ["example.com"])), served=False)
    service.ask(tmp_path / "store")
    assert service.put(tmp_path / "store")["deployed"]
    assert (service.reloads, service.asked) == (1, [True, False])


@pytest.mark.parametrize(
    ("meta", "endpoints", "expected"),
    [
        ({"adopted_from": "/x"}, True, True),
        ({"adopted_from": "/x"}, False, False),
        ({"adopted_from": "/x", "deployed": None}, True, False),  # a reload failed, so nobody knows what is served
        ({"adopted_from": "/x", "deployed": {"at": "now"}}, True, False),
        ({}, True, False),
    ],
)
def test_when_endpoints_are_asked_first(meta: dict[str, Any], *, endpoints: bool, expected: bool) -> None:
    item = declared(Path("/le/live/web"))
    if not endpoints:
        item["deploy"] = {"reload": ["reload"]}
    assert Work(parse(item), target=Version("0001", meta=meta)).may_be_served() is expected
    assert Work(parse(item)).may_be_served() is False
