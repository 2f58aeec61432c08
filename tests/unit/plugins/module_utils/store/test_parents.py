# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to the store, and to files elsewhere: nobody else can write to a directory on it."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._store import parents
from ansible_collections.certfleet.acme.plugins.module_utils._store.entry import Store
from ansible_collections.certfleet.acme.plugins.module_utils._store.files import Ownership

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="giving directories and links away needs root")
STRANGER = 12345
APP = 23456
Use = Callable[[Path, Ownership], None]


def as_store(path: Path, ownership: Ownership) -> None:
    with Store(str(path), create=True) as store:
        entry = store.entry("web", ownership, create=True)
        assert entry is not None
        entry.close()


def as_outside(path: Path, ownership: Ownership) -> None:
    path.mkdir(exist_ok=True, parents=True)
    with parents.open_directory(str(path), ownership) as folder:
        folder.write("file", b"content")
    assert (path / "file").read_bytes() == b"content"


@pytest.fixture(params=[as_store, as_outside])
def use(request: pytest.FixtureRequest) -> Use:
    return request.param


@pytest.fixture
def above(tmp_path: Path) -> Path:
    """Two levels above what is opened."""
    path = tmp_path / "above"
    (path / "between").mkdir(parents=True, mode=0o755)
    for directory in (path, path / "between"):
        directory.chmod(0o755)
    return path


def refusal(use: Use, path: Path, ownership: Ownership | None = None) -> str:
    with pytest.raises(CertfleetError) as raised:
        use(path, ownership or Ownership())
    return str(raised.value)


def snapshot(path: Path) -> list[tuple[str, int, int]]:
    return [(str(found), found.lstat().st_mode, found.lstat().st_mtime_ns) for found in sorted(path.rglob("*"))]


@pytest.mark.parametrize("mode", [0o757, 0o777, 0o733])
def test_a_directory_above_that_everyone_may_write_to_is_refused(use: Use, above: Path, mode: int) -> None:
    above.chmod(mode)
    text = refusal(use, above / "between" / "place")
    assert text.startswith(f"{above} can be written by every user (mode {mode:04o})")
    assert f"chmod o-w {above}" in text


def test_a_sticky_directory_above_is_fine(use: Use, above: Path) -> None:
    above.chmod(0o1777)
    use(above / "between" / "place", Ownership())


def test_a_sticky_directory_is_no_place_for_a_file_itself(above: Path) -> None:
    above.chmod(0o1777)
    assert "can be written by every user" in refusal(as_outside, above)


@needs_root
def test_a_group_that_may_write_above_is_roots_or_the_users_own(use: Use, above: Path) -> None:
    place = above / "between" / "place"
    above.chmod(0o775)
    use(place, Ownership())
    os.chown(above, -1, STRANGER)
    assert f"{above} can be written by the group {STRANGER} (mode 0775)" in refusal(use, place)
    above.chmod(0o1775)
    use(place, Ownership())


@needs_root
def test_the_users_own_group_may_write_above(use: Use, above: Path) -> None:
    above.chmod(0o775)
    os.chown(above, -1, APP)
    old = os.getegid()
    os.setegid(APP)
    try:
        use(above / "between" / "place", Ownership())
    finally:
        os.setegid(old)


def test_a_list_of_others_who_may_write_above_is_refused(use: Use, above: Path) -> None:
    """The group's bits are the mask of the list then, and the group may be root's."""
    none = 0xFFFFFFFF
    entries = [(0x01, 7, none), (0x02, 7, STRANGER), (0x04, 5, none), (0x10, 7, none), (0x20, 5, none)]
    try:
        os.setxattr(
            above,
            "system.posix_acl_access",
            struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries),
        )
    except OSError as error:
        pytest.skip(f"no access control lists on this file system: {error}")
    assert "can be written by those in its access control list" in refusal(use, above / "between" / "place")


@needs_root
def test_a_directory_above_of_another_user_is_refused_unless_declared(use: Use, above: Path) -> None:
    place = above / "between" / "place"
    os.chown(above, STRANGER, -1)
    text = refusal(use, place)
    assert text.startswith(f"{above} belongs to another user (uid {STRANGER})")
    assert "declare that user as owner" in text
    assert f"uid {STRANGER}" in refusal(use, place, Ownership(uid=APP))
    use(place, Ownership(uid=STRANGER))


@needs_root
def test_check_mode_says_so_before_there_is_a_store(above: Path) -> None:
    os.chown(above, STRANGER, -1)
    with Store(str(above / "new" / "store"), create=False) as store:
        with pytest.raises(CertfleetError, match=f"{above} belongs to another user"):
            store.entry("web", Ownership(), create=False)
        assert store.entry("web", Ownership(uid=STRANGER), create=False) is None


