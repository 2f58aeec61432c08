# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Orders (RFC 8555 sections 7.1.3 and 7.4, RFC 8738, RFC 9773 section 5, draft-ietf-acme-profiles)."""

from __future__ import annotations

import datetime

from ansible_collections.certfleet.acme.plugins.module_utils._x509 import certificate_facts, load_chain

from tests.interop.ground import Ground, serving
from tests.interop.registry import NotHere, feature, refused, untried, works
from tests.support.controller import make_csr, make_key

SUBJECT = "Orders"


@feature(SUBJECT, "A wildcard and its apex in one certificate", quick=True)
def wildcard(ground: Ground) -> None:
    ground.made()
    name = ground.name("apex")
    found = ground.issued(name, f"*.{name}")
    assert found["identifiers"] == sorted([name, f"*.{name}"])
    assert ground.lab.all_txt() == {}


@feature(SUBJECT, "An internationalised name")
def idn(ground: Ground) -> None:
    ground.made()
    label, _dot, domain = ground.name("b\u00fccher").partition(".")
    order = ground.ordered(f"{label}.{domain}")
    (ascii_name,) = order["identifiers"]
    assert ascii_name.startswith("xn--")
    assert ground.issued(ascii_name, identifiers=[f"{label}.{domain}"])["identifiers"] == [ascii_name]


@feature(SUBJECT, "100 names in one certificate")
def hundred(ground: Ground) -> None:
    ground.made()
    base = ground.name("many")
    names = [f"n{number}.{base}" for number in range(100)]
    assert ground.issued(csr=make_csr(*names), patience=300)["identifiers"] == sorted(names)


@feature(SUBJECT, "Certificate keys ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096")
def key_types(ground: Ground) -> None:
    ground.made()
    kinds = ("ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096")
    items = [{"name": kind, "csr_content": make_csr(ground.name(kind), key=make_key(kind))} for kind in kinds]
    found = ground.run("acme_certificate", certificates=items, **ground.dns())
    held = [certificate_facts(load_chain(entry["certificate"])[0])["key_type"] for entry in found["certificates"]]
    assert held == list(kinds)


@feature(
    SUBJECT,
    "A profile that is offered",
    everywhere=refused("does not offer the profile shortlived: it offers none"),
    pebble=works("with the profile's lifetime"),
    acme2certifier=works("taken, the certificate is as without"),
)
def profile(ground: Ground) -> str:
    ground.made()
    found = ground.issued(ground.name("profile"), profile="shortlived")
    lifetime = _instant(found["not_after"]) - _instant(found["not_before"])
    short = lifetime < datetime.timedelta(days=7)
    return "with the profile's lifetime" if short else "taken, the certificate is as without"


@feature(SUBJECT, "A profile that is not offered", everywhere=refused("does not offer the profile imagined"))
def unknown_profile(ground: Ground) -> None:
    ground.made()
    try:
        ground.issued(ground.name("profile"), profile="imagined")
    finally:
        assert ground.lab.counts("acme")["newOrder"] == 0


