# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Handshakes after STARTTLS: with servers that do as their RFC says, and with such as do not."""

from __future__ import annotations

import imaplib
import poplib
import re
import smtplib
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._tls import connection
from ansible_collections.certfleet.acme.plugins.module_utils._tls.connection import Served, handshake
from ansible_collections.certfleet.acme.plugins.module_utils._tls.protocols import PROTOCOL_NAMES
from ansible_collections.certfleet.acme.plugins.module_utils._tls.starttls import PROTOCOLS

from tests.support.host import Host, only
from tests.support.starttls_server import DIALOGUES, Certificate, following, listening, repeating


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("certificate"))


def shake(port: int, starttls: str | None, timeout: float = 10) -> Served:
    return handshake("127.0.0.1", port, "mail.example", timeout=timeout, starttls=starttls)


def failure(port: int, starttls: str | None, timeout: float = 10) -> str:
    with pytest.raises(CertfleetError) as raised:
        shake(port, starttls, timeout)
    text = str(raised.value)
    where = f"127.0.0.1:{port} (mail.example): "
    assert text.startswith(where)
    assert text.isprintable()
    assert len(text) < 400
    return text[len(where) :]


def test_the_protocols_are_the_choices_of_the_option() -> None:
    assert tuple(PROTOCOLS) == PROTOCOL_NAMES == tuple(DIALOGUES)


@pytest.mark.parametrize("protocol", DIALOGUES)
def test_what_is_served_after_starttls(certificate: Certificate, protocol: str, tmp_path: Path) -> None:
    with listening(following(DIALOGUES[protocol], certificate.context())) as port:
        assert shake(port, protocol).facts()["serial"] == certificate.serial
        endpoint = {"host": "127.0.0.1", "port": port, "server_name": "mail.example", "starttls": protocol}
        item = only(Host(tmp_path).module("tls_endpoint_info", endpoints=[endpoint]), "endpoints")
    assert (item["serial"], item["starttls"], item["identifiers"]) == (certificate.serial, protocol, ["mail.example"])


class Recording(ssl.SSLContext):
    """Keeps the certificate that was served, and verifies nothing."""

    served: bytes | None = None

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        self.check_hostname = False
        self.verify_mode = ssl.CERT_NONE
        tls = super().wrap_socket(*arguments, **options)
        self.served = tls.getpeercert(binary_form=True)
        return tls


def by_smtplib(port: int, context: ssl.SSLContext) -> None:
    client = smtplib.SMTP("127.0.0.1", port, local_hostname="[127.0.0.1]", timeout=10)
    client.starttls(context=context)
    client.close()


def by_imaplib(port: int, context: ssl.SSLContext) -> None:
    client = imaplib.IMAP4("127.0.0.1", port, timeout=10)
    with suppress(imaplib.IMAP4.abort):  # it asks for the capabilities again, under TLS, and these servers say no more
        client.starttls(context)
    client.shutdown()


def by_poplib(port: int, context: ssl.SSLContext) -> None:
    client = poplib.POP3("127.0.0.1", port, timeout=10)
    client.stls(context)
    client.close()


