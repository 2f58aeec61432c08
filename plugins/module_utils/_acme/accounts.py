# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accounts (RFC 8555 section 7.3): find by key, create, update, deactivate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from .._errors import CertfleetError
from .._keys.account import WaitingKey, load_waiting_key, parse_with_any, read_key
from . import _library as library
from .argspec import check_binding
from .messages import StatusUpdate
from .problems import AcmeProblem
from .session import Session, as_object

#: Where an account ends (RFC 8555 section 7.1.6).
_GONE = ("deactivated", "revoked")


@dataclass(frozen=True)
class Account:
    """uri: the account's URL. body: the account object as the CA sent it. created: by this request."""

    uri: str
    body: dict[str, Any] = field(default_factory=dict)
    created: bool = False

    @property
    def contact(self) -> list[str] | None:
        """The contacts, None when the CA does not tell them."""
        found = self.body.get("contact")
        return [str(entry) for entry in found] if isinstance(found, list) else None


class AccountGone(CertfleetError):
    """The CA knows the key, and its account is deactivated or revoked. status: which of them, None when not told."""

    def __init__(self, message: str, *, status: str | None = None, **details: Any) -> None:
        remedy = "Use another account key; a deactivated account does not come back."
        super().__init__(f"{message}: the account is {status or 'deactivated or revoked'}", remedy=remedy, **details)
        self.status = status


def find_account(session: Session) -> Account | None:
    """The account of the session's key; None when the CA knows none (RFC 8555 section 7.3.1). Binds the session to it.

    Raises AccountGone for one that was deactivated (section 7.3.6), CertfleetError.
    """
    message = library.messages.NewRegistration(only_return_existing=True)
    session.network.use_account(None)
    try:
        account = _send(session, message, "the look-up of the account", created=False)
    except AcmeProblem as problem:
        if problem.code == "accountDoesNotExist":
            return None
        if problem.code == "unauthorized":
            status = next((status for status in _GONE if problem.mentions(status)), None)
            raise AccountGone(problem.message, status=status, **problem.details) from problem
        raise
    if account.body.get("status") in _GONE:
        raise AccountGone(f"the CA names {account.uri} for this key", status=account.body["status"])
    return account


def find_either(session: Session, params: dict[str, Any]) -> tuple[Account | None, WaitingKey | None]:
    """The account of the session's key; else of the key that waits beside account_key_src (see rollover.py).

    The second is the waiting key when the first is not the CA's: with an account the session signs with it from then
    on, without one the CA knows neither. Raises CertfleetError.
    """
    account = find_account(session)
    if account is not None:
        return account, None
    src, passphrase = params.get("account_key_src"), params.get("account_key_passphrase")
    if src is None:
        return None, None
    old = session.signing_key
    # Of acme_account alone; the other modules have no option for it.
    passphrases = [entry for entry in (passphrase, params.get("new_account_key_passphrase")) if entry]
    waiting = load_waiting_key(src, passphrases)
    # Another process may have finished the change since the file was read: then it has another key by now.
    key = (
        waiting.key if waiting else parse_with_any(read_key(src), passphrases or [None], what=src, option="account_key")
    )
    if key.thumbprint == old.thumbprint:
        return None, waiting
    session.use_key(key)
    account = find_account(session)
    if account is None:
        session.use_key(old)
    return account, waiting


def check_waiting(session: Session, waiting: WaitingKey | None) -> None:
    """Raise CertfleetError when a key waits that the CA may get to know: nobody makes an account for the old one."""
    if waiting is not None:
        raise CertfleetError(
            f"the CA at {session.directory_url} knows neither the key of account_key_src nor the one in {waiting.path}"
            " that was to follow it",
            remedy="Check acme_directory. No account is created while both are there: remove the file that is wrong.",
        )


def create_account(
    session: Session, *, contact: list[str], terms_agreed: bool, binding: dict[str, Any] | None = None
) -> Account:
    """Make an account, or find the one that the key has already, and bind the session to it. Raises CertfleetError."""
    check_creation(session, terms_agreed=terms_agreed, binding=binding)
    fields: dict[str, Any] = {"contact": tuple(contact)} if contact else {}
    if terms_agreed:
        fields["terms_of_service_agreed"] = True
    if binding:
        fields["external_account_binding"] = _bind_external(session, binding)
    session.network.use_account(None)
    return _send(session, library.messages.NewRegistration(**fields), "the new account", created=True)


