# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module acme_account does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import CertfleetError
from .._keys.account import AccountKey, load_account_key
from .._module import require
from . import _library as library
from .accounts import (
    Account,
    AccountGone,
    check_creation,
    check_uri,
    check_waiting,
    create_account,
    deactivate_account,
    find_either,
    normalise_contact,
    update_contact,
)
from .argspec import ACME_ARGSPEC, KEY_RULES, account_key
from .rollover import finish
from .rollover_module import NEW_KEY_ARGSPEC, KeyChange
from .session import Session, open_session

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ACCOUNT_MODULE_ARGSPEC: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "absent", "changed_key"], "default": "present"},
    **NEW_KEY_ARGSPEC,
    **ACME_ARGSPEC,
}
ACCOUNT_MODULE_RULES: dict[str, Any] = {
    **KEY_RULES,
    "mutually_exclusive": [*KEY_RULES["mutually_exclusive"], ("new_account_key_src", "new_account_key_content")],
}


def manage_account(module: AnsibleModule) -> dict[str, Any]:
    """The result of acme_account for the module's options. Raises CertfleetError."""
    require(acme=library.IMPORT_ERROR)
    work = {"present": _present, "absent": _absent, "changed_key": _changed_key}[module.params["state"]]
    result, before, after = work(module, module.params)
    if module._diff:
        result["diff"] = {"before": before, "after": after}
    return result


#: The result, and what diff mode compares.
_Done = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]


def _present(module: AnsibleModule, params: dict[str, Any]) -> _Done:
    wanted = None if params["contact"] is None else normalise_contact(params["contact"])
    key, made = account_key(params, check_mode=module.check_mode)
    session = open_session(params, key)
    account, waiting = find_either(session, params) if key else (None, None)
    if account is not None:
        check_uri(account, params["account_uri"])
    taken_up = account is not None and waiting is not None
    if account is not None and waiting is not None and not module.check_mode:
        finish(waiting)
    key = session.key
    before = _state(account)
    if account is None:
        check_waiting(session, waiting)
        changed, account = True, _create(session, params, wanted or [], made, check_mode=module.check_mode)
        after = _state(account) or {"contact": wanted or []}
    else:
        changed, account, after = _contacts(module, session, account, wanted)
    changed = changed or made or taken_up
    return _result(session, key, account, wanted, params, changed=changed, made=made), before, after


def _contacts(
    module: AnsibleModule, session: Session, account: Account, wanted: list[str] | None
) -> tuple[bool, Account, dict[str, Any]]:
    """Bring the contacts up to date: whether that changed them, the account, and its state afterwards.

    An account object without contacts is that of an account that has none, or of a CA that does not tell them (RFC 8555
    section 7.1.2 has the field optional). The answer to an update shows which: only the former tells the new ones.
    """
    before = _state(account)
    told = account.contact
    if wanted is None or set(told or []) == set(wanted) or (told is None and module.check_mode):
        return False, account, before
    if module.check_mode:
        return True, account, {**before, "contact": sorted(wanted)}
    account = update_contact(session, account, wanted)
    kept = account.contact
    if kept is None:
        after = before if told is None else {**before, "contact": sorted(wanted)}
    else:
        after = {**before, "contact": sorted(kept)}
        if set(kept) != set(wanted):
            module.warn(f"the CA keeps other contacts than it was told: {', '.join(kept) or 'none'}")
    return after != before, account, after


def _absent(module: AnsibleModule, params: dict[str, Any]) -> _Done:
    key = load_account_key(params["account_key_src"], params["account_key_content"], params["account_key_passphrase"])
    session = open_session(params, key)
    account: Account | None = None
    status = None
    try:
        account, _waiting = find_either(session, params)
    except AccountGone as gone:
        status = gone.status or "deactivated"
    before = _state(account)
    after = {**before, "status": "deactivated"} if account else before
    if account is not None:
        check_uri(account, params["account_uri"])
        if not module.check_mode:
            deactivate_account(session, account)
            account = Account(account.uri, {**account.body, "status": "deactivated"})
    result = _result(session, session.key, account, None, params, changed=account is not None)
    if status:
        result["account"]["status"] = status
    return result, before, after


def _changed_key(module: AnsibleModule, params: dict[str, Any]) -> _Done:
    change = KeyChange(params, check_mode=module.check_mode)
    change.run()
    result = _result(change.session, change.key, change.account, None, params, changed=change.changed, made=change.made)
    result["valid_account_key"] = change.valid
    result["previous_account_key_thumbprint"] = change.previous.thumbprint
    before = {"uri": change.account.uri, "account_key_thumbprint": change.previous.thumbprint}
    return result, before, {**before, "account_key_thumbprint": result["account_key_thumbprint"]}


def _result(
    session: Session,
    key: AccountKey | None,
    account: Account | None,
    wanted: list[str] | None,
    params: dict[str, Any],
    *,
    changed: bool,
    made: bool = False,
) -> dict[str, Any]:
    """What every state returns."""
    return {
        "changed": changed,
        "account_uri": account.uri if account else None,
        "account": _public(account, wanted),
        "account_key_generated": made,
        "account_key_type": key.key_type if key else params["account_key_type"],
        "account_key_thumbprint": key.thumbprint if key else None,
        "terms_of_service": session.meta.get("termsOfService"),
    }


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
