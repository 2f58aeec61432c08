# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The account key: from a file or from content, made on request, ready for the signatures of RFC 8555."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._errors import CertfleetError
from .._x509 import key_type as describe_key
from ._library import UnsupportedAlgorithm, ec, jose, rsa, serialization
from .files import ROLLOVER, write_new

#: What generate_key() can make; mirrored by the option account_key_type.
KEY_TYPES = ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"]
_USABLE = "Use an ECDSA key on P-256, P-384 or P-521, or an RSA key of 2048 to 4096 bits."
_FINISH = (
    "Run acme_account with state=changed_key and both passphrases, account_key_passphrase and"
    " new_account_key_passphrase: it finishes the change."
)
#: An account key is a few kilobytes; anything larger is another file.
_MAX_BYTES = 65536


class WrongPassphrase(CertfleetError):
    """A key whose passphrase is missing, wrong or not wanted."""


@dataclass(frozen=True)
class AccountKey:
    """A key that signs requests.

    jwk: josepy's key over any object with the interface of cryptography's private keys (a key management service too).
    alg: the JWS algorithm that goes with it (RFC 7518 section 3.1). key_type: ``ecdsa-p256``, ``rsa-3072`` and so on.
    """

    jwk: Any
    alg: Any
    key_type: str

    @property
    def thumbprint(self) -> str:
        """RFC 7638 thumbprint, base64url: public, tells one account key from another."""
        return jose.b64encode(self.jwk.thumbprint()).decode("ascii")

    def __repr__(self) -> str:
        return f"AccountKey({self.key_type})"


@dataclass(frozen=True)
class WaitingKey:
    """A key that is to follow the one of an account key's file. pem: as it lies at ``path``, beside that file."""

    key: AccountKey
    pem: bytes
    path: str


def load_account_key(
    src: str | None, content: str | None = None, passphrase: str | None = None, *, option: str = "account_key"
) -> AccountKey:
    """The key at the path ``src`` or in the PEM text ``content``.

    option: how the options are called, for messages (``account_key``: account_key_src, account_key_content).
    Raises CertfleetError: unreadable file, not a private key, passphrase missing, wrong or not wanted, type not usable.
    """
    what = src if content is None and src is not None else f"{option}_content"
    data = read_key(src, content, option=option)
    try:
        return parse_account_key(data, passphrase, what=what, option=option)
    except WrongPassphrase as error:
        raise with_waiting(error, src if content is None else None) from error


def read_key(src: str | None, content: str | None = None, *, option: str = "account_key") -> bytes:
    """The PEM of a key as it was given, options as for load_account_key. Raises CertfleetError."""
    if content is not None:
        return content.encode("utf-8")
    if src is not None:
        return _read(src, option)
    raise CertfleetError(f"no {option} is given", remedy=f"Set {option}_src or {option}_content.")


def parse_account_key(data: bytes, passphrase: str | None, *, what: str, option: str = "account_key") -> AccountKey:
    """The key in PEM, ``what`` being its name in messages. Raises CertfleetError as load_account_key does."""
    return wrap_private_key(_parse(data, passphrase, what, option), what=what)


def parse_with_any(data: bytes, passphrases: Sequence[str | None], *, what: str, option: str) -> AccountKey:
    """As parse_account_key, with the first of the passphrases that fits. Raises the CertfleetError of the first."""
    first: CertfleetError | None = None
    for passphrase in dict.fromkeys(passphrases):
        try:
            return parse_account_key(data, passphrase, what=what, option=option)
        except CertfleetError as error:
            first = first or error
    raise first or CertfleetError(f"there is no passphrase for {what}")


def with_waiting(error: WrongPassphrase, src: str | None) -> WrongPassphrase:
    """The error about the file ``src``; it names the key that waits beside it, when there is one."""
    beside = waiting_path(src)
    more = f" {beside} is there, a key that is to follow. {_FINISH}" if beside else ""
    return WrongPassphrase(error.message, remedy=error.remedy + more)


def waiting_path(src: str | None) -> str | None:
    """Where a key lies that is to follow the one in the file ``src``; None when there is none."""
    path = os.path.realpath(src) + ROLLOVER if src else None
    return path if path is not None and os.path.lexists(path) else None


