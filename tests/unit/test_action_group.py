# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""meta/runtime.yml and the modules' documentation agree on what belongs to the action group acme."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))


def documentation(path: Path) -> dict[str, Any]:
    """A module's DOCUMENTATION with what its fragments of this collection add."""
    text = re.search(r'^DOCUMENTATION = r?"""(.*?)"""', path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert text is not None, f"{path.name} has no DOCUMENTATION"
    found: dict[str, Any] = yaml.safe_load(text[1])
    options = dict(found.get("options") or {})
    attributes = dict(found.get("attributes") or {})
    for fragment in found.get("extends_documentation_fragment") or []:
        name, _dot, part = fragment.removeprefix("certfleet.acme.").partition(".")
        file = ROOT / "plugins" / "doc_fragments" / f"{name}.py"
        part = (part or "documentation").upper()
        body = re.search(rf'^\s+{part} = r?"""(.*?)"""', file.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        assert body is not None, f"{file.name} has no {part}"
        more = yaml.safe_load(body[1])
        options = {**(more.get("options") or {}), **options}
        for key, value in (more.get("attributes") or {}).items():
            attributes[key] = {**value, **attributes.get(key, {})}
    return {"options": options, "attributes": attributes}


def members() -> list[str]:
    """The action group as meta/runtime.yml has it."""
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    group: list[str] = runtime["action_groups"]["acme"]
    return group


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_is_in_the_group_when_it_takes_the_directory(path: Path) -> None:
    found = documentation(path)
    # certificate_request compares the directory with a certificate's and takes none of the group's other options.
    speaks_acme = path.stem.startswith("acme_") and "acme_directory" in found["options"]
    assert (path.stem in members()) == speaks_acme
    attribute = found["attributes"].get("action_group", {})
    documented = "certfleet.acme.acme" in (attribute.get("membership") or [])
    assert documented == speaks_acme, "the attribute action_group says otherwise"


def test_every_member_is_a_module_and_the_list_is_sorted() -> None:
    assert [name for name in members() if name not in {path.stem for path in MODULES}] == []
    assert members() == sorted(members())


def test_every_member_takes_the_options_that_the_readme_says_are_common() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    passage = re.search(r"have in common \((.*?)\):", readme, re.DOTALL)
    assert passage is not None
    common = set(re.findall(r"`(\w+)`", passage[1]))
    assert "acme_directory" in common
    for name in members():
        options = documentation(ROOT / "plugins" / "modules" / f"{name}.py")["options"]
        assert common <= set(options), f"{name} does not take {common - set(options)}"
