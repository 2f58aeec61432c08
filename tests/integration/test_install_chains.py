# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.host import only
from tests.support.service import CA, Service
from tests.support.small_ca import DAY, pem


def refused(kind: str, item: dict[str, Any], csr: str) -> dict[str, Any]:
    """An issued item with a chain that must not get into the store."""
    names = ["one.example"]
    other = pem(CA.sign(ec.generate_private_key(ec.SECP256R1()).public_key(), names))
    chains = {
        "key": other + pem(CA.intermediate),
        "names": CA.chain_for(csr, ["other.example"]),
        "expired": CA.chain_for(csr, lifetime=DAY, age=2 * DAY),
        "order": pem(x509.load_pem_x509_certificate(CA.chain_for(csr).encode())) + other,
        "damaged": CA.chain_for(csr)[:100] + CA.chain_for(csr)[140:],
        "upside down": pem(CA.intermediate) + item["certificate"],
    }
    return {**item, "fullchain": chains[kind], "certificate": "", "chain": ""}


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("key", "another key"),
        ("names", "for other.example, not for one.example"),
        ("expired", "expired at"),
        ("order", "out of order"),
        ("damaged", "cannot be read"),
        ("upside down", "another key"),
    ],
)
def test_a_chain_that_does_not_belong_is_refused_and_leaves_nothing(
    service: Service, kind: str, words: str, check: bool
) -> None:
    service.start()
    asked = service.host.module("certificate_request", certificates=service.both, force=True)["certificates"]
    one, two = (CA.issued(item) for item in asked)
    bad = refused(kind, one, asked[0]["csr_content"])
    before = {path: facts for path, facts in service.host.snapshot().items() if "/one" in path}
    result = service.install(service.both, issued=[bad, two], check=check)
    assert result["failed"]
    assert result["failed_items"] == ["one"]
    failed, fine = result["certificates"]
    assert failed["stage"] == "stage"
    assert words in failed["msg"]
    assert words in result["msg"]
    assert {path: facts for path, facts in service.host.snapshot().items() if "/one" in path} == before
    assert fine["changed"]
    if not check:
        assert fine["serial"] == service.served("two")
        # The request is still there: the right chain goes in.
        assert not service.install(service.both, issued=[one])["failed_items"]


def test_a_result_without_a_certificate_is_a_failure(service: Service) -> None:
    service.issue(service.both)
    item = only(service.install([service.declared("one")], issued=[{"name": "one", "failed": False}]))
    assert (item["failed"], item["stage"]) == (True, "stage")
    assert "no certificate came" in item["msg"]


def test_a_certificate_that_was_never_asked_for_here_is_refused(service: Service) -> None:
    service.serve("one")
    issued = service.issue([service.declared("one")])
    other = [{**issued[0], "name": "two"}, {**issued[0], "name": "three"}]
    result = service.install(service.both, issued=[*issued, *other])
    assert result["failed_items"] == ["two", "three"]
    assert "Run certificate_request first" in result["certificates"][1]["msg"]
    assert "not declared for this host" in result["certificates"][2]["msg"]
    assert result["certificates"][0]["deployed"]


def staged_files(service: Service) -> dict[str, Any]:
    return {path: facts for path, facts in service.host.snapshot().items() if "/one" in path}


@pytest.mark.parametrize("state", ["staged", "active"])
def test_two_runs_that_sent_one_request_to_the_ca_get_the_version_of_the_first(service: Service, state: str) -> None:
    one = [service.declared("one")]
    service.serve("one")
    asked = only(service.host.module("certificate_request", certificates=one))
    mine, theirs = CA.issued(asked), CA.issued(asked)
    assert mine["serial"] != theirs["serial"]
    first = only(service.install(one, issued=[theirs], state=state))
    before = service.host.snapshot()
    for check in (True, False):
        result = service.install(one, issued=[mine], state=state, check=check)
        item = only(result)
        assert (result["changed"], item["failed"], item["msg"]) == (False, False, "")
        assert (item["version"], item["serial"]) == ("0001", first["serial"]) == ("0001", theirs["serial"])
        assert item["stage"] == first["stage"]
    assert service.host.snapshot() == before
    assert not service.install(one, issued=[mine])["failed_items"]
    assert service.served("one") == theirs["serial"]


def test_a_run_that_another_one_has_overtaken_by_force(service: Service) -> None:
    one = [service.declared("one")]
    service.serve("one")
    mine = CA.issued(only(service.host.module("certificate_request", certificates=one)))
    # As long as the other run has nothing, neither has this one.
    asked = only(service.host.module("certificate_request", certificates=one, force=True))
    before = staged_files(service)
    item = only(service.install(one, issued=[mine]))
    assert (item["failed"], item["stage"], item["changed"]) == (True, "stage", False)
    assert "another run has asked for it anew meanwhile" in item["msg"]
    assert staged_files(service) == before
    theirs = only(service.install(one, issued=[CA.issued(asked)]))
    # Now the host has a newer certificate than the one that comes.
    result = service.install(one, issued=[mine])
    assert (result["changed"], only(result)["serial"], only(result)["failed"]) == (False, theirs["serial"], False)
    assert service.served("one") == theirs["serial"]
    # A certificate that the host never asked for is another matter.
    stranger = refused("key", mine, asked["csr_content"])
    assert "no request that the certificate could answer" in only(service.install(one, issued=[stranger]))["msg"]


def test_a_run_that_another_declaration_has_overtaken_fails(service: Service) -> None:
    one = service.declared("one")
    other = {**one, "identifiers": ["one.example", "www.one.example"]}
    service.serve("one")
    mine = CA.issued(only(service.host.module("certificate_request", certificates=[one])))
    theirs = only(service.install([other], issued=service.issue([other])))
    before = service.host.snapshot()
    item = only(service.install([one], issued=[mine], state="staged"))
    assert item["failed"]
    assert "another run has installed version 0001 meanwhile, but version 0001 is not as declared" in item["msg"]
    assert service.host.snapshot() == before
    assert service.served("one") == theirs["serial"]
