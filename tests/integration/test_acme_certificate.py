# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils import _x509

from tests.integration.conftest import Labs
from tests.integration.providers import access, cloud_of, dns_of, pairs, zone_ids
from tests.lab import tls
from tests.lab.servers.pebble import WORST
from tests.support.controller import Controller, item, make_csr, make_key

LABS = [("pebble", "ministack"), ("acme2certifier", "moto")]
BOTH = pytest.mark.parametrize("lab", pairs(*LABS), indirect=True)
#: Also with the other provider, in every run.
ALL = pytest.mark.parametrize("lab", pairs(*LABS, ("pebble", "cloud_dns")), indirect=True)


@pytest.fixture
def controller(lab: Any, tmp_path: Path) -> Controller:
    made = Controller(lab, tmp_path)
    made.account()
    return made


def only(result: dict[str, Any]) -> dict[str, Any]:
    (found,) = result["certificates"]
    assert isinstance(found, dict)
    return found


def writes(controller: Controller) -> int:
    dns = dns_of(controller.lab)
    return controller.lab.counts(dns.name)[dns.write]


@ALL
def test_one_certificate_takes_nine_requests_at_most(controller: Controller) -> None:
    wanted = item("one", "one.example.com", host="web1")
    result = controller.issue([wanted])
    assert result["changed"]
    found = only(result)
    assert (found["name"], found["host"], found["failed"], found["msg"]) == ("one", "web1", False, "")
    _x509.check_chain_for_csr(found["fullchain"], wanted["csr_content"])
    assert found["certificate"] + found["chain"] == found["fullchain"]
    assert found["identifiers"] == ["one.example.com"]
    assert found["acme_directory"] == controller.lab.acme["directory"]
    counts = controller.lab.counts("acme")
    expected = Counter(
        ["directory", "newNonce", "newAccount", "newOrder", "authz", "challenge", "finalize", "certificate"]
    )
    if controller.lab.ca == "pebble":  # acme2certifier issues while it is asked to
        expected["order"] = 1
    assert counts == expected
    assert sum(counts.values()) <= 9
    assert controller.lab.all_txt() == {}


@ALL
def test_a_batch_takes_six_requests_a_certificate_and_one_dns_change_each_way(controller: Controller) -> None:
    number = 24 if controller.lab.ca == "pebble" else 10  # acme2certifier takes 0.4 s for each
    result = controller.issue([item(f"b{one}", f"b{one}.example.com") for one in range(number)])
    assert [one["failed"] for one in result["certificates"]] == [False] * number
    assert len({one["serial"] for one in result["certificates"]}) == number
    counts = controller.lab.counts("acme")
    assert counts["directory"] == counts["newAccount"] == 1
    assert counts["newNonce"] <= 8
    for kind in ("newOrder", "authz", "challenge", "certificate"):
        assert counts[kind] == number
    # A guess of the delay that was too short costs two requests more; it is learned from.
    assert sum(counts.values()) <= number * 6 + 10 + 2 * 8
    assert writes(controller) == 2
    assert sum(controller.lab.counts(dns_of(controller.lab).name).values()) <= 6
    assert controller.lab.all_txt() == {}


@ALL
def test_apex_and_wildcard_in_one_certificate(controller: Controller) -> None:
    wanted = item("apex", "example.com", "*.example.com")
    found = only(controller.issue([wanted]))
    assert found["identifiers"] == ["*.example.com", "example.com"]
    _x509.check_chain_for_csr(found["fullchain"], wanted["csr_content"])
    assert controller.lab.all_txt() == {}


@BOTH
@pytest.mark.parametrize("kind", ["ecdsa-p384", "rsa-2048", "rsa-4096"])
def test_certificates_for_keys_of_each_kind(controller: Controller, kind: str) -> None:
    wanted = {"name": kind, "csr_content": make_csr(f"{kind}.example.com", key=make_key(kind))}
    found = only(controller.issue([wanted]))
    assert found["msg"] == ""
    assert _x509.certificate_facts(_x509.load_chain(found["certificate"])[0])["key_type"] == kind


