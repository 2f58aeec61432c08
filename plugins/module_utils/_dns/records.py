# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the modules that make TXT values present or absent at one provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._batch import finish
from .._errors import CertfleetError
from .._journal.model import KEPT
from .._journal.run import open_journal
from .._names import normalise
from .argspec import CLOUD_DNS_ARGSPEC, RFC2136_ARGSPEC, ROUTE53_ARGSPEC, show_public_parts
from .factory import build_engine
from .model import Outcome, RecordSet, TxtRecord, unquote

if TYPE_CHECKING:
    from typing import NoReturn

    from ansible.module_utils.basic import AnsibleModule


def manage_route53(module: AnsibleModule) -> NoReturn:
    """The module dns01_route53. Raises CertfleetError for options that cannot work."""
    _manage(module, "route53", {name: module.params[name] for name in ROUTE53_ARGSPEC})


def manage_cloud_dns(module: AnsibleModule) -> NoReturn:
    """The module dns01_cloud_dns. Raises CertfleetError for options that cannot work."""
    _manage(module, "cloud_dns", {name: module.params[name] for name in CLOUD_DNS_ARGSPEC})


def manage_rfc2136(module: AnsibleModule) -> NoReturn:
    """The module dns01_rfc2136. Raises CertfleetError for options that cannot work."""
    _manage(module, "rfc2136", {name: module.params[name] for name in RFC2136_ARGSPEC})


def _manage(module: AnsibleModule, provider: str, options: dict[str, Any]) -> NoReturn:
    params = module.params
    show_public_parts(module)
    options = {
        "dns_providers": [{"provider": provider, "zones": [], provider: options}],
        "dns_ttl": params["ttl"],
        "dns_wait": params["wait"],
        "dns_timeout": params["wait_timeout"],
        "dns_resolvers": params["resolvers"],
        "dns_follow_cname": params["follow_cname"],
    }
    items = [_Item(entry) for entry in params["records"]]
    records = [record for item in items for record in item.records]
    troubles: list[str] = []
    with open_journal(params, program=f"dns01_{provider}", kind=KEPT, check_mode=module.check_mode) as journal:
        engine = build_engine(options, journal=journal)
        if module.check_mode:
            outcome = engine.plan(records, state=params["state"])
        elif params["state"] == "present":
            outcome = engine.present(records)
        else:
            outcome = engine.absent(records)
        if journal is not None:
            troubles = [*journal.troubles, *journal.left_to_others]
    for trouble in troubles:
        module.warn(trouble)
    finish(
        module,
        "records",
        [item.result(outcome) for item in items],
        item_word="record",
        name_key="record",
        diffs=diffs(outcome.sets),
        api_calls=sum(engine.calls.values()),
    )


class _Item:
    """One entry of the option ``records``; a bad name or value is its own failure."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self._name = str(entry["record"])
        self._values = [unquote(value) for value in entry["values"]]
        self._error: CertfleetError | None = None
        self.records: list[TxtRecord] = []
        try:
            # Without a value too, as an order that is only planned has it.
            self._name = normalise(self._name)
            self.records = [TxtRecord(self._name, value) for value in self._values]
        except CertfleetError as error:
            self._error = error

    def result(self, outcome: Outcome) -> dict[str, Any]:
        errors = [self._error, *(outcome.failed.get(record) for record in self.records)]
        causes = list(dict.fromkeys(str(error) for error in errors if error is not None))
        first = self.records[0] if self.records else None
        return {
            "record": self._name,
            "values": self._values,
            "target": outcome.targets[first].name if first in outcome.targets else self._name,
            "zone": outcome.zones.get(first) if first else None,
            "zone_id": outcome.zone_ids.get(first) if first else None,
            "changed": any(outcome.changed.get(record) for record in self.records),
            "failed": bool(causes),
            "msg": "; ".join(causes),
        }


def diffs(sets: Mapping[str, tuple[RecordSet | None, RecordSet | None]]) -> list[dict[str, str]]:
    """One diff for each name whose set changes, in the form of a zone file."""
    return [
        {"before_header": name, "after_header": name, "before": _lines(before), "after": _lines(after)}
        for name, (before, after) in sets.items()
        if before != after
    ]


def _lines(record_set: RecordSet | None) -> str:
    if record_set is None:
        return ""
    sets = record_set.parts or (record_set,)
    return "".join(
        f"{record_set.name}. {one.ttl} IN TXT {value}" + (f" ; {one.identifier}\n" if record_set.parts else "\n")
        for one in sets
        for value in one.values
    )
