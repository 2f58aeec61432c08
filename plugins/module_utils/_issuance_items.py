# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates of a batch: what is known of each on its way, and what can be said before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ._acme.chains import check_criteria
from ._acme.orders import DNS01, Authorization, Challenge, Order, check_validity
from ._dns.model import TxtRecord
from ._errors import CertfleetError
from ._names import is_ip, validate_identifiers
from ._x509 import csr_facts


@dataclass
class Item:
    """One certificate on its way. error: set when it left the batch; other_key: its order_uri is of an order that was
    made for another key."""

    spec: dict[str, Any]
    identifiers: list[str] = field(default_factory=list)
    order: Order | None = None
    proofs: list[Proof] = field(default_factory=list)
    answered: float | None = None
    validated: bool = False
    fullchain: str | None = None
    changed: bool = False
    other_key: bool = False
    error: CertfleetError | None = None
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Proof:
    """A pending authorization with the challenge and the TXT record that prove it."""

    authorization: Authorization
    challenge: Challenge
    record: TxtRecord


@dataclass
class Issuance:
    """What became of a batch. certificates: a result for each item, in their order; stale_removed: values of runs that
    were killed, taken away by this one; warnings: of what concerns no single item."""

    certificates: list[dict[str, Any]] = field(default_factory=list)
    stale_removed: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def prepare(item: Item, *, check_mode: bool) -> None:
    """What can be said without the CA. Raises CertfleetError."""
    spec = item.spec
    check_criteria(spec.get("select_chain"))
    check_validity(spec)
    if spec.get("identifiers"):
        item.identifiers = validate_identifiers(spec["identifiers"])
    if not spec.get("csr_content"):
        if not check_mode:
            raise CertfleetError("csr_content is empty", remedy="Only check mode can do without a CSR.")
        if not item.identifiers:
            raise CertfleetError("there is neither csr_content nor identifiers")
        return
    named = csr_facts(spec["csr_content"])["identifiers"]
    if not named:
        raise CertfleetError("the CSR names nothing", remedy="Give it a subject alternative name.")
    if item.identifiers and set(item.identifiers) != set(named):
        raise CertfleetError(
            f"the CSR is for {', '.join(named)}, not for {', '.join(item.identifiers)}",
            remedy="Make the CSR anew, or correct identifiers.",
        )
    item.identifiers = item.identifiers or validate_identifiers(named)


def check_provable(item: Item) -> None:
    """Raise CertfleetError when a new order for the item would want proof of an address.

    RFC 8738 section 7: dns-01 cannot give it, so that no CA offers it.
    """
    address = next(filter(is_ip, item.identifiers), None)
    if item.order is None and address:
        raise CertfleetError(
            f"the CA offers no {DNS01} challenge for {address}",
            remedy="Take the address out, or prove it by the steps acme_order and acme_validate.",
        )


def alive(items: Iterable[Item]) -> list[Item]:
    return [item for item in items if item.error is None]


def guard(item: Item, work: Any) -> None:
    try:
        work()
    except CertfleetError as error:
        item.error = error
