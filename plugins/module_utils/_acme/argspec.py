# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of everything that talks to a CA; mirrored by the doc fragment certfleet.acme.acme."""

from __future__ import annotations

import re
from typing import Any

from .._errors import CertfleetError
from .._keys.account import KEY_TYPES, AccountKey, generate_account_key, load_account_key

DIRECTORY_ARGSPEC: dict[str, dict[str, Any]] = {
    "acme_directory": {"type": "str", "required": True},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "request_timeout": {"type": "int", "default": 30},
    "timeout": {"type": "int", "default": 300},
    "retry_after_max": {"type": "int"},
    "allowed_hosts": {"type": "list", "elements": "str"},
}
KEY_ARGSPEC: dict[str, dict[str, Any]] = {
    "account_key_src": {"type": "path"},
    "account_key_content": {"type": "str", "no_log": True},
    "account_key_passphrase": {"type": "str", "no_log": True},
    "account_uri": {"type": "str"},
}
CREATION_ARGSPEC: dict[str, dict[str, Any]] = {
    "contact": {"type": "list", "elements": "str"},
    "terms_agreed": {"type": "bool", "default": False},
    "allow_creation": {"type": "bool", "default": True},
    "external_account_binding": {
        "type": "dict",
        "options": {
            "kid": {"type": "str", "required": True},
            "key": {"type": "str", "required": True, "no_log": True},
            "alg": {"type": "str", "choices": ["HS256", "HS384", "HS512"], "default": "HS256"},
        },
    },
    "generate_account_key": {"type": "bool", "default": False},
    "account_key_type": {"type": "str", "choices": KEY_TYPES, "default": "ecdsa-p256"},
}
#: What a module of the action group takes that needs an account.
ACME_ARGSPEC: dict[str, dict[str, Any]] = {**DIRECTORY_ARGSPEC, **KEY_ARGSPEC, **CREATION_ARGSPEC}
#: RFC 4648 section 5; the padding may be there or not.
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+={0,2}")
KEY_RULES: dict[str, Any] = {
    "mutually_exclusive": [("account_key_src", "account_key_content")],
    "required_one_of": [("account_key_src", "account_key_content")],
}


def account_key(params: dict[str, Any], *, check_mode: bool = False) -> tuple[AccountKey | None, bool]:
    """The account key of the options, and whether it was made now (would be, in check mode: the key is None then).

    Raises CertfleetError; also for an external_account_binding that no CA can take, before anything is made or asked.
    """
    if params.get("external_account_binding"):
        check_binding(params["external_account_binding"])
    src, made = params.get("account_key_src"), False
    if params.get("generate_account_key"):
        if src is None:
            raise CertfleetError("generate_account_key has no place for the key", remedy="Set account_key_src.")
        if check_mode:
            try:
                return load_account_key(src, None, params.get("account_key_passphrase")), False
            except CertfleetError as error:
                if not isinstance(error.__cause__, FileNotFoundError):
                    raise
                return None, True
        made = generate_account_key(src, params["account_key_type"], params.get("account_key_passphrase"))
    key = load_account_key(src, params.get("account_key_content"), params.get("account_key_passphrase"))
    return key, made


def check_binding(binding: dict[str, Any]) -> None:
    """Raise CertfleetError when external_account_binding names no account, or its MAC key is not base64url."""
    if not binding["kid"].strip():
        raise CertfleetError("the kid of external_account_binding is empty", remedy="Copy it as the CA shows it.")
    key = binding["key"].strip()
    if not _BASE64URL.fullmatch(key) or len(key.rstrip("=")) % 4 == 1:
        raise CertfleetError(
            "the key of external_account_binding is not base64url",
            remedy="Copy it as the CA shows it: letters, digits, hyphen and underscore.",
        )
