# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._store import install as installation
from ansible_collections.certfleet.acme.plugins.module_utils._store.entry import Store
from ansible_collections.certfleet.acme.plugins.module_utils._store.outputs import check_paths
from ansible_collections.certfleet.acme.plugins.module_utils._store.transaction import Transaction

from tests.support.extras import CA, Ground

NOBODY = 65534


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def mode(path: Path) -> str:
    return oct(path.lstat().st_mode & 0o777)


def one(ground: Ground, kind: str = "copy", source: str = "privkey.pem", **options: Any) -> dict[str, Any]:
    """Declares one path, ``etc/out``."""
    return ground.declared(files=[{"path": str(ground.etc / "out"), "source": source, "kind": kind, **options}])


def test_links_and_copies_are_made_and_follow_the_active_version(ground: Ground) -> None:
    wanted = ground.full()
    done = ground.start(wanted)
    assert ground.outputs_right()
    assert set(done["files"]) >= {str(ground.etc / name) for name in ("chain.pem", "haproxy.pem", "leaf.pem")}
    assert (mode(ground.etc / "haproxy.pem"), mode(ground.etc / "leaf.pem")) == ("0o600", "0o444")
    made = (ground.etc / "chain.pem").lstat().st_mtime_ns
    before = (ground.etc / "haproxy.pem").read_bytes()
    again = ground.put(wanted)
    assert (again["changed"], again["files"]) == (False, [])
    assert ground.put(wanted, ground.new(wanted))["deployed"]
    assert ground.outputs_right()
    assert before != (ground.etc / "haproxy.pem").read_bytes()
    assert made == (ground.etc / "chain.pem").lstat().st_mtime_ns, "a link is made once"


def test_copies_are_there_before_the_first_command(ground: Ground) -> None:
    wanted = ground.full()
    ground.start(wanted)
    new = ground.new(wanted)
    seen = []

    def step(name: str) -> None:
        if name in {"check", "reload"}:
            seen.append((name, ground.outputs_right()))

    ground.put(wanted, new, step=step)
    assert seen == [("check", True), ("reload", True)]


@pytest.mark.parametrize("failing", ["check", "reload"])
def test_copies_go_back_with_the_version(ground: Ground, failing: str) -> None:
    wanted = ground.full()
    first = ground.start(wanted)
    before = {path.name: path.read_bytes() for path in ground.etc.iterdir()}
    ground.failing = failing
    done = ground.put(wanted, ground.new(wanted))
    assert done["rolled_back"]
    assert os.readlink(ground.current) == f"versions/{first['version']}"
    assert before == {path.name: path.read_bytes() for path in ground.etc.iterdir()}
    assert ground.outputs_right()
    ground.failing = ""
    assert ground.put(wanted)["deployed"]
    assert ground.outputs_right()


@pytest.mark.parametrize("kind", ["link", "copy"])
@pytest.mark.parametrize("there", ["file", "link"])
def test_what_was_there_before_comes_back_when_the_first_deployment_fails(
    ground: Ground, kind: str, there: str
) -> None:
    path = ground.etc / "out"
    other = ground.root / "other"
    other.write_text("another's")
    if there == "file":
        path.write_text("the old certificate")
        path.chmod(0o640)
    else:
        path.symlink_to(other)
    wanted = one(ground, kind)
    ground.failing = "reload"
    done = ground.put(wanted, ground.new(wanted))
    assert done["failed"]
    assert path.is_symlink() == (there == "link")
    assert path.read_text() == ("the old certificate" if there == "file" else "another's")
    assert there == "link" or mode(path) == "0o640"
    ground.failing = ""
    assert ground.put(wanted)["deployed"]
    assert path.read_bytes() == (ground.current / "privkey.pem").read_bytes()
    assert path.is_symlink() == (kind == "link")
    assert other.read_text() == "another's", "what the link led to was not written to"
    assert ground.leftovers() == []


@pytest.mark.parametrize("kind", ["link", "copy"])
def test_a_directory_in_its_place_is_refused_before_anything_is_switched(ground: Ground, kind: str) -> None:
    first = ground.start(ground.declared())
    (ground.etc / "out").mkdir()
    wanted = one(ground, kind)
    assert ground.reasons(wanted) == ["files_differ"]
    for check in (True, False):
        done = ground.put(wanted, ground.new(wanted), check=check)
        assert (done["failed"], done["stage"], done["rolled_back"]) == (True, "files", False)
        assert "is not a file or link" in done["msg"]
    assert os.readlink(ground.current) == f"versions/{first['version']}"
    assert list((ground.etc / "out").iterdir()) == []
    (ground.etc / "out").rmdir()
    assert ground.put(wanted)["deployed"]