@ALL
def test_ten_names_and_one_that_the_ca_refuses(controller: Controller) -> None:
    names = [f"ten{one}.example.com" for one in range(10)]
    names[4] = "ten4.refused.test"
    result = controller.issue([item(name, name) for name in names])
    assert result["failed"]
    assert result["changed"]
    assert result["failed_items"] == ["ten4.refused.test"]
    assert [bool(one["fullchain"]) for one in result["certificates"]] == [name != names[4] for name in names]
    refused = result["certificates"][4]
    assert refused["msg"].startswith("the CA refused the order for ten4.refused.test: rejectedIdentifier: ")
    assert refused["problem"]["type"] == "urn:ietf:params:acme:error:rejectedIdentifier"
    assert result["msg"].startswith("1 of 10 certificates failed: ten4.refused.test: ")
    assert controller.lab.all_txt() == {}


def test_a_name_that_the_ca_refuses_at_the_end_fails_alone_and_leaves_nothing(labs: Labs, tmp_path: Path) -> None:
    controller = Controller(labs.get("acme2certifier"), tmp_path)
    controller.account()
    names = ["refused.example.com", "end1.example.com", "end2.example.com"]
    result = controller.issue([item(name, name) for name in names], item_failures="report")
    assert not result.get("failed")
    assert result["failed_items"] == names[:1]
    assert result["certificates"][0]["msg"].startswith(
        "the CA gave the order for refused.example.com up: the CA refused the CSR for refused.example.com: "
    )
    assert result["certificates"][0]["problem"]["type"] == "urn:ietf:params:acme:error:serverInternal"
    assert all(one["fullchain"] for one in result["certificates"][1:])
    assert controller.lab.all_txt() == {}


def test_a_name_without_a_zone_fails_alone_and_is_given_up_at_the_ca(labs: Labs, tmp_path: Path) -> None:
    controller = Controller(labs.get("pebble"), tmp_path)
    controller.account()
    result = controller.issue([item("none", "none.unknown.test"), item("some", "some.example.com")])
    assert result["failed_items"] == ["none"]
    title = dns_of(controller.lab).title
    assert f"no public {title} zone holds _acme-challenge.none.unknown.test" in result["certificates"][0]["msg"]
    assert result["certificates"][0]["warnings"] == []
    assert result["certificates"][1]["fullchain"]
    assert controller.lab.counts("acme")["authz"] == 3  # both read, one of them deactivated
    order = controller.module(
        "acme_validate",
        **controller.ca(orders=[{"name": "none", "order_uri": result["certificates"][0]["order_uri"]}]),
    )
    assert "none.unknown.test: deactivated" in order["msg"]


@ALL
def test_check_mode_reads_the_directory_and_the_zones_and_writes_nothing(
    controller: Controller, tmp_path: Path
) -> None:
    fresh = {"account_key_src": str(tmp_path / "none.pem"), "generate_account_key": True, "terms_agreed": True}
    wanted = [
        item("good", "good.example.com", profile="default"),
        {"name": "later", "identifiers": ["later.example.com"]},
        item("zone", "a.unknown.test"),
        item("profile", "good.example.com", profile="imagined"),
    ]
    result = controller.issue(wanted, check=True, item_failures="report", **fresh)
    assert [one["changed"] for one in result["certificates"]] == [True, True, False, False]
    assert f"no public {dns_of(controller.lab).title} zone" in result["certificates"][2]["msg"]
    assert (
        "the CA does not offer the profile imagined: it offers default, shortlived"
        in (result["certificates"][3]["msg"])
    )
    assert not (tmp_path / "none.pem").exists()
    assert controller.lab.counts("acme") == {"directory": 1}
    assert writes(controller) == 0


@BOTH
def test_a_profile_is_ordered_and_told(controller: Controller) -> None:
    found = only(controller.issue([item("short", "short.example.com", profile="shortlived")]))
    assert (found["failed"], found["profile"]) == (False, "shortlived")


@BOTH
def test_the_order_of_an_earlier_run_gives_its_certificate_again(controller: Controller) -> None:
    wanted = item("kept", "kept.example.com")
    first = only(controller.issue([wanted]))
    resumed = {**wanted, "order_uri": first["order_uri"]}
    for check in (True, False):
        controller.lab.reset_log()
        result = controller.issue([resumed], check=check)
        assert not result["changed"]
        assert only(result)["serial"] == first["serial"]
        assert controller.lab.counts("acme")["newOrder"] == 0
        assert writes(controller) == 0
    other_key = {**item("kept", "kept.example.com"), "order_uri": first["order_uri"]}
    again = only(controller.issue([other_key]))
    assert again["changed"]
    assert again["serial"] != first["serial"]


