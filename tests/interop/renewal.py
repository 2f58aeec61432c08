# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renewal information (RFC 9773)."""

from __future__ import annotations

import json
from typing import Any

from tests.interop.ground import Ground
from tests.interop.registry import feature, works

SUBJECT = "Renewal"


@feature(SUBJECT, "Whether a certificate is due, by its lifetime", everywhere=works())
def by_lifetime(ground: Ground) -> None:
    ground.made()
    found = ground.issued(ground.name("due"))
    item = {"name": "one", "certificate_content": found["fullchain"]}
    (decided,) = ground.run("acme_renewal_info", certificates=[item])["certificates"]
    assert decided["should_renew"] is False
    assert decided["due_at"] > found["not_before"]


@feature(
    SUBJECT,
    "When the CA wants it renewed (RFC 9773)",
    everywhere=works("the CA does not say, by lifetime"),
    pebble=works("by the CA's window"),
    acme2certifier=works("by the CA's window"),
)
def by_window(ground: Ground) -> str:
    ground.made()
    decided = _asked(ground, ground.issued(ground.name("window")))
    assert decided["should_renew"] is False
    window = (decided["renewal_info"] or {}).get("window")
    return "by the CA's window" if window else "the CA does not say, by lifetime"


@feature(
    SUBJECT,
    "A window that lies in the past",
    everywhere=works("the CA does not say, by lifetime"),
    pebble=works("renewed now"),
    acme2certifier=works("renewed now"),
)
def past_window(ground: Ground) -> str:
    place = ground.elsewhere(renewal_force=True) if ground.program == "acme2certifier" else ground
    place.made()
    found = place.issued(place.name("past"))
    if place.program == "pebble":
        window = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
        place.lab.set_renewal_info(found["certificate"], json.dumps({"suggestedWindow": window}))
    decided = _asked(place, found)
    if decided["should_renew"]:
        assert [reason["code"] for reason in decided["reasons"]] == ["ari"]
        return "renewed now"
    return "the CA does not say, by lifetime"


def _asked(ground: Ground, found: dict[str, Any]) -> dict[str, Any]:
    item = {"name": "one", "certificate_content": found["fullchain"]}
    decided: dict[str, Any] = ground.run("acme_renewal_info", certificates=[item], renewal_info="now")["certificates"][
        0
    ]
    return decided
