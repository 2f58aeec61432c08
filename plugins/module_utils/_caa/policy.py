# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a set of CAA records lets a CA do (RFC 8659 section 4, RFC 8657). Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

#: Bit 0 of the flags, the most significant one (RFC 8659 section 4.1).
_CRITICAL = 128
#: Tags of RFC 8659, and those registered since, which say nothing about server certificates.
_KNOWN = frozenset({"issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"})
#: RFC 8659 section 4.2: the domain name of an issuer, and the parameters behind it.
_ISSUER = re.compile(r"[a-z0-9](?:-*[a-z0-9])*(?:\.[a-z0-9](?:-*[a-z0-9])*)*", re.IGNORECASE)
_PARAMETER = re.compile(r"(?P<tag>[a-z0-9](?:-*[a-z0-9])*)[ \t]*=[ \t]*(?P<value>[\x21-\x3a\x3c-\x7e]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Property:
    """One CAA record. flags: 0 to 255; tag in lower case."""

    flags: int
    tag: str
    value: str

    def __str__(self) -> str:
        return f'{self.flags} {self.tag} "{self.value}"'


@dataclass(frozen=True)
class Applicant:
    """Who asks for a certificate. identities: the issuer domain names of the CA (RFC 8555 section 7.1.1,
    caaIdentities), empty when it does not say; account_uri: None when not known; method: such as ``dns-01``."""

    identities: Collection[str]
    account_uri: str | None
    method: str


@dataclass(frozen=True)
class Verdict:
    """allowed: None when it cannot be told. reason: why not, or why it cannot be told; empty when allowed."""

    allowed: bool | None
    reason: str = ""


def judge(properties: Sequence[Property], applicant: Applicant, *, wildcard: bool) -> Verdict:
    """Whether the set that applies to a name lets the applicant's CA issue for it, or for its wildcard."""
    for entry in properties:
        if entry.flags & _CRITICAL and entry.tag not in _KNOWN:
            return Verdict(False, f"the critical property {entry} forbids issuance to every CA that does not know it")
    relevant = [entry for entry in properties if entry.tag == "issuewild"] if wildcard else []
    relevant = relevant or [entry for entry in properties if entry.tag == "issue"]
    if not relevant:
        return Verdict(True)
    shown = ", ".join(str(entry) for entry in relevant)
    if not applicant.identities:
        if all(_issuer(entry.value)[0] == "" for entry in relevant):
            return Verdict(False, f"{shown} forbids every CA")
        return Verdict(None, f"{shown} names the CAs that may issue, and this CA does not say under which name it does")
    wanted = {name.rstrip(".").lower() for name in applicant.identities}
    mine = [entry for entry in relevant if _issuer(entry.value)[0] in wanted]
    if not mine:
        return Verdict(False, f"{shown} does not name this CA ({', '.join(sorted(wanted))})")
    verdicts = [_parameters(entry, applicant) for entry in mine]
    # One record that allows it is enough; else the one that says the least against it.
    return next((one for one in verdicts if one.allowed), None) or min(verdicts, key=lambda one: one.allowed is False)


def _issuer(value: str) -> tuple[str | None, str]:
    """The issuer of a property in lower case, "" for nobody, None for a value that is malformed; and the rest."""
    name, _semicolon, rest = value.partition(";")
    name = name.strip(" \t")
    if name and not _ISSUER.fullmatch(name):
        return None, rest
    return name.lower(), rest


def _parameters(entry: Property, applicant: Applicant) -> Verdict:
    """What the parameters of a property that names the CA say (RFC 8657 sections 3 and 4)."""
    found: dict[str, list[str]] = {}
    for part in _issuer(entry.value)[1].split(";"):
        text = part.strip(" \t")
        if not text:
            continue
        match = _PARAMETER.fullmatch(text)
        if match is None:
            return Verdict(False, f"{entry} has the malformed parameter {text!r}, which no CA may take for a yes")
        found.setdefault(match["tag"].lower(), []).append(match["value"])
    for tag in ("accounturi", "validationmethods"):
        if len(found.get(tag, ())) > 1:
            return Verdict(False, f"{entry} has {tag} more than once, which nothing can satisfy")
    methods = found.get("validationmethods")
    if methods and applicant.method not in methods[0].split(","):
        return Verdict(False, f"{entry} does not allow the validation method {applicant.method}")
    accounts = found.get("accounturi")
    if accounts and applicant.account_uri is None:
        return Verdict(None, f"{entry} allows one account only, and which one is used is not known yet")
    if accounts and accounts[0] != applicant.account_uri:
        return Verdict(False, f"{entry} does not allow the account {applicant.account_uri}")
    return Verdict(True)
