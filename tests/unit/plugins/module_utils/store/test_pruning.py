# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Old versions go, but for as many as are to be kept, and never the one in use."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from unittest import mock

from ansible_collections.certfleet.acme.plugins.module_utils._store import install as installation
from ansible_collections.certfleet.acme.plugins.module_utils._store.declared import parse
from ansible_collections.certfleet.acme.plugins.module_utils._store.entry import Store
from ansible_collections.certfleet.acme.plugins.module_utils._store.ownership import Ownership
from ansible_collections.certfleet.acme.plugins.module_utils._store.transaction import Transaction, Work
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.stored import CA, DECLARED, active, ask, put

LABELS = st.lists(st.integers(1, 12_000), min_size=1, max_size=9, unique=True).map(
    lambda numbers: [f"{number:04d}" for number in sorted(numbers)]
)


@settings(deadline=None, max_examples=60)
@given(data=st.data(), labels=LABELS, keep=st.integers(1, 6), check=st.booleans())
def test_what_pruning_keeps(data: st.DataObject, labels: list[str], keep: int, check: bool) -> None:
    """Any versions, any of them in use, any of them in use before, any withdrawn: as after rolling back by hand."""
    current = data.draw(st.sampled_from(labels))
    previous = data.draw(st.sampled_from([None, *labels]))
    withdrawn = data.draw(st.sets(st.sampled_from(labels)))
    with tempfile.TemporaryDirectory() as folder, mock.patch("os.fsync"):
        root = Path(folder) / "store"
        for path in (root, root / "web", root / "web" / "versions"):
            path.mkdir(mode=0o700)
        for label in labels:
            (root / "web" / "versions" / label).mkdir(mode=0o700)
            (root / "web" / "versions" / label / "privkey.pem").write_text("key")
            meta = {"withdrawn": {"at": "2026-01-01T00:00:00Z"}} if label in withdrawn else {}
            (root / "web" / "versions" / label / "certificate.json").write_text(json.dumps(meta))
        (root / "web" / "current").symlink_to(f"versions/{current}")
        with Store(str(root), create=False) as store:
            entry = store.entry("web", Ownership(), create=False)
            assert entry is not None
            with entry:
                work = Work(parse(DECLARED), entry=entry, previous=previous)
                options = installation.Settings(activate=True, keep=keep, check=check, transaction=Transaction())
                installation._prune(work, options)
                left = entry.labels()
        assert work.errors == ()
        needed = {*labels[-keep:], current, *([previous] if previous else [])}
        assert needed <= set(left)
        assert os.path.exists(root / "web" / "current" / "privkey.pem")
        # Beside what is needed, only what can still be activated, and all down to the version to go back to.
        position = labels.index(current)
        back_to = next((at for at in reversed(range(position)) if labels[at] not in withdrawn), 0)
        assert labels[back_to] in left
        to_go = [label for label in labels if label not in needed and label not in labels[back_to:]]
        assert work.changed is bool(to_go)
        assert left == (labels if check else [label for label in labels if label not in to_go])


@settings(deadline=None, max_examples=6)
@given(turns=st.lists(st.tuples(st.sampled_from(["works", "fails"]), st.integers(1, 4)), min_size=1, max_size=4))
def test_what_is_left_after_each_of_many_runs(turns: list[tuple[str, int]]) -> None:
    """Runs that end well, and runs that are rolled back."""
    with tempfile.TemporaryDirectory() as folder, mock.patch("os.fsync"):
        root = Path(folder) / "store"
        used = put(root, [CA.issued(ask(root))])
        versions = ["0001"]
        for outcome, keep in turns:
            before = used
            done = put(root, [CA.issued(ask(root, force=True))], keep=keep, reload_fails=outcome == "fails")
            assert done["rolled_back"] is (outcome == "fails")
            used = done if outcome == "works" else before
            found = active(root)
            assert found is not None
            assert found["serial"] == used["serial"]
            versions.append(done["version"])
            left = sorted(path.name for path in (root / "web" / "versions").iterdir())
            assert left[-1] == versions[-1]
            if outcome == "fails":
                assert left == versions
            # Those to keep, the one in use, the one before it, and the one that was in use before.
            assert {*versions[-keep:], used["version"], before["version"]} <= set(left)
            if outcome == "works":
                assert len(left) <= max(keep, 2) + 1
            versions = left
