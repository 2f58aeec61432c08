# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a certificate is due and why: a pure function of what is declared, what is held and the time."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ._errors import CertfleetError

#: Due when less than this share of the lifetime is left; certificates of less than SHORT_LIFETIME sooner.
LONG_SHARE = 1 / 3
SHORT_SHARE = 1 / 2
SHORT_LIFETIME = datetime.timedelta(days=10)
#: However late the CA's instant is: when less than this share is left, a renewal that fails could not be repeated.
LAST_SHARE = 1 / 20
#: However wide a fleet's renewals are spread: in the first half of its life no certificate is due by its age.
SPREAD_UP_TO = 1 / 2

#: Gives the time, aware; a seam for tests.
Clock = Callable[[], datetime.datetime]


@dataclass(frozen=True)
class Reason:
    """code: stable, for programs. text: one line for people."""

    code: str
    text: str

    def as_result(self) -> dict[str, str]:
        return {"code": self.code, "text": self.text}


@dataclass(frozen=True)
class Wanted:
    """What is declared. None for acme_directory: any CA. renew_when_remaining: share of the lifetime, 0 to 1."""

    identifiers: tuple[str, ...]
    key_type: str | None = None
    profile: str | None = None
    acme_directory: str | None = None
    renew_when_remaining: float | None = None
    force: bool = False

    def __post_init__(self) -> None:
        share = self.renew_when_remaining
        if share is not None and not 0 < share < 1:
            raise CertfleetError(
                f"renew_when_remaining is {share:g}",
                remedy="Give the share of the lifetime that may be left, between 0 and 1, such as 0.33.",
            )


@dataclass(frozen=True)
class Held:
    """What there is. Instants are aware.

    profile: the profile that was asked for, not the one that the CA chose by itself. acme_directory: the CA that
    issued it; None when nobody knows, which is no drift. renew_at: the instant picked once from the CA's suggested
    window (RFC 9773 section 4.2). explanation_url: why the CA suggests that window, for people. fingerprint_sha256:
    of the leaf, in hexadecimal; None where nothing is spread. compromised: its key is marked as known to others.
    """

    identifiers: tuple[str, ...]
    key_type: str
    not_before: datetime.datetime
    not_after: datetime.datetime
    profile: str | None = None
    profile_known: bool = True
    acme_directory: str | None = None
    renew_at: datetime.datetime | None = None
    explanation_url: str | None = None
    fingerprint_sha256: str | None = None
    compromised: bool = False


@dataclass(frozen=True)
class Broken:
    """There is something where the certificate should be, and it cannot be used; why, in one line."""

    why: str


@dataclass(frozen=True)
class Decision:
    """reasons: empty when nothing is to be done. remaining: share of the lifetime left, 0 to 1, None without dates.

    due_at: the instant from which the dates alone make it due.
    """

    reasons: tuple[Reason, ...]
    remaining: float | None = None
    due_at: datetime.datetime | None = None

    @property
    def should_renew(self) -> bool:
        return bool(self.reasons)


def decide(
    wanted: Wanted,
    held: Held | Broken | None,
    now: datetime.datetime,
    *,
    renew: bool = True,
    next_run_in: datetime.timedelta = datetime.timedelta(0),
    spread: float = 0.0,
) -> Decision:
    """All reasons for a new certificate, the weightiest first: forced, missing, broken, compromised, drift, dates.

    renew: False leaves out certificates that are only due; an expired one counts in any case, since it serves
    nobody. next_run_in: what the CA asks for, or what expires, before that much time has passed is due now (RFC 9773
    section 4.2, step 5). spread: the share of the lifetime over which a fleet's renewals are spread, see ``earlier``.
    ``now`` is aware.
    """
    reasons: list[Reason] = []
    if wanted.force:
        reasons.append(Reason("forced", "a new certificate is asked for by force"))
    if held is None:
        reasons.append(Reason("missing", "there is no certificate yet"))
        return Decision(tuple(reasons))
    if isinstance(held, Broken):
        reasons.append(Reason("broken", held.why))
        return Decision(tuple(reasons))
    if held.compromised:
        reasons.append(Reason("compromised", "its key is marked compromised"))
    reasons.extend(_drift(wanted, held))
    by_dates, due_at = _dates(wanted, held, now, next_run_in, spread)
    if by_dates is not None and (renew or by_dates.code == "expired"):
        reasons.append(by_dates)
    return Decision(tuple(reasons), _remaining(held, now), due_at)


def _drift(wanted: Wanted, held: Held) -> Iterable[Reason]:
    if set(wanted.identifiers) != set(held.identifiers):
        more = sorted(set(wanted.identifiers) - set(held.identifiers))
        less = sorted(set(held.identifiers) - set(wanted.identifiers))
        parts = [f"{', '.join(more)} added"] if more else []
        parts += [f"{', '.join(less)} dropped"] if less else []
        yield Reason("identifiers_changed", f"identifiers: {'; '.join(parts)}")
    if wanted.key_type is not None and wanted.key_type != held.key_type:
        yield Reason("key_type_changed", f"key type: {held.key_type}, {wanted.key_type} is declared")
    if held.profile_known and (wanted.profile or None) != (held.profile or None):
        asked, declared = held.profile or "none", wanted.profile or "none"
        yield Reason("profile_changed", f"profile: {asked} was asked for, {declared} is declared")
    if wanted.acme_directory and held.acme_directory and not same_ca(wanted.acme_directory, held.acme_directory):
        yield Reason("ca_changed", f"CA: issued by {held.acme_directory}, {wanted.acme_directory} is declared")


