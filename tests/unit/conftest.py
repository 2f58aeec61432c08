# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the checkout importable under the collection's name when neither `make` nor ansible-test did."""

from __future__ import annotations

import importlib.util
import sys


def _importable() -> bool:
    try:
        return importlib.util.find_spec("ansible_collections.certfleet.acme") is not None
    except ModuleNotFoundError:
        return False


if not _importable():
    from tests.runner import paths, tree

    tree.link()
    sys.path.insert(0, str(paths.LINKED))
