# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lab's servers say is true: each request counted once, each DNS answer what the emulator holds."""

from __future__ import annotations

import datetime
import json
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import dns.flags
import dns.message
import dns.query
import dns.rcode
import josepy
import pytest
from acme import challenges, client, messages
from acme import errors as acme_errors
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.conftest import provided
from tests.lab import tls
from tests.lab.api import Lab
from tests.lab.errors import LabError
from tests.lab.servers import pebble

PAIRS = [("acme2certifier", "ministack"), ("pebble", "moto")]
OTHER_PAIRS = [("acme2certifier", "moto"), ("pebble", "ministack")]
#: For what depends on the CA and not on the emulator.
OTHER_CAS = [("openbao", "ministack"), ("step-ca", "moto")]


def _pair_id(pair: tuple[str, str]) -> str:
    return "-".join(pair)


@pytest.fixture(scope="session")
def started() -> Iterator[dict[tuple[str, str], Lab]]:
    """The labs of this file's tests in this process, ended with it."""
    kept: dict[tuple[str, str], Lab] = {}
    try:
        yield kept
    finally:
        for lab in kept.values():
            lab.down()


@pytest.fixture(params=PAIRS, ids=_pair_id)
def own_lab(request: pytest.FixtureRequest, started: dict[tuple[str, str], Lab]) -> Lab:
    """A lab of one pair of CA and emulator, shared by the tests of this file."""
    ca, provider = request.param
    if (ca, provider) not in started:
        provided(ca)
        started[ca, provider] = Lab.up(ca=ca, dns_provider=provider, hosts=0)
    return started[ca, provider]


@pytest.fixture
def route53(own_lab: Lab) -> Any:
    """AWS's own client at the emulator."""
    return boto3.client(
        "route53",
        endpoint_url=own_lab.route53["endpoint_url"],
        aws_access_key_id=own_lab.route53["access_key"],
        aws_secret_access_key=own_lab.route53["secret_key"],
        region_name=own_lab.route53["region"],
    )


@pytest.fixture
def change(own_lab: Lab, route53: Any) -> Iterator[Callable[[str, str, str, list[str]], None]]:
    """Writes a record set in example.com; what is left at the end is deleted."""
    zone = own_lab.route53["zones"]["example.com"]
    left: dict[tuple[str, str], list[str]] = {}

    def write(action: str, name: str, kind: str, values: list[str]) -> None:
        record = {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value} for value in values]}
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
        left.pop((name, kind), None)
        if action != "DELETE":
            left[name, kind] = values

    yield write
    for (name, kind), values in list(left.items()):
        write("DELETE", name, kind, values)


def _ask(lab: Lab, name: str, kind: str = "TXT", transport: str = "UDP", edns: bool = True) -> dns.message.Message:
    address, _colon, port = lab.dns.partition(":")
    query = dns.message.make_query(name, kind, use_edns=0 if edns else None, payload=1232 if edns else None)
    send = dns.query.udp if transport == "UDP" else dns.query.tcp
    return send(query, address, port=int(port), timeout=5)


def _values(answer: dns.message.Message) -> list[str]:
    """The TXT values of an answer, and the targets of its aliases."""
    return sorted(record.to_text() for rrset in answer.answer for record in rrset)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_an_answer_is_what_the_emulator_holds_at_that_moment(own_lab: Lab, change: Any, transport: str) -> None:
    name = f"_acme-challenge.{transport.lower()}.example.com"
    assert _ask(own_lab, name, transport=transport).rcode() == dns.rcode.NXDOMAIN
    change("CREATE", name, "TXT", ['"one"', '"two"'])
    answer = _ask(own_lab, name, transport=transport)
    assert _values(answer) == ['"one"', '"two"']
    assert answer.flags & dns.flags.AA
    assert own_lab.txt_values(name) == ["one", "two"]
    change("UPSERT", name, "TXT", ['"two"', '"three"'])
    assert _values(_ask(own_lab, name.upper(), transport=transport)) == ['"three"', '"two"']
    change("DELETE", name, "TXT", ['"two"', '"three"'])
    assert _ask(own_lab, name, transport=transport).rcode() == dns.rcode.NXDOMAIN
    assert own_lab.txt_values(name) == []


