# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One certificate on many hosts: who orders it, who gets it from whom, and what came of that. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HERE, EARLIER, LOST = "here", "earlier", "lost"
#: Reasons that lie with one host and say nothing against the certificate that it or others have. What was asked for by
#: force is no reason of the certificate's either; only one that answers it is good enough then.
_OF_THE_HOST = {"missing", "broken", "shared_elsewhere", "forced"}
_ALIKE = ("identifiers", "key_type", "profile")
_TOLD = ("serial", "not_before", "not_after", "issuer", "public_key_sha256", "identifiers")

Key = tuple[str, str]


@dataclass(frozen=True)
class Member:
    """A host that declares a shared certificate.

    item: what certificate_request said. place: HERE in the wave that is at work, EARLIER in one before it, LOST when it
    has left the play. held: the certificate that it has as far as it is of use, see certificate_request.
    """

    host: str
    item: Mapping[str, Any]
    store_path: str
    place: str = HERE
    held: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        return str(self.item["name"])

    @property
    def needy(self) -> bool:
        return self.place == HERE and self.item.get("needs") == "issue"

    @property
    def forced(self) -> bool:
        return any(reason.get("code") == "forced" for reason in self.item.get("reasons") or [])

    def has_withdrawn(self, held: Mapping[str, Any]) -> bool:
        """Whether this host has had that certificate and gone back from it."""
        return held.get("serial") in (self.item.get("withdrawn") or [])

    def answered_by(self, held: Mapping[str, Any]) -> bool:
        """Whether a certificate is new enough for what was asked for by force."""
        return not self.forced or self.item.get("public_key_sha256") in (held.get("answers") or [])


@dataclass(frozen=True)
class Share:
    """A host gets a certificate from another. held: that one, None when it is ordered now. behind: the host has one
    that would do for itself, and has not asked."""

    name: str
    host: str
    source: Member
    held: Mapping[str, Any] | None
    recipient: str | None
    behind: bool


