# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the modules of this room end: a result for each item, or for what concerns them all one cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from .._batch import finish
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

    With item_failures=report, what concerns all of them becomes the failure of each (its ``empty`` result and the
    cause), so that the hosts that wait for their item learn it. Otherwise it is the module's one message.
    """
    items = module.params.get(key) or []
    try:
        require(acme=library.IMPORT_ERROR)
        results = work()
    except CertfleetError as error:
        if module.params["item_failures"] != "report":
            module.fail_json(msg=str(error), **error.details)
        results = [{**empty(item), **error.as_result()} for item in items]
    warnings = [warning for result in results for warning in result.get("warnings") or []]
    for warning in dict.fromkeys(warnings):
        module.warn(warning)
    finish(module, key, results, item_word=word, **(extra(results) if extra else {}))
