# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/interop.md, out of what is expected: a run of all cells without a failure has seen that it is so."""

from __future__ import annotations

from collections.abc import Sequence

from tests.interop.registry import Expectation, Feature, Untried, Works
from tests.lab.api import AUTHORITIES
from tests.lab.servers import openbao, pebble, step_ca

_NAMES = {
    "pebble": f"Pebble {pebble.VERSION}",
    "acme2certifier": "acme2certifier",
    "openbao": f"OpenBao {openbao.VERSION}",
    "step-ca": f"step-ca {step_ca.VERSION}",
}
#: As people read them, the one that is closest to public CAs first.
_ORDER = ("pebble", "acme2certifier", "openbao", "step-ca")
assert set(_ORDER) == set(AUTHORITIES)

_HEAD = """\
<!--
Copyright: (c) 2026, certfleet.acme contributors
GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later

Written by `make interop`; edit tests/interop instead.
-->
# What works with which CA

Every cell is run by `make interop`: the collection's modules against the CA's real server, on loopback, with
challenges that it validates over DNS. *Yes* means that it works, with what is seen beside it. A number means that it
does not go with this CA, or must not go with any; [below](#refused-and-how-it-is-told) is what the collection says
then. A cell that turns out otherwise fails.
"""


def table(features: Sequence[Feature]) -> str:
    """The whole page."""
    notes: list[str] = []
    lines = [_HEAD]
    for subject in dict.fromkeys(feature.subject for feature in features):
        own = [feature for feature in features if feature.subject == subject]
        lines += [f"## {subject}", "", "| | " + " | ".join(_NAMES[ca] for ca in _ORDER) + " |", "|---|---|---|---|---|"]
        for feature in own:
            cells = [_cell(feature.expected[ca], notes) for ca in _ORDER]
            lines.append(f"| {feature.title} | " + " | ".join(cells) + " |")
        lines.append("")
    lines += ["## Refused, and how it is told", ""]
    lines += [f"{number}. {note}" for number, note in enumerate(notes, 1)]
    return "\n".join(lines) + "\n"


def _cell(expected: Expectation, notes: list[str]) -> str:
    if isinstance(expected, Untried):
        return f"not tried: {expected.why}"
    if isinstance(expected, Works):
        return "yes" if expected.seen is None else f"yes: {expected.seen}"
    note = " ... ".join(f"`{word}`" for word in expected.words)
    if note not in notes:
        notes.append(note)
    return f"({notes.index(note) + 1})"
