# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each declared certificate needs, and the key and CSR for those that need a new one."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import _x509
from .._batch import finish, results_or_cause, run_batch
from .._errors import CertfleetError
from .._module import require
from .._renewal import Clock, Decision, Held, Reason, Wanted, decide, next_run, parse_instant, spread_of, utc_now
from . import adopt, keys, published, selinux, sharing
from ._library import CRYPTOGRAPHY_IMPORT_ERROR
from .argspec import SHARED
from .declared import Declared, names_once, parse
from .entry import PENDING_LIFETIME, Entry, Pending, Store, Version
from .extras import Extras
from .outputs import check_paths
from .renewal import Renewal
from .rollback import waiting

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


_FORCED_BEFORE = Reason("forced", "a new certificate was asked for by force and has not come yet")
#: Of how many requests that a newer one took the place of is noted that it did.
_MAX_INSTEAD_OF = 16


@dataclass(frozen=True)
class Settings:
    """The options that are the same for all certificates of a call. check: write nothing. now: a seam for tests.

    elsewhere: the certificates that all hosts of a shared one are to have, by name; see shared_elsewhere.
    """

    acme_directory: str | None
    renew: bool
    force: bool
    check: bool
    now: Clock = utc_now
    renewal: Renewal = field(default_factory=Renewal)
    next_run_in: datetime.timedelta = datetime.timedelta(0)
    elsewhere: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    spread: float = 0.0


@dataclass(frozen=True)
class Need:
    """needs: issue, install or nothing. version: what it was decided on, None when there is none."""

    needs: str
    reasons: tuple[Reason, ...] = ()
    version: Version | None = None


def main_work(module: AnsibleModule) -> dict[str, Any]:
    """The module certificate_request."""
    params = module.params

    def work() -> list[dict[str, Any]]:
        selinux.leave_alone(module._selinux_special_fs)
        return _request_all(params, check=module.check_mode)

    results = results_or_cause(module, params["certificates"], work, _empty)
    diffs = [_diff(result) for result in results if result["changed"]] if module._diff else None
    told = {name: params[name] for name in ("acme_directory", "store_path")}
    finish(module, "certificates", results, diffs=diffs, **told)


def _request_all(params: dict[str, Any], *, check: bool) -> list[dict[str, Any]]:
    """A result for each declared certificate. Raises CertfleetError for what concerns them all."""
    require(cryptography=CRYPTOGRAPHY_IMPORT_ERROR)
    settings = Settings(
        acme_directory=params["acme_directory"],
        renew=params["renew"],
        force=params["force"],
        check=check,
        renewal=Renewal.of(params["renewal_info"], params["renewal_info_answers"]),
        next_run_in=next_run(params["next_run_in"]),
        elsewhere={item["name"]: item for item in params["shared_elsewhere"] or []},
        spread=spread_of(params["renewal_spread"]),
    )
    items = params["certificates"]
    names_once(items)
    check_paths(items, params["store_path"])
    with Store(params["store_path"], create=bool(items) and not settings.check) as store:
        found = run_batch(items, partial(request_one, store, settings), concurrency=params["concurrency"])
    return [
        {**_empty(item), **result.as_result()} if isinstance(result, CertfleetError) else result
        for item, result in zip(items, found)
    ]


