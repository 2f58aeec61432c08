# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._store import keys, keystore
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from tests.support.small_ca import SmallCA, pem

CA = SmallCA()
KEY = keys.generate("ecdsa-p256")
LEAF = CA.sign(KEY.public_key(), ["example.com"])
CHAIN = (pem(LEAF) + pem(CA.intermediate)).encode()
PASSPHRASE = "a passphrase, of words"


def made() -> bytes:
    return keystore.make(keys.to_pem(KEY), CHAIN, PASSPHRASE, "web")


def encrypted(*, triple_des: bool, mac: hashes.HashAlgorithm) -> bytes:
    """As older versions of the library write it, or with a MAC of another kind."""
    builder = serialization.PrivateFormat.PKCS12.encryption_builder().kdf_rounds(20000).hmac_hash(mac)
    algorithm = pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC if triple_des else pkcs12.PBES.PBESv2SHA256AndAES256CBC
    encryption = builder.key_cert_algorithm(algorithm).build(PASSPHRASE.encode())
    return pkcs12.serialize_key_and_certificates(b"web", KEY, LEAF, [CA.intermediate], encryption)


def test_it_holds_key_certificate_and_chain() -> None:
    loaded = pkcs12.load_pkcs12(made(), PASSPHRASE.encode())
    assert loaded.key is not None
    assert keys.fingerprint(loaded.key) == keys.fingerprint(KEY)
    assert loaded.cert is not None
    assert (loaded.cert.certificate, loaded.cert.friendly_name) == (LEAF, b"web")
    assert [one.certificate for one in loaded.additional_certs] == [CA.intermediate]


@pytest.mark.parametrize("triple_des", [True, False])
@pytest.mark.parametrize("mac", [hashes.SHA1(), hashes.SHA256()], ids=lambda mac: mac.name)
def test_the_passphrase_is_told_by_the_mac_alone(
    monkeypatch: pytest.MonkeyPatch, triple_des: bool, mac: hashes.HashAlgorithm
) -> None:
    data = encrypted(triple_des=triple_des, mac=mac)
    assert not keystore.opens(data, PASSPHRASE + "x")
    assert not keystore.opens(data, "other")

    def refuse() -> None:
        raise AssertionError("the whole file was opened")

    monkeypatch.setattr(keystore, "_library", refuse)
    assert keystore.opens(data, PASSPHRASE)


def test_the_mac_of_what_the_library_writes_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made()
    monkeypatch.setattr(keystore, "_opens_whole", lambda *_arguments: False)
    assert keystore.opens(data, PASSPHRASE)


def test_a_mac_of_another_kind_is_left_to_the_library() -> None:
    data = encrypted(triple_des=False, mac=hashes.SHA512())
    assert keystore.opens(data, PASSPHRASE)
    assert not keystore.opens(data, PASSPHRASE + "x")


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x80\x00\x00", b"garbage", made()[:-1], made()[:200]])
def test_what_is_no_such_file_does_not_open(data: bytes) -> None:
    assert not keystore.opens(data, PASSPHRASE)


def test_a_flipped_bit_is_noticed() -> None:
    data = made()
    for position in range(0, len(data) - 120, 97):  # the MAC and how it was made stand at the end
        spoilt = bytearray(data)
        spoilt[position] ^= 1
        assert not keystore.opens(bytes(spoilt), PASSPHRASE), position


@pytest.mark.parametrize(
    ("passphrase", "words"),
    [(None, "needs"), ("", "needs"), ("short", "6 characters"), ("pässphrase", "ASCII"), ("new\nline", "ASCII")],
)
def test_passphrases_that_java_cannot_use_are_refused(passphrase: str | None, words: str) -> None:
    with pytest.raises(CertfleetError, match=words) as caught:
        keystore.check_passphrase(passphrase)
    assert not passphrase or passphrase not in str(caught.value)
