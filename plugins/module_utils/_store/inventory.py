# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What certificates there are on a host: in the store, and in any other PEM files. Reads only."""

from __future__ import annotations

import datetime
import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import _x509
from .._batch import finish
from .._errors import CertfleetError
from .._module import require
from .._renewal import parse_instant, utc_now
from . import adopt, certbot, formats, outputs
from ._library import CRYPTOGRAPHY_IMPORT_ERROR
from .entry import Entry, Store, Version
from .files import Ownership

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

_MAX_FILE = 4 * 1024 * 1024
_META = (
    "acme_directory",
    "account_uri",
    "order_uri",
    "certificate_url",
    "profile",
    "requested_profile",
    "adopted_from",
)
_FACTS = (
    "serial",
    "not_before",
    "not_after",
    "issuer",
    "subject",
    "identifiers",
    "fingerprint_sha256",
    "public_key_sha256",
    "key_type",
    "ari_cert_id",
)


def main_work(module: AnsibleModule) -> dict[str, Any]:
    """The module certificate_info."""
    require(cryptography=CRYPTOGRAPHY_IMPORT_ERROR)
    params = module.params
    now = utc_now()
    wanted = {_hexadecimal(serial): serial for serial in params["serials"] or []}
    query = Query(names=tuple(params["names"] or ()), versions=params["versions"], all_serials=bool(wanted))
    found: list[dict[str, Any]] = []
    names: set[str] = set()
    serials: set[str] = set()
    if params["store_path"]:
        found, names, serials = _of_store(params["store_path"], query, now)
    if params["certbot_path"]:
        found += _of_certbot(params["certbot_path"], now)
    for path in params["paths"] or []:
        found += _of_path(path, now)
    serials |= {item["serial"] for item in found}
    if wanted:
        found = [item for item in found if item["failed"] or item["serial"] in wanted]
    finish(
        module,
        "certificates",
        found,
        missing_names=[name for name in dict.fromkeys(query.names) if name not in names],
        missing_serials=[asked for serial, asked in wanted.items() if serial not in serials],
    )


@dataclass(frozen=True)
class Query:
    """What of the store is listed. names: none for all. all_serials: learn the serials of what is not listed too."""

    names: tuple[str, ...]
    versions: str
    all_serials: bool

    def lists(self, item: dict[str, Any]) -> bool:
        """A folder that cannot be looked at has no state and is always listed."""
        return self.has(item["name"]) and (item["state"] is None or self.versions in {"all", item["state"]})

    def has(self, name: str) -> bool:
        return not self.names or name in self.names


def _hexadecimal(serial: str) -> str:
    """The spelling of results, from any usual one: colons, capitals, leading zeros. Raises CertfleetError."""
    try:
        return format(int(serial.replace(":", "").strip(), 16), "x")
    except ValueError as error:
        raise CertfleetError(f"{serial!r} is not a hexadecimal serial number") from error


def _of_store(path: str, query: Query, now: datetime.datetime) -> tuple[list[dict[str, Any]], set[str], set[str]]:
    """What is listed, the names of which there is any version, or which cannot be looked at, and the serials seen."""
    result: list[dict[str, Any]] = []
    names: set[str] = set()
    serials: set[str] = set()
    with Store(path, create=False, trusting=True) as store:
        for name in store.names():
            if not query.has(name) and not query.all_serials:
                continue
            try:
                entry = store.entry(name, Ownership(), create=False)
                if entry is None:
                    continue
                with entry:
                    items = list(_of_entry(entry, "all" if query.all_serials else query.versions, now))
                    names |= {name} if entry.labels() else set()
            except CertfleetError as error:
                names.add(name)
                items = [{**_empty("store", os.path.join(path, name)), **error.as_result(), "name": name}]
            serials |= {item["serial"] for item in items}
            result += [item for item in items if query.lists(item)]
    return result, names, serials


