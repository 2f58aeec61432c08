# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What whole runs do about links, foreign directories and wrong modes at each path that the store writes.

Refused or corrected as the README says, never followed: what a link leads to is the same afterwards, to the nanosecond.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError

from tests.support.stored import CA, active, ask, put

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")
STRANGER = 12345
VERSION = "web/versions/0001"
IN_A_VERSION = ["privkey.pem", "cert.pem", "chain.pem", "fullchain.pem", "certificate.json"]
IN_A_REQUEST = ["privkey.pem", "request.csr", "request.json"]
REFUSED = [
    "",
    "web",
    "web/current",
    "web/pending",
    "web/versions",
    VERSION,
    "web/versions/0002",
    *(f"web/pending/{name}" for name in IN_A_REQUEST),
]
#: The version is broken then, and the run replaces it.
REPLACED = [f"{VERSION}/{name}" for name in IN_A_VERSION]
REMOVED = [
    "web/.current.new",
    "web/.pending.new",
    "web/.pending.old",
    "web/versions/.0001.old",
    "web/versions/.0002.new",
    *(f"{VERSION}/.{name}.new" for name in IN_A_VERSION),
    *(f"web/pending/.{name}.new" for name in IN_A_REQUEST),
]


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _fd: None)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("template") / "store"
    assert put(root, [CA.issued(ask(root))])["deployed"]
    ask(root, force=True)
    return root


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Path:
    """With an active version, and a request that is not finished."""
    shutil.copytree(template, tmp_path / "store", symlinks=True)
    return tmp_path / "store"


def look(top: Path) -> list[tuple[Any, ...]]:
    """Everything about a tree that a change would show in."""
    found = []
    for path in [top, *sorted(top.rglob("*"))]:
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        leads = os.readlink(path) if path.is_symlink() else ""
        found.append((str(path), status.st_mode, status.st_uid, status.st_gid, status.st_ctime_ns, content, leads))
    return found


def plant(store: Path, place: str, kind: str) -> Path:
    """A link at that place; returns what must not change.

    kind: ``moved``: to what was there; ``directory``, ``file``: to one of the attacker's choice; ``dangling``: to
    nothing, where something would be made if it was followed.
    """
    path = store / place
    victim = store.parent / "victim"
    victim.mkdir(mode=0o755)
    target = victim / "target"
    if os.path.lexists(path):
        path.rename(target if kind == "moved" else store.parent / "kept")
    if kind == "directory":
        target.mkdir(mode=0o755)
        (target / "privkey.pem").write_text("mine")
    elif kind == "file":
        target.write_text("mine")
    path.symlink_to(target)
    return victim


def run(store: Path, **declared: Any) -> None:
    """Ask, install, ask again with another key, install. Raises CertfleetError for what is refused."""
    for _turn in range(2):
        done = put(store, [CA.issued(ask(store, force=True, **declared))], **declared)
        if done["failed"]:
            raise CertfleetError(done["msg"])


@pytest.mark.parametrize("kind", ["moved", "directory", "file", "dangling"])
@pytest.mark.parametrize("place", REFUSED)
def test_a_link_that_stands_in_the_way_is_refused(store: Path, place: str, kind: str) -> None:
    victim = plant(store, place, kind)
    before = look(victim)
    with pytest.raises(CertfleetError, match=r"not followed|which is not a version of the store"):
        run(store)
    assert look(victim) == before


@pytest.mark.parametrize("kind", ["moved", "directory", "file", "dangling"])
@pytest.mark.parametrize("place", REPLACED + REMOVED)
def test_a_link_that_a_run_can_do_without_is_left_behind(store: Path, place: str, kind: str) -> None:
    old = active(store)
    victim = plant(store, place, kind)
    before = look(victim)
    run(store)
    assert look(victim) == before
    new = active(store)
    assert new is not None
    assert old is not None
    assert new["serial"] != old["serial"]
    assert [path for path in store.rglob("*") if path.is_symlink()] == [store / "web" / "current"]


@pytest.mark.parametrize("place", REPLACED)
def test_a_version_with_a_link_in_it_is_reported_as_broken(store: Path, place: str) -> None:
    put(store, [CA.issued(ask(store))])
    run(store)
    newest = max((store / "web" / "versions").iterdir())
    (newest / Path(place).name).unlink()
    (newest / Path(place).name).symlink_to("/etc/hostname")
    asked = ask(store)
    assert [reason["code"] for reason in asked["reasons"]] == ["broken"]
    assert "not followed" in asked["reasons"][0]["text"]


@pytest.mark.parametrize("kind", ["directory", "file", "dangling"])
@pytest.mark.parametrize("place", [f"{VERSION}/.certificate.json.new", "web/pending/.request.json.new"])
def test_a_link_beside_a_file_that_is_written_anew_is_removed(store: Path, place: str, kind: str) -> None:
    victim = plant(store, place, kind)
    before = look(victim)
    if "pending" in place:
        assert ask(store, profile="other")["changed"]
    else:
        done = put(store, [], deploy={"check": None, "reload": ["other"], "endpoints": None, "timeout": 1})
        assert (done["failed"], done["deployed"], done["changed"]) == (False, True, True)
    assert look(victim) == before
    assert not os.path.lexists(store / place)


