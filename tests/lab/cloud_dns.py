# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own way to its Cloud DNS: zones and accounts are made here, faults are set, and the zones are read.

Every request carries the mark that keeps it out of the request log, and faults do not meet it.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .requestlog import READER_HEADER
from .route53 import TIMEOUT, RecordSet, Zone, plain_name
from .state import State, read_json, write_json

PROJECT = "certfleet-lab"
#: No domain of Google's: its library signs tokens itself then, and asks no other service of Google's.
UNIVERSE = "certfleet.test"


class CloudDnsError(OSError):
    """The lab's Cloud DNS refused a request of the lab's own."""


@dataclass(frozen=True)
class Access:
    """Where the server listens, the key file of an account that may do everything, and a token of it."""

    api_endpoint: str
    project: str
    service_account_file: str
    token: str


@dataclass(frozen=True)
class Account:
    """A service account: its address, its key as in a key file, and a token that is good at once."""

    email: str
    key: dict[str, str]
    token: str


def make_account(
    state: State,
    endpoint: str,
    name: str,
    *,
    zones: Sequence[str] | None = None,
    denied: Sequence[str] = (),
    impersonates: Sequence[str] = (),
    universe: str = UNIVERSE,
) -> Account:
    """A new account, known to the server from its next request on.

    :param zones: DNS names of the zones it may touch; None for all.
    :param denied: permissions it does not have, e.g. ``dns.managedZones.list``.
    :param impersonates: addresses of the accounts it may get tokens of.
    :param universe: with ``googleapis.com`` its key is taken to the token endpoint.
    """
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    email = f"{name}@{PROJECT}.iam.{UNIVERSE}"
    token = f"ya29.lab-{name}-{private.private_numbers().d % 10**20:020d}"
    file = state.settings("cloud_dns-accounts")
    accounts = read_json(file) if file.exists() else {}
    accounts[email] = {
        "public_key": public.decode(),
        "token": token,
        "zones": None if zones is None else list(zones),
        "denied": list(denied),
        "impersonates": list(impersonates),
    }
    write_json(file, accounts)
    key = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": f"{private.private_numbers().d % 16**40:040x}",
        "private_key": pem.decode(),
        "client_email": email,
        "client_id": "100000000000000000001",
        "token_uri": f"{endpoint}/token",
        "universe_domain": universe,
    }
    return Account(email, key, token)


class CloudDns:
    """A small client; reads give what name servers have by now."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._dump: dict[str, list[RecordSet]] = {}
        self._local = threading.local()

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        headers = {READER_HEADER: "reader", "Authorization": f"Bearer {self._access.token}"}
        content = None if body is None else json.dumps(body)
        for attempt in (1, 2):
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = http.client.HTTPConnection(urlsplit(self._access.api_endpoint).netloc, timeout=TIMEOUT)
                self._local.connection = connection
            try:
                connection.request(method, path, body=content, headers=headers)
                answer = connection.getresponse()
                text = answer.read()
                break
            except (http.client.HTTPException, ConnectionError):
                # A kept connection that the server closed in the meantime: once more on a new one.
                connection.close()
                self._local.connection = None
                if attempt == 2:
                    raise
        if answer.status >= 300:
            raise CloudDnsError(f"{method} {path}: {answer.status} {text[:300].decode(errors='replace')}")
        return json.loads(text) if text else None

    def _api(self, method: str, path: str, body: Any = None) -> Any:
        return self._send(method, f"/dns/v1/projects/{self._access.project}/managedZones{path}", body)

    def create_zone(self, name: str, *, zone_id: str = "", private: bool = False) -> str:
        """Create a zone for a DNS name and return its name in the project."""
        zone_id = zone_id or name.replace(".", "-")
        body = {"name": zone_id, "dnsName": f"{name}.", "description": "lab"}
        if private:
            body["visibility"] = "private"
        return str(self._api("POST", "", body)["name"])

    def change(self, zone_id: str, *, additions: Sequence[Any] = (), deletions: Sequence[Any] = ()) -> None:
        """What another program writes."""
        self._api("POST", f"/{zone_id}/changes", {"additions": list(additions), "deletions": list(deletions)})

    def dump(self) -> list[dict[str, Any]]:
        """Every zone, with what it holds (``held``) and what name servers have by now (``served``)."""
        found: list[dict[str, Any]] = self._send("GET", "/lab/zones")
        return found

    def held(self, zone_id: str = "") -> dict[str, tuple[int, list[str]]]:
        """Every TXT set, of one zone if it is given: name to TTL and sorted values."""
        return {
            plain_name(entry["name"]): (entry["ttl"], sorted(entry["rrdatas"]))
            for zone in self.dump()
            if zone_id in ("", zone["name"])
            for entry in zone["held"]
            if entry["type"] == "TXT"
        }

    # For the name server, as of the Route53 emulators

    def zones(self) -> list[Zone]:
        """Every zone."""
        found = []
        for zone in self.dump():
            self._dump[zone["name"]] = [
                RecordSet(plain_name(entry["name"]), entry["type"], entry["ttl"], tuple(entry["rrdatas"]))
                for entry in zone["served"]
            ]
            found.append(Zone(plain_name(zone["dnsName"]), zone["name"], zone["visibility"] == "private"))
        return found

    def all_records(self, zone_id: str) -> list[RecordSet]:
        """Every record set of a zone as it was at the last :meth:`zones`."""
        return self._dump.get(zone_id, [])
