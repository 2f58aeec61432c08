# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The quick cells of `make interop`, on the CAs that no other test uses, and the table in docs/."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.conftest import Labs
from tests.interop import report
from tests.interop.__main__ import TABLE
from tests.interop.features import FEATURES
from tests.interop.ground import Ground, Grounds
from tests.interop.registry import Feature, Refusal, Refused, Works, run

QUICK = [feature for feature in FEATURES if feature.quick]


@pytest.fixture(scope="session")
def grounds(labs: Labs) -> Iterator[Grounds]:
    with Grounds(labs.fresh) as found:
        yield found


@pytest.mark.parametrize("ca", ["openbao", "step-ca"])
@pytest.mark.parametrize("feature", QUICK, ids=lambda feature: feature.cell.__name__)
def test_a_feature_does_as_the_table_says(feature: Feature, ca: str, grounds: Grounds) -> None:
    outcome = run(feature, grounds.ground(ca))
    assert outcome.kind != "failed", outcome.text


def test_the_table_is_what_is_expected() -> None:
    assert TABLE.read_text(encoding="utf-8") == report.table(FEATURES), "run `make interop`, which writes it"


def refuses(_ground: Ground) -> None:
    raise Refusal("the CA said no, and why")


@pytest.mark.parametrize(
    ("cell", "expected", "kind"),
    [
        (lambda _ground: "kept", Works("kept"), "passed"),
        (lambda _ground: "dropped", Works("kept"), "failed"),
        (lambda _ground: None, Refused(("no",)), "failed"),
        (refuses, Works(), "failed"),
        (refuses, Refused(("said no", "why")), "refused"),
        (refuses, Refused(("why", "said no")), "failed"),
        (lambda _ground: 1 / 0, Works(), "failed"),
    ],
)
def test_what_turns_out_otherwise_has_failed(cell: Any, expected: Any, kind: str) -> None:
    class Somewhere:
        class lab:
            ca = "pebble"

    feature: Any = Feature("Orders", "One", cell, False, {"pebble": expected})
    somewhere: Any = Somewhere
    assert run(feature, somewhere).kind == kind
