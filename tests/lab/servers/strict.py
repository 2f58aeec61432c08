# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS enforces and no emulator does, as a proxy in front of one: client and emulator are as they are.

:mod:`.strict_rules` has the rules for changes. Here are those about time and the faults:

    rate          requests a second of the account, with a burst of as many; beyond: Throttling (HTTP 400)
    pending       seconds for which GetChange says PENDING of a change, and INSYNC from then on
    prior         seconds for which a change keeps its zone busy; meanwhile: PriorRequestNotComplete (HTTP 400)
    throttle      every Nth request is refused with Throttling, whatever the rate
    error         every Nth request is answered with 500, not carried out
    cut           the connection ends at every Nth request, which is not carried out
    lose          every Nth request is carried out and its answer lost with the connection

0 turns each off (GetChange then says what the emulator says). They can be changed while it runs. The lab's own reads
pass through.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from ..ports import LOOPBACK
from ..processes import own_command, start
from ..requestlog import READER_HEADER, RequestLog, route53_kind
from ..route53 import NAMESPACE, Access, Route53, Route53Error, plain_name
from ..state import State, read_json, write_json
from . import strict_rules

NAME = "strict"
CALM: dict[str, float] = {"rate": 0, "pending": 0, "prior": 0, "throttle": 0, "error": 0, "cut": 0, "lose": 0}
_STATUS = re.compile(rb"(?<=<Status>)(?:PENDING|INSYNC)(?=</Status>)")
_CHANGE = re.compile(rb"<Id>/change/([^<]+)</Id>")
REFUSALS = {
    "Throttling": "Rate exceeded",
    "PriorRequestNotComplete": "The request was rejected because Route 53 was still processing a prior request.",
    "InternalFailure": "An internal error has occurred",
}


class _Gate:
    """What all requests share: the settings, the rate, the zones that are busy, and the sets that are known."""

    def __init__(self, state: State, access: Access) -> None:
        self._path = state.settings("strict-faults")
        self._client = Route53(access)
        self._lock = threading.Lock()
        self._changing = threading.Lock()
        self._seen: Counter[str] = Counter()
        self._tokens, self._last = 0.0, 0.0
        self._busy: dict[str, float] = {}
        self._zones: dict[str, strict_rules.ZoneSets] = {}
        self._made: dict[bytes, float] = {}
        self.changing = self._changing

    def fault(self) -> str:
        """What befalls the next request; empty for nothing."""
        with self._lock:
            faults = {**CALM, **json.loads(self._path.read_text())}
            now = time.monotonic()
            rate = faults["rate"]
            if rate:
                self._tokens = min(rate, self._tokens + (now - self._last) * rate) if self._last else rate
                self._last = now
                if self._tokens < 1:
                    return "throttle"
                self._tokens -= 1
            self._seen["all"] += 1
            return next(
                (
                    kind
                    for kind in ("throttle", "error", "cut", "lose")
                    if faults[kind] and self._seen["all"] % int(faults[kind]) == 0
                ),
                "",
            )

    def is_busy(self, zone_id: str) -> bool:
        """Whether a change of the zone is under way; if not, one is from now on."""
        prior = {**CALM, **json.loads(self._path.read_text())}["prior"]
        with self._lock:
            now = time.monotonic()
            if now < self._busy.get(zone_id, 0.0):
                return True
            self._busy[zone_id] = now + prior
            return False

    def with_status(self, content: bytes) -> bytes:
        """An answer that tells of a change, with the status that it has by the setting ``pending``."""
        pending = {**CALM, **json.loads(self._path.read_text())}["pending"]
        change = _CHANGE.search(content)
        if not pending or change is None:
            return content
        now = time.monotonic()
        with self._lock:
            age = now - self._made.setdefault(change[1], now)
        return _STATUS.sub(b"PENDING" if age < pending else b"INSYNC", content)

    def sets(self, zone_id: str) -> strict_rules.ZoneSets:
        """What a zone holds, read once; afterwards every change passes here."""
        if zone_id not in self._zones:
            found = self._client.call("GET", f"/hostedzone/{zone_id}")
            name = next(node.text or "" for node in found.iter(f"{{{NAMESPACE}}}Name"))
            sets = strict_rules.ZoneSets(plain_name(name))
            query = {"maxitems": "300"}
            while query:
                root = self._client.call("GET", f"/hostedzone/{zone_id}/rrset", query)
                for node in root.iter(f"{{{NAMESPACE}}}ResourceRecordSet"):
                    sets.hold(strict_rules.Entry.read(node))
                following = {
                    key: root.findtext(f"{{{NAMESPACE}}}{tag}") or ""
                    for key, tag in (
                        ("name", "NextRecordName"),
                        ("type", "NextRecordType"),
                        ("identifier", "NextRecordIdentifier"),
                    )
                }
                query = {"maxitems": "300", **{key: value for key, value in following.items() if value}}
                if not following["name"]:
                    query = {}
            self._zones[zone_id] = sets
        return self._zones[zone_id]


