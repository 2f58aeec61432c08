# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._store import formats, keystore
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from tests.support.extras import ALL, PASSPHRASE, Ground

OTHER = "another-passphrase"


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def declared(ground: Ground, passphrase: str = PASSPHRASE, **options: Any) -> dict[str, Any]:
    """With all formats and nothing outside of the store."""
    pkcs12 = {"passphrase": passphrase, "friendly_name": options.pop("friendly_name", None)}
    return ground.declared(**{"formats": ALL, "pkcs12": pkcs12, **options})


def modes(ground: Ground) -> dict[str, str]:
    return {path.name: oct(path.stat().st_mode & 0o777) for path in ground.current.iterdir()}


def alias(ground: Ground) -> bytes | None:
    loaded = pkcs12.load_pkcs12((ground.current / "keystore.p12").read_bytes(), PASSPHRASE.encode())
    assert loaded.cert is not None
    return loaded.cert.friendly_name


def test_a_new_version_has_them_before_it_is_active(ground: Ground) -> None:
    wanted = declared(ground)
    done = ground.put(wanted, ground.new(wanted), activate=False)
    assert done["stage"] == "staged"
    version = ground.store / "web" / "versions" / "0001"
    assert {"combined.pem", "keystore.p12", "cert.der", "privkey.der"} <= {path.name for path in version.iterdir()}
    before = {path.name: path.stat().st_mtime_ns for path in version.iterdir() if path.suffix != ".json"}
    assert ground.put(wanted)["deployed"]
    assert ground.whole()
    assert alias(ground) == b"web"
    assert before == {path.name: path.stat().st_mtime_ns for path in version.iterdir() if path.suffix != ".json"}
    secret = {"privkey.pem", "combined.pem", "keystore.p12", "privkey.der"}
    assert {name for name, mode in modes(ground).items() if mode == "0o600"} == secret
    assert {mode for name, mode in modes(ground).items() if name not in secret} == {"0o644"}


def test_what_holds_the_key_is_open_to_nobody_from_its_first_byte(ground: Ground) -> None:
    """Neither in a new version nor in one that is active."""
    wide = []

    def step(_name: str) -> None:
        for path in (ground.store / "web" / "versions").glob("*/*"):
            secret = any(path.name.strip(".").startswith(name) for name in ("privkey", "combined", "keystore"))
            if secret and path.stat().st_mode & 0o077:
                wide.append(path.name)

    wanted, plain = declared(ground), ground.declared()
    assert not ground.put(wanted, ground.new(wanted), step=step)["failed"]
    ground.put(plain)
    assert sorted(ground.put(wanted, step=step)["files"]) == ["cert.der", "combined.pem", "keystore.p12", "privkey.der"]
    assert wide == []
    assert {name for name, mode in modes(ground).items() if mode == "0o600"} == {
        "privkey.pem",
        "combined.pem",
        "keystore.p12",
        "privkey.der",
    }


def test_a_group_may_read_them_and_modes_are_brought_back(ground: Ground) -> None:
    wanted = declared(ground, group=str(os.getgid()))
    ground.start(wanted)
    assert {mode for name, mode in modes(ground).items() if mode != "0o644"} == {"0o640"}
    (ground.current / "keystore.p12").chmod(0o644)
    assert ground.ask(wanted)["changed"]
    assert modes(ground)["keystore.p12"] == "0o640"


def remove(ground: Ground) -> None:
    (ground.current / "combined.pem").unlink()


def damage(ground: Ground) -> None:
    path = ground.current / "keystore.p12"
    path.write_bytes(path.read_bytes()[:-1])


def swap(ground: Ground) -> None:
    """The whole keystore of another certificate, with the same passphrase."""
    other = Ground(ground.root / "other")
    other.start(declared(other))
    (ground.current / "keystore.p12").write_bytes((other.current / "keystore.p12").read_bytes())


def lose_note(ground: Ground) -> None:
    (ground.current / "certificate.json").write_text("{")


@pytest.mark.parametrize("spoil", [remove, damage, swap, lose_note])
def test_what_is_missing_or_damaged_is_made_again(ground: Ground, spoil: Callable[[Ground], None]) -> None:
    wanted = declared(ground)
    ground.start(wanted)
    spoil(ground)
    assert ground.reasons(wanted)[0] == "files_differ"
    seen = ground.put(wanted, check=True)
    assert (seen["changed"], bool(seen["files"]), ground.commands) == (True, True, [])
    done = ground.put(wanted)
    assert (done["failed"], done["changed"], done["deployed"]) == (False, True, True)
    assert done["files"] == seen["files"]
    assert ground.commands == ["check", "reload"], "the service reads them anew"
    assert ground.whole()
    assert ground.reasons(wanted) == []
    assert not ground.put(wanted)["changed"]


def test_what_is_declared_later_is_added_to_the_active_version(ground: Ground) -> None:
    plain = ground.declared()
    first = ground.start(plain)
    wanted = declared(ground)
    assert ground.reasons(wanted) == ["files_differ"]
    done = ground.put(wanted)
    assert (done["version"], done["deployed"]) == (first["version"], True)
    assert sorted(done["files"]) == ["cert.der", "combined.pem", "keystore.p12", "privkey.der"]
    assert ground.whole()
    assert ground.commands == ["check", "reload"]


