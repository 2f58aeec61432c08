# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept of a CA's renewal information (RFC 9773) from run to run: pure functions, on both planes.

It lies beside the certificate. The instant of renewal is chosen once and kept, and so is the time before which the CA
is not asked again.
"""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ._errors import CertfleetError

#: RFC 9773 section 4.3.2: the bounds that a Retry-After is held to.
RETRY_LEAST = datetime.timedelta(minutes=1)
RETRY_MOST = datetime.timedelta(days=1)
#: RFC 9773 section 4.3.3: when to ask again without a Retry-After, and after an error that will last.
LONG_TERM = datetime.timedelta(hours=6)
#: When to ask again after the first, second, ... error in a row that may pass; the last one is for good.
_PAUSES = (*(datetime.timedelta(minutes=minutes) for minutes in (1, 10, 100)), LONG_TERM)
_MAX_TEXT = 300
_MAX_URL = 500
_RFC3339 = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_URL = re.compile(r"https?://[!-~]+", re.ASCII)

#: Gives a number from 0 up to 1, evenly spread; a seam for tests.
Pick = Callable[[], float]
_PICK: Pick = random.SystemRandom().random


@dataclass(frozen=True)
class Window:
    """The suggested window, aware instants with whole seconds."""

    start: datetime.datetime
    end: datetime.datetime

    def holds(self, instant: datetime.datetime) -> bool:
        return self.start <= instant <= self.end

    def choose(self, pick: Pick) -> datetime.datetime:
        """An instant in it, evenly spread (RFC 9773 section 4.2, step 2), whole seconds."""
        return self.start + datetime.timedelta(seconds=int((self.end - self.start).total_seconds() * pick()))


@dataclass(frozen=True)
class RenewalState:
    """supported: whether the CA offers renewal information, None while nobody asked.

    renew_at: the instant that was chosen from the window. checked_at: when the CA was last asked. next_check: before
    which it is not asked again. failures: how often in a row it could not be asked. error: why it gave none.
    """

    supported: bool | None = None
    window: Window | None = None
    renew_at: datetime.datetime | None = None
    explanation_url: str | None = None
    checked_at: datetime.datetime | None = None
    next_check: datetime.datetime | None = None
    failures: int = 0
    error: str | None = None

    @classmethod
    def read(cls, content: Any) -> RenewalState:
        """What as_result() gave. Whatever in it cannot be read is taken for not known, so that the CA is asked."""
        if not isinstance(content, dict):
            return cls()
        given = content.get("window")
        bounds = given if isinstance(given, dict) else {}
        start, end = _instant(bounds.get("start")), _instant(bounds.get("end"))
        window = Window(start, end) if start and end and start <= end else None
        supported, failures = content.get("supported"), content.get("failures")
        error = content.get("error")
        return cls(
            supported=supported if isinstance(supported, bool) else None,
            window=window,
            renew_at=_instant(content.get("renew_at")),
            explanation_url=_explanation(content.get("explanation_url")),
            checked_at=_instant(content.get("checked_at")),
            next_check=_instant(content.get("next_check")),
            failures=failures if isinstance(failures, int) and 0 <= failures < 1000 else 0,
            error=_text(error) if isinstance(error, str) and error else None,
        )

    def as_result(self) -> dict[str, Any]:
        """For JSON; instants as ``2026-11-22T18:00:00Z``."""
        window = self.window and {"start": _shown(self.window.start), "end": _shown(self.window.end)}
        return {
            "supported": self.supported,
            "window": window,
            "renew_at": _shown(self.renew_at),
            "explanation_url": self.explanation_url,
            "checked_at": _shown(self.checked_at),
            "next_check": _shown(self.next_check),
            "failures": self.failures,
            "error": self.error,
        }

    def says_as(self, other: RenewalState) -> bool:
        """Whether it says the same as another one about when to renew, whenever the CA was asked."""
        return (self.window, self.renew_at, self.explanation_url) == (
            other.window,
            other.renew_at,
            other.explanation_url,
        )

    def to_be_asked(self, now: datetime.datetime, *, issued: datetime.datetime, lifetime: datetime.timedelta) -> bool:
        """Whether it is time to ask the CA.

        The first time is one interval after the certificate was issued, sooner for one that lives for hours: a run
        that follows an issuance asks nobody. A time further ahead than any that is ever kept comes from a clock that
        was wrong.
        """
        if self.next_check is not None:
            return now >= self.next_check or self.next_check - now > RETRY_MOST
        return now - issued >= min(LONG_TERM, lifetime / 10) or issued > now

    # What becomes of it when the CA was asked

    def answered(
        self,
        window: Window,
        explanation_url: str | None,
        retry_after: float | None,
        now: datetime.datetime,
        pick: Pick = _PICK,
    ) -> RenewalState:
        """The CA answered. The instant stays, unless the window has moved away from it."""
        kept = self.renew_at if self.renew_at is not None and window.holds(self.renew_at) else None
        return RenewalState(
            supported=True,
            window=window,
            renew_at=kept or window.choose(pick),
            explanation_url=_explanation(explanation_url),
            checked_at=_whole(now),
            next_check=_whole(now + held_to_bounds(retry_after)),
        )

    def unsupported(self, now: datetime.datetime) -> RenewalState:
        """The directory has no renewalInfo. It is looked at again once a day."""
        return RenewalState(supported=False, checked_at=_whole(now), next_check=_whole(now + RETRY_MOST))

    def refused(self, error: str, now: datetime.datetime) -> RenewalState:
        """An error that will last (RFC 9773 section 4.3.3). What the CA said before stays."""
        return replace(
            self,
            supported=True,
            checked_at=_whole(now),
            next_check=_whole(now + LONG_TERM),
            failures=0,
            error=_text(error),
        )

    def unreachable(self, error: str, retry_after: float | None, now: datetime.datetime) -> RenewalState:
        """An error that may pass (RFC 9773 section 4.3.3). What the CA said before stays, and the pauses grow."""
        pause = _PAUSES[min(self.failures, len(_PAUSES) - 1)]
        if retry_after is not None:
            pause = max(pause, held_to_bounds(retry_after))
        return replace(
            self,
            checked_at=_whole(now),
            next_check=_whole(now + pause),
            failures=self.failures + 1,
            error=_text(error),
        )

    def postponed(self, error: str) -> RenewalState:
        """It was not asked although it was time, for a cause that is not this certificate's."""
        return replace(self, error=_text(error))