def test_a_missing_directory_is_an_error_that_leaves_the_old_version(ground: Ground) -> None:
    first = ground.start(ground.declared())
    wanted = ground.declared(files=[{"path": str(ground.etc / "later" / "out"), "source": "cert.pem", "kind": "copy"}])
    done = ground.put(wanted, ground.new(wanted))
    assert "there is no directory" in done["msg"]
    assert not done["rolled_back"], "it was seen before anything was switched"
    assert os.readlink(ground.current) == f"versions/{first['version']}"


@pytest.mark.parametrize("spoil", ["content", "mode", "gone", "link"])
def test_a_copy_that_was_changed_is_brought_back(ground: Ground, spoil: str) -> None:
    wanted = one(ground)
    ground.start(wanted)
    path = ground.etc / "out"
    victim = ground.root / "victim"
    victim.write_text("mine")
    if spoil == "content":
        path.write_text("x")
    elif spoil == "mode":
        path.chmod(0o644)
    else:
        path.unlink()
    if spoil == "link":
        path.symlink_to(victim)
    assert ground.reasons(wanted) == ["files_differ"]
    seen = ground.put(wanted, check=True)
    assert (seen["changed"], seen["files"]) == (True, [str(path)])
    assert ground.commands == []
    done = ground.put(wanted)
    assert (done["files"], done["deployed"], ground.commands) == ([str(path)], True, ["check", "reload"])
    assert path.read_bytes() == (ground.current / "privkey.pem").read_bytes()
    assert (path.is_symlink(), mode(path), victim.read_text()) == (False, "0o600", "mine")
    assert ground.reasons(wanted) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_copy_has_its_own_owner_group_and_mode_from_the_first_byte(ground: Ground) -> None:
    wanted = one(ground, owner=str(NOBODY), group=str(NOBODY))
    path = ground.etc / "out"
    seen = set()

    def step(name: str) -> None:
        for place in ground.etc.iterdir():
            status = place.lstat()
            if status.st_size:
                seen.add((status.st_uid, status.st_gid, oct(status.st_mode & 0o777)))

    ground.put(wanted, ground.new(wanted), step=step)
    assert seen == {(NOBODY, NOBODY, "0o640")}
    assert path.stat().st_uid == NOBODY
    os.chown(path, 0, 0)
    assert ground.put(wanted)["files"] == [str(path)]
    assert path.stat().st_uid == NOBODY


@pytest.mark.parametrize("kind", ["link", "copy"])
def test_what_is_not_declared_any_more_is_removed(ground: Ground, kind: str) -> None:
    wanted = one(ground, kind)
    ground.start(wanted)
    without = ground.declared()
    assert ground.reasons(without) == ["files_differ"]
    assert ground.put(without, check=True)["changed"]
    assert (ground.etc / "out").exists()
    done = ground.put(without)
    assert done["files"] == [str(ground.etc / "out")]
    assert list(ground.etc.iterdir()) == []
    assert ground.commands == ["check", "reload"], "a service that still reads it fails now, not at night"
    assert not ground.put(without)["changed"]


def test_a_removal_is_taken_back_when_the_service_cannot_do_without(ground: Ground) -> None:
    ground.start(one(ground))
    content = (ground.etc / "out").read_bytes()
    ground.failing = "check"
    for _number in range(2):
        assert ground.put(ground.declared())["failed"]
        assert (ground.etc / "out").read_bytes() == content
    ground.failing = ""
    assert ground.put(ground.declared())["deployed"]
    assert list(ground.etc.iterdir()) == []


@pytest.mark.parametrize("kind", ["link", "copy"])
def test_what_someone_else_put_there_meanwhile_stays(ground: Ground, kind: str) -> None:
    ground.start(one(ground, kind))
    path = ground.etc / "out"
    path.unlink()
    if kind == "link":
        path.symlink_to("/elsewhere")
    else:
        path.write_text("another's")
    ground.put(ground.declared())
    assert os.readlink(path) == "/elsewhere" if kind == "link" else path.read_text() == "another's"
    assert not ground.put(ground.declared())["changed"]


def test_a_copy_of_an_older_version_is_ours_too(ground: Ground) -> None:
    """A run was killed before the copies followed the switch, and then they are not declared any more."""
    wanted = one(ground)
    ground.start(wanted)
    old = (ground.etc / "out").read_bytes()
    ground.put(wanted, ground.new(wanted))
    (ground.etc / "out").write_bytes(old)
    ground.put(ground.declared())
    assert list(ground.etc.iterdir()) == []


def test_a_directory_that_is_gone_is_no_error_when_nothing_is_declared_in_it(ground: Ground) -> None:
    ground.start(one(ground))
    (ground.etc / "out").unlink()
    ground.etc.rmdir()
    assert ground.put(ground.declared())["deployed"]
    assert not ground.put(ground.declared())["changed"]


def test_a_path_can_change_its_kind_and_source(ground: Ground) -> None:
    path = ground.etc / "out"
    ground.start(one(ground, "copy", "privkey.pem"))
    for kind, source in (("link", "privkey.pem"), ("link", "cert.pem"), ("copy", "fullchain.pem")):
        wanted = one(ground, kind, source)
        assert ground.put(wanted)["deployed"]
        assert path.is_symlink() == (kind == "link")
        assert path.read_bytes() == (ground.current / source).read_bytes()
        assert ground.reasons(wanted) == []


