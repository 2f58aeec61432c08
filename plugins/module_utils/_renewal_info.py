# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module acme_renewal_info: the decision about renewal for certificates that are given."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from . import _x509
from ._batch import finish, run_batch
from ._errors import CertfleetError
from ._module import require
from ._names import validate_identifiers
from ._renewal import Broken, Held, Wanted, decide, parse_instant, utc_now

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

_FACTS = ("serial", "not_before", "not_after", "issuer", "identifiers", "public_key_sha256", "key_type")


def main_work(module: AnsibleModule) -> dict[str, Any]:
    """A decision for each certificate."""
    require(cryptography=_x509.CRYPTOGRAPHY_IMPORT_ERROR)
    params = module.params
    items = params["certificates"]
    found = run_batch(items, partial(_decide, params["acme_directory"]), concurrency=params["concurrency"])
    results = []
    for item, outcome in zip(items, found):
        result = {"name": item["name"], **_EMPTY}
        result.update(outcome.as_result() if isinstance(outcome, CertfleetError) else outcome)
        results.append(result)
    finish(module, "certificates", results)


_EMPTY: dict[str, Any] = {
    "should_renew": None,
    "reasons": [],
    "remaining": None,
    "due_at": None,
    "cert_id": None,
    "supports_ari": None,
    **dict.fromkeys(_FACTS),
    "changed": False,
    "failed": False,
    "msg": "",
}


def _decide(acme_directory: str | None, item: dict[str, Any]) -> dict[str, Any]:
    held, facts = _held(item)
    declared = item["identifiers"] or facts.get("identifiers") or []
    wanted = Wanted(
        identifiers=tuple(validate_identifiers(declared)) if declared else (),
        key_type=item["key_type"],
        profile=item["profile"] if item["profile"] is not None else item["issued_profile"],
        acme_directory=acme_directory,
        renew_when_remaining=item["renew_when_remaining"],
        force=item["force"],
    )
    decision = decide(wanted, held, utc_now())
    return {
        **{name: facts.get(name) for name in _FACTS},
        "should_renew": decision.should_renew,
        "reasons": [reason.as_result() for reason in decision.reasons],
        "remaining": None if decision.remaining is None else round(decision.remaining, 4),
        "due_at": _x509.timestamp(decision.due_at) if decision.due_at else None,
        "cert_id": facts.get("ari_cert_id"),
        "msg": "; ".join(reason.text for reason in decision.reasons),
    }


def _held(item: dict[str, Any]) -> tuple[Held | Broken | None, dict[str, Any]]:
    """What is held, and the facts about it, empty when there is nothing or it cannot be read."""
    pem = item["certificate_content"]
    if pem is None and item["certificate_path"] is not None:
        try:
            with open(item["certificate_path"], encoding="ascii", errors="replace") as file:
                pem = file.read()
        except FileNotFoundError:
            return None, {}
        except OSError as error:
            raise CertfleetError(f"{item['certificate_path']}: {error.strerror}") from error
    if pem is None:
        return None, {}
    try:
        facts = _x509.certificate_facts(_x509.load_chain(pem)[0])
    except CertfleetError as error:
        return Broken(str(error)), {}
    held = Held(
        identifiers=tuple(facts["identifiers"]),
        key_type=facts["key_type"],
        not_before=parse_instant(facts["not_before"]),
        not_after=parse_instant(facts["not_after"]),
        profile=item["issued_profile"],
        profile_known=item["issued_profile"] is not None,
        acme_directory=item["issued_acme_directory"],
        renew_at=parse_instant(item["renew_at"]) if item["renew_at"] else None,
    )
    return held, facts
