# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run's own journal: what it is about to write, and what dead runs have left."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Callable

from .._errors import CertfleetError
from . import model
from .folder import ORDER_LIFE, Folder, RunFile, append, check, explained
from .model import KEPT, PASSING, Noted, Placed, Run

_UNKNOWN = Run("", "", 0.0, 0, "", "", KEPT)


@dataclass(frozen=True)
class Entry:
    """A value that is, or may be, in DNS. run: the last that announced it; added: when, in seconds since the epoch;
    alive: one of those that announced it still runs; kept: one of them meant it to stay."""

    placed: Placed
    run: Run
    added: float
    alive: bool
    kept: bool


class Journal:
    """The journal as one run uses it. Its own file begins with the first value and ends with the last one."""

    def __init__(self, folder: Folder, run: Run, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._run = run
        self._clock = clock
        self._fd = -1
        self._name = ""
        self._left: set[Placed] = set()
        #: Of those, what other runs had noted down by then.
        self._elsewhere: set[Placed] = set()
        self._orders: set[Noted] = set()
        self._torn = False
        #: What went wrong without harm to DNS, for warnings.
        self.troubles: list[str] = []
        #: Which values were not taken away because another run needs them, for those who asked for it.
        self.left_to_others: list[str] = []

    def announce(self, values: Iterable[Placed]) -> None:
        """Note down that these values are about to be added; it is on the disk when this returns.
        Raises CertfleetError, and then nothing may be written to DNS."""
        new = set(values) - self._left
        if not new:
            return
        lines = model.announced(new, self._clock())
        # Before it is tried: what may have been noted down is noted down as gone.
        if self._run.kind != KEPT:
            self._left |= new
            self._append(lines)
            return
        with self._folder.moment() as files:
            self._elsewhere |= self._of_others(files, new)
            self._left |= new
            self._append(lines, locked=True)

    def note_orders(self, orders: Iterable[Noted]) -> None:
        """Note down orders that were made, for a later run to go on with when this one is killed. Never raises."""
        new = set(orders) - self._orders
        if not new:
            return
        self._orders |= new
        try:
            self._append(model.ordered(new, self._clock()))
        except CertfleetError as error:
            self.troubles.append(f"orders are not in the journal: {error}")

    def settle_orders(self, orders: Iterable[Noted]) -> None:
        """Cross off orders of this run and of those that no longer run. Never raises."""
        done = set(orders)
        try:
            own = done & self._orders
            if own and self._fd >= 0:
                self._write(model.settled(own, self._clock()))
            self._orders -= own
            if done - own:
                self._folder.strike((), done - own)
        except CertfleetError as error:
            self.troubles.append(f"orders that are settled stay in the journal: {error}")

    def orders(self) -> list[Noted]:
        """Orders that runs have made and not settled that no longer run, the newest first; those that are too old to be
        of use are left out. Raises CertfleetError."""
        now = self._clock()
        found = {
            order: at
            for file in self._folder.files()
            if not file.alive
            for order, at in file.told.orders.items()
            if now - at < ORDER_LIFE
        }
        return sorted(found, key=lambda order: found[order], reverse=True)

    def withdraw(self, values: Iterable[Placed]) -> None:
        """Cross off what this run has announced and not added. An earlier run may have added it. Never raises."""
        self._cross_off(set(values), everywhere=False)

    def found(self, values: Iterable[Placed]) -> None:
        """Cross off what this run has announced and then found there already, when it is to stay and no other run has
        noted it down: somebody else put it there. What is not to stay is taken away in any case. Never raises."""
        there = (set(values) & self._left) - self._elsewhere
        if self._run.kind != KEPT or not there:
            return
        try:
            with self._folder.moment() as files:
                foreign = there - self._of_others(files, there)
                if foreign and self._fd >= 0:
                    self._write(model.gone(foreign, self._clock()))
                self._left -= foreign
        except CertfleetError as error:
            self.troubles.append(f"values that were there already stay in the journal: {error}")

    def forget(self, values: Iterable[Placed]) -> None:
        """Cross off values that are certainly not there: of this run and of all that no longer run. Never raises."""
        missing = set(values)
        if missing:
            self._cross_off(missing, everywhere=True)

    def share(self, values: Iterable[Placed]) -> set[Placed]:
        """Of values that are about to be taken away, those that other runs which live have announced: they are left to
        these and crossed off here, so that of two runs one takes them away. Never raises."""
        others: dict[Placed, Run] = {}
        wanted = set(values)
        if not wanted:
            return set()
        try:
            with self._folder.moment() as files:
                others = self._needed(files, wanted)
                own = others.keys() & self._left
                if own and self._fd >= 0:
                    self._write(model.gone(own, self._clock()))
                self._left -= own
        except CertfleetError as error:
            self.troubles.append(f"what other runs need, or whose it is, is not certain: {error}")
        for one in sorted(others):
            self.left_to_others.append(
                f"the TXT value {one.value} of {one.name} was not taken away: {others[one].owner or 'another run'},"
                " which runs at the moment, needs it too"
            )
        return set(others)

    def removed(self, values: Iterable[Placed], unsure: Iterable[Placed] = ()) -> set[Placed]:
        """Cross off values that were just taken away, of this run and of all that no longer run.

        unsure: those of which that is not certain; they stay. Returned are those of both that other runs which live
        have announced by now: they have to be put back, and are noted down here until share() leaves them to others.
        Never raises.
        """
        gone = set(values)
        asked = gone | set(unsure)
        needed: set[Placed] = set()
        if not asked:
            return needed
        try:
            with self._folder.moment() as files:
                needed = set(self._needed(files, asked))
                new, own = needed - self._left, (gone - needed) & self._left
                if new:
                    self._left |= new
                    self._append(model.announced(new, self._clock()), locked=True)
                if own and self._fd >= 0:
                    self._write(model.gone(own, self._clock()))
                self._left -= own
                self._folder.strike(gone, locked=True)
        except CertfleetError as error:
            self.troubles.append(f"values that are gone stay in the journal: {error}")
            self._cross_off(gone - needed, everywhere=False)
        return needed

    def _of_others(self, files: Iterable[RunFile], values: set[Placed]) -> set[Placed]:
        """Those that any other run has noted down, whether it lives or not."""
        return {one for file in files if file.name != self._name for one in values & file.told.values.keys()}

    def _needed(self, files: Iterable[RunFile], values: set[Placed]) -> dict[Placed, Run]:
        return {
            one: file.told.run or _UNKNOWN
            for file in files
            if file.alive and file.name != self._name
            for one in values & file.told.values.keys()
        }

    def sweep(self) -> None:
        """Remove the files of dead runs that have nothing left, as forget() does too. Never raises."""
        self._cross_off(set(), everywhere=True)

    def _cross_off(self, values: set[Placed], *, everywhere: bool) -> None:
        try:
            own = values & self._left
            if own and self._fd >= 0:
                self._write(model.gone(own, self._clock()))
            self._left -= own
            if everywhere:
                self._folder.strike(values)
        except CertfleetError as error:
            self.troubles.append(f"values that are gone stay in the journal: {error}")

    def entries(self) -> list[Entry]:
        """All values that any run has announced and none has crossed off, in their order. Raises CertfleetError."""
        found: dict[Placed, Entry] = {}
        for file in self._folder.files():
            run = file.told.run or _UNKNOWN
            if file.told.later:
                self.troubles.append(f"{file.name} of the journal is of a later version and was left alone")
            elif file.told.damaged > 1 or (file.told.run is None and file.told.values):
                # One torn line is what a kill in the middle of a write leaves.
                self.troubles.append(f"{file.name} of the journal is damaged: {file.told.damaged} lines are no use")
            for placed, added in file.told.values.items():
                entry = Entry(placed, run, added, file.alive, run.kind != PASSING)
                other = found.get(placed)
                if other is not None:
                    newest = max((other, entry), key=lambda one: (one.alive, one.added))
                    entry = replace(newest, kept=other.kept or entry.kept)
                found[placed] = entry
        return [found[placed] for placed in sorted(found)]

    def stale(self) -> list[Entry]:
        """Values that runs have left that were to take them away and no longer run. Raises CertfleetError."""
        return [entry for entry in self.entries() if not entry.alive and not entry.kept]

    def close(self) -> None:
        """The end of the run: its file goes when there is nothing left in it. Never raises."""
        try:
            if self._run.kind == KEPT and self._left:
                # What an earlier run announced as well is now for this one to tell of.
                self._folder.strike(self._left)
            if self._fd >= 0 and not self._left and not self._orders:
                self._folder.remove(self._name)
        except CertfleetError as error:
            self.troubles.append(str(error))
        finally:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
            self._folder.close()

    def _append(self, lines: bytes, *, locked: bool = False) -> None:
        if self._fd < 0:
            moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._run.started))
            self._fd, self._name = self._folder.begin(moment, self._run.line() + lines, locked=locked)
        else:
            self._write(lines)

    def _write(self, lines: bytes) -> None:
        try:
            append(self._fd, (b"\n" if self._torn else b"") + lines)
        except OSError as error:
            self._torn = True
            raise explained(os.path.join(self._folder.path, self._name), error) from error


@contextmanager
def open_journal(
    params: Mapping[str, Any], *, program: str, kind: str, check_mode: bool = False
) -> Generator[Journal | None, None, None]:
    """The journal of the options ``journal`` and ``journal_owner``, None without one; closed at the end.

    program: what writes, such as the module's name; kind: PASSING or KEPT. In check mode it is only looked at whether
    the directory can be used. Raises CertfleetError when not.
    """
    path = params.get("journal")
    if not path:
        yield None
        return
    if check_mode:
        check(path)
        yield None
        return
    run = Run(
        id=secrets.token_hex(8),
        owner=str(params.get("journal_owner") or default_owner(os.environ)),
        started=time.time(),
        pid=os.getpid(),
        host=socket.gethostname(),
        program=program,
        kind=kind,
    )
    journal = Journal(Folder(path, create=True), run)
    try:
        yield journal
    finally:
        journal.close()


def default_owner(environment: Mapping[str, str]) -> str:
    """The job that this is in. AWX gives its number as JOB_ID, which others give too, together with AWX_HOST."""
    if environment.get("AWX_HOST") and environment.get("JOB_ID"):
        return f"awx job {environment['JOB_ID']}"
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = f"uid {os.geteuid()}"
    return f"{user}@{socket.gethostname()}"