def test_the_note_is_written_before_the_path_is_made(ground: Ground) -> None:
    wanted = one(ground)

    def step(name: str) -> None:
        if "out" in name:
            note = json.loads((ground.store / "web" / "files.json").read_text())
            assert str(ground.etc / "out") in note["files"]
            assert "PRIVATE KEY" not in json.dumps(note)

    done = ground.put(wanted, ground.new(wanted), step=step)
    assert not done["failed"]


def test_a_directory_that_others_can_write_to_is_refused(ground: Ground) -> None:
    first = ground.start(ground.declared())
    ground.etc.chmod(0o777)
    done = ground.put(one(ground), ground.new(one(ground)))
    assert "can be written by" in done["msg"]
    assert (list(ground.etc.iterdir()), os.readlink(ground.current)) == ([], f"versions/{first['version']}")


@pytest.mark.parametrize("planted", [".out.new", "..out.new.new"])
@pytest.mark.parametrize("kind", ["link", "copy"])
def test_a_link_planted_where_it_is_written_beside_is_not_followed(ground: Ground, kind: str, planted: str) -> None:
    victim = ground.root / "victim"
    victim.write_text("mine")
    (ground.etc / planted).symlink_to(victim)
    (ground.etc / "out").write_text("old")
    ground.start(one(ground, kind))
    assert victim.read_text() == "mine"
    assert ground.leftovers() == []
    assert (ground.etc / "out").read_bytes() == (ground.current / "privkey.pem").read_bytes()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([("out", {"kind": "copy", "mode": "0644"})], "others may not read"),
        ([("out", {"kind": "copy", "mode": "0660"})], "nobody but the owner"),
        ([("out", {"kind": "copy", "mode": "u=rw"})], "no octal number"),
        ([("out", {"kind": "copy", "source": "cert.pem", "mode": "0664"})], "nobody but the owner"),
        ([("out", {"kind": "link", "mode": "0600"})], "is a link, which has no mode"),
        ([("out", {"source": "keystore.p12"})], "Add pkcs12"),
        ([("out", {"source": "privkey.der"})], "Add der"),
        ([("out", {"kind": "copy", "owner": "no-such-user"})], "no user"),
    ],
)
def test_what_makes_no_sense_is_refused(ground: Ground, files: list[tuple[str, dict[str, str]]], words: str) -> None:
    items = [{"path": str(ground.etc / name), "source": "privkey.pem", **rest} for name, rest in files]
    with pytest.raises(CertfleetError, match=words):
        ground.ask(ground.declared(files=items))


def test_paths_that_cannot_be(ground: Ground) -> None:
    def declare(*paths: str) -> list[dict[str, Any]]:
        return [
            {"name": f"c{number}", "files": [{"path": path, "source": "cert.pem"}]} for number, path in enumerate(paths)
        ]

    (ground.root / "way").symlink_to(ground.etc)
    (ground.root / "in").symlink_to(ground.store)
    store, etc = str(ground.store), str(ground.etc)
    check_paths(declare(f"{etc}/a", f"{etc}/b", f"{store}-2/a"), store)
    for paths, words in (
        (["relative/a"], "not the absolute path"),
        (["/"], "not the absolute path"),
        ([f"{store}/web/a"], "in the store"),
        ([f"{etc}/../store/a"], "in the store"),
        ([f"{ground.root}/in/a"], "in the store"),
        ([store], "in the store"),
        ([f"{etc}/a", f"{etc}//x/../a"], "declared twice, for c0 and for c1"),
        ([f"{etc}/a", f"{ground.root}/way/a"], "declared twice"),
        ([f"/{etc}/a", f"{etc}/a"], "declared twice"),
    ):
        with pytest.raises(CertfleetError, match=words):
            check_paths(declare(*paths), store)


def test_a_path_that_goes_over_to_another_certificate_is_never_missing(ground: Ground) -> None:
    path = ground.etc / "out"
    ground.start(one(ground))
    second = {**one(ground), "name": "zweb", "deploy": None}
    first = ground.declared(deploy=None)
    gone = []

    def step(_name: str) -> None:
        gone.append(path.exists())

    settings = installation.Settings(True, 3, False, Transaction(), step)
    with Store(str(ground.store), create=False) as store:
        assert store.names() == ["web"]
    asked = ground.ask(second)
    results = installation.install(str(ground.store), [first, second], [CA.issued(asked)], settings)
    assert not [item for item in results if item["failed"]]
    assert all(gone)
    assert path.read_bytes() == (ground.store / "zweb" / "current" / "privkey.pem").read_bytes()
    again = installation.install(str(ground.store), [first, second], [], settings)
    assert not [item for item in again if item["changed"]]
