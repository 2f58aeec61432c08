# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module acme_account does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import CertfleetError
from .._module import require
from . import _library as library
from .accounts import (
    Account,
    check_creation,
    check_uri,
    create_account,
    find_account,
    normalise_contact,
    update_contact,
)
from .argspec import ACME_ARGSPEC, account_key
from .session import Session, open_session

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ACCOUNT_MODULE_ARGSPEC: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["present"], "default": "present"},
    **ACME_ARGSPEC,
}


def manage_account(module: AnsibleModule) -> dict[str, Any]:
    """The result of acme_account for the module's options. Raises CertfleetError."""
    require(acme=library.IMPORT_ERROR)
    params = module.params
    wanted = None if params["contact"] is None else normalise_contact(params["contact"])
    key, made = account_key(params, check_mode=module.check_mode)
    session = open_session(params, key)
    account = find_account(session) if key else None
    if account is not None:
        check_uri(account, params["account_uri"])
    before = _state(account)
    if account is None:
        changed, account = True, _create(session, params, wanted or [], made, check_mode=module.check_mode)
        after = _state(account) or {"contact": wanted or []}
    else:
        changed = wanted is not None and account.contact is not None and set(account.contact) != set(wanted)
        after = before
        if changed and wanted is not None:
            if not module.check_mode:
                account = update_contact(session, account, wanted)
            after = {**before, "contact": sorted(wanted)}
    result = {
        "changed": changed or made,
        "account_uri": account.uri if account else None,
        "account": _public(account, wanted),
        "account_key_generated": made,
        "account_key_type": key.key_type if key else params["account_key_type"],
        "account_key_thumbprint": key.thumbprint if key else None,
        "terms_of_service": session.meta.get("termsOfService"),
    }
    if module._diff:
        result["diff"] = {"before": before, "after": after}
    return result


def _create(
    session: Session, params: dict[str, Any], contact: list[str], made: bool, *, check_mode: bool
) -> Account | None:
    """The new account; None in check mode. Raises CertfleetError when there may be none."""
    if params["account_uri"] or not params["allow_creation"]:
        raise CertfleetError(
            f"the CA at {params['acme_directory']} has no account for this key",
            remedy="Check account_key_src, acme_directory and account_uri, or set allow_creation without account_uri.",
        )
    binding = params["external_account_binding"]
    if check_mode:
        check_creation(session, terms_agreed=params["terms_agreed"], binding=binding)
        return None
    return create_account(session, contact=contact, terms_agreed=params["terms_agreed"], binding=binding)


def _state(account: Account | None) -> dict[str, Any]:
    """What diff mode compares."""
    if account is None:
        return {}
    return {"uri": account.uri, "status": account.body.get("status"), "contact": sorted(account.contact or [])}


def _public(account: Account | None, wanted: list[str] | None) -> dict[str, Any]:
    """The account as results show it; what the CA does not tell is what was asked for."""
    body = account.body if account else {}
    contact = account.contact if account else None
    return {
        "uri": account.uri if account else None,
        "status": body.get("status"),
        "contact": contact if contact is not None else wanted or [],
        "contact_known": contact is not None,
        "orders": body.get("orders"),
        "terms_of_service_agreed": body.get("termsOfServiceAgreed"),
    }
