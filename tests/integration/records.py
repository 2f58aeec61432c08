# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Challenge names and values, as the tests of the TXT modules use them."""

from __future__ import annotations

from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import TxtRecord

ONE = "LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo"
TWO = "DK3eZ9Lr0hfFU0bTHZR4kbZ2vRGJXpXGOXVgeHqMz5A"


def challenge(label: str, zone: str) -> str:
    """The name to validate a name of a zone by; the zone's own without a label."""
    return f"_acme-challenge.{label}.{zone}" if label else f"_acme-challenge.{zone}"


def many(count: int, zone: str) -> list[TxtRecord]:
    """So many records, each with a name of its own."""
    return [TxtRecord(challenge(f"w{number}", zone), f"{number:043d}") for number in range(count)]
