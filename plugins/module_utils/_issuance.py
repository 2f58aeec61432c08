# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A batch of certificates: order, DNS, validation, issuance and clean-up, in one process.

Each step is done for all certificates before the next one starts, concurrently within it, so that DNS is written and
waited for once. A certificate that fails leaves the batch and touches no other.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from ._acme.accounts import expect_account, use_account
from ._acme.argspec import account_key
from ._acme.issuing import TooLate, fetch_chain, issue_steps, order_failure
from ._acme.orders import (
    DNS01,
    Authorization,
    Challenge,
    Order,
    answer_challenge,
    deactivate_authorization,
    fetch_authorization,
    new_order,
    txt_record,
    usable_order,
)
from ._acme.results import empty_result, failure, issued
from ._acme.session import Session, open_session
from ._acme.timing import Steps, run_steps
from ._batch import run_batch
from ._caa.policy import Applicant
from ._caa.preflight import examine, identities
from ._dns.model import TxtRecord
from ._errors import CertfleetError
from ._issuance_dns import DnsSide
from ._issuance_items import Issuance, Item, Proof, alive, check_provable, guard, prepare
from ._issuance_orders import OrderNotes
from ._journal.model import PASSING
from ._journal.run import Journal, open_journal
from ._names import base_domain, is_ip


def issue_certificates(params: dict[str, Any], *, check_mode: bool = False) -> Issuance:
    """Obtain ``params["certificates"]``, see the module acme_certificate.

    Raises CertfleetError for what concerns them all: no CA, no account, no usable key, no usable journal. Nothing is
    left at the DNS providers, whatever happens; what could not be removed is a warning of the items.
    """
    with open_journal(params, program="acme_certificate", kind=PASSING, check_mode=check_mode) as journal:
        return _issue(params, journal, check_mode=check_mode)


def _issue(params: dict[str, Any], journal: Journal | None, *, check_mode: bool) -> Issuance:
    items = [Item(spec) for spec in params["certificates"] or []]
    for item in items:
        guard(item, lambda item=item: prepare(item, check_mode=check_mode))
    stop = threading.Event()
    dns = DnsSide(params, journal)
    batch = _Batch(params, stop, dns, OrderNotes(journal, params["acme_directory"]))
    wanted = alive(items)
    if wanted:
        batch.open(wanted, check_mode=check_mode)
        wanted = alive(wanted)
    if check_mode:
        batch.plan(wanted)
    else:
        with _terminable(stop):
            while wanted:
                wanted = batch.wave(wanted)
    return Issuance([batch.result(item) for item in items], dns.stale_removed, dns.warnings)