@dataclass
class Plan:
    """refused: why, by host and name. answers: by who orders, the requests of others that are done with by it.
    notes: why a host that would get another certificate is left alone."""

    shares: list[Share] = field(default_factory=list)
    refused: dict[Key, str] = field(default_factory=dict)
    answers: dict[Key, list[str]] = field(default_factory=dict)
    notes: dict[Key, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.shares or self.refused or self.notes)

    def ordered(self, items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those of the items of a batch that are to be ordered: one for each shared certificate."""
        left_out = {(share.host, share.name) for share in self.shares} | set(self.refused)
        return [item for item in items if (item["host"], item["name"]) not in left_out]


def member(host: str, item: Mapping[str, Any], store_path: str, place: str, obtained: Mapping[str, Any]) -> Member:
    """A host as it is now. obtained: what it got in a wave before this one, empty when nothing."""
    held = item.get("held")
    if place != HERE and item.get("needs") == "issue":
        # What it had is what it asked to be rid of.
        held = None if obtained.get("failed") or not obtained.get("serial") else obtained
    return Member(host, item, store_path, place, held)


def plan(members: Iterable[Member]) -> Plan:
    """What is to be done for shared certificates, by name. members: in the order of the play."""
    groups: dict[str, list[Member]] = {}
    for one in members:
        groups.setdefault(one.name, []).append(one)
    found = Plan()
    for group in groups.values():
        if any(one.place == HERE for one in group):
            _plan_one(found, group)
    return found


def _plan_one(found: Plan, group: Sequence[Member]) -> None:
    here = [one for one in group if one.place == HERE]
    difference = _difference([one for one in group if one.place != LOST])
    if difference:
        found.refused.update({(one.host, one.name): difference for one in here})
        return
    needy = [one for one in here if one.needy]
    condemned = {
        _identity(one.held)
        for one in needy
        if one.held and any(reason.get("code") not in _OF_THE_HOST for reason in one.item.get("reasons") or [])
    }
    good = [
        (one, one.held)
        for one in group
        if one.held
        and not one.needy
        and _identity(one.held) not in condemned
        and all(asking.answered_by(one.held) and not asking.has_withdrawn(one.held) for asking in needy)
    ]
    within_reach = [(one, held) for one, held in good if one.place != LOST]
    if within_reach:
        source, held = max(within_reach, key=lambda pair: _age(pair[1]))
        _share(found, source, held, here)
    elif needy and good:
        holder = good[0][0].host
        text = (
            f"{holder} has this certificate, and it has left the play (unreachable or failed). Run again when it can "
            "be reached, without it in the play, or with force"
        )
        found.refused.update({(one.host, one.name): text for one in needy})
    elif needy:
        leader = needy[0]
        answers = [str(one.item["public_key_sha256"]) for one in needy[1:] if one.forced and _requested(one)]
        found.answers[leader.host, leader.name] = answers
        _share(found, leader, None, here)


def _share(found: Plan, source: Member, held: Mapping[str, Any] | None, here: Iterable[Member]) -> None:
    """All others get it, unless they have it. held: None when the source orders it."""
    for one in here:
        if one.host == source.host or (held and not one.needy and _identity(one.held) == _identity(held)):
            continue
        if held and one.has_withdrawn(held):
            found.notes[one.host, one.name] = (
                f"{one.host} has gone back from the certificate {one.name} of {source.host}, serial "
                f"{held.get('serial')}, and goes on with an older one. Go back from it on all its hosts, or name its "
                f"version in versions on {one.host}"
            )
            continue
        recipient = one.item.get("recipient")
        found.shares.append(Share(one.name, one.host, source, held, recipient, behind=not one.needy))


def _requested(one: Member) -> bool:
    return bool(one.item.get("public_key_sha256"))


def _identity(held: Mapping[str, Any] | None) -> tuple[Any, Any]:
    return (held or {}).get("serial"), (held or {}).get("public_key_sha256")


def _age(held: Mapping[str, Any]) -> tuple[str, str]:
    """Newer is greater; the serial number only makes all runs choose the same."""
    return str(held.get("not_before")), str(held.get("serial"))


def _difference(group: Sequence[Member]) -> str:
    """What of a shared certificate is not declared alike, and by whom; empty when all is."""
    first = group[0]
    for name in _ALIKE:
        values = {one.host: _said(one.item.get(name)) for one in group}
        other = next((host for host, value in values.items() if value != values[first.host]), None)
        if other is not None:
            return (
                f"it is declared as shared with other {name.replace('_', ' ')} on {other} than on {first.host}: "
                f"{values[other]}, not {values[first.host]}. Declare it alike, or give one of them another name"
            )
    return ""


def _said(value: Any) -> str:
    return ", ".join(sorted(value)) if isinstance(value, list) else str(value or "none")


def complete(result: dict[str, Any], found: Plan, *, check_mode: bool) -> dict[str, Any]:
    """The result of acme_certificate with an item for each host that gets its certificate from another.

    Adds shares (what is to be sealed, by the host that has it) and behind (by host, what it is to be told), and
    left_alone, which hosts keep another certificate.
    """
    items = [dict(item) for item in result.get("certificates") or []]
    by_key = {(item.get("host"), item.get("name")): item for item in items}
    for key, answers in found.answers.items():
        if answers and key in by_key:
            by_key[key]["answers"] = answers
    shares: dict[str, dict[str, Any]] = {}
    behind: dict[str, list[dict[str, Any]]] = {}
    for share in found.shares:
        ordered = None if share.held else by_key.get((share.source.host, share.name), {"failed": True})
        item = _item(share, ordered)
        if item["failed"] and share.behind:
            continue  # what it has goes on being good
        items.append(item)
        if item["failed"]:
            continue
        if share.behind:
            told = {"name": share.name, "host": share.source.host, "serial": item.get("serial")}
            behind.setdefault(share.host, []).append(told)
        wanted = {
            "name": share.name,
            "host": share.host,
            "public_key_sha256": item.get("public_key_sha256"),
            "serial": share.held and share.held["serial"],
            "recipient": share.recipient,
        }
        empty = {"host": share.source.host, "store_path": share.source.store_path, "wanted": []}
        shares.setdefault(share.source.host, empty)["wanted"].append(wanted)
    for (host, name), text in found.refused.items():
        items.append({"name": name, "host": host, "changed": False, "failed": True, "msg": text})
    kept = {key: value for key, value in result.items() if key not in ("skipped", "skip_reason")}
    if found.notes:
        kept["warnings"] = [*(kept.get("warnings") or []), *found.notes.values()]
        kept["left_alone"] = [{"name": name, "host": host, "msg": text} for (host, name), text in found.notes.items()]
    return {
        **kept,
        "certificates": items,
        "failed_items": [str(item.get("name")) for item in items if item.get("failed")],
        "shares": [] if check_mode else list(shares.values()),
        "behind": behind,
    }


def _item(share: Share, ordered: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the host is told of the certificate that it gets. ordered: the result of who ordered it."""
    own = {"name": share.name, "host": share.host, "changed": False, "shared_from": share.source.host}
    if ordered is None:
        told = {name: value for name, value in (share.held or {}).items() if name in _TOLD}
        return {**told, **own, "failed": False, "msg": ""}
    if ordered.get("failed"):
        cause = ordered.get("msg") or "no result came"
        text = f"{share.source.host} ordered it for all its hosts, and that failed: {cause}"
        return {**ordered, **own, "failed": True, "msg": text}
    return {**ordered, **own, "warnings": []}


def with_keys(obtained: Mapping[str, Any], shares: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The result of acme_certificate with what certificate_share returned put into the items that wait for it."""
    sealed = {(share.get("host"), share.get("name")): share for share in shares}
    return {
        **obtained,
        "certificates": [
            _with_key(item, sealed.get((item.get("host"), item.get("name")))) if item.get("shared_from") else item
            for item in obtained.get("certificates") or []
        ],
    }


def _with_key(item: Mapping[str, Any], share: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if share is None or item.get("failed"):
        return item
    if share.get("failed"):
        text = f"its key is on {item['shared_from']} and did not come from there: {share.get('msg')}"
        return {**item, "failed": True, "msg": text}
    told = {name: value for name, value in share.items() if value is not None}
    return {**item, **told, "changed": False, "failed": False, "msg": ""}


def resolved(wanted: Iterable[Mapping[str, Any]], recipients: Mapping[Key, str]) -> list[dict[str, Any]]:
    """What is wanted, with the recipients that were not known before. recipients: by host and name."""
    return [
        {**item, "recipient": item.get("recipient") or recipients.get((item["host"], item["name"]))} for item in wanted
    ]


def failed(wanted: Iterable[Mapping[str, Any]], cause: str) -> list[dict[str, Any]]:
    """What certificate_share returns for each of these when it could do nothing."""
    return [
        {"name": item["name"], "host": item["host"], "changed": False, "failed": True, "msg": cause} for item in wanted
    ]
