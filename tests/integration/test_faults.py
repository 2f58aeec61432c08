# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pebble behind a way on which each kind of request fails in turn, by itself or for good."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils import _x509

from tests.integration.conftest import Labs
from tests.lab.api import Lab
from tests.lab.servers.acme_faults import Fault, FaultProxy
from tests.support.controller import Controller, item
from tests.support.direct import issue

#: Every kind of request that one certificate takes.
KINDS = ("directory", "newNonce", "newAccount", "newOrder", "authz", "challenge", "finalize", "order", "certificate")
#: Those that faults which are alike everywhere are tried at.
FEW = ("directory", "newOrder", "challenge")
Make = Callable[[str], Fault]
ONCE: dict[str, Make] = {
    "429 with seconds": lambda kind: Fault(kind, "status", 1, 429, retry_after=1),
    "429 with a date": lambda kind: Fault(kind, "status", 1, 429, retry_after=1, as_date=True),
    "503 twice": lambda kind: Fault(kind, "status", 2),
    "cut in the middle": lambda kind: Fault(kind, "cut"),
    "no answer": lambda kind: Fault(kind, "silence"),
}
FOR_GOOD = 10**6
ALWAYS: dict[str, tuple[Make, str]] = {
    "429 for an hour": (
        lambda kind: Fault(kind, "status", FOR_GOOD, 429, retry_after=3600),
        r"try again in 3600 s, at 2",
    ),
    "503": (lambda kind: Fault(kind, "status", FOR_GOOD), r"HTTP status 503|serverInternal: the lab says so"),
    "cut in the middle": (
        lambda kind: Fault(kind, "cut", FOR_GOOD),
        r"was cut: |gave no nonce|did not answer within 1 s",
    ),
    "no answer": (lambda kind: Fault(kind, "silence", FOR_GOOD), r"did not answer within 1 s"),
}
TIMEOUT = 3
#: Seconds that are far beyond what any limit leaves, and far below what the CA asks for; machines may be busy.
BOUNDED = 60
#: The cells mostly wait.
AT_ONCE = 15
#: Every cell there is, as `make worst` runs them.
ALL = bool(os.environ.get("CERTFLEET_ALL_FAULTS"))


class Cell:
    """One certificate over one proxy."""

    def __init__(self, lab: Lab, root: Path, number: int, what: str, fault: Fault) -> None:
        self.what = what
        self.kind = fault.kind
        self.proxy = FaultProxy(lab.acme["directory"], Path(lab.acme["ca_path"]).parent, fault)
        self.wanted = item(f"cell{number}", f"cell{number}.{root.name.replace('_', '-')}.example.com")
        controller = Controller(lab, root)
        self.options = controller.ca(
            **controller.dns(),
            acme_directory=self.proxy.directory,
            account_key_src=str(root / f"account{number}.pem"),
            generate_account_key=True,
            terms_agreed=True,
            dns_wait="none",
            # So short for what shall not answer only: the machine may be slow.
            request_timeout=1 if what == "no answer" else 10,
            timeout=30,
        )

    def run(self, **options: Any) -> dict[str, Any]:
        (found,) = issue({**self.options, "certificates": [{**self.wanted, **options.pop("item", {})}], **options})
        if not found["failed"]:
            _x509.check_chain_for_csr(found["fullchain"], self.wanted["csr_content"])
        return found


def run_cells(
    labs: Labs, root: Path, faults: dict[str, Make], check: Callable[[Cell], None], few: tuple[str, ...]
) -> None:
    """Run a cell for each fault and kind of request, side by side, and tell all that went wrong."""
    lab = labs.get("pebble", "ministack")
    pairs = [
        (what, make(kind)) for kind in KINDS for what, make in faults.items() if ALL or what not in few or kind in FEW
    ]
    cells = [Cell(lab, root, number, what, fault) for number, (what, fault) in enumerate(pairs)]

    def one(cell: Cell) -> str:
        try:
            with cell.proxy:
                check(cell)
        except Exception as error:  # noqa: BLE001 - told with the others
            return f"{cell.kind}, {cell.what}: {type(error).__name__} {error}; seen {cell.proxy.seen}"
        return ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        wrong = [text for text in pool.map(one, cells) if text]
    assert not wrong, "\n\n".join(wrong)
    assert [name for name in lab.all_txt() if root.name.replace("_", "-") in name] == []


def test_a_fault_at_each_endpoint_in_turn_is_overcome(labs: Labs, tmp_path: Path) -> None:
    def check(cell: Cell) -> None:
        found = cell.run()
        assert not found["failed"], found["msg"]
        befallen = sum(fault for _kind, _status, fault in cell.proxy.seen)
        assert befallen == (2 if cell.what == "503 twice" else 1)
        # What was lost was carried out, and is not done twice where that can be known.
        lost = cell.what in ("cut in the middle", "no answer")
        assert cell.proxy.carried_out("finalize") == 1
        assert cell.proxy.carried_out("newOrder") == 1 + (lost and cell.kind == "newOrder")
        if cell.what == "no answer":
            return  # on a slow machine others may have been late, too
        asked = cell.kind == "challenge" and "429" not in cell.what
        assert cell.proxy.carried_out("challenge") == 1 + asked
        assert cell.proxy.carried_out("certificate") == 1 + (lost and cell.kind == "certificate")
        counts = cell.proxy.counts()
        assert counts["directory"] == 1 + (befallen if cell.kind == "directory" else 0)
        # Two requests more for a guess of the CA's delay that was too short.
        assert counts.total() <= 10 + 2 * befallen + 4, counts

    run_cells(labs, tmp_path, ONCE, check, few=("429 with seconds", "429 with a date"))


def test_what_does_not_pass_ends_in_time_with_its_cause_and_the_next_run_finishes(labs: Labs, tmp_path: Path) -> None:
    def check(cell: Cell) -> None:
        begun = time.monotonic()
        found = cell.run(timeout=TIMEOUT)
        took = time.monotonic() - begun
        if cell.kind == "finalize" and cell.what in ("cut in the middle", "no answer"):
            assert not found["failed"]  # the order says what became of it
            return
        assert found["failed"]
        assert re.search(ALWAYS[cell.what][1], found["msg"]), found["msg"]
        assert took < BOUNDED, took
        if "429" in cell.what:
            assert found["retry_at"] in found["msg"]
        cell.proxy.calm()
        again = cell.run(item={"order_uri": found.get("order_uri")})
        assert not again["failed"], again["msg"]
        if cell.kind in ("order", "certificate"):
            assert again["order_uri"] == found["order_uri"]  # what the CA has issued is not ordered again
            assert cell.proxy.carried_out("newOrder") == 0

    run_cells(
        labs,
        tmp_path,
        {what: make for what, (make, _cause) in ALWAYS.items()},
        check,
        few=("429 for an hour", "503", "cut in the middle"),
    )


def test_the_given_bundle_wins_over_those_of_the_environment(
    labs: Labs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "nothing.pem"))
    controller = Controller(labs.get("pebble", "ministack"), tmp_path)
    assert controller.account()["account_uri"]
    without = controller.module("acme_account", **{**controller.ca(), "ca_path": None})
    assert "cannot be read" in without["msg"]
