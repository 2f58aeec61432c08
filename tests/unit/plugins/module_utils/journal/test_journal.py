# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._journal import folder as folders
from ansible_collections.certfleet.acme.plugins.module_utils._journal import model
from ansible_collections.certfleet.acme.plugins.module_utils._journal.folder import Folder
from ansible_collections.certfleet.acme.plugins.module_utils._journal.model import KEPT, PASSING, Placed, Run
from ansible_collections.certfleet.acme.plugins.module_utils._journal.run import (
    Entry,
    Journal,
    default_owner,
    open_journal,
)
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = 1_800_000_000.0


def placed(value: str, name: str = "_acme-challenge.example.com", zone_id: str = "Z1") -> Placed:
    return Placed("route53", "", "example.com", zone_id, name, value)


ONE, TWO, THREE = placed("one"), placed("two"), placed("three")


def begin(path: Path, *, owner: str = "us", kind: str = PASSING, at: float = NOW) -> Journal:
    return Journal(Folder(str(path), create=True), Run("run", owner, at, 1, "host", "test", kind), clock=lambda: at)


def dead(path: Path, *values: Placed, **options: Any) -> None:
    """A run that was killed after it had announced these."""
    journal = begin(path, **options)
    journal.announce(values)
    os.close(journal._fd)
    journal._folder.close()


def entries(path: Path) -> list[Entry]:
    with closing(begin(path)) as journal:
        return journal.entries()


def files(path: Path) -> list[Path]:
    return sorted(path.glob("*.jsonl"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


PLACES = st.builds(
    Placed,
    provider=st.sampled_from(["route53", "cloud_dns"]),
    account=st.sampled_from(["", "project"]),
    zone=st.just("example.com"),
    zone_id=st.sampled_from(["Z1", "Z2"]),
    name=st.sampled_from(["_acme-challenge.a", "_acme-challenge.b"]),
    value=st.sampled_from(["1", "2", 'quote"\\', "\n", "ü😀"]),
)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.lists(PLACES, max_size=4)), max_size=12), st.binary(max_size=20))
def test_what_is_listed_is_what_was_announced_and_not_confirmed(
    steps: list[tuple[bool, list[Placed]]], torn: bytes
) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "journal"
        journal = begin(path)
        expected: set[Placed] = set()
        for adds, values in steps:
            if adds:
                journal.announce(values)
                expected |= set(values)
            else:
                journal.forget(values)
                expected -= set(values)
            assert {entry.placed for entry in entries(path)} == expected
        assert journal.troubles == []
        # Killed while it wrote the next line.
        if journal._fd >= 0:
            os.write(journal._fd, torn.replace(b"\n", b"") or b"{")
            os.close(journal._fd)
        journal._folder.close()
        found = entries(path)
        assert {entry.placed for entry in found} == expected
        assert not any(entry.alive for entry in found)
        with closing(begin(path)) as later:
            later.forget(expected)
            assert later.entries() == []
            later.sweep()
        assert files(path) == []


@given(st.integers(0, 400))
def test_a_file_cut_anywhere_tells_of_whole_lines_only(length: int) -> None:
    lines = [
        Run("r", "us", NOW, 1, "h", "p", PASSING).line(),
        model.announced([ONE, TWO], NOW),
        model.gone([ONE], NOW),
        model.announced([THREE], NOW),
    ]
    whole = b"".join(lines)
    told = model.read(whole[:length])
    # A line that lacks nothing but its end is whole.
    complete = sum(length >= len(b"".join(lines[: number + 1])) - 1 for number in range(4))
    expected = [set(), set(), {ONE, TWO}, {TWO}, {TWO, THREE}][complete]
    assert set(told.values) == expected
    assert told.damaged <= 1


def test_what_is_about_to_be_added_is_on_the_disk_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    sync = os.fsync

    def noted(fd: int) -> None:
        synced.append(os.fstat(fd).st_size)
        sync(fd)

    monkeypatch.setattr(os, "fsync", noted)
    journal = begin(path)
    journal.announce([ONE, TWO])
    (file,) = files(path)
    assert file.stat().st_size in synced
    synced.clear()
    journal.announce([ONE, TWO])
    assert synced == []
    journal.announce([placed(str(number), zone_id=f"Z{number}") for number in range(20)])
    assert synced == [file.stat().st_size]  # one for all zones
    journal.close()


def test_only_the_user_can_read_it_and_the_format_says_what_it_is(path: Path) -> None:
    before = os.umask(0)
    try:
        dead(path, ONE, owner="awx job 7")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in path.iterdir()} == {0o600}
    header, line = map(json.loads, files(path)[0].read_text().splitlines())
    assert header == {
        "event": "run",
        "version": 1,
        "run": "run",
        "owner": "awx job 7",
        "started": "2027-01-15T08:00:00Z",
        "pid": 1,
        "host": "host",
        "program": "test",
        "kind": "passing",
    }
    assert line == {
        "event": "announced",
        "at": "2027-01-15T08:00:00Z",
        "provider": "route53",
        "account": "",
        "zone": "example.com",
        "zone_id": "Z1",
        "values": [["_acme-challenge.example.com", "one"]],
    }


