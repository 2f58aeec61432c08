# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Activation on one host: switch all, check, reload, prove by handshake; roll back those that fail, keep the others.

Services do not notice the switch before their reload. What fails is taken back by itself; after a check that failed the
check is asked once more, to tell whose fault it was, and after a reload or a proof that failed the service reloads
again and is seen to serve what it served before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from .. import _x509
from .._batch import run_batch
from .._errors import CertfleetError
from .._renewal import Clock, utc_now
from .._tls.proof import prove
from .commands import run_command
from .declared import Declared, Endpoint
from .entry import Entry, Version
from .extras import Extras, bring_files
from .rollback import doubt, origin, restore_notes, take_back

Command = Callable[[Sequence[str]], None]
Prove = Callable[..., None]
Question = Callable[["Work", Endpoint, float], None]
#: Seconds in which a service that was rolled back has to serve the version before again.
ROLLBACK_TIMEOUT = 5.0
#: Seconds that each endpoint gets, also when others have used up the time of all.
_LEAST = 1.0


@dataclass(eq=False)
class Work:
    """One certificate on its way. The entry is locked.

    target: the version that is to be served; None when there is nothing to serve. previous: label of the version that
    was current when the run began. before: the version that was taken back to. stage: what was reached. failed_stage:
    where it failed first. withdrawn: versions that an operator goes back from; reinstated: the note by which the
    target was one of those.
    """

    declared: Declared
    entry: Entry | None = None
    target: Version | None = None
    previous: str | None = None
    previous_serial: str | None = None
    stage: str = "nothing"
    failed_stage: str = ""
    changed: bool = False
    switched: bool = False
    deployed: bool = False
    rolled_back: bool = False
    #: Failed in this run's activation; ``errors`` may also hold what failed before it.
    stopped: bool = False
    errors: tuple[str, ...] = ()
    #: None when there is no entry. files: names and paths that this run has brought to what is declared.
    extras: Extras | None = None
    files: list[str] = field(default_factory=list)
    #: Ways out of the errors, told after them.
    remedies: tuple[str, ...] = ()
    #: What is worth saying when nothing failed.
    notes: tuple[str, ...] = ()
    before: Version | None = None
    withdrawn: tuple[str, ...] = ()
    reinstated: Any = None

    def fail(self, stage: str, error: CertfleetError | str) -> None:
        self.failed_stage = self.failed_stage or stage
        if isinstance(error, CertfleetError):
            self.errors += (error.message,)
            self.remedies += (error.remedy,) if error.remedy and error.remedy not in self.remedies else ()
        else:
            self.errors += (error,)

    def stop(self, stage: str, error: CertfleetError | str) -> None:
        """Fail in the activation itself: what was switched is to be rolled back."""
        self.fail(stage, error)
        self.stopped = True

    def activate(self, label: str | None) -> None:
        """Switch ``current``, forth and back. Raises CertfleetError."""
        if self.entry is not None:
            self.entry.activate(label)

    def needs_switch(self) -> bool:
        return self.target is not None and self.target.label != self.previous

    def needs_deploy(self) -> bool:
        """Also when the declaration has changed since it was proven, or a run ended before the proof."""
        deploy = self.declared.deploy
        if self.target is None or not deploy:
            return False
        return self.needs_switch() or self.target.deployed_digest != deploy.digest()

    def may_be_served(self) -> bool:
        """Whether services had the certificate before the store did: it was taken over and never deployed from here.

        Not when this run has replaced paths that they may read: whether they can read what is there now, only a reload
        tells.
        """
        if (
            self.target is None
            or not self.declared.deploy.endpoints
            or any(name.startswith("/") for name in self.files)
        ):
            return False
        return bool(self.target.meta.get("adopted_from")) and "deployed" not in self.target.meta


