# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module acme_caa_info does: say for each name whether CAA lets a CA issue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._acme import _library as library
from .._acme.accounts import check_uri, find_account
from .._acme.argspec import DIRECTORY_ARGSPEC, KEY_ARGSPEC, account_key
from .._acme.session import Session, open_session
from .._errors import CertfleetError
from .._module import require, run
from .._names import validate_identifiers
from .argspec import CAA_ARGSPEC
from .policy import Applicant
from .preflight import Finding, examine, identities

if TYPE_CHECKING:
    from typing import NoReturn

    from ansible.module_utils.basic import AnsibleModule

CAA_INFO_ARGSPEC: dict[str, dict[str, Any]] = {
    **DIRECTORY_ARGSPEC,
    **KEY_ARGSPEC,
    "identifiers": {"type": "list", "elements": "str", "required": True},
    "caa_identities": CAA_ARGSPEC["caa_identities"],
    "validation_method": {"type": "str", "default": "dns-01"},
    "dns_resolvers": {"type": "list", "elements": "str", "default": []},
}
CAA_INFO_RULES: dict[str, Any] = {"mutually_exclusive": [("account_key_src", "account_key_content")]}


def run_caa_info(module: AnsibleModule) -> NoReturn:
    """The module acme_caa_info."""
    run(module, lambda module: caa_info(module.params))


def caa_info(params: dict[str, Any]) -> dict[str, Any]:
    """What the module returns. Creates nothing. Raises CertfleetError, MissingLibrary."""
    require(acme=library.IMPORT_ERROR)
    names = validate_identifiers(params["identifiers"])
    session = _session(params)
    applicant = Applicant(
        params["caa_identities"] or identities(session.meta),
        session.account_uri or params["account_uri"],
        params["validation_method"],
    )
    findings = examine(names, applicant, params["dns_resolvers"])
    return {
        "changed": False,
        "caa_identities": list(applicant.identities),
        "account_uri": applicant.account_uri,
        "identifiers": [_shown(findings[name]) for name in names if name in findings],
        "forbidden": [name for name in names if name in findings and findings[name].verdict.allowed is False],
    }


def _session(params: dict[str, Any]) -> Session:
    """A session, bound to the account when there is a key and the CA knows it."""
    if not (params["account_key_src"] or params["account_key_content"]):
        return open_session(params, None)
    session = open_session(params, account_key(params)[0])
    account = find_account(session)
    if account is None:
        raise CertfleetError(
            f"the CA at {params['acme_directory']} has no account for this key",
            remedy="Leave the key out to check without an account.",
        )
    check_uri(account, params["account_uri"])
    return session


def _shown(finding: Finding) -> dict[str, Any]:
    return {
        "identifier": finding.identifier,
        "allowed": finding.verdict.allowed,
        "msg": finding.text,
        "where": finding.where or None,
        "records": [str(entry) for entry in finding.properties],
    }
