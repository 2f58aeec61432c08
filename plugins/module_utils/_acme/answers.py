# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading what a server answers: no more than a bound, decoded or not, and all of it or nothing."""

from __future__ import annotations

import zlib
from typing import Any

from . import _library as library

_PIECE = 64 * 1024
#: For zlib: a gzip header is expected.
_GZIP = 31


class Refused(Exception):
    """The answer is not taken, and would be the same another time. Its text goes on after "answered with"."""


def read_answer(response: Any, most: int) -> None:
    """Read the body of a response of requests (``stream``), so that ``content``, ``text`` and ``json()`` have it.

    most: bytes, of the body as it comes and as it is decoded. Raises Refused for more than that or for an encoding
    that was not asked for, and what requests and urllib3 raise when it is cut off.
    """
    try:
        body = _decoded(response, _raw(response, most), most)
    except BaseException:
        response.close()
        raise
    response._content = body
    response._content_consumed = True
    response.encoding = "utf-8"


def parse_json(response: Any) -> Any:
    """The value of a response in JSON; None when it is none, or nested too deep."""
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def _raw(response: Any, most: int) -> bytes:
    declared = response.headers.get("Content-Length", "")
    length = int(declared[:18]) if declared.isascii() and declared.isdigit() else None
    if "Transfer-Encoding" in response.headers or response.request.method == "HEAD":
        length = None
    if length is not None and length > most:
        raise Refused(f"{length} bytes, more than the {most} that are taken")
    parts: list[bytes] = []
    size = 0
    while True:
        # urllib3 would hand out a whole bomb for one piece of compressed data.
        part = response.raw.read(_PIECE, decode_content=False)
        if not part:
            break
        parts.append(part)
        size += len(part)
        if size > most:
            raise Refused(f"more than the {most} bytes that are taken")
    if response.status_code not in (204, 304):
        # Older urllib3 takes it for whole, and half a chain may still begin with our certificate.
        if length is not None and size < length:
            raise library.requests.exceptions.ConnectionError(f"the answer was cut off after {size} of {length} bytes")
        if not size and length is None and _headers_end_early(response):
            raise library.requests.exceptions.ConnectionError("the answer was cut off inside its headers")
    return b"".join(parts)


def _headers_end_early(response: Any) -> bool:
    """Whether an answer without a body may have lost the end of its headers: http.client does not tell."""
    message = getattr(getattr(response.raw, "_original_response", None), "msg", None)
    if getattr(message, "defects", None):
        return True
    closes = "close" in response.headers.get("Connection", "").lower()
    return response.request.method != "HEAD" and not closes and "Transfer-Encoding" not in response.headers


def _decoded(response: Any, body: bytes, most: int) -> bytes:
    """The body without its Content-Encoding: none was asked for, but gzip is what some proxies do anyway."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if not body or encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise Refused(f"the content encoding {encoding[:40]}, which was not asked for")
    decoder = zlib.decompressobj(_GZIP)
    try:
        found = decoder.decompress(body, most + 1)
    except zlib.error as error:
        raise Refused("gzip that cannot be decoded") from error
    if len(found) > most:
        raise Refused(f"more than the {most} bytes that are taken, once decoded")
    if not decoder.eof:
        raise library.requests.exceptions.ConnectionError("the answer was cut off inside its gzip encoding")
    return found
