# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CA's errors: problem documents (RFC 7807, RFC 8555 section 6.7) kept whole and told in one line."""

from __future__ import annotations

import datetime
import time
from email.utils import parsedate_to_datetime
from typing import Any

from .._errors import CertfleetError

PREFIX = "urn:ietf:params:acme:error:"
#: Characters of a CA's text that are shown; the rest is in the result's problem document.
_MAX_TEXT = 400

_REMEDIES = {
    "accountDoesNotExist": "Create the account first, or set allow_creation.",
    "badCSR": "Make the CSR as the CA's detail asks.",
    "caa": "Add the CA to the CAA records of the name.",
    "connection": "The CA could not reach the name server; check the zone's delegation.",
    "dns": "Check what the zone's name servers answer for the _acme-challenge name.",
    "externalAccountRequired": "Set external_account_binding with the key that the CA gave you.",
    "invalidProfile": "Choose a profile that the CA offers.",
    "rateLimited": "Wait as long as the CA says; fewer orders with more names each help.",
    "rejectedIdentifier": "The CA does not issue for this name; take it out or choose another CA.",
    "serverInternal": "The fault is the CA's; try again later.",
    "userActionRequired": "Visit the address that the CA names.",
}


class AcmeProblem(CertfleetError):
    """An error answer of the CA.

    problem: its problem document, as sent. status: of HTTP. retry_after: seconds, None when the CA did not say.
    """

    #: The response of requests, where there is one.
    answer: Any = None

    def __init__(
        self, problem: dict[str, Any], *, status: int, retry_after: float | None = None, doing: str = ""
    ) -> None:
        self.problem = problem
        self.status = status
        self.retry_after = retry_after
        #: What went wrong when the same request was sent before.
        self.earlier: CertfleetError | None = None
        text = describe(problem) or f"HTTP status {status}"
        if self.code == "rateLimited" and retry_after:
            text += f" (try again in {retry_after:.0f} s)"
        super().__init__(
            f"the CA refused {doing or 'the request'}: {text}",
            remedy=_REMEDIES.get(self.code, ""),
            problem=problem,
        )

    @property
    def code(self) -> str:
        """The type without the prefix of ACME's registry, such as ``orderNotReady``; empty when there is none."""
        return code(self.problem)

    def about(self, doing: str) -> AcmeProblem:
        """The same problem, saying what was being done."""
        told = AcmeProblem(self.problem, status=self.status, retry_after=self.retry_after, doing=doing)
        told.answer = self.answer
        told.earlier = self.earlier.about(doing) if isinstance(self.earlier, AcmeProblem) else self.earlier
        return told

    def mentions(self, word: str) -> bool:
        """True when the detail or a subproblem's detail has the word."""
        parts = [self.problem, *subproblems(self.problem)]
        return any(word in str(part.get("detail", "")).lower() for part in parts)


class Unreachable(CertfleetError):
    """No answer came: refused, cut, timed out, or not trusted. permanent: asking again cannot help."""

    def __init__(self, message: str, *, remedy: str = "", permanent: bool = False) -> None:
        super().__init__(message, remedy=remedy)
        self.permanent = permanent


def code(problem: dict[str, Any]) -> str:
    """A problem document's type without ACME's prefix; empty for none."""
    kind = problem.get("type")
    if not isinstance(kind, str) or kind == "about:blank":
        return ""
    return kind[len(PREFIX) :] if kind.startswith(PREFIX) else kind


def subproblems(problem: dict[str, Any]) -> list[dict[str, Any]]:
    """The subproblems (RFC 8555 section 6.7.1) that are objects."""
    found = problem.get("subproblems")
    return [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []


def describe(problem: dict[str, Any]) -> str:
    """``type: detail (name: type: detail; ...)`` in one line; empty for an empty document."""
    parts = [_head(problem)]
    details = []
    for part in subproblems(problem):
        identifier = part.get("identifier")
        name = identifier.get("value") if isinstance(identifier, dict) else None
        details.append(f"{name}: {_head(part)}" if name else _head(part))
    if details:
        parts.append(f"({'; '.join(details)})")
    return " ".join(part for part in parts if part)


def _head(problem: dict[str, Any]) -> str:
    text = " ".join(str(problem.get("detail") or problem.get("title") or "").split())
    if len(text) > _MAX_TEXT:
        text = text[: _MAX_TEXT - 3] + "..."
    return ": ".join(part for part in (code(problem), text) if part)


def parse_retry_after(value: str | None, *, now: float | None = None) -> float | None:
    """Retry-After (RFC 9110 section 10.2.3) in seconds from now, seconds or date; None when absent or unreadable."""
    if not value:
        return None
    text = value.strip()
    if text.isdigit():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=datetime.timezone.utc)
    return max(0.0, when.timestamp() - (time.time() if now is None else now))