def serve(state: State) -> None:
    """Run the proxy in this process until it is ended."""
    settings = read_json(state.settings(NAME))
    access = Access(**settings["access"])
    gate = _Gate(state, access)
    log = RequestLog(state.requests(NAME), route53_kind)
    behind = urlsplit(access.endpoint_url).netloc
    local = threading.local()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def log_message(self, format: str, *words: Any) -> None:
            pass

        def _all(self) -> None:
            self._came = time.time()
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get(READER_HEADER):
                self._answer(*self._forward(body))
                return
            fault = gate.fault()
            path = urlsplit(self.path).path
            if fault == "cut":
                self._hang_up(path)
            elif fault in ("throttle", "error"):
                self._refuse(
                    400 if fault == "throttle" else 500, {"throttle": "Throttling"}.get(fault, "InternalFailure")
                )
            else:
                answer = self._change(path, body) if self._changes(path) else self._forward(body)
                if fault == "lose":
                    self._hang_up(path)
                elif answer is not None:
                    log.add(self.command, path, answer[0], came=self._came)
                    self._answer(answer[0], answer[1], gate.with_status(answer[2]))

        do_GET = do_POST = do_DELETE = _all

        def _changes(self, path: str) -> bool:
            return route53_kind(self.command, path) == "ChangeResourceRecordSets"

        def _change(self, path: str, body: bytes) -> tuple[int, list[tuple[str, str]], bytes] | None:
            zone_id = path.rstrip("/").split("/")[-2]
            with gate.changing:
                if gate.is_busy(zone_id):
                    return self._error(400, "PriorRequestNotComplete", REFUSALS["PriorRequestNotComplete"])
                try:
                    sets = gate.sets(zone_id)
                except Route53Error:
                    # There is no such zone: the emulator says so in the API's words.
                    return self._forward(body)
                batch = strict_rules.Batch.read(body)
                problems = sets.problems(batch)
                if problems:
                    return self._error(400, "InvalidChangeBatch", f"[{', '.join(problems)}]")
                answer = self._forward(body)
                if answer[0] == 200:
                    sets.apply(batch)
                return answer

        def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            for attempt in (1, 2):
                connection = getattr(local, "connection", None)
                if connection is None:
                    connection = local.connection = http.client.HTTPConnection(behind, timeout=120)
                try:
                    connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                    for name, value in self.headers.items():
                        if name.lower() not in ("connection", "transfer-encoding", "expect"):
                            connection.putheader(name, value)
                    connection.endheaders(body)
                    answer = connection.getresponse()
                    content = answer.read()
                    kept = ("content-type", "x-amzn-requestid", "location")
                    return answer.status, [pair for pair in answer.getheaders() if pair[0].lower() in kept], content
                except (http.client.HTTPException, ConnectionError):
                    connection.close()
                    local.connection = None
                    if attempt == 2:
                        raise
            raise AssertionError("not reached")

        def _error(self, status: int, code: str, message: str) -> tuple[int, list[tuple[str, str]], bytes]:
            text = (
                f'<?xml version="1.0"?><ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
                f"<Message>{escape(message)}</Message></Error><RequestId>lab</RequestId></ErrorResponse>"
            )
            return status, [("Content-Type", "text/xml")], text.encode()

        def _refuse(self, status: int, code: str) -> None:
            log.add(self.command, urlsplit(self.path).path, status, came=self._came)
            self._answer(*self._error(status, code, REFUSALS[code]))

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

        def _hang_up(self, path: str) -> None:
            log.add(self.command, path, None, came=self._came)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    Server((LOOPBACK, settings["port"]), Handler).serve_forever()


def launch(state: State, access: Access, port: int) -> Access:
    """Start the proxy's process in front of an emulator; returns how to reach it."""
    write_json(state.settings(NAME), {"port": port, "access": vars(access)})
    set_faults(state, {})
    start(state, NAME, own_command("serve", NAME, str(state.root)))
    return Access(f"http://{LOOPBACK}:{port}", access.access_key, access.secret_key, access.region)


def set_faults(state: State, faults: dict[str, float]) -> None:
    """Set the faults from the next request on; those not named are off.

    :raises ValueError: for one that there is not.
    """
    unknown = set(faults) - set(CALM)
    if unknown:
        raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
    write_json(state.settings("strict-faults"), {**CALM, **faults})
