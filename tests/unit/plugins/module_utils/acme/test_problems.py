# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme import problems

URN = "urn:ietf:params:acme:error:"


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ({"type": URN + "caa", "detail": "CAA forbids it"}, "caa: CAA forbids it"),
        ({"type": "https://ca.example/odd", "detail": "odd"}, "https://ca.example/odd: odd"),
        ({"type": "about:blank", "title": "Not Found"}, "Not Found"),
        ({}, ""),
        ({"type": URN + "malformed", "detail": "two\n  lines"}, "malformed: two lines"),
        (
            {
                "type": URN + "compound",
                "detail": "several",
                "subproblems": [
                    {"type": URN + "caa", "detail": "no", "identifier": {"type": "dns", "value": "a.example.com"}},
                    {"type": URN + "dns", "detail": "gone"},
                    "not an object",
                ],
            },
            "compound: several (a.example.com: caa: no; dns: gone)",
        ),
    ],
)
def test_a_problem_document_is_told_in_one_line(document: dict[str, Any], line: str) -> None:
    assert problems.describe(document) == line


def test_a_long_detail_is_cut_in_the_line_and_kept_in_the_result() -> None:
    document = {"type": URN + "malformed", "detail": "x" * 5000}
    problem = problems.AcmeProblem(document, status=400, doing="the order")
    assert len(str(problem)) < 500
    assert problem.as_result()["problem"] == document


def test_a_problem_says_what_was_refused_and_the_way_out() -> None:
    problem = problems.AcmeProblem({"type": URN + "rateLimited", "detail": "too many"}, status=429, retry_after=120.4)
    text = str(problem.about("the order for example.com"))
    assert text.startswith(
        "the CA refused the order for example.com: rateLimited: too many (it asks to try again in 120 s, at "
    )
    assert "Wait" in text
    assert problem.details["retry_at"] in text
    assert problem.about("it").details["retry_at"] == problem.details["retry_at"]


def test_a_text_cannot_steer_the_terminal_or_flood_it() -> None:
    evil = {"type": "x" * 5000, "detail": "\x1b[2J\x9b gone"}
    document = {"type": URN + "dns", "detail": "\x1b[2J gone", "subproblems": [evil] * 5000}
    text = str(problems.AcmeProblem(document, status=400))
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "and 4900 more" in text
    assert len(text) < 50_000


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("Sun, 22 Nov 2026 10:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0.0),
        ("9" * 400, 3155760000.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3155760000.0),
        ("\u00b2", None),
        ("1.5", None),
    ],
)
def test_retry_after_in_both_forms(value: str | None, seconds: float | None) -> None:
    now = 1795341600.0  # 2026-11-22T10:00:00Z
    assert problems.parse_retry_after(value, now=now) == seconds
