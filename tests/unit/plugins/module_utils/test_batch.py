# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils import _batch
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.integers()), st.integers(min_value=1, max_value=9))
def test_results_come_in_the_order_of_the_items_whatever_fails(items: list[int], concurrency: int) -> None:
    def work(item: int) -> int:
        if item % 3 == 0:
            raise CertfleetError(f"no {item}")
        if item % 7 == 0:
            raise KeyError(item)
        return item * 2

    results = _batch.run_batch(items, work, concurrency=concurrency)
    assert len(results) == len(items)
    for item, result in zip(items, results):
        if item % 3 == 0:
            assert isinstance(result, CertfleetError)
            assert result.message == f"no {item}"
        elif item % 7 == 0:
            assert isinstance(result, CertfleetError)
            assert result.message == f"unexpected KeyError: {item}"
        else:
            assert result == item * 2


def test_no_more_than_concurrency_run_at_once_and_as_many_do() -> None:
    lock = threading.Lock()
    running = highest = 0
    # Three can only pass the barrier together, so the batch ends only if three do run at once.
    barrier = threading.Barrier(3)

    def work(item: int) -> None:
        nonlocal running, highest
        with lock:
            running += 1
            highest = max(highest, running)
        barrier.wait(timeout=30)
        with lock:
            running -= 1

    assert _batch.run_batch(range(9), work, concurrency=3) == [None] * 9
    assert highest == 3


def test_concurrency_below_one_is_refused() -> None:
    with pytest.raises(CertfleetError, match="concurrency is 0"):
        _batch.run_batch([1], lambda item: item, concurrency=0)


def test_an_interrupt_ends_the_batch() -> None:
    def work(item: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _batch.run_batch([1, 2], work, concurrency=2)


class Ended(Exception):
    """How the module below ends."""


class FakeModule:
    """Keeps what the module would have answered."""

    def __init__(self, item_failures: str) -> None:
        self.params = {"item_failures": item_failures}
        self.answer: dict[str, object] = {}

    def exit_json(self, **answer: object) -> None:
        self.answer = {"failed": False, **answer}
        raise Ended

    def fail_json(self, **answer: object) -> None:
        self.answer = {"failed": True, **answer}
        raise Ended


def finish(item_failures: str, results: list[dict[str, object]]) -> dict[str, object]:
    module = FakeModule(item_failures)
    with pytest.raises(Ended):
        _batch.finish(module, "certificates", results)  # type: ignore[arg-type]
    return module.answer


GOOD = {"name": "a", "changed": True, "failed": False}
BAD = {"name": "b", "changed": False, "failed": True, "msg": "the CA refuses b.example.com"}


def test_a_failed_item_fails_the_task_and_every_result_is_kept() -> None:
    answer = finish("fail", [GOOD, BAD])
    assert answer["failed"] is True
    assert answer["msg"] == "1 of 2 certificates failed: b: the CA refuses b.example.com"
    assert answer["certificates"] == [GOOD, BAD]
    assert answer["changed"] is True
    assert answer["failed_items"] == ["b"]


def test_report_mode_leaves_the_failure_to_the_item() -> None:
    answer = finish("report", [GOOD, BAD])
    assert answer["failed"] is False
    assert answer["failed_items"] == ["b"]


def test_nothing_failed_and_nothing_changed() -> None:
    answer = finish("fail", [{"name": "a", "changed": False}])
    assert (answer["failed"], answer["changed"], answer["failed_items"]) == (False, False, [])