class _Batch:
    """What the certificates of one call share."""

    def __init__(self, params: dict[str, Any], stop: threading.Event, dns: DnsSide, notes: OrderNotes) -> None:
        self._params = params
        self._concurrency: int = params["concurrency"]
        self._stop = stop
        self._session: Session | None = None
        self._dns = dns
        self._notes = notes

    @property
    def session(self) -> Session:
        """The open session."""
        if self._session is None:
            raise CertfleetError("there is no session with the CA")
        return self._session

    def open(self, items: list[Item], *, check_mode: bool) -> None:
        """Read the directory, check what it can tell, and bind to the account. Raises CertfleetError."""
        key, _made = account_key(self._params, check_mode=check_mode)
        self._session = open_session(self._params, key, stop=self._stop)
        for item in items:
            guard(item, lambda item=item: self.session.check_profile(item.spec.get("profile")))
        if alive(items):
            (expect_account if check_mode else use_account)(self.session, self._params)
        self._check_caa(alive(items))

    def _check_caa(self, items: list[Item]) -> None:
        """What CAA forbids is a warning or, when it is to be, the end of an item before anything is ordered."""
        names = [name for item in items for name in item.identifiers]
        if self._params["caa"] == "ignore" or not names:
            return
        known = self._params["caa_identities"] or identities(self.session.meta)
        applicant = Applicant(known, self.session.account_uri or self._params.get("account_uri"), DNS01)
        findings = examine(names, applicant, self._params.get("dns_resolvers") or [])
        for item in items:
            found = [findings[name] for name in item.identifiers if name in findings]
            forbidden = [one.text for one in found if one.verdict.allowed is False]
            if forbidden and self._params["caa"] == "refuse":
                item.error = CertfleetError("; ".join(forbidden), remedy="Change the CAA records, or order elsewhere.")
            else:
                item.warnings += [one.text for one in found if one.text]

    def plan(self, items: list[Item]) -> None:
        """Check mode: find out what each item would need, writing nothing."""
        fresh = []
        for item in items:
            if item.spec.get("order_uri") and self.session.account_uri:
                guard(item, lambda item=item: self._resume(item))
            if item.fullchain is None and not item.error:
                item.changed = True
                fresh.append(item)
        self._authorizations(fresh)
        for item in alive(fresh):
            guard(item, lambda item=item: check_provable(item))
        fresh = alive(fresh)
        records = {
            TxtRecord(f"_acme-challenge.{base_domain(name)}", "check-mode")
            for item in fresh
            for name in item.identifiers
            if not is_ip(name)
        }
        failed = self._dns.plan(records)
        for item in fresh:
            names = {f"_acme-challenge.{base_domain(name)}" for name in item.identifiers}
            item.error = next((error for record, error in failed.items() if record.name in names), None)

    def wave(self, items: list[Item]) -> list[Item]:
        """Take the items through all steps; returns those that must wait for another to finish with the same order.

        A CA may answer equal newOrder requests with one pending order (RFC 8555 section 7.4 leaves it free to), which
        one CSR alone can be submitted to.
        """
        self._notes.find_earlier(items)
        self._each(items, self._order)
        self._notes.made(items)
        taken: set[str] = set()
        now: list[Item] = []
        later: list[Item] = []
        for item in alive(items):
            uri = item.order.uri if item.order else ""
            (later if uri in taken else now).append(item)
            taken.add(uri)
        self._authorizations(now)
        records = {proof.record for item in alive(now) for proof in item.proofs}
        try:
            records = self._present(now, records)
            self._answer(alive(now))
            self._issue([item for item in alive(now) if item.fullchain is None])
        except BaseException:
            self._stop.set()
            raise
        finally:
            self._clean_up(now, records)
        self._notes.settle(now)
        for item in later:
            item.order = None
        return later

    def result(self, item: Item) -> dict[str, Any]:
        """What the module returns for an item."""
        session, spec = self._session, item.spec
        known = empty_result(
            spec,
            changed=item.changed,
            identifiers=item.identifiers,
            profile=spec.get("profile"),
            warnings=item.warnings,
            acme_directory=self._params["acme_directory"],
            account_uri=session.account_uri if session else None,
            order_uri=item.order.uri if item.order else spec.get("order_uri"),
        )
        if item.error is not None:
            shown = ", ".join(item.identifiers)
            message = (
                item.error.message if not shown or shown in item.error.message else f"{shown}: {item.error.message}"
            )
            return failure(known, CertfleetError(message, remedy=item.error.remedy, **item.error.details))
        if item.order is None or item.fullchain is None or session is None:
            return known
        return issued(known, session, item.order, item.fullchain)

    def _order(self, item: Item) -> None:
        if item.spec.get("order_uri"):
            self._resume(item)
        if item.order is None:
            item.order = new_order(
                self.session,
                item.identifiers,
                profile=item.spec.get("profile"),
                replaces=item.spec.get("replaces"),
                not_before=item.spec.get("not_before"),
                not_after=item.spec.get("not_after"),
            )
            if item.order.replaces_dropped:
                item.warnings.append(item.order.replaces_dropped)

    def _resume(self, item: Item) -> None:
        """Take up the order of ``order_uri`` when it can still give this certificate; else leave ``order`` None."""
        order = usable_order(self.session, item.spec["order_uri"], item.identifiers)
        if order is not None and item.other_key and order.status not in ("pending", "ready"):
            return
        if order is not None and order.status == "valid" and item.spec.get("csr_content"):
            try:
                item.fullchain = fetch_chain(
                    self.session, order, item.spec["csr_content"], item.spec.get("select_chain")
                )
            except CertfleetError:
                return
        item.order = order

    def _authorizations(self, items: list[Item]) -> None:
        """Read the authorizations of pending orders, each once, and work out the TXT records."""
        waiting = [item for item in items if item.order and item.order.status == "pending"]
        uris = list(dict.fromkeys(uri for item in waiting for uri in item.order.authorizations))  # type: ignore[union-attr]
        found = dict(
            zip(
                uris, run_batch(uris, lambda uri: fetch_authorization(self.session, uri), concurrency=self._concurrency)
            )
        )
        for item in waiting:
            guard(item, lambda item=item: self._proofs(item, found))

    def _proofs(self, item: Item, found: dict[str, Authorization | CertfleetError]) -> None:
        for uri in item.order.authorizations if item.order else []:
            authorization = found[uri]
            if isinstance(authorization, CertfleetError):
                raise authorization
            if authorization.name not in map(base_domain, item.identifiers):
                raise CertfleetError(f"the CA wants proof of {authorization.shown}, which was not ordered")
            if authorization.status == "pending":
                challenge = authorization.challenge(DNS01)
                record = TxtRecord(*txt_record(self.session, authorization, challenge))
                item.proofs.append(Proof(authorization, challenge, record))
            elif authorization.status != "valid" and item.order:
                raise order_failure(self.session, item.order)

    def _present(self, items: list[Item], records: set[TxtRecord]) -> set[TxtRecord]:
        """Publish the records; those that are there now, visible or not."""
        failed, written = self._dns.present(records)
        for item in items:
            causes = [failed[proof.record] for proof in item.proofs if proof.record in failed]
            if causes and not item.error:
                item.error = causes[0]
        return written

    def _answer(self, items: list[Item]) -> None:
        """Answer each pending challenge once, also one that several orders share."""
        proofs = {proof.challenge.url: proof for item in items for proof in item.proofs}
        pending = [proof for proof in proofs.values() if proof.challenge.status == "pending"]

        def answer(proof: Proof) -> tuple[Challenge, float]:
            challenge = answer_challenge(self.session, proof.challenge, proof.authorization.shown)
            return challenge, time.monotonic()

        answers = dict(
            zip(
                (proof.challenge.url for proof in pending),
                run_batch(pending, answer, concurrency=self._concurrency),
            )
        )
        for item in items:
            item.validated = True
            for proof in item.proofs:
                answered = answers.get(proof.challenge.url)
                if isinstance(answered, CertfleetError):
                    item.error = answered
                    break
                challenge, when = answered or (proof.challenge, time.monotonic())
                if challenge.status == "invalid" and item.order:
                    item.error = order_failure(self.session, item.order)
                    break
                item.answered = max(item.answered or 0.0, when)
                item.validated = item.validated and challenge.status == "valid"

    def _issue(self, items: list[Item]) -> None:
        def steps(item: Item) -> Steps[tuple[Order, str]]:
            return issue_steps(
                self.session,
                item.order,  # type: ignore[arg-type]
                item.spec["csr_content"],
                answered=item.answered,
                validated=item.validated,
                deadline=self.session.deadline(),
                criteria=item.spec.get("select_chain"),
            )

        for item, outcome in zip(items, run_steps(items, steps, concurrency=self._concurrency, stop=self._stop)):
            if isinstance(outcome, CertfleetError):
                item.error = outcome
            else:
                item.order, item.fullchain = outcome
                item.changed = True

    def _clean_up(self, items: list[Item], records: set[TxtRecord]) -> None:
        """Take the TXT values away, and give up what failed items left pending at the CA. Never raises."""
        failed = self._dns.clean_up(records, others=not self._stop.is_set())
        for item in items:
            for proof in item.proofs:
                if proof.record in failed:
                    left = f"the TXT value {proof.record.value} of {proof.record.name} is left behind"
                    item.warnings.append(f"{left}: {failed[proof.record]}")
        if not self._stop.is_set():
            self._give_up(items)

    def _give_up(self, items: list[Item]) -> None:
        needed = {proof.authorization.uri for item in alive(items) for proof in item.proofs}
        lost = [item for item in items if item.error is not None and not isinstance(item.error, TooLate)]
        answered = {proof.authorization.uri: bool(item.answered) for item in lost for proof in item.proofs}

        def give_up(uri: str) -> None:
            # One that is valid by now saves the next order its validation.
            if not answered[uri] or fetch_authorization(self.session, uri).status == "pending":
                deactivate_authorization(self.session, uri)

        # Whether it works or not: nothing is lost but the place of a pending authorization.
        run_batch(sorted(answered.keys() - needed), give_up, concurrency=self._concurrency)

    def _each(self, items: list[Item], work: Any) -> None:
        for item, outcome in zip(items, run_batch(items, work, concurrency=self._concurrency)):
            if isinstance(outcome, CertfleetError):
                item.error = outcome


@contextmanager
def _terminable(stop: threading.Event) -> Generator[None, None, None]:
    """Turn SIGTERM into an exception of the main thread, so that clean-up runs; later ones are ignored meanwhile."""

    def terminate(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stop.set()
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except SystemExit as error:
        raise CertfleetError("ended by SIGTERM; what was in DNS is removed", remedy="Run again.") from error
    except KeyboardInterrupt:
        stop.set()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
