# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module acme_certificate does: options, check mode, the end of the module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._acme.argspec import ACME_ARGSPEC, KEY_RULES
from ._acme.batches import run_items
from ._acme.chains import SELECT_CHAIN_OPTIONS
from ._acme.results import empty_result
from ._batch import BATCH_ARGSPEC
from ._caa.argspec import CAA_ARGSPEC
from ._dns.argspec import DNS_ARGSPEC, show_public_parts
from ._issuance import issue_certificates
from ._journal.argspec import JOURNAL_ARGSPEC

if TYPE_CHECKING:
    from typing import NoReturn

    from ansible.module_utils.basic import AnsibleModule

ISSUANCE_ARGSPEC: dict[str, dict[str, Any]] = {
    **ACME_ARGSPEC,
    **DNS_ARGSPEC,
    **CAA_ARGSPEC,
    **JOURNAL_ARGSPEC,
    **BATCH_ARGSPEC,
    "certificates": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "host": {"type": "str"},
            "csr_content": {"type": "str"},
            "identifiers": {"type": "list", "elements": "str"},
            "profile": {"type": "str"},
            "replaces": {"type": "str"},
            "order_uri": {"type": "str"},
            "not_before": {"type": "str"},
            "not_after": {"type": "str"},
            "select_chain": {"type": "list", "elements": "dict", "options": SELECT_CHAIN_OPTIONS},
        },
    },
    "gather": {"type": "str"},
}
ISSUANCE_RULES: dict[str, Any] = {
    "mutually_exclusive": [*KEY_RULES["mutually_exclusive"], ("certificates", "gather")],
    "required_one_of": [*KEY_RULES["required_one_of"], ("certificates", "gather")],
    # Ansible writes the options to the system log, and would not find a key of several lines among dns_providers.
    "no_log": True,
}


def run_issuance(module: AnsibleModule) -> NoReturn:
    """The module acme_certificate."""
    params = module.params
    show_public_parts(module)
    stale: list[dict[str, Any]] = []

    def work() -> list[dict[str, Any]]:
        issuance = issue_certificates(params, check_mode=module.check_mode)
        stale.extend(issuance.stale_removed)
        for warning in issuance.warnings:
            module.warn(warning)
        return issuance.certificates

    run_items(
        module,
        "certificates",
        work,
        word="certificate",
        empty=lambda spec: empty_result(spec, acme_directory=params["acme_directory"], profile=spec.get("profile")),
        extra=lambda results: {"stale_removed": stale, "changed": bool(stale)},
    )
