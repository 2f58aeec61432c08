# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accounts (RFC 8555 section 7.3)."""

from __future__ import annotations

from tests.interop.ground import Ground
from tests.interop.registry import NotHere, feature, refused, works
from tests.lab.errors import LabError
from tests.support.controller import key_pem, make_key

SUBJECT = "Accounts"


@feature(SUBJECT, "Create, then find by key", quick=True)
def create(ground: Ground) -> None:
    made = ground.made(contact=["mailto:operations@example.com"])
    assert made["changed"]
    assert made["account"]["status"] == "valid"
    found = ground.run("acme_account", allow_creation=False)
    assert not found["changed"]
    assert found["account_uri"] == made["account_uri"]


@feature(
    SUBJECT,
    "Look for an account that is not there, without making one",
    everywhere=refused("the CA at", "has no account for this key. Check account_key_src"),
)
def look(ground: Ground) -> None:
    ground.made()
    ground.beside().run("acme_account", allow_creation=False, account_key_content=key_pem(make_key()))


@feature(SUBJECT, "Change the contacts", everywhere=works("told again"))
def contacts(ground: Ground) -> str:
    ground.made(contact=["mailto:operations@example.com"])
    wanted = ["mailto:security@example.com", "mailto:operations@example.com"]
    changed = ground.run("acme_account", contact=wanted)
    again = ground.run("acme_account", contact=list(reversed(wanted)))
    assert not again["changed"]
    if not again["account"]["contact_known"]:
        return "not told again"
    assert changed["changed"]
    assert set(again["account"]["contact"]) == set(wanted)
    return "told again"


@feature(
    SUBJECT,
    "External account binding, wanted and not given",
    everywhere=refused("the CA binds new accounts to an account you have with it. Set external_account_binding"),
)
def unbound(ground: Ground) -> None:
    if ground.program == "caddy":
        raise NotHere("Caddy cannot be told to want it")
    ground.elsewhere(binding_required=True).made()


@feature(
    SUBJECT,
    "External account binding",
    everywhere=works(),
    step_ca=refused("the CA refused the new account: serverInternal"),
)
def bound(ground: Ground) -> None:
    place = ground.elsewhere(binding_required=True)
    try:
        binding = place.lab.new_binding()
    except LabError:
        binding = {"kid": "imagined", "key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
    made = place.made(external_account_binding=binding)
    assert made["changed"]
    assert not place.run("acme_account")["changed"]


@feature(
    SUBJECT,
    "External account binding by HS384, by HS512",
    everywhere=works(),
    openbao=refused("the CA refused the new account: serverInternal"),
    step_ca=refused("the CA refused the new account: serverInternal"),
)
def bound_otherwise(ground: Ground) -> None:
    place = ground.elsewhere(binding_required=True)
    for alg in ("HS384", "HS512"):
        try:
            binding = place.lab.new_binding()
        except LabError:
            binding = {"kid": "imagined", "key": "A" * 86}
        assert place.beside().made(external_account_binding={**binding, "alg": alg})["changed"]


@feature(SUBJECT, "Account keys ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096")
def account_keys(ground: Ground) -> None:
    for kind in ("ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"):
        place = ground.beside()
        made = place.made(account_key_type=kind)
        assert (made["changed"], made["account_key_type"]) == (True, kind)
