# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of an account later: told, given another key, closed (RFC 8555 sections 7.1.2.1, 7.3.5 and 7.3.6)."""

from __future__ import annotations

import time

from tests.interop.accounts import SUBJECT
from tests.interop.ground import Ground
from tests.interop.registry import Refusal, feature, refused, works
from tests.support.controller import key_pem, make_key

SUPPORT = "Support"


@feature(SUBJECT, "What the CA has for a key")
def info(ground: Ground) -> None:
    made = ground.made()
    told = ground.run("acme_account_info")
    assert (told["exists"], told["account_uri"]) == (True, made["account_uri"])
    assert told["account"]["status"] == "valid"
    assert ground.run("acme_account_info", account_key_content=key_pem(make_key()))["exists"] is False


@feature(
    SUBJECT,
    "The list of its orders",
    pebble=works("listed"),
    acme2certifier=works("the CA names no list"),
    openbao=refused("the CA refused the account's orders: HTTP status 403"),
    step_ca=refused("the CA's answer to the account's orders is not a JSON object"),
)
def orders(ground: Ground) -> str:
    ground.made()
    wanted = [ground.ordered(ground.name("listed"))["order_uri"] for _number in range(2)]
    told = ground.run("acme_account_info", retrieve_orders="url_list")
    if not told["account"]["orders"]:
        return "the CA names no list"
    return "listed" if set(wanted) <= set(told["order_uris"]) else f"{len(told['order_uris'])} listed"


@feature(
    SUBJECT,
    "Another key for the account (keyChange)",
    openbao=refused("cannot change the key of an account", "404", "The account keeps its key. For another key"),
    step_ca=refused(
        "cannot change the key of an account", "not implemented", "The account keeps its key. For another key"
    ),
)
def rollover(ground: Ground) -> None:
    made = ground.made()
    old = ground.key.read_text(encoding="utf-8")
    try:
        changed = ground.run("acme_account", state="changed_key", generate_account_key=True)
    except Refusal:
        # Whatever it was, the account is as it was.
        assert ground.run("acme_account", allow_creation=False)["account_uri"] == made["account_uri"]
        raise
    assert changed["changed"]
    assert ground.key.read_text(encoding="utf-8") != old
    assert ground.run("acme_account", allow_creation=False)["account_uri"] == made["account_uri"]
    ground.issued(ground.name("rollover"))
    try:
        ground.run("acme_account", allow_creation=False, account_key_content=old)
    except Refusal:
        return
    raise AssertionError("the old key still finds the account")


@feature(SUBJECT, "Deactivate it, twice")
def deactivate(ground: Ground) -> None:
    ground.made()
    assert ground.run("acme_account", state="absent")["changed"]
    assert not ground.run("acme_account", state="absent")["changed"]


@feature(
    SUBJECT,
    "Use it after that",
    everywhere=refused("deactivated", "Use another account key; a deactivated account does not come back."),
    acme2certifier=works("as a new account, the CA has forgotten the old one"),
)
def use_deactivated(ground: Ground) -> str:
    made = ground.made()
    # acme2certifier tells closed accounts apart by the second: of two in one, its database is locked for good.
    time.sleep(1.1)
    ground.run("acme_account", state="absent")
    found = ground.issued(ground.name("deactivated"))
    assert found["account_uri"] != made["account_uri"]
    return "as a new account, the CA has forgotten the old one"


@feature(SUPPORT, "Any signed request (acme_inspect)")
def inspect(ground: Ground) -> None:
    ground.made()
    order = ground.ordered(ground.name("inspect"))
    told = ground.run("acme_inspect", method="get", url=order["order_uri"])
    assert told["output_json"]["status"] == "pending"


@feature(
    SUPPORT,
    "The CA's refusal of one, shown whole",
    everywhere=refused("the CA refused the request to", "malformed"),
    acme2certifier=refused("the CA refused the request to", "unsupportedIdentifier"),
)
def inspect_refused(ground: Ground) -> None:
    ground.made()
    ground.run("acme_inspect", method="post", url=ground.directory()["newOrder"], content="{}")
