# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""acme_certificate, with the batch taken from the certificate_request results of a play's hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.certfleet.acme.plugins.module_utils._renewal import same_ca
from ansible_collections.certfleet.acme.plugins.plugin_utils import _play
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
