# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's Cloud DNS: a process that answers as Google's API does, held to Google's discovery document.

Each request and each answer is compared with the document; what is not as it says is refused (400, or 500 for an
answer) and recorded among the violations. Beside the API it has the token endpoint of service accounts and the one
that gives out tokens of other accounts.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ..cloud_dns import PROJECT, Access, make_account
from ..cloud_dns_access import Accounts
from ..cloud_dns_store import PAGE, Refusal, Store, page
from ..discovery import Contract, Method
from ..holdings import WriteCounter
from ..ports import LOOPBACK
from ..processes import own_command, start
from ..requestlog import READER_HEADER, RequestLog
from ..state import State, read_json, write_json

NAME = "cloud_dns"
TOKEN_PATH = "/token"
DUMP_PATH = "/lab/zones"
VIOLATIONS = "cloud_dns-violations"
FAULTS = "cloud_dns-faults"
STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


class Cut(Exception):
    """The connection ends here, without an answer."""


class Settings:
    """A file that is read again when it was replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self.value: Any = None

    def changed(self) -> bool:
        """Read the file when it is another one than before; whether it was."""
        try:
            entry = self._path.stat()
        except FileNotFoundError:
            return False
        seen = (entry.st_ino, entry.st_mtime_ns)
        if seen == self._seen:
            return False
        self._seen = seen
        self.value = read_json(self._path)
        return True


class Faults:
    """What goes wrong on purpose, as set by :func:`..cloud_dns.set_faults`."""

    def __init__(self, path: Path) -> None:
        self._settings = Settings(path)
        self._counts: list[int] = []
        self._lock = threading.Lock()

    def for_request(self, kind: str) -> dict[str, Any] | None:
        """The fault that this request meets."""
        with self._lock:
            if self._settings.changed():
                self._counts = [0] * len(self._settings.value)
            for number, fault in enumerate(self._settings.value or ()):
                if fault.get("kind", kind) != kind:
                    continue
                self._counts[number] += 1
                if self._counts[number] % fault["every"] == 0 and self._counts[number] <= fault.get("last", 1 << 30):
                    return dict(fault)
        return None


class Api:
    """Answers requests. Every method returns a status and a body."""

    def __init__(self, state: State, settings: dict[str, Any]) -> None:
        counter = WriteCounter(state.writes)
        self.contract = Contract()
        self.store = Store(lambda: counter.add("POST"))
        self.accounts = Accounts(Settings(state.settings("cloud_dns-accounts")), settings["token_uri"])
        self.faults = Faults(state.settings(FAULTS))
        self._behaviour = Settings(state.settings("cloud_dns-behaviour"))
        self._violations = state.settings(VIOLATIONS)

    def violation(self, problems: list[str]) -> None:
        with open(self._violations, "a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(problem) + "\n" for problem in problems)

    def answer(
        self, method: Method, path: dict[str, str], query: dict[str, str], body: Any, bearer: str
    ) -> dict[str, Any] | None:
        """Raises Refusal."""
        problems = self.contract.check_query(method, query) + self.contract.check_request(method, body)
        if problems:
            self.violation(problems)
            raise Refusal(400, "badRequest", "; ".join(problems))
        if self._behaviour.changed():
            self.store.delay = float(self._behaviour.value["delay"])
        zone = path.get("managedZone")
        self.accounts.check(bearer, method, zone and self.store.zone(zone).dns_name if zone else None)
        if path["project"] != PROJECT:
            raise Refusal(403, "forbidden", f"The user does not have access to project '{path['project']}'.")
        found = self._carry_out(method.kind, path, query, body)
        problems = self.contract.check_answer(method, found)
        if problems:
            self.violation(problems)
            raise Refusal(500, "backendError", "; ".join(problems))
        return found

    def _carry_out(self, kind: str, path: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any] | None:
        store, zone = self.store, path.get("managedZone", "")
        if kind == "managedZones.create":
            return store.create_zone(body)
        if kind == "managedZones.get":
            return store.zone(zone).resource
        if kind == "managedZones.delete":
            store.delete_zone(zone)
            return None
        if kind == "changes.create":
            return store.change(zone, body)
        if kind == "changes.get":
            return store.get_change(zone, path["changeId"])
        lists = {
            "managedZones.list": ("managedZones", lambda: store.list_zones(query.get("dnsName"))),
            "resourceRecordSets.list": ("rrsets", lambda: store.list_sets(zone, query)),
            "changes.list": ("changes", lambda: store.list_changes(zone, query)),
        }
        if kind not in lists:
            raise Refusal(501, "notImplemented", f"The lab has no {kind}.")
        key, items = lists[kind]
        size = int(self._behaviour.value.get("page", PAGE)) if self._behaviour.value else PAGE
        found, token = page(items(), query, size)
        name = {"rrsets": "resourceRecordSets"}.get(key, key)
        answer: dict[str, Any] = {"kind": f"dns#{name}ListResponse", key: found}
        if token:
            answer["nextPageToken"] = token
        return answer


def error_body(refusal: Refusal) -> dict[str, Any]:
    """An error as Google's APIs write it."""
    error: dict[str, Any] = {
        "code": refusal.status,
        "message": str(refusal),
        "errors": [{"message": str(refusal), "domain": "global", "reason": refusal.reason}],
    }
    if refusal.status in STATUS_NAMES:
        error["status"] = STATUS_NAMES[refusal.status]
    return {"error": error}


