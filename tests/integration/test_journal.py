# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What killed runs leave in DNS: the next run takes it away, and dns01_stale tells of it and does so too."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.factory import build_engine
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord
from ansible_collections.certfleet.acme.plugins.module_utils._journal.folder import Folder
from ansible_collections.certfleet.acme.plugins.module_utils._journal.model import PASSING, Noted, Run
from ansible_collections.certfleet.acme.plugins.module_utils._journal.run import Journal, open_journal
from ansible_collections.certfleet.acme.plugins.module_utils._x509 import csr_facts

from tests.integration.conftest import DEFAULT, Labs
from tests.integration.google_cloud import GoogleCloud
from tests.integration.route53_cloud import Cloud
from tests.lab.api import Lab
from tests.support.controller import Controller, item

FOREIGN = '"foreign"'


def files(journal: Path) -> list[Path]:
    """The runs that the journal still has something of."""
    return sorted(journal.glob("*.jsonl"))


#: Runs a module in a process of its own for each line, the name of a file with its options: the imports, which take
#: longer than all else, are done once. Says the process id, and how it ended.
FORKS = """
import importlib, os, sys
module = importlib.import_module("ansible_collections.certfleet.acme.plugins.modules.acme_certificate")
import acme.client, boto3.session, botocore.endpoint, dns.query
for line in iter(sys.stdin.readline, ""):
    sys.argv[1:] = [line.strip()]
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            module.main()
        finally:
            os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.fixture
def forks() -> Iterator[subprocess.Popen[str]]:
    """See FORKS."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", FORKS], stdin=pipe, stdout=pipe, text=True) as process:
        yield process
        process.communicate(timeout=60)


def killed_after(forks: subprocess.Popen[str], lab: Lab, requests: int, file: Path) -> bool:
    """Run acme_certificate and kill it once Route53 was asked so often; False when it came to its end before."""
    assert forks.stdin is not None
    assert forks.stdout is not None
    lab.reset_log()
    forks.stdin.write(f"{file}\n")
    forks.stdin.flush()
    child = int(forks.stdout.readline())
    end = time.monotonic() + 60
    while not select.select([forks.stdout], [], [], 0.002)[0]:
        if len(lab.requests("route53")) >= requests or time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            break
    assert time.monotonic() < end
    return int(forks.stdout.readline()) == signal.SIGKILL


