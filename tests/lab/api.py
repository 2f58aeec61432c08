# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab for tests and benchmarks: start one, ask its servers what they saw and hold, end it."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from cryptography import x509

from . import authorities, inventory, ports, processes
from . import cloud_dns as google
from .authorities import AUTHORITIES, Policy
from .errors import LabError
from .requestlog import Request, count, read_records
from .route53 import Access, Route53, unquoted
from .servers import acme2certifier, cloud_dns, dns, nginx
from .servers import strict as strict_layer
from .starter import Starter, end, reset_log
from .state import State, read_json, write_json
from .web import https

ZONES = ("example.com", "example.net", "refused.test")
REFUSED = ("refused.test",)
REFUSED_AT_FINALIZE = ("refused.example.com",)


@dataclass(frozen=True)
class Served:
    """The certificate that an endpoint showed: serial and SHA-256 fingerprint in lower-case hex."""

    serial: str
    fingerprint: str
    certificate: x509.Certificate


class Lab:
    """A running lab. A context manager: leaving it ends every process and deletes the folder."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.info: dict[str, Any] = read_json(state.lab_json)

    # Starting and ending

    @classmethod
    def up(
        cls,
        *,
        ca: str = acme2certifier.NAME,
        dns_provider: str = "ministack",
        hosts: int = 3,
        state: Path | None = None,
        python: str = sys.executable,
        zones: Sequence[str] = ZONES,
        refused: Sequence[str] = REFUSED,
        refused_at_finalize: Sequence[str] = REFUSED_AT_FINALIZE,
        cloud_zones: Sequence[str] = (),
        dns_lag: float = 0.0,
        pebble_environment: dict[str, str] | None = None,
        binding_required: bool = False,
        strict: bool = False,
        renewal_force: bool = False,
    ) -> Lab:
        """Start a lab and return when all its servers answer.

        :param ca: ``acme2certifier``, ``pebble``, ``openbao`` or ``step-ca``.
        :param dns_provider: the Route53 emulator, ``ministack`` or ``moto``.
        :param hosts: how many nginx hosts, named web1, web2, ...
        :param state: its folder; by default a new temporary one.
        :param python: the interpreter that the inventory gives to the hosts.
        :param zones: the public zones to create; acme2certifier and OpenBao take names in these only.
        :param refused: domains that the CA refuses at newOrder with all below them (rejectedIdentifier).
        :param refused_at_finalize: names that acme2certifier refuses at finalize (badCSR); others have no such list.
        :param cloud_zones: the zones to create in Cloud DNS, and not in the Route53 emulator; none: no Cloud DNS.
            With example.org among them, web1 has a certificate with a name in each cloud.
        :param dns_lag: seconds that a new value stays unseen on the name server.
        :param pebble_environment: Pebble's switches, e.g. ``{"PEBBLE_WFE_NONCEREJECT": "20"}``.
        :param binding_required: a new account needs an external account binding, see :meth:`new_binding`.
        :param strict: put the layer in front of the emulator that refuses what AWS refuses, see :meth:`set_faults`.
        :param renewal_force: let acme2certifier want every certificate renewed at once (RFC 9773).
        :raises LabError: when something does not start; everything started is ended before.
        """
        if ca not in AUTHORITIES:
            raise LabError(f"no such CA: {ca}; there are {', '.join(AUTHORITIES)}")
        if hosts < 0:
            raise LabError("the number of hosts cannot be negative")
        folder = State.create(state)
        try:
            policy = Policy(
                zones=list(zones),
                cloud_zones=list(cloud_zones),
                refused=list(refused),
                refused_at_finalize=list(refused_at_finalize),
                switches=pebble_environment or {},
                renewal_force=renewal_force,
                binding_required=binding_required,
            )
            Starter(folder, ca, dns_provider, policy, strict=strict).run(hosts, python)
            dns.set_lag(folder, dns_lag)
            return cls(folder)
        except BaseException:
            end(folder)
            raise

    @classmethod
    def attach(cls, state: Path | None = None) -> Lab:
        """A lab that is up already.

        :raises LabError: when there is none.
        """
        return cls(State.find(state))

    def down(self) -> None:
        """End every process and delete the folder; a lab that is down already stays so."""
        if self.state.root.exists():
            end(self.state)

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.down()

    # What it is made of

    @property
    def ca(self) -> str:
        """The CA's name."""
        return str(next(iter(self.info["acme"])))

    @property
    def acme(self) -> dict[str, Any]:
        """The CA: directory, ca_path, issuer_path, log and more, as in lab.json."""
        return dict(self.info["acme"][self.ca])

    @property
    def provider(self) -> str:
        """The Route53 emulator's name."""
        return str(next(iter(self.info["route53"])))

    @property
    def route53(self) -> dict[str, Any]:
        """The emulator: endpoint_url, access_key, secret_key, region, zones, log."""
        return dict(self.info["route53"][self.provider])

    @property
    def cloud_dns(self) -> dict[str, Any]:
        """Cloud DNS: api_endpoint, project, service_account_file, token, zones, log; empty without it."""
        return dict(self.info.get(cloud_dns.NAME, {}))

    @property
    def cloud(self) -> google.CloudDns:
        """The lab's own client of Cloud DNS."""
        return google.CloudDns(google.Access(**{name: self.cloud_dns[name] for name in google.Access.__annotations__}))

    @property
    def dns_providers(self) -> list[dict[str, Any]]:
        """Who holds the zones, as the collection takes it; the inventory has the same."""
        return inventory.dns_providers(self.info)

    @property
    def dns(self) -> str:
        """Address and port of the name server."""
        return str(self.info["dns"][self.provider])

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        """The nginx hosts by name."""
        return dict(self.info["hosts"])

    @property
    def environment(self) -> dict[str, str]:
        """Variables for a command that works with this lab."""
        return {
            "CERTFLEET_LAB_STATE": str(self.state.root),
            "CERTFLEET_LAB_DIRECTORY": str(self.acme["directory"]),
            "CERTFLEET_LAB_CA_PATH": str(self.acme["ca_path"]),
            "ANSIBLE_INVENTORY": str(self.state.inventory),
        }

    def status(self) -> dict[str, bool]:
        """Whether each process that was started still runs."""
        return {name: processes.alive(self.state, name) for name in processes.names(self.state)}

    # What the servers were asked

    def _server(self, name: str) -> str:
        return {"acme": self.ca, "route53": self.provider}.get(name, name)

    def requests(self, server: str) -> list[Request]:
        """The requests a server got since ``up`` or the last reset, in the order of their answers.

        :param server: ``acme``, ``route53``, ``cloud_dns`` or ``dns``, or a server's own name.
        :raises LabError: when there is no such server in this lab.
        """
        server = self._server(server)
        known = (self.ca, self.provider, "dns", strict_layer.NAME, *([cloud_dns.NAME] if self.cloud_dns else []))
        if server not in known:
            raise LabError(f"no server {server} in this lab")
        if server == self.ca:
            return authorities.requests(self.state, server)
        return read_records(self.state.requests(server))

    def counts(self, server: str) -> Counter[str]:
        """How many requests of each kind a server got."""
        return count(self.requests(server))

    def reset_log(self) -> None:
        """Forget all requests so far, of every server."""
        reset_log(self.state)

    # What the servers hold

    def txt_values(self, name: str) -> list[str]:
        """The TXT values at a name as the emulator holds them now, unquoted; none when there are none.

        :raises Route53Error: when the emulator refuses.
        """
        name = name.rstrip(".").lower()
        client = Route53(_access(self.route53))
        found: list[str] = []
        if self.cloud_dns:
            found += [unquoted(value) for value in self.cloud.held().get(name, (0, []))[1]]
        for zone in client.zones():
            if f".{name}".endswith(f".{zone.name}"):
                for record in client.records(zone.zone_id, name, 20):
                    if record.name == name and record.type == "TXT":
                        found.extend(unquoted(value) for value in record.values)
        return found

    def all_txt(self) -> dict[str, list[str]]:
        """Every TXT set of the emulators by name: what a run left behind."""
        client = Route53(_access(self.route53))
        found: dict[str, list[str]] = {}
        for zone in client.zones():
            for record in client.all_records(zone.zone_id):
                if record.type == "TXT":
                    found.setdefault(record.name, []).extend(record.values)
        if self.cloud_dns:
            for name, (_ttl, values) in self.cloud.held().items():
                found.setdefault(name, []).extend(values)
        return found

    def cloud_account(self, name: str, **rights: Any) -> google.Account:
        """A new service account of Cloud DNS; rights as for make_account of lab/cloud_dns.py."""
        return google.make_account(self.state, self.cloud_dns["api_endpoint"], name, **rights)

    def set_cloud_faults(self, *faults: dict[str, Any]) -> None:
        """What Cloud DNS does wrong from now on, instead of what was set before.

        Each fault has ``every`` (1: each request, 2: every second one, ...), and either ``status`` (with ``reason``) or
        ``cut`` (the connection ends without an answer). It may have ``kind`` (of request, e.g. ``changes.create``),
        ``after`` (the request is carried out first) and ``last`` (the number of the last request that counts).
        """
        write_json(self.state.settings(cloud_dns.FAULTS), list(faults))

    def set_cloud_behaviour(self, *, delay: float = 0.0, page: int = 100) -> None:
        """From now on, a change is pending for so many seconds, and a page of a list has so many items."""
        write_json(self.state.settings("cloud_dns-behaviour"), {"delay": delay, "page": page})

    def cloud_violations(self) -> list[str]:
        """Where requests or answers of Cloud DNS were not as Google's discovery document says."""
        path = self.state.settings(cloud_dns.VIOLATIONS)
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def set_dns_lag(self, seconds: float) -> None:
        """From now on, hide a new value for so long after the name server was first asked for it."""
        dns.set_lag(self.state, seconds)

    def set_faults(self, **faults: float) -> None:
        """From now on, let the strict layer do this to requests; what is not named is off. See servers/strict.py.

        :raises ValueError: for a fault that there is not.
        """
        strict_layer.set_faults(self.state, faults)

    def served(self, host: str, server_name: str, timeout: float = 5.0) -> Served:
        """The certificate that a host shows for a name (SNI); it is not verified.

        :raises OSError: when nobody listens or the handshake fails.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        address = (ports.LOOPBACK, int(self.hosts[host]["tls_port"]))
        with (
            socket.create_connection(address, timeout=timeout) as plain,
            context.wrap_socket(plain, server_hostname=server_name) as secured,
        ):
            der = secured.getpeercert(binary_form=True)
        if der is None:
            raise LabError(f"{host} showed no certificate")
        certificate = x509.load_der_x509_certificate(der)
        return Served(f"{certificate.serial_number:x}", hashlib.sha256(der).hexdigest(), certificate)

    def service(self, host: str, action: str) -> int:
        """Run a host's service command (start, stop, reload, restart, reload-or-restart, status)."""
        return nginx.service(self.state, host, action)

    def is_revoked(self, serial: str) -> bool:
        """Whether the CA has revoked the certificate with this serial (hex).

        :raises LabError: when Pebble does not know the serial, or the CA does not tell (Caddy).
        """
        return authorities.is_revoked(self.state, self.ca, self.acme, serial)

    def new_binding(self) -> dict[str, str]:
        """What a new account can be bound by: ``kid`` and ``key``, as the option takes them.

        :raises LabError: when the CA has none (step-ca).
        """
        return authorities.new_binding(self.state, self.ca, self.acme)

    def set_renewal_info(self, certificate_pem: str, answer: str) -> None:
        """From now on Pebble answers this text to the question when it wants this certificate renewed (RFC 9773).

        :raises LabError: when Pebble does not know the certificate.
        """
        body = json.dumps({"Certificate": certificate_pem, "ARIResponse": answer})
        status, said = self._management("POST", "/set-renewal-info/", body)
        if status != 200:
            raise LabError(f"Pebble does not take renewal information: {said.decode('utf-8', 'replace')}")

    def _management(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        return https(self.acme["management"], self.acme["ca_path"], method, path, body)

    def stop_server(self, server: str) -> None:
        """End one server for good, e.g. to try a CA that is down."""
        processes.stop(self.state, [self._server(server)])


def _access(info: dict[str, Any]) -> Access:
    return Access(info["endpoint_url"], info["access_key"], info["secret_key"], info["region"])
