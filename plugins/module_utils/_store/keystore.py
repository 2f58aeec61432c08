# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PKCS#12 files (RFC 7292): key, certificate and chain under one passphrase, as Java reads them.

cryptography's BestAvailableEncryption writes AES-256-CBC (PBES2, HMAC-SHA256) from version 38 on and Triple-DES with a
SHA-1 MAC before; Java 8u301, 11.0.12 and 17 read both, older ones only the latter.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from .. import _x509
from .._errors import CertfleetError
from . import keys
from ._library import serialization

_SHA = {bytes.fromhex("2b0e03021a"): "sha1", bytes.fromhex("608648016503040201"): "sha256"}
_BLOCK = 64  # octets, of both
_MAC_KEY = b"\x03"  # RFC 7292 appendix B.3
_MAX_ITERATIONS = 1_000_000
_SEQUENCE, _INTEGER, _OCTETS, _OID, _EXPLICIT = 0x30, 0x02, 0x04, 0x06, 0xA0


def make(key_pem: bytes, fullchain: bytes, passphrase: str, friendly_name: str) -> bytes:
    """The content of a file with the key, its certificate and the rest of the chain. Raises CertfleetError."""
    leaf, *rest = _x509.load_chain(fullchain.decode("ascii", "replace"))
    return _library().serialize_key_and_certificates(
        friendly_name.encode("utf-8"),
        keys.load(key_pem),
        leaf,
        rest or None,
        serialization.BestAvailableEncryption(passphrase.encode("ascii")),
    )


def opens(data: bytes, passphrase: str) -> bool:
    """Whether the passphrase is the file's.

    Its MAC tells, which costs a millisecond; to open all of it costs the time of two key derivations and, for an RSA
    key, of the library's test of it, up to seconds. A file whose MAC is of another kind is opened.
    """
    try:
        digest, salt, iterations, name, content = _mac(data)
    except (IndexError, KeyError, ValueError):
        return _opens_whole(data, passphrase)
    key = _derived(passphrase.encode("utf-16-be") + b"\0\0", salt, iterations, name)
    return hmac.compare_digest(hmac.new(key, content, name).digest(), digest) or _opens_whole(data, passphrase)


def _opens_whole(data: bytes, passphrase: str) -> bool:
    try:
        return _library().load_key_and_certificates(data, passphrase.encode("ascii"))[0] is not None
    except Exception:  # noqa: BLE001 - cryptography raises its own classes here, differently by version
        return False


def _library() -> Any:
    # Only for those who want such files: the import takes its time.
    from cryptography.hazmat.primitives.serialization import pkcs12

    return pkcs12


def _mac(data: bytes) -> tuple[bytes, bytes, int, str, bytes]:
    """Digest, salt, iterations, name of the hash, and what it is of (RFC 7292 section 4). Raises one of IndexError,
    KeyError and ValueError when it is built in another way."""
    _version, safe, mac = _parts(_only(data, _SEQUENCE))
    _kind, wrapped = _parts(_value(safe, _SEQUENCE))
    content = _only(_value(wrapped, _EXPLICIT), _OCTETS)
    info, salt, *rest = _parts(_value(mac, _SEQUENCE))
    algorithm, digest = _parts(_value(info, _SEQUENCE))
    oid = _parts(_value(algorithm, _SEQUENCE))[0]
    iterations = int.from_bytes(_value(rest[0], _INTEGER), "big") if rest else 1
    if not 1 <= iterations <= _MAX_ITERATIONS:
        raise ValueError
    return _value(digest, _OCTETS), _value(salt, _OCTETS), iterations, _SHA[_value(oid, _OID)], content


def _derived(password: bytes, salt: bytes, iterations: int, name: str) -> bytes:
    """The MAC's key (RFC 7292 appendix B.2), which is one output of the hash long."""
    result, new = _MAC_KEY * _BLOCK + _filled(salt) + _filled(password), getattr(hashlib, name)
    for _number in range(iterations):
        result = new(result).digest()
    return result


def _filled(text: bytes) -> bytes:
    """Repeated until it fills whole blocks."""
    size = _BLOCK * -(-len(text) // _BLOCK)
    return (text * (size // len(text) + 1))[:size] if text else b""


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    """The DER elements that stand one after the other: tag and content of each."""
    found = []
    while data:
        tag, size, start = data[0], data[1], 2
        if size == 0x80:
            raise ValueError  # of indefinite length: BER
        if size > 0x80:
            start += size & 0x7F
            size = int.from_bytes(data[2:start], "big")
        if len(data) < start + size:
            raise ValueError
        found.append((tag, data[start : start + size]))
        data = data[start + size :]
    return found


def _value(part: tuple[int, bytes], tag: int) -> bytes:
    if part[0] != tag:
        raise ValueError
    return part[1]


def _only(data: bytes, tag: int) -> bytes:
    (part,) = _parts(data)
    return _value(part, tag)


def check_passphrase(passphrase: str | None) -> str:
    """Raises CertfleetError for one that keytool or Java could not use."""
    if not passphrase:
        raise CertfleetError("the format pkcs12 needs pkcs12.passphrase", remedy="Give one, best from a vault.")
    if not all(" " <= character <= "~" for character in passphrase):
        raise CertfleetError(
            "pkcs12.passphrase has a character that is not printable ASCII, which Java cannot use here",
            remedy="Choose another passphrase.",
        )
    if len(passphrase) < 6:
        raise CertfleetError("pkcs12.passphrase has less than the 6 characters that Java's keytool wants")
    return passphrase
