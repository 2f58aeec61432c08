# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The declared certificates, read from the options: the same list in every call that runs on a host."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .._errors import CertfleetError
from .._names import certificate_name, is_ip, validate_identifiers
from .._renewal import Wanted
from . import published
from .adopt import Source
from .argspec import SHARED
from .formats import Keystore, parse_formats
from .outputs import Output, parse_outputs
from .ownership import Ownership, key_mode
from .selinux import Context
from .services import check_of, reload_of


@dataclass(frozen=True)
class Endpoint:
    """A TLS server that must serve the certificate. server_name: for SNI; None sends none. starttls: the protocol that
    TLS begins in, of _tls.protocols; None for TLS from the first byte on."""

    host: str
    port: int
    server_name: str | None
    starttls: str | None = None


@dataclass(frozen=True)
class Deploy:
    """What makes a service serve the certificate. check, reload: argument lists, empty for none. timeout: seconds."""

    check: tuple[str, ...]
    reload: tuple[str, ...]
    endpoints: tuple[Endpoint, ...]
    timeout: int

    def __bool__(self) -> bool:
        return bool(self.check or self.reload or self.endpoints)

    def digest(self) -> str:
        """Changes when the declaration changes in a way that makes an earlier proof worthless.

        What a declaration does not use is left out, so that what was proven before there was such a thing stays proven.
        """
        endpoints = [[e.host, e.port, e.server_name, *([e.starttls] if e.starttls else [])] for e in self.endpoints]
        content = [self.check, self.reload, endpoints]
        return hashlib.sha256(json.dumps(content).encode("utf-8")).hexdigest()


@dataclass(frozen=True)
class Declared:
    """One declared certificate. ownership is looked up on this host. formats: names of files besides the PEM ones.
    shared: many hosts serve it, with one key."""

    name: str
    identifiers: tuple[str, ...]
    key_type: str
    profile: str | None
    renew_when_remaining: float | None
    force: bool
    ownership: Ownership
    deploy: Deploy
    formats: tuple[str, ...] = ()
    keystore: Keystore | None = None
    files: tuple[Output, ...] = ()
    adopt: Source | None = None
    shared: bool = False
    publish: tuple[published.Target, ...] = ()

    def wanted(self, acme_directory: str | None = None, *, force: bool = False) -> Wanted:
        return Wanted(
            identifiers=self.identifiers,
            key_type=self.key_type,
            profile=self.profile,
            acme_directory=acme_directory,
            renew_when_remaining=self.renew_when_remaining,
            force=self.force or force,
        )


def parse(item: dict[str, Any]) -> Declared:
    """One entry of the option ``certificates``. Raises CertfleetError."""
    name = certificate_name(item["name"])
    identifiers = tuple(validate_identifiers(item["identifiers"]))
    ownership = Ownership.of(item["owner"], item["group"], key_mode(item.get("mode"), name), _context(item, name))
    files, keystore = parse_formats(name, item)
    declared = Declared(
        name=name,
        identifiers=identifiers,
        key_type=item["key_type"],
        profile=item["profile"] or None,
        renew_when_remaining=item["renew_when_remaining"],
        force=item["force"],
        ownership=ownership,
        deploy=_deploy(name, item["deploy"] or {}, identifiers),
        formats=files,
        keystore=keystore,
        files=parse_outputs(name, item, files, ownership),
        adopt=Source.of(item.get("adopt")),
        shared=item.get("key_location") == SHARED,
        publish=published.parse(item.get("publish")),
    )
    declared.wanted()  # refuses a share that is none
    return declared


def names_once(items: Iterable[dict[str, Any]]) -> None:
    """Raises CertfleetError when two declared certificates carry one name."""
    seen: set[str] = set()
    for item in items:
        if item["name"] in seen:
            raise CertfleetError(f"the certificate {item['name']} is declared twice", remedy="Give each its own name.")
        seen.add(item["name"])


def _context(item: dict[str, Any], name: str) -> Context:
    """What is declared of the SELinux context. Only a level has colons, and no part has spaces."""
    for option in ("seuser", "serole", "setype", "selevel"):
        text = item.get(option) or ""
        if re.search(r"\s" if option == "selevel" else r"[\s:]", text):
            raise CertfleetError(f"{option} of {name} is {text!r}, which is no part of a context")
    return Context(*(item.get(option) or None for option in ("seuser", "serole", "setype", "selevel")))


def _deploy(name: str, item: dict[str, Any], identifiers: tuple[str, ...]) -> Deploy:
    sni = next((name for name in identifiers if not is_ip(name) and not name.startswith("*.")), None)
    endpoints = tuple(
        Endpoint(endpoint["host"], endpoint["port"], endpoint["server_name"] or sni, endpoint.get("starttls"))
        for endpoint in item.get("endpoints") or []
    )
    check, reload = _commands(item)
    for label, argv in (("check", check), ("reload", reload)):
        if argv and not argv[0].strip():
            raise CertfleetError(f"deploy.{label} has an empty program name", remedy="Give a list: program, arguments.")
        if _one_string(argv):
            raise CertfleetError(
                f"deploy.{label} of {name} is one string, {argv[0]!r}, and no program has that name here",
                remedy=f"Write it as a list of words: {_as_list(argv[0])}",
            )
    timeout = item.get("timeout") or 30
    if timeout < 1:
        raise CertfleetError(f"deploy.timeout is {timeout}", remedy="Give 1 second or more.")
    return Deploy(check, reload, endpoints, timeout)


def _commands(item: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Check and reload: what is given, an empty list meaning none, else what the service has."""
    check, reload, service = item.get("check"), item.get("reload"), item.get("service")
    if service is not None:
        check = check_of(service) if check is None else check
        reload = reload_of(service) if reload is None else reload
    return tuple(check or ()), tuple(reload or ())


def _one_string(argv: Sequence[str]) -> bool:
    """Whether a whole command line was written where a list belongs: Ansible makes a list of one string of it."""
    return len(argv) == 1 and bool(re.search(r"\s", argv[0])) and not os.path.exists(os.path.join("/", argv[0]))


def _as_list(line: str) -> str:
    """The command line as the YAML list that is meant."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    plain = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@=+-]*")
    return f"[{', '.join(word if plain.fullmatch(word) else json.dumps(word) for word in words)}]"
