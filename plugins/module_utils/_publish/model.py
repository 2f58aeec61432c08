# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What publishing to a cloud is: once read and compared, replaced where it differs, and read again for proof."""

from __future__ import annotations

import ipaddress
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable
from urllib.parse import urlsplit

from .. import _x509
from .._errors import CertfleetError
from .._store.published import Material

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0


class Deadline:
    """How long publishing one certificate to one target may take with all repetitions. timeout: seconds."""

    def __init__(self, timeout: float, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._end = time.monotonic() + timeout
        self._sleep = sleep
        self._pause = _FIRST_PAUSE
        self.timeout = timeout

    def pause(self, at_least: float = 0.0) -> bool:
        """Wait before another attempt, longer each time, with jitter; False at once when no time is left for it."""
        seconds = max(at_least, self._pause * random.uniform(0.75, 1.0))  # noqa: S311 - spreads requests, no secret
        if time.monotonic() + seconds > self._end:
            return False
        self._pause = min(_LONGEST_PAUSE, self._pause * 2)
        self._sleep(seconds)
        return True


@dataclass
class Outcome:
    """What became of one target. resource: its name in the cloud; previous_serial: what it had before, hexadecimal."""

    resource: str | None = None
    previous_serial: str | None = None
    changed: bool = False
    created: bool = False
    msg: str = ""


class Publisher(ABC):
    """One target in one cloud. Used from one thread."""

    @abstractmethod
    def publish(self, material: Material, noted: str | None, *, check: bool) -> Outcome:
        """Let the target have this certificate. noted: the resource that an earlier run found or made for it.
        check: read only, and say what would change. Raises CertfleetError."""


def leaf_facts(pem: str) -> dict[str, Any]:
    """Facts of the first certificate of what a cloud returned; empty when it is none."""
    try:
        return _x509.certificate_facts(_x509.load_chain(pem)[0])
    except CertfleetError:
        return {}


def same(held: Mapping[str, Any], material: Material) -> bool:
    """Whether these are the facts of the certificate that is published."""
    return held.get("fingerprint_sha256") == material.facts["fingerprint_sha256"]


def encrypted(url: str, option: str) -> None:
    """Raises CertfleetError for an address that the key would go to in the clear; this machine's own is none."""
    parts = urlsplit(url)
    if not url or parts.scheme == "https":
        return
    try:
        loopback = ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        loopback = parts.hostname == "localhost"
    if parts.scheme != "http" or not loopback:
        raise CertfleetError(
            f"{option} {url!r} is refused: the private key would go there without encryption",
            remedy="Give an https one.",
        )