@pytest.mark.parametrize("changes", [{"passphrase": OTHER}, {"friendly_name": "tomcat"}])
def test_a_changed_passphrase_or_name_is_noticed(ground: Ground, changes: dict[str, str]) -> None:
    ground.start(declared(ground))
    wanted = declared(ground, **changes)
    done = ground.put(wanted)
    assert done["files"] == ["keystore.p12"]
    assert ground.commands == ["check", "reload"]
    if "passphrase" in changes:
        assert ground.whole(OTHER)
        with pytest.raises(ValueError, match="password"):
            ground.whole(PASSPHRASE)
    else:
        assert alias(ground) == b"tomcat"
    assert ground.reasons(wanted) == []
    assert not ground.put(wanted)["changed"]


def test_what_is_not_declared_any_more_goes(ground: Ground) -> None:
    ground.start(declared(ground))
    (ground.current / "mine.txt").write_text("not made here")
    less = ground.declared(formats=["combined_pem"])
    assert ground.reasons(less) == ["files_differ"]
    done = ground.put(less)
    assert sorted(done["files"]) == ["cert.der", "keystore.p12", "privkey.der"]
    left = {path.name for path in ground.current.iterdir()}
    assert left & {"combined.pem", "keystore.p12", "cert.der", "privkey.der", "mine.txt"} == {
        "combined.pem",
        "mine.txt",
    }
    assert ground.commands == ["check", "reload"]
    assert not ground.put(less)["changed"]


@pytest.mark.parametrize("failing", ["check", "reload"])
def test_a_failure_brings_the_files_back(ground: Ground, failing: str) -> None:
    ground.start(declared(ground))
    before = {path.name: path.read_bytes() for path in ground.current.iterdir() if path.name != "certificate.json"}
    ground.failing = failing
    done = ground.put(ground.declared(formats=["pkcs12"], pkcs12={"passphrase": OTHER, "friendly_name": "x"}))
    assert (done["failed"], done["stage"], done["rolled_back"], done["files"]) == (True, failing, False, [])
    assert "its files are as before again" in done["msg"]
    assert before == {path.name: path.read_bytes() for path in ground.current.iterdir() if path.name in before}
    assert ground.whole()
    assert ground.commands[-1] == failing, "what failed to read the new ones reads the old ones"
    ground.failing = ""
    assert ground.put(declared(ground))["deployed"], "it is not known what the service has read"
    assert not ground.put(declared(ground))["changed"]


@pytest.mark.parametrize("name", ["combined.pem", "keystore.p12", "cert.der", "privkey.der"])
def test_a_link_in_the_place_of_one_is_not_followed(ground: Ground, tmp_path: Path, name: str) -> None:
    wanted = declared(ground)
    ground.start(wanted)
    victim = tmp_path / "victim"
    (ground.current / name).rename(victim)
    before = (victim.read_bytes(), victim.stat().st_mode)
    (ground.current.resolve() / name).symlink_to(victim)
    done = ground.put(wanted)
    assert done["failed"]
    assert "not followed" in done["msg"]
    assert (victim.read_bytes(), victim.stat().st_mode) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"formats": ["pkcs12"]}, "needs pkcs12.passphrase"),
        ({"formats": ["der"], "pkcs12": {"passphrase": PASSPHRASE}}, "not the format pkcs12"),
        ({"formats": ["pkcs12"], "pkcs12": {"passphrase": "example"}}, "Ansible would black it out"),
        ({"formats": ["pkcs12"], "pkcs12": {"passphrase": "deploy"}}, "Ansible would black it out"),
        ({"formats": ["pkcs12"], "pkcs12": {"passphrase": "20261123"}}, "Ansible would black it out"),
        ({"formats": ["pkcs12"], "pkcs12": {"passphrase": PASSPHRASE, "friendly_name": "a\nb"}}, "cannot be printed"),
    ],
)
def test_what_cannot_be_made_is_refused(ground: Ground, options: dict[str, Any], words: str) -> None:
    with pytest.raises(CertfleetError, match=words):
        ground.ask(ground.declared(**options))
    assert not (ground.store / "web").exists()


def test_of_the_passphrase_nothing_is_on_the_disk(ground: Ground) -> None:
    ground.start(declared(ground))
    noted = json.loads((ground.current / "certificate.json").read_text())["formats"]
    assert sorted(noted["keystore.p12"]) == ["friendly_name", "made_of", "sha256"]
    assert not [path for path in ground.root.rglob("*") if path.is_file() and PASSPHRASE.encode() in path.read_bytes()]
    assert PASSPHRASE not in repr(formats.parse_formats("web", declared(ground)))


def test_a_run_with_nothing_to_do_opens_no_key_and_no_keystore(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = declared(ground)
    ground.start(wanted)

    def refuse(*_arguments: object) -> None:
        raise AssertionError("a key was loaded")

    monkeypatch.setattr(keystore, "_opens_whole", refuse)
    monkeypatch.setattr(serialization, "load_pem_private_key", refuse)
    assert ground.reasons(wanted) == []
    assert not ground.put(wanted)["changed"]


@pytest.mark.parametrize("traditional", [True, False])
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_the_key_in_der_is_pkcs8_whatever_the_pem_file_is(kind: str, traditional: bool) -> None:
    key: Any = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL if traditional else serialization.PrivateFormat.PKCS8
    text = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    assert formats._pkcs8(text) == der
