# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running the modules of the host's plane on a store of the test's own."""

from __future__ import annotations

import importlib
import io
import json
import os
import stat
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args


class Host:
    """A host with a store. root: a directory of the test's own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = root / "store"

    def module(self, name: str, *, check: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
        """What the module returns. store_path is set for the modules that have it."""
        if name.startswith("certificate_"):
            options.setdefault("store_path", str(self.store))
        arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": diff}
        module = importlib.import_module(f"ansible_collections.certfleet.acme.plugins.modules.{name}")
        output = io.StringIO()
        # In this process, since a process for each call is most of what it would cost; that the modules run as
        # processes of their own, on old Pythons too, is tested elsewhere.
        with patch_module_args(arguments), redirect_stdout(output), pytest.raises(SystemExit) as end:
            module.main()
        result: dict[str, Any] = json.loads(output.getvalue())
        assert end.value.code == (1 if result.get("failed") else 0)
        assert "PRIVATE KEY" not in output.getvalue()
        return result

    def snapshot(self) -> dict[str, tuple[Any, ...]]:
        """Everything in the store: mode, owner, content or target of each path, and when it was changed."""
        found: dict[str, tuple[Any, ...]] = {}
        for path in sorted([self.store, *self.store.rglob("*")]):
            if not path.is_symlink() and not path.exists():
                continue
            status = path.lstat()
            content: Any = None
            if path.is_symlink():
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = path.read_bytes()
            found[str(path)] = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, content)
        return found


def only(result: dict[str, Any], key: str = "certificates") -> dict[str, Any]:
    """The one item of a result."""
    (item,) = result[key]
    found: dict[str, Any] = item
    return found
