# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the demonstration does and says. Every statement is checked before it is printed."""

from __future__ import annotations

import os
import re
import subprocess
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.lab.api import Lab

COLLECTION = "certfleet.acme"
SERVERS = ("acme", "route53", "cloud_dns")


class Unexpected(Exception):
    """A step did not do what it says."""


@dataclass(frozen=True)
class Seen:
    """What an endpoint serves: serial in hex, expiry as a date, the public key in DER."""

    serial: str
    expires: str
    key: bytes


class Story:
    """The steps, each a playbook run and a look at what is served after it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.number = 0
        # Host, the certificate's name on it, what it covers, and a name to ask for in the handshake.
        self.endpoints = [
            (host, name, identifiers, identifiers[0].replace("*.", "www."))
            for host, facts in lab.hosts.items()
            for name, identifiers in facts["certificates"].items()
        ]

    def tell(self, seconds: float) -> None:
        """All steps. Raises Unexpected when one does not do what it says."""
        self._step(f"A lab on this machine, up in {seconds:.1f} s")
        self._say(
            f"CA          {self.lab.ca}, a real ACME server: {self.lab.acme['directory']}",
            f"DNS         {self.lab.provider}, a Route53 emulator, with {', '.join(self.lab.route53['zones'])}",
            f"            Cloud DNS by Google's discovery document, with {', '.join(self.lab.cloud_dns['zones'])}",
            "            the CA asks a name server that answers from both",
            f"hosts       {', '.join(self.lab.hosts)}, each with an nginx that waits for its certificates",
        )

        self._step("Issue and deploy what is declared: ansible-playbook certfleet.acme.site")
        self._playbook("site")
        first = self._look()
        for (host, name, identifiers, _asked), seen in zip(self.endpoints, first, strict=True):
            self._say(
                f"{host} {name:<5} {', '.join(identifiers):<34} serves serial {seen.serial}, until {seen.expires}"
            )
        self._say(
            self._requests(), "The keys were made on the hosts and stayed there: only requests and chains travelled."
        )
        self._no_txt_left()

        self._step("The same again: nothing is due")
        changed = self._playbook("site")
        self._expect(changed == 0, f"the second run changed {changed} things")
        self._expect(not any(self.lab.counts(name) for name in SERVERS), f"there were {self._requests()}")
        self._expect(self._look() == first, "other certificates are served")
        self._say(
            "Nothing changed, no request to the CA, none to Route53 or Cloud DNS, the same certificates are served."
        )

        self._step("Rotate everything now: ansible-playbook certfleet.acme.rotate -e rotate_force=true")
        self._playbook("rotate", "-e", "rotate_force=true")
        second = self._look()
        for (host, name, _identifiers, _asked), before, after in zip(self.endpoints, first, second, strict=True):
            self._expect(before.serial != after.serial, f"{host} {name} serves the old certificate")
            self._expect(before.key != after.key, f"{host} {name} still uses the old key")
            self._say(f"{host} {name:<5} before {before.serial}")
            self._say(f"{'':<{len(host)}} {'':<5} after  {after.serial}  (a new key too)")
        self._say(self._requests())
        self._no_txt_left()

        self._step("Revoke the replaced ones: ansible-playbook certfleet.acme.revoke")
        self._playbook("revoke")
        self._expect(self._look() == second, "revoking changed what is served")
        for (host, name, _identifiers, _asked), before, after in zip(self.endpoints, first, second, strict=True):
            self._expect(self.lab.is_revoked(before.serial), f"the CA does not know {before.serial} as revoked")
            self._expect(not self.lab.is_revoked(after.serial), f"the CA has revoked {after.serial}, which is served")
            self._say(f"{host} {name:<5} {before.serial} is revoked at the CA; {after.serial} is valid and served")
        print(flush=True)

    def _playbook(self, name: str, *arguments: str) -> int:
        """Run a playbook of the collection; returns how many things it changed. Its output is shown when it fails."""
        self.lab.reset_log()
        state = self.lab.state.root
        env = {
            **os.environ,
            "ANSIBLE_INVENTORY": str(self.lab.state.inventory),
            "ANSIBLE_HOME": str(state / "tmp" / "ansible"),
            "ANSIBLE_REMOTE_TEMP": str(state / "tmp" / "remote"),
        }
        started = time.monotonic()
        run = subprocess.run(
            ["ansible-playbook", f"{COLLECTION}.{name}", *arguments],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        with (state / "log" / "ansible.log").open("a", encoding="utf-8") as log:
            log.write(run.stdout)
        if run.returncode != 0:
            print(run.stdout, flush=True)
            raise Unexpected(f"ansible-playbook {COLLECTION}.{name} ended with exit code {run.returncode}, see above")
        self._say(f"done in {time.monotonic() - started:.1f} s")
        return sum(int(count) for count in re.findall(r"\bchanged=(\d+)", run.stdout))

    def _look(self) -> list[Seen]:
        """What each endpoint serves now."""
        found = []
        for host, name, _identifiers, asked in self.endpoints:
            try:
                served = self.lab.served(host, asked)
            except OSError as error:
                raise Unexpected(f"{host} does not serve {name}: {error}") from error
            key = served.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            # Whole bytes, as other programs print it.
            serial = served.serial.zfill(len(served.serial) + len(served.serial) % 2)
            found.append(Seen(serial, f"{served.certificate.not_valid_after_utc:%Y-%m-%d}", key))
        return found

    def _requests(self) -> str:
        """How many requests the last playbook sent."""
        acme, route53, cloud_dns = (sum(self.lab.counts(server).values()) for server in SERVERS)
        return (
            f"{acme} requests to the CA, {route53} to Route53 and {cloud_dns} to Cloud DNS for"
            f" {len(self.endpoints)} certificates"
        )

    def _no_txt_left(self) -> None:
        left = self.lab.all_txt()
        self._expect(not left, f"TXT values are left in DNS: {left}")
        self._say("No challenge is left in DNS.")

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise Unexpected(otherwise)

    def _step(self, title: str) -> None:
        self.number += 1
        print(f"\n{self.number}. {title}", flush=True)

    def _say(self, *lines: str) -> None:
        for line in lines:
            print(f"   {line}", flush=True)