@feature(
    SUBJECT,
    "notBefore and notAfter",
    everywhere=works("kept"),
    acme2certifier=works("dropped by the CA"),
    openbao=refused("malformed", "NotBefore and NotAfter are not supported"),
)
def validity(ground: Ground) -> str:
    ground.made()
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    wanted = {
        "not_before": (now + datetime.timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "not_after": (now + datetime.timedelta(days=10)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    name = ground.name("validity")
    order = ground.ordered(name, **wanted)
    ground.published(order["txt_records"])
    ground.validated(order)
    ground.published(order["txt_records"], "absent")
    found = ground.finalized(order, make_csr(name))
    return "kept" if {key: found[key] for key in wanted} == wanted else "dropped by the CA"


@feature(
    SUBJECT, "An IP address, proven by dns-01", everywhere=refused("the CA offers no dns-01 challenge for 192.0.2.1")
)
def ip_address(ground: Ground) -> None:
    ground.made()
    csr = make_csr(ips=["192.0.2.1"])
    ground.issued(csr=csr)


@feature(
    SUBJECT,
    "An order for an IP address, its challenges shown",
    everywhere=works("http-01, tls-alpn-01"),
    openbao=works("http-01"),
)
def ip_order(ground: Ground) -> str:
    ground.made()
    (authorization,) = ground.ordered("192.0.2.2")["authorizations"]
    assert authorization["identifier"] == "192.0.2.2"
    return ", ".join(sorted(challenge["type"] for challenge in authorization["challenges"]))


@feature(
    SUBJECT,
    "A certificate for an IP address, proven by http-01",
    acme2certifier=untried("it looks at port 80 only"),
    openbao=untried("it looks at port 80 only"),
)
def ip_by_http(ground: Ground) -> None:
    if ground.program == "caddy":
        raise NotHere("Caddy looks at port 80 only")
    port = ground.lab.acme["http_port"]
    ground.made()
    order = ground.ordered("127.0.0.1")
    (authorization,) = order["authorizations"]
    challenge = next(entry for entry in authorization["challenges"] if entry["type"] == "http-01")
    path = f"/.well-known/acme-challenge/{challenge['token']}"
    with serving({path: challenge["key_authorization"]}, port):
        assert ground.validated(order, challenge="http-01")["status"] == "ready"
    assert ground.finalized(order, make_csr(ips=["127.0.0.1"]))["identifiers"] == ["127.0.0.1"]


@feature(SUBJECT, "An order taken up again by its order_uri")
def resume(ground: Ground) -> None:
    ground.made()
    name = ground.name("resume")
    csr = make_csr(name)
    order = ground.ordered(name)
    ground.lab.reset_log()
    found = ground.issued(csr=csr, order_uri=order["order_uri"])
    assert found["order_uri"] == order["order_uri"]
    again = ground.issued(csr=csr, order_uri=order["order_uri"])
    assert again["serial"] == found["serial"]
    assert ground.lab.counts("acme")["newOrder"] == 0


@feature(
    SUBJECT,
    "A second order for a name that is proven",
    everywhere=works("proven anew"),
    pebble=works("authorization reused, nothing written to DNS"),
)
def reuse(ground: Ground) -> str:
    place = ground.elsewhere(pebble_environment={"PEBBLE_AUTHZREUSE": "100"}) if ground.program == "pebble" else ground
    place.made()
    name = place.name("reuse")
    place.issued(name)
    place.lab.reset_log()
    place.issued(name)
    counts = place.lab.counts("acme")
    assert counts["newOrder"] == 1
    written = place.lab.counts("route53")["ChangeResourceRecordSets"]
    assert bool(written) == bool(counts["challenge"])
    return "proven anew" if written else "authorization reused, nothing written to DNS"


@feature(
    SUBJECT,
    "replaces, naming the certificate before (RFC 9773)",
    everywhere=works("left out, the CA has no renewal information"),
    pebble=works("sent"),
    acme2certifier=works("sent"),
)
def replaces(ground: Ground) -> str:
    ground.made()
    name = ground.name("replaces")
    first = ground.issued(name)
    cert_id = _cert_id(first["certificate"])
    order = ground.ordered(name, replaces=cert_id)
    assert order["warnings"] == []
    return "sent" if "renewalInfo" in ground.directory() else "left out, the CA has no renewal information"


@feature(
    SUBJECT,
    "replaces a second time for the same certificate",
    everywhere=works("ordered, the CA does not mind"),
    pebble=works("ordered without it, with a warning"),
)
def replaces_again(ground: Ground) -> str:
    ground.made()
    name = ground.name("again")
    cert_id = _cert_id(ground.issued(name)["certificate"])
    second = ground.issued(name, replaces=cert_id)
    assert second["warnings"] == []
    third = ground.ordered(name, replaces=cert_id)
    return "ordered without it, with a warning" if third["warnings"] else "ordered, the CA does not mind"


@feature(
    SUBJECT,
    "A name that the CA does not issue for",
    everywhere=refused("the CA refused the order for www.refused.test: rejectedIdentifier: ", "choose another CA"),
    quick=True,
)
def rejected(ground: Ground) -> None:
    ground.made()
    ground.issued("www.refused.test")


def _instant(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)


def _cert_id(pem: str) -> str:
    found = certificate_facts(load_chain(pem)[0])["ari_cert_id"]
    assert found, "the certificate has no authority key identifier"
    return str(found)