def _handler(api: Api, log: RequestLog) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:
            """The request log has it."""

        def do_GET(self) -> None:
            self._serve()

        do_POST = do_DELETE = do_PATCH = do_PUT = do_GET

        def _serve(self) -> None:
            came = time.time()
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length)
            target = urlsplit(self.path)
            own = READER_HEADER in self.headers
            kind, status, body = f"{self.command} {target.path}", 0, None
            try:
                kind, status, body = self._answer(target.path, target.query, content, own)
            except Cut as cut:
                kind = str(cut)
                self.close_connection = True
            finally:
                if not own:
                    log.add(self.command, target.path, status, kind=kind, came=came)
            if status:
                self._reply(status, body)
            else:
                self.connection.shutdown(socket.SHUT_RDWR)

        def _answer(self, path: str, query: str, content: bytes, own: bool) -> tuple[str, int, Any]:
            if path == DUMP_PATH and own:
                return "", 200, api.store.served()
            if path == TOKEN_PATH:
                return "token", *api.accounts.exchange(dict(parse_qsl(content.decode())))
            bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if path.endswith(":generateAccessToken"):
                return "generateAccessToken", *api.accounts.impersonate(path, bearer, content)
            found = api.contract.find(self.command, path)
            if found is None:
                return f"{self.command} {path}", 404, error_body(Refusal(404, "notFound", "Not Found"))
            method, parameters = found
            fault = None if own else api.faults.for_request(method.kind)
            if fault and not fault.get("after"):
                return self._fail(method.kind, fault)
            try:
                body = json.loads(content) if content else None
                answer = api.answer(method, parameters, dict(parse_qsl(query)), body, bearer)
            except Refusal as refusal:
                return method.kind, refusal.status, error_body(refusal)
            except ValueError:
                return method.kind, 400, error_body(Refusal(400, "parseError", "Parse Error"))
            if fault:
                return self._fail(method.kind, fault)
            return method.kind, 200 if answer is not None else 204, answer

        @staticmethod
        def _fail(kind: str, fault: dict[str, Any]) -> tuple[str, int, Any]:
            if fault.get("cut"):
                raise Cut(kind)
            refusal = Refusal(fault["status"], fault.get("reason", "backendError"), fault.get("message", "On purpose."))
            return kind, refusal.status, error_body(refusal)

        def _reply(self, status: int, body: Any) -> None:
            content = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            if content:
                self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def serve(state: State) -> None:
    """Run the server in this process until it is ended."""
    settings = read_json(state.settings(NAME))
    api = Api(state, settings)
    log = RequestLog(state.requests(NAME), lambda method, path: path)
    _Server((LOOPBACK, settings["port"]), _handler(api, log)).serve_forever()


def launch(state: State, port: int) -> Access:
    """Start the server's process.

    :returns: how to reach it, with the key of an account that may do everything.
    """
    endpoint = f"http://{LOOPBACK}:{port}"
    write_json(state.settings(NAME), {"port": port, "token_uri": endpoint + TOKEN_PATH})
    write_json(state.settings(FAULTS), [])
    write_json(state.settings("cloud_dns-behaviour"), {"delay": 0.0})
    account = make_account(state, endpoint, "certfleet")
    key_file = state.root / "controller" / "cloud-dns.json"
    write_json(key_file, account.key)
    start(state, NAME, own_command("serve", NAME, str(state.root)))
    return Access(endpoint, PROJECT, str(key_file), account.token)
