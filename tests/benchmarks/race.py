# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Eight processes at once, each adding and removing 50 values in one zone, most of them at the same names.

    python -m tests.benchmarks.race [--provider NAME ...] [--write swap|upsert]

At the end every value of others must be there and none of the processes', and at no moment may a value have been
missing that its process had added and not begun to remove: an observer reads the zone all the time. ``--write upsert``
does the same with what most programs do (read, merge, overwrite) and must lose values, else the race proves nothing.
On each provider in turn. The last line is JSON, by provider; the exit code is 0 when all of them ended as they must.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ansible_collections.certfleet.acme.plugins.module_utils._dns.factory import build_engine
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord

from tests.benchmarks.grounds import GROUNDS, Ground

ZONE = "race.example"
PROCESSES = 8
VALUES = 50
SHARED_NAMES = 8
#: Values that one call adds or removes.
CALL = 5
TTL_OF_OTHERS = 900
#: Seconds that the whole race may take.
_LONGEST = 900.0


def names_of(process: int) -> list[str]:
    """The name of each value of a process: four of five are shared with all the others."""
    return [
        f"_acme-challenge.{f'own{process}' if number % 5 == 4 else f's{number % SHARED_NAMES}'}.{ZONE}"
        for number in range(VALUES)
    ]


def work(task: dict[str, Any]) -> int:
    """One process: add all values and remove them again, a few a call, telling the journal; returns the exit code.
    It says when it is ready, and begins at a line of its input."""
    process = int(task["process"])
    engine = build_engine({"dns_providers": [task["entry"]], "dns_wait": "none", "dns_follow_cname": False})
    if task["write"] == "upsert":
        for route in engine._router.routes:
            GROUNDS[task["provider"]].blind(route.provider)
    values = [TxtRecord(name, f"p{process}-v{number}".ljust(43, "x")) for number, name in enumerate(names_of(process))]
    dice = random.Random(task["seed"] + process)
    failed: list[str] = []
    present: list[TxtRecord] = []
    print("ready", flush=True)
    sys.stdin.readline()
    with open(task["journal"], "a", encoding="utf-8", buffering=1) as journal:

        def tell(event: str, records: list[TxtRecord]) -> None:
            journal.write(json.dumps([event, time.monotonic(), [[one.name, one.value] for one in records]]) + "\n")

        waiting = dice.sample(values, len(values))
        while waiting or present:
            if waiting and (not present or dice.random() < 0.6):
                some, waiting = waiting[:CALL], waiting[CALL:]
                outcome = engine.present(some)
                tell("added", some)
                present += some
            else:
                some = dice.sample(present, min(CALL, len(present)))
                present = [record for record in present if record not in some]
                tell("removing", some)
                outcome = engine.absent(some)
            failed += [str(error) for error in outcome.failed.values()]
            # A network's delay: without it one process is done before the others have recovered from their first loss.
            time.sleep(dice.uniform(0.0, 0.2))
    print(json.dumps({"failed": failed, "calls": sum(engine.calls.values())}))
    return 1 if failed else 0


def lifetimes(journals: list[Path]) -> dict[tuple[str, str], tuple[float, float]]:
    """From when to when each value had to be there."""
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for journal in journals:
        for line in journal.read_text(encoding="utf-8").splitlines():
            event, when, records = json.loads(line)
            for name, value in records:
                start, _end = found.get((name, value), (when, float("inf")))
                found[name, value] = (start, float("inf") if event == "added" else when)
    return found


def first_end(journals: list[Path]) -> float:
    """When the first process was done: until then all of them were at work."""
    return min(float(json.loads(path.read_text(encoding="utf-8").splitlines()[-1])[1]) for path in journals)


