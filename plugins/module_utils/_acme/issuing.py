# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From an answered challenge to a chain: when to look, when to submit the CSR, what a failed order says.

The steps yield the seconds they want to wait (see timing.run_steps). An order is finalized without asking first whether
it is ready: when the guess of the delay is right that saves a request for each certificate, and the delay is learned.
"""

from __future__ import annotations

import time
from typing import Any

from .._errors import CertfleetError
from .._x509 import check_chain_for_csr
from .chains import choose_chain
from .orders import Order, download_chain, fetch_authorization, fetch_order, submit_csr
from .problems import AcmeProblem, Later, describe
from .session import Session
from .timing import Deadline, Steps, backoff


class TooLate(CertfleetError):
    """The CA was not done in time; its order may still become valid."""


def ready_steps(session: Session, order: Order, answered: float | None, deadline: Deadline) -> Steps[Order]:
    """Wait until an order is no longer pending. answered: when its last challenge was (monotonic), None for earlier.

    Raises CertfleetError: invalid with the reasons of its authorizations, or not in time.
    """
    if answered is not None:
        yield from session.validation.wait(answered)
    order = yield from _poll(session, order, ("pending",), deadline, what="validate")
    return order


def issue_steps(
    session: Session,
    order: Order,
    csr_pem: str,
    *,
    answered: float | None,
    validated: bool,
    deadline: Deadline,
    criteria: list[dict[str, Any]] | None = None,
) -> Steps[tuple[Order, str]]:
    """Finalize an order, wait for its certificate and download it: the valid order and the accepted chain.

    answered: when its last challenge was (monotonic), None when none was. validated: the CA said that all are valid.
    Raises CertfleetError.
    """
    if order.status in ("pending", "ready"):
        if order.status == "pending" and answered is not None and not validated:
            yield from session.validation.wait(answered)
        order = yield from _finalize(session, order, csr_pem, None if validated else answered, deadline)
    if order.status == "processing":
        started = time.monotonic()
        _check_patience(session, order, deadline, "issue")
        yield from session.issuance.wait(started, least=deadline.within(order.retry_after or 0.0))
        order = yield from _poll(session, order, ("processing",), deadline, what="issue", started=started)
    if order.status != "valid":
        raise CertfleetError(f"the order {order.uri} is {order.status or 'without a status'} after it was finalized")
    return order, fetch_chain(session, order, csr_pem, criteria)


def fetch_chain(session: Session, order: Order, csr_pem: str | None, criteria: list[dict[str, Any]] | None) -> str:
    """The chain of a valid order, the CSR's key and names checked when there is one. Raises CertfleetError."""
    url = order.body.get("certificate")
    if not isinstance(url, str):
        raise CertfleetError(f"the order {order.uri} is valid and names no certificate", remedy="Order anew.")
    chain, alternates = download_chain(session, url)
    if criteria:
        chain = choose_chain([chain, *(download_chain(session, other)[0] for other in alternates)], criteria)
    if csr_pem is not None:
        try:
            check_chain_for_csr(chain, csr_pem)
        except CertfleetError as error:
            raise CertfleetError(f"what the CA issued is refused: {error.message}", remedy=error.remedy) from error
    return chain


def order_failure(session: Session, order: Order, earlier: CertfleetError | None = None) -> CertfleetError:
    """What an invalid order died of, with the reason of each of its authorizations.

    earlier: what went wrong when its CSR was submitted; some CAs tell it there and nowhere else.
    """
    problem = order.body.get("error")
    reasons: list[str] = []
    failed: list[dict[str, Any]] = []
    for uri in order.authorizations:
        try:
            authorization = fetch_authorization(session, uri)
        except CertfleetError:
            continue
        reasons += authorization.errors()
        if not authorization.errors() and authorization.status not in ("valid", "pending"):
            reasons.append(f"{authorization.shown}: {authorization.status}, the CA says not why")
        failed += [challenge.body["error"] for challenge in authorization.challenges if challenge.error]
    names = ", ".join(order.identifiers)
    what, remedy = f"the CA did not validate the order for {names}", "Check what the name servers of the zone answer. "
    if not reasons:
        what, remedy = f"the CA gave the order for {names} up", ""
    overall = describe(problem) if isinstance(problem, dict) else ""
    if overall and not any(overall in reason for reason in reasons):
        reasons.insert(0, overall)
    if not reasons and earlier is not None:
        reasons, problem = [earlier.message], earlier.details.get("problem")
    if not isinstance(problem, dict):
        problem = failed[0] if len(failed) == 1 else {"subproblems": failed} if failed else None
    return CertfleetError(
        f"{what}: {'; '.join(reasons) or 'it gives no reason'}",
        remedy=f"{remedy}Another run makes a new order.",
        problem=problem,
    )


