# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module acme_order does: create or take up orders, say what proves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._batch import BATCH_ARGSPEC, run_batch
from .._errors import CertfleetError
from .._names import base_domain, is_ip, validate_identifiers
from .._x509 import csr_facts
from .accounts import expect_account, use_account
from .argspec import ACME_ARGSPEC, KEY_RULES, account_key
from .batches import run_items
from .orders import (
    DNS01,
    Authorization,
    Order,
    check_validity,
    fetch_authorization,
    key_authorization,
    new_order,
    txt_record,
    usable_order,
)
from .session import Session, open_session

if TYPE_CHECKING:
    from typing import NoReturn

    from ansible.module_utils.basic import AnsibleModule

ORDER_ARGSPEC: dict[str, dict[str, Any]] = {
    **ACME_ARGSPEC,
    **BATCH_ARGSPEC,
    "orders": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "identifiers": {"type": "list", "elements": "str"},
            "csr_content": {"type": "str"},
            "profile": {"type": "str"},
            "replaces": {"type": "str"},
            "not_before": {"type": "str"},
            "not_after": {"type": "str"},
            "order_uri": {"type": "str"},
        },
        "required_one_of": [("identifiers", "csr_content", "order_uri")],
    },
}
ORDER_RULES = KEY_RULES


def run_orders(module: AnsibleModule) -> NoReturn:
    """The module acme_order."""
    run_items(
        module,
        "orders",
        lambda: make_orders(module.params, check_mode=module.check_mode),
        word="order",
        empty=empty_order,
        extra=lambda results: {"txt_records": merge_records(results)},
    )


def empty_order(spec: dict[str, Any]) -> dict[str, Any]:
    """The result of an item of which nothing is known yet but what was asked."""
    return {
        "name": spec["name"],
        "changed": False,
        "failed": False,
        "msg": "",
        "problem": None,
        "retry_at": None,
        "warnings": [],
        "order_uri": spec.get("order_uri"),
        "status": None,
        "identifiers": spec.get("identifiers") or [],
        "profile": spec.get("profile"),
        "expires": None,
        "authorizations": [],
        "txt_records": [],
    }


def make_orders(params: dict[str, Any], *, check_mode: bool = False) -> list[dict[str, Any]]:
    """A result for each of ``params["orders"]``. Raises CertfleetError for what concerns them all."""
    names: list[list[str] | CertfleetError] = run_batch(params["orders"], _names_of, concurrency=1)
    results = [empty_order(spec) for spec in params["orders"]]
    if all(isinstance(found, CertfleetError) for found in names):
        return [{**result, **_failure(found)} for result, found in zip(results, names)]
    key, _made = account_key(params, check_mode=check_mode)
    session = open_session(params, key)

    def orderable(number: int) -> list[str]:
        found = names[number]
        if isinstance(found, CertfleetError):
            raise found
        session.check_profile(params["orders"][number].get("profile"))
        return found

    checked = run_batch(range(len(results)), orderable, concurrency=1)
    if not all(isinstance(found, CertfleetError) for found in checked):
        (expect_account if check_mode else use_account)(session, params)

    def work(number: int) -> dict[str, Any]:
        found = checked[number]
        if isinstance(found, CertfleetError):
            raise found
        return _one(session, params["orders"][number], found, check_mode=check_mode)

    outcomes = run_batch(range(len(results)), work, concurrency=params["concurrency"])
    return [{**result, **_failure(outcome)} for result, outcome in zip(results, outcomes)]


def merge_records(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The TXT records of all items as dns01_route53 takes them: each name once, with all its values."""
    merged: dict[str, list[str]] = {}
    for result in results:
        for entry in result.get("txt_records") or []:
            values = merged.setdefault(entry["record"], [])
            values += [value for value in entry["values"] if value not in values]
    return [{"record": record, "values": values} for record, values in merged.items()]


def describe_order(session: Session, order: Order) -> dict[str, Any]:
    """An order with its authorizations as results show it. Raises CertfleetError."""
    found = [fetch_authorization(session, uri) for uri in order.authorizations]
    # Some CAs list them in another order each time.
    authorizations = sorted(found, key=lambda one: (one.name, one.wildcard))
    records = [_record(session, one) for one in authorizations if one.status == "pending"]
    return {
        "order_uri": order.uri,
        "status": order.status,
        "identifiers": order.identifiers,
        "profile": order.body.get("profile"),
        "expires": order.body.get("expires"),
        "authorizations": [_authorization(session, one) for one in authorizations],
        "txt_records": merge_records([{"txt_records": [one]} for one in records if one]),
    }


def _names_of(spec: dict[str, Any]) -> list[str]:
    """The names to order; empty when only an order_uri is given. Raises CertfleetError."""
    check_validity(spec)
    declared = validate_identifiers(spec["identifiers"]) if spec.get("identifiers") else []
    if not spec.get("csr_content"):
        return declared
    named = csr_facts(spec["csr_content"])["identifiers"]
    if declared and set(declared) != set(named):
        raise CertfleetError(f"the CSR is for {', '.join(named)}, not for {', '.join(declared)}")
    return declared or validate_identifiers(named)


def _one(session: Session, spec: dict[str, Any], names: list[str], *, check_mode: bool) -> dict[str, Any]:
    order = None
    if spec.get("order_uri") and session.account_uri:
        order = usable_order(session, spec["order_uri"], names)
    if order is not None:
        return {"changed": False, **describe_order(session, order)}
    if not names:
        raise CertfleetError(f"the CA does not go on with the order {spec['order_uri']}", remedy="Give identifiers.")
    if check_mode:
        records = [f"_acme-challenge.{base_domain(name)}" for name in names if not is_ip(name)]
        planned = [{"record": record, "values": []} for record in dict.fromkeys(records)]
        return {"changed": True, "identifiers": names, "order_uri": None, "txt_records": planned}
    order = new_order(
        session,
        names,
        profile=spec.get("profile"),
        replaces=spec.get("replaces"),
        not_before=spec.get("not_before"),
        not_after=spec.get("not_after"),
    )
    warnings = [order.replaces_dropped] if order.replaces_dropped else []
    return {"changed": True, "warnings": warnings, **describe_order(session, order)}


def _record(session: Session, authorization: Authorization) -> dict[str, Any] | None:
    for challenge in authorization.challenges:
        if challenge.kind == DNS01:
            record, value = txt_record(session, authorization, challenge)
            return {"record": record, "values": [value]}
    return None


def _authorization(session: Session, authorization: Authorization) -> dict[str, Any]:
    return {
        "identifier": authorization.name,
        "wildcard": authorization.wildcard,
        "status": authorization.status,
        "uri": authorization.uri,
        "expires": authorization.body.get("expires"),
        "challenges": [
            {
                "type": challenge.kind,
                "url": challenge.url,
                "status": challenge.status,
                "token": challenge.body.get("token"),
                "key_authorization": key_authorization(session, challenge),
                "error": challenge.body.get("error"),
            }
            for challenge in authorization.challenges
        ],
    }


def _failure(outcome: Any) -> dict[str, Any]:
    return outcome.as_result() if isinstance(outcome, CertfleetError) else outcome
