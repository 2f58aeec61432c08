# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module tls_endpoint_info: handshakes with a list of endpoints."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from . import _x509
from ._batch import finish, run_batch
from ._errors import CertfleetError
from ._module import require
from ._names import is_ip
from ._tls.connection import endpoint_text, handshake

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

_FACTS = (
    "serial",
    "not_before",
    "not_after",
    "issuer",
    "subject",
    "identifiers",
    "fingerprint_sha256",
    "public_key_sha256",
    "key_type",
    "protocol",
    "cipher",
    "certificate",
    "chain",
)


def main_work(module: AnsibleModule) -> dict[str, Any]:
    """Handshakes with all endpoints at the same time, a result for each."""
    require(cryptography=_x509.CRYPTOGRAPHY_IMPORT_ERROR)
    params = module.params
    endpoints = params["endpoints"]
    found = run_batch(endpoints, partial(_look, params["timeout"]), concurrency=params["concurrency"])
    results = []
    for endpoint, outcome in zip(endpoints, found):
        name = _server_name(endpoint)
        result: dict[str, Any] = {
            "name": endpoint_text(endpoint["host"], endpoint["port"], name),
            "host": endpoint["host"],
            "port": endpoint["port"],
            "server_name": name,
            "starttls": endpoint["starttls"],
            **dict.fromkeys(_FACTS),
            "changed": False,
            "failed": False,
            "msg": "",
        }
        result.update(outcome.as_result() if isinstance(outcome, CertfleetError) else outcome)
        results.append(result)
    finish(module, "endpoints", results, item_word="endpoint")


def _server_name(endpoint: dict[str, Any]) -> str | None:
    """The name to ask for: an address cannot be one (RFC 6066 section 3)."""
    name = endpoint["server_name"] or endpoint["host"]
    return None if is_ip(name) else name


def _look(timeout: int, endpoint: dict[str, Any]) -> dict[str, Any]:
    seconds = endpoint["timeout"] or timeout
    if seconds < 1:
        raise CertfleetError(f"timeout is {seconds}", remedy="Give 1 second or more.")
    served = handshake(
        endpoint["host"],
        endpoint["port"],
        _server_name(endpoint),
        timeout=float(seconds),
        starttls=endpoint["starttls"],
    )
    pem = served.chain[0] if served.chain else served.leaf_pem()
    facts = served.facts()
    facts.pop("ari_cert_id")
    return {
        **facts,
        "protocol": served.protocol,
        "cipher": served.cipher,
        "certificate": pem,
        "chain": served.chain,
    }
