# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking a CA for renewal information (RFC 9773): a whole batch, in bounded time, failing for nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._batch import run_batch
from .._errors import CertfleetError
from .._renewal import Clock, utc_now
from .._renewal_state import RenewalState, read_answer
from .problems import AcmeProblem, Unreachable, parse_retry_after
from .session import Session, as_object, check_times, open_session
from .timing import Deadline

#: Share of the time for all that one certificate, or the directory, may take with its repetitions.
_SHARE = 1 / 3
#: Errors that may pass though they are not 5xx: timeout, too many requests.
_MAY_PASS = frozenset({408, 429})


@dataclass(frozen=True)
class Question:
    """cert_id: RFC 9773 section 4.1. state: what is known so far."""

    cert_id: str
    state: RenewalState


def ask(params: dict[str, Any], questions: Sequence[Question], now: Clock = utc_now) -> list[RenewalState]:
    """What is known of each after the CA was asked, all at once over one session without an account.

    params: the options of DIRECTORY_ARGSPEC, ``concurrency``, and ``renewal_info_timeout``, seconds for all of it. A CA
    that is down, slow, not trusted or refuses costs an error in the states, never an exception. Raises CertfleetError
    for a concurrency or a time that is none.
    """
    check_times(params)
    deadline = Deadline(params["renewal_info_timeout"])
    patience = max(1.0, deadline.seconds * _SHARE)
    bounded = {**params, "request_timeout": min(params["request_timeout"], patience), "timeout": patience}
    try:
        session = open_session(bounded, None)
    except CertfleetError as error:
        return [question.state.unreachable(error.message, _retry_after(error), now()) for question in questions]
    base = session.directory.get("renewalInfo")
    if not isinstance(base, str):
        return [question.state.unsupported(now()) for question in questions]

    def work(question: Question) -> RenewalState:
        return _ask_one(session, base, question, deadline, now)

    found = run_batch(questions, work, concurrency=params["concurrency"])
    return [
        question.state.refused(str(answer), now()) if isinstance(answer, CertfleetError) else answer
        for question, answer in zip(questions, found)
    ]


def _ask_one(session: Session, base: str, question: Question, deadline: Deadline, now: Clock) -> RenewalState:
    """Raises CertfleetError for an answer that is none."""
    state = question.state
    if not deadline.remaining():
        # It was not the fault of this certificate, so it does not count as a failure.
        return state.postponed(f"there was no time left to ask, of {deadline.seconds:g} s for all certificates")
    url = f"{base.rstrip('/')}/{question.cert_id}"
    try:
        response = session.network.fetch(url, Deadline(deadline.within(session.timeout)))
    except AcmeProblem as problem:
        if problem.status < 500 and problem.status not in _MAY_PASS:
            raise problem.about("renewal information") from problem
        return state.unreachable(str(problem.about("renewal information")), problem.retry_after, now())
    except Unreachable as error:
        return state.unreachable(error.message, None, now())
    window, explanation_url = read_answer(as_object(response, "the question for renewal information"))
    return state.answered(window, explanation_url, parse_retry_after(response.headers.get("Retry-After")), now())


def _retry_after(error: CertfleetError) -> float | None:
    cause = error.__cause__
    return cause.retry_after if isinstance(cause, AcmeProblem) else None
