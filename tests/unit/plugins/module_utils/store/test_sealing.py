# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._store import sealing
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

#: RFC 9180, appendix A.1.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode.
A11 = {
    "info": "4f6465206f6e2061204772656369616e2055726e",
    "skEm": "52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736",
    "enc": "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431",
    "skRm": "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8",
    "pkRm": "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d",
    "shared_secret": "fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc",
    "key": "4531685d41d65f03dc48f6b8302c05b0",
    "base_nonce": "56d890e5accaaf011cff4b7d",
    "pt": "4265617574792069732074727574682c20747275746820626561757479",
    "aad": "436f756e742d30",
    "ct": "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a",
}
VECTOR = {name: bytes.fromhex(text) for name, text in A11.items()}
INFO = sealing.binding("web", "ab" * 32)


def private(octets: bytes) -> x25519.X25519PrivateKey:
    return x25519.X25519PrivateKey.from_private_bytes(octets)


def test_the_vectors_of_the_rfc() -> None:
    sender, receiver = private(VECTOR["skEm"]), private(VECTOR["skRm"])
    assert sealing.public_text(receiver) == base64.b64encode(VECTOR["pkRm"]).decode()
    for own, other in ((sender, receiver), (receiver, sender)):
        secret = sealing._shared_secret(own, other.public_key(), VECTOR["enc"] + VECTOR["pkRm"])
        assert secret == VECTOR["shared_secret"]
    key, nonce = sealing._key_schedule(VECTOR["shared_secret"], VECTOR["info"])
    assert (key, nonce) == (VECTOR["key"], VECTOR["base_nonce"])
    # The appendix has additional data with its messages, which this use has not.
    assert AESGCM(key).encrypt(nonce, VECTOR["pt"], VECTOR["aad"]) == VECTOR["ct"]
    sealed = sealing.seal(sealing.public_text(receiver), VECTOR["info"], VECTOR["pt"], ephemeral=sender)
    assert base64.b64decode(sealed) == VECTOR["enc"] + AESGCM(key).encrypt(nonce, VECTOR["pt"], b"")
    # Without additional data AES-GCM has the same ciphertext and another tag.
    assert base64.b64decode(sealed)[32:-16] == VECTOR["ct"][:-16]


def test_the_library_s_own_hpke_opens_it_and_is_opened() -> None:
    hpke = pytest.importorskip("cryptography.hazmat.primitives.hpke")
    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM)
    receiver = sealing.new_recipient()
    sealed = sealing.seal(sealing.public_text(receiver), INFO, b"secret")
    assert suite.decrypt(base64.b64decode(sealed), receiver, info=INFO) == b"secret"
    theirs = base64.b64encode(suite.encrypt(b"secret", receiver.public_key(), info=INFO)).decode()
    assert sealing.unseal(receiver, INFO, theirs) == b"secret"


@settings(max_examples=25, deadline=None)
@given(plain=st.binary(max_size=5000))
def test_what_is_sealed_opens_for_its_recipient_only(plain: bytes) -> None:
    receiver = sealing.new_recipient()
    recipient = sealing.public_text(receiver)
    sealed = sealing.seal(recipient, INFO, plain)
    assert sealing.unseal(receiver, INFO, sealed) == plain
    assert sealing.seal(recipient, INFO, plain) != sealed, "each has an ephemeral key of its own"
    with pytest.raises(CertfleetError, match="sealed for another request"):
        sealing.unseal(sealing.new_recipient(), INFO, sealed)


@pytest.mark.parametrize("info", [sealing.binding("web2", "ab" * 32), sealing.binding("web", "cd" * 32)])
def test_it_opens_as_the_key_of_one_certificate_only(info: bytes) -> None:
    receiver = sealing.new_recipient()
    sealed = sealing.seal(sealing.public_text(receiver), INFO, b"secret")
    with pytest.raises(CertfleetError, match="another certificate"):
        sealing.unseal(receiver, info, sealed)


@settings(max_examples=50, deadline=None)
@given(position=st.integers(0, 53), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_noticed(position: int, bit: int) -> None:
    receiver = private(VECTOR["skRm"])
    octets = bytearray(base64.b64decode(sealing.seal(sealing.public_text(receiver), INFO, b"secret")))
    assert len(octets) == 54
    octets[position] ^= 1 << bit
    # X25519 leaves the highest bit of what it is given out (RFC 7748 section 5), but the KEM's context has it.
    with pytest.raises(CertfleetError):
        sealing.unseal(receiver, INFO, base64.b64encode(bytes(octets)).decode())


@pytest.mark.parametrize(
    ("sealed", "words"),
    [("", "cut off"), ("AAAA", "cut off"), ("no base64!", "no base64"), ("\u00e9", "no base64")],
)
def test_what_is_no_sealed_key_is_refused(sealed: str, words: str) -> None:
    with pytest.raises(CertfleetError, match=words):
        sealing.unseal(sealing.new_recipient(), INFO, sealed)


#: Points of small order (RFC 7748 section 6.1): whoever sends one knows what comes out.
@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31)])
def test_a_point_of_small_order_is_refused_on_both_sides(point: bytes) -> None:
    text = base64.b64encode(point).decode()
    with pytest.raises(CertfleetError, match="none that may be used"):
        sealing.seal(text, INFO, b"secret")
    with pytest.raises(CertfleetError, match="none that may be used"):
        sealing.unseal(sealing.new_recipient(), INFO, base64.b64encode(point + bytes(32)).decode())


@pytest.mark.parametrize("recipient", ["", "AAAA", "%"])
def test_a_recipient_that_is_none_is_refused(recipient: str) -> None:
    with pytest.raises(CertfleetError, match="the recipient's public key"):
        sealing.seal(recipient, INFO, b"secret")
