# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private keys sealed for one recipient: HPKE (RFC 9180) in base mode, one message for each encapsulation.

DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-128-GCM: all three are in cryptography 3.4.8, which the oldest hosts
have. HPKE itself is only in much newer versions of that library than distributions bring, and the two ends of a
transfer may well have different ones, so that the schedule of RFC 9180 is written out here, for this one suite.
The names are those of the RFC.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from .._errors import CertfleetError
from ._library import serialization

#: RFC 9180 sections 7.1 to 7.3: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM.
_KEM_SUITE = b"KEM" + b"\x00\x20"
_HPKE_SUITE = b"HPKE" + b"\x00\x20" + b"\x00\x01" + b"\x00\x01"
_VERSION = b"HPKE-v1"
_MODE_BASE = b"\x00"
#: Octets: an encapsulated key, a shared secret, a key and a nonce of AES-128-GCM, its tag.
_N_ENC, _N_SECRET, _N_K, _N_N, _N_T = 32, 32, 16, 12, 16


def new_recipient() -> Any:
    """A private key that what is meant for this host is sealed to."""
    from cryptography.hazmat.primitives.asymmetric import x25519

    return x25519.X25519PrivateKey.generate()


def public_text(private: Any) -> str:
    """The public half, as it goes to the host that seals: base64 of its 32 octets (RFC 7748 section 5)."""
    return base64.b64encode(_raw(private.public_key())).decode("ascii")


def binding(name: str, public_key_sha256: str) -> bytes:
    """What a sealed key is bound to, the ``info`` of RFC 9180 section 5.1: it opens as the key of this certificate
    with this public key and as no other. A name has no zero octet."""
    return b"\x00".join([b"certfleet.acme shared key 1", name.encode("ascii"), public_key_sha256.encode("ascii")])


def seal(recipient: str, info: bytes, plain: bytes, *, ephemeral: Any = None) -> str:
    """``plain`` for the holder of the private half of ``recipient``, in base64: enc, then ciphertext with its tag
    (section 6.1, SealBase). ephemeral: a seam for tests. Raises CertfleetError for a recipient that is none."""
    from cryptography.hazmat.primitives.asymmetric import x25519
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    public = _decoded(recipient, "the recipient's public key")
    if len(public) != _N_ENC:
        raise CertfleetError("the recipient's public key has not the length of one")
    ephemeral = ephemeral or x25519.X25519PrivateKey.generate()
    enc = _raw(ephemeral.public_key())
    shared_secret = _shared_secret(ephemeral, x25519.X25519PublicKey.from_public_bytes(public), enc + public)
    key, nonce = _key_schedule(shared_secret, info)
    return base64.b64encode(enc + AESGCM(key).encrypt(nonce, plain, b"")).decode("ascii")


def unseal(private: Any, info: bytes, sealed: str) -> bytes:
    """What was sealed for this private key and this ``info`` (section 6.1, OpenBase). Raises CertfleetError."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric import x25519
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    octets = _decoded(sealed, "the sealed key")
    if len(octets) < _N_ENC + _N_T:
        raise CertfleetError("the sealed key is cut off")
    enc, ciphertext = octets[:_N_ENC], octets[_N_ENC:]
    own = _raw(private.public_key())
    shared_secret = _shared_secret(private, x25519.X25519PublicKey.from_public_bytes(enc), enc + own)
    key, nonce = _key_schedule(shared_secret, info)
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, b"")
    except InvalidTag:
        raise CertfleetError(
            "the sealed key was sealed for another request or another certificate, or is damaged", remedy="Run again."
        ) from None


def _shared_secret(private: Any, public: Any, kem_context: bytes) -> bytes:
    """Section 4.1, Encap and Decap from the Diffie-Hellman on, with its ExtractAndExpand."""
    try:
        dh = private.exchange(public)
    except ValueError:
        dh = bytes(_N_SECRET)
    if not any(dh):  # section 7.1.4
        raise CertfleetError("the public key of the other side is none that may be used")
    eae_prk = _labeled_extract(_KEM_SUITE, b"", b"eae_prk", dh)
    return _labeled_expand(_KEM_SUITE, eae_prk, b"shared_secret", kem_context, _N_SECRET)


def _key_schedule(shared_secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Section 5.1, KeySchedule in base mode: the key, and the nonce of the first message (section 5.2)."""
    psk_id_hash = _labeled_extract(_HPKE_SUITE, b"", b"psk_id_hash", b"")
    info_hash = _labeled_extract(_HPKE_SUITE, b"", b"info_hash", info)
    context = _MODE_BASE + psk_id_hash + info_hash
    secret = _labeled_extract(_HPKE_SUITE, shared_secret, b"secret", b"")
    key = _labeled_expand(_HPKE_SUITE, secret, b"key", context, _N_K)
    return key, _labeled_expand(_HPKE_SUITE, secret, b"base_nonce", context, _N_N)


def _labeled_extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    """Section 4, on HKDF-Extract (RFC 5869 section 2.2); without a salt HMAC's key is zeros either way."""
    return hmac.new(salt, _VERSION + suite + label + ikm, hashlib.sha256).digest()


def _labeled_expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """Section 4, on HKDF-Expand (RFC 5869 section 2.3), of which one block of 32 octets is enough here."""
    labeled_info = length.to_bytes(2, "big") + _VERSION + suite + label + info
    return hmac.new(prk, labeled_info + b"\x01", hashlib.sha256).digest()[:length]


def _raw(public: Any) -> bytes:
    octets: bytes = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return octets


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise CertfleetError(f"{what} is no base64") from None
