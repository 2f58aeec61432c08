# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of everything that writes TXT values; mirrored by the doc fragments route53, cloud_dns and dns01."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._batch import BATCH_ARGSPEC
from .._cloud.argspec import AWS_ARGSPEC, GOOGLE_ARGSPEC
from .._journal.argspec import JOURNAL_ARGSPEC

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ROUTE53_ARGSPEC: dict[str, dict[str, Any]] = {
    **AWS_ARGSPEC,
    "zone_ids": {"type": "dict", "default": {}},
    "private_zone": {"type": "bool", "default": False},
    "requests_per_second": {"type": "float", "default": 4.0},
}

CLOUD_DNS_ARGSPEC: dict[str, dict[str, Any]] = {
    **GOOGLE_ARGSPEC,
    "zone_ids": {"type": "dict", "default": {}},
    "private_zone": {"type": "bool", "default": False},
    "requests_per_second": {"type": "float", "default": 4.0},
}

RFC2136_ARGSPEC: dict[str, dict[str, Any]] = {
    "server": {"type": "str"},
    "key_name": {"type": "str"},
    "key_secret": {"type": "str", "no_log": True},
    "key_algorithm": {
        "type": "str",
        "choices": ["hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"],
        "default": "hmac-sha256",
    },
}

_WAITS = ["none", "provider", "authoritative"]

#: What the modules of one provider share.
_RECORDS_ARGSPEC: dict[str, dict[str, Any]] = {
    "records": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "record": {"type": "str", "required": True},
            "values": {"type": "list", "elements": "str", "required": True},
        },
    },
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "ttl": {"type": "int", "default": 60},
    "wait": {"type": "str", "choices": _WAITS, "default": "authoritative"},
    "wait_timeout": {"type": "int", "default": 300},
    "resolvers": {"type": "list", "elements": "str", "default": []},
    "follow_cname": {"type": "bool", "default": False},
    **JOURNAL_ARGSPEC,
    "item_failures": BATCH_ARGSPEC["item_failures"],
}

ROUTE53_MODULE_ARGSPEC: dict[str, dict[str, Any]] = {**ROUTE53_ARGSPEC, **_RECORDS_ARGSPEC}
CLOUD_DNS_MODULE_ARGSPEC: dict[str, dict[str, Any]] = {**CLOUD_DNS_ARGSPEC, **_RECORDS_ARGSPEC}
RFC2136_MODULE_ARGSPEC: dict[str, dict[str, Any]] = {**RFC2136_ARGSPEC, **_RECORDS_ARGSPEC}

#: For modules that write values at several providers in one run.
DNS_ARGSPEC: dict[str, dict[str, Any]] = {
    "dns_providers": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "provider": {"type": "str", "choices": ["route53", "cloud_dns", "rfc2136"], "required": True},
            "zones": {"type": "list", "elements": "str", "default": []},
            # Without the sub-options given, the environment still counts.
            "route53": {"type": "dict", "options": ROUTE53_ARGSPEC, "apply_defaults": True},
            "cloud_dns": {"type": "dict", "options": CLOUD_DNS_ARGSPEC, "apply_defaults": True},
            "rfc2136": {"type": "dict", "options": RFC2136_ARGSPEC, "apply_defaults": True},
        },
    },
    "dns_ttl": {"type": "int", "default": 60},
    "dns_wait": {"type": "str", "choices": _WAITS, "default": "authoritative"},
    "dns_timeout": {"type": "int", "default": 300},
    "dns_resolvers": {"type": "list", "elements": "str", "default": []},
    "dns_follow_cname": {"type": "bool", "default": True},
}

#: The parts of a service account's key that are secret.
_SECRET_PARTS = frozenset({"private_key", "private_key_id"})


def show_public_parts(module: AnsibleModule) -> None:
    """Let a module's result have the values of service_account_contents that are no secrets.

    Ansible hides every value of an option that is not to be logged wherever it occurs, also within other words. The
    project's name is one of them, and often a part of the domains: results with holes would name other certificates.
    """
    owners = [module.params, *((entry.get("cloud_dns") or {}) for entry in module.params.get("dns_providers") or ())]
    for key in (owner.get("service_account_contents") for owner in owners):
        if isinstance(key, dict):
            secret = {str(key.get(name)) for name in _SECRET_PARTS}
            module.no_log_values -= {str(value) for value in key.values()} - secret
