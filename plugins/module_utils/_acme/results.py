# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module returns for one certificate."""

from __future__ import annotations

from typing import Any

from .._errors import CertfleetError
from .._x509 import certificate_facts, load_chain
from .chains import split_chain
from .orders import Order
from .session import Session

_EMPTY: dict[str, Any] = {
    "changed": False,
    "failed": False,
    "msg": "",
    "problem": None,
    "retry_at": None,
    "warnings": [],
    "order_uri": None,
    "certificate_url": None,
    "certificate": None,
    "chain": None,
    "fullchain": None,
    "serial": None,
    "not_before": None,
    "not_after": None,
    "issuer": None,
    "public_key_sha256": None,
    "acme_directory": None,
    "account_uri": None,
    "profile": None,
    "identifiers": [],
}


def empty_result(spec: dict[str, Any], **known: Any) -> dict[str, Any]:
    """The result of an item of which nothing is known yet but what was asked."""
    return {"name": spec.get("name"), "host": spec.get("host"), **_EMPTY, "warnings": [], **known}


def failure(result: dict[str, Any], error: CertfleetError) -> dict[str, Any]:
    """The result of an item that failed, with all that is known of it."""
    return {**result, **error.as_result()}


def issued(result: dict[str, Any], session: Session, order: Order, fullchain: str) -> dict[str, Any]:
    """The result of an item whose certificate is there. fullchain: PEM that was accepted."""
    certificate, chain = split_chain(fullchain)
    facts = certificate_facts(load_chain(certificate)[0])
    taken = ("serial", "not_before", "not_after", "issuer", "public_key_sha256", "identifiers")
    return {
        **result,
        "order_uri": order.uri,
        "certificate_url": order.body.get("certificate"),
        "certificate": certificate,
        "chain": chain,
        "fullchain": certificate + chain,
        "acme_directory": session.directory_url,
        "account_uri": session.account_uri,
        "profile": order.body.get("profile") or result["profile"],
        **{key: facts[key] for key in taken},
    }
