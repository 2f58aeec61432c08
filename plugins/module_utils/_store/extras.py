# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that a certificate has besides its PEM files: formats in its version, links and copies elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .._errors import CertfleetError
from .._renewal import Reason
from . import formats
from .entry import Entry
from .files import Step, no_step
from .outputs import Outputs
from .version import Version

if TYPE_CHECKING:
    from .declared import Declared
    from .transaction import Work


class Extras:
    """Of one certificate, whose entry is locked. It keeps what undoes the changes of this run."""

    def __init__(
        self, entry: Entry, declared: Declared, *, step: Step = no_step, taken: frozenset[str] = frozenset()
    ) -> None:
        self._entry = entry
        self._declared = declared
        self._outputs = Outputs(entry, declared, step=step, taken=taken)
        self._undo: list[Callable[[], None]] = []

    def prepare(self, version: Version, *, dry: bool) -> list[str]:
        """Make the formats of a version that no service reads yet; the names of files that were not as declared.

        Raises CertfleetError, also when a path could not be written: before anything is switched. dry: only tell.
        """
        if dry:
            return self.differing(version)
        made = formats.bring(self._entry, version, self._declared)
        self._outputs.differing(version)
        return made

    def differing(self, version: Version) -> list[str]:
        """What is not as declared, formats by their names and the others by their paths. Raises CertfleetError."""
        return formats.differing(self._entry, version, self._declared) + self._outputs.differing(version)

    def bring(self, version: Version) -> list[str]:
        """Bring all to what is declared, for the version that is active; returns what was not. Raises CertfleetError.

        That the version was proven is forgotten first: should the run end here, the next one reloads.
        """
        self._outputs.sweep()
        names = self.differing(version)
        if not names:
            return []
        if version.meta.get("deployed"):
            self._entry.note(version.label, deployed=None)
            version.meta["deployed"] = None
        made = formats.bring(self._entry, version, self._declared, self._undo.append)
        return made + self._outputs.bring(version, self._undo.append)

    def undo(self) -> tuple[bool, list[str]]:
        """Bring back what this run's bring() has changed: whether there was anything, and what failed."""
        any_changes, errors = bool(self._undo), []
        while self._undo:
            try:
                self._undo.pop()()
            except CertfleetError as error:
                errors.append(f"bringing files back failed: {error}")
        return any_changes, errors

    def follow(self, label: str) -> None:
        """Bring copies to a version that was gone back to, which may lack a format that was declared since.

        Raises CertfleetError.
        """
        version = self._entry.load(label)
        self._outputs.sweep()
        formats.bring(self._entry, version, self._declared)
        self._outputs.bring(version)

    def left(self) -> tuple[str, ...]:
        """What is told of paths that are not declared any more and that could not be removed."""
        return tuple(self._outputs.left.values())

    def reasons(self, version: Version) -> tuple[Reason, ...]:
        """Why the active version is to be installed again; what cannot be looked at is left to the installation."""
        try:
            names = self.differing(version)
        except CertfleetError as error:
            return (Reason("files_differ", f"its files are not as declared: {error}"),)
        return (Reason("files_differ", f"not as declared: {', '.join(names)}"),) if names else ()


def bring_files(work: Work, _entry: Entry, target: Version) -> None:
    """After the switch, before the commands that read them. Raises CertfleetError."""
    if work.extras is None:
        return
    names = work.extras.bring(target)
    work.notes += work.extras.left()
    work.files += [name for name in names if name not in work.files]
    work.changed |= bool(names)


def bring_files_back(work: Work) -> bool:
    """Undo what bring_files() did; whether that was anything."""
    undone, errors = work.extras.undo() if work.extras else (False, [])
    work.errors += tuple(errors)
    if undone:
        work.errors += ("its files are as before again",)
        work.files = []
    return undone


def let_files_follow(work: Work, label: str | None) -> None:
    """After ``current`` went back to that version. When a run before this one has switched, there was nothing to undo,
    and the copies are brought to that version. A failure is told; services are to reload all the same."""
    if work.extras and label and not work.switched:
        try:
            work.extras.follow(label)
        except CertfleetError as error:
            work.errors += (f"its copies could not be brought to that version: {error}",)
