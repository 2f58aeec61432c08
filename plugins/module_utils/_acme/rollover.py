# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The key of an account changed for another one (RFC 8555 section 7.3.5), so that no moment of it can lose the account.

Where the key is a file, the new key lies beside it, synced, before the CA is asked, and takes its place in one step
after the CA has found the account by it. A run that ends in between leaves both files, and the next one asks the CA
which of the two keys it knows. A key that was found beside is never deleted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from .._errors import CertfleetError
from .._keys import files
from .._keys.account import AccountKey, WaitingKey, read_key
from .accounts import Account, AccountGone, check_uri, find_account
from .messages import sign_key_change
from .problems import AcmeProblem
from .session import Session

_OTHERWISE = (
    "The account keeps its key. For another key, create a new account: acme_account with another account_key_src and"
    " generate_account_key, then state absent with the old key."
)


@dataclass(frozen=True)
class NewKey:
    """A key to change to. pem: as it is to be written. option: the name of what it came from, for messages."""

    key: AccountKey
    pem: bytes
    option: str


@dataclass
class Rollover:
    """A change of keys.

    path: the key file, links followed; None when the old key is not a file, and nothing is written then. old: the key
    that it holds. option: the name of what it came from. account_uri: what the account must be, when that is said.
    """

    session: Session
    path: str | None
    old: AccountKey
    option: str
    account_uri: str | None = None

    @property
    def beside(self) -> str:
        """Where the new key waits."""
        return f"{self.path}{files.ROLLOVER}"

    def current(self) -> Account:
        """The account of the key as it is. Raises CertfleetError when there is none."""
        account = self._find(self.old)
        if account is None:
            raise self._unknown()
        check_uri(account, self.account_uri)
        return account

    def carry_out(
        self, new: NewKey, *, waiting: bool = False, made: bool = False, check_mode: bool = False
    ) -> tuple[Account, bool]:
        """Change to the new key, or find that it was done, and put its file in place: the account, and whether asked.

        waiting: the new key was found beside the old one. made: nobody but this run has the new key.
        Raises CertfleetError; its message says which key the CA takes and where each is.
        """
        theirs = None if made else self._new_owner(new)
        account = self._find(self.old, or_gone=theirs is not None)
        if theirs is None:
            if account is None:
                raise self._unknown()
            check_uri(account, self.account_uri)
            url = self._key_change()
            if check_mode:
                return account, True
            if self.path is not None and not waiting:
                self._write(new)
            theirs = self._ask(account, new, url, waiting=waiting, made=made)
            asked = True
        else:
            if account is not None and account.uri != theirs.uri:
                raise self._conflict(new, theirs, account, waiting=waiting)
            check_uri(theirs, self.account_uri)
            if self.path is not None and not waiting:
                raise CertfleetError(
                    f"the CA does not know the key in {self.path}; it knows the key of {new.option}, as {theirs.uri}",
                    remedy="Nothing was changed. Use the new key as account_key_src, if that is the account you mean.",
                )
            asked = False
        if self.path is not None and not check_mode:
            _put_in_place(self.beside, self.path)
        return theirs, asked

    def _find(self, key: AccountKey, *, or_gone: bool = False) -> Account | None:
        """The account of a key; None for none, and with or_gone for a deactivated one."""
        self.session.use_key(key)
        try:
            return find_account(self.session)
        except AccountGone:
            if or_gone:
                return None
            raise

    def _new_owner(self, new: NewKey) -> Account | None:
        """The account that the CA has for the new key already."""
        try:
            return self._find(new.key)
        except AccountGone as gone:
            raise CertfleetError(
                f"the key of {new.option} was an account's before: {gone.message}",
                remedy="Nothing was changed. Give a key that no account has had.",
            ) from gone

    def _unknown(self) -> CertfleetError:
        where = self.path or "account_key_content"
        return CertfleetError(
            f"the CA at {self.session.directory_url} has no account for the key of {where}"
            + (f", so it is not {self.account_uri}" if self.account_uri else ""),
            remedy="Nothing was changed. Check account_key_src and acme_directory.",
        )

    def _key_change(self) -> str:
        try:
            return self.session.resource("keyChange")
        except CertfleetError as error:
            raise CertfleetError(
                f"the CA at {self.session.directory_url} cannot change the key of an account: its directory has no"
                " keyChange",
                remedy=_OTHERWISE,
                valid_account_key=self.option,
            ) from error

    def _write(self, new: NewKey) -> None:
        """Put the new key beside the old one. Raises CertfleetError."""
        try:
            written = files.write_new(self.beside, new.pem, like=self.path)
        except OSError as error:
            raise CertfleetError(
                f"the new account key {self.beside} cannot be written: {error.strerror}",
                remedy="The CA was not asked. The account keeps its key.",
            ) from error
        if not written:
            raise CertfleetError(f"another process has just put a key at {self.beside}", remedy="Try again.")

    def _ask(self, account: Account, new: NewKey, url: str, *, waiting: bool, made: bool) -> Account:
        """Ask the CA for the change, then for the account of the new key, which tells whether it took place."""
        refusal: CertfleetError | None = None
        message = sign_key_change(account.uri, self.old, new.key, url)
        try:
            self.session.send(url, message, doing="the new key of the account")
        except CertfleetError as error:
            refusal = error
        try:
            found = self._find(new.key)
        except CertfleetError as error:
            raise self._in_doubt(refusal or error) from error
        if found is not None and found.uri == account.uri:
            return found
        if found is not None:
            if not waiting and not made:  # the user has the key elsewhere
                self._remove()
            raise self._conflict(new, found, account, waiting=waiting) from refusal
        if refusal is None:
            raise self._in_doubt(CertfleetError("it said yes, and does not know the new key"))
        if not _definite(refusal):
            raise self._in_doubt(refusal) from refusal
        if not waiting:
            self._remove()
        raise self._refused(refusal, waiting=waiting) from refusal

    def _refused(self, refusal: CertfleetError, *, waiting: bool) -> CertfleetError:
        kept = f" {self.beside} stays; remove it unless another CA knows the key in it." if waiting else ""
        details = {**refusal.details, "valid_account_key": self.option}
        if isinstance(refusal, AcmeProblem) and refusal.status in (404, 405, 501):
            return CertfleetError(
                f"the CA at {self.session.directory_url} cannot change the key of an account: {refusal.message}",
                remedy=_OTHERWISE + kept,
                **details,
            )
        later = refusal.later if isinstance(refusal, AcmeProblem) else None
        again = f" {later.remedy}" if later and later.remedy else ""
        return CertfleetError(refusal.message, remedy=f"The account keeps its key.{kept}{again}", **details)

    def _conflict(self, new: NewKey, owner: Account, account: Account, *, waiting: bool) -> CertfleetError:
        """The new key has an account already, which a CA answers with 409 (RFC 8555 section 7.3.5)."""
        kept = f" {self.beside} holds it: it came there by other ways than this module's." if waiting else ""
        return CertfleetError(
            f"the key of {new.option} already has an account of its own, {owner.uri}, so it cannot become the key of"
            f" {account.uri}",
            remedy=f"The account keeps its key. Give a key that no account has.{kept}",
            valid_account_key=self.option,
        )

    def _in_doubt(self, error: CertfleetError) -> CertfleetError:
        both = f"{self.path} and {self.beside}" if self.path else "both keys"
        return CertfleetError(
            f"whether the CA has changed the key of the account is not known: {error.message}",
            remedy=f"Keep {both} and run this again: it asks the CA which key it knows, and finishes.",
            **{**error.details, "valid_account_key": None},
        )

    def _remove(self) -> None:
        if self.path is not None:
            try:
                os.unlink(self.beside)
            except OSError:
                pass  # the next run asks the CA about it


def _definite(refusal: CertfleetError) -> bool:
    """Whether the CA will not carry the request out any more: it said no to the only one that was sent."""
    if not isinstance(refusal, AcmeProblem) or refusal.earlier is not None:
        return False
    return refusal.status < 500 or refusal.status == 501


def finish(waiting: WaitingKey) -> None:
    """Put a key in its place that the CA has taken before. Raises CertfleetError."""
    path = waiting.path[: -len(files.ROLLOVER)]
    with files.locked_folder(path):
        # Another run may have done it, and may be at the next change already.
        if os.path.lexists(waiting.path) and read_key(waiting.path) == waiting.pem:
            _put_in_place(waiting.path, path)


def _put_in_place(beside: str, path: str) -> None:
    try:
        files.put_in_place(beside, path)
    except OSError as error:
        raise CertfleetError(
            f"the CA has taken the new key, and {beside} cannot become {path}: {error.strerror}",
            remedy="Keep both files and run this again: it finishes.",
        ) from error