def held_to_bounds(retry_after: float | None) -> datetime.timedelta:
    """A Retry-After (seconds, None when there was none) as it is heeded (RFC 9773 section 4.3.2)."""
    if retry_after is None:
        return LONG_TERM
    return min(RETRY_MOST, max(RETRY_LEAST, datetime.timedelta(seconds=min(retry_after, RETRY_MOST.total_seconds()))))


def read_answer(body: Any) -> tuple[Window, str | None]:
    """Window and explanation URL of a renewalInfo object (RFC 9773 section 4.2). Raises CertfleetError."""
    given = body.get("suggestedWindow") if isinstance(body, dict) else None
    if not isinstance(given, dict):
        raise CertfleetError("the CA's renewal information has no suggestedWindow")
    found = []
    for name in ("start", "end"):
        instant = _instant(given.get(name), exact=True)
        if instant is None:
            raise CertfleetError(f"the CA's suggested window has no usable {name}: {str(given.get(name))[:60]!r}")
        found.append(instant)
    start, end = found
    if end <= start:
        raise CertfleetError(f"the CA's suggested window ends at {_shown(end)}, not after its start at {_shown(start)}")
    return Window(_whole(start), _whole(end)), _explanation(body.get("explanationURL"))


def _instant(text: Any, *, exact: bool = False) -> datetime.datetime | None:
    """An instant of RFC 3339, whatever the digits of its seconds, or None. exact: keep the part of the second."""
    match = _RFC3339.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    zone = "+00:00" if match[3] in "Zz" else match[3]
    fraction = re.search(r"\.\d+", match[0])
    try:
        when = datetime.datetime.fromisoformat(f"{match[1]}T{match[2]}{zone}").astimezone(datetime.timezone.utc)
        if exact and fraction:
            when = when.replace(microsecond=int(float(f"0{fraction[0][:7]}") * 1_000_000))
    except (ValueError, OverflowError):
        return None
    return when


def _whole(when: datetime.datetime) -> datetime.datetime:
    return when.replace(microsecond=0)


def _shown(when: datetime.datetime | None) -> str | None:
    if when is None:
        return None
    return when.astimezone(datetime.timezone.utc).replace(tzinfo=None, microsecond=0).isoformat() + "Z"


def _explanation(url: Any) -> str | None:
    """The address to show to people; None for what is none, so that nothing else of the CA's gets on their screens."""
    return url if isinstance(url, str) and len(url) <= _MAX_URL and _URL.fullmatch(url) else None


def _text(text: str) -> str:
    return " ".join(text.split())[:_MAX_TEXT]
