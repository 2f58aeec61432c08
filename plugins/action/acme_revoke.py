# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""acme_revoke, with the batch taken from the certificate_info results of a play's hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.certfleet.acme.plugins.plugin_utils import _play
from ansible_collections.certfleet.acme.plugins.plugin_utils._gathering_action import GatheringAction


class ActionModule(GatheringAction):
    module_name = "certfleet.acme.acme_revoke"
    prefixes = ("certfleet", "revoke")
    shared_settings = (
        "acme_directory",
        "ca_path",
        "validate_certs",
        "account_key_src",
        "account_key_content",
        "account_key_passphrase",
        "account_uri",
    )

    def check_all(self, registered: Mapping[str, Mapping[str, Any]]) -> None:
        """A name or serial number that no host has is a slip, and a certificate that stays valid unnoticed."""
        unknown: list[str] = []
        for kind in ("missing_names", "missing_serials"):
            missing = [set(result.get(kind) or ()) for result in registered.values()]
            unknown += sorted(set.intersection(*missing)) if missing else []
        if unknown:
            raise AnsibleActionFail(
                f"no host of this play holds {', '.join(unknown)}: nothing was revoked. "
                "See what there is with certfleet.acme.certificate_info."
            )

    def items_of_host(self, result: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [
            {"name": item["name"], "certificate_content": item["certificate"]}
            for item in _play.items_of(result, "certificates")
            if item.get("certificate") and not item.get("failed")
        ]