@dataclass(frozen=True)
class Transaction:
    """The activation of several certificates. The callables are seams for tests."""

    concurrency: int = 8
    now: Clock = utc_now
    command: Command = run_command
    prove: Prove = prove

    def run(self, works: Sequence[Work]) -> None:
        """Activate and deploy what needs it; the outcome is in each work. Raises nothing for one certificate."""
        for work in works:
            step = self._switch if work.needs_switch() else self._forget_unproven
            self._guard(work, "activate", step)
        self._after_switch([work for work in works if work.stopped])
        switched = [work for work in works if not work.stopped]
        for work in switched:
            self._guard(work, "files", bring_files)
        self._take_back([work for work in switched if work.stopped])
        deploying = [work for work in works if not work.stopped and work.needs_deploy()]
        for work in deploying:
            work.changed = True
        deploying = self._without_served(deploying)
        self._commands(deploying, "check")
        self._after_check([work for work in deploying if work.stopped])
        reloading = [work for work in deploying if not work.stopped]
        self._commands(reloading, "reload")
        self._after_reload([work for work in reloading if work.stopped])
        proving = [work for work in reloading if not work.stopped]
        self._prove(proving)
        self._after_reload([work for work in proving if work.stopped])
        for work in proving:
            if not work.stopped:
                self._guard(work, "prove", self._note_deployed)

    def _without_served(self, works: Sequence[Work]) -> list[Work]:
        """Those that services have to be told of. What was taken over and is served everywhere already is noted as
        deployed, with no command run."""
        answers = self._ask([work for work in works if work.may_be_served()], self._prove_served)
        missed = [id(work) for work, outcome in answers if isinstance(outcome, CertfleetError)]
        left = []
        for work in works:
            if work.may_be_served() and id(work) not in missed:
                self._guard(work, "prove", self._note_deployed)
            else:
                left.append(work)
        return left

    def _guard(self, work: Work, stage: str, step: Callable[[Work, Entry, Version], None]) -> None:
        if work.entry is None or work.target is None:
            return
        try:
            step(work, work.entry, work.target)
        except CertfleetError as error:
            work.stop(stage, error)

    def _switch(self, work: Work, entry: Entry, target: Version) -> None:
        if work.declared.deploy:
            # Tells the next run what to go back to should this one end before the proof.
            # Of one that is gone back to, that it was proven before means nothing any more.
            forgotten = {"deployed": None} if target.meta.get("deployed") else {}
            entry.note(target.label, activating={"from": work.previous, "at": self._stamp()}, **forgotten)
        self._forget_unproven(work, entry, target)
        try:
            work.activate(target.label)
        except CertfleetError:
            with suppress(CertfleetError):  # it may have failed when `current` led to the new version already
                work.switched = entry.current() == target.label
            work.changed |= work.switched
            raise
        work.switched = work.changed = True
        work.stage = "active"

    def _forget_unproven(self, work: Work, entry: Entry, target: Version) -> None:
        """What needs no proof is in use from now on: a failure later on is no reason to go back from it."""
        if not work.declared.deploy and target.meta.get("activating"):
            entry.note(target.label, activating=None)
            target.meta["activating"] = None

    def _after_switch(self, works: Sequence[Work]) -> None:
        """Take back what was switched all the same. What was not is as it was before."""
        self._take_back([work for work in works if work.switched])
        for work in works:
            if not work.switched:
                try:
                    restore_notes(work)
                except CertfleetError as error:
                    work.errors += (str(error),)

    def _commands(self, works: Iterable[Work], kind: str) -> None:
        """Run each distinct command once; its failure is the failure of every certificate that names it."""
        for argv, members in _by_command(works, kind).items():
            try:
                self.command(argv)
            except CertfleetError as error:
                for work in members:
                    work.stop(kind, error)

    def _prove(self, works: Sequence[Work]) -> None:
        for work, outcome in self._ask(works, self._prove_new):
            if isinstance(outcome, CertfleetError):
                work.stop("prove", outcome)

    def _ask(self, works: Iterable[Work], question: Question) -> list[tuple[Work, CertfleetError | None]]:
        """Ask all endpoints of these at the same time, as many as may be; each question learns when that began."""
        tasks = [(work, endpoint) for work in works for endpoint in work.declared.deploy.endpoints]
        begun = time.monotonic()
        outcomes = run_batch(tasks, lambda task: question(*task, begun), concurrency=self.concurrency)
        return [(work, outcome) for (work, _endpoint), outcome in zip(tasks, outcomes)]

    def _prove_new(self, work: Work, endpoint: Endpoint, begun: float) -> None:
        if work.entry is None or work.target is None:
            return
        label = origin(work)
        old = work.entry.load(label).facts if label else {}
        known = {old.get("fingerprint_sha256", ""): "still serves the previous certificate"}
        self._prove_one(work, endpoint, work.target, known, begun + work.declared.deploy.timeout)

    def _prove_served(self, work: Work, endpoint: Endpoint, begun: float) -> None:
        if work.target is not None:
            self._prove_one(work, endpoint, work.target, {}, begun + work.declared.deploy.timeout, once=True)

    def _prove_before(self, work: Work, endpoint: Endpoint, begun: float) -> None:
        """That a service which was rolled back serves the version before again."""
        if work.target is not None and work.before is not None:
            known = {work.target.facts["fingerprint_sha256"]: "still serves the certificate that was taken back"}
            until = begun + min(ROLLBACK_TIMEOUT, work.declared.deploy.timeout)
            self._prove_one(work, endpoint, work.before, known, until)

    def _prove_one(
        self,
        work: Work,
        endpoint: Endpoint,
        version: Version,
        known: dict[str, str],
        until: float,
        *,
        once: bool = False,
    ) -> None:
        """until: by time.monotonic(). An endpoint whose turn comes later than that is asked all the same, once."""
        self.prove(
            endpoint.host,
            endpoint.port,
            endpoint.server_name,
            version.facts["fingerprint_sha256"],
            timeout=max(_LEAST, until - time.monotonic()),
            once=once,
            starttls=endpoint.starttls,
            key_type=version.facts["key_type"],
            known=known,
            files=f"{work.entry.path}/current" if work.entry else "",
        )

    def _take_back(self, works: Iterable[Work]) -> list[Work]:
        """The certificates of these that were taken back to what was active before."""
        undone = []
        for work in works:
            try:
                if take_back(work, self.now()):
                    undone.append(work)
            except CertfleetError as error:
                work.errors += (f"rolling back failed: {error}",)
        return undone

    def _after_check(self, works: Sequence[Work]) -> None:
        """Take back what failed its check. No service has noticed; but was it the certificate?"""
        undone = self._take_back(works)
        for work in undone:
            if not work.switched:  # a run before this one has switched, and perhaps reloaded
                doubt(work)
        for argv, members in _by_command(works, "check").items():
            if not any(work.switched or work in undone for work in members):
                self._add(members, "nothing was switched before this check, so the certificate is not the cause")
                continue
            if any((work.switched or work.rolled_back) and work.before is None for work in members):
                continue  # what failed is active still, or the files that the configuration names are gone
            try:
                self.command(argv)
            except CertfleetError:
                self._add(members, "the check fails with the previous version too, so the certificate is not the cause")

    def _add(self, works: Iterable[Work], words: str) -> None:
        for work in works:
            work.errors += (words,)

    def _after_reload(self, works: Sequence[Work]) -> None:
        """Take back what failed its reload or its proof, reload again, each command once, and see what is served."""
        undone = self._take_back(works)
        for argv, members in _by_command(undone, "reload").items():
            try:
                self.command(argv)
            except CertfleetError as error:
                for work in members:
                    work.errors += (f"the reload after rolling back failed too: {error}",)
                    doubt(work)
        answers = self._ask([work for work in undone if work.before], self._prove_before)
        for work in undone:
            seen = [outcome for other, outcome in answers if other is work]
            wrong = [outcome for outcome in seen if isinstance(outcome, CertfleetError)]
            if wrong:
                told = "; ".join(outcome.message for outcome in wrong)
                work.errors += (f"after rolling back, the previous certificate is not served: {told}",)
                doubt(work)
            elif seen:
                work.errors += ("after rolling back, the previous certificate is served",)

    def _note_deployed(self, work: Work, entry: Entry, target: Version) -> None:
        digest = work.declared.deploy.digest()
        entry.note(target.label, deployed={"digest": digest, "at": self._stamp()}, activating=None)
        work.deployed = True
        work.stage = "deployed"

    def _stamp(self) -> str:
        return _x509.timestamp(self.now())


