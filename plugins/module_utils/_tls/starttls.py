# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From plain text to TLS on one connection, for the protocols that begin in plain text.

What the server says before TLS is not protected, and anybody on the way may have written it. So nothing of it is
believed beyond "go on", and bytes that come after the answer to STARTTLS, where TLS has to begin, end the connection:
they would be taken for an answer that came under TLS (CVE-2011-0411, CVE-2021-23222).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .._errors import CertfleetError
from .._names import is_ip
from .wire import Timeout, Wire

#: Bytes of one line. RFC 5321 section 4.5.3.1.5 has 512, RFC 9051 section 4 none; lists of capabilities are long.
_MAX_LINE = 8192
#: Characters of a server's words that are shown.
_MAX_SHOWN = 120
_SPEAKS_TLS = "Does it speak TLS from the first byte on? Then leave starttls out."


def begin(protocol: str, wire: Wire) -> None:
    """Ask for TLS; when this returns, the next byte in either direction is TLS's.

    Raises CertfleetError when the server does not offer it or does not speak the protocol, Timeout and OSError.
    """
    PROTOCOLS[protocol](wire)
    if wire.unread():
        raise CertfleetError("the server sends plain text after its answer to STARTTLS, where TLS has to begin")


def _smtp(wire: Wire) -> None:
    """RFC 3207 section 4, on RFC 5321."""
    code, _words = _reply(wire, first=True)
    if code != "220":
        raise _unexpected("greeting", code, _words)
    address = wire.local_address()
    # RFC 5321 section 4.1.4: the name of this host, or an address literal (section 4.1.3) where that is not sure.
    literal = f"IPv6:{address}" if ":" in address else address
    wire.send(f"EHLO [{literal if is_ip(address) else '127.0.0.1'}]\r\n".encode("ascii"))
    code, words = _reply(wire)
    if code != "250":
        raise _unexpected("EHLO", code, words)
    # RFC 5321 section 4.1.1.1: the first line is the server's name, each other one an extension.
    if not any(word.split()[:1] == ["STARTTLS"] for word in map(str.upper, words[1:])):
        raise _not_offered("its answer to EHLO does not name it")
    wire.send(b"STARTTLS\r\n")
    code, words = _reply(wire)
    if code != "220":
        raise _not_offered(f"it answers {_shown(' '.join([code, *words]))}")


def _reply(wire: Wire, *, first: bool = False) -> tuple[str, list[str]]:
    """Code and lines of one reply of SMTP (RFC 5321 section 4.2.1)."""
    words: list[str] = []
    while True:
        line = _line(wire, first=first)
        code, mark = line[:3], line[3:4]
        if not code.isdigit() or len(code) != 3 or mark not in {"", " ", "-"}:
            raise _not_spoken("SMTP", line)
        words.append(line[4:])
        if mark != "-":
            return code, words
        first = False


def _imap(wire: Wire) -> None:
    """RFC 9051 sections 6.1.1 and 6.2.1; RFC 2595 section 3."""
    greeting = _line(wire, first=True)
    state = greeting.upper().split()[:2]
    if state == ["*", "PREAUTH"]:
        raise _not_offered("it has let this client in already (PREAUTH)")
    if state != ["*", "OK"]:
        raise _not_spoken("IMAP", greeting) if state[:1] != ["*"] else _unexpected("connection", greeting[2:], [])
    wire.send(b"a1 CAPABILITY\r\n")
    capabilities: list[str] = []
    for line in _untagged(wire, "a1", "CAPABILITY"):
        if line.upper().startswith("* CAPABILITY "):
            capabilities += line.upper().split()[2:]
    if "STARTTLS" not in capabilities:
        raise _not_offered("its answer to CAPABILITY does not name it")
    wire.send(b"a2 STARTTLS\r\n")
    for _ignored in _untagged(wire, "a2", "STARTTLS"):
        pass


def _untagged(wire: Wire, tag: str, command: str) -> Iterator[str]:
    """Lines before the one that ends the command (RFC 9051 section 2.2.2). Raises CertfleetError unless that is OK."""
    while True:
        line = _line(wire)
        if not line.startswith(f"{tag} "):
            yield line
            continue
        if line.upper().split()[1:2] != ["OK"]:
            words = _shown(line[len(tag) + 1 :])
            raise _not_offered(f"it answers {words}") if command == "STARTTLS" else _unexpected(command, words, [])
        return


def _pop3(wire: Wire) -> None:
    """RFC 2595 section 4; the list of capabilities of RFC 2449 section 5."""
    greeting = _line(wire, first=True)
    if not greeting.upper().startswith("+OK"):
        raise _unexpected("connection", greeting, []) if greeting.startswith("-ERR") else _not_spoken("POP3", greeting)
    wire.send(b"CAPA\r\n")
    answer = _line(wire)
    if not answer.upper().startswith("+OK"):
        raise _not_offered(f"it answers {_shown(answer)} to CAPA")
    offered = False
    line = _line(wire)
    while line != ".":
        offered |= line.upper().split()[:1] == ["STLS"]
        line = _line(wire)
    if not offered:
        raise _not_offered("its answer to CAPA does not name STLS")
    wire.send(b"STLS\r\n")
    answer = _line(wire)
    if not answer.upper().startswith("+OK"):
        raise _not_offered(f"it answers {_shown(answer)} to STLS")