def run(ground: Ground, write: str, seed: int, folder: Path) -> dict[str, Any]:
    """The race; what came of it."""
    zone_id = ground.zone(ZONE)
    shared = {f"_acme-challenge.s{number}.{ZONE}" for number in range(SHARED_NAMES)}
    foreign = {
        name: [f"foreign-{name}", "v=other"] for name in sorted(shared) if not name.startswith("_acme-challenge.s0.")
    }
    foreign[f"mail.{ZONE}"] = ["v=spf1 -all"]
    ground.put(zone_id, foreign, TTL_OF_OTHERS)
    journals = [folder / f"{process}.journal" for process in range(PROCESSES)]
    ground.calls()
    workers = []
    for process, journal in enumerate(journals):
        journal.touch()
        task = {
            "process": process,
            "provider": ground.name,
            "entry": ground.entry(requests_per_second=1000),
            "write": write,
            "seed": seed,
            "journal": str(journal),
        }
        path = folder / f"{process}.task"
        path.touch(mode=0o600)
        path.write_text(json.dumps(task), encoding="utf-8")
        words = [sys.executable, "-m", "tests.benchmarks.race", "--task", str(path)]
        pipe = subprocess.PIPE
        workers.append(subprocess.Popen(words, text=True, stdin=pipe, stdout=pipe, stderr=pipe))
    for worker in workers:
        assert worker.stdout is not None
        if worker.stdout.readline() != "ready\n":
            worker.kill()
            raise SystemExit(f"a process did not get as far as its start: {worker.communicate()[1]}")
    start = time.monotonic()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    seen: list[tuple[float, float, set[tuple[str, str]]]] = []
    while any(worker.poll() is None for worker in workers):
        if time.monotonic() - start > _LONGEST:
            for worker in workers:
                worker.kill()
            raise SystemExit(f"the processes did not end within {_LONGEST:.0f} s")
        before = time.monotonic()
        held = {(name, value) for name, values in ground.held(zone_id).items() for value in values}
        seen.append((before, time.monotonic(), held))
    print(f"{len(workers)} processes ended after {time.monotonic() - start:.1f} s", flush=True)
    outputs = [worker.communicate() for worker in workers]
    for (_out, err), worker in zip(outputs, workers):
        if worker.returncode not in (0, 1):
            raise SystemExit(f"a process ended with {worker.returncode}: {err}")
    results = [json.loads(out.splitlines()[-1]) for out, _err in outputs]
    failures = [failure for result in results for failure in result["failed"]]
    for failure in failures[:5]:
        print(f"  failed: {failure}")
    final = ground.held(zone_id)
    there = {(name, value) for name, values in final.items() for value in values}
    others = {(name, value) for name, values in foreign.items() for value in values}
    must = {**dict.fromkeys(others, (0.0, float("inf"))), **lifetimes(journals)}
    missed = {
        record
        for before, after, held in seen
        for record, (begin, end) in must.items()
        if begin < before and after < end and record not in held
    }
    at_once = first_end(journals) - start
    refused = sum(str(request["status"]).startswith("4") for request in ground.calls())
    result = {
        "provider": ground.name,
        "write": write,
        "processes": PROCESSES,
        "values": len(must) - len(others),
        "seconds_at_once": round(at_once, 1),
        "observations": len(seen),
        "refused": refused,
        "api_calls": sum(result["calls"] for result in results),
        "failed": len(failures),
        "foreign_lost": len(others - there),
        "ours_left": len(there - others),
        "missing_meanwhile": len(missed),
        "seed": seed,
    }
    lost = any(result[name] for name in ("foreign_lost", "ours_left", "missing_meanwhile", "failed"))
    # Nobody has shown anything where no two met.
    right = result["values"] == PROCESSES * VALUES and len(seen) > 10 and (refused > PROCESSES or write == "upsert")
    return {**result, "right": right and (not lost if write == "swap" else bool(missed))}


def main() -> int:
    """Run it once."""
    parser = argparse.ArgumentParser(description="Eight writers in one zone.")
    known = os.environ.get("PROVIDER", "").split() or list(GROUNDS)
    parser.add_argument("--provider", nargs="+", choices=list(GROUNDS), default=known)
    parser.add_argument("--write", choices=("swap", "upsert"), default=os.environ.get("WRITE") or "swap")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--task", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        return work(json.loads(arguments.task.read_text(encoding="utf-8")))
    results = []
    for name in arguments.provider:
        with tempfile.TemporaryDirectory(prefix="certfleet-race-") as folder, GROUNDS[name]() as ground:
            results.append(run(ground, arguments.write, arguments.seed, Path(folder)))
        print(json.dumps(results[-1]), flush=True)
        print(f"{name}: {'as it must be' if results[-1]['right'] else 'NOT as it must be'}", flush=True)
    print(json.dumps({result["provider"]: result for result in results}))
    return 0 if all(result["right"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