class TestKilledIssuance:
    """A real acme_certificate against a real CA."""

    @pytest.fixture
    def controller(self, labs: Labs, tmp_path: Path) -> Iterator[Controller]:
        made = Controller(labs.get("pebble", "ministack"), tmp_path)
        made.account()
        yield made
        made.lab.set_dns_lag(0)

    @pytest.fixture
    def shared(self, controller: Controller, tmp_path: Path) -> Iterator[str]:
        """A name of both runs, with a value of somebody else's."""
        cloud = Cloud(controller.lab, tmp_path)
        name, zone_id = "_acme-challenge.killed.example.com", controller.lab.route53["zones"]["example.com"]
        cloud.put(zone_id, name, [FOREIGN], ttl=900)
        yield name
        assert cloud.holds(zone_id)[name] == (900, [FOREIGN])
        records = [{"record": name, "values": [FOREIGN]}]
        assert controller.module("dns01_route53", **cloud.options, records=records, state="absent", ttl=900)["changed"]

    def options(
        self, controller: Controller, journal: Path, owner: str, *, rate: int = 100, **more: Any
    ) -> dict[str, Any]:
        """What both runs are told to do. rate: requests to Route53 a second."""
        dns = controller.dns()
        dns["dns_providers"][0]["route53"]["requests_per_second"] = rate
        wanted = item("killed", "killed.example.com", "*.killed.example.com")
        noted = {"journal": str(journal), "journal_owner": owner}
        return {**controller.ca(), **dns, "certificates": [wanted], **noted, **more}

    def test_a_run_that_lives_is_left_alone_and_a_killed_one_is_cleaned_up_after(
        self, controller: Controller, shared: str, tmp_path: Path
    ) -> None:
        lab, journal = controller.lab, tmp_path / "journal"
        lab.set_dns_lag(300)  # it would wait that long for DNS
        process = controller.start("acme_certificate", **self.options(controller, journal, "awx job 1"))
        end = time.monotonic() + 60
        stale: dict[str, Any] = {"journal": str(journal), "dns_providers": controller.dns()["dns_providers"]}

        while len(lab.txt_values(shared)) < 3:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        lab.reset_log()
        told = controller.module("dns01_stale", **stale, state="absent", older_than=0)
        assert not told["changed"]
        found = [(one["record"], one["owner"], one["alive"], one["in_dns"]) for one in told["records"]]
        assert found == [(shared, "awx job 1", True, True)] * 2
        assert lab.counts("route53")["ChangeResourceRecordSets"] == 0
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        lab.set_dns_lag(0)
        (left,) = files(journal)
        assert stat.S_IMODE(journal.stat().st_mode) == 0o700
        assert stat.S_IMODE(left.stat().st_mode) == 0o600
        before = set(lab.txt_values(shared)) - {"foreign"}
        assert {value for value in before if value in left.read_text()} == before
        assert "PRIVATE KEY" not in left.read_text()
        told = controller.module("dns01_stale", **stale)
        assert [(one["alive"], one["in_dns"], one["changed"]) for one in told["records"]] == [(False, True, False)] * 2

        lab.reset_log()
        other = {"certificates": [item("other", "other.killed.example.com")]}
        result = controller.module("acme_certificate", **{**self.options(controller, journal, "awx job 2"), **other})
        assert result["certificates"][0]["fullchain"]
        assert {one["value"] for one in result["stale_removed"]} == before
        assert {one["owner"] for one in result["stale_removed"]} == {"awx job 1"}
        assert lab.txt_values(shared) == ["foreign"]
        # Along with its own: the guess of what the set holds was its own values, the second look had them all.
        assert lab.counts("route53")["ChangeResourceRecordSets"] <= 4
        # What is left is the order, which the next run for these names goes on with.
        assert len(files(journal)) == 1
        lab.reset_log()
        result = controller.module("acme_certificate", **self.options(controller, journal, "awx job 3"))
        assert result["certificates"][0]["fullchain"]
        assert lab.counts("acme")["newOrder"] == 0
        assert (lab.txt_values(shared), files(journal)) == (["foreign"], [])

    def test_a_certificate_that_a_killed_run_had_obtained_is_fetched_and_not_ordered_again(
        self, controller: Controller, tmp_path: Path
    ) -> None:
        journal, directory = tmp_path / "journal", controller.lab.acme["directory"]
        wanted = item("had", "had.example.com")
        noted: dict[str, Any] = {"journal": str(journal)}
        (had,) = controller.issue([wanted], **noted)["certificates"]
        key = csr_facts(wanted["csr_content"])["public_key_sha256"]

        def killed() -> None:
            run = Run("dead", "us", time.time(), 1, "host", "test", PASSING)
            left = Journal(Folder(str(journal), create=True), run)
            left.note_orders([Noted(directory, had["order_uri"], ("had.example.com",), key)])
            left.close()
            assert len(files(journal)) == 1

        for again, same in ((wanted, True), (item("had", "had.example.com"), False)):
            killed()
            controller.lab.reset_log()
            (found,) = controller.issue([again], **noted)["certificates"]
            assert (found["serial"] == had["serial"], found["changed"]) == (same, not same)
            assert controller.lab.counts("acme")["newOrder"] == (0 if same else 1)
            assert files(journal) == []

    def test_killed_at_each_step_the_next_run_finishes_and_nothing_of_both_is_left(
        self, controller: Controller, shared: str, tmp_path: Path, forks: subprocess.Popen[str]
    ) -> None:
        lab, journal = controller.lab, tmp_path / "journal"
        deaths = resumed = 0
        file = tmp_path / "killed.json"
        file.touch(mode=0o600)
        # A write that meets the foreign value, one that does not, waiting for it, and the clean-up.
        for requests in (2, 4, 6, 7):
            # Slow enough to be met between its requests.
            options = self.options(controller, journal, "killed", rate=20)
            file.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
            if not killed_after(forks, lab, requests, file):
                continue
            deaths += 1
            again = self.options(controller, journal, "next", dns_wait="none")
            lab.reset_log()
            result = controller.module("acme_certificate", **again)
            assert result["certificates"][0]["fullchain"], result["msg"]
            resumed += not lab.counts("acme")["newOrder"]
            assert lab.txt_values(shared) == ["foreign"]
            assert files(journal) == []
        assert deaths >= 3  # the last one may have come to its end
        assert resumed >= 2

    def test_values_of_others_that_live_or_are_meant_to_stay_outlive_a_run(
        self, controller: Controller, tmp_path: Path
    ) -> None:
        lab, journal = controller.lab, tmp_path / "journal"
        route53 = lab.dns_providers[0]["route53"]
        names = {"live": "_acme-challenge.live.example.com", "kept": "_acme-challenge.kept.example.com"}
        kept: dict[str, Any] = {
            "records": [{"record": names["kept"], "values": ["kept"]}],
            "journal": str(journal),
            "wait": "none",
        }
        assert controller.module("dns01_route53", **route53, **kept)["changed"]
        with open_journal({"journal": str(journal)}, program="test", kind=PASSING) as living:
            engine = build_engine({**controller.dns(), "dns_wait": "none", "dns_follow_cname": False}, journal=living)
            record = TxtRecord(names["live"], "living")
            assert not engine.present([record]).failed
            result = controller.module("acme_certificate", **self.options(controller, journal, "next"))
            assert result["certificates"][0]["fullchain"]
            assert result["stale_removed"] == []
            assert {name: lab.txt_values(name) for name in names.values()} == {
                names["live"]: ["living"],
                names["kept"]: ["kept"],
            }
            assert not engine.absent([record]).failed
        assert len(files(journal)) == 1
        assert controller.module("dns01_route53", **route53, **kept, state="absent")["changed"]
        assert files(journal) == []
        assert lab.all_txt() == {}


