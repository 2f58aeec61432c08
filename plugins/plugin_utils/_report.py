# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of each certificate of a run, from what the calls of the run returned. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Items = Iterable[Mapping[str, Any]]


def rows_of_host(
    host: str,
    requested: Items,
    obtained: Items,
    installed: Items,
    *,
    staged: Items = (),
    published: Items = (),
    check_mode: bool,
) -> list[dict[str, Any]]:
    """One row for each certificate of a host, in the order of the declaration.

    requested, obtained, installed, published: the items that certificate_request, acme_certificate, certificate_install
    and certificate_publish returned for this host; any of them may be empty because its task did not run. staged: what
    certificate_install returned before, when it was to stage only.
    A row: host, name, outcome (failed, planned, unchanged, or a key of _SENTENCES), proven, why (texts), serial,
    previous_serial, not_after, msg.
    """
    calls = (requested, obtained, staged, installed, published)
    steps = [{str(item.get("name")): item for item in items} for items in calls]
    names = list(dict.fromkeys(name for step in steps for name in step))
    return [_row(host, name, *(step.get(name, {}) for step in steps), check_mode=check_mode) for name in names]


def _row(
    host: str,
    name: str,
    request: Mapping[str, Any],
    obtained: Mapping[str, Any],
    staged: Mapping[str, Any],
    install: Mapping[str, Any],
    publish: Mapping[str, Any],
    *,
    check_mode: bool,
) -> dict[str, Any]:
    current = request.get("current") or {}
    # The first step that failed holds the cause; what comes after it only follows from it.
    failure = next((step for step in (request, obtained, staged, install, publish) if step.get("failed")), None)
    if staged.get("changed") and not install.get("changed"):
        install = staged  # it did not come further
    if failure is not None:
        outcome = "failed"
    elif check_mode and (
        request.get("needs", "nothing") != "nothing"
        or any(step.get("changed") for step in (install, publish))
        or request.get("corrected")
    ):
        outcome = "planned"
    elif install.get("changed"):
        outcome = _of_install(request, install)
    elif publish.get("changed"):
        outcome = "published"
    elif obtained:
        outcome = "obtained"
    elif request.get("changed") and "adopted" in _codes(request):
        outcome = "found"
    elif request.get("corrected"):
        outcome = "corrected"
    else:
        outcome = "unchanged"
    serials = [step for step in (install, publish, obtained, current) if step.get("serial")]
    serial = serials[0]["serial"] if serials else None
    ends = [step["not_after"] for step in serials if step["serial"] == serial and step.get("not_after")]
    reasons = request.get("reasons") or []
    if failure is not None and failure.get("stage") == "publish":
        # What it was to be installed for is done.
        reasons = [reason for reason in reasons if reason.get("code") == "not_published"]
    return {
        "host": host,
        "name": name,
        "outcome": outcome,
        "activated": bool(install.get("changed") and install.get("active")),
        "proven": bool(install.get("proven")),
        "why": [
            *(str(reason.get("text")) for reason in reasons),
            *([f"with the key of {obtained['shared_from']}"] if obtained.get("shared_from") else []),
        ],
        "serial": serial,
        "previous_serial": install.get("previous_serial") or (current.get("serial") if obtained else None),
        "not_after": ends[0] if ends else None,
        "msg": _cause(failure) if failure is not None else None,
    }


def _codes(request: Mapping[str, Any]) -> list[Any]:
    return [reason.get("code") for reason in request.get("reasons") or []]


def _of_install(request: Mapping[str, Any], install: Mapping[str, Any]) -> str:
    """The outcome for a certificate that certificate_install has changed something of."""
    version, before = install.get("version"), install.get("previous_version")
    if not install.get("active"):
        return "staged"
    if install.get("withdrawn") or (version and before and int(version) < int(before)):
        return "returned"
    if "adopted" in _codes(request):
        return "adopted"
    if install.get("serial") == install.get("previous_serial"):
        return "redeployed"
    if not install.get("deployed"):
        return "active"
    return "served" if install.get("proven") else "deployed"


def _cause(failure: Mapping[str, Any]) -> str:
    """The cause in words that say so when only the publishing failed: the host itself serves the certificate."""
    return f"publish: {failure.get('msg')}" if failure.get("stage") == "publish" else str(failure.get("msg"))


#: What is in use after these, and nothing was proven where no endpoint is declared.
_IN_USE = ("deployed", "active", "adopted", "returned", "redeployed")
_SENTENCES = {
    "served": "new certificate served, serial {serial}, until {not_after}",
    "deployed": "new certificate deployed, serial {serial}, until {not_after}",
    "active": "new certificate in place, serial {serial}, until {not_after}",
    "adopted": "taken over, serial {serial}, until {not_after}",
    "found": "taken over, not in use yet",
    "returned": "gone back to serial {serial}, until {not_after}",
    "redeployed": "deployed anew as declared, serial {serial}, until {not_after}",
    "corrected": "files corrected, serial {serial}, until {not_after}",
    "staged": "new certificate staged, serial {serial}, until {not_after}",
    "obtained": "certificate obtained, serial {serial}, until {not_after}",
    "published": "certificate published, serial {serial}, until {not_after}",
    "unchanged": "nothing to do, serial {serial}, until {not_after}",
    "planned": "would change",
    "revoked": "revoked, serial {serial}",
}


