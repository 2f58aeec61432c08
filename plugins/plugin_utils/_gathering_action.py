# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action behind every issuance module that can take its batch from the hosts of a play."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from . import _play


class GatheringAction(ActionBase):
    """Runs the module of the same name, with the items that the option ``gather`` names.

    A subclass says which module it runs, and may narrow or change the items that one host contributes.
    """

    #: The module to run, with its collection.
    module_name: str

    def items_of_host(self, result: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The items that a host adds to the batch. result: what it registered under the variable of ``gather``."""
        raise NotImplementedError

    def check(self, args: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> None:
        """Raise AnsibleActionFail when the hosts' results, by host, cannot make one batch."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = dict(self._task.args)
        variable = args.pop("gather", None)
        if variable is not None:
            if args.get("certificates") is not None:
                raise AnsibleActionFail("gather and certificates exclude each other: give one of them.")
            _play.refuse_free_strategy(self._task)
            found = {host: _play.registered(task_vars, host, variable) for host in _play.active_hosts(task_vars)}
            self.check(args, found)
            args["certificates"] = [
                {**item, "host": host} for host, result in found.items() for item in self.items_of_host(result)
            ]
            if not args["certificates"]:
                result.update(changed=False, skipped=True, skip_reason="no host needs anything", certificates=[])
                return result
        result.update(
            self._execute_module(module_name=self.module_name, module_args=args, task_vars=task_vars, tmp=tmp)
        )
        return result
