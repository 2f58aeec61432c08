# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done with the fleet, step by step; every statement is checked before it is printed."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.fleet.errors import Unexpected
from tests.fleet.hosts import Fleet, Host
from tests.fleet.inside import USER
from tests.fleet.observer import Observer, Point, strangers
from tests.integration.fleet import Run, playbook
from tests.lab import inventory
from tests.lab.api import Lab

#: Fewer handshakes with an endpoint while one playbook runs say nothing about it.
LEAST = 20
_FORCE = {"rotate_force": True}


class Story:
    """The lab, the fleet and what is seen of them. folder: for the inventory and Ansible's files."""

    def __init__(self, lab: Lab, fleet: Fleet, folder: Path) -> None:
        self.lab = lab
        self.fleet = fleet
        self.folder = folder
        self.inventory = folder / "inventory.json"
        self.points = [
            Point(host.name, service.name, host.address, endpoint.port, endpoint.server_name, endpoint.starttls)
            for host in fleet.hosts
            for service in host.services
            for endpoint in service.endpoints
        ]
        self.result: dict[str, Any] = {
            "handshakes": 0,
            "failures": 0,
            "mismatches": 0,
            "hosts": len(fleet.hosts),
            "services": sum(len(service.units) for host in fleet.hosts for service in host.services),
            "certificates": sum(len(host.declared) for host in fleet.hosts),
            "endpoints": len(self.points),
        }

    def tell(self) -> None:
        """All of it. Raises Unexpected when something is not as it should be."""
        hosts = {
            host.name: {**self._reached(host), "certfleet_certificates": host.declared} for host in self.fleet.hosts
        }
        # The same machine for a user without rights: sudo is not used.
        hosts["home"] = {
            **self._reached(self.fleet.hosts[0]),
            "ansible_become": False,
            "certfleet_store_path": f"/home/{USER}/certificates",
            "certfleet_certificates": [{"name": "own", "identifiers": ["own.example.com"]}],
        }
        self.result["certificates"] += 1
        shared = {**inventory.variables(self.lab.state, self.lab.info), **self.fleet.variables()}
        self.inventory.write_text(json.dumps({"all": {"vars": shared, "hosts": hosts}}), encoding="utf-8")

        for host in self.fleet.hosts:
            self._expect(host.routes() == 1, f"{host.name} reaches more than the controller")
        print("   no host reaches anything but the controller: neither the CA nor the internet", flush=True)
        done = self._play(
            "site, in check mode: nothing is written", "site", arguments=["--check", "--limit", "proxy,home"]
        )
        self._expect(bool(done.changed), "check mode promises nothing")
        self._expect(not any(self._stores()), f"check mode has written: {self._stores()}")

        done = self._play("site: issued, activated, started, proven", "site")
        installed = {row["host"] for row in done.of("certificate_install")}
        self._expect(installed == hosts.keys(), f"only {installed} installed something")
        self._own_store()
        with Observer(self.points, self.lab.acme["issuer_path"]) as observer:
            try:
                self._rotations(observer)
            finally:
                self._conclude(observer)

    def _rotations(self, observer: Observer) -> None:
        first = observer.serials()
        done = self._play("site once more: nothing to do", "site", observer=observer)
        self._expect(done.changed == [], f"changed: {done.changed}")
        self._expect(observer.serials() == first, "a site without anything to do changed what is served")
        before = first
        for title, pipelining in (("by SFTP", "false"), ("pipelined", "true")):
            environment = {"ANSIBLE_PIPELINING": pipelining}
            self._play(f"rotate, {title}", "rotate", observer=observer, variables=_FORCE, environment=environment)
            now = observer.serials(other_than=before)
            self._expect(not set(now) & {*before, *first}, "an old certificate is served")
            before = now
        print("   every endpoint serves its third certificate", flush=True)

    def _conclude(self, observer: Observer) -> None:
        """Count what was seen."""
        for point, seen in zip(self.points, observer.look(), strict=True):
            unknown = strangers(self.lab, seen)
            self.result["handshakes"] += seen["handshakes"]
            self.result["failures"] += seen["failures"]
            self.result["mismatches"] += seen["mismatches"] + unknown
            counts = (
                f"{seen['handshakes']:5} handshakes, {len(seen['leaves'])} certificates, {seen['failures']} failures"
            )
            print(f"   {point.words:<64} {counts}", flush=True)
            for line in seen["told"]:
                print(f"      {line}", flush=True)
            self._expect(unknown == 0, f"{point.words} showed {unknown} times a certificate that is none of the CA's")
        self._expect(
            not self.result["failures"] and not self.result["mismatches"],
            f"{self.result['failures']} handshakes failed, {self.result['mismatches']} showed what does not fit",
        )

    def _own_store(self) -> None:
        """What a user who becomes nobody else has in their home is theirs; no service reads it."""
        host = self.fleet.hosts[0]
        home = host.root / f"home/{USER}"
        key = home / "certificates/own/current/privkey.pem"
        self._expect(key.exists() and key.stat().st_uid == home.stat().st_uid, "the store is not the user's own")
        installed = [
            path for path in (host.root / "etc/certfleet").glob("*/current/privkey.pem") if path.stat().st_uid == 0
        ]
        self._expect(len(installed) == len(host.declared), "the store of the services is not root's")

    @staticmethod
    def _reached(host: Host) -> dict[str, Any]:
        return {"ansible_host": host.address, "ansible_python_interpreter": host.python}

    def _stores(self) -> list[str]:
        """The hosts that have a store."""
        return [host.name for host in self.fleet.hosts if (host.root / "etc/certfleet").exists()]

    def _play(
        self,
        title: str,
        name: str,
        *,
        observer: Observer | None = None,
        arguments: Sequence[str] = (),
        variables: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Run:
        """Run a playbook of the collection; the observer must see enough meanwhile."""
        started = time.monotonic()
        before = observer.look() if observer else []
        settings = {
            "ANSIBLE_HOST_KEY_CHECKING": "true",
            "ANSIBLE_REMOTE_TEMP": "~/.ansible/tmp",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder / "cp"),
            "ANSIBLE_PIPELINING": "true",
            **(environment or {}),
        }
        done = playbook(
            f"certfleet.acme.{name}",
            self.inventory,
            self.folder,
            arguments=arguments,
            variables=variables,
            environment=settings,
            expect=None,
        )
        self._expect(done.returncode == 0, f"ansible-playbook ended with exit code {done.returncode}:\n{done.output}")
        after = observer.look() if observer else []
        seen = [now["handshakes"] - then["handshakes"] for then, now in zip(before, after, strict=True)]
        self._expect(all(count >= LEAST for count in seen), f"too few handshakes to tell: {seen}")
        watched = f", {sum(seen)} handshakes meanwhile" if seen else ""
        print(f"   {title} ({time.monotonic() - started:.1f} s{watched})", flush=True)
        return done

    @staticmethod
    def _expect(holds: bool, otherwise: str) -> None:
        if not holds:
            raise Unexpected(otherwise)


def logs(hosts: Sequence[Host], lines: int = 20) -> str:
    """The ends of what the services wrote, for whoever has to find out what went wrong."""
    found = []
    for host in hosts:
        for path in sorted((host.root / "var/log").glob("*.log")):
            last = path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
            found.append(f"--- {host.name}: {path.name}\n" + "\n".join(last))
    return "\n".join(found)
