# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a run: what became of each certificate on each host, for operators and for AWX."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.certfleet.acme.plugins.plugin_utils import _play, _report


class ActionModule(ActionBase):
    _VALID_ARGS = frozenset(("requested", "obtained", "installed", "published", "revoked"))
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        check_mode = bool(self._task.check_mode)
        rows: list[dict[str, Any]] = []
        for host in _play.play_hosts(task_vars):
            requested, obtained, installed, published, revoked = (
                self._items(task_vars, host, step)
                for step in ("requested", "obtained", "installed", "published", "revoked")
            )
            rows += _report.rows_of_host(host, requested, obtained, installed, published, check_mode=check_mode)
            rows += _report.rows_of_revocations(host, revoked, check_mode=check_mode)
        lost = _play.lost_hosts(task_vars)
        report = _report.lines(rows, lost, _play.waiting_hosts(task_vars))
        for line in report:
            Display().display(f"certfleet: {line}")
        result.update(
            changed=False,
            lines=report,
            certificates=rows,
            lost_hosts=lost,
            failures=_failures(rows),
            ansible_stats={
                "data": {"certfleet_certificates_report": rows, "certfleet_lost_hosts": lost},
                "per_host": False,
                "aggregate": False,
            },
        )
        return result

    def _items(self, task_vars: dict[str, Any], host: str, step: str) -> list[dict[str, Any]]:
        """The items of a step that are this host's: a call that served the play has those of all hosts."""
        variable = self._task.args.get(step)
        items = _play.items_of(_play.registered(task_vars, host, variable), "certificates") if variable else []
        return [item for item in items if item.get("host") in (None, host)]


def _failures(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The causes of each host that has any."""
    failures: dict[str, list[str]] = {}
    for row in rows:
        if row["outcome"] == "failed":
            failures.setdefault(row["host"], []).append(f"{row['name']}: {row['msg']}")
    return failures
