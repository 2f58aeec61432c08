# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""acme_renewal_info, with the batch taken from the certificate_request results of a play's hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.certfleet.acme.plugins.module_utils._renewal import same_ca
from ansible_collections.certfleet.acme.plugins.plugin_utils import _play
from ansible_collections.certfleet.acme.plugins.plugin_utils._gathering_action import GatheringAction


class ActionModule(GatheringAction):
    module_name = "certfleet.acme.acme_renewal_info"
    prefixes = ("certfleet", "issue")
    shared_settings = ("ca_path", "validate_certs")

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        self._elsewhere: list[str] = []
        result = super().run(tmp, task_vars)
        if self._elsewhere:
            text = f"{', '.join(self._elsewhere)}: another CA is declared than for the batch, so nobody asks it about "
            result["warnings"] = [*(result.get("warnings") or []), text + "renewal; run one play for each CA"]
        unasked = [item for item in result.get("certificates") or [] if item.get("failed")]
        if self._task.args.get("gather") is not None and unasked:
            # Nobody fails for it, so that it has to be said here.
            causes = "; ".join(dict.fromkeys(str(item.get("msg")) for item in unasked))
            text = f"no renewal information for {len(unasked)} certificates, decided by the lifetime: {causes}"
            result["warnings"] = [*(result.get("warnings") or []), text]
        return result

    def _execute(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        if self._task.args.get("gather") is not None:
            # The hosts have found out that it is time.
            args = {**args, "renewal_info": "now"}
        return super()._execute(args, task_vars)

    def check_all(self, registered: Mapping[str, Mapping[str, Any]]) -> None:
        """Nobody fails for it that a batch goes to one CA only."""
        self._elsewhere = [host for host, result in registered.items() if not self._here(result) and _questions(result)]

    def _here(self, result: Mapping[str, Any]) -> bool:
        declared = result.get("acme_directory")
        return declared is None or same_ca(declared, self._task.args.get("acme_directory") or "")

    def items_of_host(self, result: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Those that it is time to ask for. A host that declares another CA than the batch's goes by the lifetime."""
        if not self._here(result):
            return []
        return [
            {
                "name": item["name"],
                "certificate_content": item["renewal_info"]["certificate"],
                "issued_acme_directory": item["renewal_info"]["acme_directory"],
                "renewal_info": item["renewal_info"]["state"],
            }
            for item in _questions(result)
        ]


def _questions(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The certificates of a host that it says it is time to ask for."""
    return [
        item
        for item in _play.items_of(result, "certificates")
        if (item.get("renewal_info") or {}).get("ask") and not item.get("failed")
    ]
