# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What CAA says about the names of an order, before it is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .._dns.authoritative import NameServers
from .._dns.walk import Unknown
from .._names import base_domain, is_ip
from .policy import Applicant, Property, Verdict, judge
from .tree import Tree

_THREADS = 8


@dataclass(frozen=True)
class Finding:
    """What CAA says about one identifier. where: the name whose records apply, "" when there are none."""

    identifier: str
    verdict: Verdict
    where: str = ""
    properties: tuple[Property, ...] = ()

    @property
    def text(self) -> str:
        """One line, empty when issuance is allowed."""
        if self.verdict.allowed:
            return ""
        if self.verdict.allowed is None:
            return f"whether CAA allows {self.identifier} cannot be told: {self.verdict.reason}"
        return f"CAA at {self.where} forbids {self.identifier}: {self.verdict.reason}"


def identities(meta: dict[str, Any]) -> list[str]:
    """The issuer domain names of a directory's metadata (RFC 8555 section 7.1.1)."""
    found = meta.get("caaIdentities")
    return [str(name) for name in found] if isinstance(found, list) else []


def examine(identifiers: Iterable[str], applicant: Applicant, resolvers: Sequence[str]) -> dict[str, Finding]:
    """A finding for each DNS name; addresses have no CAA (RFC 8659 speaks of domain names only).

    resolvers: name servers to ask as host:port, empty for those of each zone. Raises CertfleetError for one that is no
    server, MissingLibrary.
    """
    names = [name for name in dict.fromkeys(identifiers) if not is_ip(name)]
    if not names:
        return {}
    tree = Tree(NameServers(resolvers))

    def look(name: str) -> Finding:
        try:
            where, properties = tree.applying(base_domain(name))
        except Unknown as error:
            return Finding(name, Verdict(None, f"no name server could be asked ({error})"))
        return Finding(name, judge(properties, applicant, wildcard=name.startswith("*.")), where, properties)

    # The first one finds the servers that the others then need not look for.
    findings = [look(names[0])]
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        findings += pool.map(look, names[1:])
    return {finding.identifier: finding for finding in findings}
