# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The waves of the playbooks site and rotate: a canary first, and nobody after it when it breaks.

The certificates are staged already, so that no CA takes part: test_site.py has the whole way.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.fleet import Run, playbook
from tests.integration.test_matrix import entry
from tests.support.small_ca import SmallCA
from tests.support.stores import fill, inventory

#: The reload of every host: fails where the host has a file that says so, and is noted where it does not.
_RELOAD = '[ ! -e "$1/broken" ] && echo reloaded >> "$1/reloads"'
LOST = {"ansible_connection": "ssh", "ansible_host": "gone.invalid"}
#: A host that is lost after the first play.
LOST_LATER = {"ansible_connection": "{{ 'ssh' if rotate_run is defined else 'local' }}", "ansible_host": "gone.invalid"}


class Fleet:
    """Hosts a, b, ... with a certificate each that waits to be activated."""

    def __init__(self, root: Path, names: str, *, python: str = sys.executable, **settings: dict[str, Any]) -> None:
        self.root = root
        ca = SmallCA()
        self.names = list(names)
        hosts = {}
        for name in names:
            folder = root / name
            folder.mkdir()
            certificate = {
                "name": "web",
                "identifiers": [f"{name}.example"],
                "deploy": {"reload": ["/bin/sh", "-c", _RELOAD, "reload", str(folder)]},
            }
            store = fill(folder, [certificate], ca, state="staged")
            declared = {"certfleet_store_path": str(store), "certfleet_certificates": [certificate]}
            hosts[name] = {**declared, **settings.get(name, {})}
        self.inventory = inventory(root / "inventory.json", hosts, python=python)

    def run(self, book: str | Path = "certfleet.acme.site", **options: Any) -> Run:
        done = playbook(book, self.inventory, self.root / "work", **options)
        assert "Could not match" not in done.output, done.output
        return done

    def together(self, *plays: dict[str, Any]) -> Path:
        """A playbook of several, run as one."""
        book = self.root / "book.yml"
        book.write_text(json.dumps(plays), encoding="utf-8")
        return book

    def break_(self, *names: str) -> None:
        for name in names:
            (self.root / name / "broken").touch()

    def repair(self) -> None:
        for path in self.root.glob("*/broken"):
            path.unlink()

    @property
    def active(self) -> str:
        """The hosts whose certificate is in use."""
        return "".join(name for name in self.names if (self.root / name / "store" / "web" / "current").exists())

    @property
    def reloads(self) -> dict[str, int]:
        return {name: len(path.read_text().split()) for name in self.names if (path := self._reloads(name)).exists()}

    def _reloads(self, name: str) -> Path:
        return self.root / name / "reloads"


def waves(done: Run) -> list[str]:
    """The hosts of each wave, in the order of the waves."""
    found = [""]
    for row in done.tasks:
        if row["action"].endswith("certificate_install") and row["outcome"] != "skipped":
            found[-1] += row["host"]
        elif found[-1]:
            found.append("")
    return ["".join(sorted(wave)) for wave in found if wave]


def ends(done: Run) -> str:
    """The last line of the report."""
    return done.report[-1] if done.report else ""


@pytest.fixture(params=["here", "2.16"])
def controller(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Options of Fleet.run for the Ansible of the tests and for the oldest one, with the installed collection."""
    if request.param == "here":
        return {}
    matrix = request.getfixturevalue("matrix")
    found = entry(matrix["controllers"], core=request.param)
    only_installed = {"ANSIBLE_COLLECTIONS_PATH": matrix["collections"], "PYTHONPATH": ""}
    return {"programs": Path(found["bin"]), "environment": only_installed}


def test_a_rollout_that_breaks_ends_at_the_canary_and_is_gone_on_with(
    tmp_path: Path, controller: dict[str, Any]
) -> None:
    python = controller.get("programs", Path(sys.executable).parent) / "python"
    # One is not reached and one cannot run modules: neither is the canary, and neither stops the others.
    fleet = Fleet(tmp_path, "abcdef", python=str(python), a=LOST, b={"ansible_python_interpreter": "/nonexistent"})
    fleet.break_("c")
    broken = fleet.run(expect=None, **controller)
    assert broken.returncode in (2, 4, 6)
    assert waves(broken) == ["c"]
    assert fleet.active == ""
    assert fleet.reloads == {}
    assert "failed with status 1; rolled back" in broken.failed["c"]
    assert set(broken.failed) == {"a", "b", "c"}
    (cause,) = [line for line in broken.report if line.startswith("c web: FAILED")]
    assert "waits to be activated" in cause, "why it was wanted"
    assert any(line.startswith("a: FAILED: it left the play") for line in broken.report)
    assert any(line.startswith("b: FAILED: it left the play") for line in broken.report)
    (stop,) = [line for line in broken.report if line.startswith("the rollout stops here")]
    assert "not reached: d, e, f; what was obtained for them is staged there and not in use" in stop
    assert ends(broken) == "4 certificates: 0 changed, 3 unchanged, 1 failed, 2 hosts lost, not reached: d, e, f"

    fleet.repair()
    # Text, as extra variables and surveys of AWX have it; twice, as one run.
    arguments = ["-e", 'certfleet_serial=[1,"50%"]', "-e", "certfleet_max_fail_percentage=0", "--limit", "!a,!b"]
    site = {"import_playbook": "certfleet.acme.site"}
    done = fleet.run(fleet.together(site, site), arguments=arguments, **controller)
    assert waves(done) == ["c", "de", "f"]
    assert fleet.active == "cdef"
    assert fleet.reloads == dict.fromkeys("cdef", 1)
    reports = [row["result"]["lines"][-1] for row in done.of("fleet_report") if row["result"]["lines"]]
    assert reports == [
        "4 certificates: 4 changed, 0 unchanged, 0 failed",
        "4 certificates: 0 changed, 4 unchanged, 0 failed",
    ]
    # The first time: one call to find out and one to install; the second: one, and it changed nothing.
    assert len(done.module_calls) == 3 * 4
    assert len(done.changed) == 4


@pytest.mark.thorough
def test_what_breaks_beyond_the_canary_stops_there_unless_so_much_is_allowed(tmp_path: Path) -> None:
    # g fails before there is anything to roll out, e is lost after that.
    fleet = Fleet(tmp_path, "abcdefg", e=LOST_LATER, g={"ansible_python_interpreter": "/nonexistent"})
    fleet.break_("c")
    stopped = fleet.run(variables={"certfleet_serial": "1, 2, 100%"}, expect=2)
    assert waves(stopped) == ["a", "bc"]
    assert fleet.active == "ab"
    assert ends(stopped).endswith("1 failed, 1 host lost, not reached: d, e, f")

    allowed = {"certfleet_serial": 2, "certfleet_max_fail_percentage": "50%"}
    done = fleet.run(variables=allowed, expect=2)
    assert waves(done) == ["cd", "ef"], "what is done already takes no part"
    assert fleet.active == "abdf"
    assert set(done.failed) == {"c", "e", "g"}
    assert "the host was not reached any more" in done.failed["e"]
    assert any(line.startswith("g: FAILED: it left the play") for line in done.report)
    assert not any("stops here" in line for line in done.report)
    assert ends(done) == "6 certificates: 2 changed, 2 unchanged, 2 failed, 1 host lost"

    planned = fleet.run(arguments=["--check", "--diff", "--limit", "c,d"])
    assert [line.split(" (")[0] for line in planned.report[:-1]] == ["c web: would change"]
    assert fleet.active == "abdf"
