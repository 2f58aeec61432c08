# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates once they are issued: chains (RFC 8555 section 7.4.2) and revocation (section 7.6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography import x509

from tests.interop.ground import Ground
from tests.interop.registry import feature, refused, works
from tests.lab.errors import LabError
from tests.lab.web import https
from tests.support.controller import key_pem, make_key

CHAINS = "Chains"
REVOCATION = "Revocation"


@feature(CHAINS, "The chain leads to the CA's root")
def chain(ground: Ground) -> None:
    ground.made()
    found = ground.issued(ground.name("chain"))
    links = [
        *x509.load_pem_x509_certificates(found["fullchain"].encode()),
        *x509.load_pem_x509_certificates(Path(ground.lab.acme["issuer_path"]).read_bytes()),
    ]
    for lower, upper in zip(links, links[1:]):
        if upper.subject != lower.subject:
            lower.verify_directly_issued_by(upper)


@feature(
    CHAINS,
    "select_chain among alternate chains",
    everywhere=works("one chain only, which is taken"),
    pebble=works("chosen"),
)
def alternate(ground: Ground) -> str:
    alternates = {"PEBBLE_ALTERNATE_ROOTS": "2"}
    place = ground.elsewhere(pebble_environment=alternates) if ground.program == "pebble" else ground
    place.made()
    default = _issuers(place.issued(place.name("chain"))["fullchain"])
    if ground.program != "pebble":
        nobody = [{"issuer": {"CN": "nobody"}}]
        other = _issuers(place.issued(place.name("chain"), select_chain=nobody)["fullchain"])
        assert other == default
        return "one chain only, which is taken"
    seen = {default[-1]}
    for root in _alternate_roots(place):
        criteria = [{"test_certificates": "last", "issuer": {"CN": root}}]
        taken = _issuers(place.issued(place.name("chain"), select_chain=criteria)["fullchain"])
        assert taken[-1] == root
        seen.add(root)
    assert len(seen) == 3
    return "chosen"


@feature(REVOCATION, "By the account's key, no reason given")
def by_account(ground: Ground) -> None:
    ground.made()
    found = ground.issued(ground.name("revoke"))
    result = _revoke(ground, found)
    assert (result["changed"], result["already_revoked"]) == (True, False)
    _seen(ground, found)


@feature(
    REVOCATION,
    "By the account's key, with a reason (superseded)",
    openbao=works("without it, with a warning"),
    quick=True,
)
def with_reason(ground: Ground) -> str | None:
    ground.made()
    found = ground.issued(ground.name("revoke"))
    result = _revoke(ground, found, revoke_reason="superseded")
    assert result["changed"]
    _seen(ground, found)
    return "without it, with a warning" if result.get("warnings") else None


@feature(
    REVOCATION,
    "By the certificate's own key",
    acme2certifier=refused("the CA refused the revocation", "accountDoesNotExist"),
)
def by_certificate(ground: Ground) -> None:
    ground.made()
    key = make_key()
    found = ground.issued(ground.name("revoke"), key=key)
    result = _revoke(ground, found, private_key_content=key_pem(key))
    assert result["changed"]
    _seen(ground, found)


@feature(REVOCATION, "Of one that is revoked already", everywhere=works("unchanged"))
def again(ground: Ground) -> str:
    ground.made()
    found = ground.issued(ground.name("revoke"))
    _revoke(ground, found)
    result = _revoke(ground, found)
    assert result["already_revoked"]
    return "changed" if result["changed"] else "unchanged"


@feature(
    REVOCATION,
    "By another account",
    everywhere=refused("the CA refused the revocation", "unauthorized"),
    openbao=refused("the CA refused the revocation", "no certificate with this serial was issued for this account"),
)
def stranger(ground: Ground) -> None:
    ground.made()
    found = ground.issued(ground.name("revoke"))
    other = ground.beside()
    other.made()
    _revoke(other, found)


def _revoke(ground: Ground, found: dict[str, Any], **options: Any) -> dict[str, Any]:
    item = {"name": "one", "certificate_content": found["certificate"]}
    result: dict[str, Any] = ground.run("acme_revoke", certificates=[item], **options)["certificates"][0]
    return result


def _seen(ground: Ground, found: dict[str, Any]) -> None:
    """Assert that the CA tells by its own means that it is revoked."""
    try:
        assert ground.lab.is_revoked(found["serial"])
    except LabError:
        assert ground.program == "caddy", "only Caddy has no means to tell"


def _issuers(fullchain: str) -> list[str]:
    chain = x509.load_pem_x509_certificates(fullchain.encode())[1:]
    return [str(entry.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value) for entry in chain]


def _alternate_roots(ground: Ground) -> list[str]:
    names = []
    for number in (1, 2):
        status, body = https(ground.lab.acme["management"], ground.lab.acme["ca_path"], "GET", f"/roots/{number}")
        assert status == 200
        root = x509.load_pem_x509_certificate(body)
        names.append(str(root.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value))
    return names
