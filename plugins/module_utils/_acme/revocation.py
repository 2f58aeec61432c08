# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Revocation (RFC 8555 section 7.6)."""

from __future__ import annotations

from typing import Any

from .._errors import CertfleetError
from .messages import Revocation
from .problems import AcmeProblem
from .session import Session

#: RFC 5280 section 5.3.1. A CA's policy allows some of them; removeFromCRL never applies here.
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


def reason_code(reason: str | int | None) -> int | None:
    """The number of a reason given by name or number, None for none. Raises CertfleetError with what there is."""
    if reason is None or reason == "":
        return None
    text = str(reason).strip()
    if text.isdigit() and int(text) in REASONS.values():
        return int(text)
    plain = {name.replace("_", ""): number for name, number in REASONS.items()}
    key = text.lower().replace("_", "").replace("-", "")
    if key in plain:
        return plain[key]
    known = ", ".join(f"{name} ({number})" for name, number in REASONS.items())
    raise CertfleetError(f"{text} is not a reason for revocation", remedy=f"Use one of {known}.")


def revoke(session: Session, certificate: Any, reason: int | None) -> bool:
    """Revoke; False when it was revoked already, before this call. Raises CertfleetError."""
    try:
        session.send(
            session.resource("revokeCert"), Revocation(certificate=certificate, reason=reason), doing="the revocation"
        )
    except AcmeProblem as problem:
        if problem.code == "alreadyRevoked":
            # An answer that was lost may have been the one that said so.
            return getattr(problem.earlier, "in_doubt", False)
        raise
    return True
