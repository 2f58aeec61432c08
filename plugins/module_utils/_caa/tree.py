# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which CAA set applies to a name (RFC 8659 section 3)."""

from __future__ import annotations

from typing import Any

from .._dns.authoritative import NameServers
from .._dns.delegation import LONGEST_CHAIN
from .._dns.walk import Unknown, Walk
from .policy import Property


class Tree:
    """Climbs from a name towards the root until there is a CAA set. Each name is asked for once; safe to use from
    threads.

    servers: where to ask, or how to find out. Raises MissingLibrary.
    """

    def __init__(self, servers: NameServers) -> None:
        self._walk = Walk(servers)
        self._seen: dict[str, tuple[Property, ...]] = {}

    def applying(self, name: str) -> tuple[str, tuple[Property, ...]]:
        """The name that has the set that applies to ``name`` (no wildcard), and the set; ("", ()) when there is none.

        Raises Unknown when a server on the way does not answer: a CA must not issue then either (RFC 8659 section 3
        leaves it no set to go by).
        """
        labels = name.split(".")
        for at in range(len(labels)):
            here = ".".join(labels[at:])
            if here not in self._seen:
                self._seen[here] = self._at(here)
            if self._seen[here]:
                return here, self._seen[here]
        return "", ()

    def _at(self, name: str) -> tuple[Property, ...]:
        """The set at a name, aliases followed (RFC 1034 section 4.3.2). Raises Unknown."""
        for _link in range(LONGEST_CHAIN + 1):
            try:
                answer = self._walk.ask(name, "CAA")
            except Unknown as error:
                if error.refused:
                    return ()  # Servers that were given for some zones know nothing of those above or beside.
                raise
            if answer.target is None:
                return tuple(_property(entry) for entry in answer.entries)
            name = answer.target
        raise Unknown(f"more than {LONGEST_CHAIN} CNAMEs in a row")


def _property(entry: Any) -> Property:
    return Property(
        int(entry.flags), entry.tag.decode("ascii", "replace").lower(), entry.value.decode("utf-8", "replace")
    )
