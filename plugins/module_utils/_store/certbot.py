# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""certbot's tree: live/NAME with links into archive/NAME, and renewal/NAME.conf. Nothing in it is ever written.

As certbot 5.8 makes it. A lineage has four links, cert.pem, privkey.pem, chain.pem and fullchain.pem, to
../../archive/NAME/KIND<number>.pem; with --reuse-key the archive's privkey<number>.pem is itself a link to an earlier
one. live/ and each lineage hold a README too.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .._errors import CertfleetError
from .._names import certificate_name

_LIVE = "live"
_LONGEST_NAME = 64
_SECTION = re.compile(r"\s*(\[+)\s*([^\]]*?)\s*\]+")
_VALUE = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=\s*(.*?)\s*")

#: Reads a file; raises CertfleetError.
Read = Callable[[str], bytes]


@dataclass(frozen=True)
class Renewal:
    """What renewal/NAME.conf says. known: False when it is not there or cannot be used. profile: what is asked for."""

    known: bool = False
    acme_directory: str | None = None
    profile: str | None = None


def tree_of(lineage: str) -> str:
    """certbot's directory that live/NAME lies in, links resolved. Raises CertfleetError for a path that is none."""
    live, name = os.path.split(os.path.normpath(lineage))
    if os.path.basename(live) != _LIVE or not name:
        raise CertfleetError(f"{lineage} is no lineage of certbot", remedy="Name it as /etc/letsencrypt/live/NAME.")
    return os.path.realpath(os.path.dirname(live))


def lineages(path: str) -> list[str]:
    """The directories of live/, sorted; none when there is no such tree. Raises CertfleetError."""
    live = os.path.join(path, _LIVE)
    try:
        names = sorted(os.listdir(live))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CertfleetError(f"{live}: {error.strerror}") from error
    return [os.path.join(live, name) for name in names if os.path.isdir(os.path.join(live, name))]


def renewal_of(lineage: str, read: Read) -> Renewal:
    """What certbot has noted of the lineage."""
    live, name = os.path.split(os.path.normpath(lineage))
    try:
        text = read(os.path.join(os.path.dirname(live), "renewal", f"{name}.conf")).decode("utf-8", "replace")
    except CertfleetError:
        return Renewal()
    options = _renewal_options(text.splitlines())
    if options is None:
        return Renewal()
    profile = options.get("required_profile") or options.get("preferred_profile")
    return Renewal(known=True, acme_directory=options.get("server"), profile=profile)


def _renewal_options(lines: Iterable[str]) -> dict[str, str] | None:
    """The values of the section renewalparams, without those of its subsections; None without that section."""
    found: dict[str, str] | None = None
    inside = False
    for line in lines:
        section = _SECTION.fullmatch(line.partition("#")[0].rstrip())
        value = _VALUE.fullmatch(line)
        if section:
            inside = (section.group(1), section.group(2)) == ("[", "renewalparams")
            found = {} if inside and found is None else found
        elif value and inside and found is not None:
            found[value.group(1)] = _unquoted(value.group(2))
    return {name: value for name, value in found.items() if value and value != "None"} if found is not None else None


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def store_names(names: Sequence[str]) -> dict[str, str]:
    """A name in the store for each of these, no two alike; one that may be used as it is stays as it is."""
    found = {name: name for name in names if _usable(name)}
    for name in names:
        if name not in found:
            plain = re.sub(r"[^a-z0-9._-]", "-", name.lower()).lstrip("._-")[:_LONGEST_NAME]
            if not plain or plain in found.values():
                digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
                plain = f"{plain[: _LONGEST_NAME - 9] or 'certificate'}-{digest}"
            found[name] = plain
    return found


def _usable(name: str) -> bool:
    try:
        return certificate_name(name) == name
    except CertfleetError:
        return False