def test_names_that_exist_without_the_type_and_zones_of_others(own_lab: Lab, change: Any) -> None:
    change("CREATE", "_acme-challenge.deep.between.example.com", "TXT", ['"x"'])
    between = _ask(own_lab, "between.example.com")
    assert between.rcode() == dns.rcode.NOERROR
    assert not between.answer
    assert between.authority[0].rdtype == dns.rdatatype.SOA
    assert _ask(own_lab, "example.org").rcode() == dns.rcode.REFUSED
    assert _ask(own_lab, "example.com", "NS").answer
    assert _ask(own_lab, "example.com", "SOA").answer[0][0].minimum > 0


def test_an_alias_is_followed_into_another_zone(own_lab: Lab, change: Any, route53: Any) -> None:
    change("CREATE", "_acme-challenge.alias.example.com", "CNAME", ["alias.example.net."])
    record = {"Name": "alias.example.net", "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": '"far"'}]}
    zone = own_lab.route53["zones"]["example.net"]
    for action in ("CREATE", "DELETE"):
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
        held = ['"far"'] if action == "CREATE" else []
        assert _values(_ask(own_lab, "_acme-challenge.alias.example.com")) == [*held, "alias.example.net."]


def test_a_wildcard_answers_for_names_that_do_not_exist(own_lab: Lab, change: Any) -> None:
    change("CREATE", "*.wild.example.com", "TXT", ['"any"'])
    change("CREATE", "here.wild.example.com", "A", ["127.0.0.1"])
    assert _values(_ask(own_lab, "some.thing.wild.example.com")) == ['"any"']
    assert _values(_ask(own_lab, "here.wild.example.com")) == []


def test_a_zone_made_later_is_answered_at_once(own_lab: Lab, route53: Any) -> None:
    made = route53.create_hosted_zone(Name="late.example.com", CallerReference=str(time.time()))
    zone = made["HostedZone"]["Id"]
    assert _ask(own_lab, "late.example.com", "SOA").answer
    assert _ask(own_lab, "late.example.com", "NS").answer[0].name.to_text() == "late.example.com."
    route53.delete_hosted_zone(Id=zone)
    assert not _ask(own_lab, "late.example.com", "SOA").answer


def test_an_answer_too_long_for_udp_is_cut_there_and_whole_over_tcp(own_lab: Lab, change: Any) -> None:
    values = [f'"{number:043d}"' for number in range(10)]
    change("CREATE", "_acme-challenge.long.example.com", "TXT", values)
    short = _ask(own_lab, "_acme-challenge.long.example.com", edns=False)
    assert short.flags & dns.flags.TC
    assert not short.answer
    assert _values(_ask(own_lab, "_acme-challenge.long.example.com", edns=True)) == values
    assert _values(_ask(own_lab, "_acme-challenge.long.example.com", transport="TCP")) == values


def test_a_lag_hides_new_values_only(own_lab: Lab, change: Any) -> None:
    name = "_acme-challenge.lag.example.com"
    change("CREATE", name, "TXT", ['"old"'])
    assert _values(_ask(own_lab, name)) == ['"old"']
    own_lab.set_dns_lag(0.6)
    try:
        change("UPSERT", name, "TXT", ['"old"', '"new"'])
        asked = time.monotonic()
        assert _values(_ask(own_lab, name)) == ['"old"']
        while _values(_ask(own_lab, name)) != ['"new"', '"old"']:
            assert time.monotonic() - asked < 10
            time.sleep(0.02)
        assert time.monotonic() - asked >= 0.6
    finally:
        own_lab.set_dns_lag(0.0)


