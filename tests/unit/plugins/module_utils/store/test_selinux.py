# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SELinux contexts on real files, with a policy of the test in the place of libselinux."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._store import parents, selinux
from ansible_collections.certfleet.acme.plugins.module_utils._store.ownership import Ownership
from ansible_collections.certfleet.acme.plugins.module_utils._store.selinux import Context, Policy

from tests.support.stored import CA, ask, put

DECLARED: dict[str, Any] = {"seuser": "staff_u", "serole": "web_r", "setype": "web_cert_t", "selevel": "s0:c1,c2"}


class Library:
    """libselinux, by whose policy each kind of thing of the store has a type of its own."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def matchpathcon(self, path: str, mode: int) -> list[Any]:
        self.asked.append((path, stat.S_IFMT(mode)))
        if "unknown" in path:
            raise OSError(errno.ENOENT, "no default")
        kind = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link"}[stat.S_IFMT(mode)]
        name = re.sub(r"\W", "_", os.path.basename(path))
        return [0, f"system_u:object_r:{kind}_{name}_t:s0"]


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """In force while the test runs."""
    try:
        os.setxattr(tmp_path, "security.selinux", b"a:b:c:s0\0")
    except OSError as error:
        pytest.skip(f"contexts cannot be set here: {error}")
    library = Library()
    policy = Policy(library, levels=True, special=[])
    monkeypatch.setattr(selinux, "policy", lambda: policy)
    return library


def context(path: Path) -> str:
    if "security.selinux" not in os.listxattr(path, follow_symlinks=False):
        return ""
    value = os.getxattr(path, "security.selinux", follow_symlinks=False)
    assert value.endswith(b"\0")
    return value[:-1].decode()


def relabel(path: Path, value: str) -> None:
    os.setxattr(path, "security.selinux", value.encode() + b"\0", follow_symlinks=False)


def everything(root: Path) -> list[Path]:
    return sorted((root / "web").rglob("*"))


def test_what_is_new_gets_the_policys_context_for_its_final_path(tmp_path: Path, library: Library) -> None:
    root = tmp_path / "above" / "store"
    put(root, [CA.issued(ask(root))])
    ask(root, force=True)
    assert context(root.parent) == "system_u:object_r:dir_above_t:s0"
    assert context(root) == "system_u:object_r:dir_store_t:s0"
    assert len(everything(root)) == 12
    for path in everything(root):
        kind = "link" if path.is_symlink() else "dir" if path.is_dir() else "file"
        name = re.sub(r"\W", "_", path.name)
        assert context(path) == f"system_u:object_r:{kind}_{name}_t:s0"
    assert {path for path, _mode in library.asked} >= {str(path) for path in everything(root)}
    assert not [path for path, _mode in library.asked if "/." in path]


def test_the_context_is_there_before_the_first_byte_and_before_the_name(tmp_path: Path, library: Library) -> None:
    root = tmp_path / "store"
    seen: dict[str, str] = {}

    def step(name: str) -> None:
        verb, _space, what = name.partition(" ")
        if verb in {"fill", "rename"}:
            for found in root.rglob(f".{what}.new"):
                seen[f"{verb} {what}"] = context(found)
                if verb == "fill":
                    assert found.stat().st_size == 0
        if verb == "switch":
            seen[name] = context(root / "web" / ".current.new")

    put(root, [CA.issued(ask(root, step=step))], step=step)
    assert seen["fill privkey.pem"] == seen["rename privkey.pem"] == "system_u:object_r:file_privkey_pem_t:s0"
    assert seen["fill fullchain.pem"] == "system_u:object_r:file_fullchain_pem_t:s0"
    assert seen["switch current"] == "system_u:object_r:link_current_t:s0"


def test_what_is_declared_counts_more(tmp_path: Path, library: Library) -> None:
    root = tmp_path / "store"
    put(root, [CA.issued(ask(root, **DECLARED))], **DECLARED)
    ask(root, force=True, **DECLARED)
    assert {context(path) for path in [root / "web", *everything(root)]} == {"staff_u:web_r:web_cert_t:s0:c1,c2"}
    assert context(root) == "system_u:object_r:dir_store_t:s0"  # it is not this certificate's
    assert not ask(root, **DECLARED)["changed"]
    other = tmp_path / "other"
    ask(other, setype="web_cert_t", seuser="_default")
    assert context(other / "web" / "pending" / "privkey.pem") == "system_u:object_r:web_cert_t:s0"


@pytest.mark.parametrize("declared", [{"setype": "web_cert_t"}, {"setype": "_default"}, {"selevel": "s0:c3"}])
def test_a_wrong_context_is_corrected_and_reported(tmp_path: Path, library: Library, declared: dict[str, Any]) -> None:
    root = tmp_path / "store"
    put(root, [CA.issued(ask(root))])
    ask(root, force=True)
    ask(root, **declared)
    for path in [root / "web", *everything(root)]:
        right = context(path)
        relabel(path, "wrong_u:wrong_r:wrong_t:s15")
        assert ask(root, check=True, **declared)["changed"], path
        assert context(path) == "wrong_u:wrong_r:wrong_t:s15"
        assert ask(root, **declared)["changed"], path
        _user, _role, kind, level = right.split(":", 3)
        expected = ["wrong_u", "wrong_r", "wrong_t", "s15"]
        if "setype" in declared:
            expected[2] = kind
        else:
            expected[3] = level
        assert context(path) == ":".join(expected), path
        assert not ask(root, check=True, **declared)["changed"], path


def test_what_is_there_keeps_what_is_not_declared(
    tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is even looked at when nothing is declared."""

    def touched(*_unused: object, **_options: object) -> None:
        raise AssertionError("an attribute was touched")

    root = tmp_path / "store"
    put(root, [CA.issued(ask(root))])
    for path in everything(root):
        relabel(path, "my_u:my_r:my_t:s3")
    with monkeypatch.context() as patched:
        patched.setattr(os, "getxattr", touched)
        assert not ask(root)["changed"]
        assert not put(root, [])["changed"]
    assert {context(path) for path in everything(root)} == {"my_u:my_r:my_t:s3"}


