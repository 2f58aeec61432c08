# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module that lists, takes away, and crosses off what a journal says is still in DNS."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from .._batch import BATCH_ARGSPEC, finish
from .._errors import CertfleetError
from .._journal.folder import Folder
from .._journal.model import PASSING, Placed, Run, as_text
from .._journal.run import Entry, Journal
from .argspec import DNS_ARGSPEC, show_public_parts
from .factory import build_engine
from .model import Outcome, RecordSet, without_values
from .records import diffs

if TYPE_CHECKING:
    from typing import NoReturn

    from ansible.module_utils.basic import AnsibleModule

    from .engine import Engine

STALE_ARGSPEC: dict[str, dict[str, Any]] = {
    "journal": {"type": "path", "required": True},
    "dns_providers": DNS_ARGSPEC["dns_providers"],
    "older_than": {"type": "str"},
    "owner": {"type": "str"},
    "state": {"type": "str", "choices": ["listed", "absent", "forgotten"], "default": "listed"},
    "item_failures": BATCH_ARGSPEC["item_failures"],
}

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"^(\d{1,12})\s*([smhdw]?)$")


def manage_stale(module: AnsibleModule) -> NoReturn:
    """The module dns01_stale. Raises CertfleetError for options that cannot work."""
    params = module.params
    show_public_parts(module)
    least = None if params["older_than"] is None else seconds(params["older_than"])
    absent, forgotten = params["state"] == "absent", params["state"] == "forgotten"
    if (absent or forgotten) and least is None and not params["owner"]:
        raise CertfleetError(
            f"state is {params['state']}, and nothing says which values are stale",
            remedy="Give older_than, owner, or both.",
        )
    if absent and not params["dns_providers"]:
        raise CertfleetError("no DNS provider is given", remedy="Give those that serve the zones in dns_providers.")
    if not os.path.lexists(params["journal"]):
        module.warn(f"there is no journal {params['journal']}: no run has begun one yet, or it is elsewhere")
        finish(module, "records", [], item_word="record", name_key="record", api_calls=0)
    now = time.time()
    nobody = Run("", "", now, 0, "", "dns01_stale", PASSING)
    with closing(Journal(Folder(params["journal"], create=False), nobody)) as journal:
        chosen = _Chosen(journal, now, least, params["owner"])
        entries = chosen.entries()
        engine = None
        if params["dns_providers"] and entries:
            engine = build_engine(
                {"dns_providers": params["dns_providers"], "dns_wait": "none", "dns_follow_cname": False},
                journal=journal,
            )
        seen = engine.plan([], state="absent", placed=[one.placed for one in entries]) if engine else Outcome()
        removable = {one.placed for one in entries if not one.alive} if absent else set()
        done = Outcome()
        changes = _without(seen, removable)
        if engine is not None and removable and not module.check_mode:
            done = _remove(engine, journal, seen, removable & {one.placed for one in chosen.entries() if not one.alive})
            changes = done.sets
        crossed_off = (
            {one.placed for one in entries if not one.alive and _lost(one.placed, seen)} if forgotten else set()
        )
        if not module.check_mode:
            journal.forget(crossed_off)
            if absent:
                journal.sweep()
    for trouble in dict.fromkeys([*journal.troubles, *journal.left_to_others]):
        module.warn(trouble)
    if module.check_mode:
        done.gone.update((one, seen.gone.get(one, False)) for one in removable)
    results = [_result(entry, now, seen, done, asked=absent and engine is not None) for entry in entries]
    for entry, result in zip(entries, results):
        if entry.placed in crossed_off:
            result["changed"] = True
        elif forgotten and result["in_dns"] and not entry.alive:
            result["msg"] = "it is still in DNS, and stays in the journal: state=absent removes it"
    finish(
        module,
        "records",
        results,
        item_word="record",
        name_key="record",
        diffs=diffs(changes) if absent else None,
        api_calls=sum(engine.calls.values()) if engine else 0,
    )


class _Chosen:
    """The values of a journal that the options mean. least: age in seconds, None for any; owner: empty for any."""

    def __init__(self, journal: Journal, now: float, least: float | None, owner: str | None) -> None:
        self._journal = journal
        self._now = now
        self._least = least
        self._owner = owner

    def entries(self) -> list[Entry]:
        """As the journal is at this moment."""
        return [entry for entry in self._journal.entries() if self._fits(entry)]

    def _fits(self, entry: Entry) -> bool:
        old = self._least is None or self._now - entry.added >= self._least
        return old and (not self._owner or entry.run.owner == self._owner)


def seconds(text: str) -> int:
    """A duration such as 90, 90s, 30m, 2h, 1d or 1w. Raises CertfleetError."""
    found = _DURATION.match(str(text).strip().lower())
    if not found:
        raise CertfleetError(
            f"older_than {text!r} is no duration", remedy="Write it as 90 (seconds), 30m, 2h, 1d or 1w."
        )
    return int(found[1]) * _UNITS[found[2]]


def _remove(engine: Engine, journal: Journal, seen: Outcome, stale: Iterable[Placed]) -> Outcome:
    """Take away what is there, and cross off all that is gone."""
    stale = sorted(stale)
    outcome = engine.absent([], placed=[one for one in stale if seen.gone.get(one)])
    outcome.gone.update((one, False) for one in stale if seen.gone.get(one) is False)
    journal.forget(outcome.gone)
    return outcome


def _lost(one: Placed, seen: Outcome) -> bool:
    """The value is not in DNS, or nobody who was asked serves its zone."""
    return one not in seen.left and not seen.gone.get(one)


def _without(seen: Outcome, removable: Iterable[Placed]) -> Mapping[str, tuple[RecordSet | None, RecordSet | None]]:
    """The sets as they are and as they would be."""
    values: dict[str, list[str]] = {}
    for one in removable:
        if one in seen.placed:
            values.setdefault(one.name, []).append(one.value)
    return {
        name: (before, without_values(before, values.get(name, ()))) for name, (before, _after) in seen.sets.items()
    }


def _result(entry: Entry, now: float, seen: Outcome, done: Outcome, *, asked: bool) -> dict[str, Any]:
    """asked: the value was to be removed if no run needs it."""
    one = entry.placed
    error = seen.left.get(one) or done.left.get(one) or seen.unserved.get(one)
    unserved = one in seen.unserved
    return {
        "record": one.name,
        "value": one.value,
        "zone": one.zone,
        "zone_id": one.zone_id,
        "provider": one.provider,
        "owner": entry.run.owner,
        "run": entry.run.id,
        "program": entry.run.program,
        "host": entry.run.host,
        "kept": entry.kept,
        "added": as_text(entry.added),
        "age_seconds": max(0, int(now - entry.added)),
        "alive": entry.alive,
        "served": not unserved and one in seen.placed,
        "in_dns": seen.gone.get(one),
        "changed": done.gone.get(one, False),
        "failed": error is not None and ((asked and not entry.alive) or not unserved),
        "msg": str(error) if error else "",
    }