@pytest.mark.parametrize("own_lab", OTHER_CAS, indirect=True, ids=_pair_id)
def test_the_requests_of_a_ca_are_read_from_its_own_log(own_lab: Lab) -> None:
    own_lab.reset_log()
    context = ssl.create_default_context(cafile=own_lab.acme["ca_path"])
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    directory = own_lab.acme["directory"]
    known = json.loads(opener.open(directory).read())
    for _number in range(2):
        opener.open(urllib.request.Request(known["newNonce"], method="HEAD")).read()
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(urllib.request.Request(known["newOrder"], data=b"{}", headers={"Content-Type": "text/plain"}))
    deadline = time.monotonic() + 5
    while len(own_lab.requests("acme")) < 4:  # some write them down after they answered
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert [(entry["kind"], entry["method"], entry["status"]) for entry in own_lab.requests("acme")] == [
        ("directory", "GET", 200),
        ("newNonce", "HEAD", 200),
        ("newNonce", "HEAD", 200),
        ("newOrder", "POST", refused.value.code),
    ]
    own_lab.reset_log()
    assert own_lab.requests("acme") == []


def test_every_request_is_counted_once(own_lab: Lab, route53: Any) -> None:
    own_lab.reset_log()
    context = ssl.create_default_context(cafile=own_lab.acme["ca_path"])
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    directory = own_lab.acme["directory"]
    nonce = directory.rpartition("/")[0] + ("/nonce-plz" if own_lab.ca == pebble.NAME else "/acme/newnonce")
    for _number in range(3):
        opener.open(directory).read()
    for _number in range(2):
        opener.open(urllib.request.Request(nonce, method="HEAD")).read()
    zone = own_lab.route53["zones"]["example.com"]
    record = {"Name": "n.example.com", "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": '"v"'}]}
    for action in ("CREATE", "DELETE"):
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        made = route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
        route53.get_change(Id=made["ChangeInfo"]["Id"])
    route53.list_hosted_zones()
    route53.list_hosted_zones_by_name(DNSName="example.com")
    for _number in range(4):
        route53.list_resource_record_sets(HostedZoneId=zone)
    with pytest.raises(route53.exceptions.ClientError):
        route53.get_hosted_zone(Id="ZNOSUCHZONE")
    for _number in range(5):
        _ask(own_lab, "count.example.com")
    _ask(own_lab, "count.example.com", "CNAME", transport="TCP")
    own_lab.txt_values("count.example.com")
    own_lab.all_txt()

    assert dict(own_lab.counts("acme")) == {"directory": 3, "newNonce": 2}
    assert dict(own_lab.counts("route53")) == {
        "ChangeResourceRecordSets": 2,
        "GetChange": 2,
        "ListHostedZones": 1,
        "ListHostedZonesByName": 1,
        "ListResourceRecordSets": 4,
        "GetHostedZone": 1,
    }
    assert dict(own_lab.counts("dns")) == {"TXT": 5, "CNAME": 1}
    refused = [entry for entry in own_lab.requests("route53") if entry["kind"] == "GetHostedZone"]
    assert refused[0]["status"] == 404
    last = own_lab.requests("dns")[-1]
    assert (last["kind"], last["method"], last["path"]) == ("CNAME", "TCP", "count.example.com")
    assert (last["status"], last["time"] > 0) == ("NXDOMAIN", True)
    own_lab.reset_log()
    assert [own_lab.requests(server) for server in ("acme", "route53", "dns")] == [[], [], []]
    with pytest.raises(LabError, match="no server"):
        own_lab.requests("nowhere")


@pytest.mark.parametrize("own_lab", [PAIRS[0]], indirect=True, ids=_pair_id)
def test_ministack_refuses_an_access_key_it_does_not_know(own_lab: Lab) -> None:
    stranger = boto3.client(
        "route53",
        endpoint_url=own_lab.route53["endpoint_url"],
        aws_access_key_id="AKIASTRANGER00000000",
        aws_secret_access_key="none",
        region_name="us-east-1",
    )
    with pytest.raises(stranger.exceptions.ClientError, match="InvalidClientTokenId"):
        stranger.list_hosted_zones()