#: RFC 4511 section 4.14.1: LDAPMessage 1 with an ExtendedRequest (section 4.12) of this name, in BER.
_LDAP_NAME = b"1.3.6.1.4.1.1466.20037"
_LDAP_REQUEST = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + _LDAP_NAME
_SEQUENCE, _INTEGER, _ENUMERATED, _OCTETS, _EXTENDED_RESPONSE = 0x30, 0x02, 0x0A, 0x04, 0x78
_MAX_LDAP = 16 * 1024
#: RFC 4511 section 4.14.2 and appendix A.
_LDAP_RESULTS = {1: "operationsError", 2: "protocolError", 8: "strongerAuthRequired", 10: "referral", 52: "unavailable"}


def _ldap(wire: Wire) -> None:
    """RFC 4511 section 4.14."""
    wire.send(_LDAP_REQUEST)
    # RFC 4511 section 5.1: definite lengths only. The first two bytes say how many more are the length.
    start = wire.exactly(2)
    if len(start) < 2 or start[0] != _SEQUENCE:
        raise CertfleetError("the server does not speak LDAP", remedy=_SPEAKS_TLS)
    count = start[1] & 0x7F if start[1] & 0x80 else 0
    more = wire.exactly(count) if count <= 4 else b""
    length = int.from_bytes(more, "big") if count else start[1]
    if len(more) != count or start[1] == 0x80 or length > _MAX_LDAP:
        raise CertfleetError("the server's answer to the StartTLS operation is no LDAP message")
    body = wire.exactly(length)
    try:
        number, operation, response = _ldap_message(body)
        code, words = _ldap_result(response)
    except (IndexError, ValueError) as error:
        raise CertfleetError("the server's answer to the StartTLS operation is no LDAP message") from error
    if len(body) != length or number != 1 or operation != _EXTENDED_RESPONSE:
        # 0 is the notice of disconnection (section 4.4.1).
        raise CertfleetError("the server ends the connection in place of an answer to the StartTLS operation")
    if code:
        raise _not_offered(f"its result is {code} {_LDAP_RESULTS.get(code, '')} {_shown(words)}".rstrip())


def _ldap_message(body: bytes) -> tuple[int, int, bytes]:
    """messageID, tag and content of the operation (RFC 4511 section 4.1.1)."""
    tag, number, rest = _element(body)
    if tag != _INTEGER:
        raise ValueError("no messageID")
    operation, content, _controls = _element(rest)
    return int.from_bytes(number, "big"), operation, content


def _ldap_result(content: bytes) -> tuple[int, str]:
    """resultCode and diagnosticMessage (RFC 4511 section 4.1.9)."""
    tag, code, rest = _element(content)
    _matched, _name, rest = _element(rest)
    text_tag, text, _rest = _element(rest)
    if (tag, text_tag) != (_ENUMERATED, _OCTETS):
        raise ValueError("no LDAPResult")
    return int.from_bytes(code, "big"), text.decode("utf-8", "replace")


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content and what follows of the first BER element. Raises IndexError or ValueError."""
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if start + length > len(data):
        raise ValueError("cut off")
    return tag, data[start : start + length], data[start + length :]


#: PostgreSQL's protocol, "SSLRequest": its length, 8, and the number 80877103, both in 32 bits.
_SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


def _postgres(wire: Wire) -> None:
    """PostgreSQL, "Frontend/Backend Protocol", section "SSL Session Encryption"."""
    wire.send(_SSL_REQUEST)
    answer = wire.exactly(1)
    if answer == b"N":
        raise _not_offered("it answers N to SSLRequest; see whether ssl is on in postgresql.conf")
    if answer == b"E":
        raise CertfleetError("the server answers SSLRequest with an error; see its log")
    if answer != b"S":
        raise CertfleetError("the server does not speak PostgreSQL's protocol", remedy=_SPEAKS_TLS)


#: By the name that starttls has in the options.
PROTOCOLS: dict[str, Callable[[Wire], None]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "ldap": _ldap,
    "postgres": _postgres,
}


def _line(wire: Wire, *, first: bool = False) -> str:
    """The next line. first: of the connection; a server that speaks TLS from the first byte on sends none."""
    try:
        return wire.line(_MAX_LINE).decode("utf-8", "replace")
    except Timeout as error:
        raise Timeout(_SPEAKS_TLS if first else "") from error


def _shown(words: str) -> str:
    """What a server says, fit for a message: one line, printable, short."""
    text = "".join(character if character.isprintable() else "?" for character in " ".join(words.split()))
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _not_offered(why: str) -> CertfleetError:
    return CertfleetError(f"the server does not offer STARTTLS: {why}")


def _not_spoken(protocol: str, line: str) -> CertfleetError:
    return CertfleetError(f"the server does not speak {protocol}: it says {_shown(line)!r}")


def _unexpected(command: str, code: str, words: list[str]) -> CertfleetError:
    return CertfleetError(f"the server refuses the {command}: {_shown(' '.join([code, *words]))}")