def test_a_run_that_left_nothing_leaves_no_file(path: Path) -> None:
    with closing(begin(path)) as journal:
        assert files(path) == []
        journal.announce([ONE])
        journal.forget([ONE])
        assert len(files(path)) == 1
    assert files(path) == []
    with closing(begin(path)) as journal:
        journal.announce([ONE, TWO])
        journal.forget([ONE])
    assert [entry.placed for entry in entries(path)] == [TWO]


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o720, 0o702])
def test_a_directory_that_others_may_write_to_is_refused(path: Path, mode: int) -> None:
    path.mkdir()
    path.chmod(mode)
    with pytest.raises(CertfleetError, match=f"others may write to the journal .* \\(mode {mode:04o}"):
        begin(path)


def test_links_and_other_things_in_its_place_are_refused(path: Path) -> None:
    (path.parent / "real").mkdir(mode=0o700)
    path.symlink_to(path.parent / "real")
    for written in (str(path), f"{path}/", f"{path}/."):
        with pytest.raises(CertfleetError, match="is a link or not what should be there"):
            Folder(written, create=True)
    path.unlink()
    path.write_text("")
    with pytest.raises(CertfleetError, match="is a link or not"):
        begin(path)
    with pytest.raises(CertfleetError, match=r"below one that exists"):
        begin(path.parent / "no" / "journal")
    with pytest.raises(CertfleetError, match="is not an absolute path"):
        Folder("journal", create=True)


def test_a_link_in_the_place_of_a_file_is_refused(path: Path) -> None:
    dead(path, ONE)
    (file,) = files(path)
    elsewhere = path.parent / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    with pytest.raises(CertfleetError, match="is a link"):
        entries(path)
    journal = begin(path)
    journal.forget([ONE])
    assert "is a link" in journal.troubles[0]
    assert b'"gone"' not in elsewhere.read_bytes()


def test_a_directory_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(path)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    if path.stat().st_uid == 0:
        begin(path)  # root's own is as good
        os.chown(path, 12345, -1)
    with pytest.raises(CertfleetError, match="others may write to the journal"):
        begin(path)


def test_nothing_is_announced_where_it_cannot_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = begin(path)
    journal.announce([ONE])
    write = os.write
    full: list[bool] = []

    def torn(fd: int, data: bytes) -> int:
        if full:
            raise OSError(28, "No space left on device")
        full.append(True)
        return write(fd, data[:30])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", torn)
        with pytest.raises(CertfleetError, match=r"No space left on device\. Make room on its file system"):
            journal.announce([TWO])
    journal.announce([THREE])
    assert [entry.placed for entry in entries(path)] == [ONE, THREE]
    journal.forget([ONE, TWO, THREE])
    assert entries(path) == []
    journal.close()


