# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof that an endpoint serves a certificate: handshakes until it does, or until the time is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from .._errors import CertfleetError
from .connection import Served, endpoint_text, handshake

#: Seconds that one handshake of a proof may take, and between two of them.
_ATTEMPT = 5.0
_PAUSE = 0.1
_LONGEST_PAUSE = 1.0


def prove(
    host: str,
    port: int,
    server_name: str | None,
    fingerprint: str,
    *,
    timeout: float,
    once: bool = False,
    starttls: str | None = None,
    key_type: str = "",
    known: Mapping[str, str] | None = None,
    files: str = "the files of the store",
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    shake: Callable[..., Served] = handshake,
) -> None:
    """Return when the endpoint serves the leaf with this SHA-256 fingerprint, twice in a row, since a server that hands
    over from old processes to new ones answers by either of them for a moment; asks again until ``timeout`` seconds are
    over, then raises CertfleetError that says what it serves instead. once: asks one time only.

    key_type: of the leaf, as certificate_facts() has it. An endpoint with certificates of two kinds of keys chooses one
    by what the client can do; when it chooses another kind, it is asked again as by a client that can do this only.
    known: what the endpoint does when it serves one of these certificates, by fingerprint, as in "still serves the
    previous certificate". files: what the service has to read, for the way out.
    """
    where = endpoint_text(host, port, server_name)
    deadline = clock() + timeout
    pause = _PAUSE
    seen = False

    def facts_of(**options: Any) -> dict[str, Any]:
        left = max(deadline - clock(), 0.1)
        found: dict[str, Any] = shake(
            host, port, server_name, timeout=min(_ATTEMPT, left), starttls=starttls, **options
        ).facts()
        return found

    while True:
        try:
            facts = facts_of()
            family = key_type.partition("-")[0]
            if family and not facts["key_type"].startswith(family):
                with suppress(CertfleetError):
                    facts = facts_of(key_family=family)
            if facts["fingerprint_sha256"] == fingerprint:
                if seen or once or clock() + _PAUSE >= deadline:
                    return
                seen = True
                sleep(_PAUSE)
                continue
            problem = CertfleetError(
                f"{where} {(known or {}).get(facts['fingerprint_sha256'], 'serves another certificate')} "
                f"(serial {facts['serial']}, {', '.join(facts['identifiers']) or facts['subject']})",
                remedy=f"See whether the service reads {files} for that name, and whether its reload reads it again.",
            )
        except CertfleetError as error:
            problem = error
        seen = False
        if once or clock() + pause >= deadline:
            remedy = problem.remedy or "See whether the service runs, listens there and speaks TLS."
            raise CertfleetError(f"{problem.message}, {timeout:.0f} s after the reload", remedy=remedy)
        sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
