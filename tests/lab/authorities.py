# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CAs of the lab under one face: start one, await it, read what it was asked and what it has revoked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509

from . import ports, processes, tls
from .errors import LabError
from .ownlogs import read_openbao, read_pebble, read_step_ca
from .requestlog import Request, read_records
from .servers import acme2certifier, openbao, pebble, step_ca
from .state import State, read_json, write_json
from .web import https

AUTHORITIES = (acme2certifier.NAME, pebble.NAME, openbao.NAME, step_ca.NAME)
#: Those whose own log is read from an offset on.
_OFFSETS = (pebble.NAME, step_ca.NAME)
#: How the program of each is found; raises MissingProgram.
PROGRAMS: dict[str, Callable[[], Path]] = {
    pebble.NAME: pebble.find,
    openbao.NAME: openbao.find,
    step_ca.NAME: step_ca.find,
}


@dataclass(frozen=True)
class Policy:
    """What the CA takes, refuses and wants renewed, Pebble's switches, and which of the zones lie in Cloud DNS.

    binding_required: whether a new account needs an external account binding.
    """

    zones: list[str]
    cloud_zones: list[str]
    refused: list[str]
    refused_at_finalize: list[str]
    switches: dict[str, str]
    renewal_force: bool = False
    binding_required: bool = False

    @property
    def taken(self) -> list[str]:
        """The zones whose names the CA takes, where it must be told."""
        return [zone for zone in dict.fromkeys([*self.zones, *self.cloud_zones]) if zone not in self.refused]


def launch(state: State, ca: str, policy: Policy, dns: str, numbers: list[int]) -> dict[str, Any]:
    """Start a CA's process, described as in lab.json.

    :param dns: address and port of the name server it validates with.
    :param numbers: four free ports.
    :raises LabError: when it cannot be started.
    """
    folder = state.root / "tls"
    authority = tls.make_authority("certfleet lab: listeners")
    authority.write(folder / "ca.pem", folder / "ca.key")
    listener = (folder / "listener.pem", folder / "listener.key")
    tls.make_listener(authority).write(*listener)
    acme: dict[str, Any] = {
        "ca_path": str(folder / "ca.pem"),
        "issuer_path": str(folder / "issuer.pem"),
        "log": str(state.log(ca)),
    }
    if ca == pebble.NAME:
        acme["management"] = f"https://{ports.LOOPBACK}:{numbers[1]}"
        acme["http_port"] = numbers[2]
        acme["directory"] = pebble.launch(
            state,
            port=numbers[0],
            management_port=numbers[1],
            dns=dns,
            listener=listener,
            unused_ports=(numbers[2], numbers[3]),
            refused=policy.refused,
            environment=policy.switches,
            binding_required=policy.binding_required,
        )
    elif ca == openbao.NAME:
        acme["directory"] = openbao.launch(state, port=numbers[0], listener=listener)
    elif ca == step_ca.NAME:
        acme["directory"] = step_ca.launch(
            state,
            port=numbers[0],
            http_port=numbers[2],
            dns=dns,
            listener=listener,
            refused=policy.refused,
            binding_required=policy.binding_required,
        )
        acme["ca_path"], acme["issuer_path"], acme["program"] = step_ca.describe(state, acme["ca_path"])
        if acme["program"] == step_ca.NAME:
            acme["http_port"] = numbers[2]
    else:
        acme["directory"] = acme2certifier.launch(
            state,
            port=numbers[0],
            dns=dns,
            listener=listener,
            issuer=tls.make_authority("certfleet lab: acme2certifier"),
            allowed=policy.taken,
            refused_at_finalize=policy.refused_at_finalize,
            renewal_force=policy.renewal_force,
            external_accounts=pebble.EXTERNAL_ACCOUNTS if policy.binding_required else None,
        )
        acme["crl"] = str(acme2certifier.crl_path(state))
        (folder / "issuer.pem").write_bytes((state.root / acme2certifier.NAME / "ca.pem").read_bytes())
    return acme


def wait(state: State, ca: str, acme: dict[str, Any], policy: Policy, dns: str) -> None:
    """Return when a CA takes orders and its root lies at issuer_path.

    :raises LabError: when it does not come up.
    """
    if ca == openbao.NAME:
        processes.wait_ready(state, ca, lambda: openbao.ready(acme))
        openbao.set_up(state, acme, dns=dns, domains=policy.taken, binding_required=policy.binding_required)
    path = urlsplit(acme["directory"]).path
    processes.wait_ready(state, ca, lambda: https(acme["directory"], acme["ca_path"], "GET", path)[0] == 200)
    if ca == pebble.NAME:
        status, root = https(acme["management"], acme["ca_path"], "GET", "/roots/0")
        if status != 200:
            raise LabError(f"Pebble does not show its root certificate (HTTP {status})")
        Path(acme["issuer_path"]).write_bytes(root)


def forget(state: State) -> None:
    """Take what the CAs' own logs hold so far for read."""
    for ca in _OFFSETS:
        log = state.log(ca)
        write_json(state.settings(f"{ca}-offset"), {"offset": log.stat().st_size if log.exists() else 0})


def requests(state: State, ca: str) -> list[Request]:
    """The requests that a CA got since the start or the last :func:`forget`."""
    if ca == openbao.NAME:
        return read_openbao(state.requests(ca))
    if ca not in _OFFSETS:
        return read_records(state.requests(ca))
    read = {pebble.NAME: read_pebble, step_ca.NAME: read_step_ca}[ca]
    return read(state.log(ca), int(read_json(state.settings(f"{ca}-offset"))["offset"]))


def new_binding(state: State, ca: str, acme: dict[str, Any]) -> dict[str, str]:
    """A key that an account can be bound by: kid and key (base64url).

    :raises LabError: when the CA has none.
    """
    if ca == openbao.NAME:
        return openbao.new_binding(state, acme)
    if ca == step_ca.NAME:
        raise LabError("step-ca has no key for an external account binding")
    kid, key = next(iter(pebble.EXTERNAL_ACCOUNTS.items()))
    return {"kid": kid, "key": key}


def is_revoked(state: State, ca: str, acme: dict[str, Any], serial: str) -> bool:
    """Whether a CA has revoked the certificate with this serial (hex).

    :raises LabError: when it does not tell.
    """
    number = int(serial.replace(":", ""), 16)
    if ca == openbao.NAME:
        return openbao.is_revoked(acme, number)
    if ca == step_ca.NAME:
        return step_ca.is_revoked(acme, number)
    if ca == pebble.NAME:
        # Pebble keeps serials as hex with an even number of digits.
        text = f"{number:x}"
        path = "/cert-status-by-serial/" + text.zfill(len(text) + len(text) % 2)
        status, body = https(acme["management"], acme["ca_path"], "GET", path)
        if status != 200:
            raise LabError(f"Pebble knows no certificate {serial}")
        return bool(json.loads(body)["Status"] == "Revoked")
    crl = acme2certifier.crl_path(state)
    if not crl.is_file():
        return False
    return x509.load_pem_x509_crl(crl.read_bytes()).get_revoked_certificate_by_serial_number(number) is not None
