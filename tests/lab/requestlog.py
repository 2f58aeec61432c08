# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each server was asked: every request as one JSON object a line, with a kind people can count by.

acme2certifier and the emulators are wrapped by a middleware in their own process, the name server writes its
queries itself, and the other CAs' own logs are read (ownlogs.py).
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypedDict

READER_HEADER = "X-Certfleet-Lab"
"""Requests with this header are the lab's own reads of an emulator: they are served and not recorded."""

Classify = Callable[[str, str], str]


class Request(TypedDict):
    """One request: kind is the resource or API call, status the HTTP status, the DNS code or None if unknown.

    time: seconds since 1970, when it came (where the server tells that) or was answered; 0 if unknown.
    """

    kind: str
    method: str
    path: str
    status: int | str | None
    time: float


ACME2CERTIFIER_PATHS = [
    (r"^/directory$", "directory"),
    (r"^/acme/newnonce$", "newNonce"),
    (r"^/acme/newaccount$", "newAccount"),
    (r"^/acme/acct/[^/]+/orders$", "orders"),
    (r"^/acme/acct(/|$)", "account"),
    (r"^/acme/key-change$", "keyChange"),
    (r"^/acme/neworders$", "newOrder"),
    (r"^/acme/order/[^/]+/finalize$", "finalize"),
    (r"^/acme/order(/|$)", "order"),
    (r"^/acme/authz(/|$)", "authz"),
    (r"^/acme/chall(/|$)", "challenge"),
    (r"^/acme/cert(/|$)", "certificate"),
    (r"^/acme/revokecert$", "revokeCert"),
    (r"^/acme/renewal-info(/|$)", "renewalInfo"),
]
OPENBAO_PATHS = [
    (r"/acme/directory$", "directory"),
    (r"/acme/new-nonce$", "newNonce"),
    (r"/acme/new-account$", "newAccount"),
    (r"/acme/account/", "account"),
    (r"/acme/key-change$", "keyChange"),
    (r"/acme/new-order$", "newOrder"),
    (r"/acme/order/[^/]+/finalize$", "finalize"),
    (r"/acme/order/[^/]+/cert$", "certificate"),
    (r"/acme/order/", "order"),
    (r"/acme/orders$", "orders"),
    (r"/acme/authorization/", "authz"),
    (r"/acme/challenge/", "challenge"),
    (r"/acme/revoke-cert$", "revokeCert"),
]
STEP_CA_PATHS = [
    (r"^/acme/[^/]+/directory$", "directory"),
    (r"^/acme/[^/]+/new-nonce$", "newNonce"),
    (r"^/acme/[^/]+/new-account$", "newAccount"),
    (r"^/acme/[^/]+/account/[^/]+/orders$", "orders"),
    (r"^/acme/[^/]+/account/", "account"),
    (r"^/acme/[^/]+/key-change$", "keyChange"),
    (r"^/acme/[^/]+/new-order$", "newOrder"),
    (r"^/acme/[^/]+/order/[^/]+/finalize$", "finalize"),
    (r"^/acme/[^/]+/order/", "order"),
    (r"^/acme/[^/]+/authz/", "authz"),
    (r"^/acme/[^/]+/challenge/", "challenge"),
    (r"^/acme/[^/]+/certificate/", "certificate"),
    (r"^/acme/[^/]+/revoke-cert$", "revokeCert"),
]
PEBBLE_PATHS = [
    (r"^/dir$", "directory"),
    (r"^/nonce-plz$", "newNonce"),
    (r"^/sign-me-up$", "newAccount"),
    (r"^/my-account/", "account"),
    (r"^/list-orderz/", "orders"),
    (r"^/rollover-account-key$", "keyChange"),
    (r"^/order-plz$", "newOrder"),
    (r"^/finalize-order/", "finalize"),
    (r"^/my-order/", "order"),
    (r"^/authZ/", "authz"),
    (r"^/chalZ/", "challenge"),
    (r"^/certZ/", "certificate"),
    (r"^/revoke-cert$", "revokeCert"),
    (r"/renewalInfo/", "renewalInfo"),
]
ROUTE53_CALLS = [
    (r"^GET /hostedzone$", "ListHostedZones"),
    (r"^POST /hostedzone$", "CreateHostedZone"),
    (r"^GET /hostedzonesbyname$", "ListHostedZonesByName"),
    (r"^GET /hostedzonesbyvpc$", "ListHostedZonesByVPC"),
    (r"^GET /hostedzonecount$", "GetHostedZoneCount"),
    (r"^GET /hostedzone/[^/]+$", "GetHostedZone"),
    (r"^POST /hostedzone/[^/]+$", "UpdateHostedZoneComment"),
    (r"^DELETE /hostedzone/[^/]+$", "DeleteHostedZone"),
    (r"^GET /hostedzone/[^/]+/rrset$", "ListResourceRecordSets"),
    (r"^POST /hostedzone/[^/]+/rrset$", "ChangeResourceRecordSets"),
    (r"^GET /change/[^/]+$", "GetChange"),
]


