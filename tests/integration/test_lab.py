# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab comes up, several at once, and goes without a trace, also after a failure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped,unused-ignore]

from tests.lab import ports, processes
from tests.lab.api import Lab
from tests.lab.errors import LabError, MissingProgram
from tests.lab.servers import pebble
from tests.lab.state import State

LAB = Path(__file__).resolve().parents[1] / "lab"


def _processes_of(folder: Path) -> list[str]:
    """The command lines of living processes that name a lab's folder or work in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            works_in = os.readlink(entry / "cwd")
        except OSError:
            continue
        if str(folder) in command or Path(works_in.removesuffix(" (deleted)")) == folder:
            found.append(command)
    return found


def _reserved_by(folder: Path) -> list[str]:
    registry = Path(tempfile.gettempdir()) / f"certfleet-lab-ports-{os.getuid()}"
    found = []
    for entry in registry.glob("*"):
        try:
            if entry.read_text() == str(folder):
                found.append(entry.name)
        except FileNotFoundError:
            continue
    return found


def _await(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def _run_lab(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(LAB), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A place for a lab's state; whatever a failed test left there is ended."""
    place = tmp_path / "lab"
    yield place
    if (place / ".certfleet-lab").exists():
        subprocess.run([sys.executable, str(LAB), "down", "--state", str(place)], check=True)


def test_two_labs_side_by_side_share_nothing() -> None:
    with Lab.up(hosts=1) as first, Lab.up(hosts=1, dns_provider="moto") as second:
        assert set(first.status()) == {"acme2certifier", "ministack", "dns"}
        assert all(first.status().values())
        assert all(second.status().values())
        used = [
            {lab.acme["directory"], lab.route53["endpoint_url"], lab.dns, lab.hosts["web1"]["tls_port"]}
            for lab in (first, second)
        ]
        assert len(used[0]) == 4
        assert not used[0] & used[1]
        assert first.state.root != second.state.root
        second.down()
        assert all(first.status().values()), "ending one lab ended a process of the other"
        assert len(_reserved_by(first.state.root)) >= 4


def test_down_leaves_no_process_no_folder_and_no_port() -> None:
    lab = Lab.up(hosts=1)
    root = lab.state.root
    assert len(_processes_of(root)) >= 3
    lab.down()
    assert _processes_of(root) == []
    assert not root.exists()
    assert _reserved_by(root) == []


def test_a_failed_up_ends_what_it_started(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pebble, "find", lambda: Path("/bin/false"))
    with pytest.raises(LabError, match="pebble ended while it started"):
        Lab.up(ca="pebble", state=folder)
    assert _processes_of(folder) == []
    assert not folder.exists()
    assert _reserved_by(folder) == []


def test_the_end_of_the_log_is_in_the_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complaining = folder.with_name("complaining")
    complaining.write_text("#!/bin/sh\necho it hurts here\nexit 1\n")
    complaining.chmod(0o700)
    monkeypatch.setattr(pebble, "find", lambda: complaining)
    with pytest.raises(LabError, match="it hurts here"):
        Lab.up(ca="pebble", state=folder)