@pytest.mark.parametrize(("protocol", "client"), [("smtp", by_smtplib), ("imap", by_imaplib), ("pop3", by_poplib)])
def test_the_servers_of_these_tests_are_such_for_other_clients_too(
    certificate: Certificate,
    protocol: str,
    client: Callable[[int, ssl.SSLContext], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Tags are the client's choice, and these servers know only ours.
    numbers = iter(range(1, 100))
    monkeypatch.setattr(imaplib.IMAP4, "_new_tag", lambda _self: tagged(_self, next(numbers)))
    context = Recording(ssl.PROTOCOL_TLS_CLIENT)
    turns = [turn.replace(b"EHLO", b"ehlo") for turn in DIALOGUES[protocol]]
    with listening(following(turns, certificate.context())) as port:
        client(port, context)
    assert context.served is not None
    assert ssl.DER_cert_to_PEM_cert(context.served) in certificate.chain.read_text()


def tagged(client: Any, number: int) -> bytes:
    """As imaplib makes tags, with ours."""
    tag = f"a{number}".encode()
    client.tagged_commands[tag] = None
    client.tagre = re.compile(rb"(?P<tag>a\d+) (?P<type>[A-Z]+) (?P<data>.*)", re.ASCII)
    return tag


def changed(protocol: str, turn: int, words: bytes, *, end: bool = True) -> list[bytes]:
    turns = list(DIALOGUES[protocol])
    turns[turn] = words
    return turns[: turn + 1] if end else turns


NOT_OFFERED = "the server does not offer STARTTLS: "
REFUSALS: list[tuple[str, list[bytes], str]] = [
    ("smtp", changed("smtp", 2, b"250-mail.example\r\n250 STARTTLSX\r\n"), f"{NOT_OFFERED}its answer to EHLO does not"),
    ("smtp", changed("smtp", 2, b"250 STARTTLS\r\n"), f"{NOT_OFFERED}its answer to EHLO does not name it"),
    ("smtp", changed("smtp", 4, b"454-not\r\n454 now\r\n"), f"{NOT_OFFERED}it answers 454 not now"),
    ("smtp", changed("smtp", 0, b"554 \x1b[31mgo away\r\n"), "the server refuses the greeting: 554 ?[31mgo away"),
    ("smtp", changed("smtp", 2, b"502 what\r\n"), "the server refuses the EHLO: 502 what"),
    ("smtp", changed("smtp", 0, b"SSH-2.0-OpenSSH\r\n"), "the server does not speak SMTP: it says 'SSH-2.0-OpenSSH'"),
    ("imap", changed("imap", 0, b"* PREAUTH hello\r\n"), f"{NOT_OFFERED}it has let this client in already (PREAUTH)"),
    ("imap", changed("imap", 0, b"* BYE full\r\n"), "the server refuses the connection: BYE full"),
    ("imap", changed("imap", 0, b"220 mail\r\n"), "the server does not speak IMAP: it says '220 mail'"),
    ("imap", changed("imap", 2, b"* CAPABILITY IMAP4\r\na1 OK STARTTLS\r\n"), f"{NOT_OFFERED}its answer to CAPABILITY"),
    ("imap", changed("imap", 4, b"a2 BAD no\r\n"), f"{NOT_OFFERED}it answers BAD no"),
    ("pop3", changed("pop3", 0, b"-ERR busy\r\n"), "the server refuses the connection: -ERR busy"),
    ("pop3", changed("pop3", 0, b"hello\r\n"), "the server does not speak POP3: it says 'hello'"),
    ("pop3", changed("pop3", 2, b"+OK\r\nTOP\r\n.\r\n"), f"{NOT_OFFERED}its answer to CAPA does not name STLS"),
    ("pop3", changed("pop3", 2, b"-ERR what\r\n"), f"{NOT_OFFERED}it answers -ERR what to CAPA"),
    ("pop3", changed("pop3", 4, b"-ERR no\r\n"), f"{NOT_OFFERED}it answers -ERR no to STLS"),
    (
        "ldap",
        changed("ldap", 2, b"\x30\x0f\x02\x01\x01\x78\x0a\x0a\x01\x02\x04\x00\x04\x03no!"),
        f"{NOT_OFFERED}its result is 2 protocolError no!",
    ),
    # A notice of disconnection, and bytes that are no LDAP.
    (
        "ldap",
        changed("ldap", 2, b"\x30\x0c\x02\x01\x00\x78\x07\x0a\x01\x34\x04\x00\x04\x00"),
        "the server ends the connection in place of an answer",
    ),
    ("ldap", changed("ldap", 2, b"\x15\x03\x01\x00\x02"), "the server does not speak LDAP. Does it speak TLS from"),
    ("ldap", changed("ldap", 2, b"\x30\x84\x7f\xff\xff\xff"), "the server's answer to the StartTLS operation is no"),
    ("ldap", changed("ldap", 2, b"\x30\x80\x02\x01\x01"), "the server's answer to the StartTLS operation is no LDAP"),
    ("ldap", changed("ldap", 2, b"\x30\x04\x02\x01\x01\x78"), "the server's answer to the StartTLS operation is no"),
    ("postgres", changed("postgres", 2, b"N"), f"{NOT_OFFERED}it answers N to SSLRequest"),
    ("postgres", changed("postgres", 2, b"Efatal"), "the server answers SSLRequest with an error"),
    ("postgres", changed("postgres", 2, b"HTTP/1.1 400"), "the server does not speak PostgreSQL's protocol"),
]


@pytest.mark.parametrize(("protocol", "turns", "words"), REFUSALS)
def test_a_server_that_does_not_begin_tls_is_told_in_one_line(protocol: str, turns: list[bytes], words: str) -> None:
    with listening(following(turns)) as port:
        assert failure(port, protocol).startswith(words)


@pytest.mark.parametrize("protocol", DIALOGUES)
def test_plain_text_after_the_answer_to_starttls_is_refused(certificate: Certificate, protocol: str) -> None:
    turns = [*DIALOGUES[protocol][:-1], DIALOGUES[protocol][-1] + b"a3 OK you are logged in\r\n"]
    with listening(following(turns, certificate.context())) as port:
        words = "the server sends plain text after its answer to STARTTLS, where TLS has to begin"
        assert failure(port, protocol) == words


def test_an_answer_that_comes_in_pieces_is_one(certificate: Certificate) -> None:
    context = certificate.context()

    def answer(connection: Any) -> None:
        for byte in DIALOGUES["imap"][0]:
            connection.sendall(bytes([byte]))
        following([b"", *DIALOGUES["imap"][1:]], context)(connection)

    with listening(answer) as port:
        assert shake(port, "imap").facts()["serial"] == certificate.serial


@pytest.mark.parametrize("protocol", DIALOGUES)
def test_a_server_that_closes_in_between_is_no_certificate(protocol: str) -> None:
    with listening(lambda _connection: None) as port:
        text = failure(port, protocol)
    assert any(words in text for words in ("has closed the connection", "does not speak", "reset by peer")), text


FLOODS: list[tuple[str, bytes, bytes, str]] = [
    ("smtp", b"", b"220-more\r\n" * 100, "the server sends more than 65536 bytes"),
    ("imap", b"* OK\r\n", b"* still more\r\n" * 100, "the server sends more than 65536 bytes"),
    ("pop3", b"+OK\r\n+OK\r\n", b"TOP\r\n" * 100, "the server sends more than 65536 bytes"),
    ("smtp", b"220-", b"x" * 1000, "the server sends a line of more than 8192 bytes"),
    ("ldap", b"\x30\x82\x7f\xff", b"x" * 1000, "the server's answer to the StartTLS operation is no LDAP message"),
    ("postgres", b"S", b"S" * 1000, "the server sends plain text after its answer to STARTTLS, where TLS has to begin"),
]


@pytest.mark.parametrize(("protocol", "start", "more", "words"), FLOODS)
def test_a_server_that_floods_is_left(protocol: str, start: bytes, more: bytes, words: str) -> None:
    with listening(repeating(start + more, more)) as port:
        assert failure(port, protocol) == words


DRIPS: list[tuple[str | None, bytes, bytes]] = [
    (None, b"\x16\x03\x03\x40\x00", b"\x02"),
    ("smtp", b"220-", b"x"),
    ("smtp", b"", b"220-more\r\n"),
    ("imap", b"* OK\r\n", b"* more\r\n"),
    ("pop3", b"+OK\r\n", b"x"),
    ("ldap", b"\x30\x20", b"\x02"),
    ("postgres", b"", b""),
]


@pytest.mark.parametrize(("protocol", "start", "more"), DRIPS)
def test_a_server_that_drips_is_left_when_the_time_is_over(protocol: str | None, start: bytes, more: bytes) -> None:
    with listening(repeating(start, more, pause=0.1)) as port:
        begun = time.monotonic()
        assert failure(port, protocol, timeout=1).startswith("no answer within 1 s")
        assert 0.9 < time.monotonic() - begun < 4


def test_the_handshake_itself_has_an_end_in_bytes(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_MAX_HANDSHAKE", 300)
    with listening(following(DIALOGUES["smtp"], certificate.context())) as port:
        assert failure(port, "smtp") == "the server sends more than 300 bytes"


def test_the_two_ways_to_begin_are_told_apart(certificate: Certificate) -> None:
    with listening(following([b""], certificate.context())) as port:
        assert shake(port, None).facts()["serial"] == certificate.serial
        text = failure(port, "smtp", timeout=1)
        assert text == "no answer within 1 s. Does it speak TLS from the first byte on? Then leave starttls out."
    with listening(following(DIALOGUES["smtp"])) as port:
        assert failure(port, None).endswith(
            "Does it begin in plain text, as mail servers do? Then say so with starttls."
        )