def test_a_first_line_that_cannot_be_written_leaves_no_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    journal = begin(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(CertfleetError, match=r"No space left on device\. Make room on its file system"):
            journal.announce([ONE])
    assert files(path) == []
    journal.close()


def test_a_run_that_lives_is_known_and_nobody_crosses_off_for_it(path: Path) -> None:
    dead(path, ONE, owner="the killed one")
    living = begin(path, owner="the living one")
    living.announce([TWO])
    with closing(begin(path)) as other:
        assert [(entry.placed, entry.run.owner, entry.alive) for entry in other.entries()] == [
            (ONE, "the killed one", False),
            (TWO, "the living one", True),
        ]
        assert [entry.placed for entry in other.stale()] == [ONE]
        other.forget([ONE, TWO])
    assert [(entry.placed, entry.alive) for entry in entries(path)] == [(TWO, True)]
    living.close()
    assert [(entry.placed, entry.alive) for entry in entries(path)] == [(TWO, False)]


def test_what_a_run_did_not_add_after_all_may_still_be_there_of_another(path: Path) -> None:
    dead(path, ONE, owner="the killed one")
    with closing(begin(path)) as journal:
        journal.announce([ONE, TWO])
        journal.withdraw([ONE, TWO])
    assert [(entry.placed, entry.run.owner) for entry in entries(path)] == [(ONE, "the killed one")]


def test_what_a_living_run_needs_too_is_not_stale(path: Path) -> None:
    dead(path, ONE, TWO)
    with closing(begin(path, owner="living")) as living:
        living.announce([TWO])
        with closing(begin(path)) as other:
            assert [entry.placed for entry in other.stale()] == [ONE]


def test_what_was_meant_to_stay_is_not_stale_and_is_told_of_once(path: Path) -> None:
    dead(path, ONE, kind=KEPT, at=NOW - 100)
    dead(path, TWO, kind=PASSING)
    with closing(begin(path, kind=KEPT)) as again:
        again.announce([ONE])
    assert len(files(path)) == 2
    with closing(begin(path)) as other:
        assert [entry.placed for entry in other.stale()] == [TWO]
        found = [(entry.placed, entry.added, entry.kept) for entry in other.entries()]
        assert found == [(ONE, NOW, True), (TWO, NOW, False)]


def test_files_that_are_no_use_do_no_harm(path: Path) -> None:
    dead(path, ONE)
    (file,) = files(path)
    later = file.with_name(file.name.replace("-", "-0")[:-7] + ".jsonl")
    later.write_bytes(file.read_bytes().replace(b'"version":1', b'"version":2'))
    headless = path / "20270101T000000Z-0000000000000000.jsonl"
    headless.write_bytes(b"nonsense\n[]\n" + model.announced([TWO], NOW))
    (path / "20270101T000000Z-0000000000000001.jsonl").write_bytes(b"")
    (path / "README").write_text("not of ours")
    unknown = b'{"event":"order","uri":"https://ca.example/order/1"}\n'
    file.write_bytes(file.read_bytes() + unknown)
    with closing(begin(path)) as journal:
        found = journal.entries()
        # Of whom it is cannot be told, so it is left to those who say which.
        assert [(entry.placed, entry.run.owner, entry.kept) for entry in found] == [(ONE, "us", False), (TWO, "", True)]
        assert sorted(trouble.partition(" of the journal ")[2] for trouble in journal.troubles) == [
            "is damaged: 2 lines are no use",
            "is of a later version and was left alone",
        ]
        journal.forget([ONE, TWO])
    assert files(path) == [later]


def test_the_lock_of_the_directory_is_waited_for_and_not_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead(path, ONE)
    monkeypatch.setattr(folders, "_PATIENCE", 0.1)
    with open(path / ".lock", "r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(CertfleetError, match=r"has been locked by another process for 0\.1 s"):
            entries(path)
        journal = begin(path)
        journal.forget([ONE])
        assert "locked by another process" in journal.troubles[0]
        monkeypatch.setattr(folders, "_PATIENCE", 10.0)
        timer = threading.Timer(0.1, fcntl.flock, (lock, fcntl.LOCK_UN))
        timer.start()
        assert len(entries(path)) == 1
        timer.join()


def test_looking_makes_nothing(path: Path) -> None:
    path.mkdir(mode=0o700)
    assert entries(path) == []
    assert list(path.iterdir()) == []
    with open_journal({"journal": str(path / "none")}, program="test", kind=PASSING, check_mode=True) as journal:
        assert journal is None
    assert list(path.iterdir()) == []
    path.chmod(0o777)
    with (
        pytest.raises(CertfleetError, match="others may write"),
        open_journal({"journal": str(path)}, program="test", kind=PASSING, check_mode=True),
    ):
        pass
    with open_journal({"journal": None}, program="test", kind=PASSING) as journal:
        assert journal is None


WORKER = """
import sys
from ansible_collections.certfleet.acme.plugins.module_utils._journal.model import PASSING, Placed
from ansible_collections.certfleet.acme.plugins.module_utils._journal.run import open_journal
path, name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open_journal({"journal": path, "journal_owner": name}, program="test", kind=PASSING) as journal:
    for number in range(rounds):
        values = [Placed("route53", "", "zone", "Z1", f"{name}.zone", str(number)) for _same in range(3)]
        journal.announce(values)
        mine = [entry for entry in journal.entries() if entry.run.owner == name]
        assert {entry.placed for entry in mine} >= set(values) and all(entry.alive for entry in mine), mine
        if number % 2:
            journal.forget(values)
    assert not journal.troubles, journal.troubles
    print("done", flush=True)
    sys.stdin.read()
"""


def test_runs_at_the_same_time_and_killed_ones(path: Path) -> None:
    """Each lives for all the others until the moment that it is killed."""
    command = [sys.executable, "-c", WORKER, str(path)]
    workers = [
        subprocess.Popen([*command, f"run{number}", "6"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "done\n"
        owners = [f"run{number}" for number in range(4) for _kept in range(3)]
        assert [(entry.run.owner, entry.alive) for entry in entries(path)] == [(owner, True) for owner in owners]
        for worker in workers[:2]:
            worker.send_signal(signal.SIGKILL)
            worker.wait(30)
        found = entries(path)
        assert {entry.run.owner for entry in found if entry.alive} == {"run2", "run3"}
        with closing(begin(path)) as journal:
            assert {entry.run.owner for entry in journal.stale()} == {"run0", "run1"}
            journal.forget([entry.placed for entry in found])
        assert {entry.run.owner for entry in entries(path)} == {"run2", "run3"}
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate(timeout=30)


@pytest.mark.parametrize(
    ("environment", "owner"),
    [
        ({"AWX_HOST": "https://awx.example.com", "JOB_ID": "4711"}, "awx job 4711"),
        ({"JOB_ID": "4711"}, None),
        ({"AWX_HOST": "https://awx.example.com"}, None),
    ],
)
def test_the_owner_is_the_job_or_the_user(
    environment: dict[str, str], owner: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ops")
    monkeypatch.setattr("socket.gethostname", lambda: "controller")
    assert default_owner(environment) == (owner or "ops@controller")


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 1000")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert default_owner({}).startswith(f"uid {os.geteuid()}@")


def test_times_come_back() -> None:
    now = int(time.time())
    assert model.as_time(model.as_text(now)) == now
