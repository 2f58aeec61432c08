# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module acme_validate does: answer the challenges of orders and wait, or give their authorizations up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from .._batch import BATCH_ARGSPEC
from .._errors import CertfleetError
from .accounts import use_account
from .argspec import DIRECTORY_ARGSPEC, KEY_ARGSPEC, KEY_RULES, account_key
from .batches import run_items
from .issuing import order_failure, ready_steps
from .orders import (
    DNS01,
    Authorization,
    Order,
    answer_challenge,
    deactivate_authorization,
    fetch_authorization,
    fetch_order,
)
from .session import Session, open_session
from .timing import Steps, run_steps

if TYPE_CHECKING:
    from typing import NoReturn

    from ansible.module_utils.basic import AnsibleModule

VALIDATE_ARGSPEC: dict[str, dict[str, Any]] = {
    **DIRECTORY_ARGSPEC,
    **KEY_ARGSPEC,
    **BATCH_ARGSPEC,
    "orders": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "order_uri": {"type": "str", "required": True},
        },
    },
    "state": {"type": "str", "choices": ["valid", "deactivated"], "default": "valid"},
    "challenge": {"type": "str", "default": DNS01},
}
VALIDATE_RULES = KEY_RULES


def run_validations(module: AnsibleModule) -> NoReturn:
    """The module acme_validate."""
    run_items(
        module,
        "orders",
        lambda: validate_orders(module.params, check_mode=module.check_mode),
        word="order",
        empty=empty_validation,
    )


def empty_validation(spec: dict[str, Any]) -> dict[str, Any]:
    """The result of an item of which nothing is known yet but what was asked."""
    return {
        "name": spec["name"],
        "changed": False,
        "failed": False,
        "msg": "",
        "problem": None,
        "retry_at": None,
        "order_uri": spec["order_uri"],
        "status": None,
        "identifiers": [],
    }


def validate_orders(params: dict[str, Any], *, check_mode: bool = False) -> list[dict[str, Any]]:
    """A result for each of ``params["orders"]``. Raises CertfleetError for what concerns them all."""
    if not params["orders"]:
        return []
    key, _made = account_key(params)
    session = open_session(params, key)
    use_account(session, params)

    def steps(spec: dict[str, Any]) -> Steps[dict[str, Any]]:
        if params["state"] == "deactivated":
            return _deactivate(session, spec, check_mode=check_mode)
        return (yield from _validate(session, spec, params["challenge"], check_mode=check_mode))

    outcomes = run_steps(params["orders"], steps, concurrency=params["concurrency"])
    return [
        {**empty_validation(spec), **(outcome.as_result() if isinstance(outcome, CertfleetError) else outcome)}
        for spec, outcome in zip(params["orders"], outcomes)
    ]


def _validate(session: Session, spec: dict[str, Any], kind: str, *, check_mode: bool) -> Steps[dict[str, Any]]:
    order = fetch_order(session, spec["order_uri"])
    if order.status == "invalid":
        raise order_failure(session, order)
    if order.status != "pending":
        return _result(order, changed=False)
    waiting = [one for one in _authorizations(session, order) if one.status != "valid"]
    refused = [one for one in waiting if one.status != "pending"]
    if refused:
        raise order_failure(session, order)
    challenges = [(one.challenge(kind), one.shown) for one in waiting]
    unanswered = [(challenge, shown) for challenge, shown in challenges if challenge.status == "pending"]
    if check_mode:
        return _result(order, changed=bool(unanswered))
    for challenge, shown in unanswered:
        if answer_challenge(session, challenge, shown).status == "invalid":
            raise order_failure(session, order)
    deadline = session.deadline()
    order = yield from ready_steps(session, order, time.monotonic() if unanswered else None, deadline)
    return _result(order, changed=bool(unanswered))


def _deactivate(session: Session, spec: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    order = fetch_order(session, spec["order_uri"])
    live = [one for one in _authorizations(session, order) if one.status in ("pending", "valid")]
    if live and not check_mode:
        for authorization in live:
            deactivate_authorization(session, authorization.uri)
        order = fetch_order(session, order.uri)
    return _result(order, changed=bool(live))


def _authorizations(session: Session, order: Order) -> list[Authorization]:
    return [fetch_authorization(session, uri) for uri in order.authorizations]


def _result(order: Order, *, changed: bool) -> dict[str, Any]:
    return {"changed": changed, "status": order.status, "identifiers": order.identifiers}
