# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many API calls many TXT values cost: adding them, waiting until all name servers have them, removing them.

    python -m tests.benchmarks.dns_calls [--provider NAME ...]

Counted by the servers, at the default rate and with the provider's own limit of rate in force. The last line is JSON
with ``PROVIDER_1000`` (names in one zone; the most of an empty zone, one of 20,000 records and an account of 300 zones)
and ``PROVIDER_10000`` (in 20 zones). Exits with 1 when one is above its bound.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

from ansible_collections.certfleet.acme.plugins.module_utils._dns.factory import build_engine
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord

from tests.benchmarks.grounds import GROUNDS, Ground

#: For 10,000 names: the list of zones, and for each of 20 zones a batch, a look at its state or two, and a batch.
BOUNDS = {"route53_1000": 12, "route53_10000": 100}
RECORDS = 20_000
ZONES = 300


def cost(ground: Ground, title: str, names: list[str]) -> int:
    """The calls for one value at each name, from nothing to nothing again.

    Raises AssertionError when a value did not come, or did not go.
    """
    engine = build_engine(
        {
            "dns_providers": [ground.entry()],
            "dns_resolvers": ground.resolvers,
            "dns_timeout": 600,
        }
    )
    records = [TxtRecord(name, f"{number:043d}") for number, name in enumerate(names)]
    ground.calls()
    start = time.monotonic()
    outcome = engine.present(records)
    assert not outcome.failed, next(iter(outcome.failed.values()))
    assert all(outcome.changed.values())
    outcome = engine.absent(records)
    assert not outcome.failed, next(iter(outcome.failed.values()))
    assert all(outcome.changed.values())
    calls = ground.calls()
    print(f"  {title:<44} {calls:>5} calls   {time.monotonic() - start:6.1f} s", flush=True)
    return calls


def challenges(count: int, zone: str) -> list[str]:
    """Names of a zone."""
    return [f"_acme-challenge.w{number}.{zone}" for number in range(count)]


def measure(ground: Ground) -> dict[str, int]:
    """The figures of one provider."""
    print(ground.name, flush=True)
    empty = ground.zone("empty.example")
    few = cost(ground, "1,000 names of an empty zone", challenges(1000, "empty.example"))
    zones = [f"z{number}.example" for number in range(20)]
    ids = [ground.zone(zone) for zone in zones]
    many = cost(ground, "10,000 names of 20 zones", [name for zone in zones for name in challenges(500, zone)])
    large = ground.zone("large.example")
    ground.put(large, {f"r{number}.large.example": ["x"] for number in range(RECORDS)}, 300)
    in_large = cost(ground, f"1,000 names of a zone of {RECORDS:,} records", challenges(1000, "large.example"))
    for number in range(ZONES - len(zones) - 2):
        ground.zone(f"more{number}.example")
    among = cost(ground, f"1,000 names of one of {ZONES} zones", challenges(1000, "empty.example"))
    for zone_id in [empty, *ids]:
        assert ground.held(zone_id) == {}, "values were left behind"
    assert len(ground.held(large)) == RECORDS, "records of others were lost"
    return {f"{ground.name}_1000": max(few, in_large, among), f"{ground.name}_10000": many}


def main() -> int:
    """Measure all providers that are asked for."""
    parser = argparse.ArgumentParser(description="Count the API calls of many TXT values.")
    known = os.environ.get("PROVIDER", "").split() or sorted(GROUNDS)
    parser.add_argument("--provider", nargs="+", choices=sorted(GROUNDS), default=known)
    figures: dict[str, int] = {}
    for name in parser.parse_args().provider:
        with GROUNDS[name](limited=True) as ground:
            figures.update(measure(ground))
    above = [name for name, bound in BOUNDS.items() if figures.get(name, 0) > bound]
    for name in above:
        print(f"{name} is {figures[name]}, above its bound of {BOUNDS[name]}", file=sys.stderr)
    print(json.dumps(figures))
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
