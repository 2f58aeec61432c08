# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a run: what became of each certificate on each host, for operators and for AWX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.certfleet.acme.plugins.plugin_utils import _play, _report

_STEPS = ("requested", "obtained", "staged", "installed", "published", "revoked")


class ActionModule(ActionBase):
    _VALID_ARGS = frozenset((*_STEPS, "hosts", "lost", "only_when_stopped"))
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = self._task.args
        check_mode = bool(self._task.check_mode)
        rows: list[dict[str, Any]] = []
        broken: dict[str, list[str]] = {}
        lost = list(args["lost"]) if args.get("lost") is not None else _play.lost_hosts(task_vars)
        waiting = _play.waiting_hosts(task_vars)
        told = list(args.get("hosts") or _play.play_hosts(task_vars))
        for host in told:
            steps = {step: self._items(task_vars, host, step) for step in _STEPS}
            if args.get("requested") and not steps["requested"]:
                continue  # it came to nothing in this run; what it has of others is from an earlier one
            if not args.get("requested") and host in waiting:
                continue  # the same: this play has not reached it yet
            if args.get("installed"):
                result_of_call = _play.registered(task_vars, host, args["installed"])
                steps["installed"] += _report.of_lost_call(steps["requested"], result_of_call)
            if args.get("published"):
                result_of_call = _play.registered(task_vars, host, args["published"])
                steps["published"] += _report.of_lost_publishing(steps["requested"], steps["installed"], result_of_call)
            causes = [f"{item.get('name')}: {item.get('msg')}" for item in steps["installed"] if item.get("failed")]
            if causes:
                broken[host] = causes
            revoked = steps.pop("revoked")
            rows += _report.rows_of_host(host, **steps, check_mode=check_mode)
            rows += _report.rows_of_revocations(host, revoked, check_mode=check_mode)
        failures = _failures(rows)
        when_stopped = boolean(args.get("only_when_stopped", False))
        stopped = self._stops(task_vars, broken if when_stopped else failures)
        result.update(
            changed=False,
            certificates=rows,
            lost_hosts=lost,
            failures=failures,
            broken=broken,
            stopped=stopped,
            waiting_hosts=waiting,
            lines=[],
        )
        if when_stopped and not stopped:
            return result
        absent = [host for host in lost if host not in told]
        staged = bool(args.get("staged"))
        result["lines"] = _report.lines(rows, lost, waiting, stopped=stopped, staged=staged, absent=absent)
        for line in result["lines"]:
            Display().display(f"certfleet: {line}")
        result["ansible_stats"] = {
            "data": {
                "certfleet_certificates_report": rows,
                "certfleet_lost_hosts": lost,
                "certfleet_waiting_hosts": waiting,
            },
            "per_host": False,
            "aggregate": False,
        }
        return result

    def _items(self, task_vars: dict[str, Any], host: str, step: str) -> list[dict[str, Any]]:
        """The items of a step that are this host's: a call that served the play has those of all hosts."""
        variable = self._task.args.get(step)
        items = _play.items_of(_play.registered(task_vars, host, variable), "certificates") if variable else []
        return [item for item in items if item.get("host") in (None, host)]

    def _stops(self, task_vars: Mapping[str, Any], failed: Mapping[str, list[str]]) -> bool:
        """Whether the play ends after this wave, once these hosts have failed."""
        wave = _play.active_hosts(task_vars)
        return _report.stops(len(set(wave) & set(failed)), len(wave), _play.max_fail_percentage(self._task))


def _failures(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The causes of each host that has any."""
    failures: dict[str, list[str]] = {}
    for row in rows:
        if row["outcome"] == "failed":
            failures.setdefault(row["host"], []).append(f"{row['name']}: {row['msg']}")
    return failures
