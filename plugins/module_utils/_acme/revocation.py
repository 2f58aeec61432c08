# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Revocation (RFC 8555 section 7.6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .._errors import CertfleetError
from .messages import Revocation
from .problems import AcmeProblem, describe
from .session import Session

#: RFC 5280 section 5.3.1: what may be asked for. The CA's policy allows some of them.
REASONS = {
    "unspecified": 0,
    "key_compromise": 1,
    "ca_compromise": 2,
    "affiliation_changed": 3,
    "superseded": 4,
    "cessation_of_operation": 5,
    "certificate_hold": 6,
    "privilege_withdrawn": 9,
    "aa_compromise": 10,
}
#: What the standard knows and forbids here, and why.
_FORBIDDEN = {7: "the standard does not use 7", 8: "remove_from_crl (8) takes a certificate off a list of revoked ones"}


@dataclass(frozen=True)
class Revoked:
    """changed: whether it was revoked now. before: whether it was before, None when that cannot be told.

    reason: the number that the CA took; None when none was sent, or the CA takes none. warnings: for people.
    """

    changed: bool
    before: bool | None
    reason: int | None
    warnings: tuple[str, ...] = ()


def reason_code(reason: str | int | None) -> int | None:
    """The number of a reason given by name or number, None for none. Raises CertfleetError with what there is."""
    if reason is None or reason == "":
        return None
    text = str(reason).strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 2 else None
    if number in REASONS.values():
        return number
    plain = {_plain(name): code for name, code in REASONS.items()}
    if _plain(text) in plain:
        return plain[_plain(text)]
    if _plain(text) == "removefromcrl":
        number = 8
    why = f": {_FORBIDDEN[number]}" if number in _FORBIDDEN else ""
    known = ", ".join(f"{name} ({code})" for name, code in REASONS.items())
    raise CertfleetError(f"{text[:80]} is not a reason for revocation{why}", remedy=f"Use one of {known}.")


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def revoke(session: Session, certificate: Any, reason: int | None) -> Revoked:
    """Revoke, without the reason where the CA takes none or not this one. Raises CertfleetError.

    RFC 8555 section 7.6 leaves reasons to the CA's policy (badRevocationReason). That the certificate is revoked
    matters more than the reason that is noted for it.
    """
    try:
        return _revoke(session, certificate, reason)
    except AcmeProblem as problem:
        if problem.code != "badRevocationReason" or reason is None:
            raise
        done = _revoke(session, certificate, None)
        said = describe(problem.problem)
        warning = f"the CA does not take {reason} as the reason, so none was given ({said})"
        return replace(done, warnings=(warning, *done.warnings)) if done.changed else done


def _revoke(session: Session, certificate: Any, reason: int | None) -> Revoked:
    message = Revocation(certificate=certificate, reason=reason)
    try:
        session.send(session.resource("revokeCert"), message, doing="the revocation")
    except AcmeProblem as problem:
        if problem.code != "alreadyRevoked":
            raise
        # An answer that was lost may have been the one that said so.
        if not getattr(problem.earlier, "in_doubt", False):
            return Revoked(changed=False, before=True, reason=reason)
        warning = "the CA's first answer was lost, so nobody knows whether the certificate was revoked before"
        return Revoked(changed=True, before=None, reason=reason, warnings=(warning,))
    return Revoked(changed=True, before=False, reason=reason)
