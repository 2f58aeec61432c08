# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Orders and authorizations (RFC 8555 sections 7.1.3 to 7.5): one request each, no waiting."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urljoin

from .._errors import CertfleetError
from .._names import is_ip, normalise
from .._x509 import load_csr
from . import _library as library
from .messages import NewOrder, StatusUpdate
from .problems import AcmeProblem, describe, parse_retry_after
from .session import Session, as_object
from .shapes import AUTHORIZATION, CHALLENGE, check, check_order
from .timing import Deadline

DNS01 = "dns-01"
_RFC3339 = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d+)?(Z|[+-]\d{2}:\d{2})", re.ASCII)
#: Alternate chains of one certificate that are looked at.
_ALTERNATES = 10
#: Pebble and CAs like it answer so to a ``replaces`` that they do not know: asking again cannot help.
_REFUSES_REPLACES = frozenset({500})


@dataclass(frozen=True)
class Order:
    """An order. body: the object as the CA sent it. retry_after: seconds that its answer asked for, if any."""

    uri: str
    body: dict[str, Any]
    retry_after: float | None = None
    replaces_dropped: str = ""

    @property
    def status(self) -> str:
        """RFC 8555 section 7.1.6: pending, ready, processing, valid or invalid."""
        return str(self.body.get("status", ""))

    @property
    def identifiers(self) -> list[str]:
        """The names that the order is for, normalised."""
        return [normalise(str(entry.get("value", ""))) for entry in self.body.get("identifiers", [])]

    @property
    def authorizations(self) -> list[str]:
        """URLs of its authorizations."""
        return [str(url) for url in self.body.get("authorizations") or []]


@dataclass(frozen=True)
class Challenge:
    """A challenge of an authorization. body: the object as the CA sent it."""

    body: dict[str, Any]

    @property
    def kind(self) -> str:
        """Its type, such as ``dns-01``."""
        return str(self.body.get("type", ""))

    @property
    def url(self) -> str:
        """Where it is answered."""
        return str(self.body.get("url", ""))

    @property
    def status(self) -> str:
        """RFC 8555 section 7.1.6: pending, processing, valid or invalid."""
        return str(self.body.get("status", ""))

    @property
    def error(self) -> str:
        """Why the CA did not accept it, one line; empty when it says nothing."""
        found = self.body.get("error")
        return describe(found) if isinstance(found, dict) else ""


@dataclass(frozen=True)
class Authorization:
    """An authorization. body: the object as the CA sent it."""

    uri: str
    body: dict[str, Any]

    @property
    def status(self) -> str:
        """RFC 8555 section 7.1.6: pending, valid, invalid, deactivated, expired or revoked."""
        return str(self.body.get("status", ""))

    @property
    def name(self) -> str:
        """The name it is for, without ``*.``, normalised."""
        identifier = self.body.get("identifier")
        return normalise(str(identifier.get("value", ""))) if isinstance(identifier, dict) else ""

    @property
    def wildcard(self) -> bool:
        """Whether it is for ``*.name``."""
        return bool(self.body.get("wildcard"))

    @property
    def shown(self) -> str:
        """The identifier as it was ordered."""
        return f"*.{self.name}" if self.wildcard else self.name

    @property
    def challenges(self) -> list[Challenge]:
        """What the CA would take as proof."""
        return [Challenge(entry) for entry in self.body.get("challenges") or [] if isinstance(entry, dict)]

    def challenge(self, kind: str) -> Challenge:
        """The challenge of a type. Raises CertfleetError with the types that are offered."""
        for challenge in self.challenges:
            if challenge.kind == kind:
                return challenge
        offered = ", ".join(sorted(challenge.kind for challenge in self.challenges)) or "none"
        raise CertfleetError(f"the CA offers no {kind} challenge for {self.shown}, only {offered}")

    def errors(self) -> list[str]:
        """``name: type: detail`` for each challenge that failed."""
        return [f"{self.shown}: {challenge.error}" for challenge in self.challenges if challenge.error]


