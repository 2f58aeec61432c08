# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a batch is gathered from the hosts of a play, and how the run's end is told, on plays without any CA."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.fleet import Run, playbook
from tests.support.small_ca import DAY, SmallCA, pem

#: Nothing listens there: a batch that reached the CA would fail with another message than the ones below.
NOWHERE = "https://127.0.0.1:1/directory"
REFUSING = "https://127.0.0.1:2/directory"


def item(needs: str, **more: Any) -> dict[str, Any]:
    return {"name": "web", "needs": needs, "identifiers": ["a.example"], "reasons": [], **more}


def play(
    work: Path,
    found: dict[str, Any],
    *,
    strategy: str = "linear",
    serial: str = "100%",
    failures: str = "fail",
    settings: dict[str, dict[str, Any]] | None = None,
    expect: int | None = 0,
) -> Run:
    """A play whose hosts have registered ``found``; the host called ``gone`` is unreachable.

    failures: item_failures of the batch. settings: further variables of hosts.
    """
    work.mkdir(parents=True, exist_ok=True)
    hosts = {name: {"found": result, **(settings or {}).get(name, {})} for name, result in found.items()}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {"all": {"vars": local, "hosts": hosts}}
    if "gone" in hosts:
        # A name that cannot be resolved makes ssh give up at once.
        hosts["gone"].update(ansible_connection="ssh", ansible_host="gone.invalid")
    (work / "inventory.json").write_text(json.dumps(inventory), encoding="utf-8")
    tasks = [
        {"name": "Reach", "ansible.builtin.raw": "true"},
        {
            "name": "Gather",
            "certfleet.acme.acme_certificate": {
                "gather": "found",
                "acme_directory": NOWHERE,
                "account_key_src": str(work / "account.key"),
                "item_failures": failures,
            },
            "delegate_to": "localhost",
            "run_once": True,
            "register": "obtained",
        },
        {
            "name": "Report",
            "certfleet.acme.fleet_report": {"requested": "found", "obtained": "obtained"},
            "run_once": True,
        },
    ]
    book = [{"hosts": "all", "gather_facts": False, "strategy": strategy, "serial": serial, "tasks": tasks}]
    (work / "book.json").write_text(json.dumps(book), encoding="utf-8")
    return playbook(work / "book.json", work / "inventory.json", work, expect=expect)


def test_nothing_needed_means_no_module_call_at_all(tmp_path: Path) -> None:
    run = play(tmp_path, {"a": {"certificates": [item("nothing")]}, "b": {"certificates": [item("install")]}})
    assert [row["outcome"] for row in run.of("acme_certificate")] == ["skipped"]
    assert run.report == ["2 certificates: 0 changed, 2 unchanged, 0 failed"]


@pytest.mark.parametrize("strategy", ["free", "host_pinned"])
def test_a_strategy_that_cannot_gather_is_refused(tmp_path: Path, strategy: str) -> None:
    run = play(tmp_path, {"a": {"certificates": [item("issue")]}}, strategy=strategy, expect=2)
    assert "gathers from all hosts of the play" in run.failed["a"]
    assert "Use the strategy linear" in run.failed["a"]


def test_hosts_that_declare_another_ca_are_refused_by_name(tmp_path: Path) -> None:
    found = {
        "a": {"certificates": [item("issue")], "acme_directory": NOWHERE},
        "b": {"certificates": [item("issue")], "acme_directory": REFUSING},
    }
    run = play(tmp_path, found, expect=2)
    assert f"b: {REFUSING}" in run.failed["a"]


def test_another_ca_of_a_host_that_needs_nothing_does_not_matter(tmp_path: Path) -> None:
    found = {
        "a": {"certificates": [item("nothing")], "acme_directory": NOWHERE},
        "b": {"certificates": [item("nothing")], "acme_directory": REFUSING},
    }
    assert play(tmp_path, found).failed == {}


