# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Activation on one host: switch all, check, reload, prove by handshake; roll back those that fail, keep the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from .. import _tls, _x509
from .._batch import run_batch
from .._errors import CertfleetError
from .._renewal import Clock, utc_now
from .commands import run_command
from .declared import Declared, Endpoint
from .entry import Entry, Version

Command = Callable[[Sequence[str]], None]
Prove = Callable[..., None]


@dataclass
class Work:
    """One certificate on its way. The entry is locked.

    target: the version that is to be served; None when there is nothing to serve. previous: label of the version that
    was current when the run began. stage: what was reached. failed_stage: where it failed first.
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

    def fail(self, stage: str, error: CertfleetError | str) -> None:
        self.failed_stage = self.failed_stage or stage
        self.errors += (str(error),)

    def stop(self, stage: str, error: CertfleetError | str) -> None:
        """Fail in the activation itself: what was switched is to be rolled back."""
        self.fail(stage, error)
        self.stopped = True

    def needs_switch(self) -> bool:
        return self.target is not None and self.target.label != self.previous

    def needs_deploy(self) -> bool:
        """Also when the declaration has changed since it was proven, or a run ended before the proof."""
        deploy = self.declared.deploy
        if self.target is None or not deploy:
            return False
        return self.needs_switch() or self.target.deployed_digest != deploy.digest()

    def may_be_served(self) -> bool:
        """Whether services had the certificate before the store did: it was taken over and never deployed from here."""
        meta = self.target.meta if self.target else {}
        return bool(meta.get("adopted_from")) and "deployed" not in meta and bool(self.declared.deploy.endpoints)


@dataclass(frozen=True)
class Transaction:
    """The activation of several certificates. The callables are seams for tests."""

    concurrency: int = 8
    now: Clock = utc_now
    command: Command = run_command
    prove: Prove = _tls.prove

    def run(self, works: Sequence[Work]) -> None:
        """Activate and deploy what needs it; the outcome is in each work. Raises nothing for one certificate."""
        for work in works:
            if work.needs_switch():
                self._guard(work, "activate", self._switch)
        deploying = [work for work in works if not work.stopped and work.needs_deploy()]
        for work in deploying:
            work.changed = True
        deploying = self._without_served(deploying)
        self._commands(deploying, "check")
        self._undo([work for work in deploying if work.stopped], reload=False)
        reloading = [work for work in deploying if not work.stopped]
        self._commands(reloading, "reload")
        self._undo([work for work in reloading if work.stopped], reload=True)
        proving = [work for work in reloading if not work.stopped]
        self._prove(proving)
        self._undo([work for work in proving if work.stopped], reload=True)
        for work in proving:
            if not work.stopped:
                self._guard(work, "prove", self._note_deployed)

    def _without_served(self, works: Sequence[Work]) -> list[Work]:
        """Those that services have to be told of. What was taken over and is served everywhere already is noted as
        deployed, with no command run."""
        tasks = [(work, end) for work in works if work.may_be_served() for end in work.declared.deploy.endpoints]
        outcomes = run_batch(tasks, partial(self._prove_one, once=True), concurrency=self.concurrency)
        missed = [id(work) for (work, _end), outcome in zip(tasks, outcomes) if isinstance(outcome, CertfleetError)]
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
            entry.note(target.label, activating={"from": work.previous, "at": self._stamp()})
        entry.activate(target.label)
        work.switched = work.changed = True
        work.stage = "active"

    def _commands(self, works: Iterable[Work], kind: str) -> None:
        """Run each distinct command once; its failure is the failure of every certificate that names it."""
        groups: dict[tuple[str, ...], list[Work]] = {}
        for work in works:
            argv = work.declared.deploy.check if kind == "check" else work.declared.deploy.reload
            if argv:
                groups.setdefault(argv, []).append(work)
        for argv, members in groups.items():
            try:
                self.command(argv)
            except CertfleetError as error:
                for work in members:
                    work.stop(kind, error)

    def _prove(self, works: Sequence[Work]) -> None:
        tasks = [(work, endpoint) for work in works for endpoint in work.declared.deploy.endpoints]
        outcomes = run_batch(tasks, self._prove_one, concurrency=self.concurrency)
        for (work, _endpoint), outcome in zip(tasks, outcomes):
            if isinstance(outcome, CertfleetError):
                work.stop("prove", outcome)

    def _prove_one(self, task: tuple[Work, Endpoint], *, once: bool = False) -> None:
        work, endpoint = task
        if work.target is not None:
            self.prove(
                endpoint.host,
                endpoint.port,
                endpoint.server_name,
                work.target.facts["fingerprint_sha256"],
                timeout=float(work.declared.deploy.timeout),
                once=once,
            )

    def _undo(self, works: Sequence[Work], *, reload: bool) -> None:
        """Back to the previous version, then the reload commands again, each once."""
        undone = []
        for work in works:
            try:
                if self._roll_back(work):
                    undone.append(work)
            except CertfleetError as error:
                work.errors += (f"rolling back failed: {error}",)
        if not reload:
            return
        for argv in dict.fromkeys(work.declared.deploy.reload for work in undone if work.declared.deploy.reload):
            try:
                self.command(argv)
            except CertfleetError as error:
                for work in undone:
                    if work.declared.deploy.reload == argv:
                        work.errors += (f"the reload after rolling back failed too: {error}",)
                        self._doubt(work)

    def _roll_back(self, work: Work) -> bool:
        entry, target = work.entry, work.target
        if entry is None or target is None:
            return False
        back_to = work.previous
        if not work.switched:
            # Nothing was switched by this run. Was it by one that ended before its proof?
            back_to = (target.meta.get("activating") or {}).get("from")
            if back_to not in entry.labels():
                return False
        entry.activate(back_to)
        work.rolled_back = True
        where = f"version {back_to} is active again" if back_to else "no version is active, as before"
        work.errors += (f"rolled back: {where}",)
        return True

    def _doubt(self, work: Work) -> None:
        """What the service holds now is not known: the next run is to deploy whatever is active then."""
        with suppress(CertfleetError):
            label = work.entry.current() if work.entry else None
            if work.entry and label:
                work.entry.note(label, deployed=None)

    def _note_deployed(self, work: Work, entry: Entry, target: Version) -> None:
        digest = work.declared.deploy.digest()
        entry.note(target.label, deployed={"digest": digest, "at": self._stamp()}, activating=None)
        work.deployed = True
        work.stage = "deployed"

    def _stamp(self) -> str:
        return _x509.timestamp(self.now())


def result(work: Work) -> dict[str, Any]:
    """The result of one certificate; the module's documentation has the meaning of each field."""
    target = work.target
    failed = bool(work.errors)
    return {
        "name": work.declared.name,
        "changed": work.changed,
        "failed": failed,
        "msg": "; ".join(work.errors) if failed else "",
        "stage": work.failed_stage or work.stage,
        "version": target.label if target else None,
        "serial": target.facts.get("serial") if target else None,
        "not_after": target.facts.get("not_after") if target else None,
        "previous_serial": work.previous_serial,
        "path": f"{work.entry.path}/current" if work.entry else None,
        "active": bool(target) and not work.rolled_back and (work.switched or not work.needs_switch()),
        "deployed": work.deployed,
        "rolled_back": work.rolled_back,
    }