def check_validity(spec: dict[str, Any]) -> None:
    """Raise CertfleetError when not_before or not_after is no RFC 3339 instant (RFC 8555 section 7.1.3), the first is
    not the earlier one, or the second is past. Pebble, for one, accepts what it cannot read and never issues."""
    instants = {}
    for name in ("not_before", "not_after"):
        if not spec.get(name):
            continue
        # fromisoformat() alone takes much of ISO 8601 that RFC 3339 does not have.
        parts = _RFC3339.fullmatch(spec[name].upper())
        try:
            instant = datetime.fromisoformat(parts[1] + parts[2].replace("Z", "+00:00")) if parts else None
        except ValueError:
            instant = None
        if instant is None:
            raise CertfleetError(
                f"{name} {spec[name]!r} is no instant", remedy="Write it as 2027-01-31T00:00:00Z (RFC 3339)."
            )
        instants[name] = instant
    if len(instants) == 2 and instants["not_before"] >= instants["not_after"]:
        raise CertfleetError(f"not_before {spec['not_before']} is not before not_after {spec['not_after']}")
    if "not_after" in instants and instants["not_after"] <= datetime.now(timezone.utc):
        raise CertfleetError(f"not_after {spec['not_after']} is past", remedy="No certificate would be valid.")


def new_order(
    session: Session,
    identifiers: list[str],
    *,
    profile: str | None = None,
    replaces: str | None = None,
    not_before: str | None = None,
    not_after: str | None = None,
) -> Order:
    """Create an order. Raises CertfleetError.

    replaces is sent only to a CA that offers renewal information, and dropped when the order is refused with it (RFC
    9773 section 5: already replaced, unknown, of another account, no name in common): the order matters more than the
    hint. CAs tell these apart in no common way, some with an error of their own (500), so that all of them are asked
    again without it; what is wrong with the order itself, such as a name, is told then.
    """
    fields: dict[str, Any] = {
        "identifiers": [_identifier(name) for name in identifiers],
        "profile": profile or None,
        # RFC 3339 section 5.6: T and Z may be lower case, and not every CA reads them then.
        "not_before": (not_before or "").upper() or None,
        "not_after": (not_after or "").upper() or None,
    }
    doing = f"the order for {', '.join(identifiers)}"
    url = session.resource("newOrder")
    dropped = ""
    if replaces and isinstance(session.directory.get("renewalInfo"), str):
        try:
            asked = NewOrder(replaces=replaces, **fields)
            return _order(session.send(url, asked, doing=doing, final=_REFUSES_REPLACES), doing, identifiers)
        except AcmeProblem as problem:
            if not _may_refuse_replaces(problem):
                raise
            reason = describe(problem.problem) or f"HTTP status {problem.status}"
            dropped = f"the CA refused to note which certificate is replaced: {reason}"
    order = _order(session.send(url, NewOrder(**fields), doing=doing), doing, identifiers)
    return replace(order, replaces_dropped=dropped)


def fetch_order(session: Session, uri: str, *, deadline: Deadline | None = None) -> Order:
    """The order at an URL as it stands now. Raises CertfleetError."""
    doing = f"to show the order {uri}"
    body, response = session.read(uri, doing=doing, deadline=deadline)
    return Order(uri, check_order(body, doing), parse_retry_after(response.headers.get("Retry-After")))


def fetch_authorization(session: Session, uri: str) -> Authorization:
    """The authorization at an URL as it stands now. Raises CertfleetError."""
    doing = f"to show the authorization {uri}"
    return Authorization(uri, check(session.read(uri, doing=doing)[0], AUTHORIZATION, doing))


def txt_record(session: Session, authorization: Authorization, challenge: Challenge) -> tuple[str, str]:
    """Name and value of the TXT record that a dns-01 challenge asks for (RFC 8555 section 8.4).

    Raises CertfleetError.
    """
    decoded = _decode(authorization, challenge)
    return decoded.validation_domain_name(authorization.name), decoded.validation(session.signing_key.jwk)


def key_authorization(session: Session, challenge: Challenge) -> str | None:
    """RFC 8555 section 8.1; None for a challenge without a token."""
    token = challenge.body.get("token")
    return f"{token}.{session.signing_key.thumbprint}" if isinstance(token, str) else None


def answer_challenge(session: Session, challenge: Challenge, shown: str) -> Challenge:
    """Tell the CA to look now (RFC 8555 section 7.5.1); the challenge after that. Raises CertfleetError."""
    doing = f"the answer to the {challenge.kind} challenge for {shown}"
    message = library.challenges.DNS01Response(key_authorization="")  # every type is answered with an empty object
    deadline = session.deadline()

    def settle(_error: CertfleetError) -> Any:
        # Some CAs refuse the answer to a challenge that is no longer pending.
        found = session.send(challenge.url, None, doing=f"to show the challenge for {shown}", deadline=deadline)
        return None if as_object(found, doing).get("status") == "pending" else found

    response = session.send(challenge.url, message, doing=doing, deadline=deadline, settle=settle)
    return Challenge(check(as_object(response, doing), CHALLENGE, doing))