@BOTH
def test_an_order_that_was_made_before_is_gone_on_with(controller: Controller) -> None:
    wanted = item("resumed", "resumed.example.com")
    order = controller.module(
        "acme_order", **controller.ca(orders=[{"name": "resumed", "csr_content": wanted["csr_content"]}])
    )["orders"][0]
    controller.lab.reset_log()
    found = only(controller.issue([{**wanted, "order_uri": order["order_uri"]}]))
    assert found["order_uri"] == order["order_uri"]
    assert found["fullchain"]
    assert controller.lab.counts("acme")["newOrder"] == 0


def test_what_a_certificate_replaces_is_told_to_the_ca_and_a_refusal_is_a_warning(labs: Labs, tmp_path: Path) -> None:
    controller = Controller(labs.get("pebble"), tmp_path)
    controller.account()
    first = only(controller.issue([item("r", "replaced.example.com")]))
    ari = _x509.ari_cert_id(_x509.load_chain(first["certificate"])[0])
    second = only(controller.issue([item("r", "replaced.example.com", replaces=ari)]))
    assert (second["changed"], second["warnings"]) == (True, [])
    third = controller.issue([item("r", "replaced.example.com", replaces=ari)])
    assert only(third)["changed"]
    (warning,) = only(third)["warnings"]
    assert warning.startswith("the CA refused to note which certificate is replaced: ")
    assert warning in json.dumps(third["warnings"])


def test_pebble_at_its_worst_loses_no_certificate(labs: Labs, tmp_path: Path) -> None:
    """Every second nonce refused, validated names offered again, two chains to choose from."""
    with labs.fresh("pebble", hosts=0, pebble_environment={**WORST, "PEBBLE_VA_NOSLEEP": "1"}) as lab:
        controller = Controller(lab, tmp_path)
        controller.account()
        wanted = [item(f"w{one}", f"w{one}.example.com") for one in range(10)]
        result = controller.issue(wanted)
        assert result["failed_items"] == []
        assert len({one["serial"] for one in result["certificates"]}) == 10
        assert lab.all_txt() == {}

        lab.reset_log()
        issuers = set()
        for which in ("0", "1"):
            status, root = lab._management("GET", f"/roots/{which}")
            assert status == 200
            name = _x509.load_chain(root.decode())[0].subject
            common = name.rfc4514_string().partition("CN=")[2]
            chosen = only(controller.issue([{**wanted[0], "select_chain": [{"issuer": {"CN": common}}]}]))
            assert chosen["failed"] is False
            last = _x509.load_chain(chosen["fullchain"])[-1]
            assert last.issuer == name
            issuers.add(common)
        assert len(issuers) == 2
        assert lab.counts(dns_of(lab).name) == {}  # the name was valid already


def test_sigterm_takes_the_txt_values_away(labs: Labs, tmp_path: Path) -> None:
    controller = Controller(labs.get("acme2certifier"), tmp_path)
    controller.account()
    lab = controller.lab
    lab.set_dns_lag(300)  # it would wait that long for DNS
    try:
        options = {**controller.ca(), **controller.dns(), "certificates": [item("t", "term.example.com")]}
        process = controller.start("acme_certificate", **options)
        deadline = time.monotonic() + 60
        while not lab.txt_values("_acme-challenge.term.example.com"):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=60)[0]
    finally:
        lab.set_dns_lag(0)
    result = json.loads(output)
    assert result["failed"]
    assert "ended by SIGTERM; what was in DNS is removed" in result["msg"]
    assert lab.all_txt() == {}


