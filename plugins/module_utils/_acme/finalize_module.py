# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module acme_finalize does: submit CSRs to orders that are ready, wait, download, choose the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._batch import BATCH_ARGSPEC
from .._errors import CertfleetError
from .._x509 import csr_facts
from .accounts import use_account
from .argspec import DIRECTORY_ARGSPEC, KEY_ARGSPEC, KEY_RULES, account_key
from .batches import run_items
from .chains import SELECT_CHAIN_OPTIONS, check_criteria
from .issuing import fetch_chain, issue_steps, order_failure
from .orders import Order, fetch_order
from .results import empty_result, failure, issued
from .session import Session, open_session
from .timing import Steps, run_steps

if TYPE_CHECKING:
    from typing import NoReturn

    from ansible.module_utils.basic import AnsibleModule

FINALIZE_ARGSPEC: dict[str, dict[str, Any]] = {
    **DIRECTORY_ARGSPEC,
    **KEY_ARGSPEC,
    **BATCH_ARGSPEC,
    "orders": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "host": {"type": "str"},
            "order_uri": {"type": "str", "required": True},
            "csr_content": {"type": "str", "required": True},
            "select_chain": {"type": "list", "elements": "dict", "options": SELECT_CHAIN_OPTIONS},
        },
    },
}
FINALIZE_RULES = KEY_RULES


def run_finalizations(module: AnsibleModule) -> NoReturn:
    """The module acme_finalize."""
    run_items(
        module,
        "orders",
        lambda: finalize_orders(module.params, check_mode=module.check_mode),
        word="order",
        empty=lambda spec: empty_result(spec, order_uri=spec["order_uri"]),
    )


def finalize_orders(params: dict[str, Any], *, check_mode: bool = False) -> list[dict[str, Any]]:
    """A result for each of ``params["orders"]``. Raises CertfleetError for what concerns them all."""
    if not params["orders"]:
        return []
    key, _made = account_key(params)
    session = open_session(params, key)
    use_account(session, params)
    outcomes = run_steps(
        params["orders"],
        lambda spec: _finalize(session, spec, check_mode=check_mode),
        concurrency=params["concurrency"],
    )
    results = []
    for spec, outcome in zip(params["orders"], outcomes):
        known = empty_result(
            spec,
            order_uri=spec["order_uri"],
            acme_directory=session.directory_url,
            account_uri=session.account_uri,
        )
        if isinstance(outcome, CertfleetError):
            results.append(failure(known, outcome))
            continue
        order, chain, changed = outcome
        known.update(changed=changed, identifiers=order.identifiers)
        results.append(issued(known, session, order, chain) if chain else known)
    return results


def _finalize(session: Session, spec: dict[str, Any], *, check_mode: bool) -> Steps[tuple[Order, str, bool]]:
    """The order, its chain (empty in check mode for one that is not valid yet) and whether the CSR was submitted."""
    check_criteria(spec.get("select_chain"))
    named = csr_facts(spec["csr_content"])["identifiers"]
    order = fetch_order(session, spec["order_uri"])
    if set(order.identifiers) != set(named):
        raise CertfleetError(
            f"the CSR is for {', '.join(named)}, the order for {', '.join(order.identifiers)}",
            remedy="Give the CSR that the order was made for, or order anew.",
        )
    if order.status == "invalid":
        raise order_failure(session, order)
    if order.status == "valid":
        return order, fetch_chain(session, order, spec["csr_content"], spec.get("select_chain")), False
    submitted = order.status != "processing"
    if check_mode:
        return order, "", submitted
    order, chain = yield from issue_steps(
        session,
        order,
        spec["csr_content"],
        answered=None,
        validated=order.status == "ready",
        deadline=session.deadline(),
        criteria=spec.get("select_chain"),
    )
    return order, chain, submitted
