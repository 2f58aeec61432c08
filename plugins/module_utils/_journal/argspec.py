# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of what keeps a journal; mirrored by the doc fragment journal."""

from __future__ import annotations

from typing import Any

JOURNAL_ARGSPEC: dict[str, dict[str, Any]] = {
    "journal": {"type": "path"},
    "journal_owner": {"type": "str"},
}
