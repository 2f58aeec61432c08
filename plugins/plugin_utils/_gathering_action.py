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
    #: Variables, without their role's prefix, that a batch can have one value of only.
    shared_settings: tuple[str, ...] = ()
    #: The prefixes that those variables have: the collection's and the role's.
    prefixes: tuple[str, ...] = ()

    def items_of_host(self, result: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The items that a host adds to the batch. result: what it registered under the variable of ``gather``."""
        raise NotImplementedError

    def gathered(
        self, registered: Mapping[str, Mapping[str, Any]], task_vars: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """The items of the batch, each with its host. registered: by host."""
        return [{**item, "host": host} for host, value in registered.items() for item in self.items_of_host(value)]

    def check_all(self, registered: Mapping[str, Mapping[str, Any]]) -> None:
        """Raise AnsibleActionFail when what all hosts registered, by host, shows that the play is not as meant."""

    def check(self, args: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> None:
        """Raise AnsibleActionFail when the results of the hosts that add items, by host, cannot make one batch."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = dict(self._task.args)
        variable = args.pop("gather", None)
        if variable is None:
            result.update(self._execute(args, task_vars))
            return result
        if args.get("certificates") is not None:
            raise AnsibleActionFail("gather and certificates exclude each other: give one of them.")
        _play.refuse_free_strategy(self._task)
        registered = {host: _play.registered(task_vars, host, variable) for host in _play.active_hosts(task_vars)}
        self.check_all(registered)
        items = self.gathered(registered, task_vars)
        found = {item["host"]: registered[item["host"]] for item in items}
        if not items:
            result.update(changed=False, skipped=True, skip_reason="no host needs anything", certificates=[])
            return result
        try:
            self.check(args, found)
            self._check_settings(task_vars, list(found))
            outcome = self._execute({**args, "certificates": items}, task_vars)
        except AnsibleActionFail as error:
            outcome = {"failed": True, "msg": str(error)}
        result.update(self._for_each(outcome, items, args))
        return result

    def _execute(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name=self.module_name, module_args=args, task_vars=task_vars
        )
        return answer

    def _check_settings(self, task_vars: Mapping[str, Any], hosts: list[str]) -> None:
        """The task has the first host's settings: another host's must not be passed over in silence."""
        names = [f"{prefix}_{name}" for name in self.shared_settings for prefix in self.prefixes]
        for name, others in _play.differing(task_vars, hosts, names).items():
            raise AnsibleActionFail(
                f"{name} is not the same on all hosts of this batch: {', '.join(others)} differ from {hosts[0]}. "
                "Set it for all of them, or run one play for each value, for example with --limit."
            )

    @staticmethod
    def _for_each(outcome: dict[str, Any], items: list[dict[str, Any]], args: Mapping[str, Any]) -> dict[str, Any]:
        """With item_failures=report, what failed the whole call becomes the failure of each item.

        The task itself would fail all hosts of the play, those that need nothing too.
        """
        if not outcome.get("failed") or outcome.get("certificates") or args.get("item_failures") != "report":
            return outcome
        cause = outcome.get("msg") or "the module failed without a word"
        failed = [
            {"name": item.get("name"), "host": item["host"], "changed": False, "failed": True, "msg": cause}
            for item in items
        ]
        return {**outcome, "failed": False, "changed": False, "certificates": failed, "msg": cause}
