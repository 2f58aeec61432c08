# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""moto's AWS Certificate Manager in a thread, behind what AWS enforces beyond it.

Requests are held to botocore's model of the service (acm-2015-12-08: what is required, lengths, patterns, choices), of
which its own validation checks little, and to what the user guide says of imports. moto also forgets the tags of a
certificate that is imported again; AWS keeps them. The request log has no bodies.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ..ports import LOOPBACK

ACCOUNT = "123456789012"
_DEFAULT_TYPES = ("RSA_1024", "RSA_2048")
_KEY_PEM = "PrivateKey"


@dataclass
class Call:
    """A request as it came, without any key. key: of the AWS credentials."""

    operation: str
    arn: str
    status: int
    key: str


@dataclass
class Behaviour:
    """What goes wrong. faults: operation and what befalls its next request (throttle, error, late, cut, lose), once
    each; denied: operations; stale: so many reads after an import show what was there before; page: of lists."""

    faults: list[tuple[str, str]] = field(default_factory=list)
    denied: tuple[str, ...] = ()
    stale: int = 0
    page: int = 1000


class _Wrong(Exception):
    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


def _pattern(text: str) -> re.Pattern[str]:
    """A pattern of the model, with Python's words for the classes of Unicode."""
    return re.compile(text.replace(r"\p{L}", "a-zA-Z").replace(r"\p{Z}", " ").replace(r"\p{N}", "0-9"))


class _Model:
    """botocore's model of the service."""

    def __init__(self) -> None:
        from botocore.loaders import Loader

        content = Loader().load_service_model("acm", "service-2")
        self._shapes: dict[str, Any] = content["shapes"]
        self._operations: dict[str, Any] = content["operations"]

    def check(self, operation: str, body: Any) -> None:
        """Raises _Wrong for a request that AWS would not take."""
        if operation not in self._operations:
            raise _Wrong("InvalidAction", f"there is no {operation}")
        self._check(self._operations[operation]["input"]["shape"], body, operation)

    def _check(self, name: str, value: Any, where: str) -> None:
        shape = self._shapes[name]
        kind = shape["type"]
        size: float | None = None
        if kind == "structure":
            for key in shape.get("required", ()):
                if key not in value:
                    raise _Wrong("ValidationException", f"{where}.{key} is missing")
            for key, inner in value.items():
                if key not in shape["members"]:
                    raise _Wrong("ValidationException", f"{where} has no {key}")
                self._check(shape["members"][key]["shape"], inner, f"{where}.{key}")
        elif kind == "list":
            size = len(value)
            for inner in value:
                self._check(shape["member"]["shape"], inner, f"{where}[]")
        elif kind == "blob":
            size = len(base64.b64decode(value, validate=True))
        elif kind == "string":
            size = len(value)
            if "enum" in shape and value not in shape["enum"]:
                raise _Wrong("ValidationException", f"{where} is none of its choices")
            if "pattern" in shape and not _pattern(shape["pattern"]).fullmatch(value):
                raise _Wrong("ValidationException", f"{where} does not match its pattern")
        elif kind in ("integer", "long"):
            size = value
        if size is not None and not shape.get("min", 0) <= size <= shape.get("max", size):
            raise _Wrong("ValidationException", f"{where} has {size}, out of {shape.get('min')} to {shape.get('max')}")


def _bundles(region: str) -> dict[str, Any]:
    from moto.acm.models import acm_backends

    found: dict[str, Any] = acm_backends[ACCOUNT][region]._certificates
    return found


def _held_to_the_guide(body: dict[str, Any], region: str) -> None:
    """ACM User Guide, "Prerequisites for importing ACM certificates" and "Reimporting a certificate"."""
    leaf = x509.load_pem_x509_certificate(base64.b64decode(body["Certificate"]))
    key: Any = load_pem_private_key(base64.b64decode(body[_KEY_PEM]), None)
    if key.public_key() != leaf.public_key():
        raise _Wrong("ValidationException", "The private key does not match the certificate.")
    if "CertificateChain" in body:
        child = leaf
        for parent in x509.load_pem_x509_certificates(base64.b64decode(body["CertificateChain"])):
            if child.issuer != parent.subject or child == parent:
                raise _Wrong("ValidationException", "Could not validate the certificate with the certificate chain.")
            child = parent
    elif leaf.issuer != leaf.subject:
        raise _Wrong("ValidationException", "Provided certificate is not a valid self signed one.")
    arn = body.get("CertificateArn")
    if arn is None:
        return
    if body.get("Tags"):
        raise _Wrong("ValidationException", "Tagging is not permitted on re-import.")
    bundle = _bundles(region).get(arn)
    if bundle is None:
        raise _Wrong("ResourceNotFoundException", f"Could not find certificate {arn}.")
    if bundle.type != "IMPORTED":
        raise _Wrong("ValidationException", "The certificate is not an imported one.")
    curve = getattr(key, "curve", None)
    if (curve.name if curve else key.key_size) != (
        bundle._key.curve.name if hasattr(bundle._key, "curve") else bundle._key.key_size
    ):
        raise _Wrong("ValidationException", "The key type and size cannot be changed.")


