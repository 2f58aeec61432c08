# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme import shapes
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"status": 3}, "status is not a text"),
        ({"identifiers": {}}, "identifiers is not a list"),
        ({"identifiers": ["a.example.com"]}, r"identifiers\[0\] is not an object"),
        ({"identifiers": [{"value": "a"}, {"value": ["b"]}]}, r"identifiers\[1\].value is not a text"),
        ({"authorizations": [[]]}, r"authorizations\[0\] is not a text"),
        ({"finalize": {"url": "x"}}, "finalize is not a text"),
        ({"identifiers": [{"value": "a"}], "authorizations": ["u"] * 14}, "14 authorizations for 1 names"),
    ],
)
def test_an_order_of_another_shape_is_refused(body: dict[str, Any], wrong: str) -> None:
    with pytest.raises(CertfleetError, match=f"the CA's answer to the order .*{wrong}"):
        shapes.check_order(body, "the order")


def test_a_challenge_inside_an_authorization_is_looked_at() -> None:
    body = {"challenges": [{"type": "dns-01"}, {"type": 1}]}
    with pytest.raises(CertfleetError, match=r"challenges\[1\]\.type is not a text"):
        shapes.check(body, shapes.AUTHORIZATION, "the authorization")


def test_what_is_null_or_unknown_does_not_matter() -> None:
    body = {"status": "valid", "identifiers": None, "error": None, "profile": 7}
    assert shapes.check_order(body, "it") == {"status": "valid", "profile": 7}
