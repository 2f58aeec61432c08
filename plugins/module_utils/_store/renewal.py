# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CA's renewal information (RFC 9773) on the host: kept beside the certificate, asked for by the other plane."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .._errors import CertfleetError
from .._renewal import Broken, Held, parse_instant, same_ca
from .._renewal_state import RenewalState
from .entry import Entry, Version

#: The options; certificate_request and acme_renewal_info share the choices.
MODES = ("when_due", "now", "never")


@dataclass(frozen=True)
class Renewal:
    """What one call was told. mode: one of MODES. answers: what the CA said, by the identifier of RFC 9773."""

    mode: str = "when_due"
    answers: Mapping[str, RenewalState] = field(default_factory=dict)

    @classmethod
    def of(cls, mode: str, answers: list[dict[str, Any]] | None) -> Renewal:
        """answers: results of acme_renewal_info. Those that failed, and those of other certificates, are of no use."""
        found = {
            str(answer["cert_id"]): RenewalState.read(answer["renewal_info"])
            for answer in answers or []
            if answer.get("cert_id") and answer.get("renewal_info") and not answer.get("failed")
        }
        return cls(mode, found)

    def state(self, version: Version) -> RenewalState:
        """What counts for a version: the new answer, else what is kept."""
        answer = self.answers.get(version.facts.get("ari_cert_id") or "")
        return version.renewal if answer is None else answer

    def held(self, version: Version) -> Held | Broken:
        """A version as the decision about it has to see it."""
        held = version.held()
        if isinstance(held, Broken):
            return held
        state = RenewalState() if self.mode == "never" else self.state(version)
        return replace(
            held,
            renew_at=state.renew_at,
            explanation_url=state.explanation_url,
            fingerprint_sha256=version.facts["fingerprint_sha256"],
        )

    def keep(self, entry: Entry, version: Version | None, *, dry: bool) -> bool:
        """Write a new answer beside its certificate. True when it says something else than the one before: that the
        CA was asked, and when it is to be asked again, is no change. Under the lock only."""
        if version is None or version.broken:
            return False
        state = self.state(version)
        if state == version.renewal:
            return False
        if not dry:
            entry.note(version.label, ari=state.as_result())
        return not state.says_as(version.renewal)

    def question(self, version: Version, acme_directory: str | None, now: datetime.datetime) -> dict[str, Any] | None:
        """What results say about asking the CA for a version; None when there is nothing to ask.

        ask: whether it is time to. certificate: in PEM when it is. acme_directory: of the CA to ask. state: what is
        known.
        """
        directory, cert_id = version.meta.get("acme_directory"), version.facts.get("ari_cert_id")
        if self.mode == "never" or version.broken or not cert_id or not isinstance(directory, str):
            return None
        held = version.held()
        if isinstance(held, Broken) or (acme_directory and not same_ca(acme_directory, directory)):
            return None
        state = self.state(version)
        ask = cert_id not in self.answers and now < held.not_after
        if ask and self.mode != "now":
            ask = state.to_be_asked(now, issued=_issued(version, held), lifetime=held.not_after - held.not_before)
        return {
            "ask": ask,
            "certificate": version.leaf_pem if ask else None,
            "acme_directory": directory,
            "state": None if state == RenewalState() else state.as_result(),
        }


def _issued(version: Version, held: Held) -> datetime.datetime:
    """When it came: CAs date the begin of validity back."""
    try:
        return parse_instant(str(version.meta.get("staged_at")))
    except CertfleetError:
        return held.not_before