def rows_of_revocations(host: str, revoked: Items, *, check_mode: bool) -> list[dict[str, Any]]:
    """One row, as rows_of_host() has them, for each certificate of a host that acme_revoke was given.

    revoked: the items that it returned for this host. Outcomes: failed, planned, revoked, unchanged (it was before).
    """
    rows: list[dict[str, Any]] = []
    for item in revoked:
        outcome = "failed" if item.get("failed") else "unchanged" if not item.get("changed") else "revoked"
        rows.append(
            {
                "host": host,
                "name": str(item.get("name")),
                "outcome": "planned" if check_mode and outcome == "revoked" else outcome,
                "activated": False,
                "proven": False,
                "why": [],
                "serial": item.get("serial"),
                "previous_serial": None,
                "not_after": None,
                "msg": item.get("msg") if item.get("failed") else None,
            }
        )
    return rows


def of_lost_call(requested: Items, result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """An item for each certificate that a call was to bring into use and said nothing about, because it failed as a
    whole or the host was not reached any more. result: what the host registered."""
    wanted = [item for item in requested if item.get("needs", "nothing") != "nothing"]
    return _lost(wanted, result)


def of_lost_publishing(requested: Items, installed: Items, result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The same for the call that publishes. Of what was requested in the run it is known what is published already;
    else all that is declared to be published counts."""
    requested = list(requested)
    unpublished = [item for item in requested if set(_codes(item)) - {"files_differ", "not_deployed"}]
    wanted = unpublished if requested else installed
    items = _lost([item for item in wanted if item.get("publish")], result)
    return [{**item, "stage": "publish"} for item in items]


def _lost(wanted: Items, result: Mapping[str, Any]) -> list[dict[str, Any]]:
    if result.get("certificates") or not (result.get("failed") or result.get("unreachable")):
        return []
    cause = " ".join(str(result.get("msg") or "the module failed without a word").split())
    if result.get("unreachable"):
        cause = f"the host was not reached any more: {cause}"
    return [{"name": item.get("name"), "changed": False, "failed": True, "msg": cause} for item in wanted]


def stops(broken: int, wave: int, max_fail_percentage: float | None) -> bool:
    """Whether Ansible ends the play after a wave of so many hosts of which so many fail."""
    if broken == 0 or broken >= wave:
        return broken > 0
    return max_fail_percentage is not None and broken / wave > max_fail_percentage / 100


def lines(
    rows: Iterable[Mapping[str, Any]],
    lost: Iterable[str],
    waiting: Iterable[str] = (),
    *,
    stopped: bool = False,
    staged: bool = False,
    absent: Iterable[str] = (),
) -> list[str]:
    """The report for an operator: a line for each certificate that something happened to, failures last.

    lost: hosts that left the play. waiting: hosts that a later wave is to reach, or none when the play is stopped.
    staged: whether they have got what was obtained for them. absent: hosts of those lost that had left an earlier play
    already. Ends with a line of totals.
    """
    rows, lost, waiting, absent = list(rows), list(lost), list(waiting), list(absent)
    result = []
    for row in sorted(rows, key=lambda row: row["outcome"] == "failed"):
        if row["outcome"] == "unchanged":
            continue
        if row["outcome"] == "failed":
            text = f"FAILED: {row['msg']}"
            if row["why"]:
                text += f" (wanted because: {'; '.join(row['why'])})"
        else:
            text = _SENTENCES[row["outcome"]].format(**{key: value or "unknown" for key, value in row.items()})
            if row["outcome"] in _IN_USE:
                text += ", served" if row["proven"] else "; no endpoint to prove it at"
            if row["previous_serial"] and row["previous_serial"] != row["serial"]:
                text += f"; before it serial {row['previous_serial']}"
            if row["why"]:
                text += f" ({'; '.join(row['why'])})"
        result.append(f"{row['host']} {row['name']}: {text}")
    reported = {row["host"] for row in rows if row["outcome"] == "failed"}
    activated = {row["host"] for row in rows if row["activated"]}
    for host in lost:
        if host in reported:
            continue
        text = f"{host}: FAILED: it left the play (unreachable or failed, see above)"
        if host in absent:
            text = f"{host}: FAILED: it had left an earlier play (unreachable or failed, see above) and took no part"
        elif host not in activated:
            text += "; its certificates are as they were"
        result.append(text)
    if stopped and waiting:
        state = "what was obtained for them is staged there and not in use" if staged else "they are as they were"
        result.append(
            f"the rollout stops here, not reached: {', '.join(waiting)}; {state}. Repair what failed and run the same "
            "again: it goes on from here and orders nothing again that was obtained"
        )
    totals = {outcome: sum(row["outcome"] == outcome for row in rows) for outcome in ("unchanged", "planned", "failed")}
    done = len(rows) - sum(totals.values())
    parts = [f"{done} changed", f"{totals['unchanged']} unchanged", f"{totals['failed']} failed"]
    if totals["planned"]:
        parts.insert(0, f"{totals['planned']} would change")
    if lost:
        parts.append(f"{len(lost)} host{'' if len(lost) == 1 else 's'} lost")
    if waiting:
        parts.append(f"not reached{'' if stopped else ' yet'}: {', '.join(waiting)}")
    result.append(f"{len(rows)} certificate{'' if len(rows) == 1 else 's'}: {', '.join(parts)}")
    return result