def deactivate_authorization(session: Session, uri: str) -> None:
    """Give an authorization up (RFC 8555 section 7.5.2).

    Raises CertfleetError, also when the CA says yes and does not.
    """
    doing = f"to deactivate the authorization {uri}"
    deadline = session.deadline()

    def settle(_error: CertfleetError) -> Any:
        found = session.send(uri, None, doing=f"to show the authorization {uri}", deadline=deadline)
        return found if as_object(found, doing).get("status") == "deactivated" else None

    response = session.send(uri, StatusUpdate(status="deactivated"), doing=doing, deadline=deadline, settle=settle)
    answer = Authorization(uri, check(as_object(response, doing), AUTHORIZATION, doing))
    if answer.status != "deactivated":
        raise CertfleetError(
            f"the CA did not deactivate the authorization for {answer.shown}: it is still {answer.status}",
            remedy="Not every CA can; it ends by itself when it expires.",
        )


def usable_order(session: Session, uri: str, names: list[str]) -> Order | None:
    """The order of an earlier run when it can still give, or has given, a certificate for these names; None otherwise.

    names: empty for whatever it is for. Raises CertfleetError when the CA does not answer.
    """
    try:
        order = fetch_order(session, uri)
    except AcmeProblem:
        return None  # expired orders are forgotten by many CAs, with various errors
    if names and set(order.identifiers) != set(names):
        return None
    if order.status == "pending":  # some CAs leave an order pending for good when an authorization failed
        found = [fetch_authorization(session, authorization) for authorization in order.authorizations]
        return order if all(one.status in ("pending", "valid") for one in found) else None
    return order if order.status in ("ready", "processing", "valid") else None


def submit_csr(session: Session, order: Order, csr_pem: str, *, deadline: Deadline) -> Order:
    """Finalize (RFC 8555 section 7.4); the order as it stands after that. Raises AcmeProblem, CertfleetError."""
    url = order.body.get("finalize")
    doing = f"the CSR for {', '.join(order.identifiers)}"
    if not isinstance(url, str):
        raise CertfleetError(f"the order {order.uri} has no address to finalize it at")
    message = library.messages.CertificateRequest(csr=load_csr(csr_pem))

    def settle(_error: CertfleetError) -> Any:
        # An invalid order is told better by the refusal of a second submission.
        found = session.send(order.uri, None, doing=f"to show the order {order.uri}", deadline=deadline)
        return found if as_object(found, doing).get("status") in ("processing", "valid") else None

    response = session.send(url, message, doing=doing, deadline=deadline, settle=settle)
    body = check_order({**order.body, **as_object(response, doing)}, doing)
    return Order(order.uri, body, parse_retry_after(response.headers.get("Retry-After")))


def download_chain(session: Session, url: str, *, deadline: Deadline | None = None) -> tuple[str, list[str]]:
    """The chain at an URL, and the URLs of its alternates (RFC 8555 section 7.4.2). Raises CertfleetError."""
    accept = "application/pem-certificate-chain"
    response = session.send(url, None, doing=f"to hand out the certificate {url}", deadline=deadline, accept=accept)
    links = library.requests.utils.parse_header_links(response.headers.get("Link", ""))
    found = [urljoin(url, link["url"]) for link in links if link.get("rel") == "alternate"]
    return response.text, list(dict.fromkeys(found))[:_ALTERNATES]


def _may_refuse_replaces(problem: AcmeProblem) -> bool:
    """Whether the order may pass without ``replaces``: not when the CA is busy or wants to be left alone."""
    return problem.status not in (429, 502, 503, 504) and problem.code not in ("rateLimited", "badNonce")


def _order(response: Any, doing: str, identifiers: list[str]) -> Order:
    uri = response.headers.get("Location")
    if not uri:
        raise CertfleetError(f"the CA's answer to {doing} names no order URL")
    order = Order(urljoin(response.url, uri), check_order(as_object(response, doing), doing))
    if order.identifiers and set(order.identifiers) != set(map(normalise, identifiers)):
        raise CertfleetError(f"the CA's answer to {doing} is an order for {', '.join(order.identifiers)}")
    return order


def _identifier(name: str) -> Any:
    types = library.messages
    return types.Identifier(typ=types.IDENTIFIER_IP if is_ip(name) else types.IDENTIFIER_FQDN, value=name)


def _decode(authorization: Authorization, challenge: Challenge) -> Any:
    try:
        return library.challenges.DNS01.from_json(challenge.body)
    except library.jose.DeserializationError as error:
        raise CertfleetError(f"the CA's dns-01 challenge for {authorization.shown} cannot be read: {error}") from error
