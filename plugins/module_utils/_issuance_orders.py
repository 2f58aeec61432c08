# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Orders of runs that were killed: noted down when they are made, gone on with by the next run."""

from __future__ import annotations

from collections.abc import Iterable

from ._acme.issuing import TooLate
from ._errors import CertfleetError
from ._issuance_items import Item
from ._journal.model import Noted
from ._journal.run import Journal
from ._x509 import csr_facts


class OrderNotes:
    """The orders of a batch in the journal; without one nothing happens."""

    def __init__(self, journal: Journal | None, directory: str) -> None:
        self._journal = journal
        self._directory = directory
        self._noted: dict[str, Noted] = {}

    def find_earlier(self, items: Iterable[Item]) -> None:
        """Give the items without an order_uri the orders that a dead run has made for the same names, profile and
        validity, those for the same key first. Another key will do as long as no CSR was submitted."""
        if self._journal is None:
            return
        try:
            found = [one for one in self._journal.orders() if one.directory == self._directory]
        except CertfleetError as error:
            self._journal.troubles.append(f"orders of earlier runs are not gone on with: {error}")
            return
        waiting = [item for item in items if found and not item.spec.get("order_uri") and item.spec.get("csr_content")]
        for same_key in (True, False):
            for item in list(waiting):
                noted = next((one for one in found if self._fits(item, one, same_key=same_key)), None)
                if noted is None:
                    continue
                found.remove(noted)
                waiting.remove(item)
                item.spec = {**item.spec, "order_uri": noted.uri}
                item.other_key = not same_key
                self._noted[noted.uri] = noted

    @staticmethod
    def _fits(item: Item, noted: Noted, *, same_key: bool) -> bool:
        if noted.names != tuple(sorted(item.identifiers)) or noted.asked != _asked(item):
            return False
        return not same_key or noted.key == _key(item)

    def made(self, items: Iterable[Item]) -> None:
        """Note down the orders that the items have now, and cross off those that were no use."""
        if self._journal is None:
            return
        new: list[Noted] = []
        useless: list[Noted] = []
        for item in items:
            earlier = self._noted.get(item.spec.get("order_uri") or "")
            uri = item.order.uri if item.order else ""
            if earlier is not None and uri != earlier.uri:
                useless.append(earlier)
            if uri and uri not in self._noted:
                names = tuple(sorted(item.identifiers))
                self._noted[uri] = Noted(self._directory, uri, names, _key(item), _asked(item))
                new.append(self._noted[uri])
        self._journal.note_orders(new)
        self._journal.settle_orders(useless)

    def settle(self, items: Iterable[Item]) -> None:
        """Cross off the orders that there is nothing more to be had of; one that may still become valid stays."""
        if self._journal is None:
            return
        over = [item for item in items if item.order is not None and not isinstance(item.error, TooLate)]
        done = [item.order.uri for item in over if item.order is not None]
        self._journal.settle_orders([self._noted[uri] for uri in done if uri in self._noted])


def _key(item: Item) -> str:
    return str(csr_facts(item.spec["csr_content"])["public_key_sha256"])


def _asked(item: Item) -> tuple[str, ...]:
    """What an order fixes beside its names."""
    return tuple(str(item.spec.get(name) or "") for name in ("profile", "not_before", "not_after"))
