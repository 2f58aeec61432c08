# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What acme_account does with state changed_key: the keys of its options, and the change from one to the other."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import Any

from .._errors import CertfleetError
from .._keys import files
from .._keys.account import (
    AccountKey,
    WrongPassphrase,
    generate_account_key,
    generate_key,
    load_waiting_key,
    parse_account_key,
    parse_with_any,
    private_pem,
    read_key,
    with_waiting,
    wrap_private_key,
)
from .accounts import Account
from .rollover import NewKey, Rollover
from .session import Session, open_session

NEW_KEY_ARGSPEC: dict[str, dict[str, Any]] = {
    "new_account_key_src": {"type": "path"},
    "new_account_key_content": {"type": "str", "no_log": True},
    "new_account_key_passphrase": {"type": "str", "no_log": True},
}
_OLD, _NEW = "account_key", "new_account_key"


class KeyChange:
    """One call of the module. params: its options. What there is to tell afterwards is in the attributes.

    changed, made: whether the key was changed (would be, in check mode), and made for it. account, key: the account and
    the key that is its own now. valid: the option that holds this key. previous: the key before.
    """

    def __init__(self, params: dict[str, Any], *, check_mode: bool) -> None:
        self._params = params
        self._check_mode = check_mode
        self.changed = self.made = False
        self.session: Session
        self.account: Account
        self.key: AccountKey | None
        self.previous: AccountKey
        self.valid = f"{_OLD}_src" if params["account_key_src"] else f"{_OLD}_content"

    def run(self) -> None:
        """Do it. Raises CertfleetError."""
        src = self._params["account_key_src"]
        path = os.path.realpath(src) if src else None
        self._check_options(path)
        with files.locked_folder(path) if path and not self._check_mode else nullcontext():
            if path and not self._check_mode:
                _sweep(path + files.ROLLOVER)
            self._run(path)

    def _check_options(self, path: str | None) -> None:
        """Raise CertfleetError for options that name no new key, or one that cannot be."""
        new = self._params["new_account_key_src"]
        if not new and self._params["new_account_key_content"] is None:
            if not self._params["generate_account_key"]:
                raise CertfleetError(
                    "there is no key to change to",
                    remedy="Set new_account_key_src or new_account_key_content, or generate_account_key to make one.",
                )
            if path is None:
                raise CertfleetError(
                    "generate_account_key has no place for the new key", remedy="Set new_account_key_src."
                )
        elif new and path and os.path.realpath(new) in (path, path + files.ROLLOVER):
            raise CertfleetError(
                f"new_account_key_src cannot be {new}",
                remedy="Give the new key a file of its own; it is copied to account_key_src when the CA has taken it.",
            )

    def _run(self, path: str | None) -> None:
        self.previous = self.key = old = self._old()
        given = self._given()
        waiting = self._waiting(path)
        self.session = open_session(self._params, old)
        rollover = Rollover(self.session, path, old, self.valid, self._params["account_uri"])
        if waiting is not None:
            self.account, _asked = rollover.carry_out(waiting, waiting=True, check_mode=self._check_mode)
            self.changed, self.key = True, waiting.key
            if given is None or given.key.thumbprint == waiting.key.thumbprint or self._check_mode:
                return
            rollover.old = waiting.key
        if given is not None and given.key.thumbprint == rollover.old.thumbprint:
            self.account = rollover.current()
            return
        if given is None:
            if self._check_mode:
                # Whatever key it will be; this one signs nothing.
                self.account, _asked = rollover.carry_out(self._make(), made=True, check_mode=True)
                self.changed, self.made, self.key = True, True, None
                return
            given = self._make()
        self.account, asked = rollover.carry_out(given, made=self.made, check_mode=self._check_mode)
        self.changed = self.changed or asked
        self.key = given.key
        if path is None:
            self.valid = given.option

    def _old(self) -> AccountKey:
        """The key of account_key_*, which is the new one already when this is done again."""
        data = read_key(self._params["account_key_src"], self._params["account_key_content"])
        passphrases = [self._params["account_key_passphrase"], *self._new_passphrases()]
        try:
            return parse_with_any(data, passphrases, what=self.valid, option=_OLD)
        except WrongPassphrase as error:
            raise with_waiting(error, self._params["account_key_src"]) from error

    def _given(self) -> NewKey | None:
        """The key of new_account_key_*; None when it is to be made."""
        src, content = self._params["new_account_key_src"], self._params["new_account_key_content"]
        if src is None and content is None:
            return None
        if src is not None and self._params["generate_account_key"] and not os.path.lexists(src):
            return None
        option = f"{_NEW}_src" if content is None else f"{_NEW}_content"
        data = read_key(src, content, option=_NEW)
        key = parse_account_key(data, self._params["new_account_key_passphrase"], what=option, option=_NEW)
        return NewKey(key, data if data.endswith(b"\n") else data + b"\n", option)

    def _waiting(self, path: str | None) -> NewKey | None:
        """The key beside account_key_src that an earlier run wrote there."""
        found = load_waiting_key(path, [*self._new_passphrases(), self._params["account_key_passphrase"]])
        return NewKey(found.key, found.pem, found.path) if found else None

    def _make(self) -> NewKey:
        """A new key; in the file new_account_key_src when that is to hold it."""
        src, kind = self._params["new_account_key_src"], self._params["account_key_type"]
        passphrase = self._params["new_account_key_passphrase"] or self._params["account_key_passphrase"]
        self.made = True
        if src is None or self._check_mode:
            private = generate_key(kind)
            return NewKey(wrap_private_key(private, what=kind), private_pem(private, passphrase), "the new key")
        generate_account_key(src, kind, passphrase)
        data = read_key(src, option=_NEW)
        return NewKey(parse_account_key(data, passphrase, what=src, option=_NEW), data, f"{_NEW}_src")

    def _new_passphrases(self) -> list[str | None]:
        given = self._params["new_account_key_src"] or self._params["new_account_key_content"]
        passphrase: str | None = self._params["new_account_key_passphrase"]
        return [passphrase] if given or passphrase else []


def _sweep(path: str) -> None:
    try:
        files.sweep(path)
    except OSError as error:
        raise CertfleetError(
            f"the folder of {path} cannot be written to: {error.strerror}", remedy="The CA was not asked."
        ) from error