def request_one(store: Store, settings: Settings, item: dict[str, Any]) -> dict[str, Any]:
    """The result for one declared certificate. Raises CertfleetError."""
    declared = parse(item)
    entry = store.entry(declared.name, declared.ownership, create=False)
    changed = False
    if entry is None:
        if settings.check:
            need = _taken_over(need_of(None, declared, settings), None, declared, settings)
            return _result(declared, need, None, None, changed=True)
        entry = store.entry(declared.name, declared.ownership, create=True)
        if entry is None:
            raise CertfleetError(f"the store {store.path} is gone")
        changed = True
    with entry:
        entry.lock()
        if not settings.check:
            entry.sweep()
        corrected = entry.correct_modes(dry=settings.check)
        changed |= corrected
        missing = need_of(entry, declared, settings)
        need = _taken_over(missing, entry, declared, settings)
        changed |= need is not missing and need.needs == "install"
        if need.needs != "issue" and _abandoned(entry, settings.now()):
            changed = True
            if not settings.check:
                entry.drop_pending()
        changed |= settings.renewal.keep(entry, need.version, dry=settings.check)
        sharing.note_location(entry, declared, need.version, dry=settings.check)
        current = entry.current()
        active = entry.load(current) if current else None
        pending = None
        if need.needs == "issue":
            pending, made = _request(entry, declared, settings)
            changed |= made
        recipient = None
        if declared.shared and pending is not None:
            recipient = sharing.recipient(entry, create=not settings.check)
        result = {
            **_result(declared, need, active, pending, changed=changed),
            "corrected": corrected,
            "recipient": recipient,
        }
        if declared.shared:
            result["withdrawn"] = sharing.withdrawn(entry)
        result["replaces"] = _replaces(entry, declared.wanted(settings.acme_directory)) if pending or active else None
        if need.needs != "issue" and need.version is not None and settings.renew:
            # Of what a newer one has taken the place of, nothing is asked (RFC 9773 section 4.3).
            newest = need.version.label == entry.labels()[-1]
            question = settings.renewal.question(need.version, settings.acme_directory, settings.now())
            result["renewal_info"] = question if newest else None
        return result


def need_of(entry: Entry | None, declared: Declared, settings: Settings) -> Need:
    """What the certificate needs. What was asked for by force comes first, until it has come."""
    need = _need_of_versions(entry, declared, settings)
    other = settings.elsewhere.get(declared.name) if declared.shared else None
    here = need.version if need.needs != "issue" else None
    if other is not None and here is not None and here.facts.get("serial") != other["serial"]:
        which = f", serial {other['serial']}" if other["serial"] else ""
        text = f"all its hosts are to serve the certificate of {other['host']}{which}"
        need = Need("issue", (Reason("shared_elsewhere", text),), here)
    if entry is None or not _forced_before(entry) or any(reason.code == "forced" for reason in need.reasons):
        return need
    others = need.reasons if need.needs == "issue" else ()
    return Need("issue", (_FORCED_BEFORE, *others), need.version)


def _taken_over(need: Need, entry: Entry | None, declared: Declared, settings: Settings) -> Need:
    """The need of a certificate that is missing in the store, after a look where it may be on the host already.

    What is good there becomes the first version, but not in check mode. What is not is issued, and the need says why.
    """
    if declared.adopt is None or [reason.code for reason in need.reasons] != ["missing"]:
        return need
    try:
        find = adopt.look(declared.adopt, declared.ownership.uid)
        wanted = declared.wanted(settings.acme_directory)
        against = decide(wanted, find.held(), settings.now(), renew=settings.renew, next_run_in=settings.next_run_in)
        if against.should_renew:
            raise adopt.refusal(find, declared.key_type, against.reasons)
    except CertfleetError as error:
        text = f"{need.reasons[0].text}; not adopted: {error}"
        return Need("issue", (Reason("missing", text),), need.version)
    version = None if entry is None or settings.check else adopt.stage(entry, find, settings.now())
    return Need("install", (find.reason(),), version)