def test_the_command_of_run_gets_the_lab_and_its_exit_code_comes_back(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    script = "import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w')); sys.exit(7)"
    done = _run_lab("run", "--hosts", "0", "--", sys.executable, "-c", script, str(told))
    assert done.returncode == 7, done.stderr
    environment = json.loads(told.read_text())
    root = Path(environment["CERTFLEET_LAB_STATE"])
    assert environment["ANSIBLE_INVENTORY"] == str(root / "inventory.yml")
    assert environment["CERTFLEET_LAB_DIRECTORY"].startswith("https://127.0.0.1:")
    assert not root.exists()
    assert _processes_of(root) == []


def test_run_ends_the_lab_when_the_command_is_not_there(folder: Path) -> None:
    done = _run_lab("run", "--hosts", "0", "--state", str(folder), "--", "/no/such/command")
    assert done.returncode == 1
    assert "cannot run /no/such/command" in done.stderr
    assert not folder.exists()
    assert _processes_of(folder) == []


def test_run_ends_the_lab_when_it_is_terminated(folder: Path) -> None:
    command = [sys.executable, str(LAB), "run", "--hosts", "0", "--state", str(folder), "--", "sleep", "600"]
    runner = subprocess.Popen(command)
    children = Path(f"/proc/{runner.pid}/task/{runner.pid}/children")

    def sleeping_ones() -> list[str]:
        found = children.read_text().split()
        return [pid for pid in found if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep\0")]

    _await(lambda: bool(sleeping_ones()))
    sleeping = sleeping_ones()
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(60) == 128 + signal.SIGTERM
    assert not any(Path(f"/proc/{pid}").exists() for pid in sleeping)
    assert not folder.exists()
    assert _processes_of(folder) == []


def test_up_status_and_down_by_command(folder: Path) -> None:
    up = _run_lab("up", "--hosts", "1", "--state", str(folder))
    assert up.returncode == 0, up.stderr
    assert str(folder) in up.stdout
    status = _run_lab("status", "--state", str(folder))
    assert status.returncode == 0
    assert status.stdout.count("running") == 3
    assert _run_lab("up", "--state", str(folder)).returncode == 1, "a second lab went into the same folder"
    assert _run_lab("down", "--state", str(folder)).returncode == 0
    assert _processes_of(folder) == []
    assert not folder.exists()
    again = _run_lab("down", "--state", str(folder))
    assert again.returncode == 1
    assert "no lab in" in again.stderr


def test_status_tells_of_a_server_that_died(folder: Path) -> None:
    with Lab.up(hosts=0, state=folder) as lab:
        processes.send(lab.state, "dns", signal.SIGKILL)
        _await(lambda: not processes.alive(lab.state, "dns"))
        done = _run_lab("status", "--state", str(folder))
    assert done.returncode == 3
    assert "ENDED" in done.stdout


def test_a_process_id_that_now_belongs_to_somebody_else_is_left_alone(folder: Path) -> None:
    state = State.create(folder)
    stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        (state.root / "run" / "gone.json").write_text(json.dumps({"pid": stranger.pid, "started": 1}))
        assert not processes.alive(state, "gone")
        processes.stop(state, ["gone"])
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_children_of_a_killed_server_are_ended_too(folder: Path) -> None:
    state = State.create(folder)
    pid = processes.start(state, "parent", ["sh", "-c", "sleep 600 & sleep 600 & wait"])
    _await(lambda: len(processes._session_members(*(processes.record(state, "parent") or (0, 0)))) == 3)
    os.kill(pid, signal.SIGKILL)
    processes.stop(state, ["parent"])
    assert _processes_of(folder) == []


def test_ports_are_reserved_for_one_lab_until_its_folder_is_gone(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    try:
        mine = ports.reserve(40, first)
        assert len(set(mine)) == 40
        assert not set(mine) & set(ports.reserve(40, second))
        assert not any(ports._reserve(port, second) for port in mine)
        first.rmdir()
        assert ports._reserve(mine[0], second), "the port of a lab that is gone stays taken"
    finally:
        ports.release(first)
        ports.release(second)


def test_an_ordinary_shell_s_environment_does_not_reach_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, "/nonexistent")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--bind 127.0.0.1:1")
    monkeypatch.setenv("PYTHONPATH", "/nonexistent")
    with Lab.up(hosts=0) as lab:
        assert all(lab.status().values())
        assert lab.txt_values("_acme-challenge.example.com") == []


def test_the_inventory_declares_every_host(tmp_path: Path) -> None:
    with Lab.up(hosts=2, python="/usr/bin/python-of-the-hosts") as lab:
        text = lab.state.inventory.read_text()
        info = json.loads(lab.state.lab_json.read_text())
        content = yaml.safe_load(text)["all"]
        shared = content["vars"]
        hosts = content["children"]["web"]["hosts"]
        assert shared["certfleet_acme_directory"] == info["acme"]["acme2certifier"]["directory"]
        assert Path(shared["certfleet_ca_path"]).is_file()
        assert Path(shared["certfleet_account_key_src"]).parent == lab.state.root / "controller"
        assert shared["certfleet_dns_resolvers"] == [lab.dns]
        assert shared["certfleet_dns_providers"][0]["route53"]["endpoint_url"] == lab.route53["endpoint_url"]
        assert list(hosts) == ["web1", "web2"]
        declared = {c["name"]: c["identifiers"] for c in hosts["web1"]["certfleet_certificates"]}
        assert declared == {"apex": ["example.com", "*.example.com"], "web": ["web1.example.com"]}
        asked = hosts["web1"]["certfleet_certificates"][0]["deploy"]["endpoints"]
        assert [endpoint["server_name"] for endpoint in asked] == ["example.com", "www.example.com"]
        assert hosts["web2"]["ansible_python_interpreter"] == "/usr/bin/python-of-the-hosts"
        assert "&id" not in text


def test_pebble_that_cannot_be_had_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CERTFLEET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pebble.shutil, "which", lambda *_arguments, **_options: None)
    with pytest.raises(MissingProgram, match=r"Pebble 2\.10\.1 is missing.*go install"):
        pebble.find()
