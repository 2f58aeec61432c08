# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own way to an emulator: signed requests of the Route53 API (version 2013-04-01), stdlib only.

Every request carries the mark that keeps it out of the request log.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import http.client
import re
import threading
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from .requestlog import READER_HEADER

NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
TIMEOUT = 10.0


class Route53Error(Exception):
    """An emulator refused a request of the lab's own; code is the API's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True)
class Access:
    """Where an emulator listens and the credentials it takes."""

    endpoint_url: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"


@dataclass(frozen=True)
class Zone:
    """A hosted zone; the name has no trailing dot."""

    name: str
    zone_id: str
    private: bool


@dataclass(frozen=True)
class RecordSet:
    """A record set; the name is lower-case without trailing dot, values are as the API shows them."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]


def plain_name(name: str) -> str:
    """A name as the API gives it, lower-case, its octal escapes (``\\052``) resolved, without trailing dot."""
    return name.replace("\\052", "*").rstrip(".").lower()


def unquoted(value: str) -> str:
    """A TXT value as the API shows it (``"a" "b"``), without quotes and escapes; unquoted ones stay as they are."""
    parts = re.findall(r'"((?:[^"\\]|\\.)*)"', value)
    return re.sub(r"\\(.)", r"\1", "".join(parts)) if parts else value


def _signature(access: Access, method: str, host: str, path: str, query: str, body: bytes) -> dict[str, str]:
    """The headers of AWS Signature Version 4 for service route53."""
    moment = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/{access.region}/route53/aws4_request"
    digest = hashlib.sha256(body).hexdigest()
    canonical = "\n".join(
        [method, quote(path), query, f"host:{host}", f"x-amz-date:{moment}", "", "host;x-amz-date", digest]
    )
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + access.secret_key.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return {
        "Host": host,
        "X-Amz-Date": moment,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={access.access_key}/{scope}, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}",
    }


class Route53:
    """A small client; each thread keeps one connection."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._host = urlsplit(access.endpoint_url).netloc
        self._local = threading.local()

    def _send(self, method: str, path: str, query: str, body: bytes) -> tuple[int, bytes]:
        headers = _signature(self._access, method, self._host, path, query, body)
        headers[READER_HEADER] = "reader"
        target = f"{path}?{query}" if query else path
        for attempt in (1, 2):
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = http.client.HTTPConnection(self._host, timeout=TIMEOUT)
                self._local.connection = connection
            try:
                connection.request(method, target, body=body or None, headers=headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (http.client.HTTPException, ConnectionError):
                # A kept connection that the server closed in the meantime: once more on a new one.
                connection.close()
                self._local.connection = None
                if attempt == 2:
                    raise
        raise AssertionError("not reached")

    def call(self, method: str, path: str, query: dict[str, str] | None = None, body: str = "") -> ElementTree.Element:
        """Send a request and parse the answer.

        :raises Route53Error: when the emulator refuses it.
        :raises OSError: when it cannot be reached.
        """
        text = urlencode(sorted((query or {}).items()), quote_via=quote)
        status, answer = self._send(method, f"/2013-04-01{path}", text, body.encode())
        try:
            root = ElementTree.fromstring(answer)
        except ElementTree.ParseError as error:
            raise Route53Error(str(status), answer[:200].decode(errors="replace")) from error
        if status >= 300:
            code = next((node.text for node in root.iter() if node.tag.endswith("Code")), str(status))
            message = next((node.text for node in root.iter() if node.tag.endswith("Message")), "")
            raise Route53Error(code or str(status), message or "")
        return root

    @staticmethod
    def _text(node: ElementTree.Element, path: str, default: str = "") -> str:
        return node.findtext("/".join(f"{{{NAMESPACE}}}{part}" for part in path.split("/"))) or default

    def zones(self) -> list[Zone]:
        """Every hosted zone."""
        found: list[Zone] = []
        query: dict[str, str] = {}
        while True:
            root = self.call("GET", "/hostedzone", query)
            for node in root.iter(f"{{{NAMESPACE}}}HostedZone"):
                found.append(
                    Zone(
                        name=plain_name(self._text(node, "Name")),
                        zone_id=self._text(node, "Id").rpartition("/")[2],
                        private=self._text(node, "Config/PrivateZone") == "true",
                    )
                )
            if self._text(root, "IsTruncated") != "true":
                return found
            query = {"marker": self._text(root, "NextMarker")}

    def records(self, zone_id: str, start: str, limit: int) -> list[RecordSet]:
        """Record sets of a zone from a name on, in the API's order (by reversed labels)."""
        root = self.call("GET", f"/hostedzone/{zone_id}/rrset", {"name": f"{start}.", "maxitems": str(limit)})
        return self._record_sets(root)

    def all_records(self, zone_id: str) -> list[RecordSet]:
        """Every record set of a zone."""
        found: list[RecordSet] = []
        query = {"maxitems": "300"}
        while True:
            root = self.call("GET", f"/hostedzone/{zone_id}/rrset", query)
            found.extend(self._record_sets(root))
            if self._text(root, "IsTruncated") != "true":
                return found
            query["name"] = self._text(root, "NextRecordName")
            query["type"] = self._text(root, "NextRecordType")

    def _record_sets(self, root: ElementTree.Element) -> list[RecordSet]:
        found = []
        for node in root.iter(f"{{{NAMESPACE}}}ResourceRecordSet"):
            values = tuple(value.text or "" for value in node.iter(f"{{{NAMESPACE}}}Value"))
            found.append(
                RecordSet(
                    name=plain_name(self._text(node, "Name")),
                    type=self._text(node, "Type"),
                    ttl=int(self._text(node, "TTL", "0")),
                    values=values,
                )
            )
        return found

    def create_zone(self, name: str) -> str:
        """Create a public zone and return its id, without the ``/hostedzone/`` in front."""
        body = (
            f'<CreateHostedZoneRequest xmlns="{NAMESPACE}"><Name>{escape(name)}</Name>'
            f"<CallerReference>lab-{escape(name)}</CallerReference></CreateHostedZoneRequest>"
        )
        root = self.call("POST", "/hostedzone", body=body)
        return self._text(root, "HostedZone/Id").rpartition("/")[2]