def same_ca(one: str, other: str) -> bool:
    """Whether two URLs are those of one directory."""
    return _url(one) == _url(other)


def _url(url: str) -> str:
    return url.strip().rstrip("/")


def _dates(
    wanted: Wanted, held: Held, now: datetime.datetime, next_run_in: datetime.timedelta, spread: float
) -> tuple[Reason | None, datetime.datetime]:
    """The reason that the dates give, and the instant from which they give one, whenever the next run is.

    The CA's instant replaces the shares of the lifetime (RFC 9773 section 4.2 lets the CA move a renewal both
    ways), but not a share that the operator declared, and not when it lies past the end. One that comes very late
    does not keep from renewing while there is still time for a second attempt. Only the share that goes without
    saying is spread: the CA spreads its windows itself, and a declared share is meant as it is.
    """
    lifetime = held.not_after - held.not_before
    by_ca = held.renew_at if held.renew_at is not None and held.renew_at < held.not_after else None
    share, moved = wanted.renew_when_remaining, 0.0
    usual = SHORT_SHARE if lifetime < SHORT_LIFETIME else LONG_SHARE
    if share is None and by_ca is None:
        moved = earlier(held.fingerprint_sha256, usual, spread)
        share = usual + moved
    elif share is None:
        share = LAST_SHARE
    by_share = held.not_after - lifetime * share
    due_at = min(instant for instant in (by_share, by_ca, held.not_after) if instant is not None)
    next_run = now + next_run_in
    if now >= held.not_after:
        return Reason("expired", f"it expired at {_text(held.not_after)}"), due_at
    if by_ca is not None and next_run >= by_ca:
        early = "" if now >= by_ca else f", which is before the next run in {_span(next_run_in)}"
        why = f" ({held.explanation_url})" if held.explanation_url else ""
        return Reason("ari", f"the CA asks for renewal from {_text(by_ca)}{early}{why}"), due_at
    if now >= by_share:
        left = f"{_span(held.not_after - now)} of {_span(lifetime)} are left, due below {share:.0%}"
        why = f"{usual:.0%} and its place in the fleet's spread; " if moved else ""
        return Reason("due", f"{left} ({why}expires {_text(held.not_after)})"), due_at
    if next_run >= held.not_after:
        early = f"before the next run in {_span(next_run_in)}"
        return Reason("due", f"it expires at {_text(held.not_after)}, {early}"), due_at
    return None, due_at


def earlier(fingerprint_sha256: str | None, share: float, spread: float) -> float:
    """By what share of its lifetime a certificate is due earlier than when ``share`` of it is left.

    What was issued together would be due together for ever. So each has a place of its own, evenly spread and always
    the same, which its fingerprint gives: nothing has to be kept, and its successor has another. The whole spread lies
    between SPREAD_UP_TO and ``share``, narrower than asked for where there is no room for it.
    """
    room = min(spread, SPREAD_UP_TO - share)
    if fingerprint_sha256 is None or room <= 0:
        return 0.0
    return room * (int(fingerprint_sha256[:13], 16) / 16**13)


def _remaining(held: Held, now: datetime.datetime) -> float:
    lifetime = held.not_after - held.not_before
    if lifetime <= datetime.timedelta(0):
        return 0.0
    return min(1.0, max(0.0, (held.not_after - now) / lifetime))


def _text(when: datetime.datetime) -> str:
    return when.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _span(span: datetime.timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"


def next_run(seconds: int) -> datetime.timedelta:
    """The option ``next_run_in``. Raises CertfleetError."""
    if seconds < 0:
        raise CertfleetError(f"next_run_in is {seconds}", remedy="Give the seconds until the next run, 0 for unknown.")
    return datetime.timedelta(seconds=seconds)


def spread_of(share: float) -> float:
    """The option ``renewal_spread``. Raises CertfleetError."""
    if not 0 <= share < SPREAD_UP_TO:
        raise CertfleetError(
            f"renewal_spread is {share:g}",
            remedy="Give the share of the lifetime to spread renewals over, from 0 to less than 0.5, such as 0.1.",
        )
    return share


def utc_now() -> datetime.datetime:
    """The clock of ordinary runs."""
    return datetime.datetime.now(datetime.timezone.utc)


def parse_instant(text: str) -> datetime.datetime:
    """An ISO 8601 instant with ``Z`` or an offset, as results give it. Raises CertfleetError."""
    try:
        when = datetime.datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError as error:
        raise CertfleetError(f"{text!r} is not an instant", remedy="Write it as 2026-11-22T18:00:00Z.") from error
    return when if when.tzinfo is not None else when.replace(tzinfo=datetime.timezone.utc)