class TestBadInput:
    """One line each, no leftovers; what can be seen before the first request is."""

    @pytest.fixture
    def controller(self, labs: Labs, tmp_path: Path) -> Controller:
        made = Controller(labs.get("acme2certifier"), tmp_path)
        made.account()
        return made

    @pytest.mark.parametrize(
        ("spec", "cause"),
        [
            ({"csr_content": "nonsense"}, "the CSR cannot be read"),
            ({"csr_content": None}, "csr_content is empty"),
            (item("x", "a.example.com", identifiers=["b.example.com"]), "the CSR is for a.example.com, not for b."),
            (item("x", "a.example.com", select_chain=[{}]), "number 1 of select_chain names nothing"),
        ],
    )
    def test_items(self, controller: Controller, spec: dict[str, Any], cause: str) -> None:
        result = controller.issue([{"name": "x", **spec}])
        assert result["failed"]
        assert cause in result["certificates"][0]["msg"]
        assert sum(controller.lab.counts("acme").values()) == 0

    @pytest.mark.parametrize("content", ["nonsense", None, "other"])
    def test_ca_bundle(self, controller: Controller, tmp_path: Path, content: str | None) -> None:
        path = tmp_path / "bundle.pem"
        if content == "other":
            tls.make_authority("somebody else").write(path, tmp_path / "other.key")
        elif content is not None:
            path.write_text(content)
        result = controller.issue([item("x", "a.example.com")], ca_path=str(path))
        assert result["failed"]
        cause = "is not trusted" if content == "other" else f"ca_path {path} is not a usable CA bundle"
        assert cause in result["msg"]
        assert "ca_path" in result["msg"]
        assert controller.lab.counts("acme") == {}

    def test_key(self, controller: Controller, tmp_path: Path) -> None:
        result = controller.issue([item("x", "a.example.com")], account_key_src=str(tmp_path / "none.pem"))
        assert "none.pem cannot be read: No such file or directory" in result["msg"]
        assert controller.lab.counts("acme") == {}

    def test_ca_that_is_down_becomes_the_failure_of_every_item_that_is_reported(self, controller: Controller) -> None:
        wanted = [item("x", "x.example.com", host="web1"), item("y", "y.example.com", host="web2")]
        down: dict[str, Any] = {"acme_directory": "https://127.0.0.1:1/directory"}
        failed = controller.issue(wanted, **down)
        assert failed["failed"]
        assert "127.0.0.1:1 cannot be reached: Connection refused" in failed["msg"]
        assert failed["msg"].count("Connection refused") == 1
        reported = controller.issue(wanted, item_failures="report", **down)
        assert not reported.get("failed")
        assert not reported["changed"]
        assert reported["failed_items"] == ["x", "y"]
        assert [one["host"] for one in reported["certificates"]] == ["web1", "web2"]
        assert all("Connection refused" in one["msg"] for one in reported["certificates"])

    def test_account(self, controller: Controller) -> None:
        result = controller.issue([item("x", "a.example.com")], account_uri="https://127.0.0.1/account/1")
        assert "not to https://127.0.0.1/account/1" in result["msg"]
        assert controller.lab.counts("acme")["newOrder"] == 0

    def test_no_dns_provider(self, controller: Controller) -> None:
        result = controller.issue([item("x", "a.example.com")], dns_providers=[])
        assert "no DNS provider is given" in result["certificates"][0]["msg"]
        assert controller.lab.counts(dns_of(controller.lab).name) == {}


def test_a_wildcards_cname_does_not_lead_the_challenge_away(controller: Controller, tmp_path: Path) -> None:
    """A CA finds the value at the name, where it ends what the wildcard says."""
    lab = controller.lab
    cloud, zones = cloud_of(lab, tmp_path), zone_ids(lab)
    cloud.put(zones["example.com"], "*.wild.example.com", ["lb.cdn.test."], kind="CNAME")
    found = only(controller.issue([item("wild", "w1.wild.example.com")]))
    assert found["msg"] == ""
    assert lab.all_txt() == {}


@ALL
def test_a_challenge_is_answered_where_its_cname_leads(controller: Controller, tmp_path: Path) -> None:
    """The name's own zone belongs to nobody in dns_providers; only the zone that it is delegated into does."""
    lab = controller.lab
    cloud, zones, dns = cloud_of(lab, tmp_path), zone_ids(lab), dns_of(lab)
    name, target = "_acme-challenge.moved.example.com", "_acme-challenge.moved.example.com.acme.example.net"
    cloud.put(zones["example.com"], name, [f"{target}."], kind="CNAME")
    providers = [
        {
            "provider": dns.name,
            "zones": ["example.net"],
            dns.name: {**access(lab), "zone_ids": {"example.net": zones["example.net"]}},
        }
    ]
    wanted = item("moved", "moved.example.com", "*.moved.example.com")
    refused = only(controller.issue([wanted], dns_providers=providers, dns_follow_cname=False))
    assert "no DNS provider is given for _acme-challenge.moved.example.com" in refused["msg"]
    found = only(controller.issue([wanted], dns_providers=providers))
    assert found["msg"] == ""
    _x509.check_chain_for_csr(found["fullchain"], wanted["csr_content"])
    assert lab.all_txt() == {}
