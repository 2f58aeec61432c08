# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A CA that means harm, or something that answers in its place: refused with the reason, in bounded time and memory.

It is scripted, on loopback, because no real CA does any of it.
"""

from __future__ import annotations

import itertools
import re
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.lab.api import Lab
from tests.support.controller import Controller, key_pem, make_csr, make_key
from tests.support.measured import measure
from tests.support.small_ca import SmallCA
from tests.unit.plugins.module_utils.acme.scripted import Answer, ScriptedCA, Stream, problem, scripted_ca

NAME = "www.example.com"
TEN_YEARS = "315360000"
SMALL = SmallCA()
TIMEOUT = 3


class Hostile:
    """An honest script of the whole way to a certificate, for a test to change a line of."""

    def __init__(self, ca: ScriptedCA, other: ScriptedCA, root: Path) -> None:
        self.ca, self.other, self.root = ca, other, root
        self.csr = make_csr(NAME)
        self.script = ca.script
        self.order = {
            "status": "ready",
            "identifiers": [{"type": "dns", "value": NAME}],
            "authorizations": [f"{ca.url}/authz"],
            "finalize": f"{ca.url}/finalize",
        }
        self.authz: dict[str, Any] = {
            "status": "valid",
            "identifier": {"type": "dns", "value": NAME},
            "challenges": [{"type": "dns-01", "status": "valid", "url": f"{ca.url}/challenge", "token": "t" * 43}],
        }
        self.valid = {**self.order, "status": "valid", "certificate": f"{ca.url}/certificate"}
        account: Answer = (200, {"Location": f"{ca.url}/account/1"}, {"status": "valid"})
        self.script.update(
            directory=[(200, {}, ca.directory)],
            newAccount=[account],
            newOrder=[(201, {"Location": f"{ca.url}/order"}, {**self.order, "status": "pending"})],
            authz=[(200, {}, self.authz)],
            finalize=[(200, {}, {**self.order, "status": "processing"})],
            order=[(200, {}, self.valid)],
            certificate=[(200, {}, SMALL.chain_for(self.csr).encode())],
        )
        key = root / "account.pem"
        key.touch(mode=0o600)
        key.write_text(key_pem(make_key()))
        self.options: dict[str, Any] = {
            "acme_directory": f"{ca.url}/directory",
            "account_key_src": str(key),
            "certificates": [{"name": "www", "csr_content": self.csr}],
            "request_timeout": 2,
            "timeout": TIMEOUT,
        }

    def say(self, path: str, body: Any, status: int = 200, **headers: str) -> None:
        """What the CA answers at a path from now on; header names with ``_`` for ``-``."""
        location = {"newOrder": {"Location": f"{self.ca.url}/order"}, "newAccount": {"Location": f"{self.ca.url}/a"}}
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.script[path] = [(status, {**location.get(path, {}), **names}, body)]

    def issue(self, **options: Any) -> dict[str, Any]:
        """What acme_certificate returns."""
        return Controller(cast(Lab, None), self.root).module("acme_certificate", **{**self.options, **options})


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Hostile]:
    with scripted_ca() as ca, scripted_ca() as other:
        yield Hostile(ca, other, tmp_path)


def test_without_hostility_a_certificate_comes(hostile: Hostile) -> None:
    result = hostile.issue()
    assert not result.get("failed"), result["msg"]
    assert result["certificates"][0]["identifiers"] == [NAME]


Change = Callable[[Hostile], Any]
FOREIGN = r"another host than the directory .*Nothing was sent there"


def _directory(name: str) -> Change:
    return lambda one: one.say("directory", {**one.ca.directory, name: f"{one.other.url}/{name}"})


def _say(path: str, body: Any) -> Change:
    return lambda one: one.say(path, body)


def _order(at: str, **members: Any) -> Change:
    """The order as an endpoint shows it, OTHER in it replaced by the other host."""

    def change(one: Hostile) -> None:
        base = one.valid if at in ("finalize", "order") else {**one.order, "status": "pending"}
        found = {**base, **members}
        for name, value in found.items():
            if value == "OTHER":
                found[name] = f"{one.other.url}/{name}"
            elif value == ["OTHER"]:
                found[name] = [f"{one.other.url}/{name}"]
        one.say(at, {name: value for name, value in found.items() if value is not None})

    return change


CASES: dict[str, tuple[Change, str]] = {
    # Addresses on another host.
    "newNonce elsewhere": (_directory("newNonce"), FOREIGN),
    "newAccount elsewhere": (_directory("newAccount"), FOREIGN),
    "newOrder elsewhere": (_directory("newOrder"), FOREIGN),
    "authorization elsewhere": (_order("newOrder", authorizations=["OTHER"]), FOREIGN),
    "finalize elsewhere": (_order("newOrder", finalize="OTHER"), FOREIGN),
    "certificate elsewhere": (_order("order", certificate="OTHER"), FOREIGN),
    "order elsewhere": (
        lambda one: one.say("newOrder", {**one.order, "status": "pending"}, 201, Location=f"{one.other.url}/order"),
        FOREIGN,
    ),
    "directory redirected elsewhere": (
        lambda one: one.say("directory", b"", 302, Location=f"{one.other.url}/directory"),
        FOREIGN,
    ),
    "a file as an address": (_order("order", certificate="file:///etc/passwd"), FOREIGN),
    # Redirects.
    "redirect without end": (lambda one: one.say("directory", b"", 302, Location="/directory"), "more than 5 times"),
    "newOrder redirected": (
        lambda one: one.say("newOrder", b"", 307, Location=f"{one.other.url}/newOrder"),
        "HTTP status 307 .*which is not followed",
    ),
    # Certificates.
    "a chain for another key": (
        lambda one: one.say("certificate", SMALL.chain_for(make_csr(NAME)).encode()),
        "what the CA issued is refused: .*another key",
    ),
    "a chain for other names": (
        lambda one: one.say("certificate", SMALL.chain_for(one.csr, ["evil.example.com"]).encode()),
        "what the CA issued is refused: .*is for evil.example.com, not for www.example.com",
    ),
    "a chain for more names": (
        lambda one: one.say("certificate", SMALL.chain_for(one.csr, [NAME, "evil.example.com"]).encode()),
        "what the CA issued is refused",
    ),
    "no chain": (lambda one: one.say("certificate", b"<html>"), "what the CA issued is refused: .*no PEM certificate"),
    "a chain that cannot be read": (
        lambda one: one.say("certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        "what the CA issued is refused",
    ),
    "valid without a certificate": (_order("order", certificate=None), "is valid and names no certificate"),
    "an order for other names": (
        _order("newOrder", identifiers=[{"type": "dns", "value": "evil.example.com"}]),
        "is an order for evil.example.com",
    ),
    "an authorization for another name": (
        lambda one: one.say("authz", {**one.authz, "identifier": {"type": "dns", "value": "other.example.com"}}),
        "the CA wants proof of other.example.com, which was not ordered",
    ),
    # Time.
    "ten years at the directory": (
        lambda one: one.say("directory", b"", 503, Retry_After=TEN_YEARS),
        "HTTP status 503 .*try again in 315360000 s, at 20",
    ),
    "ten years at newOrder": (
        lambda one: one.script.update(newOrder=[problem("rateLimited", 429, Retry_After=TEN_YEARS)]),
        "rateLimited.*try again in 315360000 s, at 20.*Run again at 20",
    ),
    "ten years for an order": (
        lambda one: one.say("finalize", {**one.order, "status": "processing"}, Retry_After=TEN_YEARS),
        "the order is still processing: it asks to try again in 315360000 s, at 20",
    ),
    "a date in the year 9999": (
        lambda one: one.script.update(
            newOrder=[problem("rateLimited", 429, Retry_After="Fri, 31 Dec 9999 23:59:59 GMT")]
        ),
        "try again in 3155760000 s, at 21",
    ),
    "busy for ever": (lambda one: one.say("newOrder", b"", 503, Retry_After="0"), "HTTP status 503"),
    "processing for ever": (_order("order", status="processing"), f"did not issue .* within {TIMEOUT} s"),
    "ready for ever": (
        lambda one: one.script.update(
            finalize=[problem("orderNotReady")], order=[(200, {}, {**one.order, "status": "ready"})]
        ),
        f"did not validate .* within {TIMEOUT} s",
    ),
    "a nonce that is never right": (lambda one: one.script.update(newOrder=[problem("badNonce", 400)]), "badNonce"),
    "no nonce": (lambda one: one.say("newNonce", b"", Replay_Nonce=""), "gave no nonce"),
    "a byte now and then": (
        lambda one: one.script.update(directory=[Stream(itertools.repeat(b"H", 10**6), 0.01)]),
        "did not answer within [12] s",
    ),
    # Shapes.
    "an unknown status": (_order("order", status="sideways"), "is sideways after it was finalized"),
    "too many authorizations": (_order("newOrder", authorizations=["x"] * 20_000), "20000 authorizations for 1 names"),
    "nested without end": (lambda one: one.say("order", b'{"a":' * 100_000), "is not a JSON object"),
    **{
        f"{path} is {word}": (_say(path, body), "is not a JSON object")
        for path in ("directory", "newAccount", "newOrder", "authz", "finalize", "order")
        for word, body in {"a list": [], "a number": 7, "null": None, "a page": b"<html>"}.items()
    },
    **{
        f"{name} of {path} is a number": (_order(path, **{name: 7}), f"is not what RFC 8555 says: {name} is not")
        for path in ("newOrder", "finalize", "order")
        for name in ("status", "identifiers", "authorizations", "finalize")
    },
    "identifier of an authorization is a text": (
        lambda one: one.say("authz", {**one.authz, "identifier": NAME}),
        "identifier is not an object",
    ),
    "challenges are an object": (
        lambda one: one.say("authz", {**one.authz, "challenges": {}}),
        "challenges is not a list",
    ),
    "the directory's addresses are numbers": (
        lambda one: one.say("directory", dict.fromkeys(one.ca.directory, 7)),
        "no ACME directory at .*missing",
    ),
    "newAccount without an address": (
        lambda one: one.script.update(newAccount=[(200, {}, {})]),
        "names no account URL",
    ),
    "newOrder without an address": (
        lambda one: one.script.update(newOrder=[(201, {}, one.order)]),
        "names no order URL",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_with_the_reason_and_in_time(hostile: Hostile, case: str) -> None:
    change, cause = CASES[case]
    change(hostile)
    begun = time.monotonic()
    result = hostile.issue()
    assert time.monotonic() - begun < 4 * TIMEOUT
    assert result["failed"]
    assert re.search(cause, result["msg"]), result["msg"]
    assert "unexpected" not in result["msg"]
    assert len(result["msg"]) < 1500
    assert hostile.other.asked == []
    assert len(hostile.ca.asked) < 60
    if "years" in case:
        found = [result, *result.get("certificates", [])]
        assert any(one.get("retry_at") and one["retry_at"] in result["msg"] for one in found)


def _endless(start: bytes) -> Stream:
    return Stream(itertools.chain([start], itertools.repeat(b" " * 65536, 3200)))  # 200 MB


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def _bomb() -> Stream:
    packer = zlib.compressobj(wbits=31)
    packed = b"".join(packer.compress(b" " * 65536) for _number in range(3200)) + packer.flush()
    return Stream([OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed), packed])


LARGE: dict[str, tuple[str, Callable[[], Stream]]] = {
    "200 MB without a length": ("order", lambda: _endless(OK + b"Connection: close\r\n\r\n")),
    "200 MB of a redirect": (
        "directory",
        lambda: _endless(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nConnection: close\r\n\r\n"),
    ),
    "200 MB in gzip": ("certificate", _bomb),
}


def test_memory_is_bounded(hostile: Hostile) -> None:
    """The module is a process of its own here, and its peak is compared with that of an honest run."""
    result, usual = measure(hostile.root, "acme_certificate", **hostile.options)
    assert not result.get("failed"), result
    honest = {path: list(answers) for path, answers in hostile.script.items()}
    for what, (path, stream) in LARGE.items():
        hostile.script.update({**honest, path: [stream()]})
        begun = time.monotonic()
        result, most = measure(hostile.root, "acme_certificate", **hostile.options)
        assert time.monotonic() - begun < 30, what
        assert re.search(r"answered with .*more than the \d+", result["msg"]), (what, result["msg"])
        assert most < usual + 16, (what, most, usual)
