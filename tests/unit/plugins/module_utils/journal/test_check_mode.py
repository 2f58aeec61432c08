# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._journal.model import PASSING
from ansible_collections.certfleet.acme.plugins.module_utils._journal.run import open_journal


@pytest.mark.parametrize("below", ["no/journal", "file/journal", "link", "file"])
def test_in_check_mode_a_place_that_cannot_be_used_fails_as_the_run_would(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("no")
    params = {"journal": str(tmp_path / below)}
    causes = []
    for check_mode in (True, False):
        with (
            pytest.raises(CertfleetError) as caught,
            open_journal(params, program="test", kind=PASSING, check_mode=check_mode),
        ):
            pass
        causes.append(str(caught.value))
    assert causes[0] == causes[1]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "link"]


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("cause", ["Permission denied", "Read-only file system"])
def test_in_check_mode_a_place_that_cannot_be_written_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: bool, cause: str
) -> None:
    path = tmp_path / "journal"
    if made:
        path.mkdir(mode=0o700)
    status = os.statvfs(path.parent)
    flags = os.ST_RDONLY if cause.startswith("Read") else 0
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda place, mode: False)  # for root all is writable
        patch.setattr(os, "fstatvfs", lambda fd: os.statvfs_result((*status[:8], flags, status[9])))
        with (
            pytest.raises(CertfleetError, match=f"the journal {path}: {cause}"),
            open_journal({"journal": str(path)}, program="test", kind=PASSING, check_mode=True),
        ):
            pass