@needs_root
@pytest.mark.parametrize("place", ["", "web", "web/versions", VERSION, "web/pending"])
def test_a_directory_of_another_user_is_refused_and_left_as_it_is(store: Path, place: str) -> None:
    os.chown(store / place, STRANGER, -1)
    before = look(store / place)
    with pytest.raises(CertfleetError, match=f"belongs to another user .uid {STRANGER}."):
        run(store)
    assert look(store / place) == before


@pytest.mark.parametrize("place", ["", "web", "web/versions", VERSION, "web/pending"])
def test_a_directory_that_others_may_write_to_is_refused(store: Path, place: str) -> None:
    (store / place).chmod(0o772)
    before = look(store / place)
    with pytest.raises(CertfleetError, match=f"can be written by others .mode 0772.*chmod go-w {store / place}"):
        run(store)
    assert look(store / place) == before


def states(store: Path) -> dict[str, tuple[int, int, int]]:
    """Mode, owner and group of all that has its own."""
    found = {}
    for path in (store / "web", *(store / "web").rglob("*")):
        status = path.lstat()
        if not path.is_symlink():
            name = str(path.relative_to(store))
            found[name] = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    return found


@pytest.mark.parametrize("call", [ask, lambda store, check=False: put(store, [], check=check)])
def test_each_wrong_mode_is_corrected_and_reported(store: Path, call: Any) -> None:
    right = states(store)
    assert not call(store)["changed"]
    for name, (mode, _uid, _gid) in right.items():
        for wrong in (mode ^ 0o004, mode ^ 0o100):
            (store / name).chmod(wrong)
            assert call(store, check=True)["changed"], name
            assert stat.S_IMODE((store / name).stat().st_mode) == wrong
            assert call(store)["changed"], name
            assert states(store) == right
            assert not call(store, check=True)["changed"]


@needs_root
@pytest.mark.parametrize("uid", [-1, STRANGER])
@pytest.mark.parametrize("gid", [-1, STRANGER])
def test_each_file_of_another_owner_is_corrected(store: Path, uid: int, gid: int) -> None:
    """Without a declared group, the group has no rights, and is left as it is."""
    right = states(store)
    for name in right:
        if not (store / name).is_dir():
            os.chown(store / name, uid, gid)
            assert ask(store)["changed"] is (uid != -1), name
            assert states(store)[name][1] == right[name][1]


@needs_root
def test_a_declared_owner_group_and_mode_are_given_and_taken_back(store: Path) -> None:
    undeclared = states(store)
    declared: dict[str, Any] = {"owner": str(STRANGER), "group": str(STRANGER), "mode": "0440"}
    assert ask(store, **declared)["changed"]
    assert not ask(store, **declared)["changed"]
    for name, state in states(store).items():
        if name.startswith("web/pending"):
            assert state == undeclared[name]
            continue
        mode = 0o750 if (store / name).is_dir() else {"privkey.pem": 0o440}.get(Path(name).name, 0o644)
        assert state == (mode, STRANGER, STRANGER), name
    run(store, **declared)
    assert states(store)["web/versions/0003/privkey.pem"] == (0o440, STRANGER, STRANGER)
    # Back under another name is only root's to do.
    with pytest.raises(CertfleetError, match="belongs to another user"):
        ask(store)


@pytest.mark.parametrize(("mode", "directory"), [("0600", 0o700), ("0640", 0o750), ("0400", 0o700), ("440", 0o750)])
def test_a_declared_mode_is_that_of_keys(store: Path, mode: str, directory: int) -> None:
    assert ask(store, mode=mode)["changed"] is (mode != "0600")
    run(store, mode=mode)
    found = states(store)
    newest = max((store / "web" / "versions").iterdir())
    assert found[f"web/versions/{newest.name}/privkey.pem"][0] == int(mode, 8)
    assert found[f"web/versions/{newest.name}/cert.pem"][0] == 0o644
    assert found[f"web/versions/{newest.name}"][0] == found["web"][0] == directory


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("0644", "gives others rights"),
        ("0601", "gives others rights"),
        ("0620", "gives the group the right to write"),
        ("0666", "gives others rights and the group the right to write"),
        ("0700", "gives the right to execute"),
        ("0200", "by which its owner cannot read it"),
        ("0000", "by which its owner cannot read it"),
        ("1600", "is no octal mode"),
        ("0o600", "is no octal mode"),
        ("u=rw,g=r", "is no octal mode"),
        ("0680", "is no octal mode"),
        # What YAML makes of 0600, 0640, 0400 and 0440 without quotes.
        ("384", "is no octal mode"),
        ("416", "gives others rights"),
        ("256", "gives others rights"),
        ("288", "is no octal mode"),
    ],
)
def test_a_mode_that_is_none_for_a_key_is_refused(tmp_path: Path, mode: str, words: str) -> None:
    with pytest.raises(CertfleetError, match="mode of web is") as raised:
        ask(tmp_path / "store", mode=mode)
    assert words in str(raised.value)
    assert "with the quotes" in str(raised.value)


@pytest.mark.parametrize("part", ["seuser", "serole", "setype", "selevel"])
def test_a_part_of_a_context_that_is_none_is_refused(tmp_path: Path, part: str) -> None:
    for text in ("a b", "a\nb", *(["a:b"] if part != "selevel" else [])):
        declared: dict[str, Any] = {part: text}
        with pytest.raises(CertfleetError, match=f"{part} of web is"):
            ask(tmp_path / "store", **declared)
