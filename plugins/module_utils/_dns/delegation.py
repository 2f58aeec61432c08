# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the CNAME of a name points to: the name that a CA reads the TXT values of."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from .._errors import CertfleetError
from .authoritative import NameServers
from .walk import Unknown, Walk

#: CNAMEs in a row; resolvers give up after about as many.
LONGEST_CHAIN = 8
_THREADS = 8
_NAME_MAX = 253


class Delegations:
    """Follows CNAMEs, each name once a run: a clean-up goes where the values were put.

    servers: where to ask, or how to find out. Raises MissingLibrary.
    """

    def __init__(self, servers: NameServers) -> None:
        self._walk = Walk(servers)
        self._targets: dict[str, str | CertfleetError] = {}

    def follow(self, names: Collection[str]) -> dict[str, str | CertfleetError]:
        """The name that each name leads to, itself where it has no CNAME of its own, or why it leads nowhere.

        Where no server answers, the last name known is taken: the provider refuses a TXT value beside a CNAME, so that
        nothing is ever written to a place where the CA does not look.
        """
        new = sorted(set(names) - self._targets.keys())
        if new:
            # The first one finds the servers that the others then need not look for.
            results = [self._chain(new[0])]
            with ThreadPoolExecutor(max_workers=min(_THREADS, len(new))) as pool:
                results += pool.map(self._chain, new[1:])
            self._targets.update((lead, lead) for lead in results if isinstance(lead, str))
            self._targets.update(zip(new, results))
        return {name: self._targets[name] for name in names}

    def _chain(self, name: str) -> str | CertfleetError:
        chain = [name]
        for _link in range(LONGEST_CHAIN + 1):
            try:
                target = self._cname(chain[-1])
                if target is None or self._of_wildcard(chain[-1], target):
                    return chain[-1]
            except Unknown:
                return chain[-1]
            chain.append(target)
            if target in chain[:-1]:
                return CertfleetError(
                    f"the CNAME of {name} leads in a circle: {' -> '.join(chain)}",
                    remedy="Point it at a name without a CNAME, or do not follow CNAMEs.",
                )
        return CertfleetError(
            f"{name} leads over more than {LONGEST_CHAIN} CNAMEs ({' -> '.join(chain)})",
            remedy="Point the first one at the last name.",
        )

    def _of_wildcard(self, name: str, target: str) -> bool:
        """True when the CNAME is a wildcard's above the name: it ends as soon as the name itself holds a TXT value.

        A wildcard speaks only for names below the closest one that exists (RFC 4592 section 3.3.1). So one that speaks
        for the name speaks for those below it as well, and a CNAME of the name's own leaves them none. Raises Unknown.
        """
        below = f"*.{name}"
        return len(below) <= _NAME_MAX and self._cname(below) == target

    def _cname(self, name: str) -> str | None:
        """Where the CNAME at a name points, None when there is none. Raises Unknown."""
        return self._walk.ask(name, "CNAME").target
