# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that answers as Google Certificate Manager does, held to Google's discovery document; it runs in a thread.

Each request and each answer is compared with the document; what is not as it says is refused (400, or 500 for an
answer) and is among ``violations``. Changes are long-running operations that take ``delay`` seconds; until then the
old certificate is there. Private keys are compared with their certificates and kept nowhere, the request log has no
bodies.
"""

from __future__ import annotations

import datetime
import json
import re
import socket
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ..cloud_dns import PROJECT, Account, make_account
from ..cloud_dns_access import Accounts
from ..cloud_dns_store import Refusal
from ..discovery import Contract, Method
from ..ports import LOOPBACK
from ..requestlog import RequestLog, count, read_records
from ..state import State, write_json
from .cloud_dns import FAULTS, TOKEN_PATH, Cut, Faults, Settings, error_body

NAME = "certificate_manager"
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_PERMISSIONS = {"patch": "certs.update", "get": "certs.get", "create": "certs.create", "list": "certs.list"}
#: Of the fields that can be changed.
_MUTABLE = frozenset({"selfManaged", "labels", "description"})


@dataclass
class Operation:
    """A change under way. ends: of time.monotonic(); then what it makes is there."""

    name: str
    ends: float
    resource: dict[str, Any]
    error: dict[str, Any] | None = None


@dataclass
class Holdings:
    """Certificates by name and operations, settled when they are looked at."""

    delay: float = 0.0
    certificates: dict[str, dict[str, Any]] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    failing: list[dict[str, Any]] = field(default_factory=list)

    def settle(self) -> None:
        for operation in self.operations.values():
            if operation.resource and operation.ends <= time.monotonic():
                if operation.error is None:
                    self.certificates[operation.resource["name"]] = operation.resource
                operation.resource = {}

    def busy(self, name: str) -> bool:
        return any(operation.resource.get("name") == name for operation in self.operations.values())

    def begin(self, parent: str, resource: dict[str, Any]) -> dict[str, Any]:
        operation = Operation(f"{parent}/operations/operation-{uuid.uuid4()}", time.monotonic() + self.delay, resource)
        if self.failing:
            operation.error = self.failing.pop(0)
        self.operations[operation.name] = operation
        return {"name": operation.name, "done": False, "metadata": {"target": resource["name"]}}

    def show(self, name: str) -> dict[str, Any]:
        operation = self.operations.get(name)
        if operation is None:
            raise Refusal(404, "notFound", f"Resource '{name}' was not found")
        done = not operation.resource
        answer: dict[str, Any] = {"name": name, "done": done}
        if done and operation.error:
            answer["error"] = operation.error
        elif done:
            answer["response"] = {"@type": "type.googleapis.com/google.cloud.certificatemanager.v1.Certificate"}
        return answer


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _invalid(message: str) -> Refusal:
    return Refusal(400, "badRequest", message)


def _public(key: Any) -> bytes:
    der: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return der


def _uploaded(content: dict[str, Any]) -> dict[str, Any]:
    """What the API shows of an uploaded certificate. Raises Refusal for one that it does not take."""
    try:
        chain = x509.load_pem_x509_certificates(str(content.get("pemCertificate")).encode())
    except ValueError as error:
        raise _invalid("The PEM certificate is invalid.") from error
    try:
        key: Any = serialization.load_pem_private_key(str(content.get("pemPrivateKey")).encode(), None)
    except (ValueError, TypeError) as error:
        raise _invalid("The PEM private key is invalid.") from error
    if _public(key.public_key()) != _public(chain[0].public_key()):
        raise _invalid("The private key does not match the leaf certificate.")
    for child, parent in zip(chain, chain[1:]):
        if child.issuer != parent.subject:
            raise _invalid("The certificate chain is not in order.")
    if chain[0].not_valid_after_utc <= datetime.datetime.now(datetime.timezone.utc):
        raise _invalid("The certificate has expired.")
    names = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {
        "pemCertificate": content["pemCertificate"],
        "sanDnsnames": names.get_values_for_type(x509.DNSName),
        "expireTime": chain[0].not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "selfManaged": {},
        "updateTime": _now(),
    }


class Api:
    """Answers requests to the API itself."""

    def __init__(self, accounts: Accounts) -> None:
        self.contract = Contract("certificatemanager.v1")
        self.accounts = accounts
        self.held = Holdings()
        self.violations: list[str] = []
        self._lock = threading.Lock()

    def answer(self, method: Method, path: dict[str, str], query: dict[str, str], body: Any, bearer: str) -> Any:
        """Raises Refusal."""
        problems = self.contract.check_query(method, query) + self.contract.check_request(method, body)
        if problems:
            self.violations += problems
            raise _invalid("; ".join(problems))
        where, _dot, verb = method.kind.partition(".")
        permission = f"{NAME.replace('_', '')}.{_PERMISSIONS[verb] if where == 'certificates' else method.kind}"
        self.accounts.check(bearer, method, None, permission)
        name = path.get("name") or path["parent"]
        if not name.startswith(f"projects/{PROJECT}/"):
            raise Refusal(
                403, "forbidden", f"Permission '{permission}' denied on resource '{name}' (or it may not exist)."
            )
        with self._lock:
            self.held.settle()
            found = self._carry_out(method.kind, name, query, body)
        problems = self.contract.check_answer(method, found)
        if problems:
            self.violations += problems
            raise Refusal(500, "backendError", "; ".join(problems))
        return found

    def _carry_out(self, kind: str, name: str, query: dict[str, str], body: Any) -> dict[str, Any]:
        if kind == "certificates.get":
            return self._certificate(name)
        if kind == "operations.get":
            return self.held.show(name)
        if kind == "certificates.create":
            return self._create(name, query.get("certificateId", ""), body)
        if kind == "certificates.patch":
            return self._patch(name, query.get("updateMask", "").split(","), body)
        raise Refusal(501, "notImplemented", f"The lab has no {kind}.")

    def _certificate(self, name: str) -> dict[str, Any]:
        if name not in self.held.certificates:
            raise Refusal(404, "notFound", f"Resource '{name}' was not found")
        return self.held.certificates[name]

    def _create(self, parent: str, certificate: str, body: dict[str, Any]) -> dict[str, Any]:
        name = f"{parent}/certificates/{certificate}"
        if not _NAME.fullmatch(certificate):
            raise _invalid(f"Invalid resource field value in the request: {certificate}")
        if name in self.held.certificates or self.held.busy(name):
            raise Refusal(409, "alreadyExists", f"Resource '{name}' already exists")
        if len({"managed", "selfManaged"} & body.keys()) != 1:
            raise _invalid("Exactly one of managed and self_managed must be set.")
        resource = {"name": name, "createTime": _now(), **self._settings(body), **_uploaded(body["selfManaged"])}
        return self.held.begin(parent, resource)

    def _patch(self, name: str, mask: list[str], body: dict[str, Any]) -> dict[str, Any]:
        now = self._certificate(name)
        if not set(mask) <= _MUTABLE:
            raise _invalid(f"The update mask {','.join(mask)} has fields that cannot be changed.")
        if self.held.busy(name):
            raise Refusal(409, "aborted", f"Operation on resource '{name}' is in progress.")
        if "selfManaged" in mask and "selfManaged" not in now:
            raise _invalid("The type of a certificate cannot be changed.")
        resource = {**now, **{key: value for key, value in self._settings(body).items() if key in mask}}
        if "selfManaged" in mask:
            resource.update(_uploaded(body.get("selfManaged") or {}))
        return self.held.begin(name.rpartition("/certificates/")[0], resource)

    @staticmethod
    def _settings(body: dict[str, Any]) -> dict[str, Any]:
        for key, value in (body.get("labels") or {}).items():
            if not _LABEL.fullmatch(key) or not re.fullmatch(r"[a-z0-9_-]{0,63}", value):
                raise _invalid(f"The label {key}={value} is invalid.")
        return {key: body[key] for key in ("labels", "description") if key in body}


class CertificateManagerServer:
    """The running server; a context manager. folder: an empty one for its accounts, settings and request log."""

    def __init__(self, folder: Path) -> None:
        self.state = State.create(folder)
        server = ThreadingHTTPServer((LOOPBACK, 0), BaseHTTPRequestHandler)
        self.url = f"http://{LOOPBACK}:{server.server_address[1]}"
        self.project = PROJECT
        self._log = self.state.requests(NAME)
        self.set_faults()
        accounts = Accounts(Settings(self.state.settings("cloud_dns-accounts")), self.url + TOKEN_PATH)
        self.api = Api(accounts)
        server.RequestHandlerClass = _handler(
            self.api, Faults(self.state.settings(FAULTS)), RequestLog(self._log, lambda _method, path: path)
        )
        self._server = server

    def __enter__(self) -> CertificateManagerServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def account(self, name: str, **rights: Any) -> Account:
        """A new service account; rights as for make_account of lab/cloud_dns.py."""
        return make_account(self.state, self.url, name, **rights)

    def set_faults(self, *faults: dict[str, Any]) -> None:
        """What goes wrong from now on, as for Lab.set_cloud_faults."""
        write_json(self.state.settings(FAULTS), list(faults))

    def counts(self) -> dict[str, int]:
        """How many requests of each kind came since the last call."""
        found = dict(count(read_records(self._log)))
        self._log.write_text("", encoding="utf-8")
        return found

    def put_managed(self, name: str) -> None:
        """A certificate that Google manages."""
        full = f"projects/{PROJECT}/locations/global/certificates/{name}"
        self.api.held.certificates[full] = {"name": full, "managed": {"domains": ["example.com"], "state": "ACTIVE"}}


def _handler(api: Api, faults: Faults, log: RequestLog) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:
            """The request log has it."""

        def do_GET(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            target = urlsplit(self.path)
            kind, status, body = f"{self.command} {target.path}", 0, None
            try:
                kind, status, body = self._answer(target.path, target.query, content)
            except Cut as cut:
                kind, self.close_connection = str(cut), True
            finally:
                log.add(self.command, target.path, status, kind=kind)
            if not status:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            answer = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            self.wfile.flush()

        do_POST = do_PATCH = do_DELETE = do_GET

        def _answer(self, path: str, query: str, content: bytes) -> tuple[str, int, Any]:
            if path == TOKEN_PATH:
                return "token", *api.accounts.exchange(dict(parse_qsl(content.decode())))
            found = api.contract.find(self.command, path)
            if found is None:
                return f"{self.command} {path}", 404, error_body(Refusal(404, "notFound", "Not Found"))
            method, parameters = found
            fault = faults.for_request(method.kind)
            if fault and not fault.get("after"):
                return self._fail(method.kind, fault)
            bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
            try:
                body = json.loads(content) if content else None
                answer = api.answer(method, parameters, dict(parse_qsl(query)), body, bearer)
            except Refusal as refusal:
                return method.kind, refusal.status, error_body(refusal)
            return self._fail(method.kind, fault) if fault else (method.kind, 200, answer)

        @staticmethod
        def _fail(kind: str, fault: dict[str, Any]) -> tuple[str, int, Any]:
            if fault.get("cut"):
                raise Cut(kind)
            refusal = Refusal(fault["status"], fault.get("reason", "backendError"), fault.get("message", "On purpose."))
            body = error_body(refusal)
            body["error"]["details"] = fault.get("details", [])
            return kind, refusal.status, body

    return Handler
