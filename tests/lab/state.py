# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one folder that holds everything of a lab, and how labs are found again."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import LabError

PREFIX = "certfleet-lab-"
MARKER = ".certfleet-lab"
FOLDERS = ("run", "log", "requests", "servers", "tls", "hosts", "controller", "tmp")


def write_text(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.replace(beside, path)


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    :raises LabError: when it is missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"cannot read {path}: {error}") from error


@dataclass(frozen=True)
class State:
    """The paths of one lab."""

    root: Path

    @classmethod
    def create(cls, root: Path | None) -> State:
        """Make the folder of a new lab, 0700.

        :param root: where; None picks a new folder among the temporary ones.
        :raises LabError: when that folder holds something already.
        """
        if root is None:
            root = Path(tempfile.mkdtemp(prefix=PREFIX))
        else:
            root = root.absolute()
            if root.exists() and any(root.iterdir()):
                raise LabError(f"{root} is not empty: a lab needs a folder of its own")
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
        root = root.resolve()
        (root / MARKER).touch(mode=0o600)
        for name in FOLDERS:
            (root / name).mkdir(mode=0o700)
        return cls(root)

    @classmethod
    def find(cls, root: Path | None) -> State:
        """Find a lab that was started before.

        :param root: its folder; None means CERTFLEET_LAB_STATE, else the only lab of this user.
        :raises LabError: when there is none, or more than one to choose from.
        """
        if root is None and os.environ.get("CERTFLEET_LAB_STATE"):
            root = Path(os.environ["CERTFLEET_LAB_STATE"])
        if root is not None:
            if not (root / MARKER).is_file():
                raise LabError(f"no lab in {root}")
            return cls(root.resolve())
        labs = cls.all()
        if not labs:
            raise LabError("no lab is up")
        if len(labs) > 1:
            raise LabError("several labs are up, say which with --state: " + ", ".join(str(lab.root) for lab in labs))
        return labs[0]

    @classmethod
    def all(cls) -> list[State]:
        """Every lab of this user among the temporary folders."""
        found = []
        for marker in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{MARKER}")):
            try:
                if marker.stat().st_uid == os.getuid():
                    found.append(cls(marker.parent.resolve()))
            except OSError:
                continue
        return found

    def remove(self) -> None:
        """Delete the folder.

        :raises LabError: when it is no lab's folder, or something in it resists.
        """
        if not (self.root / MARKER).is_file():
            raise LabError(f"{self.root} is not a lab's folder, it stays")
        try:
            shutil.rmtree(self.root)
        except OSError as error:
            raise LabError(f"cannot delete {self.root}: {error}") from error

    def folder(self, name: str) -> Path:
        """A folder of the lab, made 0700 if it is missing."""
        path = self.root / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def log(self, server: str) -> Path:
        """Where a server's output goes."""
        return self.root / "log" / f"{server}.log"

    def requests(self, server: str) -> Path:
        """Where a server's requests are recorded, one JSON object a line."""
        return self.root / "requests" / f"{server}.jsonl"

    def settings(self, server: str) -> Path:
        """The file a server's process reads its settings from."""
        return self.root / "servers" / f"{server}.json"

    @property
    def writes(self) -> Path:
        """The file whose size counts the requests that may have changed the emulator."""
        return self.root / "servers" / "writes"

    @property
    def lab_json(self) -> Path:
        """The description of the running lab."""
        return self.root / "lab.json"

    @property
    def inventory(self) -> Path:
        """The Ansible inventory."""
        return self.root / "inventory.yml"