def _by_command(works: Iterable[Work], kind: str) -> dict[tuple[str, ...], list[Work]]:
    """The certificates by their command to check or to reload, those without one left out."""
    groups: dict[tuple[str, ...], list[Work]] = {}
    for work in works:
        argv = work.declared.deploy.check if kind == "check" else work.declared.deploy.reload
        if argv:
            groups.setdefault(argv, []).append(work)
    return groups


def result(work: Work) -> dict[str, Any]:
    """The result of one certificate; the module's documentation has the meaning of each field."""
    target = work.target
    failed = bool(work.errors)
    told = ". ".join(["; ".join(work.errors), *work.remedies]) if failed else "; ".join(work.notes)
    return {
        "name": work.declared.name,
        "changed": work.changed,
        "failed": failed,
        "msg": told,
        "stage": work.failed_stage or work.stage,
        "version": target.label if target else None,
        "serial": target.facts.get("serial") if target else None,
        "not_after": target.facts.get("not_after") if target else None,
        "previous_version": work.previous,
        "previous_serial": work.previous_serial,
        "path": f"{work.entry.path}/current" if work.entry else None,
        "active": bool(target) and not work.rolled_back and (work.switched or not work.needs_switch()),
        "deployed": work.deployed,
        "proven": work.deployed and bool(work.declared.deploy.endpoints),
        "rolled_back": work.rolled_back,
        "withdrawn": [] if work.rolled_back else list(work.withdrawn),
        "files": work.files,
        "publish": bool(work.declared.publish),
    }
