# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Activation on one host: switch all, check, reload, prove by handshake; roll back those that fail, keep the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from .. import _tls, _x509
from .._batch import run_batch
from .._errors import CertfleetError
from .._renewal import Clock, utc_now
from .commands import run_command
from .declared import Declared, Endpoint
from .entry import Entry, Version
from .extras import Extras, bring_files, bring_files_back, let_files_follow

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
    #: None when there is no entry. files: names and paths that this run has brought to what is declared.
    extras: Extras | None = None
    files: list[str] = field(default_factory=list)

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
        switched = [work for work in works if not work.stopped]
        for work in switched:
            self._guard(work, "files", bring_files)
        self._undo([work for work in switched if work.stopped], reload=False)
        deploying = [work for work in works if not work.stopped and work.needs_deploy()]
        for work in deploying:
            work.changed = True
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

    def _prove_one(self, task: tuple[Work, Endpoint]) -> None:
        work, endpoint = task
        if work.target is not None:
            self.prove(
                endpoint.host,
                endpoint.port,
                endpoint.server_name,
                work.target.facts["fingerprint_sha256"],
                timeout=float(work.declared.deploy.timeout),
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
                return bring_files_back(work)
        bring_files_back(work)
        entry.activate(back_to)
        work.rolled_back = True
        where = f"version {back_to} is active again" if back_to else "no version is active, as before"
        work.errors += (f"rolled back: {where}",)
        let_files_follow(work, back_to)
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
        "files": work.files,
    }
