# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the library's messages lack."""

from __future__ import annotations

from typing import Any

from .._keys.account import AccountKey
from . import _library as library


class NewOrder(library.Order):
    """newOrder with what RFC 8555 section 7.4 and RFC 9773 section 5 allow in it.

    replaces: the replaced certificate's identifier (RFC 9773 section 4.1). notBefore, notAfter: RFC 3339.
    """

    replaces: str | None = library.field("replaces", omitempty=True)
    not_before: str | None = library.field("notBefore", omitempty=True)
    not_after: str | None = library.field("notAfter", omitempty=True)


class StatusUpdate(library.Message):
    """The request that deactivates an account or an authorization (RFC 8555 sections 7.3.6 and 7.5.2)."""

    status: str = library.field("status")


class Revocation(library.Revocation):
    """revokeCert; without a reason when none is given (RFC 8555 section 7.6)."""

    reason: int | None = library.field("reason", omitempty=True)


class KeyChange(library.Message):
    """What the inner signature of keyChange covers (RFC 8555 section 7.3.5). old_key: a public JWK."""

    account: str = library.field("account")
    old_key: Any = library.field("oldKey")


def sign_key_change(account_uri: str, old: AccountKey, new: AccountKey, url: str) -> Any:
    """The payload of keyChange: signed with the new key, which it carries, for the same URL and without a nonce."""
    inner = KeyChange(account=account_uri, old_key=old.jwk.public_key())
    return library.jws.JWS.sign(inner.json_dumps().encode("utf-8"), key=new.jwk, alg=new.alg, nonce=None, url=url)


class Verbatim:
    """A payload that is sent as it was written. text: JSON."""

    def __init__(self, text: str) -> None:
        self.text = text

    def json_dumps(self, **_options: Any) -> str:
        """What the library asks a message for."""
        return self.text
