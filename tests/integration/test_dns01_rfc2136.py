# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dynamic updates against a real BIND."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.engine import Engine
from ansible_collections.certfleet.acme.plugins.module_utils._dns.factory import build_engine
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._journal.model import PASSING
from ansible_collections.certfleet.acme.plugins.module_utils._journal.run import open_journal

from tests.integration.conftest import missing
from tests.lab import ports

MODULE = "ansible_collections.certfleet.acme.plugins.modules.dns01_rfc2136"
SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0cywgd29ydGggbm90aGluZw=="
ZONES = ("example.test", "sub.example.test", "other.test")
ZONE_FILE = """\
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 5
@ IN NS ns
ns IN A 127.0.0.1
alias IN CNAME ns
"""


class Bind:
    """A named of its own, on loopback, which takes updates of TXT records with one key."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder
        self.port = ports.reserve(1, folder)[0]
        zones = ""
        for zone in ZONES:
            (folder / zone).write_text(ZONE_FILE, encoding="utf-8")
            policy = "grant acme zonesub TXT; grant acme zonesub CNAME;"
            zones += f'zone "{zone}" {{ type primary; file "{folder / zone}"; update-policy {{ {policy} }}; }};\n'
        (folder / "named.conf").write_text(
            f"""
            options {{ directory "{folder}"; pid-file none; session-keyfile none; recursion no; notify no;
                listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; max-journal-size 1M; }};
            controls {{ }};
            key "acme" {{ algorithm hmac-sha256; secret "{SECRET}"; }};
            {zones}""",
            encoding="utf-8",
        )
        with open(folder / "named.log", "wb") as log:
            words = [program, "-g", "-c", str(folder / "named.conf")]
            self._process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError((folder / "named.log").read_text())
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return bool(self.ask("example.test", "SOA").answer)
        except (OSError, dns.exception.DNSException):
            return False

    def ask(self, name: str, kind: str = "TXT") -> Any:
        return dns.query.tcp(dns.message.make_query(f"{name}.", kind), "127.0.0.1", port=self.port, timeout=2)

    def values(self, name: str) -> tuple[int, list[str]]:
        """TTL and sorted values; 0 and none when there is no set."""
        for entries in self.ask(name).answer:
            return entries.ttl, sorted(entry.to_text() for entry in entries)
        return 0, []

    def options(self, **more: str) -> dict[str, Any]:
        return {"server": f"127.0.0.1:{self.port}", "key_name": "acme", "key_secret": SECRET, **more}

    def engine(self, **more: str) -> Engine:
        return build_engine(
            {
                "dns_providers": [{"provider": "rfc2136", "rfc2136": self.options(**more)}],
                "dns_resolvers": [f"127.0.0.1:{self.port}"],
                "dns_timeout": 20,
            }
        )

    def module(self, records: dict[str, list[str]], **more: Any) -> dict[str, Any]:
        arguments = {
            **self.options(),
            "resolvers": [f"127.0.0.1:{self.port}"],
            "records": [{"record": name, "values": values} for name, values in records.items()],
            **more,
        }
        file = self.folder / "arguments.json"
        file.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", MODULE, str(file)], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        assert SECRET not in json.dumps({key: value for key, value in found.items() if key != "invocation"})
        return found

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        ports.release(self.folder)


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    program = shutil.which("named") or shutil.which("named", path="/usr/sbin")
    if program is None:
        missing("no name server to send updates to: apt-get install bind9 brings named")
    made = Bind(tmp_path_factory.mktemp("bind"), program)
    yield made
    made.end()


def name(label: str, zone: str = "example.test") -> str:
    return f"_acme-challenge.{label}.{zone}"


def test_from_nothing_to_present_and_back(bind: Bind) -> None:
    wanted = {name("a"): ["one", "two"], name("b", "sub.example.test"): ["three"]}
    assert bind.module(wanted, _ansible_check_mode=True)["changed"]
    assert bind.values(name("a")) == (0, [])
    first = bind.module(wanted)
    assert (first["changed"], [record["zone"] for record in first["records"]]) == (
        True,
        ["example.test", "sub.example.test"],
    )
    assert bind.values(name("a")) == (60, ['"one"', '"two"'])
    assert not bind.module(wanted)["changed"]
    assert bind.module(wanted, state="absent")["changed"]
    assert bind.values(name("a")) == bind.values(name("b", "sub.example.test")) == (0, [])
    assert not bind.module(wanted, state="absent")["changed"]


def test_values_and_ttl_of_others_stay_and_hundreds_of_names_go_in_batches(bind: Bind) -> None:
    foreign = build_engine(
        {"dns_providers": [{"provider": "rfc2136", "rfc2136": bind.options()}], "dns_ttl": 900, "dns_wait": "none"}
    )
    shared = name("shared")
    assert not foreign.present([TxtRecord(shared, 'v="x" y')]).failed
    engine = bind.engine()
    records = [TxtRecord(name(f"w{number}"), f"{number:043d}") for number in range(300)]
    outcome = engine.present([*records, TxtRecord(shared, "ours")])
    assert not outcome.failed
    assert all(outcome.changed.values())
    assert bind.values(shared) == (900, ['"ours"', '"v=\\"x\\" y"'])
    # 301 questions for zones and as many for CNAMEs are DNS queries; what counts is that updates are few.
    assert sum(engine.calls.values()) < 301 + 40
    assert not engine.absent([*records, TxtRecord(shared, "ours")]).failed
    assert bind.values(shared) == (900, ['"v=\\"x\\" y"'])
    assert bind.values(name("w7")) == (0, [])
    foreign.absent([TxtRecord(shared, 'v="x" y')])


def test_a_lost_race_is_run_again(bind: Bind) -> None:
    """What one engine believes to be there, another has changed meanwhile."""
    one, two = bind.engine(), bind.engine()
    at = name("race")
    assert not one.present([TxtRecord(at, "one")]).failed
    assert not two.present([TxtRecord(at, "two")]).failed
    assert not one.present([TxtRecord(at, "more")]).failed
    assert bind.values(at)[1] == ['"more"', '"one"', '"two"']
    assert not one.absent([TxtRecord(at, "one"), TxtRecord(at, "more")]).failed
    assert bind.values(at)[1] == ['"two"']
    assert not two.absent([TxtRecord(at, "two")]).failed
    assert bind.values(at)[1] == []


def test_bad_names_keys_and_servers_are_told_and_touch_nobody_else(bind: Bind) -> None:
    outcome = build_engine(
        {
            "dns_providers": [{"provider": "rfc2136", "rfc2136": bind.options()}],
            "dns_wait": "none",
            "dns_follow_cname": False,
        }
    ).present([TxtRecord("alias.example.test", "x"), TxtRecord(name("good"), "x"), TxtRecord("a.nowhere.test", "x")])
    told = {record.name: str(error) for record, error in outcome.failed.items()}
    assert set(told) == {"alias.example.test", "a.nowhere.test"}
    assert "has a CNAME" in told["alias.example.test"]
    assert bind.values(name("good"))[1] == ['"x"']
    assert not bind.engine().absent([TxtRecord(name("good"), "x")]).failed

    wrong = bind.engine(key_secret="d3Jvbmc=").present([TxtRecord(name("key"), "x")])
    assert "does not take the TSIG key" in str(next(iter(wrong.failed.values())))
    unknown = bind.engine(key_name="nobody").present([TxtRecord(name("key"), "x")])
    assert "does not take the TSIG key" in str(next(iter(unknown.failed.values())))
    unsigned = build_engine(
        {
            "dns_providers": [{"provider": "rfc2136", "rfc2136": {"server": f"127.0.0.1:{bind.port}"}}],
            "dns_wait": "none",
            "dns_follow_cname": False,
        }
    ).present([TxtRecord(name("key"), "x")])
    assert "refuses updates" in str(next(iter(unsigned.failed.values())))
    for options, words in (
        ({"server": ""}, "no server"),
        ({"key_name": ""}, "belong"),
        ({"key_secret": "%"}, "base64"),
    ):
        with pytest.raises(CertfleetError, match=words):
            bind.engine(**options)


def test_values_of_a_journal_belong_to_the_server_that_they_were_written_to(bind: Bind, tmp_path: Path) -> None:
    with open_journal({"journal": str(tmp_path / "journal")}, program="test", kind=PASSING) as journal:
        assert journal is not None
        entry = {"provider": "rfc2136", "rfc2136": bind.options()}
        engine = build_engine(
            {"dns_providers": [entry], "dns_wait": "none", "dns_follow_cname": False}, journal=journal
        )
        record = TxtRecord(name("journal"), "left")
        assert not engine.present([record]).failed
        (noted,) = [found.placed for found in journal.entries()]
        assert (noted.provider, noted.account, noted.zone) == ("rfc2136", f"127.0.0.1:{bind.port}", "example.test")
        elsewhere = replace(noted, account="192.0.2.1:53")
        outcome = engine.absent([], placed=[noted, elsewhere])
        assert outcome.gone == {noted: True}
        assert "which is not served here" in str(outcome.unserved[elsewhere])
        assert journal.entries() == []
    assert bind.values(record.name) == (0, [])