def _need_of_versions(entry: Entry | None, declared: Declared, settings: Settings) -> Need:
    """A version that waits to be activated comes first, when it is as declared."""
    wanted = declared.wanted(settings.acme_directory, force=settings.force)
    if entry is None:
        return Need("issue", decide(wanted, None, settings.now(), renew=settings.renew).reasons)
    current = entry.current()
    staged = waiting(entry, current)
    if staged is not None:
        decision = _decide(wanted, staged, settings)
        if not decision.should_renew:
            text = f"version {staged.label} (serial {staged.facts['serial']}) waits to be activated"
            reason = adopt.reason_of(staged) or Reason("pending_install", text)
            return Need("install", (reason,), staged)
        if current is None:
            return Need("issue", decision.reasons, staged)
    active = entry.load(current) if current else None
    decision = _decide(wanted, active, settings)
    if active is not None and not declared.shared and active.meta.get("key_location") == SHARED:
        reason = Reason("key_location_changed", "its key is that of other hosts too, one of its own is declared")
        decision = replace(decision, reasons=(*decision.reasons, reason))
    if decision.should_renew:
        return Need("issue", decision.reasons, active)
    if active is None:
        return Need("nothing")
    reasons = Extras(entry, declared).reasons(active)
    if declared.deploy and active.deployed_digest != declared.deploy.digest():
        text = f"it is not proven that the service serves version {active.label}, deployed as declared now"
        reasons += (Reason("not_deployed", text),)
    lacking = published.lacking(entry, active, declared.publish)
    if lacking:
        text = f"version {active.label} is not published to {', '.join(target.title for target in lacking)}"
        reasons += (Reason("not_published", text),)
    return Need("install" if reasons else "nothing", reasons, active)


def _decide(wanted: Wanted, version: Version | None, settings: Settings) -> Decision:
    held = settings.renewal.held(version) if version else None
    return decide(
        wanted, held, settings.now(), renew=settings.renew, next_run_in=settings.next_run_in, spread=settings.spread
    )


def _request(entry: Entry, declared: Declared, settings: Settings) -> tuple[Pending | None, bool]:
    """The request to send to the CA, and whether it had to be made; None for one that check mode does not make."""
    forced = declared.force or settings.force
    note = {
        "identifiers": list(declared.identifiers),
        "key_type": declared.key_type,
        "profile": declared.profile,
        "forced": forced or _forced_before(entry),
    }
    pending = entry.pending()
    instead_of = list((pending.request.get("instead_of") if pending else None) or [])
    if pending is not None and not _reusable(entry, pending, declared, settings.now(), forced=forced):
        # A run that has sent this one to the CA is on its way, perhaps.
        instead_of = [*instead_of, pending.public_key_sha256][-_MAX_INSTEAD_OF:]
        pending = None
    if instead_of:
        note["instead_of"] = instead_of
    if pending is None:
        if settings.check:
            return None, True
        note["created_at"] = _x509.timestamp(settings.now())
        return entry.write_pending(keys.generate(declared.key_type), declared.identifiers, note), True
    note["created_at"] = pending.request.get("created_at")
    note["forced"] = pending.request.get("forced", False)
    if note == pending.request:
        return pending, False
    if not settings.check:
        entry.note_request(note)
    return pending, True


def _forced_before(entry: Entry) -> bool:
    """Whether a certificate was asked for by force that has not come, perhaps by a run that failed."""
    if not (entry.request_noted() or {}).get("forced"):
        return False
    pending = entry.pending()
    return pending is None or not _answered(entry, pending)


def _abandoned(entry: Entry, now: datetime.datetime) -> bool:
    """Whether a request lies there that is too old for anything still to come of it."""
    noted = entry.request_noted()
    return noted is not None and _too_old(noted, now)


def _too_old(request: dict[str, Any], now: datetime.datetime) -> bool:
    try:
        return now - parse_instant(str(request.get("created_at"))) > PENDING_LIFETIME
    except CertfleetError:
        return True


def _answered(entry: Entry, pending: Pending) -> bool:
    """Whether a version has this request's key already, or came in its place: a run ended before it dropped it."""
    labels = entry.labels()
    newest = entry.load(labels[-1]) if labels else Version("")
    return pending.public_key_sha256 in [
        newest.facts.get("public_key_sha256"),
        *(newest.meta.get("instead_of") or []),
    ]


