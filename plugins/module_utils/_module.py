# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shell that every module shares: missing libraries and errors become one clear line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from ._errors import CertfleetError

if TYPE_CHECKING:
    from typing import NoReturn

    from ansible.module_utils.basic import AnsibleModule


class MissingLibrary(CertfleetError):
    """A Python library that the module needs is not installed for the Python that runs it."""


def require(**libraries: ImportError | None) -> None:
    """Raise MissingLibrary for the first library whose import failed.

    Keywords are the names of the libraries as pip knows them (``_`` for ``-``), values what their import raised,
    None when it worked.
    """
    import sys

    for name, error in libraries.items():
        if error is not None:
            library = name.replace("_", "-")
            raise MissingLibrary(
                f"the Python library {library} cannot be imported by {sys.executable}: {error}",
                remedy=f"Install it there: {sys.executable} -m pip install {library}"
                " (the collection's requirements.txt has all that the controller needs)",
            )


def run(module: AnsibleModule, work: Callable[[AnsibleModule], dict[str, Any]]) -> NoReturn:
    """Call ``work`` and end the module with what it returns, or with the one line of its CertfleetError."""
    try:
        result = work(module)
    except CertfleetError as error:
        module.fail_json(msg=str(error), **error.details)
    module.exit_json(**result)
