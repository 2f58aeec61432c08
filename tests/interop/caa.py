# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CAA before the order (RFC 8659, RFC 8657). The issuer name is given: not every CA's directory tells its own."""

from __future__ import annotations

from tests.integration.route53_cloud import Cloud
from tests.interop.ground import Ground
from tests.interop.registry import feature, refused, works
from tests.support.controller import make_csr

SUBJECT = "CAA"
IDENTITY = "ca.example"


def held(ground: Ground, *values: str) -> str:
    """A name with these CAA records."""
    name = ground.name("caa")
    Cloud(ground.lab, ground.root).put(ground.lab.route53["zones"]["example.com"], name, list(values), kind="CAA")
    ground.lab.reset_log()
    return name


def ordered(ground: Ground, name: str) -> None:
    item = {"name": "one", "csr_content": make_csr(name)}
    options = {**ground.dns(), "caa": "refuse", "caa_identities": [IDENTITY]}
    (found,) = ground.run("acme_certificate", certificates=[item], **options)["certificates"]
    assert found["warnings"] == []


@feature(SUBJECT, "The names that the CA's directory tells", everywhere=works("none"), pebble=works("one"))
def identities(ground: Ground) -> str:
    ground.made()
    found = ground.run("acme_caa_info", identifiers=[ground.name("caa")], dns_resolvers=[ground.lab.dns])
    assert found["forbidden"] == []
    return "one" if len(found["caa_identities"]) == 1 else "none"


@feature(SUBJECT, "Records for this CA, account and method")
def allowed(ground: Ground) -> None:
    account = ground.made()["account_uri"]
    ordered(ground, held(ground, f'0 issue "{IDENTITY}; accounturi={account}; validationmethods=dns-01"'))


@feature(SUBJECT, "Records for another CA", everywhere=refused("CAA at", "forbids", "does not name this CA"))
def another(ground: Ground) -> None:
    ground.made()
    try:
        ordered(ground, held(ground, '0 issue "other.example"'))
    finally:
        assert ground.lab.counts("acme")["newOrder"] == 0


@feature(SUBJECT, "Records for another account", everywhere=refused("CAA at", "forbids", "does not allow the account"))
def another_account(ground: Ground) -> None:
    account = ground.made()["account_uri"]
    try:
        ordered(ground, held(ground, f'0 issue "{IDENTITY}; accounturi={account}0"'))
    finally:
        assert ground.lab.counts("acme")["newOrder"] == 0
