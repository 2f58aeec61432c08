# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module acme_account_info does. It asks for an account and never makes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from .._batch import run_batch
from .._errors import CertfleetError
from .._keys.account import load_account_key
from .._module import require
from . import _library as library
from .accounts import Account, AccountGone, check_uri, find_either
from .argspec import DIRECTORY_ARGSPEC, KEY_ARGSPEC
from .session import Session, open_session

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

INFO_MODULE_ARGSPEC: dict[str, dict[str, Any]] = {
    "retrieve_orders": {"type": "str", "choices": ["ignore", "url_list", "object_list"], "default": "ignore"},
    "max_orders": {"type": "int", "default": 1000},
    **DIRECTORY_ARGSPEC,
    **KEY_ARGSPEC,
}
INFO_MODULE_RULES: dict[str, Any] = {"mutually_exclusive": [("account_key_src", "account_key_content")]}
#: Orders that are read at once.
_CONCURRENCY = 8


def tell_account(module: AnsibleModule) -> dict[str, Any]:
    """The result of acme_account_info for the module's options. Raises CertfleetError."""
    require(acme=library.IMPORT_ERROR)
    params = module.params
    if params["max_orders"] < 1:
        raise CertfleetError(f"max_orders is {params['max_orders']}", remedy="Give 1 or more.")
    src, content = params["account_key_src"], params["account_key_content"]
    key = None
    if src is not None or content is not None:
        key = load_account_key(src, content, params["account_key_passphrase"])
    session = open_session({**params, "concurrency": _CONCURRENCY}, key)
    result: dict[str, Any] = {"changed": False, "exists": False, "account_uri": None, "account": None}
    if key is not None:
        try:
            account = find_either(session, params)[0]
        except AccountGone as gone:
            account = None
            result["account"] = {"status": gone.status or "deactivated"}
        result["account_key_type"] = session.signing_key.key_type
        result["account_key_thumbprint"] = session.signing_key.thumbprint
        if account is not None:
            check_uri(account, params["account_uri"])
            result.update(_describe(session, account, params["retrieve_orders"], params["max_orders"]))
    return {**result, **_directory(session)}


def _directory(session: Session) -> dict[str, Any]:
    """What the directory tells (RFC 8555 section 7.1.1, RFC 9773 section 4, draft-ietf-acme-profiles section 3)."""
    meta = session.meta
    identities = meta.get("caaIdentities")
    return {
        "directory": session.directory,
        "terms_of_service": meta.get("termsOfService"),
        "website": meta.get("website"),
        "caa_identities": [str(name) for name in identities] if isinstance(identities, list) else [],
        "external_account_required": meta.get("externalAccountRequired") is True,
        "profiles": session.profiles,
        "offers": {
            "key_change": isinstance(session.directory.get("keyChange"), str),
            "renewal_info": isinstance(session.directory.get("renewalInfo"), str),
            "pre_authorization": isinstance(session.directory.get("newAuthz"), str),
        },
    }


def _describe(session: Session, account: Account, retrieve: str, most: int) -> dict[str, Any]:
    body = account.body
    if retrieve != "ignore" and "orders" not in body:
        # Some CAs answer the look-up with less than the account has.
        body = {**body, **session.read(account.uri, doing="the account")[0]}
    found: dict[str, Any] = {
        "exists": True,
        "account_uri": account.uri,
        "account": {
            "status": body.get("status"),
            "contact": account.contact or [],
            "contact_known": account.contact is not None,
            "orders": body.get("orders"),
            "terms_of_service_agreed": body.get("termsOfServiceAgreed"),
            "external_account_binding": isinstance(body.get("externalAccountBinding"), dict),
            "public_account_key": session.signing_key.jwk.public_key().to_json(),
        },
    }
    url = body.get("orders")
    if retrieve == "ignore" or not isinstance(url, str):
        return found
    urls, complete = _order_urls(session, url, most)
    found.update(order_uris=urls, orders_complete=complete)
    if retrieve == "object_list":
        found["orders"] = [
            {"uri": uri, **({"msg": str(order)} if isinstance(order, CertfleetError) else order)}
            for uri, order in zip(urls, run_batch(urls, _reader(session), concurrency=_CONCURRENCY))
        ]
    return found


def _order_urls(session: Session, url: str, most: int) -> tuple[list[str], bool]:
    """The account's orders, ``most`` of them, and whether that is all (RFC 8555 section 7.1.2.1)."""
    deadline = session.deadline()
    pages: set[str] = set()
    urls: dict[str, None] = {}
    following: str | None = url
    while following is not None and following not in pages:
        pages.add(following)
        body, response = session.read(following, doing="the account's orders", deadline=deadline)
        listed = body.get("orders")
        if not isinstance(listed, list):
            raise CertfleetError(f"the CA's list of orders {following} has no orders in it")
        urls.update(dict.fromkeys(str(entry) for entry in listed))
        after = response.links.get("next", {}).get("url")
        following = urljoin(following, after) if after else None
        if len(urls) >= most:
            return list(urls)[:most], following is None and len(urls) == most
        if following is not None and (not deadline.remaining() or len(pages) >= most):
            raise CertfleetError(
                f"the CA's list of orders did not end within {session.timeout} s and {len(pages)} pages",
                remedy="Raise timeout, or lower max_orders.",
            )
    return list(urls), following is None


def _reader(session: Session) -> Any:
    def read(uri: str) -> dict[str, Any]:
        return session.read(uri, doing=f"the order {uri}")[0]

    return read