def test_an_unreachable_host_is_named_at_the_end_and_stops_nobody(tmp_path: Path) -> None:
    found = {
        "a": {"certificates": [item("nothing")]},
        "gone": {},
        "z": {"certificates": [item("nothing", failed=True, msg="the disk is full")]},
    }
    run = play(tmp_path, found, expect=4)
    assert "gone: FAILED: it left the play (unreachable or failed, see above); its certificates are as they were" in (
        run.report
    )
    assert "z web: FAILED: the disk is full" in run.report
    assert run.report[-1] == "2 certificates: 0 changed, 1 unchanged, 1 failed, 1 host lost"


def test_one_batch_has_one_account_and_one_set_of_providers(tmp_path: Path) -> None:
    found = {name: {"certificates": [item("issue")]} for name in ("a", "b", "c")}
    settings = {name: {"certfleet_dns_providers": [{"provider": name}]} for name in ("a", "b")}
    run = play(tmp_path, found, settings=settings, expect=2)
    assert "certfleet_dns_providers is not the same on all hosts of this batch: b, c differ from a" in run.failed["a"]


def test_settings_that_are_the_same_make_one_batch(tmp_path: Path) -> None:
    found = {name: {"certificates": [item("issue")]} for name in ("a", "b")}
    settings = {name: {"certfleet_dns_providers": [{"provider": "{{ 'route' ~ 53 }}"}]} for name in found}
    run = play(tmp_path, found, settings=settings, expect=2)
    # It came as far as the module, which got both.
    assert run.failed["a"].startswith("2 of 2 certificates failed: web: a.example: csr_content is empty")


def test_what_fails_the_whole_call_is_told_to_each_host_and_harms_no_other(tmp_path: Path) -> None:
    found = {
        "a": {"certificates": [item("nothing")]},
        "b": {"certificates": [item("issue")]},
        "c": {"certificates": [item("issue")], "acme_directory": REFUSING},
    }
    run = play(tmp_path, found, failures="report")
    assert run.failed == {}
    assert [line.split(":")[0] for line in run.report[:-1]] == ["b web", "c web"]
    assert all("declare different CAs" in line for line in run.report[:-1])
    assert run.report[-1] == "3 certificates: 0 changed, 1 unchanged, 2 failed"


def test_hosts_of_later_waves_are_named(tmp_path: Path) -> None:
    found = {name: {"certificates": [item("nothing")]} for name in ("a", "b", "c")}
    run = play(tmp_path, found, serial="1")
    ends = [row["result"]["lines"][-1].partition("failed")[2] for row in run.of("fleet_report")]
    assert ends == [", not reached yet: b, c", ", not reached yet: c", ""]


def question(**more: Any) -> dict[str, Any]:
    # Due by its lifetime, if the host had not declared a smaller share.
    leaf = pem(SmallCA().sign(ec.generate_private_key(ec.SECP256R1()).public_key(), ["a.example"], age=80 * DAY))
    return {"ask": True, "certificate": leaf, "acme_directory": NOWHERE, "state": None, **more}


def test_questions_about_renewal_are_gathered_and_fail_nobody(tmp_path: Path) -> None:
    silent = question(ask=False, certificate=None)
    found = {
        "a": {"acme_directory": NOWHERE, "certificates": [item("nothing", renewal_info=question())]},
        "b": {"acme_directory": REFUSING, "certificates": [item("nothing", renewal_info=question())]},
        "c": {"acme_directory": NOWHERE, "certificates": [item("nothing", renewal_info=silent), item("issue")]},
        "d": {"acme_directory": NOWHERE, "certificates": [item("nothing", renewal_info=question(), failed=True)]},
    }
    tasks = [
        {
            "certfleet.acme.acme_renewal_info": {
                "gather": "found",
                "acme_directory": NOWHERE,
                "item_failures": "report",
            },
            "delegate_to": "localhost",
            "run_once": True,
        }
    ]
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts = {name: {"found": result} for name, result in found.items()}
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"vars": local, "hosts": hosts}}), encoding="utf-8")
    book = tmp_path / "book.json"
    book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    run = playbook(book, inventory, tmp_path)
    (row,) = run.of("acme_renewal_info")
    (asked,) = row["result"]["certificates"]
    assert (asked["host"], asked["asked"], asked["renewal_info"]["failures"]) == ("a", True, 1)
    said = " ".join(run.output.split())
    assert "b: another CA is declared than for the batch" in said
    assert "no renewal information for web, decided by what is known and the lifetime" in said
