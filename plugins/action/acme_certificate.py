# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""acme_certificate, with the batch taken from the certificate_request results of a play's hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.certfleet.acme.plugins.module_utils._renewal import same_ca
from ansible_collections.certfleet.acme.plugins.plugin_utils import _play, _sharing
from ansible_collections.certfleet.acme.plugins.plugin_utils._gathering_action import GatheringAction

#: What a request hands on to the order.
_HANDED_ON = ("name", "csr_content", "identifiers", "profile", "replaces")


class ActionModule(GatheringAction):
    module_name = "certfleet.acme.acme_certificate"
    prefixes = ("certfleet", "issue")
    shared_settings = (
        "ca_path",
        "validate_certs",
        "account_key_src",
        "account_key_content",
        "account_key_passphrase",
        "account_uri",
        "external_account_binding",
        "dns_providers",
        "dns_resolvers",
        "journal",
        "journal_owner",
    )

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        self._plan = _sharing.Plan()
        result = super().run(tmp, task_vars)
        if not self._plan or (result.get("failed") and not result.get("certificates")):
            return result
        result = _sharing.complete(result, self._plan, check_mode=bool(self._task.check_mode))
        if result["failed_items"] and self._task.args.get("item_failures") != "report":
            causes = [f"{item['name']}: {item['msg']}" for item in result["certificates"] if item.get("failed")]
            result.update(failed=True, msg="; ".join(causes))
        return result

    def gathered(
        self, registered: Mapping[str, Mapping[str, Any]], task_vars: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Of a certificate that many hosts share, one of them orders, and none when another host has it."""
        self._plan = _sharing.plan(self._members(registered, task_vars))
        return self._plan.ordered(super().gathered(registered, task_vars))

    def _members(
        self, registered: Mapping[str, Mapping[str, Any]], task_vars: Mapping[str, Any]
    ) -> list[_sharing.Member]:
        """The hosts with shared certificates; those of earlier waves and lost ones too, since they may have them."""
        found = [
            _sharing.member(host, item, result.get("store_path") or "", _sharing.HERE, {})
            for host, result in registered.items()
            for item in _shared(result)
        ]
        lost, waiting = _play.lost_hosts(task_vars), _play.waiting_hosts(task_vars)
        for host in _play.play_hosts(task_vars) if found else []:
            if host in registered or host in waiting:
                continue
            result = _play.registered(task_vars, host, self._task.args["gather"])
            # What this very task gave it in its wave.
            came = _play.registered(task_vars, host, _variable(self._task.register))
            own = {item.get("name"): item for item in _play.items_of(came, "certificates") if item.get("host") == host}
            place = _sharing.LOST if host in lost else _sharing.EARLIER
            for item in _shared(result):
                obtained = own.get(item["name"], {})
                found.append(_sharing.member(host, item, result.get("store_path") or "", place, obtained))
        return found

    def check(self, args: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> None:
        """One batch goes to one CA: hosts that declare another one would silently get this one's certificates."""
        others = {
            host: result["acme_directory"]
            for host, result in found.items()
            if result.get("acme_directory") and not same_ca(result["acme_directory"], args.get("acme_directory") or "")
        }
        if others:
            declared = ", ".join(f"{host}: {directory}" for host, directory in others.items())
            raise AnsibleActionFail(
                f"the hosts of this play declare different CAs: this batch goes to {args.get('acme_directory')}, but "
                f"{declared}. Run one play for each CA, or use --limit."
            )

    def items_of_host(self, result: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [
            {key: item[key] for key in _HANDED_ON if item.get(key) is not None}
            for item in _play.items_of(result, "certificates")
            if item.get("needs") == "issue" and not item.get("failed")
        ]


def _variable(register: Any) -> str:
    """The variable that a task registers its result under: ansible-core 2.21 has a mapping of such where older have
    its name."""
    return str(next(iter(register), "")) if isinstance(register, Mapping) else str(register or "")


def _shared(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        item
        for item in _play.items_of(result, "certificates")
        if item.get("key_location") == "shared" and not item.get("failed")
    ]
