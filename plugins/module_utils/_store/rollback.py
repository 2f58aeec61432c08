# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Back to an older version: after a failure, when this run or one before it has switched, and when an operator asks."""

from __future__ import annotations

import datetime
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .. import _x509
from .._errors import CertfleetError
from .._renewal import parse_instant
from .entry import Entry, Version
from .extras import bring_files_back, let_files_follow

if TYPE_CHECKING:
    from .transaction import Work


def waiting(entry: Entry, current: str | None) -> Version | None:
    """The newest version that is newer than the active one, neither withdrawn nor with a compromised key; None when
    nothing waits."""
    for label in reversed(entry.labels()):
        if current is not None and int(label) <= int(current):
            return None
        version = entry.load(label)
        if not version.withdrawn and not version.compromised:
            return version
    return None


def refusal(version: Version) -> str:
    """Why a version must not be activated again; empty when it may."""
    if version.broken:
        return f"version {version.label} cannot be used: {version.broken}"
    if version.compromised:
        return f"the key of version {version.label} is marked compromised"
    return ""


def expiry(version: Version, now: datetime.datetime) -> str:
    """When a version expired; empty when it has not."""
    not_after = str(version.facts.get("not_after") or "")
    return not_after if not_after and parse_instant(not_after) <= now else ""


# After a failure


def origin(work: Work) -> str | None:
    """The version that was active before the target: before this run, or before one that ended without a proof."""
    if work.switched or work.entry is None or work.target is None:
        return work.previous
    label = (work.target.meta.get("activating") or {}).get("from")
    return label if label in work.entry.labels() else None


def _unproven(work: Work) -> bool:
    """Whether a run before this one has switched to the target, ended without a proof, and can be undone: when it noted
    that no version was active, too."""
    noted = work.target.meta.get("activating") if work.target else None
    return isinstance(noted, dict) and (noted.get("from") is None or origin(work) is not None)


def take_back(work: Work, now: datetime.datetime) -> bool:
    """Activate what was active before again; True when something was taken back. What became of it is in the work.

    The version before may have expired: it goes back all the same, since the service has it, and the result says so.
    A version whose key is marked compromised, and one that is not whole, is refused, and the new one stays.
    Raises CertfleetError.
    """
    entry, target = work.entry, work.target
    if entry is None or target is None:
        return False
    back_to = origin(work)
    if not work.switched and not _unproven(work):
        return bring_files_back(work)
    before = entry.load(back_to) if back_to else None
    why_not = refusal(before) if before else ""
    if why_not:
        work.errors += (f"not rolled back: {why_not}, so version {target.label} stays active",)
        return False
    bring_files_back(work)
    if work.reinstated:  # before it is taken back: a run that ends between the two must not let it come back by itself
        entry.note(target.label, withdrawn=work.reinstated)
    try:
        work.activate(back_to)
    except CertfleetError as error:
        if entry.current() != back_to:
            raise
        work.errors += (str(error),) if str(error) not in work.errors else ()
    work.rolled_back, work.before = True, before
    restore_notes(work)
    if before is None:
        work.errors += ("rolled back: no version is active, as before",)
    else:
        expired = expiry(before, now)
        which = f"version {before.label}, which expired at {expired}," if expired else f"version {before.label}"
        work.errors += (f"rolled back: {which} is active again",)
    let_files_follow(work, back_to)
    return True


def restore_notes(work: Work) -> None:
    """Note again which versions were withdrawn before this run and which were not. Raises CertfleetError."""
    if work.entry is None or work.target is None:
        return
    for label in work.withdrawn:
        work.entry.note(label, withdrawn=None)
    if work.reinstated:
        work.entry.note(work.target.label, withdrawn=work.reinstated)


def doubt(work: Work) -> None:
    """What the service holds now is not known: the next run is to deploy whatever is active then."""
    with suppress(CertfleetError):
        label = work.entry.current() if work.entry else None
        if work.entry and label:
            work.entry.note(label, deployed=None)


# When an operator asks


def asked_versions(versions: Any, names: list[str]) -> dict[str, str]:
    """The option versions. Raises CertfleetError for a certificate that is not declared, and for what is no label."""
    for name, label in (versions or {}).items():
        if name not in names:
            raise CertfleetError(f"versions names {name}, which is not declared for this host")
        if not isinstance(label, str) or not label.isdigit():
            # YAML takes 0010 for the number 8.
            raise CertfleetError(
                f"the version of {name} is {label!r}, which is not the name of a version",
                remedy='Write it as its directory is named, in quotes: "0006".',
            )
    return dict(versions or {})


def aim_back(work: Work, asked: str | None, now: datetime.datetime) -> None:
    """Choose the version to go back to, and those that are withdrawn with it.

    asked: its label. None means: the newest version is withdrawn, and the one before it is active. That is a state:
    when the newest is withdrawn already, nothing is left to do, however often it is asked for.
    """
    entry, labels = work.entry, work.entry.labels() if work.entry else []
    if entry is None or not labels:
        work.fail("activate", "there is no version of it on this host")
        return
    if asked is not None and asked not in labels:
        work.fail("activate", f"version {asked} is not in the store, which has {', '.join(labels)}")
        work.target = None
        return
    target = entry.load(asked) if asked is not None else _before_newest(entry, labels)
    if target is None:
        work.fail("activate", f"there is no version before {labels[-1]} to go back to")
        work.target = None
        return
    if target.label != work.previous:
        why_not = refusal(target)
        expired = expiry(target, now)
        if not why_not and expired and asked is None:
            why_not = f"version {target.label} expired at {expired}"
        if why_not:
            remedy = "Name another version, or ask for a new certificate by force."
            work.fail("activate", CertfleetError(f"not rolled back: {why_not}", remedy=remedy))
            work.target = None
            return
    work.target = target
    newer = [label for label in labels if int(label) > int(target.label)]
    work.withdrawn = tuple(label for label in newer if not entry.load(label).withdrawn)
    work.reinstated = target.meta.get("withdrawn")


def _before_newest(entry: Entry, labels: list[str]) -> Version | None:
    """The newest version that is not withdrawn, leaving out the newest of all."""
    versions = (entry.load(label) for label in reversed(labels[:-1]))
    return next((version for version in versions if not version.withdrawn), None)


def withdraw(work: Work, now: datetime.datetime, *, dry: bool) -> None:
    """Note which versions are not to be activated again by themselves. That comes before the switch: a run that ends
    between the two leaves a version active that the next run goes back from, never one that comes back."""
    if work.entry is None or work.target is None:
        return
    for label in work.withdrawn:
        work.changed = True
        work.notes += (f"version {label} is withdrawn",)
        if not dry:
            work.entry.note(label, withdrawn={"at": _x509.timestamp(now), "for": work.target.label})
    if work.reinstated:
        work.changed = True
        work.notes += (f"version {work.target.label} is not withdrawn any more",)
        if not dry:
            work.entry.note(work.target.label, withdrawn=None)
