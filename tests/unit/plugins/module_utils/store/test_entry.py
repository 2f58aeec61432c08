# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._store import keys, parents
from ansible_collections.certfleet.acme.plugins.module_utils._store.entry import Entry, Store
from ansible_collections.certfleet.acme.plugins.module_utils._store.files import Ownership

from tests.support.small_ca import SmallCA

CA = SmallCA()
REQUEST = {"identifiers": ["example.com"], "key_type": "ecdsa-p256"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def entry(root: Path) -> Iterator[Entry]:
    """An entry with an active version and a request."""
    with Store(str(root), create=True) as store:
        found = store.entry("web", Ownership(), create=True)
        assert found is not None
        with found:
            pending = found.write_pending(keys.generate("ecdsa-p256"), ["example.com"], REQUEST)
            found.activate(found.stage(CA.chain_for(pending.csr_pem), {}))
            found.write_pending(keys.generate("ecdsa-p256"), ["example.com"], REQUEST)
            yield found


def loaded(root: Path, ownership: Ownership) -> str:
    """What is wrong with the first version, read anew."""
    with Store(str(root), create=False) as store:
        found = store.entry("web", ownership, create=False)
        assert found is not None
        with found:
            return found.load("0001").broken


def replaced_by_link(path: Path, target: Path) -> None:
    """Puts a link to a copy of it in the place of a file or directory."""
    path.rename(target)
    path.symlink_to(target)


@pytest.mark.parametrize(
    "place",
    [
        "web/versions/0001/privkey.pem",
        "web/versions/0001/cert.pem",
        "web/versions/0001/certificate.json",
        "web/versions/0001",
        "web/versions",
        "web/pending/privkey.pem",
        "web/pending",
    ],
)
def test_a_link_in_place_of_anything_is_refused_and_not_followed(
    root: Path, entry: Entry, tmp_path: Path, place: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    replaced_by_link(root / place, elsewhere)
    before = elsewhere.lstat().st_mode
    refusals = []
    for look in (lambda: entry.correct_modes(dry=False), lambda: entry.load("0001").broken, entry.pending):
        try:
            outcome = look()
        except CertfleetError as error:
            refusals.append(str(error))
        else:
            refusals.append(str(outcome))
    assert any("is not followed" in text for text in refusals), refusals
    assert elsewhere.lstat().st_mode == before


@pytest.mark.parametrize("place", ["store", "store/web"])
def test_a_link_in_place_of_the_store_or_the_folder_is_refused(root: Path, entry: Entry, place: str) -> None:
    path = root.parent / place
    replaced_by_link(path, root.parent / "elsewhere")
    with pytest.raises(CertfleetError, match="not followed"), Store(str(root), create=True) as store:
        store.entry("web", Ownership(), create=True)


@pytest.mark.parametrize("name", ["privkey.pem", "cert.pem", "chain.pem", "fullchain.pem", "certificate.json"])
def test_a_link_planted_where_a_file_will_be_written_is_replaced_and_not_written_through(
    root: Path, entry: Entry, tmp_path: Path, name: str
) -> None:
    """Also at the name that a file has while it is written."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for planted in (f".{name}.new", name):
        (root / "web" / "versions" / "0001" / planted).unlink(missing_ok=True)
        (root / "web" / "versions" / "0001" / planted).symlink_to(victim)
    with entry.folder.sub("versions") as versions, versions.sub("0001") as version:
        version.write(name, b"new", secret=True)
    written = root / "web" / "versions" / "0001" / name
    assert victim.read_text() == "mine"
    assert not written.is_symlink()
    assert written.read_bytes() == b"new"


def test_links_planted_at_the_next_names_of_the_store_are_not_followed(
    root: Path, entry: Entry, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    for planted in (".pending.new", ".pending.old", ".current.new", "versions/.0002.new"):
        (root / "web" / planted).symlink_to(victim)
    pending = entry.write_pending(keys.generate("ecdsa-p256"), ["example.com"], REQUEST)
    entry.activate(entry.stage(CA.chain_for(pending.csr_pem), {}))
    assert entry.current() == "0002"
    assert entry.load("0002").broken == ""
    assert list(victim.iterdir()) == []


@pytest.mark.parametrize("target", ["/etc", "../other/versions/0001", "versions/../../other", "versions/0001\n"])
def test_current_may_lead_to_a_version_only(root: Path, entry: Entry, target: str) -> None:
    (root / "web" / "current").unlink()
    (root / "web" / "current").symlink_to(target)
    with pytest.raises(CertfleetError, match="is not a version of the store"):
        entry.current()


def test_current_that_is_no_link_is_refused(root: Path, entry: Entry) -> None:
    (root / "web" / "current").unlink()
    (root / "web" / "current").mkdir()
    with pytest.raises(CertfleetError, match="is not a link"):
        entry.current()
    with pytest.raises(CertfleetError, match="is not a link"):
        entry.activate("0001")


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
@pytest.mark.parametrize("place", ["", "web", "web/versions", "web/versions/0001"])
def test_a_directory_that_others_may_write_to_is_refused(root: Path, entry: Entry, place: str, mode: int) -> None:
    (root / place).chmod(mode)
    with pytest.raises(CertfleetError, match="can be written by others"):
        loaded(root, Ownership())


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a directory away needs root")
@pytest.mark.parametrize("place", ["", "web", "web/versions"])
def test_a_directory_of_another_user_is_refused_unless_declared(root: Path, entry: Entry, place: str) -> None:
    os.chown(root / place, 12345, -1)

    with pytest.raises(CertfleetError, match="belongs to another user"):
        loaded(root, Ownership())
    if place:
        assert loaded(root, Ownership(uid=12345)) == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")
def test_owner_and_group_are_given_to_everything_but_the_request(root: Path, entry: Entry) -> None:
    with Store(str(root), create=False) as store:
        found = store.entry("web", Ownership(uid=12345, gid=23456), create=False)
        assert found is not None
        with found:
            assert found.correct_modes(dry=True)
            assert found.correct_modes(dry=False)
            assert not found.correct_modes(dry=False)
            pending = found.write_pending(keys.generate("ecdsa-p256"), ["example.com"], REQUEST)
            found.stage(CA.chain_for(pending.csr_pem), {})
            found.write_pending(keys.generate("ecdsa-p256"), ["example.com"], REQUEST)
            assert not found.correct_modes(dry=True)
    for path in (root / "web").rglob("*"):
        status = path.lstat()
        if path.is_symlink():
            continue
        mine = "pending" in path.parts
        assert (status.st_uid, status.st_gid) == ((0, os.getgid()) if mine else (12345, 23456)), path
        expected = {"privkey.pem": 0o600 if mine else 0o640}.get(path.name, 0o644)
        if path.is_dir():
            expected = 0o700 if mine else 0o750
        assert stat.S_IMODE(status.st_mode) == expected, path


def test_a_file_has_its_final_mode_and_never_a_wider_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    settle = Ownership.settle

    def settled(self: Ownership, fd: int, mode: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(fd).st_mode))
        settle(self, fd, mode)

    def step(name: str) -> None:
        if name.startswith(("fill", "rename")):
            seen.append(stat.S_IMODE((tmp_path / ".key.new").stat().st_mode))

    monkeypatch.setattr(Ownership, "settle", settled)
    tmp_path.chmod(0o700)
    mask = os.umask(0)
    try:
        folder, _above = parents.open_store(str(tmp_path), create=False, step=step)
        assert folder is not None
        with folder:
            folder.write("key", b"secret", secret=True)
    finally:
        os.umask(mask)
    assert seen == [0o600, 0o600, 0o600]
    assert (tmp_path / "key").read_bytes() == b"secret"


def test_a_file_planted_in_the_last_moment_is_not_written_to(tmp_path: Path) -> None:
    """After what was left at that name has been removed, before the new file is made."""
    victim, store = tmp_path / "victim", tmp_path / "store"
    victim.write_text("mine")
    store.mkdir(mode=0o700)

    def step(name: str) -> None:
        if name == "create key":
            os.link(victim, store / ".key.new")

    folder, _above = parents.open_store(str(store), create=False, step=step)
    assert folder is not None
    with folder, pytest.raises(CertfleetError, match="File exists"):
        folder.write("key", b"secret", secret=True)
    assert victim.read_text() == "mine"
    assert not (store / "key").exists()


def test_two_runs_do_not_work_on_one_certificate(root: Path, entry: Entry) -> None:
    entry.lock()
    with Store(str(root), create=False) as store:
        other = store.entry("web", Ownership(), create=False)
        assert other is not None
        with other:
            with pytest.raises(CertfleetError, match="another run"):
                other.lock(timeout=0.2)
            fcntl.flock(entry.folder.fd, fcntl.LOCK_UN)
            other.lock(timeout=0.2)


def test_a_version_that_lost_a_part_says_which(root: Path, entry: Entry) -> None:
    version = root / "web" / "versions" / "0001"
    (version / "chain.pem").unlink()
    assert entry.load("0001").broken == "chain.pem is missing"
    (version / "chain.pem").write_text("")
    assert entry.load("0001").broken == "fullchain.pem is not cert.pem and chain.pem"
    (version / "fullchain.pem").write_bytes((version / "cert.pem").read_bytes())
    (version / "privkey.pem").write_bytes(keys.to_pem(keys.generate("ecdsa-p256")))
    assert entry.load("0001").broken == "the private key belongs to another certificate"
    (version / "privkey.pem").unlink()
    os.mkfifo(version / "privkey.pem")
    assert "not a regular file" in entry.load("0001").broken
    assert entry.load("0002").broken == "it is gone"


def test_a_key_that_was_found_to_fit_is_not_loaded_again_until_its_file_changes(
    root: Path, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading an RSA key takes a second and more."""
    loads = []
    load = keys.load

    def counted(pem: bytes) -> object:
        loads.append(len(pem))
        return load(pem)

    monkeypatch.setattr(keys, "load", counted)
    pending = entry.pending()
    assert pending is not None
    assert entry.load(entry.stage(CA.chain_for(pending.csr_pem), {})).broken == ""
    assert entry.load("0001").broken == ""
    assert loads == []
    version = root / "web" / "versions" / "0001"
    (version / "privkey.pem").write_bytes(b"\n" + (version / "privkey.pem").read_bytes())
    assert entry.load("0001").broken == ""
    assert len(loads) == 1
    newest = root / "web" / "versions" / "0002"
    for name in ("privkey.pem", "certificate.json"):  # together they agree, and are for another certificate
        (version / name).write_bytes((newest / name).read_bytes())
    assert entry.load("0001").broken == "the private key belongs to another certificate"


@pytest.mark.parametrize("text", ["", "[]", "nonsense"])
def test_a_lost_certificate_json_is_no_defect_of_the_certificate(root: Path, entry: Entry, text: str) -> None:
    (root / "web" / "versions" / "0001" / "certificate.json").write_text(text)
    version = entry.load("0001")
    assert (version.broken, version.meta, version.deployed_digest) == ("", {}, None)


def test_labels_are_ordered_as_numbers(root: Path, entry: Entry) -> None:
    versions = root / "web" / "versions"
    for label in ("9999", "10000", "0002", "not-one", ".0003.new"):
        (versions / label).mkdir(mode=0o700)
    assert entry.labels() == ["0001", "0002", "9999", "10000"]
    pending = entry.pending()
    assert pending is not None
    assert entry.stage(CA.chain_for(pending.csr_pem), {}) == "10001"
    assert entry.expendable(1, {"9999"}) == ["0001", "0002", "10000"]


def test_a_relative_store_is_refused() -> None:
    with pytest.raises(CertfleetError, match="not an absolute path"):
        Store("store", create=True)
