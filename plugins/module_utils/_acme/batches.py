# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the modules of this room end: a result for each item, or for what concerns them all one cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from .._batch import finish, results_or_cause
from .._errors import CertfleetError
from .._module import require
from . import _library as library

if TYPE_CHECKING:
    from typing import NoReturn

    from ansible.module_utils.basic import AnsibleModule


def run_items(
    module: AnsibleModule,
    key: str,
    work: Callable[[], list[dict[str, Any]]],
    *,
    word: str,
    empty: Callable[[dict[str, Any]], dict[str, Any]],
    extra: Callable[[list[dict[str, Any]]], dict[str, Any]] | None = None,
) -> NoReturn:
    """End the module with the results of ``work`` for the items of its option ``key``.

    See results_or_cause() for what concerns all of them.
    """

    def guarded() -> list[dict[str, Any]]:
        require(acme=library.IMPORT_ERROR)
        return work()

    try:
        results = results_or_cause(module, module.params.get(key) or [], guarded, empty)
    except CertfleetError as error:
        module.fail_json(msg=str(error), **error.details)
    warnings = [warning for result in results for warning in result.get("warnings") or []]
    for warning in dict.fromkeys(warnings):
        module.warn(warning)
    finish(module, key, results, item_word=word, **(extra(results) if extra else {}))
