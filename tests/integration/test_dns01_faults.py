# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs among faults and runs that are killed, with each provider: the end is right, and nothing is left behind."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.factory import build_engine
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import Outcome, TxtRecord

from tests.integration.conftest import Grounds
from tests.integration.google_cloud import GoogleCloud
from tests.integration.providers import ONLY_CLOUD_DNS, ONLY_ROUTE53
from tests.integration.route53_cloud import Cloud

#: New processes begin with the libraries loaded, and without the threads of the tests.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__, "boto3", "google.cloud.dns"])
#: Names of faults as the grounds know them, each with how often it strikes.
BOTH: tuple[dict[str, float], ...] = (
    {"throttle": 2},
    {"cut": 3},
    {"lose": 2},
    {"error": 2},
    {"throttle": 2, "lose": 3, "error": 5},
)
GROUNDS = [pytest.param("strict", marks=ONLY_ROUTE53), pytest.param("cloud_dns", marks=ONLY_CLOUD_DNS)]
#: Faults that one of them has. prior: seconds in which a zone takes no further change.
CASES = [
    *(pytest.param("strict", faults, marks=ONLY_ROUTE53) for faults in (*BOTH, {"prior": 0.4})),
    *(
        pytest.param("cloud_dns", faults, marks=ONLY_CLOUD_DNS)
        for faults in (
            *BOTH,
            {"quota": 2},
            {"unavailable": 2},
            {"late": 2},
            {"precondition": 2},
            {"exists": 2},
            {"precondition": 2, "lose": 3, "unavailable": 5},
        )
    ),
]


def words(value: str | dict[str, float]) -> str:
    return value if isinstance(value, str) else "-".join(value)


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize(("name", "faults"), CASES, ids=words)
def test_a_run_among_faults_ends_right(grounds: Grounds, name: str, faults: dict[str, float]) -> None:
    cloud = grounds(name)
    (one, one_id), (two, two_id) = cloud.zone(), cloud.zone()
    shared = f"_acme-challenge.shared.{one}"
    cloud.put(one_id, shared, ['"foreign"'], ttl=900)
    records = [TxtRecord(f"_acme-challenge.w{n}.{zone}", f"{n:043d}") for n in range(20) for zone in (one, two)]
    records.append(TxtRecord(shared, "ours"))
    cloud.set_faults(**faults)
    engine = cloud.engine(wait="provider")
    outcome = engine.present(records)
    assert not outcome.failed, next(iter(outcome.failed.values()))
    # A lost answer leaves it open who wrote; what is certain is that it is there.
    assert all(outcome.changed.values()), [record for record, changed in outcome.changed.items() if not changed]
    cloud.set_faults()
    assert len(cloud.holds(one_id)) == 21
    assert len(cloud.holds(two_id)) == 20
    cloud.set_faults(**faults)
    assert not engine.absent(records).failed
    cloud.set_faults()
    assert (cloud.holds(one_id), cloud.holds(two_id)) == ({shared: (900, ['"foreign"'])}, {})


@pytest.mark.parametrize("name", GROUNDS)
@pytest.mark.parametrize("state", ["present", "absent"])
def test_killed_at_any_request_the_next_run_finishes(grounds: Grounds, name: str, state: str) -> None:
    """SIGKILL after each number of requests in turn, until a run gets through; then the next one runs to its end."""
    cloud = grounds(name)
    zone, zone_id = cloud.zone()
    shared = f"_acme-challenge.shared.{zone}"
    cloud.put(zone_id, shared, ['"foreign"'], ttl=900)
    untouched = cloud.holds(zone_id)
    wanted = [shared, *(f"_acme-challenge.w{number}.{zone}" for number in range(3))]
    complete = {
        shared: (900, ['"foreign"', '"ours"']),
        **{name: (60, ['"ours"']) for name in wanted if name != shared},
    }

    def run(state: str) -> Outcome:
        """Another run: it knows nothing of those before it."""
        engine = cloud.engine(wait="none")
        return (engine.present if state == "present" else engine.absent)([TxtRecord(name, "ours") for name in wanted])

    deaths = 0
    for requests in range(1, 30):
        if state == "absent":
            assert not run("present").failed
        if not killed_after(cloud, requests, wanted, state):
            break
        deaths += 1
        assert not run(state).failed
        assert cloud.holds(zone_id) == (complete if state == "present" else untouched)
        assert not run("absent").failed
        assert cloud.holds(zone_id) == untouched
    assert 3 <= deaths < 29


def killed_after(cloud: Cloud | GoogleCloud, requests: int, names: list[str], state: str) -> bool:
    """Kill a run once the provider got so many requests; False when it had come to its end by then."""
    cloud.lab.reset_log()
    server = "cloud_dns" if isinstance(cloud, GoogleCloud) else "strict"
    process = PROCESSES.Process(target=change, args=(cloud.params(wait="provider", rate=20), names, state))
    process.start()
    while process.is_alive():
        if len(cloud.lab.requests(server)) >= requests:
            process.kill()
            break
        time.sleep(0.002)
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode == -signal.SIGKILL


def change(params: dict[str, Any], names: list[str], state: str) -> None:
    """A run in a process of its own."""
    engine = build_engine(params)
    outcome = (engine.present if state == "present" else engine.absent)([TxtRecord(name, "ours") for name in names])
    sys.exit(bool(outcome.failed))