def _reusable(entry: Entry, pending: Pending, declared: Declared, now: datetime.datetime, *, forced: bool) -> bool:
    """Whether an unfinished request is gone on with, key and all.

    Not when what is declared has changed, when its key is in a version already, when it is old, and not when a new
    certificate is asked for by force and this request is an ordinary one: whoever forces may distrust every key
    made before.
    """
    if set(pending.identifiers) != set(declared.identifiers) or pending.key_type != declared.key_type:
        return False
    if forced and not pending.request.get("forced"):
        return False
    return not _too_old(pending.request, now) and not _answered(entry, pending)


def _replaces(entry: Entry, wanted: Wanted) -> str | None:
    """Identifier of the certificate that a new one would replace (RFC 9773 section 5): the newest of the same CA
    that shares a name with it, since each certificate may be replaced once only."""
    labels = entry.labels()
    version = entry.load(labels[-1]) if labels else None
    held = version.held() if version else None
    if version is None or not isinstance(held, Held) or not set(held.identifiers) & set(wanted.identifiers):
        return None
    if any(reason.code == "ca_changed" for reason in decide(wanted, held, held.not_before).reasons):
        return None
    return version.facts["ari_cert_id"]


def version_result(version: Version | None) -> dict[str, Any] | None:
    """What results say of a version; None when there is none."""
    if version is None:
        return None
    fields = ("acme_directory", "account_uri", "order_uri", "certificate_url", "profile", "requested_profile")
    return {
        **version.facts,
        **{name: version.meta.get(name) for name in (*fields, "adopted_from")},
        "version": version.label,
        "broken": version.broken or None,
        "deployed_at": (version.meta.get("deployed") or {}).get("at"),
    }


def _empty(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": item["name"],
        "identifiers": item["identifiers"],
        "key_type": item["key_type"],
        "profile": item["profile"],
        "key_location": item.get("key_location") or "host",
        "needs": "nothing",
        "reasons": [],
        "csr_content": None,
        "public_key_sha256": None,
        "recipient": None,
        "current": None,
        "held": None,
        "withdrawn": [],
        "replaces": None,
        "renewal_info": None,
        "publish": bool(item.get("publish")),
        "corrected": False,
        "changed": False,
        "failed": False,
        "msg": "",
    }


def _result(
    declared: Declared, need: Need, active: Version | None, pending: Pending | None, *, changed: bool
) -> dict[str, Any]:
    return {
        **_empty(
            {
                "name": declared.name,
                "identifiers": list(declared.identifiers),
                "key_type": declared.key_type,
                "profile": declared.profile,
                "key_location": SHARED if declared.shared else "host",
                "publish": declared.publish,
            }
        ),
        "needs": need.needs,
        "reasons": [reason.as_result() for reason in need.reasons],
        "csr_content": pending.csr_pem if pending else None,
        "public_key_sha256": pending.public_key_sha256 if pending else None,
        "current": version_result(active),
        "held": sharing.held(need.version) if declared.shared else None,
        "changed": changed,
        "msg": f"{need.needs}: {'; '.join(reason.text for reason in need.reasons)}" if need.reasons else need.needs,
    }


def _diff(result: dict[str, Any]) -> dict[str, Any]:
    """Dates, names and reasons of one result; never a key."""
    current = result["current"] or {}
    lines = [f"{name}: {current[name]}" for name in ("version", "serial", "not_after", "key_type") if current.get(name)]
    names = ", ".join(current.get("identifiers") or [])
    before = [*lines, f"identifiers: {names}"] if current else ["no certificate"]
    after = list(before)
    if result["needs"] == "issue":
        after.append(f"request: {result['key_type']} for {', '.join(result['identifiers'])}")
    after += [f"reason: {reason['text']}" for reason in result["reasons"]]
    return {
        "before_header": result["name"],
        "after_header": result["name"],
        "before": "\n".join(before) + "\n",
        "after": "\n".join(after) + "\n",
    }
