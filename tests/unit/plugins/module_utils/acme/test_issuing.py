# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme import issuing, timing
from ansible_collections.certfleet.acme.plugins.module_utils._acme.orders import Order, fetch_order
from ansible_collections.certfleet.acme.plugins.module_utils._acme.session import Session
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .scripted import URN, Answer, ScriptedCA, problem, scripted_ca

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = serialization.Encoding.PEM
NAMES = x509.SubjectAlternativeName([x509.DNSName("example.com")])
CSR = (
    x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(NAMES, False).sign(KEY, hashes.SHA256())
).public_bytes(PEM).decode()  # fmt: skip


def chain(key: Any = KEY, names: x509.SubjectAlternativeName = NAMES) -> str:
    now = datetime.datetime(2026, 11, 22, tzinfo=datetime.timezone.utc)
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CA")])
    built = x509.CertificateBuilder(issuer, x509.Name([]), key.public_key(), x509.random_serial_number(), now, now)
    return built.add_extension(names, False).sign(KEY, hashes.SHA256()).public_bytes(PEM).decode()


@pytest.fixture
def ca() -> Iterator[ScriptedCA]:
    with scripted_ca() as running:
        running.script["cert"] = [(200, {}, chain().encode())]
        yield running


def order(ca: ScriptedCA, status: str, retry_after: str = "", **more: Any) -> Answer:
    body = {
        "status": status,
        "identifiers": [{"type": "dns", "value": "example.com"}],
        "authorizations": [f"{ca.url}/authz"],
        "finalize": f"{ca.url}/finalize",
        **({"certificate": f"{ca.url}/cert"} if status == "valid" else {}),
        **more,
    }
    return 200, {"Retry-After": retry_after} if retry_after else {}, body


def authorization(status: str, error: dict[str, Any] | None = None) -> Answer:
    challenge = {"type": "dns-01", "status": status, **({"error": error} if error else {})}
    identifier = {"type": "dns", "value": "example.com"}
    return 200, {}, {"status": status, "identifier": identifier, "wildcard": True, "challenges": [challenge]}


class Issue:
    """One order taken to its end, without waiting; waits: what would have been waited."""

    def __init__(
        self, ca: ScriptedCA, *, timeout: float = 60, validated: bool = False, begin: str = "pending", **options: Any
    ) -> None:
        self.ca = ca
        self.session: Session = ca.session(timeout=timeout, **options)
        self.waits: list[float] = []
        self.deadline = self.session.deadline()
        self._begin = Order(f"{ca.url}/order", order(ca, begin)[2])
        self._validated = validated

    def run(self, monkeypatch: pytest.MonkeyPatch) -> tuple[Order, str]:
        now = time.monotonic()
        monkeypatch.setattr(timing.time, "monotonic", lambda: now + sum(self.waits))
        begun = len(self.ca.asked)
        steps = issuing.issue_steps(
            self.session,
            self._begin,
            CSR,
            answered=now,
            validated=self._validated,
            deadline=self.deadline,
        )
        try:
            while True:
                self.waits.append(next(steps))
        except StopIteration as end:
            found: tuple[Order, str] = end.value
            return found
        finally:
            self.paths = [path for path in self.ca.paths()[begun:] if path != "/newNonce"]


