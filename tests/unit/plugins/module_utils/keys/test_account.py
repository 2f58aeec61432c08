# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import josepy
import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._keys import account, files
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa


def pem(key: Any, passphrase: str | None = None) -> str:
    encryption: Any = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    form = serialization.PrivateFormat.PKCS8
    text: bytes = key.private_bytes(serialization.Encoding.PEM, form, encryption)
    return text.decode()


P256 = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    ("key", "algorithm", "kind"),
    [
        (P256, "ES256", "ecdsa-p256"),
        (ec.generate_private_key(ec.SECP384R1()), "ES384", "ecdsa-p384"),
        (ec.generate_private_key(ec.SECP521R1()), "ES512", "ecdsa-p521"),
        (rsa.generate_private_key(65537, 2048), "RS256", "rsa-2048"),
        (rsa.generate_private_key(65537, 3072), "RS256", "rsa-3072"),
    ],
)
def test_each_type_signs_with_the_algorithm_that_goes_with_it(key: Any, algorithm: str, kind: str) -> None:
    loaded = account.load_account_key(None, pem(key))
    assert (loaded.alg.name, loaded.key_type) == (algorithm, kind)
    signature = loaded.alg.sign(loaded.jwk.key, b"text")
    assert loaded.alg.verify(loaded.jwk.public_key().key, b"text", signature)
    assert loaded.thumbprint == josepy.b64encode(loaded.jwk.thumbprint()).decode()


@pytest.mark.parametrize("form", ["TraditionalOpenSSL", "PKCS8"])
def test_a_key_is_read_from_a_file_in_either_form_with_its_passphrase(tmp_path: Path, form: str) -> None:
    encryption = serialization.BestAvailableEncryption(b"secret")
    text = P256.private_bytes(serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form), encryption)
    path = tmp_path / "key.pem"
    path.write_bytes(text)
    loaded = account.load_account_key(str(path), None, "secret")
    assert loaded.jwk.key.private_numbers() == P256.private_numbers()


@pytest.mark.parametrize(
    ("text", "passphrase", "cause"),
    [
        (pem(P256, "secret"), None, "the key of account_key_content is encrypted. Set account_key_passphrase."),
        (pem(P256, "secret"), "wrong", "account_key_passphrase is wrong"),
        (pem(P256), "secret", "is not encrypted, yet a passphrase is given"),
        ("nonsense", None, "there is no PEM private key in account_key_content"),
        (pem(ed25519.Ed25519PrivateKey.generate()), None, "Use an ECDSA key on P-256, P-384 or P-521"),
        (pem(ec.generate_private_key(ec.SECP256K1())), None, "is of type ecdsa-secp256k1, which cannot sign for ACME"),
        (pem(rsa.generate_private_key(65537, 1024)), None, "is of type rsa-1024"),  # noqa: S505
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(text: str, passphrase: str | None, cause: str) -> None:
    with pytest.raises(CertfleetError) as caught:
        account.load_account_key(None, text, passphrase)
    message = str(caught.value)
    assert cause in message
    assert "\n" not in message
    assert "PRIVATE" not in message


def test_a_certificate_or_public_key_is_no_private_key() -> None:
    public = P256.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(CertfleetError, match="there is no PEM private key in account_key_content"):
        account.load_account_key(None, public.decode())


def test_a_missing_file_names_the_option_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(CertfleetError, match=r"No such file or directory.*generate_account_key"):
        account.load_account_key(str(tmp_path / "none.pem"))
    with pytest.raises(CertfleetError, match=r"Is a directory. Check private_key_src"):
        account.load_account_key(str(tmp_path), option="private_key")


@pytest.mark.parametrize("broken", ["directory", "nonsense", "wrong type"])
def test_what_lies_where_the_next_key_should_and_is_none_is_to_be_moved_away(tmp_path: Path, broken: str) -> None:
    beside = tmp_path / "key.pem.rollover"
    if broken == "directory":
        beside.mkdir()
    else:
        beside.write_text("nonsense" if broken == "nonsense" else pem(ed25519.Ed25519PrivateKey.generate()))
    with pytest.raises(CertfleetError, match=r"key\.pem\.rollover.*Move it away") as caught:
        account.load_waiting_key(str(tmp_path / "key.pem"), ["secret"] if broken == "nonsense" else [None])
    assert "account_key_src" not in str(caught.value)


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ecdsa-p384", "rsa-2048"])
def test_a_new_key_is_whole_private_and_of_the_wanted_type(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key.pem"
    assert account.generate_account_key(str(path), kind)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert account.load_account_key(str(path)).key_type == kind
    assert os.listdir(tmp_path) == ["key.pem"]


def test_a_new_key_is_encrypted_when_there_is_a_passphrase(tmp_path: Path) -> None:
    path = str(tmp_path / "key.pem")
    account.generate_account_key(path, "ecdsa-p256", "secret")
    assert account.load_account_key(path, None, "secret").key_type == "ecdsa-p256"
    with pytest.raises(CertfleetError, match="is encrypted"):
        account.load_account_key(path)


@pytest.mark.parametrize("target", ["file", "dangling link"])
def test_what_stands_at_the_path_is_never_replaced(tmp_path: Path, target: str) -> None:
    path = tmp_path / "key.pem"
    if target == "file":
        path.write_text("precious")
    else:
        path.symlink_to(tmp_path / "elsewhere")
    assert not account.generate_account_key(str(path), "ecdsa-p256")
    assert not (tmp_path / "elsewhere").exists()
    assert target != "file" or path.read_text() == "precious"


def test_two_that_make_the_key_at_once_end_with_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key.pem"
    write = files._write_synced

    def overtaken(beside: str, data: bytes, like: os.stat_result | None) -> None:
        write(beside, data, like)
        path.write_text("the other one's")

    monkeypatch.setattr(files, "_write_synced", overtaken)
    assert not account.generate_account_key(str(path), "ecdsa-p256")
    assert path.read_text() == "the other one's"
    assert os.listdir(tmp_path) == ["key.pem"]


def test_a_folder_that_is_not_there_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(CertfleetError, match="cannot be written: No such file or directory"):
        account.generate_account_key(str(tmp_path / "none" / "key.pem"), "ecdsa-p256")
    assert os.listdir(tmp_path) == []