class AcmServer:
    """The running server; a context manager. calls: what it was asked, without bodies."""

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            def log(self, type: str, message: str, *args: Any) -> None:
                """The list of calls has it."""

        self.calls: list[Call] = []
        self.behaviour = Behaviour()
        self._model = _Model()
        self._inner = DomainDispatcherApplication(create_backend_app)
        self._stale: dict[str, list[bytes]] = {}
        self._lock = threading.Lock()
        self._server = make_server(LOOPBACK, 0, self, threaded=True, request_handler=Quiet)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"

    def __enter__(self) -> AcmServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reset(self) -> None:
        """Forget the requests, the faults and the certificates."""
        from moto.acm.models import acm_backends

        self.calls, self.behaviour, self._stale = [], Behaviour(), {}
        for backend in acm_backends[ACCOUNT].values():
            backend._certificates.clear()

    def held(self, arn: str) -> tuple[str, dict[str, str]]:
        """The serial number (hexadecimal) of the certificate, and its tags."""
        bundle = _bundles(arn.split(":")[3])[arn]
        return format(bundle._cert.serial_number, "x"), dict(bundle.tags.items())

    def operations(self) -> list[str]:
        """What it was asked since the last reset."""
        return [call.operation for call in self.calls]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if not target.startswith("CertificateManager."):
            return self._inner(environ, start_response)
        operation = target.partition(".")[2]
        content = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = json.loads(content)
        scope = re.search(r"Credential=([^/]+)/\d+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        key, region = scope.groups() if scope else ("", "")
        fault = self._fault(operation)
        try:
            status, answer = self._answer(environ, operation, body, region, fault)
        except _Wrong as wrong:
            told = {"__type": wrong.code, "message": str(wrong)}
            status, answer = wrong.status, json.dumps(told).encode()
        if fault in ("late", "error"):
            status, answer = 500, b'{"__type": "InternalFailure", "message": "On purpose."}'
        self.calls.append(Call(operation, str(body.get("CertificateArn") or ""), status, key))
        if fault in ("cut", "lose"):
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        start_response(
            f"{status} X", [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(answer)))]
        )
        return [answer]

    def _fault(self, operation: str) -> str:
        with self._lock:
            for number, (name, fault) in enumerate(self.behaviour.faults):
                if name == operation:
                    del self.behaviour.faults[number]
                    return fault
        return ""

    def _answer(
        self, environ: dict[str, Any], operation: str, body: dict[str, Any], region: str, fault: str
    ) -> tuple[int, bytes]:
        """Status and body; late and lose are carried out, the other faults are not."""
        if fault == "throttle":
            raise _Wrong("ThrottlingException", "Rate exceeded")
        if fault in ("error", "cut"):
            return 500, b""
        self._model.check(operation, body)
        arn = str(body.get("CertificateArn") or "")
        if operation in self.behaviour.denied:
            where = f" on resource: {arn}" if arn else ""
            raise _Wrong("AccessDeniedException", f"User is not authorized to perform: acm:{operation}{where}")
        if operation == "ImportCertificate":
            _held_to_the_guide(body, region)
            return self._imported(environ, body, region)
        if operation == "ListCertificates":
            return self._listed(environ, body)
        status, answer = self._passed_on(environ, body)
        if operation == "GetCertificate" and self._stale.get(arn):
            return 200, self._stale[arn].pop()
        return status, answer

    def _imported(self, environ: dict[str, Any], body: dict[str, Any], region: str) -> tuple[int, bytes]:
        arn = str(body.get("CertificateArn") or "")
        bundle = _bundles(region).get(arn)
        before = json.dumps({"Certificate": bundle.cert.decode()}).encode() if bundle else b""
        status, answer = self._passed_on(environ, body)
        if bundle is not None and status == 200:
            _bundles(region)[arn].tags = bundle.tags
            self._stale[arn] = [before] * self.behaviour.stale
        return status, answer

    def _listed(self, environ: dict[str, Any], body: dict[str, Any]) -> tuple[int, bytes]:
        """In pages, and only the key types that AWS lists when it is not asked for others."""
        start = int(body.get("NextToken") or 0)
        types = (body.get("Includes") or {}).get("keyTypes") or list(_DEFAULT_TYPES)
        size = min(self.behaviour.page, int(body.get("MaxItems") or 1000))
        status, answer = self._passed_on(environ, {"Includes": {"keyTypes": types}})
        found = json.loads(answer)["CertificateSummaryList"]
        told: dict[str, Any] = {"CertificateSummaryList": found[start : start + size]}
        if start + size < len(found):
            told["NextToken"] = str(start + size)
        return status, json.dumps(told).encode()

    def _passed_on(self, environ: dict[str, Any], body: dict[str, Any]) -> tuple[int, bytes]:
        import io

        content = json.dumps(body).encode()
        seen: list[int] = []

        def started(status: str, _headers: Any, *_rest: Any) -> Any:
            seen.append(int(status.split()[0]))

        inner = {**environ, "wsgi.input": io.BytesIO(content), "CONTENT_LENGTH": str(len(content))}
        answer = b"".join(self._inner(inner, started))
        return seen[0], answer
