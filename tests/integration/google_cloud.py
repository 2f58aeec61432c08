# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's Cloud DNS, seen from outside: zones of a test's own, what they hold, what it cost."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.certfleet.acme.plugins.module_utils._dns.engine import Engine
from ansible_collections.certfleet.acme.plugins.module_utils._dns.factory import build_engine

from tests.integration import module_run
from tests.integration.module_run import Answer
from tests.lab.api import Lab

MODULE = "ansible_collections.certfleet.acme.plugins.modules.dns01_cloud_dns"
#: Nothing outside of this machine is asked: not the metadata server of a cloud, and no https.
NOTHING_OUTSIDE = {"NO_GCE_CHECK": "true", "HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}

#: throttle, quota, error, unavailable, cut: nothing is carried out; late, lose: it is, and the answer does not say so;
#: precondition, exists: a change is refused as if somebody else had been there.
FAULTS: dict[str, dict[str, Any]] = {
    "throttle": {"status": 429, "reason": "rateLimitExceeded"},
    "quota": {"status": 403, "reason": "quotaExceeded"},
    "error": {"status": 500},
    "unavailable": {"status": 503},
    "cut": {"cut": True},
    "late": {"status": 503, "after": True},
    "lose": {"cut": True, "after": True},
    "precondition": {"status": 412, "reason": "conditionNotMet", "kind": "changes.create"},
    "exists": {
        "status": 409,
        "reason": "alreadyExists",
        "message": "The resource 'entity.change.additions[0]' named 'n' already exists",
        "kind": "changes.create",
    },
}


class GoogleCloud:
    """The project of a lab. Tests make zones of their own in it and so do not see each other.

    title: of the provider, in messages; zone_path: before a zone's id; zone_list, write: kinds of requests.
    """

    title, zone_path, zone_list, write = "Cloud DNS", "managedZones/", "managedZones.list", "changes.create"

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.options = {key: lab.cloud_dns[key] for key in ("api_endpoint", "project", "service_account_file")}
        self.client = lab.cloud

    def zone(self, name: str | None = None, *, private: bool = False, zone_id: str = "") -> tuple[str, str]:
        """A new zone: its DNS name and its name in the project."""
        name = name or f"z{uuid.uuid4().hex[:12]}.example"
        return name, self.client.create_zone(name, private=private, zone_id=zone_id or f"z{uuid.uuid4().hex[:16]}")

    def put(self, zone_id: str, name: str, values: list[str], ttl: int = 300, kind: str = "TXT") -> None:
        """What another program writes."""
        entry = {"name": f"{name}.", "type": kind, "ttl": ttl, "rrdatas": values}
        self.client.change(zone_id, additions=[entry])

    def fill(self, zone_id: str, zone: str, count: int) -> None:
        """Address records, so many."""
        names = [f"host{number:05d}.{zone}." for number in range(count)]
        for start in range(0, count, 1000):
            sets = [{"name": n, "type": "A", "ttl": 300, "rrdatas": ["192.0.2.1"]} for n in names[start : start + 1000]]
            self.client.change(zone_id, additions=sets)

    def holds(self, zone_id: str) -> dict[str, tuple[int, list[str]]]:
        """Every TXT set of a zone: name to TTL and sorted values."""
        return self.client.held(zone_id)

    def set_faults(self, **faults: float) -> None:
        """From now on, let this befall every so many-th request; what is not named is off."""
        self.lab.set_cloud_faults(*({"every": int(every), **FAULTS[name]} for name, every in faults.items()))

    def count(self) -> Counter[str]:
        """Start counting API calls from here; returns those until now."""
        counts = self.lab.counts("cloud_dns")
        self.lab.reset_log()
        return counts

    def params(
        self, *, wait: str = "authoritative", rate: float = 100.0, timeout: int = 20, **more: Any
    ) -> dict[str, Any]:
        """Options of an engine for this project."""
        options = {**self.options, "requests_per_second": rate, **more}
        return {
            "dns_providers": [{"provider": "cloud_dns", "zones": [], "cloud_dns": options}],
            "dns_wait": wait,
            "dns_timeout": timeout,
            "dns_resolvers": [self.lab.dns],
        }

    def engine(self, **options: Any) -> Engine:
        """An engine for this project."""
        return build_engine(self.params(**options))

    def module(
        self,
        records: Mapping[str, list[str]],
        *,
        check: bool = False,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Answer:
        """Run dns01_cloud_dns; see module_run.run."""
        arguments = {
            **self.options,
            "requests_per_second": 100,
            "resolvers": [self.lab.dns],
            "wait_timeout": 20,
            "records": [{"record": name, "values": values} for name, values in records.items()],
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            **options,
        }
        arguments = {name: value for name, value in arguments.items() if value is not None}
        return run_module(arguments, self.folder, environment)


def run_module(arguments: Mapping[str, Any], folder: Path, environment: Mapping[str, str] | None = None) -> Answer:
    """Run dns01_cloud_dns with these arguments and, of Google, nothing of the environment but what is given."""
    return module_run.run(
        MODULE, arguments, folder, environment, foreign=("GCP_", "GOOGLE_", "GCE_", "CLOUDSDK_"), fixed=NOTHING_OUTSIDE
    )
