# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module acme_revoke does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._batch import BATCH_ARGSPEC, run_batch
from .._errors import CertfleetError
from .._keys.account import load_account_key
from .._x509 import certificate_facts, load_chain, public_key_sha256
from .accounts import use_account
from .argspec import DIRECTORY_ARGSPEC, KEY_ARGSPEC, account_key
from .batches import run_items
from .revocation import reason_code, revoke
from .session import Session, open_session

if TYPE_CHECKING:
    from typing import NoReturn

    from ansible.module_utils.basic import AnsibleModule

REVOKE_ARGSPEC: dict[str, dict[str, Any]] = {
    **DIRECTORY_ARGSPEC,
    **KEY_ARGSPEC,
    **BATCH_ARGSPEC,
    "private_key_src": {"type": "path"},
    "private_key_content": {"type": "str", "no_log": True},
    "private_key_passphrase": {"type": "str", "no_log": True},
    "revoke_reason": {"type": "raw"},
    "certificates": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "host": {"type": "str"},
            "certificate_content": {"type": "str"},
            "certificate_path": {"type": "path"},
            "revoke_reason": {"type": "raw"},
        },
        "mutually_exclusive": [("certificate_content", "certificate_path")],
        "required_one_of": [("certificate_content", "certificate_path")],
    },
    "gather": {"type": "str"},
}
_SIGNERS = ("account_key_src", "account_key_content", "private_key_src", "private_key_content")
REVOKE_RULES: dict[str, Any] = {
    "mutually_exclusive": [_SIGNERS, ("certificates", "gather")],
    "required_one_of": [_SIGNERS, ("certificates", "gather")],
}


def run_revocations(module: AnsibleModule) -> NoReturn:
    """The module acme_revoke."""
    run_items(
        module,
        "certificates",
        lambda: revoke_certificates(module.params, check_mode=module.check_mode),
        word="certificate",
        empty=empty_revocation,
    )


def empty_revocation(spec: dict[str, Any]) -> dict[str, Any]:
    """The result of an item of which nothing is known yet but what was asked."""
    return {
        "name": spec["name"],
        "host": spec.get("host"),
        "changed": False,
        "failed": False,
        "msg": "",
        "problem": None,
        "retry_at": None,
        "serial": None,
        "issuer": None,
        "identifiers": [],
        "reason": None,
        "already_revoked": None,
        "warnings": [],
    }


def revoke_certificates(params: dict[str, Any], *, check_mode: bool = False) -> list[dict[str, Any]]:
    """A result for each of ``params["certificates"]``. Raises CertfleetError for what concerns them all."""
    items = params["certificates"] or []
    prepared = run_batch(items, lambda spec: _prepare(spec, params["revoke_reason"]), concurrency=1)
    sound = any(not isinstance(found, CertfleetError) for found in prepared)
    session = _open(params) if sound else None

    def work(found: tuple[Any, int | None, dict[str, Any]] | CertfleetError) -> dict[str, Any]:
        if isinstance(found, CertfleetError) or session is None:
            raise found if isinstance(found, CertfleetError) else CertfleetError("there is no session with the CA")
        certificate, reason, known = found
        if session.account_uri is None:
            _check_owner(session, certificate)
        if check_mode:
            return {**known, "changed": True}
        done = revoke(session, certificate, reason)
        warnings = [f"{known['serial']}: {warning}" for warning in done.warnings]
        return {
            **known,
            "changed": done.changed,
            "already_revoked": done.before,
            "reason": done.reason,
            "warnings": warnings,
        }

    outcomes = run_batch(prepared, work, concurrency=params["concurrency"])
    results = []
    for spec, found, outcome in zip(items, prepared, outcomes):
        known = {**empty_revocation(spec), **({} if isinstance(found, CertfleetError) else found[2])}
        results.append({**known, **(outcome.as_result() if isinstance(outcome, CertfleetError) else outcome)})
    return results


def _prepare(spec: dict[str, Any], reason: Any) -> tuple[Any, int | None, dict[str, Any]]:
    """Certificate, reason and what results say of them. Raises CertfleetError."""
    own = spec.get("revoke_reason")
    code = reason_code(reason if own is None else own)
    text = spec.get("certificate_content")
    if text is None:
        path = spec["certificate_path"]
        try:
            with open(path, encoding="utf-8") as stream:
                text = stream.read()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not a text"
            raise CertfleetError(f"the certificate {path} cannot be read: {why}") from error
    certificate = load_chain(text)[0]
    facts = certificate_facts(certificate)
    return certificate, code, {"reason": code, **{key: facts[key] for key in ("serial", "issuer", "identifiers")}}


def _open(params: dict[str, Any]) -> Session:
    """A session that signs as the account, or with the certificate's own key. Raises CertfleetError."""
    if params["account_key_src"] is None and params["account_key_content"] is None:
        key = load_account_key(
            params["private_key_src"],
            params["private_key_content"],
            params["private_key_passphrase"],
            option="private_key",
        )
        return open_session(params, key)
    account, _made = account_key(params)
    session = open_session(params, account)
    use_account(session, params)
    return session


def _check_owner(session: Session, certificate: Any) -> None:
    own = public_key_sha256(session.signing_key.jwk.key.public_key())
    if public_key_sha256(certificate.public_key()) != own:
        raise CertfleetError(
            "the private key is not this certificate's",
            remedy="Give each certificate's own key, or revoke with the account key.",
        )