class TestStale:
    """dns01_stale with both clouds in one journal."""

    @pytest.fixture
    def clouds(self, labs: Labs, tmp_path: Path) -> tuple[Cloud, GoogleCloud]:
        lab = labs.get(*DEFAULT, purpose="cloud zones", hosts=0, cloud_zones=["example.org"])
        return Cloud(lab, tmp_path), GoogleCloud(lab, tmp_path)

    def test_listed_and_removed_by_age_and_by_owner(self, clouds: tuple[Cloud, GoogleCloud], tmp_path: Path) -> None:
        amazon, google = clouds
        journal = tmp_path / "journal"
        held: dict[str, dict[str, tuple[int, list[str]]]] = {}
        providers: dict[str, dict[str, Any]] = {}
        ids: dict[str, str] = {}
        cloud: Cloud | GoogleCloud
        for kind, cloud in (("route53", amazon), ("cloud_dns", google)):
            zone, ids[kind] = cloud.zone()
            name = f"_acme-challenge.{zone}"
            cloud.put(ids[kind], name, [FOREIGN], ttl=900)
            held[kind] = cloud.holds(ids[kind])
            options = {**cloud.options, "requests_per_second": 100}
            providers[kind] = {"provider": kind, "zones": [zone], kind: options}
            more: dict[str, Any] = {"journal": str(journal), "journal_owner": f"job {kind}", "wait": "none"}
            answer = cloud.module({name: ["ours"]}, **more)
            assert answer.returncode == 0, answer.output
            assert answer.result["changed"]

        def stale(*served: str, check: bool = False, **options: Any) -> dict[str, Any]:
            given = {"journal": str(journal), "dns_providers": [providers[kind] for kind in served], **options}
            return Controller(amazon.lab, tmp_path).module("dns01_stale", check=check, diff=True, **given)

        def holds() -> dict[str, dict[str, tuple[int, list[str]]]]:
            return {"route53": amazon.holds(ids["route53"]), "cloud_dns": google.holds(ids["cloud_dns"])}

        unasked = stale()
        assert unasked["api_calls"] == 0
        assert [(one["owner"], one["in_dns"], one["kept"], one["alive"]) for one in unasked["records"]] == [
            ("job cloud_dns", None, True, False),
            ("job route53", None, True, False),
        ]
        assert "diff" not in unasked
        aged(journal, "job route53")
        told = stale("route53", "cloud_dns", older_than="1d")
        (old,) = told["records"]
        assert (old["owner"], old["in_dns"], old["age_seconds"] > 86400) == ("job route53", True, True)
        both = holds()

        planned = stale("route53", "cloud_dns", state="absent", older_than="1d", check=True)
        assert planned["changed"]
        assert [one["changed"] for one in planned["records"]] == [True]
        assert [(one["before"].count('"ours"'), one["after"].count('"ours"')) for one in planned["diff"]] == [(1, 0)]
        assert holds() == both
        done = stale("route53", "cloud_dns", state="absent", older_than="1d")
        assert [one["changed"] for one in done["records"]] == [True]
        assert done["diff"] == planned["diff"]
        assert holds() == {**both, "route53": held["route53"]}
        again = stale("route53", "cloud_dns", state="absent", older_than="1d")
        assert (again["changed"], again["records"]) == (False, [])

        unserved = stale("route53", state="absent", owner="job cloud_dns")
        assert unserved["failed"]
        assert [(one["served"], one["in_dns"], one["failed"]) for one in unserved["records"]] == [(False, None, True)]
        assert "which is not served here" in unserved["msg"]
        assert not stale("route53").get("failed")
        assert stale("route53", "cloud_dns", state="absent", owner="somebody else")["records"] == []
        assert len(files(journal)) == 1
        assert stale("route53", "cloud_dns", state="absent", owner="job cloud_dns")["changed"]
        assert holds() == held
        assert files(journal) == []

    def test_what_is_gone_already_is_crossed_off_and_changes_nothing(
        self, clouds: tuple[Cloud, GoogleCloud], tmp_path: Path
    ) -> None:
        amazon, _google = clouds
        journal = tmp_path / "journal"
        zone, zone_id = amazon.zone()
        name = f"_acme-challenge.{zone}"
        assert amazon.module({name: ["ours"]}, wait="none", journal=str(journal)).returncode == 0
        assert amazon.module({name: ["ours"]}, state="absent").result["changed"]  # by hand, without the journal
        controller = Controller(amazon.lab, tmp_path)
        providers = [{"provider": "route53", "zones": [zone], "route53": amazon.options}]
        given: dict[str, Any] = {"journal": str(journal), "dns_providers": providers, "state": "absent"}
        told = controller.module("dns01_stale", **given, older_than="0")
        assert [(one["in_dns"], one["changed"]) for one in told["records"]] == [(False, False)]
        assert not told["changed"]
        assert files(journal) == []
        assert amazon.holds(zone_id) == {}

    @pytest.mark.parametrize(
        ("options", "cause"),
        [
            ({"state": "absent"}, "nothing says which values are stale. Give older_than, owner, or both."),
            ({"state": "absent", "owner": "us"}, "no DNS provider is given"),
            ({"older_than": "soon"}, "older_than 'soon' is no duration"),
        ],
    )
    def test_bad_options(
        self, clouds: tuple[Cloud, GoogleCloud], tmp_path: Path, options: dict[str, Any], cause: str
    ) -> None:
        controller = Controller(clouds[0].lab, tmp_path)
        told = controller.module("dns01_stale", journal=str(tmp_path / "none"), **options)
        assert cause in told["msg"]

    def test_no_journal_is_an_empty_one_and_a_bad_one_stops_everything_before_dns(
        self, clouds: tuple[Cloud, GoogleCloud], tmp_path: Path
    ) -> None:
        amazon, _google = clouds
        controller = Controller(amazon.lab, tmp_path)
        told = controller.module("dns01_stale", journal=str(tmp_path / "none"))
        assert told["records"] == []
        assert "there is no journal" in str(told["warnings"])
        assert not (tmp_path / "none").exists()
        bad = tmp_path / "open"
        bad.mkdir()
        os.chmod(bad, 0o777)
        zone, zone_id = amazon.zone()
        for check in (True, False):
            answer = amazon.module({f"_acme-challenge.{zone}": ["x"]}, journal=str(bad), check=check)
            assert "others may write to the journal" in answer.result["msg"]
        assert amazon.holds(zone_id) == {}
        assert "others may write" in controller.module("dns01_stale", journal=str(bad))["msg"]


def aged(journal: Path, owner: str) -> None:
    """Let what this owner wrote have been written long ago."""
    (file,) = [file for file in files(journal) if f'"{owner}"' in file.read_text()]
    file.write_text(re.sub(r'"at":"[^"]*"', '"at":"2020-01-01T00:00:00Z"', file.read_text()))
