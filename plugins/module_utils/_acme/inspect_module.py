# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module acme_inspect does: one signed request of the user's own, its answer shown as it came."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from .._errors import CertfleetError
from .._keys.account import load_account_key
from .._module import require
from . import _library as library
from .accounts import find_either
from .argspec import DIRECTORY_ARGSPEC, KEY_ARGSPEC
from .messages import Verbatim
from .problems import AcmeProblem
from .session import Session, open_session

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

INSPECT_MODULE_ARGSPEC: dict[str, dict[str, Any]] = {
    "method": {"type": "str", "choices": ["get", "post", "directory-only"], "default": "get"},
    "url": {"type": "str"},
    "content": {"type": "json"},
    "sign_as": {"type": "str", "choices": ["account", "key"], "default": "account"},
    "fail_on_acme_error": {"type": "bool", "default": True},
    "max_characters": {"type": "int", "default": 65536},
    **DIRECTORY_ARGSPEC,
    **KEY_ARGSPEC,
}
_KEYS = ["account_key_src", "account_key_content"]
INSPECT_MODULE_RULES: dict[str, Any] = {
    "mutually_exclusive": [_KEYS],
    "required_if": [
        ("method", "get", ["url"]),
        ("method", "get", _KEYS, True),
        ("method", "post", ["url", "content"]),
        ("method", "post", _KEYS, True),
    ],
}


def inspect(module: AnsibleModule) -> dict[str, Any]:
    """The result of acme_inspect for the module's options. Raises CertfleetError."""
    require(acme=library.IMPORT_ERROR)
    params = module.params
    method, payload, key = params["method"], None, None
    if params["max_characters"] < 1:
        raise CertfleetError(f"max_characters is {params['max_characters']}", remedy="Give 1 or more.")
    if method != "directory-only":
        payload = _payload(params["content"]) if method == "post" else None
        key = load_account_key(
            params["account_key_src"], params["account_key_content"], params["account_key_passphrase"]
        )
    session = open_session(params, key)
    result: dict[str, Any] = {"changed": False, "directory": session.directory}
    if key is None:
        return result
    url = _url(session, params["url"])
    result["url"] = url
    if method == "post" and module.check_mode:
        return {**result, "changed": True}
    result["account_uri"] = _sign(session, url, params)
    problem: AcmeProblem | None = None
    try:
        response = session.send(url, payload, doing=f"the request to {url}")
    except AcmeProblem as error:
        problem, response = error, error.answer
    result.update(_shown(response, params["max_characters"]), changed=method == "post" and problem is None)
    if problem is not None:
        result["problem"] = problem.problem
        if params["fail_on_acme_error"]:
            raise CertfleetError(problem.message, remedy=problem.remedy, **result) from problem
    return result


def _payload(content: str) -> Verbatim:
    """The request's payload. Raises CertfleetError when it is not a JSON object."""
    try:
        parsed = json.loads(content)
    except ValueError as error:
        raise CertfleetError(f"content is not JSON: {error}", remedy="Nothing was sent.") from error
    if not isinstance(parsed, dict):
        raise CertfleetError("content is not a JSON object", remedy="Nothing was sent.")
    return Verbatim(content)


def _url(session: Session, given: str) -> str:
    """The full address of a URL, a path on the CA's host, or the name of a resource of the directory."""
    named = session.directory.get(given)
    if isinstance(named, str):
        return named
    url = urljoin(session.directory_url, given)
    if urlsplit(url).scheme not in ("https", "http"):
        raise CertfleetError(
            f"{given} is no address of a web server", remedy="Give a URL, or the name of a resource of the directory."
        )
    return url


def _sign(session: Session, url: str, params: dict[str, Any]) -> str | None:
    """Choose what the request is signed as: the account's URL, or None for the key itself. Raises CertfleetError."""
    if params["sign_as"] == "key" or url == session.directory.get("newAccount"):
        return None  # newAccount knows no account yet (RFC 8555 section 6.2)
    uri: str | None = params["account_uri"]
    if uri is None:
        account = find_either(session, params)[0]
        if account is None:
            raise CertfleetError(
                f"the CA at {session.directory_url} has no account for this key",
                remedy="Create it with acme_account, or set sign_as to key.",
            )
        return account.uri
    session.bind(uri)
    return uri


def _shown(response: Any, most: int) -> dict[str, Any]:
    """An answer for the result: its body as text of ``most`` characters, and as JSON when it is that and no longer."""
    text = response.text
    parsed = None
    if len(text) <= most:
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            pass
    return {
        "status": response.status_code,
        "headers": {str(name).lower(): str(value) for name, value in response.headers.items()},
        "output_text": text[:most],
        "output_truncated": len(text) > most,
        "output_json": parsed,
    }
