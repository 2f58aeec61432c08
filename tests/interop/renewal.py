# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renewal information (RFC 9773)."""

from __future__ import annotations

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