def _of_entry(entry: Entry, which: str, now: datetime.datetime) -> Iterator[dict[str, Any]]:
    current = entry.current()
    for label in entry.labels():
        if current is None or int(label) > int(current):
            state = "staged"
        else:
            state = "active" if label == current else "replaced"
        if which in {"all", state}:
            yield _version_item(entry, entry.load(label), state, now)


def _version_item(entry: Entry, version: Version, state: str, now: datetime.datetime) -> dict[str, Any]:
    return {
        **_empty("store", os.path.join(entry.path, "versions", version.label)),
        **version.facts,
        **{name: version.meta.get(name) for name in _META},
        **_dates(version.facts, now),
        "name": entry.name,
        "version": version.label,
        "state": state,
        "active": state == "active",
        "withdrawn": version.withdrawn,
        "deployed_at": (version.meta.get("deployed") or {}).get("at"),
        "formats": formats.present(entry, version.label),
        "files": sorted(outputs.paths_noted(entry)) if state == "active" else [],
        "certificate": version.leaf_pem or None,
        "broken": version.broken or None,
    }


def _of_certbot(path: str, now: datetime.datetime) -> list[dict[str, Any]]:
    """Each lineage of certbot's tree; none without such a tree."""
    try:
        lineages = certbot.lineages(path)
    except CertfleetError as error:
        return [{**_empty("certbot", path), **error.as_result()}]
    names = certbot.store_names([os.path.basename(lineage) for lineage in lineages])
    return [_lineage_item(lineage, names, now) for lineage in lineages]


def _lineage_item(lineage: str, names: dict[str, str], now: datetime.datetime) -> dict[str, Any]:
    """What is wrong with a lineage is no failure of the inventory, but it gets no declaration."""
    name = os.path.basename(lineage)
    item = {**_empty("certbot", lineage), "name": name}
    try:
        facts, leaf_pem = adopt.leaf_of(lineage)
        item.update(facts, **_dates(facts, now), certificate=leaf_pem)
        find = adopt.look(adopt.Source(certbot=lineage))
        item.update(acme_directory=find.renewal.acme_directory, requested_profile=find.renewal.profile)
        if item["expired"]:
            raise CertfleetError(f"it expired at {facts['not_after']}")
        item["declaration"] = adopt.declaration(lineage, names[name], find)
    except CertfleetError as error:
        item["broken"] = error.message
    return item


def _of_path(pattern: str, now: datetime.datetime) -> Iterator[dict[str, Any]]:
    """The first certificate of each file; a pattern that matches nothing gives nothing."""
    for path in sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]:
        item = _empty("path", path)
        try:
            with open(path, "rb") as file:
                text = file.read(_MAX_FILE).decode("ascii", "replace")
            leaf = _x509.load_chain(text)[0]
            facts = _x509.certificate_facts(leaf)
            item.update(facts, **_dates(facts, now), certificate=_x509.split_pem(text)[0])
        except OSError as error:
            item.update(CertfleetError(f"{path}: {error.strerror}").as_result())
        except CertfleetError as error:
            item.update(CertfleetError(f"{path}: {error}").as_result())
        yield item


def _dates(facts: dict[str, Any], now: datetime.datetime) -> dict[str, Any]:
    if not facts:
        return {"expired": None, "seconds_remaining": None}
    left = int((parse_instant(facts["not_after"]) - now).total_seconds())
    return {"expired": left <= 0, "seconds_remaining": max(0, left)}


def _empty(source: str, path: str) -> dict[str, Any]:
    return {
        "source": source,
        "name": path,
        "path": path,
        "version": None,
        "state": None,
        "active": None,
        "withdrawn": None,
        **dict.fromkeys(_FACTS),
        **dict.fromkeys(_META),
        "deployed_at": None,
        "expired": None,
        "seconds_remaining": None,
        "formats": [],
        "files": [],
        "certificate": None,
        "broken": None,
        "declaration": None,
        "changed": False,
        "failed": False,
        "msg": "",
    }
