# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible inventory of a lab: its hosts as local connections, its servers as the collection's variables."""

from __future__ import annotations

from typing import Any

import yaml  # type: ignore[import-untyped,unused-ignore]

from .ports import LOOPBACK
from .state import State, write_text

KEY_TYPE = "ecdsa-p256"


class _Dumper(yaml.SafeDumper):  # type: ignore[misc,unused-ignore]
    """Writes equal lists out in full, without YAML's aliases: the file is meant to be read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _endpoint_name(identifier: str) -> str:
    """A name to ask an endpoint for: a wildcard is asked by one name it covers."""
    return "www" + identifier[1:] if identifier.startswith("*.") else identifier


def declared(host: dict[str, Any]) -> list[dict[str, Any]]:
    """The certificates that a host of lab.json declares, in the collection's data model."""
    return [
        {
            "name": name,
            "identifiers": identifiers,
            "key_type": KEY_TYPE,
            "deploy": {
                "check": host["check"],
                "reload": host["reload"],
                "endpoints": [
                    {"host": LOOPBACK, "port": host["tls_port"], "server_name": _endpoint_name(identifier)}
                    for identifier in identifiers
                ],
                "timeout": 30,
            },
        }
        for name, identifiers in host["certificates"].items()
    ]


def variables(state: State, lab: dict[str, Any]) -> dict[str, Any]:
    """What all hosts share."""
    acme = next(iter(lab["acme"].values()))
    return {
        "certfleet_acme_directory": acme["directory"],
        "certfleet_ca_path": acme["ca_path"],
        "certfleet_account_key_src": str(state.root / "controller" / "account.key"),
        "certfleet_generate_account_key": True,
        "certfleet_terms_agreed": True,
        "certfleet_contact": ["mailto:operations@example.com"],
        "certfleet_dns_providers": dns_providers(lab),
        "certfleet_dns_resolvers": list(lab["dns"].values()),
    }


def dns_providers(lab: dict[str, Any]) -> list[dict[str, Any]]:
    """The providers that have zones, as the collection takes them: the Route53 emulator for everything that is not in
    Cloud DNS, or Cloud DNS alone for everything."""
    found: list[dict[str, Any]] = []
    emulator = next(iter(lab["route53"].values()))
    if emulator["zones"] or "cloud_dns" not in lab:
        options = {key: emulator[key] for key in ("endpoint_url", "access_key", "secret_key", "region")}
        found.append({"provider": "route53", "zones": [], "route53": options})
    if "cloud_dns" in lab:
        cloud = lab["cloud_dns"]
        options = {key: cloud[key] for key in ("api_endpoint", "project", "service_account_file")}
        found.append({"provider": "cloud_dns", "zones": list(cloud["zones"]) if found else [], "cloud_dns": options})
    return found


def write(state: State, lab: dict[str, Any], python: str) -> None:
    """Write the inventory.

    :param python: the interpreter for the hosts' modules.
    """
    hosts = {
        name: {
            "ansible_connection": "local",
            "ansible_python_interpreter": python,
            "certfleet_store_path": host["store_path"],
            "certfleet_certificates": declared(host),
        }
        for name, host in lab["hosts"].items()
    }
    content = {"all": {"vars": variables(state, lab), "children": {"web": {"hosts": hosts}}}}
    text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=120)
    write_text(state.inventory, text)
