# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the check of CAA; mirrored by the doc fragment certfleet.acme.caa."""

from __future__ import annotations

from typing import Any

#: For modules that make orders.
CAA_ARGSPEC: dict[str, dict[str, Any]] = {
    "caa": {"type": "str", "choices": ["ignore", "warn", "refuse"], "default": "warn"},
    "caa_identities": {"type": "list", "elements": "str", "default": []},
}