def test_the_csr_is_submitted_after_the_learned_delay_without_asking_first(
    ca: ScriptedCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca.script.update(finalize=[order(ca, "processing")], order=[order(ca, "valid")])
    issue = Issue(ca)
    expected = issue.session.validation.delay, issue.session.issuance.delay
    found, pem = issue.run(monkeypatch)  # pylint: disable=unpacking-non-sequence
    assert issue.paths == ["/finalize", "/order", "/cert"]
    assert issue.waits == pytest.approx(expected)
    assert (found.status, pem) == ("valid", chain_of(ca))
    assert issue.session.validation.delay < expected[0]
    assert issue.session.issuance.delay < expected[1]


def chain_of(ca: ScriptedCA) -> str:
    text: bytes = ca.script["cert"][0][2]  # type: ignore[index]
    return text.decode()


def test_what_the_ca_has_validated_or_issued_at_once_is_not_waited_for(
    ca: ScriptedCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca.script.update(finalize=[order(ca, "valid")])
    issue = Issue(ca, validated=True)
    issue.run(monkeypatch)
    assert issue.paths == ["/finalize", "/cert"]
    assert issue.waits == []


def test_an_order_that_is_not_ready_is_waited_for_and_then_submitted(
    ca: ScriptedCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca.script.update(
        finalize=[problem("orderNotReady"), order(ca, "valid")],
        order=[order(ca, "pending"), order(ca, "pending", retry_after="9"), order(ca, "ready")],
    )
    issue = Issue(ca)
    before = issue.session.validation.delay
    issue.run(monkeypatch)
    assert issue.paths == ["/finalize", "/order", "/order", "/order", "/finalize", "/cert"]
    assert 9 in issue.waits
    assert issue.session.validation.delay > before


@pytest.mark.parametrize("status", ["processing", "valid"])
def test_a_submission_whose_answer_was_lost_is_not_repeated(
    ca: ScriptedCA, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    ca.script.update(finalize=[problem("orderNotReady")], order=[order(ca, status), order(ca, "valid")])
    issue = Issue(ca)
    assert issue.run(monkeypatch)[0].status == "valid"
    assert issue.paths.count("/finalize") == 1


def test_the_wait_that_the_ca_asks_for_after_the_submission_is_kept(
    ca: ScriptedCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca.script.update(finalize=[order(ca, "processing", retry_after="13")], order=[order(ca, "valid")])
    issue = Issue(ca, validated=True)
    issue.run(monkeypatch)
    assert issue.waits == pytest.approx([13])


def test_an_order_in_processing_is_not_submitted_again(ca: ScriptedCA, monkeypatch: pytest.MonkeyPatch) -> None:
    ca.script.update(order=[order(ca, "valid")])
    issue = Issue(ca, begin="processing")
    issue.run(monkeypatch)
    assert issue.paths == ["/order", "/cert"]


def test_a_failed_order_tells_the_reason_of_each_name(ca: ScriptedCA, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = {"type": URN + "unauthorized", "detail": "wrong TXT value"}
    ca.script.update(
        finalize=[problem("orderNotReady")],
        order=[order(ca, "invalid", error=reason)],
        authz=[authorization("invalid", reason)],
    )
    with pytest.raises(CertfleetError) as caught:
        Issue(ca).run(monkeypatch)
    assert caught.value.message == (
        "the CA did not validate the order for example.com: *.example.com: unauthorized: wrong TXT value"
    )
    assert caught.value.details["problem"] == reason


def test_a_reason_that_the_ca_gave_only_when_the_csr_was_submitted_is_told(
    ca: ScriptedCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As acme2certifier does: 500 at first, then an order that is invalid without a reason."""
    ca.script.update(
        finalize=[problem("serverInternal", 500, "enrollment failed"), problem("orderNotReady")],
        order=[order(ca, "invalid")],
        authz=[authorization("valid")],
    )
    with pytest.raises(CertfleetError) as caught:
        Issue(ca, validated=True).run(monkeypatch)
    assert caught.value.message == (
        "the CA gave the order for example.com up: the CA refused the CSR for example.com: "
        "serverInternal: enrollment failed"
    )
    assert caught.value.details["problem"]["detail"] == "enrollment failed"


def test_an_order_left_pending_after_a_name_failed_is_not_waited_for_to_the_end(
    ca: ScriptedCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca.script.update(
        finalize=[problem("orderNotReady")], order=[order(ca, "pending")], authz=[authorization("invalid")]
    )
    issue = Issue(ca, timeout=600)
    with pytest.raises(CertfleetError, match=r"\*.example.com: invalid, the CA says not why"):
        issue.run(monkeypatch)
    assert sum(issue.waits) < 10


@pytest.mark.parametrize("retry_after", ["", "29"])
def test_the_deadline_ends_it_with_the_last_word_of_the_ca_and_the_order(
    ca: ScriptedCA, monkeypatch: pytest.MonkeyPatch, retry_after: str
) -> None:
    """A CA that keeps a refused challenge pending and tries again, and one that wants us to wait."""
    word = {"type": URN + "dns", "detail": "SERVFAIL"}
    ca.script.update(
        finalize=[problem("orderNotReady")],
        order=[order(ca, "pending", retry_after=retry_after)],
        authz=[authorization("pending", word)],
    )
    issue = Issue(ca, timeout=30)
    with pytest.raises(issuing.TooLate) as caught:
        issue.run(monkeypatch)
    assert sum(issue.waits) == pytest.approx(30, abs=1)
    assert "within 30 s, the order is still pending" in str(caught.value)
    assert "*.example.com: dns: SERVFAIL" in str(caught.value)
    assert f"{ca.url}/order" in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "options", "bound"),
    [("315360000", {}, "timeout (30 s)"), ("20", {"retry_after_max": 10}, "retry_after_max (10 s)")],
)
@pytest.mark.parametrize("status", ["pending", "processing"])
def test_a_ca_that_asks_for_more_than_it_may_is_not_waited_for_and_the_instant_is_told(
    ca: ScriptedCA, monkeypatch: pytest.MonkeyPatch, asked: str, options: dict[str, Any], bound: str, status: str
) -> None:
    word = {"type": URN + "dns", "detail": "SERVFAIL"}
    ca.script.update(
        finalize=[problem("orderNotReady") if status == "pending" else order(ca, status, retry_after=asked)],
        order=[order(ca, status, retry_after=asked)],
        authz=[authorization("pending", word)],
    )
    issue = Issue(ca, timeout=30, **options)
    with pytest.raises(issuing.TooLate) as caught:
        issue.run(monkeypatch)
    assert sum(issue.waits) < 5
    text = str(caught.value)
    assert (
        f"it asks to try again in {asked} s, at {caught.value.details['retry_at']}, which is longer than {bound}"
        in text
    )
    assert (
        f"Run again at {caught.value.details['retry_at']}, or raise {bound.split()[0]}. The order is {ca.url}/order"
        in text
    )
    assert ("SERVFAIL" in text) == (status == "pending")


@pytest.mark.parametrize("lost", [None, problem("serverInternal", 502)])
@pytest.mark.parametrize("status", ["processing", "valid", "ready"])
def test_after_a_lost_answer_to_the_csr_the_order_is_read_before_it_is_sent_again(
    ca: ScriptedCA, monkeypatch: pytest.MonkeyPatch, status: str, lost: Any
) -> None:
    ca.script.update(finalize=[lost, order(ca, "valid")], order=[order(ca, status), order(ca, "valid")])
    issue = Issue(ca, validated=True)
    issue.session.network.stop.wait = lambda timeout=None: False  # type: ignore[method-assign]
    assert issue.run(monkeypatch)[0].status == "valid"
    again = {"processing": ["/order"], "valid": [], "ready": ["/finalize"]}[status]
    assert issue.paths == ["/finalize", "/order", *again, "/cert"]


def test_a_csr_that_the_ca_refuses_is_told_and_not_repeated(ca: ScriptedCA, monkeypatch: pytest.MonkeyPatch) -> None:
    ca.script.update(finalize=[problem("badCSR", 400, "key too short")])
    issue = Issue(ca)
    with pytest.raises(CertfleetError, match=r"the CA refused the CSR for example.com: badCSR: key too short"):
        issue.run(monkeypatch)
    assert issue.paths == ["/finalize"]


@pytest.mark.parametrize(
    ("certificate", "cause"),
    [
        (chain(key=ec.generate_private_key(ec.SECP256R1())), "the certificate is for another key"),
        (chain(names=x509.SubjectAlternativeName([x509.DNSName("evil.example")])), "is for evil.example, not for"),
        ("", "there is no PEM certificate in it"),
    ],
)
def test_a_chain_that_does_not_fit_the_csr_is_refused(
    ca: ScriptedCA, monkeypatch: pytest.MonkeyPatch, certificate: str, cause: str
) -> None:
    ca.script.update(finalize=[order(ca, "valid")], cert=[(200, {}, certificate.encode())])
    with pytest.raises(CertfleetError, match=f"what the CA issued is refused: .*{cause}"):
        Issue(ca, validated=True).run(monkeypatch)


def test_a_valid_order_without_a_certificate_is_refused(ca: ScriptedCA, monkeypatch: pytest.MonkeyPatch) -> None:
    ca.script.update(finalize=[order(ca, "valid", certificate=None)])
    with pytest.raises(CertfleetError, match="is valid and names no certificate"):
        Issue(ca, validated=True).run(monkeypatch)


def test_alternate_chains_are_downloaded_only_when_there_is_a_choice_to_make(ca: ScriptedCA) -> None:
    link = {"Link": f'<{ca.url}/alternate>;rel="alternate", <{ca.url}/directory>;rel="index"'}
    ca.script.update(
        order=[order(ca, "valid")], cert=[(200, link, chain().encode())], alternate=[(200, {}, chain().encode())]
    )
    session = ca.session()
    found = fetch_order(session, f"{ca.url}/order")
    issuing.fetch_chain(session, found, CSR, None)
    assert "/alternate" not in ca.paths()
    issuing.fetch_chain(session, found, CSR, [{"issuer": {"CN": "CA"}}])
    assert ca.paths().count("/alternate") == 1
