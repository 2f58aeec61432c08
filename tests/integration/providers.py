# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The DNS provider as an axis of the suite: what a scenario runs on, and what it has to know of where it runs.

Scenarios name a CA and a provider. With ``pytest tests/integration --dns=NAME`` all of them run with that one, on each
CA that they name. What can only be said of one provider is marked: ``@pytest.mark.provider("route53", reason="...")``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.api import ZONES, Lab

if TYPE_CHECKING:
    from tests.integration.google_cloud import GoogleCloud
    from tests.integration.route53_cloud import Cloud

CLOUD_DNS = "cloud_dns"
#: Each with the provider of the collection that is used with it.
PROVIDERS = {"ministack": "route53", "moto": "route53", CLOUD_DNS: CLOUD_DNS}
ONLY_ROUTE53 = pytest.mark.provider("route53", reason="another parameter of the same scenario has Cloud DNS")
ONLY_CLOUD_DNS = pytest.mark.provider(CLOUD_DNS, reason="another parameter of the same scenario has Route53")
#: Carries the choice to the processes of a test run.
VARIABLE = "CERTFLEET_DNS"


def chosen() -> str:
    """The only provider that this run is about; empty when it is about all."""
    return os.environ.get(VARIABLE, "")


def pairs(*wanted: tuple[str, str]) -> list[tuple[str, str]]:
    """What a scenario runs on: these pairs of CA and provider, or each of their CAs with the chosen provider."""
    return list(dict.fromkeys((ca, chosen()) for ca, _dns in wanted)) if chosen() else list(wanted)


def among(*names: str) -> list[str]:
    """Those of some providers that this run is about."""
    return [name for name in names if chosen() in ("", name)]


def options(dns: str, given: dict[str, Any]) -> dict[str, Any]:
    """Options of Lab.up for a lab whose zones all lie with this provider."""
    if dns != CLOUD_DNS:
        return {"dns_provider": dns, **given}
    return {"dns_provider": "ministack", "cloud_zones": ZONES, **given}


@dataclass(frozen=True)
class Dns:
    """The provider that holds a lab's zones. name: in dns_providers, and the server in the lab; title: in messages;
    write: the kind of request that changes a zone; endpoint: the option that says where the API is."""

    name: str
    title: str
    write: str
    endpoint: str


_KNOWN = {
    "route53": Dns("route53", "Route53", "ChangeResourceRecordSets", "endpoint_url"),
    CLOUD_DNS: Dns(CLOUD_DNS, "Cloud DNS", "changes.create", "api_endpoint"),
}
#: Every kind of request that changes a zone.
WRITES = {dns.write for dns in _KNOWN.values()}


def dns_of(lab: Lab) -> Dns:
    """The provider of a lab that has one."""
    (found,) = lab.dns_providers
    return _KNOWN[found["provider"]]


def access(lab: Lab) -> dict[str, Any]:
    """How that provider is reached: the options of its own."""
    return dict(lab.dns_providers[0][dns_of(lab).name])


def servers(lab: Lab) -> list[str]:
    """Every server that a run could have asked."""
    return ["acme", "dns", "route53", *([CLOUD_DNS] if lab.cloud_dns else [])]


def secrets(lab: Lab) -> list[str]:
    """What of that provider's credentials may be in no output."""
    if not lab.cloud_dns:
        return [str(lab.route53["secret_key"])]
    key = Path(lab.cloud_dns["service_account_file"]).read_text(encoding="utf-8")
    lines = key.split("-----")[2].replace("\\n", "\n").split()
    assert len(lines) > 10
    return [str(lab.cloud_dns["token"]), *lines]


def cloud_of(lab: Lab, folder: Path) -> Cloud | GoogleCloud:
    """That provider seen from outside."""
    from tests.integration.google_cloud import GoogleCloud
    from tests.integration.route53_cloud import Cloud

    return GoogleCloud(lab, folder) if lab.cloud_dns else Cloud(lab, folder)


def zone_ids(lab: Lab) -> dict[str, str]:
    """The ids of the zones that the lab began with."""
    return dict((lab.cloud_dns or lab.route53)["zones"])
