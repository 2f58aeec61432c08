# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the servers of a lab, all processes at once, awaits each, and ends them."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import cloud_dns as cloud
from . import inventory, ports, processes, tls
from .errors import LabError
from .route53 import Access, Route53, Route53Error
from .servers import acme2certifier, cloud_dns, dns, emulators, nginx, pebble, strict
from .state import State, read_json, write_json


def https(base: str, ca_path: str, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
    """One HTTPS request that trusts the lab's CA only."""
    context = ssl.create_default_context(cafile=ca_path)
    connection = http.client.HTTPSConnection(urlsplit(base).netloc, timeout=5, context=context)
    try:
        connection.request(method, path, body=body, headers={"User-Agent": "certfleet-lab"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def reset_log(state: State) -> None:
    for path in (state.root / "requests").glob("*.jsonl"):
        os.truncate(path, 0)
    log = state.log(pebble.NAME)
    write_json(state.settings("pebble-offset"), {"offset": log.stat().st_size if log.exists() else 0})


def end(state: State) -> None:
    """End what runs, hosts first, then delete the folder and give the ports back."""
    names = processes.names(state)
    processes.stop(state, sorted(names, key=lambda name: not name.startswith("nginx-")))
    state.remove()
    ports.release(state.root)


@dataclass(frozen=True)
class Policy:
    """What the CA takes and refuses, Pebble's switches and accounts, and which of the zones lie in Cloud DNS."""

    """What the CA takes, refuses and wants renewed, Pebble's switches, and which of the zones lie in Cloud DNS."""

    zones: list[str]
    cloud_zones: list[str]
    refused: list[str]
    refused_at_finalize: list[str]
    switches: dict[str, str]
    binding_required: bool = False
    renewal_force: bool = False


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
        acme = self._launch_ca(dns_address, [next(numbers) for _number in range(4)])
        hosts = [self._host(number, next(numbers)) for number in range(1, host_count + 1)]
        described = {host.name: nginx.prepare(state, host) for host in hosts}
        with ThreadPoolExecutor() as pool:
            zones = pool.submit(self._zones, access)
            cloud_zones = pool.submit(self._cloud_zones, cloud_access)
            authority = pool.submit(self._await_ca, acme)
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

    def _launch_ca(self, dns_address: str, numbers: list[int]) -> dict[str, Any]:
        state = self.state
        folder = state.root / "tls"
        authority = tls.make_authority("certfleet lab: listeners")
        authority.write(folder / "ca.pem", folder / "ca.key")
        listener = (folder / "listener.pem", folder / "listener.key")
        tls.make_listener(authority).write(*listener)
        acme: dict[str, Any] = {
            "ca_path": str(folder / "ca.pem"),
            "issuer_path": str(folder / "issuer.pem"),
            "log": str(state.log(self.ca)),
        }
        if self.ca == pebble.NAME:
            acme["management"] = f"https://{ports.LOOPBACK}:{numbers[1]}"
            acme["directory"] = pebble.launch(
                state,
                port=numbers[0],
                management_port=numbers[1],
                dns=dns_address,
                listener=listener,
                unused_ports=(numbers[2], numbers[3]),
                refused=self.policy.refused,
                environment=self.policy.switches,
                binding_required=self.policy.binding_required,
            )
            return acme
        issuer = tls.make_authority("certfleet lab: acme2certifier")
        acme["directory"] = acme2certifier.launch(
            state,
            port=numbers[0],
            dns=dns_address,
            listener=listener,
            issuer=issuer,
            allowed=[
                zone
                for zone in dict.fromkeys([*self.policy.zones, *self.policy.cloud_zones])
                if zone not in self.policy.refused
            ],
            refused_at_finalize=self.policy.refused_at_finalize,
            renewal_force=self.policy.renewal_force,
        )
        acme["crl"] = str(acme2certifier.crl_path(state))
        (folder / "issuer.pem").write_bytes((state.root / acme2certifier.NAME / "ca.pem").read_bytes())
        return acme

    def _await_ca(self, acme: dict[str, Any]) -> None:
        url = urlsplit(acme["directory"])

        def ready() -> bool:
            return https(acme["directory"], acme["ca_path"], "GET", url.path)[0] == 200

        processes.wait_ready(self.state, self.ca, ready)
        if self.ca == pebble.NAME:
            status, root = https(acme["management"], acme["ca_path"], "GET", "/roots/0")
            if status != 200:
                raise LabError(f"Pebble does not show its root certificate (HTTP {status})")
            Path(acme["issuer_path"]).write_bytes(root)

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
