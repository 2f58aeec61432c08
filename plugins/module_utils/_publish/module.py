# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module certificate_publish: the active version of each declared certificate, to each of its targets."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable

from .. import _x509
from .._batch import finish, results_or_cause, run_batch
from .._errors import CertfleetError
from .._module import MissingLibrary, require
from .._renewal import parse_instant, utc_now
from .._store import published, selinux
from .._store._library import CRYPTOGRAPHY_IMPORT_ERROR
from .._store.declared import Declared, names_once, parse
from .._store.entry import Entry, Store, Version
from .._store.published import Material, Target
from .model import Deadline, Publisher

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


#: What makes a publisher of a target: name of the certificate, host, deadline.
Connect = Callable[[Target, str, str, Deadline], Publisher]


def main_work(module: AnsibleModule) -> dict[str, Any]:
    """The module certificate_publish."""
    params = module.params

    def work() -> list[dict[str, Any]]:
        selinux.leave_alone(module._selinux_special_fs)
        return publish_all(params, check=module.check_mode)

    results = results_or_cause(module, params["certificates"], work, _empty)
    diffs = [diff for result in results for diff in _diffs(result)] if module._diff else None
    finish(module, "certificates", results, diffs=diffs)


def publish_all(params: Mapping[str, Any], *, check: bool, connect: Connect | None = None) -> list[dict[str, Any]]:
    """A result for each declared certificate. connect: a seam for tests. Raises CertfleetError."""
    require(cryptography=CRYPTOGRAPHY_IMPORT_ERROR)
    items = params["certificates"]
    names_once(items)
    if params["timeout"] < 1:
        raise CertfleetError(f"timeout is {params['timeout']}", remedy="Give 1 second or more.")
    host = params["host"] or platform.node()
    made = connect or Clients(os.environ).publisher
    claims = _claims(items)

    def one(item: dict[str, Any]) -> dict[str, Any]:
        declared = parse(item)
        if not declared.publish:
            return _empty(item)
        for target in declared.publish:
            other = claims.get(target.digest, declared.name)
            if other != declared.name:
                raise CertfleetError(
                    f"{other} is published to {target.title} as well",
                    remedy="Give each certificate a target of its own.",
                )
        with Store(params["store_path"], create=False) as store:
            return _publish_one(store, declared, host, params["timeout"], made, check=check)

    found = run_batch(items, one, concurrency=params["concurrency"])
    return [
        {**_empty(item), "stage": "publish", **result.as_result()} if isinstance(result, CertfleetError) else result
        for item, result in zip(items, found)
    ]