def load_waiting_key(src: str | None, passphrases: Sequence[str | None]) -> WaitingKey | None:
    """The key that lies beside the file ``src`` because the change to it did not end.

    None when there is none. Raises CertfleetError when it cannot be read.
    """
    path = waiting_path(src)
    if path is None:
        return None
    try:
        data = read_key(path)
        key = parse_with_any(data, [*passphrases, None], what=path, option="new_account_key")
    except WrongPassphrase as error:
        raise WrongPassphrase(error.message, remedy=f"It is to follow the key in {src}. {_FINISH}") from error
    except CertfleetError as error:
        raise CertfleetError(
            error.message,
            remedy=f"It is where the key lies that is to follow the one in {src}. Move it away, and keep it when it may"
            " have been a key.",
        ) from error
    return WaitingKey(key, data, path)


def wrap_private_key(key: Any, *, what: str) -> AccountKey:
    """The AccountKey over a private key object. Raises CertfleetError, naming ``what``, for a type ACME cannot use."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        algorithms = {"secp256r1": jose.ES256, "secp384r1": jose.ES384, "secp521r1": jose.ES512}
        if key.curve.name in algorithms:
            return AccountKey(jose.JWKEC(key=key), algorithms[key.curve.name], describe_key(key))
    elif isinstance(key, rsa.RSAPrivateKey) and 2048 <= key.key_size <= 4096:
        return AccountKey(jose.JWKRSA(key=key), jose.RS256, describe_key(key))
    raise CertfleetError(
        f"the key of {what} is of type {describe_key(key)}, which cannot sign for ACME", remedy=_USABLE
    )


def generate_account_key(path: str, key_type: str, passphrase: str | None = None) -> bool:
    """Make a key at ``path`` with mode 0600 unless a file is there; True when it was made.

    The file appears whole and synced or not at all, and an existing one is never replaced: losing an account key loses
    the account. Raises CertfleetError.
    """
    if os.path.lexists(path):
        return False
    try:
        return write_new(path, private_pem(generate_key(key_type), passphrase))
    except OSError as error:
        raise CertfleetError(
            f"the account key {path} cannot be written: {error.strerror}",
            remedy="Give account_key_src a path in an existing folder that this user may write to.",
        ) from error


def private_pem(key: Any, passphrase: str | None = None) -> bytes:
    """A private key in PEM (PKCS#8), encrypted when there is a passphrase."""
    encryption: Any = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode("utf-8"))
    pem: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return pem


def generate_key(key_type: str) -> Any:
    """A new private key of one of KEY_TYPES."""
    if key_type.startswith("rsa-"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(key_type[4:]))
    return ec.generate_private_key(ec.SECP256R1() if key_type == "ecdsa-p256" else ec.SECP384R1())


def _read(path: str, option: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(_MAX_BYTES)
    except OSError as error:
        hint = f"Check {option}_src"
        if isinstance(error, FileNotFoundError) and option == "account_key":
            hint += ", or set generate_account_key to make a new key there"
        raise CertfleetError(f"the key {path} cannot be read: {error.strerror}", remedy=hint + ".") from error


def _parse(data: bytes, passphrase: str | None, what: str, option: str) -> Any:
    try:
        return serialization.load_pem_private_key(data, passphrase.encode("utf-8") if passphrase else None)
    except TypeError as error:
        if passphrase:
            raise WrongPassphrase(
                f"the key of {what} is not encrypted, yet a passphrase is given", remedy=f"Drop {option}_passphrase."
            ) from error
        raise WrongPassphrase(f"the key of {what} is encrypted", remedy=f"Set {option}_passphrase.") from error
    except UnsupportedAlgorithm as error:
        raise CertfleetError(f"the key of {what} is of a type that is not supported", remedy=_USABLE) from error
    except ValueError as error:
        if passphrase and b"ENCRYPTED" in data:
            raise WrongPassphrase(
                f"the key of {what} cannot be decrypted", remedy=f"{option}_passphrase is wrong, or the file damaged."
            ) from error
        raise CertfleetError(f"there is no PEM private key in {what}", remedy=_USABLE) from error