def _acme_client(lab: Lab, *, register: bool = True) -> tuple[client.ClientV2, josepy.JWKEC]:
    key = josepy.JWKEC(key=ec.generate_private_key(ec.SECP256R1()))
    network = client.ClientNetwork(key, alg=josepy.ES256, verify_ssl=lab.acme["ca_path"])
    network.session.trust_env = False
    directory = client.ClientV2.get_directory(lab.acme["directory"], network)
    session = client.ClientV2(directory, network)
    if register:
        session.new_account(messages.NewRegistration.from_data(email="a@example.com", terms_of_service_agreed=True))
    return session, key


@pytest.mark.parametrize("ca", ["openbao", "step-ca"])
def test_a_lab_may_want_new_accounts_bound(ca: str) -> None:
    provided(ca)
    with Lab.up(ca=ca, hosts=0, binding_required=True) as lab:
        if lab.acme.get("program") == "caddy":
            pytest.skip("Caddy cannot be told to want it")
        with pytest.raises(messages.Error, match="externalAccountRequired"):
            _acme_client(lab)
        if ca == "step-ca":
            with pytest.raises(LabError, match="has no key"):
                lab.new_binding()
            return
        binding = lab.new_binding()
        session, key = _acme_client(lab, register=False)
        bound = messages.ExternalAccountBinding.from_data(
            key.public_key(), binding["kid"], binding["key"], session.directory
        )
        wanted = messages.NewRegistration.from_data(
            email="a@example.com", terms_of_service_agreed=True, external_account_binding=bound
        )
        assert session.new_account(wanted).uri


def _csr(names: list[str]) -> bytes:
    alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(alternative, False)
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def _issue(lab: Lab, change: Any, names: list[str]) -> tuple[client.ClientV2, str]:
    session, key = _acme_client(lab)
    order = session.new_order(_csr(names))
    values: dict[str, list[str]] = {}
    answers = []
    for authorization in order.authorizations:
        challenge = next(c for c in authorization.body.challenges if isinstance(c.chall, challenges.DNS01))
        response, value = challenge.response_and_validation(key)
        name = challenge.chall.validation_domain_name(authorization.body.identifier.value)
        values.setdefault(name, []).append(f'"{value}"')
        answers.append((challenge, response))
    for name, found in values.items():
        change("CREATE", name, "TXT", found)
    for challenge, response in answers:
        session.answer_challenge(challenge, response)
    deadline = datetime.datetime.now() + datetime.timedelta(seconds=30)
    return session, session.poll_and_finalize(order, deadline).fullchain_pem


@pytest.mark.parametrize("own_lab", PAIRS + OTHER_PAIRS + OTHER_CAS, indirect=True, ids=_pair_id)
def test_a_certificate_comes_out_and_its_revocation_is_seen(own_lab: Lab, change: Any) -> None:
    session, fullchain = _issue(own_lab, change, ["example.com", "*.example.com"])
    leaf, issuer = x509.load_pem_x509_certificates(fullchain.encode())[:2]
    leaf.verify_directly_issued_by(issuer)
    root = x509.load_pem_x509_certificate(Path(own_lab.acme["issuer_path"]).read_bytes())
    issuer.verify_directly_issued_by(root)
    serial = f"{leaf.serial_number:x}"
    if own_lab.acme.get("program") == "caddy":
        session.revoke(leaf, 0)
        with pytest.raises(LabError, match="shows no revocation list"):
            own_lab.is_revoked(serial)
        return
    assert not own_lab.is_revoked(serial)
    session.revoke(leaf, 0)
    assert own_lab.is_revoked(serial)


def test_a_value_that_is_not_there_makes_no_certificate(own_lab: Lab) -> None:
    session, key = _acme_client(own_lab)
    order = session.new_order(_csr(["nothing-written.example.com"]))
    authorization = order.authorizations[0]
    challenge = next(c for c in authorization.body.challenges if isinstance(c.chall, challenges.DNS01))
    own_lab.reset_log()
    session.answer_challenge(challenge, challenge.response(key))
    deadline = time.monotonic() + 20
    while session.poll(authorization)[0].body.status != messages.STATUS_INVALID:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    asked = own_lab.requests("dns")
    assert {entry["path"] for entry in asked} == {"_acme-challenge.nothing-written.example.com"}
    assert {entry["status"] for entry in asked} == {"NXDOMAIN"}
    with pytest.raises(messages.Error, match="orderNotReady"):
        session.begin_finalization(order)


