# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that gathers from the hosts of a play: what each host registered, and who is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail


def refuse_free_strategy(task: Any) -> None:
    """Raise AnsibleActionFail where hosts do not wait for one another, so that there is no moment to gather at."""
    strategy = str(task.get_play().strategy)
    if strategy.rsplit(".", 1)[-1] in ("free", "host_pinned"):
        raise AnsibleActionFail(
            f"{task.action} gathers from all hosts of the play, which the strategy {strategy} cannot do: its hosts "
            "do not wait for one another. Use the strategy linear for this play, with serial for waves."
        )


def max_fail_percentage(task: Any) -> float | None:
    """The share of a wave's hosts above which the play ends, in percent; None when only all of them end it."""
    declared = task.get_play().max_fail_percentage
    return None if declared is None else float(str(declared).rstrip("%"))


def active_hosts(task_vars: Mapping[str, Any]) -> list[str]:
    """Hosts of the play, within the wave that serial cuts out, that have neither failed nor become unreachable."""
    return list(task_vars.get("ansible_play_batch") or [])


def lost_hosts(task_vars: Mapping[str, Any]) -> list[str]:
    """Hosts that left the play so far: failed or unreachable, in any wave."""
    remaining = set(task_vars.get("ansible_play_hosts") or [])
    return [host for host in task_vars.get("ansible_play_hosts_all") or [] if host not in remaining]


def registered(task_vars: Mapping[str, Any], host: str, variable: str) -> dict[str, Any]:
    """What ``host`` registered under ``variable``; empty when it never came so far."""
    hostvars = task_vars["hostvars"]
    if host not in hostvars:
        return {}
    value = hostvars[host].get(variable)
    return dict(value) if isinstance(value, Mapping) else {}


def items_of(result: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The items of a batch's registered result; empty when the task was skipped or failed as a whole."""
    return [dict(item) for item in result.get(key) or []]


def play_hosts(task_vars: Mapping[str, Any]) -> list[str]:
    """All hosts of the play, those included that have left it or that a later wave will reach."""
    return list(task_vars.get("ansible_play_hosts_all") or [])


def differing(task_vars: Mapping[str, Any], hosts: list[str], names: list[str]) -> dict[str, list[str]]:
    """Which of these variables are not the same on all ``hosts``, and the hosts that differ from the first one."""
    values: dict[str, dict[str, Any]] = {}
    for host in hosts:
        variables = task_vars["hostvars"][host]
        values[host] = {name: variables[name] for name in names if name in variables}
    found: dict[str, list[str]] = {}
    for name in names:
        others = [host for host in hosts if values[host].get(name) != values[hosts[0]].get(name)]
        if others:
            found[name] = others
    return found


def waiting_hosts(task_vars: Mapping[str, Any]) -> list[str]:
    """Hosts that a later wave of the play will reach, unless the play ends before."""
    batch, lost = set(active_hosts(task_vars)), set(lost_hosts(task_vars))
    later = False
    result: list[str] = []
    for host in play_hosts(task_vars):
        if host in batch:
            later, result = True, []
        elif later and host not in lost:
            result.append(host)
    return result
