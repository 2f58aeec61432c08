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
#: As many as a certificate may have names with most CAs.
_MAX_SUBPROBLEMS = 100
#: A hundred years: no date falls out of the calendar.
_MAX_SECONDS = 3_155_760_000

_REMEDIES = {
    "accountDoesNotExist": "Create the account first, with acme_account.",
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
    later: when to try again as far as it said, see Later; in the result as ``retry_at``.
    """

    #: The response of requests, where there is one.
    answer: Any = None

    def __init__(
        self,
        problem: dict[str, Any],
        *,
        status: int,
        retry_after: float | None = None,
        later: Later | None = None,
        doing: str = "",
    ) -> None:
        self.problem = problem
        self.status = status
        self.retry_after = retry_after
        self.later = later or (Later(retry_after) if retry_after else None)
        #: What went wrong when the same request was sent before.
        self.earlier: CertfleetError | None = None
        text = describe(problem) or f"HTTP status {status}"
        remedy = _REMEDIES.get(self.code, "")
        known: dict[str, Any] = {}
        if self.later is not None:
            text += f" ({self.later.text})"
            known["retry_at"] = self.later.at
            remedy = self.later.remedy or remedy
        super().__init__(f"the CA refused {doing or 'the request'}: {text}", remedy=remedy, problem=problem, **known)

    @property
    def in_doubt(self) -> bool:
        """Whether the CA may have carried the request out all the same."""
        return self.status >= 500

    @property
    def code(self) -> str:
        """The type without the prefix of ACME's registry, such as ``orderNotReady``; empty when there is none."""
        return code(self.problem)

    def about(self, doing: str) -> AcmeProblem:
        """The same problem, saying what was being done."""
        told = AcmeProblem(
            self.problem, status=self.status, retry_after=self.retry_after, later=self.later, doing=doing
        )
        told.answer = self.answer
        told.earlier = self.earlier.about(doing) if isinstance(self.earlier, (AcmeProblem, Unreachable)) else None
        return told

    def beyond(self, bound: str) -> AcmeProblem:
        """The same problem, saying that it asks for more than may be waited."""
        later = Later(self.retry_after or 0.0, bound)
        told = AcmeProblem(self.problem, status=self.status, retry_after=self.retry_after, later=later)
        told.answer = self.answer
        told.earlier = self.earlier
        return told

    def mentions(self, word: str) -> bool:
        """True when the detail or a subproblem's detail has the word."""
        parts = [self.problem, *subproblems(self.problem)]
        return any(word in str(part.get("detail", "")).lower() for part in parts)


class Unreachable(CertfleetError):
    """No answer came that can be used: refused, cut, timed out, too large, or not trusted.

    permanent: asking again cannot help. in_doubt: the CA may have carried the request out all the same.
    """

    def __init__(self, message: str, *, remedy: str = "", permanent: bool = False) -> None:
        super().__init__(message, remedy=remedy)
        self.permanent = permanent
        self.in_doubt = not permanent

    def about(self, doing: str) -> Unreachable:
        """The same, saying what was asked for."""
        asked = doing if doing.startswith("to ") else f"for {doing}"
        return Unreachable(f"asked {asked}, {self.message}", remedy=self.remedy, permanent=self.permanent)


class Later:
    """When the CA wants to be asked again. seconds: as it said (Retry-After). bound: what the wait is longer than.

    at: the instant, RFC 3339. text, remedy: words for an error.
    """

    def __init__(self, seconds: float, bound: str = "") -> None:
        instant = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
        self.at = instant.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.text = f"it asks to try again in {seconds:.0f} s, at {self.at}"
        self.remedy = ""
        if bound:
            self.text += f", which is longer than {bound}"
            self.remedy = f"Run again at {self.at}, or raise {bound.split(' ')[0]}."


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
    found = subproblems(problem)
    for part in found[:_MAX_SUBPROBLEMS]:
        identifier = part.get("identifier")
        name = identifier.get("value") if isinstance(identifier, dict) else None
        details.append(f"{name}: {_head(part)}" if name else _head(part))
    if len(found) > _MAX_SUBPROBLEMS:
        details.append(f"and {len(found) - _MAX_SUBPROBLEMS} more")
    if details:
        parts.append(f"({'; '.join(details)})")
    return " ".join(part for part in parts if part)


def _head(problem: dict[str, Any]) -> str:
    said = " ".join(str(problem.get("detail") or problem.get("title") or "").split())
    text = ": ".join(part for part in (code(problem), said) if part)
    text = "".join(letter for letter in text if letter.isprintable())  # what could steer a terminal stays out
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 3] + "..."


def parse_retry_after(value: str | None, *, now: float | None = None) -> float | None:
    """Retry-After (RFC 9110 section 10.2.3) in seconds from now, seconds or date; None when absent or unreadable."""
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:19]), _MAX_SECONDS))
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=datetime.timezone.utc)
    return min(max(0.0, when.timestamp() - (time.time() if now is None else now)), float(_MAX_SECONDS))