@needs_root
def test_the_place_of_a_file_may_belong_to_the_declared_owner_only(above: Path) -> None:
    os.chown(above, STRANGER, -1)
    assert "belongs to another user" in refusal(as_outside, above)
    as_outside(above, Ownership(uid=STRANGER))


@pytest.mark.parametrize("target", ["real", "./real/../real", "{}/real"])
def test_a_link_above_that_the_user_made_is_followed(use: Use, above: Path, target: str) -> None:
    (above / "real").mkdir(mode=0o755)
    (above / "link").symlink_to(target.format(above))
    use(above / "link" / "place", Ownership())
    assert (above / "real" / "place").is_dir()


@needs_root
def test_a_link_above_that_someone_else_made_is_not_followed(use: Use, above: Path) -> None:
    above.chmod(0o1777)
    (above / "real").mkdir(mode=0o755)
    (above / "real" / "place").mkdir(mode=0o755)
    (above / "link").symlink_to("real")
    os.chown(above / "link", STRANGER, -1, follow_symlinks=False)
    before = snapshot(above)
    for ownership in (Ownership(), Ownership(uid=STRANGER)):
        with pytest.raises(CertfleetError, match=f"link that another user .uid {STRANGER}. has made; it is not foll"):
            if use is as_store:
                as_store(above / "link" / "place", ownership)
            else:
                parents.open_directory(str(above / "link" / "place"), ownership)
    assert snapshot(above) == before


def test_where_a_link_above_leads_is_looked_at_too(use: Use, above: Path) -> None:
    (above / "real").mkdir()
    (above / "real" / "inner").mkdir(mode=0o755)
    (above / "real").chmod(0o777)
    (above / "link").symlink_to("between/../real/inner")
    text = refusal(use, above / "link" / "place")
    assert text.startswith(f"{above}/real can be written by every user")


def test_links_that_lead_to_each_other_end(above: Path) -> None:
    (above / "one").symlink_to("two")
    (above / "two").symlink_to("one")
    text = refusal(as_store, above / "one" / "place")
    assert "too many links" in text
    with pytest.raises(CertfleetError, match="too many links"):
        parents.open_directory(str(above / "one"), Ownership())


def test_a_file_above_is_refused(above: Path) -> None:
    (above / "file").write_text("")
    assert f"{above}/file is no directory" in refusal(as_store, above / "file" / "place")


def test_a_place_that_is_missing_is_named(above: Path) -> None:
    missing = above / "between" / "not" / "there"
    with pytest.raises(CertfleetError, match=f"there is no directory {missing}"):
        parents.open_directory(str(missing), Ownership())
    with pytest.raises(CertfleetError, match="is not an absolute path"):
        parents.open_directory("between", Ownership())
    assert not (above / "between" / "not").exists()


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
def test_new_directories_have_a_safe_mode_whatever_the_umask(above: Path, mask: int) -> None:
    store = above / "one" / "two" / "store"
    seen: list[int] = []

    def step(name: str) -> None:
        seen.extend(
            stat.S_IMODE(path.stat().st_mode) for path in (above / "one", above / "one" / "two", store) if path.exists()
        )

    old = os.umask(mask)
    try:
        with Store(str(store), create=True, step=step) as opened:
            entry = opened.entry("web", Ownership(), create=True)
            assert entry is not None
            entry.close()
        assert os.umask(mask) == mask
    finally:
        os.umask(old)
    assert set(seen) == {0o755}
    assert stat.S_IMODE(store.stat().st_mode) == 0o755
    assert stat.S_IMODE((store / "web").stat().st_mode) == 0o700


def test_nothing_is_made_when_the_way_is_not_safe(above: Path) -> None:
    above.chmod(0o777)
    before = snapshot(above)
    refusal(as_store, above / "new" / "store")
    assert snapshot(above) == before


def test_looking_only_goes_any_way(above: Path) -> None:
    as_store(above / "between" / "place", Ownership())
    above.chmod(0o777)
    with Store(str(above / "between" / "place"), create=False, trusting=True) as store:
        assert store.names() == ["web"]


def test_no_descriptor_is_left_open(use: Use, above: Path) -> None:
    place = above / "between" / "place"
    use(place, Ownership())
    before = sorted(os.listdir("/proc/self/fd"))
    use(place, Ownership())
    above.chmod(0o777)
    refusal(use, place)
    assert sorted(os.listdir("/proc/self/fd")) == before
