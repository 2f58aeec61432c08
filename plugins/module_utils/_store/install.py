# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chains in: put beside their key, activated, deployed and proven, or left staged."""

from __future__ import annotations

import datetime
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import _x509
from .._batch import finish, results_or_cause
from .._errors import CertfleetError
from .._module import require
from .._renewal import Held
from . import selinux, sharing
from ._library import CRYPTOGRAPHY_IMPORT_ERROR
from .argspec import SHARED
from .declared import Declared, names_once, parse
from .entry import LOCK_TIMEOUT, Entry, Store, Version
from .extras import Extras
from .files import Step, no_step
from .outputs import check_paths, declared_paths
from .rollback import aim_back, asked_versions, refusal, waiting, withdraw
from .transaction import Transaction, Work, result

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

#: What an issued item tells and certificate.json keeps.
_KEPT = ("acme_directory", "account_uri", "order_uri", "certificate_url", "profile")


@dataclass(frozen=True)
class Settings:
    """activate: False stops when all is staged. keep: versions of each certificate. check: write nothing.

    back: go back to the version before, for all. versions: labels to activate, by certificate. step: a seam for tests.
    """

    activate: bool
    keep: int
    check: bool
    transaction: Transaction
    step: Step = no_step
    back: bool = False
    versions: dict[str, str] = field(default_factory=dict)


def main_work(module: AnsibleModule) -> dict[str, Any]:
    """The module certificate_install."""
    params = module.params

    def work() -> list[dict[str, Any]]:
        require(cryptography=CRYPTOGRAPHY_IMPORT_ERROR)
        selinux.leave_alone(module._selinux_special_fs)
        if params["keep_versions"] < 1:
            raise CertfleetError(f"keep_versions is {params['keep_versions']}", remedy="Give 1 or more.")
        if params["issued"] and params["state"] == "rolled_back":
            raise CertfleetError("nothing is installed while rolling back", remedy="Leave issued out.")
        if params["versions"] and params["state"] == "staged":
            raise CertfleetError("nothing is activated when state is staged", remedy="Leave versions out.")
        settings = Settings(
            activate=params["state"] != "staged",
            back=params["state"] == "rolled_back",
            versions=asked_versions(params["versions"], [item["name"] for item in params["certificates"]]),
            keep=params["keep_versions"],
            check=module.check_mode,
            transaction=Transaction(concurrency=params["concurrency"]),
        )
        return install(params["store_path"], params["certificates"], params["issued"] or [], settings)

    results = results_or_cause(module, params["certificates"], work, _empty)
    diffs = [_diff(item) for item in results if item["changed"]] if module._diff else None
    finish(module, "certificates", results, diffs=diffs)


def install(
    store_path: str, certificates: list[dict[str, Any]], issued: list[dict[str, Any]], settings: Settings
) -> list[dict[str, Any]]:
    """A result for each declared certificate, then one for each issued item that no declared one has the name of."""
    names_once(certificates)
    check_paths(certificates, store_path)
    taken = declared_paths(certificates)
    issued_by_name = _by_name(issued)
    results: dict[str, dict[str, Any]] = {}
    works: list[Work] = []
    until = time.monotonic() + LOCK_TIMEOUT  # for all locks together, however many another run has
    with Store(store_path, create=False, step=settings.step) as store, ExitStack() as entries:
        # Locks are taken in one order by all, so that no two runs wait for each other.
        for item in sorted(certificates, key=lambda item: str(item["name"])):
            try:
                work = Work(parse(item))
                _open(work, store, entries, settings, taken, until)
                _stage(work, issued_by_name.get(item["name"]), settings)
                if settings.activate:
                    _aim(work, settings)
                _complete(work, settings)
                if settings.activate:
                    withdraw(work, settings.transaction.now(), dry=settings.check)
                works.append(work)
            except CertfleetError as error:
                results[item["name"]] = {**_empty(item), **error.as_result()}
        if settings.activate and not settings.check:
            settings.transaction.run(works)
        for work in works:
            if settings.activate:
                _prune(work, settings)
                _conclude(work, settings)
            results[work.declared.name] = result(work)
    undeclared = [name for name in issued_by_name if name not in results]
    for name in undeclared:
        stray = CertfleetError(f"a certificate came for {name}, which is not declared for this host")
        results[name] = {**_empty({"name": name}), **stray.as_result()}
    return [results[name] for name in [*(item["name"] for item in certificates), *undeclared]]


def _empty(item: dict[str, Any]) -> dict[str, Any]:
    """The result of a certificate that nothing was done for."""
    return {
        "name": item["name"],
        "changed": False,
        "failed": False,
        "msg": "",
        "stage": "nothing",
        "version": None,
        "serial": None,
        "not_after": None,
        "previous_version": None,
        "previous_serial": None,
        "path": None,
        "active": False,
        "deployed": False,
        "proven": False,
        "rolled_back": False,
        "withdrawn": [],
        "files": [],
        "publish": bool(item.get("publish")),
    }


