# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._issuance_items import Item
from ansible_collections.certfleet.acme.plugins.module_utils._issuance_orders import OrderNotes
from ansible_collections.certfleet.acme.plugins.module_utils._journal import folder as folders
from ansible_collections.certfleet.acme.plugins.module_utils._journal.folder import ORDER_LIFE, Folder
from ansible_collections.certfleet.acme.plugins.module_utils._journal.model import PASSING, Noted, Placed, Run
from ansible_collections.certfleet.acme.plugins.module_utils._journal.run import Journal
from ansible_collections.certfleet.acme.plugins.module_utils._store.keys import make_csr
from cryptography.hazmat.primitives.asymmetric import ec

ONE = Noted("https://ca.example/dir", "https://ca.example/order/1", ("a.example",), "11")
TWO = Noted(
    "https://ca.example/dir", "https://ca.example/order/2", ("b.example", "c.example"), "22", ("tlsserver", "", "")
)
VALUE = Placed("route53", "", "example", "Z1", "_acme-challenge.a.example", "value")


def begin(path: Path, *, ago: float = 0.0) -> Journal:
    at = time.time() - ago
    run = Run("run", "us", at, 1, "host", "test", PASSING)
    return Journal(Folder(str(path), create=True), run, clock=lambda: at)


def dead(path: Path, *orders: Noted, values: tuple[Placed, ...] = (), ago: float = 0.0) -> None:
    """A run that was killed after it had noted these down."""
    journal = begin(path, ago=ago)
    journal.note_orders(orders)
    if values:
        journal.announce(values)
    os.close(journal._fd)
    journal._folder.close()


def files(path: Path) -> list[Path]:
    return sorted(path.glob("*.jsonl"))


def orders(path: Path) -> list[Noted]:
    with closing(begin(path)) as journal:
        return journal.orders()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def test_what_a_dead_run_had_ordered_is_told_the_newest_first_until_it_is_settled(path: Path) -> None:
    dead(path, TWO, ago=100)
    dead(path, ONE)
    assert orders(path) == [ONE, TWO]
    with closing(begin(path)) as journal:
        journal.settle_orders([TWO])
        assert journal.troubles == []
    assert orders(path) == [ONE]
    assert len(files(path)) == 1


def test_what_a_living_run_has_ordered_is_its_own(path: Path) -> None:
    with closing(begin(path)) as living:
        living.note_orders([ONE])
        assert orders(path) == []
        with closing(begin(path)) as other:
            other.settle_orders([ONE])
        assert len(files(path)) == 1
        living.settle_orders([ONE])
    assert files(path) == []


def test_an_order_that_is_not_settled_outlives_its_run(path: Path) -> None:
    with closing(begin(path)) as journal:
        journal.note_orders([ONE, TWO])
        journal.settle_orders([TWO])
    assert orders(path) == [ONE]


def test_old_orders_are_of_no_use_and_go_with_the_values(path: Path) -> None:
    dead(path, ONE, ago=ORDER_LIFE + 60)
    dead(path, TWO, values=(VALUE,))
    assert orders(path) == [TWO]
    with closing(begin(path)) as journal:
        journal.forget([VALUE])
    assert len(files(path)) == 1
    assert orders(path) == [TWO]


def test_a_journal_that_is_full_stops_no_order(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_ignored: Any) -> int:
        raise OSError(28, "No space left on device")

    with closing(begin(path)) as journal:
        monkeypatch.setattr(folders.os, "write", full)
        journal.note_orders([ONE])
        assert len(journal.troubles) == 1
        assert "No space left on device" in journal.troubles[0]
        with pytest.raises(CertfleetError):
            journal.announce([VALUE])
        monkeypatch.undo()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, False),
        ({"profile": "tlsserver"}, True),
        ({"profile": "classic"}, False),
        ({"profile": "tlsserver", "not_after": "2027-01-01T00:00:00Z"}, False),
    ],
)
def test_an_order_is_gone_on_with_only_by_who_asks_for_the_same(path: Path, asked: dict[str, str], found: bool) -> None:
    dead(path, TWO)
    names = ["c.example", "b.example"]
    key = ec.generate_private_key(ec.SECP256R1())
    wanted = Item({"name": "one", "csr_content": make_csr(key, names), **asked}, identifiers=names)
    with closing(begin(path)) as journal:
        OrderNotes(journal, TWO.directory).find_earlier([wanted])
    assert wanted.spec.get("order_uri") == (TWO.uri if found else None)
