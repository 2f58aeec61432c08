# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers that do not end, do not come whole, or are not what they say."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme import network
from ansible_collections.certfleet.acme.plugins.module_utils._acme.problems import AcmeProblem, Unreachable
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError

from .scripted import ScriptedCA, Stream, scripted_ca

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
FINE = b'{"status": "valid"}'


@pytest.fixture
def ca() -> Iterator[ScriptedCA]:
    with scripted_ca() as running:
        yield running


def ask(ca: ScriptedCA, **options: Any) -> Any:
    return ca.session(**options).read(f"{ca.url}/thing", doing="to show the thing")[0]


def with_length(body: bytes, more: bytes = b"") -> bytes:
    return HEAD + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def pieces(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(pieces(with_length(FINE + b" " * 1000)), id="headers"),
        pytest.param([with_length(FINE + b" " * 1000)[:-1000], *[b" "] * 1000], id="body"),
        pytest.param([HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\n \r\n"] * 1000], id="chunks"),
        pytest.param([HEAD + b"Connection: close\r\n\r\n" + FINE, *[b" "] * 1000], id="until it is closed"),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n"] * 1000, id="continue"),
        pytest.param([b""] * 1000, id="nothing"),
    ],
)
def test_an_answer_that_drips_is_given_up_in_time(ca: ScriptedCA, answer: list[bytes]) -> None:
    ca.script["thing"] = [Stream(answer, pause=0.02)]
    begun = time.monotonic()
    with pytest.raises(Unreachable, match=r"asked to show the thing, 127.0.0.1:\d+ did not answer within 1 s"):
        ask(ca, request_timeout=1, timeout=1.3)
    assert time.monotonic() - begun < 4


def test_a_connection_is_kept_and_each_request_over_it_has_a_limit_of_its_own(ca: ScriptedCA) -> None:
    ca.script["thing"] = [(200, {}, {"number": 1})]
    ca.script["slow"] = [Stream(pieces(with_length(FINE)), pause=0.05)]
    session = ca.session(request_timeout=1, timeout=1.3)
    for _number in range(3):
        session.read(f"{ca.url}/thing", doing="it")
    with pytest.raises(Unreachable):
        session.read(f"{ca.url}/slow", doing="it")
    session.network._silent = None
    assert session.read(f"{ca.url}/thing", doing="it")[0] == {"number": 1}


@pytest.mark.parametrize(
    "cut",
    [
        with_length(FINE)[:-5],
        b"HTTP/1.1 200 OK\r\nContent-Ty",
        b"HTTP/1.1 200 OK\r\n",
        HEAD,
        b"HTTP/1.1 2",
        with_length(b"x" * 100)[:60],
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n13\r\n" + FINE[:10],
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n13\r\n" + FINE + b"\r\n",
        with_length(gzip.compress(FINE)[:-9], b"Content-Encoding: gzip\r\n"),
    ],
)
def test_an_answer_that_did_not_come_whole_is_asked_for_again(ca: ScriptedCA, cut: bytes) -> None:
    ca.script["thing"] = [Stream([cut]), (200, {}, FINE)]
    assert ask(ca) == {"status": "valid"}
    assert ca.paths().count("/thing") == 2


@pytest.mark.parametrize("older", [False, True])
def test_half_a_chain_is_not_taken_for_a_whole_one(
    ca: ScriptedCA, monkeypatch: pytest.MonkeyPatch, older: bool
) -> None:
    """Also with an urllib3 that does not compare lengths itself."""
    session = ca.session(timeout=1)
    ca.script["thing"] = [Stream([with_length(FINE + b" " * 10)[:-10]])]
    if older:
        real = session.network.session.request

        def request(*words: Any, **options: Any) -> Any:
            response = real(*words, **options)
            response.raw.enforce_content_length = False
            return response

        monkeypatch.setattr(session.network.session, "request", request)
    with pytest.raises(Unreachable, match="cut"):
        session.read(f"{ca.url}/thing", doing="it")


def test_gzip_is_understood_though_not_asked_for(ca: ScriptedCA) -> None:
    ca.script["thing"] = [Stream([with_length(gzip.compress(FINE), b"Content-Encoding: gzip\r\n")])]
    assert ask(ca) == {"status": "valid"}


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (HEAD + b"Content-Length: 200000000\r\n\r\n", "answered with 200000000 bytes, more than the 1048576"),
        (HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", "bytes, more than the 1048576"),
        (with_length(b" " * (network._MAX_ANSWER + 1)), "more than the 1048576"),
        (HEAD + b"\r\n" + b" " * (network._MAX_ANSWER + 1), "more than the 1048576 bytes that are taken"),
        (
            with_length(gzip.compress(b" " * 20_000_000), b"Content-Encoding: gzip\r\n"),
            "more than the 1048576 bytes that are taken, once decoded",
        ),
        (with_length(b"x", b"Content-Encoding: gzip, gzip\r\n"), "the content encoding gzip, gzip"),
        (with_length(b"x", b"Content-Encoding: br\r\n"), "the content encoding br, which was not asked for"),
        (with_length(b"no gzip", b"Content-Encoding: gzip\r\n"), "gzip that cannot be decoded"),
    ],
)
def test_what_is_too_large_or_oddly_encoded_is_refused_at_once(ca: ScriptedCA, answer: bytes, cause: str) -> None:
    ca.script["thing"] = [Stream([answer])]
    with pytest.raises(Unreachable, match=cause):
        ask(ca)
    assert ca.paths().count("/thing") == 1


def test_a_redirect_with_a_huge_body_is_not_read(ca: ScriptedCA) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 200000000\r\n\r\n"
    ca.script["directory"] = [Stream([head])]
    with pytest.raises(CertfleetError, match="answered with 200000000 bytes"):
        ca.session()
    assert ca.paths() == ["/directory"]


def test_json_nested_without_end_is_no_object(ca: ScriptedCA) -> None:
    ca.script["thing"] = [(200, {}, b'{"a":' + b"[" * 400_000)]
    with pytest.raises(CertfleetError, match="the CA's answer to to show the thing is not a JSON object"):
        ask(ca)


def test_a_problem_document_too_large_to_show_is_told_by_its_status(ca: ScriptedCA) -> None:
    ca.script["thing"] = [(403, {}, json.dumps({"detail": "x" * 200_000}).encode())]
    with pytest.raises(AcmeProblem, match="HTTP status 403 Forbidden") as caught:
        ask(ca)
    assert len(json.dumps(caught.value.problem)) < 200