def _first(patterns: Iterable[tuple[str, str]], text: str) -> str | None:
    return next((kind for pattern, kind in patterns if re.search(pattern, text)), None)


def acme2certifier_kind(method: str, path: str) -> str:
    """The ACME resource (names of RFC 8555 section 7.1) behind a path of acme2certifier."""
    return _first(ACME2CERTIFIER_PATHS, path) or f"{method} {path}"


def pebble_kind(method: str, path: str) -> str:
    """The ACME resource (names of RFC 8555 section 7.1) behind a path of Pebble."""
    return _first(PEBBLE_PATHS, path) or f"{method} {path}"


def openbao_kind(method: str, path: str) -> str:
    """The ACME resource (names of RFC 8555 section 7.1) behind a path of OpenBao."""
    return _first(OPENBAO_PATHS, path) or f"{method} {path}"


def step_ca_kind(method: str, path: str) -> str:
    """The ACME resource (names of RFC 8555 section 7.1) behind a path of step-ca and of Caddy."""
    return _first(STEP_CA_PATHS, path) or f"{method} {path}"


def route53_kind(method: str, path: str) -> str:
    """The Route53 API call behind a path; other calls are named by method and path."""
    short = re.sub(r"^/2013-04-01", "", path).rstrip("/")
    return _first(ROUTE53_CALLS, f"{method} {short}") or f"{method} {path}"


class RequestLog:
    """Appends to the record of one server; each line is one write, so processes and threads can share it."""

    def __init__(self, path: Path, classify: Classify) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._classify = classify

    def add(
        self, method: str, path: str, status: int | str | None, kind: str | None = None, came: float | None = None
    ) -> None:
        """Record one request; came: when, as of time.time(), for one that was not just now."""
        entry = {
            "time": round(time.time() if came is None else came, 3),
            "kind": kind or self._classify(method, path),
            "method": method,
            "path": path,
            "status": status,
        }
        os.write(self._handle, (json.dumps(entry) + "\n").encode())


def wsgi_middleware(
    app: Callable[..., Any], log: RequestLog, carried_out: Callable[[str], None] = lambda method: None
) -> Callable[..., Any]:
    """Record what a WSGI application (PEP 3333) answers.

    :param carried_out: called with the HTTP method of every request, the reader's too, before it is answered.
    """
    mark = "HTTP_" + READER_HEADER.upper().replace("-", "_")

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        def recording(status: str, headers: Any, *rest: Any) -> Any:
            carried_out(environ["REQUEST_METHOD"])
            if mark not in environ:
                log.add(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""), int(status.split()[0]))
            return start_response(status, headers, *rest)

        return app(environ, recording)

    return wrapped


def asgi_middleware(
    app: Callable[..., Awaitable[None]], log: RequestLog, carried_out: Callable[[str], None] = lambda method: None
) -> Callable[[dict[str, Any], Any, Any], Awaitable[None]]:
    """Record what an ASGI application answers; carried_out as for :func:`wsgi_middleware`."""
    mark = READER_HEADER.lower().encode()

    async def wrapped(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        marked = any(name.lower() == mark for name, _value in scope["headers"])

        async def recording(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                carried_out(scope["method"])
                if not marked:
                    log.add(scope["method"], scope["path"], message["status"])
            await send(message)

        try:
            await app(scope, receive, recording)
        finally:
            # A client that went away in the middle may have been heeded all the same.
            carried_out(scope["method"])

    return wrapped


def read_records(path: Path) -> list[Request]:
    """The requests recorded in a file by :class:`RequestLog`; none when there is no file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [
        Request(
            kind=entry["kind"],
            method=entry["method"],
            path=entry["path"],
            status=entry["status"],
            time=entry["time"],
        )
        for entry in map(json.loads, lines)
    ]


def count(requests: Iterable[Request]) -> Counter[str]:
    """How many requests of each kind."""
    return Counter(request["kind"] for request in requests)