def _finalize(session: Session, order: Order, csr_pem: str, answered: float | None, deadline: Deadline) -> Steps[Order]:
    """Submit the CSR; when the order is not ready, wait for it and submit again."""
    for number, pause in enumerate(backoff()):
        if number > 1:  # the CA calls it ready and takes nothing
            yield deadline.within(pause)
        try:
            result = submit_csr(session, order, csr_pem, deadline=deadline)
        except AcmeProblem as problem:
            if problem.code != "orderNotReady":
                raise
            earlier = problem.earlier
        else:
            if answered is not None:
                session.validation.was_enough(time.monotonic() - answered)
            return result
        if answered is not None:
            session.validation.was_too_short(time.monotonic() - answered)
            yield from session.validation.wait(answered)
            answered = None
        # An earlier submission whose answer was lost also ends here: the order is then processing or valid already.
        order = yield from _poll(session, order, ("pending",), deadline, what="validate", earlier=earlier)
        if order.status != "ready":
            return order
        if not deadline.remaining():
            raise _too_late(session, order, deadline, "validate")
    raise AssertionError("backoff() does not end")


def _poll(
    session: Session,
    order: Order,
    unfinished: tuple[str, ...],
    deadline: Deadline,
    *,
    what: str,
    started: float | None = None,
    earlier: CertfleetError | None = None,
) -> Steps[Order]:
    """Look at the order until its status is none of ``unfinished``. Raises CertfleetError when invalid or too late."""
    for look, wait in enumerate(backoff()):
        order = fetch_order(session, order.uri, deadline=Deadline(max(deadline.remaining(), 1)))
        if order.status == "invalid":
            raise order_failure(session, order, earlier)
        done = order.status not in unfinished
        if started is not None and not look:
            learn = session.issuance.was_enough if done else session.issuance.was_too_short
            learn(time.monotonic() - started)
        if done:
            return order
        if what == "validate" and look % 3 == 2:
            _check_authorizations(session, order)
        if not deadline.remaining():
            raise _too_late(session, order, deadline, what)
        _check_patience(session, order, deadline, what)
        yield deadline.within(wait if order.retry_after is None else max(order.retry_after, 0.05))
    raise AssertionError("backoff() does not end")


def _check_authorizations(session: Session, order: Order) -> None:
    """Raise CertfleetError when an authorization failed: not every CA turns its order invalid then."""
    for uri in order.authorizations:
        if fetch_authorization(session, uri).status not in ("pending", "valid"):
            raise order_failure(session, order)


def _check_patience(session: Session, order: Order, deadline: Deadline, what: str) -> None:
    """Raise TooLate when the CA wants to be left alone for longer than it may ask for."""
    asked, most = order.retry_after, session.network.retry_after_max
    if asked is None:
        return
    if most is not None and asked > most:
        later = Later(asked, f"retry_after_max ({most:g} s)")
    elif asked > deadline.seconds:
        later = Later(asked, f"timeout ({deadline.seconds:g} s)")
    else:
        return
    names = ", ".join(order.identifiers)
    raise TooLate(
        f"the CA is not ready to {what} {names}, the order is still {order.status}{_reasons(session, order, what)}: "
        f"{later.text}",
        remedy=f"{later.remedy} The order is {order.uri} (order_uri).",
        retry_at=later.at,
    )


def _too_late(session: Session, order: Order, deadline: Deadline, what: str) -> TooLate:
    return TooLate(
        f"the CA did not {what} {', '.join(order.identifiers)} within {deadline.seconds:.0f} s, "
        f"the order is still {order.status}{_reasons(session, order, what)}",
        remedy=f"Raise timeout, or run again with order_uri {order.uri}.",
    )


def _reasons(session: Session, order: Order, what: str) -> str:
    """What the CA has said about the challenges of an order that is being validated, as the end of a sentence."""
    reasons: list[str] = []
    for uri in order.authorizations if what == "validate" else []:
        try:
            reasons += fetch_authorization(session, uri).errors()
        except CertfleetError:
            continue
    return f"; the CA's last word: {'; '.join(reasons)}" if reasons else ""