@pytest.mark.parametrize("own_lab", OTHER_CAS, indirect=True, ids=_pair_id)
def test_a_ca_that_tries_again_leaves_a_wrong_value_pending(own_lab: Lab) -> None:
    session, key = _acme_client(own_lab)
    order = session.new_order(_csr(["not-yet-written.example.com"]))
    authorization = order.authorizations[0]
    challenge = next(c for c in authorization.body.challenges if isinstance(c.chall, challenges.DNS01))
    own_lab.reset_log()
    session.answer_challenge(challenge, challenge.response(key))
    deadline = time.monotonic() + 20
    while not own_lab.requests("dns"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert {entry["path"] for entry in own_lab.requests("dns")} == {"_acme-challenge.not-yet-written.example.com"}
    assert session.poll(authorization)[0].body.status == messages.STATUS_PENDING


@pytest.mark.parametrize("own_lab", PAIRS + OTHER_CAS, indirect=True, ids=_pair_id)
def test_a_refused_domain_is_refused_at_new_order(own_lab: Lab) -> None:
    session, _key = _acme_client(own_lab)
    with pytest.raises(messages.Error, match="rejectedIdentifier"):
        session.new_order(_csr(["www.refused.test"]))
    assert session.new_order(_csr(["www.example.com"])).body.status == messages.STATUS_PENDING


@pytest.mark.parametrize("own_lab", [PAIRS[0]], indirect=True, ids=_pair_id)
def test_acme2certifier_refuses_a_name_at_finalize(own_lab: Lab, change: Any) -> None:
    with pytest.raises((messages.Error, acme_errors.Error)):
        _issue(own_lab, change, ["refused.example.com"])


def _install(lab: Lab, certificate: str, version: str) -> str:
    """Put a certificate of the lab's making into web1's store and switch `current` to it; returns its serial."""
    folder = Path(lab.hosts["web1"]["store_path"]) / certificate
    (folder / "versions" / version).mkdir(parents=True)
    pair = tls.make_listener(tls.make_authority("a test"))
    pair.write(folder / "versions" / version / "fullchain.pem", folder / "versions" / version / "privkey.pem")
    (folder / "next").symlink_to(f"versions/{version}")
    (folder / "next").rename(folder / "current")
    return f"{pair.certificate.serial_number:x}"


def test_a_host_starts_reloads_and_refuses_like_a_service() -> None:
    with Lab.up(hosts=1) as lab:
        host = lab.hosts["web1"]
        assert lab.service("web1", "status") == 3
        early = subprocess.run(host["reload"], capture_output=True, text=True, check=False)
        assert early.returncode == 1
        assert "cannot load certificate" in early.stderr
        assert "nginx-web1" not in lab.status()
        first = {name: _install(lab, name, "0001") for name in ("apex", "web")}
        subprocess.run(host["check"], check=True)
        subprocess.run(host["reload"], check=True)
        assert lab.served("web1", "www.example.com").serial == first["apex"]
        assert lab.served("web1", "web1.example.com").serial == first["web"]
        second = _install(lab, "web", "0002")
        assert lab.served("web1", "web1.example.com").serial == first["web"]
        subprocess.run(host["reload"], check=True)
        deadline = time.monotonic() + 10
        while lab.served("web1", "web1.example.com").serial != second:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        (Path(host["store_path"]) / "web" / "current" / "privkey.pem").write_text("no key")
        assert subprocess.run(host["check"], capture_output=True, check=False).returncode != 0
        assert subprocess.run(host["reload"], capture_output=True, check=False).returncode != 0
        assert lab.served("web1", "web1.example.com").serial == second, "a refused reload must change nothing"
        assert lab.service("web1", "stop") == 0
        with pytest.raises(ConnectionRefusedError):
            lab.served("web1", "web1.example.com")
