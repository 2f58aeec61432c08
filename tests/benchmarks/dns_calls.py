# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many API calls many TXT values cost: adding them, waiting until all name servers have them, removing them.

    python -m tests.benchmarks.dns_calls [--provider NAME ...] [--no-peers]

Counted by the servers, at the default rate and with the provider's own limit of rate in force. Beside it, what other
programs cost for as many names as they do in reasonable time (see peers.py). The last line is JSON with
``PROVIDER_1000`` (names in one zone; the most of an empty zone, one whose changes take half a minute, one of 20,000
records, and one of these in an account of 300 zones) and ``PROVIDER_10000`` (in 20 zones). Exits with 1 when one is
above its bound, when requests came faster than they may, or when the count grows with the names.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass

from ansible_collections.certfleet.acme.plugins.module_utils._dns.factory import build_engine
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord

from tests.benchmarks import peers
from tests.benchmarks.grounds import GROUNDS, Ground

#: For 10,000 names: the list of zones, and for each of 20 zones a batch, a look at its state or two, and a batch.
BOUNDS = {"route53_1000": 12, "route53_10000": 100, "cloud_dns_1000": 10, "cloud_dns_10000": 80}
#: Requests a second.
RATE = 4
#: Seconds that a busy machine may hold a request up on its way, so that the next one seems to follow sooner.
JITTER = 0.1
RECORDS = 20_000
ZONES = 300
#: Seconds until a change is applied: about what Route53 takes.
DELAY = 30.0


@dataclass(frozen=True)
class Cost:
    """What the servers saw. rate: requests a second, first to last; busiest: the most of them within a second."""

    calls: int
    rate: float
    busiest: int

    @property
    def too_fast(self) -> bool:
        return self.rate > RATE or self.busiest > RATE

    @classmethod
    def of(cls, moments: list[float]) -> Cost:
        """From when each request came, in seconds."""
        moments = sorted(moments)
        busiest = max(
            sum(start <= moment < start + 1 - JITTER for moment in moments[first:])
            for first, start in enumerate(moments)
        )
        return cls(len(moments), (len(moments) - 1) / (moments[-1] - moments[0] + JITTER), busiest)


def cost(ground: Ground, title: str, names: list[str]) -> Cost:
    """The calls for one value at each name, from nothing to nothing again.

    Raises AssertionError when a value did not come, or did not go.
    """
    entry = ground.entry()
    engine = build_engine({"dns_providers": [entry], "dns_resolvers": ground.resolvers, "dns_timeout": 600})
    records = [TxtRecord(name, f"{number:043d}") for number, name in enumerate(names)]
    ground.calls()
    start = time.monotonic()
    for outcome in (engine.present(records), engine.absent(records)):
        assert not outcome.failed, next(iter(outcome.failed.values()))
        assert all(outcome.changed.values())
    requests = ground.calls()
    found = Cost.of([request["time"] for request in requests])
    took = time.monotonic() - start
    print(
        f"  {title:<62} {found.calls:>4} calls  {took:6.1f} s  {found.rate:4.1f} a second, at most {found.busiest}",
        flush=True,
    )
    kinds = Counter(request["kind"] for request in requests)
    print("      " + ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items())), flush=True)
    return found


def challenges(count: int, zone: str) -> list[str]:
    """Names of a zone."""
    return [f"_acme-challenge.w{number}.{zone}" for number in range(count)]


def measure(ground: Ground) -> tuple[dict[str, int], list[str]]:
    """The figures of one provider, and what is wrong with them."""
    print(f"certfleet.acme, {ground.name}", flush=True)
    empty = ground.zone("empty.example")
    for number in peers.SIZES:
        cost(ground, f"{number} name{'s' if number > 1 else ''} of an empty zone", challenges(number, "empty.example"))
    one = [cost(ground, "1,000 names of an empty zone", challenges(1000, "empty.example"))]
    ground.delay = DELAY
    title = f"1,000 names of a zone whose changes take {DELAY:.0f} s"
    one.append(cost(ground, title, challenges(1000, "empty.example")))
    ground.delay = 0.0
    zones = [f"z{number}.example" for number in range(20)]
    ids = [ground.zone(zone) for zone in zones]
    few = cost(ground, "100 names of 20 zones", [name for zone in zones for name in challenges(5, zone)])
    many = cost(ground, "10,000 names of 20 zones", [name for zone in zones for name in challenges(500, zone)])
    large = ground.zone("large.example")
    ground.put(large, {f"r{number}.large.example": ["x"] for number in range(RECORDS)}, 300)
    one.append(cost(ground, f"1,000 names of a zone of {RECORDS:,} records", challenges(1000, "large.example")))
    for number in range(ZONES - len(zones) - 3):
        ground.zone(f"more{number}.example")
    title = f"1,000 names of a zone of {RECORDS:,} records, one of {ZONES} zones"
    one.append(cost(ground, title, challenges(1000, "large.example")))
    for zone_id in [empty, *ids]:
        assert ground.held(zone_id) == {}, "values were left behind"
    assert len(ground.held(large)) == RECORDS, "records of others were lost"
    figures = {f"{ground.name}_1000": max(each.calls for each in one), f"{ground.name}_10000": many.calls}
    wrong = [f"{name} is {figures[name]}, above its bound of {BOUNDS[name]}" for name in figures]
    wrong = [text for text, name in zip(wrong, figures) if figures[name] > BOUNDS[name]]
    if any(each.too_fast for each in [*one, few, many]):
        wrong.append(f"{ground.name}: more than {RATE} requests a second")
    if many.calls > few.calls * 1.1:
        wrong.append(f"{ground.name}: 100 names cost {few.calls} calls and 10,000 of the same zones {many.calls}")
    return figures, wrong


def main() -> int:
    """Measure all providers that are asked for."""
    parser = argparse.ArgumentParser(description="Count the API calls of many TXT values.")
    known = os.environ.get("PROVIDER", "").split() or list(GROUNDS)
    parser.add_argument("--provider", nargs="+", choices=list(GROUNDS), default=known)
    parser.add_argument(
        "--peers",
        action=argparse.BooleanOptionalAction,
        default=os.environ.get("PEERS", "1") not in ("0", "no"),
        help="other programs, too (the environment variable PEERS=0 leaves them out)",
    )
    arguments = parser.parse_args()
    figures: dict[str, int] = {}
    wrong: list[str] = []
    for name in arguments.provider:
        with GROUNDS[name](limited=True) as ground:
            found, problems = measure(ground)
        figures.update(found)
        wrong += problems
    if arguments.peers:
        peers.compare(arguments.provider)
    for text in wrong:
        print(text, file=sys.stderr, flush=True)
    print(json.dumps(figures))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
