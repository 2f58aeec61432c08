# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""certificate_share, with the recipients taken from the certificate_request results of a play's hosts."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.certfleet.acme.plugins.plugin_utils import _play, _sharing


class ActionModule(ActionBase):
    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = dict(self._task.args)
        variable = args.pop("gather", None)
        if variable is None:
            result.update(self._execute(args, task_vars))
            return result
        hosts = dict.fromkeys(item["host"] for item in args["wanted"])
        recipients = {
            (host, item["name"]): item["recipient"]
            for host in hosts
            for item in _play.items_of(_play.registered(task_vars, host, variable), "certificates")
            if item.get("recipient")
        }
        wanted = _sharing.resolved(args["wanted"], recipients)
        ready = [item for item in wanted if item["recipient"]]
        waiting = [item for item in wanted if not item["recipient"]]
        shares = _sharing.failed(waiting, "it is not known what to seal it to, the host has made no request")
        if ready:
            outcome = self._tried({**args, "wanted": ready}, task_vars)
            if outcome.get("shares") is None:
                cause = outcome.get("msg") or "the module failed without a word"
                outcome = {"shares": _sharing.failed(ready, cause)}
            result.update({key: value for key, value in outcome.items() if key not in ("failed", "msg")})
            shares = [*outcome["shares"], *shares]
        result.update(changed=False, shares=shares)
        return result

    def _tried(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """What came of it. That the host cannot be reached is not the loss of the one that this task runs for."""
        try:
            return self._execute(args, task_vars)
        except AnsibleConnectionFailure as error:
            # Where nothing is logged, Ansible has put words of its own in the place of the cause.
            return {"msg": "it cannot be reached" if self._task.no_log else f"it cannot be reached: {error}"}

    def _execute(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name="certfleet.acme.certificate_share", module_args=args, task_vars=task_vars
        )
        return answer
