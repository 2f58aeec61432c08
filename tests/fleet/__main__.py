# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entry point of `python -m tests.fleet`; `make fleet` brings what it needs and runs it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from tests.fleet import enclosure, interpreters, packages
from tests.fleet.errors import FleetError, Unexpected
from tests.fleet.hosts import Fleet, Host
from tests.fleet.services import apache, haproxy, mail, nginx
from tests.fleet.story import Story, logs
from tests.lab.api import Lab
from tests.lab.errors import LabError

#: Host, address and services; the addresses are of a block for documentation (RFC 5737).
HOSTS = (
    ("mail", "192.0.2.13", (apache.service, mail.service)),
    ("web", "192.0.2.11", (nginx.service,)),
    ("proxy", "192.0.2.12", (haproxy.service,)),
)


def main(arguments: list[str]) -> int:
    """Outside: look whether all is there, go inside. Inside: the lab, the hosts, the story. Returns the exit code."""
    lacking = packages.missing()
    if lacking:
        print(f"The fleet needs Debian packages that are not here: {packages.remedy(lacking)}", file=sys.stderr)
        return 1
    try:
        if arguments[:1] != [enclosure.INSIDE]:
            return enclosure.enclose("tests.fleet", arguments)
        enclosure.settle(Path(arguments[1]))
        return tell(Path(arguments[1]))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (FleetError, LabError) as error:
        print(f"The fleet did not start: {error}", file=sys.stderr)
        return 1


def tell(folder: Path) -> int:
    """Start everything, tell the story, print its figures as the last line."""
    started = time.monotonic()
    found = interpreters.find(len(HOSTS))
    hosts = [
        Host(name, address, [make() for make in services], python.path, folder / name, python.folders)
        for (name, address, services), python in zip(HOSTS, found, strict=True)
    ]
    with Fleet(folder, hosts) as fleet, Lab.up(ca="pebble", hosts=0) as lab:
        for host, python in zip(hosts, found, strict=True):
            served = ", ".join(unit.name for service in host.services for unit in service.units)
            print(f"   {host.name:<6} sshd on {host.address}, {python.words}: {served}", flush=True)
        print(f"   lab and hosts are up ({time.monotonic() - started:.1f} s)", flush=True)
        story = Story(lab, fleet, folder)
        code = 0
        try:
            story.tell()
        except Unexpected as error:
            print(f"{logs(hosts)}\nNot as it should be: {error}", file=sys.stderr, flush=True)
            code = 1
        story.result["seconds"] = round(time.monotonic() - started, 1)
        print(json.dumps(story.result), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