def _claims(items: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The first certificate that is declared for each target that can have one only."""
    claims: dict[str, str] = {}
    for item in items:
        with suppress(CertfleetError):  # said when its turn comes
            for target in published.parse(item.get("publish")):
                if target.names_one:
                    claims.setdefault(target.digest, item["name"])
    return claims


def _publish_one(
    store: Store, declared: Declared, host: str, timeout: float, connect: Connect, *, check: bool
) -> dict[str, Any]:
    entry = store.entry(declared.name, declared.ownership, create=False)
    if entry is None:
        return _nothing_active(declared, check=check)
    with entry:
        entry.lock()
        current = entry.current()
        if current is None:
            return _nothing_active(declared, check=check)
        version = entry.load(current)
        _refuse_unfit(version)
        material = published.material(entry, version)
        targets = [
            _to_target(entry, material, target, declared, host, timeout, connect, check=check)
            for target in declared.publish
        ]
    failures = [f"{target['title']}: {target['msg']}" for target in targets if target["failed"]]
    return {
        **_empty({"name": declared.name}),
        "changed": any(target["changed"] for target in targets),
        "failed": bool(failures),
        "msg": "; ".join(failures),
        "stage": "publish" if failures else "published",
        "version": version.label,
        "serial": version.facts["serial"],
        "targets": targets,
    }


def _to_target(
    entry: Entry,
    material: Material,
    target: Target,
    declared: Declared,
    host: str,
    timeout: float,
    connect: Connect,
    *,
    check: bool,
) -> dict[str, Any]:
    """What became of one target; what goes wrong there is its failure and keeps no other from being tried."""
    noted = published.notes(entry).get(target.digest, {}).get("resource")
    result: dict[str, Any] = {
        "kind": target.kind,
        "title": target.title,
        "resource": noted,
        "changed": False,
        "created": False,
        "serial": material.facts["serial"],
        "previous_serial": None,
        "failed": False,
        "msg": "",
    }
    try:
        publisher = connect(target, declared.name, host, Deadline(timeout))
        outcome = publisher.publish(material, noted if isinstance(noted, str) else None, check=check)
    except MissingLibrary as error:
        told = CertfleetError(f"on {platform.node()}, {error.message}", remedy=error.remedy)
        return {**result, "failed": True, "msg": str(told)}
    except CertfleetError as error:
        return {**result, "failed": True, "msg": str(error)}
    result.update(
        resource=outcome.resource,
        changed=outcome.changed,
        created=outcome.created,
        previous_serial=outcome.previous_serial,
        msg=outcome.msg,
    )
    if not check:
        _note(entry, target, material, outcome.resource)
    return result


def _note(entry: Entry, target: Target, material: Material, resource: str | None) -> None:
    """Write down that the target has this version, unless that is written there."""
    fields = {
        "resource": resource,
        "serial": material.facts["serial"],
        "fingerprint_sha256": material.facts["fingerprint_sha256"],
    }
    known = published.notes(entry).get(target.digest, {})
    if any(known.get(name) != value for name, value in fields.items()):
        published.note(entry, target, **fields, at=_x509.timestamp(utc_now()))


def _refuse_unfit(version: Version) -> None:
    """Nothing is sent of what no service should serve."""
    if version.broken:
        raise CertfleetError(f"version {version.label} cannot be published: {version.broken}", remedy="Issue it anew.")
    if version.meta.get("compromised"):
        raise CertfleetError(
            f"the key of version {version.label} is marked compromised and is not published",
            remedy="Rotate the certificate first.",
        )
    if parse_instant(version.facts["not_after"]) <= utc_now():
        raise CertfleetError(
            f"version {version.label} expired at {version.facts['not_after']} and is not published",
            remedy="Issue it anew first.",
        )


def _nothing_active(declared: Declared, *, check: bool) -> dict[str, Any]:
    """Of a certificate that has no version yet: check mode takes it that the one to come would be published."""
    if not check:
        raise CertfleetError(
            "no version is active, so there is nothing to publish", remedy="Issue and install it first."
        )
    return {**_empty({"name": declared.name}), "changed": True, "msg": "it would be published once a version is active"}


def _empty(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": item["name"],
        "changed": False,
        "failed": False,
        "msg": "",
        "stage": "nothing",
        "version": None,
        "serial": None,
        "targets": [],
    }


def _diffs(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Serial numbers, a diff for each target that changed."""
    return [
        {
            "before_header": f"{result['name']}: {target['title']}",
            "after_header": f"{result['name']}: {target['resource'] or target['title']}",
            "before": f"serial: {target['previous_serial']}\n" if target["previous_serial"] else "no certificate\n",
            "after": f"serial: {target['serial']}\n",
        }
        for target in result["targets"]
        if target["changed"]
    ]


class Clients:
    """Makes publishers, and what they ask clouds with once for all that have the same options."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._made: dict[tuple[Any, ...], Any] = {}
        self._lock = threading.Lock()

    def publisher(self, target: Target, name: str, host: str, deadline: Deadline) -> Publisher:
        """Loads the cloud's library. Raises CertfleetError, MissingLibrary."""
        if target.kind == "acm":
            from . import acm

            client = self._once(target, acm.connect, ("certificate_arn",), shared=True)
            return acm.Acm(client, target.options, name, host, deadline)
        from . import certificate_manager

        session, project = self._once(target, certificate_manager.connect, ("certificate",), shared=False)
        return certificate_manager.CertificateManager(session, project, target.options, deadline)

    def _once(self, target: Target, make: Callable[..., Any], own: tuple[str, ...], *, shared: bool) -> Any:
        """own: options that do not matter to the client; shared: whether threads may use one at the same time."""
        options = {name: value for name, value in target.options.items() if name not in (*own, "tags", "labels")}
        region = str(target.options.get("certificate_arn") or "").split(":")[3:4]
        key = (target.kind, repr(sorted(options.items())), *region, None if shared else threading.get_ident())
        with self._lock:
            if key not in self._made:
                self._made[key] = make(target.options, self._environment)
            return self._made[key]