def test_without_selinux_no_attribute_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def touched(*_unused: object, **_options: object) -> None:
        raise AssertionError("an attribute was touched")

    monkeypatch.setattr(selinux, "policy", lambda: None)
    monkeypatch.setattr(os, "setxattr", touched)
    monkeypatch.setattr(os, "getxattr", touched)
    root = tmp_path / "store"
    assert put(root, [CA.issued(ask(root, **DECLARED))], **DECLARED)["deployed"]
    assert not ask(root, **DECLARED)["changed"]


@pytest.mark.parametrize(("enabled", "levels"), [(0, 0), (-1, 0), (1, 0), (1, 1)])
def test_libselinux_says_whether_selinux_is_enabled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enabled: int, levels: int
) -> None:
    fake = types.ModuleType("ansible.module_utils.compat.selinux")
    answers = {
        "is_selinux_enabled": lambda: enabled,
        "is_selinux_mls_enabled": lambda: levels,
        "matchpathcon": lambda path, mode: [0, "u:r:t:s0" if levels else "u:r:t"],
    }
    vars(fake).update(answers)
    import ansible.module_utils.compat

    monkeypatch.setitem(sys.modules, fake.__name__, fake)
    monkeypatch.setattr(ansible.module_utils.compat, "selinux", fake, raising=False)
    selinux.policy.cache_clear()
    try:
        found = selinux.policy()
        assert (found is not None) is (enabled == 1)
        if found is not None:
            fd = os.open(tmp_path, os.O_RDONLY)
            try:
                assert found.apply(fd, str(tmp_path), Context(level="s7"), fresh=True, dry=True)
                assert found._wanted(fd, "/x", Context(level="s7"), [], fresh=True, link="") == (
                    ["u", "r", "t", "s7"] if levels else ["u", "r", "t"]
                )
            finally:
                os.close(fd)
    finally:
        selinux.policy.cache_clear()


def test_a_host_without_libselinux_has_no_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    import ansible.module_utils.compat

    monkeypatch.setitem(sys.modules, "ansible.module_utils.compat.selinux", None)
    monkeypatch.delattr(ansible.module_utils.compat, "selinux", raising=False)
    selinux.policy.cache_clear()
    try:
        assert selinux.policy() is None
    finally:
        selinux.policy.cache_clear()


def test_file_systems_with_one_context_for_all_are_left_alone(
    tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = selinux._file_systems()
    device = os.stat("/proc").st_dev
    assert found[f"{os.major(device)}:{os.minor(device)}"] == "proc"
    device = os.stat(tmp_path).st_dev
    monkeypatch.setattr(selinux, "_file_systems", lambda: {f"{os.major(device)}:{os.minor(device)}": "nfs4"})
    for special, labelled in ((["fuse", "nfs"], False), (["fuse", "vfat"], True)):
        policy = Policy(library, levels=True, special=special)
        monkeypatch.setattr(selinux, "policy", lambda policy=policy: policy)
        root = tmp_path / special[1]
        ask(root, **DECLARED)
        assert bool(context(root / "web" / "pending" / "privkey.pem")) is labelled


def test_the_setting_of_ansible_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selinux, "_special", list(selinux._special))
    selinux.leave_alone(None)
    assert "nfs" in selinux._special
    selinux.leave_alone(["mine"])
    assert selinux._special == ["mine"]


def test_a_file_system_that_has_no_contexts_is_told_only_when_one_is_declared(
    tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_unused: object, **_options: object) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(os, "setxattr", refuse)
    root = tmp_path / "store"
    assert put(root, [CA.issued(ask(root))])["deployed"]
    with pytest.raises(CertfleetError, match=r"web cannot get the SELinux context .*:web_cert_t:s0: .*not supported"):
        ask(root, setype="web_cert_t")


def test_a_context_that_the_kernel_refuses_leaves_no_file(
    tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "store"
    ask(root)

    def refuse(*_unused: object, **_options: object) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "setxattr", refuse)
    folder = parents.open_directory(str(root), Ownership(context=Context(type="nonsense_t")))
    refused = pytest.raises(CertfleetError, match="key cannot get the SELinux context system_u:object_r:nonsense_t:s0")
    with folder, refused:
        folder.write("key", b"secret", secret=True)
    assert sorted(path.name for path in root.iterdir()) == ["web"]


def test_a_path_that_the_policy_does_not_know_keeps_what_the_kernel_gave_it(tmp_path: Path, library: Library) -> None:
    root = tmp_path / "unknown"
    ask(root)
    assert context(root / "web" / "pending" / "privkey.pem") == ""
    other = tmp_path / "unknown2"
    with pytest.raises(CertfleetError, match="no SELinux context yet"):
        ask(other, setype="web_cert_t")
    ask(other, **DECLARED)
    assert context(other / "web" / "pending" / "privkey.pem") == "staff_u:web_r:web_cert_t:s0:c1,c2"


def test_the_policy_is_asked_by_the_path_without_links(tmp_path: Path, library: Library) -> None:
    (tmp_path / "real").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to("real")
    ask(tmp_path / "link" / "store")
    assert {os.path.dirname(path) for path, _mode in library.asked} == {
        str(tmp_path / "real"),
        str(tmp_path / "real" / "store"),
        str(tmp_path / "real" / "store" / "web"),
        str(tmp_path / "real" / "store" / "web" / "pending"),
    }
