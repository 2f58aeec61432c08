# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ansible-doc shows: complete, with examples, and true to the code."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())


@cache
def documented(kind: str) -> dict[str, Any]:
    """What ansible-doc knows of all modules or roles of the collection."""
    command = [str(Path(sys.executable).with_name("ansible-doc")), "--json", "--type", kind]
    names = [f"certfleet.acme.{name}" for name in (MODULES if kind == "module" else ROLES)]
    answer = subprocess.run([*command, *names], capture_output=True, text=True, timeout=120, check=True)
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def walk(options: dict[str, Any], name: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = []
    for key, option in (options or {}).items():
        found.append((f"{name}{key}", option))
        found += walk(option.get("suboptions") or option.get("options") or {}, f"{name}{key}.")
    return found


@pytest.mark.parametrize("module", MODULES)
def test_module(module: str) -> None:
    page = documented("module")[f"certfleet.acme.{module}"]
    doc = page["doc"]
    assert doc["short_description"]
    assert doc["version_added"] == "1.0.0"
    assert {"check_mode", "diff_mode", "idempotent", "platform"} <= set(doc["attributes"])
    assert doc["attributes"]["check_mode"]["support"] == "full"
    assert not [name for name, option in walk(doc["options"]) if not option.get("description")]
    returned = page["return"]
    assert returned
    for name, value in returned.items():
        parts = (value.get("contains") or {}).values()
        shown = value.get("sample") is not None or (parts and all("sample" in part for part in parts))
        assert shown, f"{name} has no sample"
        assert value.get("description"), name
    plays = yaml.safe_load(page["examples"])
    assert plays
    assert any(f"certfleet.acme.{module}" in task for task in plays)
    known = {f"{name}" for name in doc["options"]}
    for task in plays:
        used = set(task.get(f"certfleet.acme.{module}") or {})
        assert used <= known, f"the example uses options that there are not: {used - known}"


@pytest.mark.parametrize("role", ROLES)
def test_role(role: str) -> None:
    entry = documented("role")[f"certfleet.acme.{role}"]["entry_points"]["main"]
    assert entry["short_description"]
    options = entry["options"]
    assert not [name for name, option in options.items() if not option.get("description")]
    defaults = yaml.safe_load((ROOT / "roles" / role / "defaults" / "main.yml").read_text(encoding="utf-8"))
    assert set(defaults) <= set(options), "a variable has a default and is not documented"
    tasks = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "roles" / role / "tasks").glob("*.yml"))
    assert not [name for name in options if name not in tasks], "a variable is documented and not used"
    assert not [name for name, option in options.items() if "default" in option and name not in defaults]
    assert all(name.startswith(f"{role}_") for name in options)
    examples = yaml.safe_load(entry["examples"])
    assert [name["role"] for play in examples for name in play["roles"]] == [f"certfleet.acme.{role}"]
    readme = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    assert entry["examples"].strip() in readme, "the README has another example"


@pytest.mark.parametrize("role", ROLES)
def test_defaults_that_are_plain_values_are_the_documented_ones(role: str) -> None:
    options = documented("role")[f"certfleet.acme.{role}"]["entry_points"]["main"]["options"]
    defaults = yaml.safe_load((ROOT / "roles" / role / "defaults" / "main.yml").read_text(encoding="utf-8"))
    plain = {name: value for name, value in defaults.items() if "{{" not in str(value)}
    assert {name: options[name].get("default") for name in plain} == plain


def test_every_playbook_runs_a_role_of_the_collection() -> None:
    for path in (ROOT / "playbooks").glob("*.yml"):
        for play in yaml.safe_load(path.read_text(encoding="utf-8")):
            if "ansible.builtin.import_playbook" in play:
                assert (path.parent / play["ansible.builtin.import_playbook"]).is_file(), path.name
                continue
            used = [item["role"] for item in play.get("roles", [])]
            used += [task["ansible.builtin.import_role"]["name"] for task in play.get("tasks", [])]
            assert used, path.name
            assert {name.removeprefix("certfleet.acme.") for name in used} <= set(ROLES), path.name