def _by_name(issued: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for item in issued:
        name = item.get("name")
        if not name or not isinstance(name, str):
            raise CertfleetError("an entry of issued has no name", remedy="Pass the results of acme_certificate as is.")
        if name in found:
            raise CertfleetError(f"issued has two entries for {name}", remedy="Pass the entries of this host only.")
        found[name] = item
    return found


def _open(
    work: Work, store: Store, entries: ExitStack, settings: Settings, taken: frozenset[str], until: float
) -> None:
    """until: by time.monotonic()."""
    work.entry = entry = store.entry(work.declared.name, work.declared.ownership, create=False)
    if entry is None:
        return
    entries.callback(entry.close)
    work.extras = Extras(entry, work.declared, step=settings.step, taken=taken)
    entry.lock(max(0.0, until - time.monotonic()))
    if not settings.check:
        entry.sweep()
    work.changed = entry.correct_modes(dry=settings.check)
    work.previous = entry.current()
    if work.previous is not None:
        work.target = entry.load(work.previous)
        work.previous_serial = work.target.facts.get("serial")


def _stage(work: Work, item: dict[str, Any] | None, settings: Settings) -> None:
    """Put the chain that came beside its key. What is wrong with it is the failure of this certificate."""
    if item is None:
        return
    if item.get("failed"):
        work.fail("issue", item.get("msg") or "it was not issued")
        return
    chain_pem = item.get("fullchain") or f"{item.get('certificate') or ''}\n{item.get('chain') or ''}"
    if not isinstance(chain_pem, str):
        work.fail("stage", "what came as its certificate is no text")
        return
    if not _x509.split_pem(chain_pem):
        if settings.check:
            work.changed, work.stage = True, "staged"  # the CA was not asked, because of check mode
        else:
            work.fail("stage", "no certificate came for it")
        return
    try:
        work.target = _staged(work, item, chain_pem, settings) or work.target
    except CertfleetError as error:
        work.fail("stage", error)


def _staged(work: Work, item: dict[str, Any], chain_pem: str, settings: Settings) -> Version | None:
    """The version that holds this chain, made when there is none; None in check mode when it would have to be made."""
    entry, declared = work.entry, work.declared
    leaf = _x509.certificate_facts(_x509.load_chain(chain_pem)[0])
    known = _known(entry, leaf, declared, settings.transaction.now()) if entry else None
    if known is not None:
        if known.withdrawn and settings.versions.get(declared.name) != known.label:
            raise CertfleetError(
                f"it came as version {known.label} before, which was withdrawn here",
                remedy="Go back on all its hosts, or name it in versions.",
            )
        work.stage = "staged"
        return known
    pending = entry.pending() if entry else None
    if entry is None or pending is None:
        raise CertfleetError(
            "this host has no request that the certificate could answer", remedy="Run certificate_request first."
        )
    if leaf["public_key_sha256"] in (pending.request.get("instead_of") or []):
        raise CertfleetError(
            "another run has asked for it anew meanwhile, with a new key, so the key of this certificate is gone",
            remedy="The other run installs its own certificate; should it fail, run again.",
        )
    instead_of = list(pending.request.get("instead_of") or [])
    other_key = None
    if item.get("shared_from"):
        other_key = _shared_key(entry, declared, item, chain_pem, leaf)
        instead_of.append(pending.public_key_sha256)
    else:
        _x509.check_chain_for_csr(chain_pem, pending.csr_pem)
        _x509.check_chain(chain_pem, public_key=pending.public_key_sha256, names=list(declared.identifiers))
    now = _x509.timestamp(settings.transaction.now())
    if leaf["not_after"] <= now:
        raise CertfleetError(f"the certificate expired at {leaf['not_after']}", remedy="Request it anew.")
    work.changed, work.stage = True, "staged"
    if settings.check:
        return None
    meta = {name: item.get(name) for name in _KEPT}
    meta.update(
        identifiers=list(declared.identifiers),
        key_type=declared.key_type,
        requested_profile=pending.request.get("profile"),
        instead_of=list(dict.fromkeys([*instead_of, *(item.get("answers") or [])])),
        key_location=SHARED if declared.shared else "host",
        serial=leaf["serial"],
        not_after=leaf["not_after"],
        staged_at=now,
    )
    return entry.load(entry.stage(chain_pem, meta, key_pem=other_key))


def _shared_key(
    entry: Entry, declared: Declared, item: dict[str, Any], chain_pem: str, leaf: dict[str, Any]
) -> bytes | None:
    """The key in PEM of a certificate that another host had requested, and that is as it is declared here."""
    if not declared.shared:
        raise CertfleetError(f"a certificate of {item['shared_from']} came, but it is not declared here as shared")
    if leaf["key_type"] != declared.key_type:
        raise CertfleetError(f"the certificate has a key of type {leaf['key_type']}, not {declared.key_type}")
    _x509.check_chain(chain_pem, public_key=leaf["public_key_sha256"], names=list(declared.identifiers))
    if not item.get("sealed_key"):
        raise CertfleetError(
            f"its key is on {item['shared_from']} and has not come from there",
            remedy="Let certificate_share seal it for this host, as the role issue does.",
        )
    return sharing.opened(entry, leaf["public_key_sha256"], item["sealed_key"])


def _known(entry: Entry, leaf: dict[str, Any], declared: Declared, now: datetime.datetime) -> Version | None:
    """The version that holds this certificate, or what another run has made of its request meanwhile.

    Two runs may send one request to the CA, and the CA answers each. Or the other run made a request instead of this
    one, which its version notes. In both cases the host has got what was asked for, unless that is not as declared:
    CertfleetError then.
    """
    versions = [version for version in map(entry.load, reversed(entry.labels())) if not version.broken]
    for version in versions:
        if version.facts["fingerprint_sha256"] == leaf["fingerprint_sha256"]:
            return version
    for version in versions:
        answered = [version.facts["public_key_sha256"], *(version.meta.get("instead_of") or [])]
        if leaf["public_key_sha256"] in answered:
            problem = _unfit(version, declared, now)
            if problem:
                raise CertfleetError(f"another run has installed version {version.label} meanwhile, but {problem}")
            return version
    return None


def _aim(work: Work, settings: Settings) -> None:
    """Choose what is to be active: what is asked for by name or by going back; else the newest version, when it is
    newer than the active one, whole and as declared."""
    entry, asked = work.entry, settings.versions.get(work.declared.name)
    if asked is not None or settings.back:
        aim_back(work, asked, settings.transaction.now())
        return
    if entry is None:
        return
    newest = waiting(entry, work.previous)
    if newest is not None:
        problem = _unfit(newest, work.declared, settings.transaction.now())
        if not problem:
            work.target = newest
            return
        if work.previous is None:
            work.target = None
            work.fail("activate", problem)
            return
    work.target = entry.load(work.previous) if work.previous else None
    if work.target is not None and work.target.broken:
        work.fail("activate", f"the active version {work.target.label} cannot be used: {work.target.broken}")
        work.target = None


def _complete(work: Work, settings: Settings) -> None:
    """Make the other formats of a version that is not active yet. In check mode: what the active one lacks, too."""
    wanted = work.needs_switch() or (settings.check and settings.activate)
    if work.extras is None or work.target is None or not wanted:
        return
    try:
        work.files += work.extras.prepare(work.target, dry=settings.check)
        work.changed |= bool(work.files)
    except CertfleetError as error:
        work.fail("files", error)
        work.target = None


def _unfit(version: Version, declared: Declared, now: datetime.datetime) -> str:
    """Why a staged version is not to be activated; empty when it is."""
    held = version.held()
    if not isinstance(held, Held):
        return held.why
    if set(held.identifiers) != set(declared.identifiers) or held.key_type != declared.key_type:
        return f"version {version.label} is not as declared: {held.key_type} for {', '.join(held.identifiers)}"
    if held.not_after <= now:
        return f"version {version.label} expired at {version.facts['not_after']}"
    return refusal(version)


def _prune(work: Work, settings: Settings) -> None:
    """Old versions go when nothing failed; what is active, what was active before and what is newer stay. So does the
    one before that is not withdrawn, and everything while going back."""
    if work.entry is None or work.errors or settings.back:
        return
    try:
        current = work.entry.current()
        labels = work.entry.labels()
        if current is None or current not in labels:
            return
        before = max(0, labels.index(current) - 1)
        spare = {*labels[before:], *([work.previous] if work.previous else [])}
        gone = work.entry.expendable(settings.keep, spare)
        while gone and before and work.entry.load(labels[before]).withdrawn:
            before -= 1
            gone = [label for label in gone if label != labels[before]]
        if gone:
            work.changed = True
            if not settings.check:
                work.entry.prune(gone)
    except CertfleetError as error:
        work.fail("prune", error)


def _conclude(work: Work, settings: Settings) -> None:
    """What check mode would have done, and the stage of what was left alone."""
    if settings.check and (work.needs_switch() or work.needs_deploy()):
        work.changed = True
    if work.target is None or work.stopped:
        return
    if work.declared.deploy and not work.needs_deploy():
        work.deployed = True
    work.stage = "deployed" if work.deployed else "active"


def _diff(item: dict[str, Any]) -> dict[str, Any]:
    before = item["previous_serial"] or "none"
    after = item["serial"] if item["active"] or item["rolled_back"] else before
    after = before if item["rolled_back"] else after
    files = "".join(f"file: {name}\n" for name in item["files"])
    return {
        "before_header": item["name"],
        "after_header": item["name"],
        "before": f"active serial: {before}\n",
        "after": f"active serial: {after}\nstage: {item['stage']}\nversion: {item['version']}\n{files}",
    }
