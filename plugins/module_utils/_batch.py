# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Batches: bounded concurrency, the order kept, a result for each item."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from ._errors import CertfleetError

if TYPE_CHECKING:
    from typing import NoReturn

    from ansible.module_utils.basic import AnsibleModule

T = TypeVar("T")
R = TypeVar("R")

#: Mirrored by the doc fragment certfleet.acme.batch.
BATCH_ARGSPEC: dict[str, dict[str, Any]] = {
    "concurrency": {"type": "int", "default": 8},
    "item_failures": {"type": "str", "choices": ["fail", "report"], "default": "fail"},
}


def run_batch(items: Sequence[T], work: Callable[[T], R], *, concurrency: int) -> list[R | CertfleetError]:
    """Run ``work`` on each item, at most ``concurrency`` at once; results come in the order of the items.

    A CertfleetError of one item becomes its entry. So does any other exception, named by its class: a defect in
    one item must not lose what the others have obtained. KeyboardInterrupt and SystemExit pass through.
    """
    if concurrency < 1:
        raise CertfleetError(f"concurrency is {concurrency}", remedy="Give 1 or more.")

    def guarded(item: T) -> R | CertfleetError:
        try:
            return work(item)
        except CertfleetError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a defect in one item must not lose the rest
            wrapped = CertfleetError(f"unexpected {type(error).__name__}: {error}")
            wrapped.__cause__ = error
            return wrapped

    if len(items) <= 1 or concurrency == 1:
        return [guarded(item) for item in items]
    with ThreadPoolExecutor(max_workers=min(concurrency, len(items))) as pool:
        return list(pool.map(guarded, items))


def results_or_cause(
    module: AnsibleModule,
    items: Sequence[dict[str, Any]],
    work: Callable[[], list[dict[str, Any]]],
    empty: Callable[[dict[str, Any]], dict[str, Any]],
) -> list[dict[str, Any]]:
    """The results of ``work``. What it raises concerns all items.

    With item_failures=report that becomes the failure of each (its ``empty`` result and the cause), so that whoever
    waits for the item learns it. Otherwise, and when there is no item to carry it, CertfleetError is raised.
    """
    try:
        return work()
    except CertfleetError as error:
        if module.params["item_failures"] != "report" or not items:
            raise
        return [{**empty(item), **error.as_result()} for item in items]


def finish(
    module: AnsibleModule,
    key: str,
    results: list[dict[str, Any]],
    *,
    item_word: str = "certificate",
    name_key: str = "name",
    diffs: list[dict[str, Any]] | None = None,
    **extra: Any,
) -> NoReturn:
    """End the module with the results of a batch under ``key``; see the option ``item_failures``.

    extra: further results; a true ``changed`` among them says that more was changed than the items.

    Every result is returned whether or not the module fails, so that a rescue block or a later task can use what
    succeeded.
    """
    failed = [result for result in results if result.get("failed")]
    answer: dict[str, Any] = {
        **extra,
        key: results,
        "changed": bool(extra.get("changed")) or any(result.get("changed") for result in results),
        "failed_items": [str(result.get(name_key) or number) for number, result in _numbered_failures(results)],
    }
    if diffs:
        answer["diff"] = diffs
    if failed and module.params["item_failures"] == "fail":
        causes = "; ".join(
            f"{result.get(name_key) or number}: {result.get('msg')}" for number, result in _numbered_failures(results)
        )
        plural = "" if len(results) == 1 else "s"
        module.fail_json(msg=f"{len(failed)} of {len(results)} {item_word}{plural} failed: {causes}", **answer)
    module.exit_json(**answer)


def _numbered_failures(results: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"number {number}", result) for number, result in enumerate(results, 1) if result.get("failed")]
