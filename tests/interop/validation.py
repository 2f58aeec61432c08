# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validation by dns-01 (RFC 8555 sections 7.5 and 8.4), and the session below it (section 6.5)."""

from __future__ import annotations

import time

from ansible_collections.certfleet.acme.plugins.module_utils._acme.accounts import find_account
from ansible_collections.certfleet.acme.plugins.module_utils._acme.session import open_session
from ansible_collections.certfleet.acme.plugins.module_utils._keys.account import load_account_key

from tests.interop.ground import IMPATIENCE, Ground
from tests.interop.registry import Refusal, feature, refused, works
from tests.support.controller import make_csr

SUBJECT = "Validation"


@feature(
    SUBJECT,
    "A wrong TXT value ends by our deadline, with the CA's reason",
    pebble=refused("the CA did not validate", "unauthorized: Correct value not found for DNS challenge"),
    acme2certifier=refused("the CA did not validate", "invalid, the CA says not why"),
    openbao=refused(
        "within 4 s, the order is still pending", "incorrectResponse", "challenge failed against 1 records"
    ),
    step_ca=refused("within 4 s, the order is still pending", "rejectedIdentifier: The server will not issue"),
    quick=True,
)
def wrong_value(ground: Ground) -> None:
    ground.made()
    name = ground.name("wrong")
    order = ground.ordered(name)
    (record,) = order["txt_records"]
    wrong = [{"record": record["record"], "values": ["this-is-not-the-value-that-was-asked-for-000"]}]
    ground.published(wrong)
    started = time.monotonic()
    try:
        ground.validated(order, timeout=IMPATIENCE)
    finally:
        assert time.monotonic() - started < 3 * IMPATIENCE
        ground.published(wrong, "absent")


@feature(
    SUBJECT,
    "A TXT value that comes after the CA looked first, by order_uri",
    everywhere=works("in the same order"),
    pebble=works("in a new order, the CA gave the first up"),
    acme2certifier=works("in a new order, the CA gave the first up"),
)
def late_value(ground: Ground) -> str:
    ground.made()
    name = ground.name("late")
    order = ground.ordered(name)
    try:
        ground.validated(order, timeout=2)
    except Refusal:
        pass
    else:
        raise AssertionError("validated without a value")
    csr = make_csr(name)
    found = ground.issued(csr=csr, order_uri=order["order_uri"])
    same = found["order_uri"] == order["order_uri"]
    return "in the same order" if same else "in a new order, the CA gave the first up"


@feature(
    SUBJECT,
    "An authorization given up",
    acme2certifier=refused("the CA did not deactivate the authorization", "it is still pending"),
    step_ca=refused("the CA refused to deactivate the authorization", "malformed"),
    quick=True,
)
def deactivate(ground: Ground) -> None:
    ground.made()
    order = ground.ordered(ground.name("given-up"))
    assert ground.validated(order, state="deactivated")["changed"]
    assert not ground.validated(order, state="deactivated")["changed"]


@feature(SUBJECT, "Three nonces in a row that the CA does not know (badNonce)", quick=True)
def bad_nonce(ground: Ground) -> None:
    made = ground.made()
    params = {**ground.ca(), "validate_certs": True, "request_timeout": 30, "concurrency": 1}
    session = open_session(params, load_account_key(str(ground.key)))
    for _number in range(3):
        session.network.nonces.put(b"a-nonce-of-nobody")
    ground.lab.reset_log()
    account = find_account(session)
    assert account is not None
    assert account.uri == made["account_uri"]
