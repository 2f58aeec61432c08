# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All features, in the order of the table."""

from __future__ import annotations

from tests.interop import account_life, accounts, caa, certificates, orders, renewal, validation
from tests.interop.registry import FEATURES as _FOUND

_SUBJECTS = [
    accounts.SUBJECT,
    orders.SUBJECT,
    caa.SUBJECT,
    validation.SUBJECT,
    certificates.CHAINS,
    renewal.SUBJECT,
    certificates.REVOCATION,
    account_life.SUPPORT,
]
FEATURES = sorted(_FOUND, key=lambda feature: _SUBJECTS.index(feature.subject))
