# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entry point of `python -m tests.demo`; `make demo` brings what it needs and runs it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from types import FrameType

from tests.demo.story import Story, Unexpected
from tests.lab.api import Lab
from tests.lab.errors import LabError


def main() -> int:
    """Start a lab, tell the story in it, end the lab unless it is to be kept; returns the exit code."""
    keep = os.environ.get("KEEP", "").lower() not in ("", "0", "no", "false")
    signal.signal(signal.SIGTERM, _terminated)
    started = time.monotonic()
    try:
        lab = Lab.up(cloud_zones=["example.org"])
    except LabError as error:
        print(f"The lab did not start: {error}", file=sys.stderr)
        return 1
    finished = False
    try:
        story = Story(lab)
        story.tell(time.monotonic() - started)
        finished = True
    except Unexpected as error:
        print(f"\nNot as it should be: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
    finally:
        if not (keep and finished):
            lab.down()
    if not finished:
        return 1
    if keep:
        _explain(lab)
    else:
        print("The lab is down and its folder is deleted. `make demo KEEP=1` leaves it up to play with.")
    print(f"{time.monotonic() - started:.0f} seconds in all.")
    return 0


def _explain(lab: Lab) -> None:
    """How to play with a lab that stays up."""
    python = shutil.which("python") or sys.executable
    port = lab.hosts["web1"]["tls_port"]
    print(f"""\
The lab stays up. In a shell in this folder:

  export PATH={os.path.dirname(python)}:$PATH
  export ANSIBLE_COLLECTIONS_PATH={os.environ["ANSIBLE_COLLECTIONS_PATH"]}
  export ANSIBLE_INVENTORY={lab.state.inventory}

  ansible-playbook certfleet.acme.site                                     # nothing is due
  ansible-playbook certfleet.acme.rotate -e rotate_force=true              # new keys and certificates everywhere
  ansible-playbook certfleet.acme.rotate -e rotate_force=true --check      # what that would do
  ansible-doc certfleet.acme.acme_certificate
  openssl s_client -connect 127.0.0.1:{port} -servername example.com </dev/null | openssl x509 -noout -serial -dates

The declared certificates are in the inventory: change names, add some, and run `site` again.
  python tests/lab status                      # what runs where
  python tests/lab down --state {lab.state.root}   # end it
""")


def _terminated(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
