# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the servers of a lab, all processes at once, awaits each, and ends them."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor

from . import authorities, inventory, ports, processes
from . import cloud_dns as cloud
from .authorities import Policy
from .errors import LabError
from .route53 import Access, Route53, Route53Error
from .servers import cloud_dns, dns, emulators, nginx, strict
from .state import State, read_json, write_json


def reset_log(state: State) -> None:
    for path in (state.root / "requests").glob("*.jsonl"):
        os.truncate(path, 0)
    authorities.forget(state)


def end(state: State) -> None:
    """End what runs, hosts first, then delete the folder and give the ports back."""
    names = processes.names(state)
    processes.stop(state, sorted(names, key=lambda name: not name.startswith("nginx-")))
    state.remove()
    ports.release(state.root)


class Starter:
    """Starts the servers of one lab: all processes at once, then each is awaited."""

    def __init__(self, state: State, ca: str, provider: str, policy: Policy, *, strict: bool = False) -> None:
        self.strict = strict
        self.state = state
        self.ca = ca
        self.provider = provider
        self.policy = policy

    def run(self, host_count: int, python: str) -> None:
        """Start everything and write lab.json and the inventory."""
        state = self.state
        numbers = iter(ports.reserve(8 + host_count, state.root))
        access = emulators.launch(state, self.provider, next(numbers))
        dns_address = f"{ports.LOOPBACK}:{next(numbers)}"
        cloud_access = cloud_dns.launch(state, next(numbers)) if self.policy.cloud_zones else None
        dns.launch(state, access, cloud_access, int(dns_address.rpartition(":")[2]))
        public = strict.launch(state, access, next(numbers)) if self.strict else access
        ca_ports = [next(numbers) for _number in range(4)]
        acme = authorities.launch(state, self.ca, self.policy, dns_address, ca_ports)
        hosts = [self._host(number, next(numbers)) for number in range(1, host_count + 1)]
        described = {host.name: nginx.prepare(state, host) for host in hosts}
        with ThreadPoolExecutor() as pool:
            zones = pool.submit(self._zones, access)
            cloud_zones = pool.submit(self._cloud_zones, cloud_access)
            authority = pool.submit(authorities.wait, state, self.ca, acme, self.policy, dns_address)
            zone_ids = zones.result()
            authority.result()
            cloud_ids = cloud_zones.result()
        lab = {
            "state": str(state.root),
            "acme": {self.ca: acme},
            "route53": {self.provider: {**vars(public), "zones": zone_ids, "log": str(state.log(self.provider))}},
            "dns": {self.provider: dns_address},
            "hosts": described,
            "inventory": str(state.inventory),
            "python": python,
        }
        if cloud_access:
            lab[cloud_dns.NAME] = {
                **vars(cloud_access),
                "zones": cloud_ids,
                "log": str(state.log(cloud_dns.NAME)),
            }
        write_json(state.lab_json, lab)
        inventory.write(state, lab, python)
        reset_log(state)

    def _zones(self, access: Access) -> dict[str, str]:
        client = Route53(access)

        def ready() -> bool:
            try:
                client.zones()
            except Route53Error as error:
                raise LabError(f"{self.provider} refuses the lab's own request: {error}") from error
            return True

        processes.wait_ready(self.state, self.provider, ready)
        zones = [zone for zone in self.policy.zones if zone not in self.policy.cloud_zones]
        found = {zone: client.create_zone(zone) for zone in zones}
        port = int(read_json(self.state.settings(dns.NAME))["port"])
        processes.wait_ready(self.state, dns.NAME, lambda: _tcp_open(port))
        if self.strict:
            proxy = int(read_json(self.state.settings(strict.NAME))["port"])
            processes.wait_ready(self.state, strict.NAME, lambda: _tcp_open(proxy))
        return found

    def _cloud_zones(self, access: cloud.Access | None) -> dict[str, str]:
        if access is None:
            return {}
        client = cloud.CloudDns(access)
        processes.wait_ready(self.state, cloud_dns.NAME, lambda: client.zones() is not None)
        return {zone: client.create_zone(zone) for zone in self.policy.cloud_zones}

    def _host(self, number: int, port: int) -> nginx.Host:
        name = f"web{number}"
        certificates = {"web": [f"{name}.example.com"]}
        if number == 1:
            certificates = {"apex": ["example.com", "*.example.com"], **certificates}
            if "example.org" in self.policy.cloud_zones:
                # A name in each cloud.
                certificates["both"] = ["both.example.com", "both.example.org"]
        root = self.state.root / "hosts" / name
        root.mkdir(mode=0o700)
        return nginx.Host(name, root, port, certificates)


def _tcp_open(port: int) -> bool:
    with socket.create_connection((ports.LOOPBACK, port), timeout=1):
        return True
