# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module acme_renewal_info: the decision about renewal for certificates that are given."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from . import _x509
from ._acme import _library as library
from ._acme.renewal import Question, ask
from ._batch import finish, results_or_cause
from ._errors import CertfleetError
from ._module import require
from ._names import validate_identifiers
from ._renewal import Broken, Decision, Held, Wanted, decide, next_run, parse_instant, same_ca, spread_of, utc_now
from ._renewal_state import RenewalState

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

_FACTS = ("serial", "not_before", "not_after", "issuer", "identifiers", "public_key_sha256", "key_type")


@dataclass
class _Item:
    """One certificate on its way: what is declared and held, what is decided, what the CA says."""

    spec: dict[str, Any]
    wanted: Wanted
    held: Held | Broken | None
    facts: dict[str, Any]
    spread: float
    state: RenewalState = field(default_factory=RenewalState)
    asked: bool = False

    def decide(self, now: datetime.datetime, next_run_in: datetime.timedelta) -> Decision:
        held = self.held
        if isinstance(held, Held) and self.state.renew_at is not None:
            held = replace(held, renew_at=self.state.renew_at, explanation_url=self.state.explanation_url)
        return decide(self.wanted, held, now, next_run_in=next_run_in, spread=self.spread)


def main_work(module: AnsibleModule) -> dict[str, Any]:
    """A decision for each certificate."""
    results = results_or_cause(module, module.params["certificates"] or [], lambda: decide_all(module.params), _empty)
    for warning in fallbacks(results):
        module.warn(warning)
    finish(module, "certificates", results)


def decide_all(params: dict[str, Any]) -> list[dict[str, Any]]:
    """A result for each of ``params["certificates"]``. Raises CertfleetError for what concerns them all."""
    require(cryptography=_x509.CRYPTOGRAPHY_IMPORT_ERROR)
    next_run_in = next_run(params["next_run_in"])
    if params["renewal_info_timeout"] < 1:
        raise CertfleetError(f"renewal_info_timeout is {params['renewal_info_timeout']}", remedy="Give 1 s or more.")
    now = utc_now()
    spread = spread_of(params["renewal_spread"])
    items = [_read(spec, params["acme_directory"], spread) for spec in params["certificates"] or []]
    sound = [item for item in items if isinstance(item, _Item)]
    asked = [item for item in sound if _to_be_asked(item, params, now, next_run_in)]
    if asked:
        _ask(asked, params)
    return [
        {**_empty(spec), **(_result(item, now, next_run_in) if isinstance(item, _Item) else item.as_result())}
        for spec, item in zip(params["certificates"] or [], items)
    ]


def fallbacks(results: Sequence[dict[str, Any]]) -> list[str]:
    """One line for each cause for which the CA's renewal information could not be had."""
    names: dict[str, list[str]] = {}
    for result in results:
        error = (result["renewal_info"] or {}).get("error")
        if result["asked"] and error:
            names.setdefault(error, []).append(str(result["name"]))
    lines = []
    for error, of in names.items():
        shown = ", ".join(of[:5]) + (f" and {len(of) - 5} more" if len(of) > 5 else "")
        lines.append(f"no renewal information for {shown}, decided by what is known and the lifetime: {error}")
    return lines


def _empty(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": spec["name"],
        "host": spec["host"],
        "should_renew": None,
        "reasons": [],
        "remaining": None,
        "due_at": None,
        "cert_id": None,
        "supports_ari": None,
        "asked": False,
        "renewal_info": None,
        **dict.fromkeys(_FACTS),
        "changed": False,
        "failed": False,
        "msg": "",
    }


def _read(spec: dict[str, Any], acme_directory: str | None, spread: float) -> _Item | CertfleetError:
    try:
        held, facts = _held(spec)
        declared = spec["identifiers"] or facts.get("identifiers") or []
        wanted = Wanted(
            identifiers=tuple(validate_identifiers(declared)) if declared else (),
            key_type=spec["key_type"],
            profile=spec["profile"] if spec["profile"] is not None else spec["issued_profile"],
            acme_directory=acme_directory,
            renew_when_remaining=spec["renew_when_remaining"],
            force=spec["force"],
        )
    except CertfleetError as error:
        return error
    return _Item(spec, wanted, held, facts, spread, RenewalState.read(spec["renewal_info"]))


def _to_be_asked(item: _Item, params: dict[str, Any], now: datetime.datetime, next_run_in: datetime.timedelta) -> bool:
    """Whether the CA can know it, the answer may change the decision, and it is time (RFC 9773 section 4.3).

    Whoever asks for ``now`` knows better than what is declared here.
    """
    directory, mode, held = params["acme_directory"], params["renewal_info"], item.held
    issuer = item.spec["issued_acme_directory"]
    if mode == "never":
        item.state = RenewalState()
        return False
    if directory is None or not isinstance(held, Held) or item.facts.get("ari_cert_id") is None:
        return False
    if (issuer is not None and not same_ca(issuer, directory)) or now >= held.not_after:
        return False
    if mode == "now":
        return True
    lifetime = held.not_after - held.not_before
    time = item.state.to_be_asked(now, issued=held.not_before, lifetime=lifetime)
    return time and not item.decide(now, next_run_in).should_renew


def _ask(items: Sequence[_Item], params: dict[str, Any]) -> None:
    require(acme=library.IMPORT_ERROR)
    questions = [Question(item.facts["ari_cert_id"], item.state) for item in items]
    for item, state in zip(items, ask(params, questions)):
        item.state, item.asked = state, True


def _result(item: _Item, now: datetime.datetime, next_run_in: datetime.timedelta) -> dict[str, Any]:
    decision = item.decide(now, next_run_in)
    return {
        **{name: item.facts.get(name) for name in _FACTS},
        "should_renew": decision.should_renew,
        "reasons": [reason.as_result() for reason in decision.reasons],
        "remaining": None if decision.remaining is None else round(decision.remaining, 4),
        "due_at": _x509.timestamp(decision.due_at) if decision.due_at else None,
        "cert_id": item.facts.get("ari_cert_id"),
        "supports_ari": item.state.supported,
        "asked": item.asked,
        "renewal_info": None if item.state == RenewalState() else item.state.as_result(),
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
        fingerprint_sha256=facts["fingerprint_sha256"],
    )
    return held, facts
