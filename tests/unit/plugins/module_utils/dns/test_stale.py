# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.stale import seconds
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400), (" 2 W ", 1209600)],
)
def test_durations(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "h", "-1h", "1.5h", "1y", "1h30m", "yesterday"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(CertfleetError, match="is no duration"):
        seconds(text)