def check_creation(session: Session, *, terms_agreed: bool, binding: dict[str, Any] | None) -> None:
    """Raise CertfleetError for what the CA would refuse in a new account, as far as its directory tells."""
    terms = session.meta.get("termsOfService")
    if terms and not terms_agreed:
        raise CertfleetError(
            f"the CA wants its terms of service agreed to: {terms}", remedy="Read them and set terms_agreed to true."
        )
    if session.meta.get("externalAccountRequired") and not binding:
        raise CertfleetError(
            "the CA binds new accounts to an account you have with it",
            remedy="Set external_account_binding with the key identifier and the MAC key it gave you.",
        )
    if binding:
        check_binding(binding)


def update_contact(session: Session, account: Account, contact: list[str]) -> Account:
    """Set the account's contacts. Raises CertfleetError."""
    message = library.messages.UpdateRegistration(contact=tuple(contact))
    doing = "the account's new contacts"
    return Account(account.uri, as_object(session.send(account.uri, message, doing=doing), doing))


def deactivate_account(session: Session, account: Account) -> None:
    """End an account for good (RFC 8555 section 7.3.6); it may have ended already. Raises CertfleetError."""
    try:
        session.send(account.uri, StatusUpdate(status="deactivated"), doing="the deactivation of the account")
    except CertfleetError:
        # The answer to the first of several tries may have been lost.
        try:
            if find_account(session) is None:
                return
        except AccountGone:
            return
        except CertfleetError:
            pass
        raise


def use_account(session: Session, params: dict[str, Any]) -> Account:
    """The account of the options in KEY_ARGSPEC: found, or created when those of CREATION_ARGSPEC allow it.

    Raises CertfleetError.
    """
    return expect_account(session, params) or create_account(
        session,
        contact=normalise_contact(params.get("contact") or []),
        terms_agreed=params["terms_agreed"],
        binding=params.get("external_account_binding"),
    )


def expect_account(session: Session, params: dict[str, Any]) -> Account | None:
    """The account that use_account() finds, None for one that it would create; creates nothing.

    A session without a key is one whose key would be made. Raises CertfleetError where use_account() would.
    """
    account, waiting = find_either(session, params) if session.key is not None else (None, None)
    expected = params.get("account_uri")
    if account is None:
        if expected or not params.get("allow_creation"):
            raise CertfleetError(
                f"the CA at {session.directory_url} has no account for this key"
                + (f", so it is not {expected}" if expected else ""),
                remedy="Check account_key_src and acme_directory"
                + (" and account_uri." if expected else _way_to_create(params)),
            )
        check_waiting(session, waiting)
        check_creation(session, terms_agreed=params["terms_agreed"], binding=params.get("external_account_binding"))
        return None
    check_uri(account, expected)
    return account


def _way_to_create(params: dict[str, Any]) -> str:
    """The end of a remedy: how to come to an account with the options that the module has."""
    return ", or set allow_creation." if "allow_creation" in params else ", or create the account with acme_account."


def check_uri(account: Account, expected: str | None) -> None:
    """Raise CertfleetError when account_uri is given and the key belongs to another account."""
    if expected and expected != account.uri:
        raise CertfleetError(
            f"the account key belongs to {account.uri}, not to {expected}", remedy="Check account_uri, or drop it."
        )


def normalise_contact(contact: list[str]) -> list[str]:
    """Contacts as URLs, a plain e-mail address as ``mailto:``, duplicates dropped (RFC 8555 section 7.3)."""
    return list(
        dict.fromkeys(entry if ":" in entry else f"mailto:{entry}" for entry in map(str.strip, contact) if entry)
    )


def _bind_external(session: Session, binding: dict[str, Any]) -> dict[str, Any]:
    return library.messages.ExternalAccountBinding.from_data(
        account_public_key=session.signing_key.jwk.public_key(),
        kid=binding["kid"].strip(),
        hmac_key=binding["key"].strip().rstrip("="),
        directory=session.directory,
        hmac_alg=binding["alg"],
    )


def _send(session: Session, message: Any, doing: str, *, created: bool) -> Account:
    response = session.send(session.resource("newAccount"), message, doing=doing)
    uri = response.headers.get("Location")
    if not uri:
        raise CertfleetError(f"the CA's answer to {doing} names no account URL")
    account = Account(
        urljoin(response.url, uri), as_object(response, doing), created=created and response.status_code == 201
    )
    session.bind(account.uri)
    return account
