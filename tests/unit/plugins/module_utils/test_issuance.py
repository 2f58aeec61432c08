# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import os
import signal
import threading
from collections.abc import Generator, Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils import _issuance, _issuance_dns
from ansible_collections.certfleet.acme.plugins.module_utils._acme.issuing import TooLate
from ansible_collections.certfleet.acme.plugins.module_utils._acme.orders import Authorization, Challenge, Order
from ansible_collections.certfleet.acme.plugins.module_utils._acme.timing import Deadline
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import Outcome, TxtRecord
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._names import is_ip
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

KEY = ec.generate_private_key(ec.SECP256R1())


def csr(*names: str) -> str:
    builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
    addresses = [ipaddress.ip_address(name) for name in names if is_ip(name)]
    extension = x509.SubjectAlternativeName(
        [*(x509.DNSName(name) for name in names if not is_ip(name)), *map(x509.IPAddress, addresses)]
    )
    signed = builder.add_extension(extension, critical=False).sign(KEY, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def item(name: str, *names: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "csr_content": csr(*names), **more}


class World:
    """CA and DNS as the batch sees them. log: what was done, in its order."""

    def __init__(self) -> None:
        self.log: list[tuple[str, Any]] = []
        self.refused_orders: set[str] = set()
        self.refused_records: set[str] = set()
        self.broken: dict[str, BaseException] = {}
        self.left_behind = False
        self.valid: set[str] = set()
        self.validated: set[str] = set()
        self.invisible: set[str] = set()
        self.same_order: set[str] = set()
        self._lock = threading.Lock()

    def note(self, what: str, about: Any) -> None:
        with self._lock:
            self.log.append((what, about))

    def done(self, what: str) -> list[Any]:
        return [about for word, about in self.log if word == what]

    # The CA

    def new_order(self, session: Any, names: list[str], **options: Any) -> Order:
        self.note("order", ",".join(names))
        if self.refused_orders & set(names):
            raise CertfleetError(f"refused {names[0]}")
        number = 1 + sum(names == one.split(",") for one in self.done("issued"))
        unique = "" if self.same_order & set(names) else f"/{len(self.log)}"
        body = {
            "status": "pending",
            "identifiers": [{"type": "dns", "value": name} for name in names],
            "authorizations": [f"authz/{name}" for name in names],
        }
        return Order(f"order/{names[0]}/{number}{unique}", body)

    def fetch_authorization(self, session: Any, uri: str) -> Authorization:
        name = uri.partition("/")[2]
        self.note("authorization", name)
        valid = name in self.valid or (name in self.validated and name in self.done("answer"))
        body = {
            "status": "valid" if valid else "pending",
            "identifier": {"type": "dns", "value": name.replace("*.", "")},
            "wildcard": name.startswith("*."),
            "challenges": [{"type": "dns-01", "url": f"challenge/{name}", "status": "pending"}],
        }
        return Authorization(uri, body)

    def txt_record(self, session: Any, authorization: Authorization, challenge: Challenge) -> tuple[str, str]:
        return f"_acme-challenge.{authorization.name}", f"proof of {authorization.shown}"

    def answer(self, session: Any, challenge: Challenge, shown: str) -> Challenge:
        self.note("answer", shown)
        return Challenge({**challenge.body, "status": "processing"})

    def deactivate(self, session: Any, uri: str) -> None:
        self.note("deactivate", uri)

    def issue_steps(self, session: Any, order: Order, csr_pem: str, **options: Any) -> Generator[float, None, Any]:
        yield 0.0
        name = order.identifiers[0]
        broken = self.broken.get(name)
        if broken is not None:
            raise broken
        self.note("issued", ",".join(order.identifiers))
        return order, "chain"

    # DNS

    def present(self, records: Iterable[TxtRecord]) -> Outcome:
        return self._dns("present", records)

    def plan(self, records: Iterable[TxtRecord]) -> Outcome:
        return self._dns("plan", records)

    def absent(self, records: Iterable[TxtRecord], *, placed: Iterable[Any] = ()) -> Outcome:
        outcome = self._dns("absent", records)
        if self.left_behind:
            outcome.failed = dict.fromkeys(outcome.changed, CertfleetError("throttled"))
        return outcome

    def _dns(self, what: str, records: Iterable[TxtRecord]) -> Outcome:
        found = list(records)
        self.note(what, sorted((one.name, one.value) for one in found))
        outcome = Outcome(changed=dict.fromkeys(found, True))
        for one in found:
            if what != "absent" and one.name in self.refused_records:
                outcome.changed[one] = one.name in self.invisible
                outcome.failed[one] = CertfleetError(f"no zone for {one.name}")
        return outcome


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    session = SimpleNamespace(
        account_uri="account/1",
        check_profile=lambda profile: None,
        deadline=lambda: Deadline(60),
    )

    def open_session(params: Any, key: Any, *, stop: threading.Event) -> Any:
        made.note("session", None)
        return session

    for name, value in {
        "account_key": lambda params, check_mode: (object(), False),
        "open_session": open_session,
        "use_account": lambda session, params: made.note("account", None),
        "expect_account": lambda session, params: made.note("account looked up", None),
        "new_order": made.new_order,
        "fetch_authorization": made.fetch_authorization,
        "txt_record": made.txt_record,
        "answer_challenge": made.answer,
        "deactivate_authorization": made.deactivate,
        "issue_steps": made.issue_steps,
        "issued": lambda known, session, order, chain: {**known, "order_uri": order.uri, "fullchain": chain},
    }.items():
        monkeypatch.setattr(_issuance, name, value)
    monkeypatch.setattr(_issuance_dns, "build_engine", lambda params, journal=None: made)
    return made


def issue(*items: dict[str, Any], check_mode: bool = False) -> list[dict[str, Any]]:
    params = {"certificates": list(items), "concurrency": 4, "acme_directory": "directory", "caa": "ignore"}
    return _issuance.issue_certificates(params, check_mode=check_mode).certificates


def outcome(results: list[dict[str, Any]]) -> list[str]:
    return [result["msg"] or ("issued" if result["fullchain"] else "nothing") for result in results]


def test_dns_is_written_once_for_all_and_cleaned_up_once(world: World) -> None:
    results = issue(item("a", "a.example.com"), item("apex", "example.com", "*.example.com"))
    assert outcome(results) == ["issued", "issued"]
    assert [result["changed"] for result in results] == [True, True]
    records = [
        ("_acme-challenge.a.example.com", "proof of a.example.com"),
        ("_acme-challenge.example.com", "proof of *.example.com"),
        ("_acme-challenge.example.com", "proof of example.com"),
    ]
    assert world.done("present") == [records]
    assert world.done("absent") == [records]
    assert world.log[-1][0] == "absent"
    words = [word for word, _given in world.log]
    assert words.index("present") < words.index("answer")
    assert len(world.done("answer")) == 3


def test_names_that_are_valid_already_need_no_dns(world: World) -> None:
    world.valid = {"a.example.com"}
    assert outcome(issue(item("a", "a.example.com"))) == ["issued"]
    assert world.done("present") == world.done("absent") == world.done("answer") == []


def test_an_item_that_fails_touches_no_other_and_gives_up_what_it_left_pending(world: World) -> None:
    world.refused_orders = {"order.example.com"}
    world.refused_records = {"_acme-challenge.dns.example.com"}
    world.broken = {"ca.example.com": CertfleetError("the CA refused ca.example.com"), "bug.example.com": KeyError("x")}
    world.validated = {"ca.example.com"}
    results = issue(
        item("order", "order.example.com"),
        item("good", "good.example.com"),
        item("dns", "dns.example.com", "fine.example.com"),
        item("ca", "ca.example.com"),
        item("bug", "bug.example.com"),
        {"name": "csr", "csr_content": "nonsense"},
    )
    assert outcome(results) == [
        "refused order.example.com",
        "issued",
        "dns.example.com, fine.example.com: no zone for _acme-challenge.dns.example.com",
        "the CA refused ca.example.com",
        "bug.example.com: unexpected KeyError: 'x'",
        results[5]["msg"],
    ]
    assert "the CSR cannot be read" in results[5]["msg"]
    assert "dns.example.com" not in world.done("answer")
    assert sorted(world.done("deactivate")) == [
        "authz/bug.example.com",
        "authz/dns.example.com",
        "authz/fine.example.com",
    ]


def test_what_is_valid_by_now_is_kept_for_the_next_order(world: World) -> None:
    world.broken = {"a.example.com": CertfleetError("the CA refused a.example.com")}
    world.validated = {"a.example.com"}
    assert issue(item("a", "a.example.com", "b.example.com"))[0]["failed"]
    assert world.done("deactivate") == ["authz/b.example.com"]


def test_what_was_never_written_is_not_cleaned_up(world: World) -> None:
    world.refused_records = {"_acme-challenge.dns.example.com", "_acme-challenge.slow.example.com"}
    world.invisible = {"_acme-challenge.slow.example.com"}
    results = issue(item("a", "a.example.com"), item("b", "dns.example.com"), item("c", "slow.example.com"))
    assert [result["failed"] for result in results] == [False, True, True]
    assert [result["warnings"] for result in results] == [[], [], []]
    (cleaned,) = world.done("absent")
    assert [name for name, _value in cleaned] == ["_acme-challenge.a.example.com", "_acme-challenge.slow.example.com"]


def test_what_another_item_needs_is_not_given_up(world: World) -> None:
    world.refused_records = {"_acme-challenge.dns.example.com"}
    results = issue(item("both", "dns.example.com", "shared.example.com"), item("good", "shared.example.com"))
    assert [result["failed"] for result in results] == [True, False]
    assert world.done("deactivate") == ["authz/dns.example.com"]
    assert world.done("answer") == ["shared.example.com"]


def test_what_several_orders_share_is_answered_once(world: World) -> None:
    results = issue(item("a", "shared.example.com", "a.example.com"), item("b", "shared.example.com"))
    assert outcome(results) == ["issued", "issued"]
    assert sorted(world.done("answer")) == ["a.example.com", "shared.example.com"]
    assert sorted(world.done("authorization")) == ["a.example.com", "shared.example.com"]


def test_a_challenge_that_the_ca_refuses_at_once_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(session: Any, challenge: Challenge, shown: str) -> Challenge:
        return Challenge({**challenge.body, "status": "invalid" if shown == "a.example.com" else "valid"})

    monkeypatch.setattr(_issuance, "answer_challenge", refuse)
    monkeypatch.setattr(_issuance, "order_failure", lambda session, order: CertfleetError(f"{order.uri} is lost"))
    results = issue(item("a", "a.example.com"), item("b", "b.example.com"))
    assert [result["failed"] for result in results] == [True, False]
    assert results[0]["msg"].endswith("is lost")
    assert world.done("issued") == ["b.example.com"]


def test_an_order_that_may_still_become_valid_keeps_its_authorizations(world: World) -> None:
    world.broken = {"slow.example.com": TooLate("too late")}
    assert outcome(issue(item("slow", "slow.example.com"))) == ["slow.example.com: too late"]
    assert world.done("deactivate") == []
    assert len(world.done("absent")) == 1


def test_a_ca_that_gives_equal_items_one_order_serves_them_after_each_other(world: World) -> None:
    """Each host has a key of its own for the same names: one order takes one CSR."""
    world.same_order = {"same.example.com"}
    results = issue(*(item(f"web{number}", "same.example.com") for number in range(3)), item("a", "a.example.com"))
    assert outcome(results) == ["issued"] * 4
    assert len({result["order_uri"] for result in results}) == 4
    assert len(world.done("issued")) == 4
    assert len(world.done("present")) == len(world.done("absent")) == 3


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), SystemExit(3), MemoryError()])
def test_dns_is_cleaned_up_when_the_run_breaks(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    def broken(*args: Any, **options: Any) -> Any:
        raise fault

    monkeypatch.setattr(_issuance, "run_steps", broken)
    world.refused_records = {"_acme-challenge.b.example.com"}
    with pytest.raises((type(fault), CertfleetError)):
        issue(item("a", "a.example.com"), item("b", "b.example.com"))
    assert world.done("absent") == [[("_acme-challenge.a.example.com", "proof of a.example.com")]]
    assert world.done("deactivate") == []


def test_sigterm_cleans_up_and_ends_in_words(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def terminated(*args: Any, **options: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(10)

    monkeypatch.setattr(_issuance, "run_steps", terminated)
    with pytest.raises(CertfleetError, match="ended by SIGTERM; what was in DNS is removed"):
        issue(item("a", "a.example.com"))
    assert len(world.done("absent")) == 1
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_failed_clean_up_is_a_warning_and_hides_nothing(world: World) -> None:
    world.left_behind = True
    world.broken = {"b.example.com": CertfleetError("the CA refused b.example.com")}
    results = issue(item("a", "a.example.com"), item("b", "b.example.com"))
    assert outcome(results) == ["issued", "the CA refused b.example.com"]
    for result, name in zip(results, ("a.example.com", "b.example.com")):
        (warning,) = result["warnings"]
        left = f"the TXT value proof of {name} of _acme-challenge.{name} is left behind: throttled"
        assert warning == left


def test_a_clean_up_that_breaks_hides_nothing_either(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(records: Any, *, placed: Any = ()) -> Outcome:
        raise RuntimeError("out of order")

    monkeypatch.setattr(world, "absent", broken)
    (result,) = issue(item("a", "a.example.com"))
    assert (result["failed"], result["fullchain"]) == (False, "chain")
    assert "unexpected RuntimeError: out of order" in result["warnings"][0]


def test_options_for_dns_that_cannot_work_fail_those_that_need_dns(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(params: Any, journal: Any = None) -> Any:
        raise CertfleetError("no DNS provider is given")

    monkeypatch.setattr(_issuance_dns, "build_engine", refuse)
    world.valid = {"a.example.com"}
    results = issue(item("a", "a.example.com"), item("b", "b.example.com"))
    assert outcome(results) == ["issued", "b.example.com: no DNS provider is given"]


def test_check_mode_plans_dns_and_writes_nothing(world: World) -> None:
    world.refused_records = {"_acme-challenge.b.example.com"}
    results = issue(
        item("a", "a.example.com", "*.a.example.com"),
        {"name": "b", "csr_content": None, "identifiers": ["b.example.com"]},
        check_mode=True,
    )
    assert [result["changed"] for result in results] == [True, False]
    assert results[1]["msg"] == "no zone for _acme-challenge.b.example.com"
    assert {word for word, _given in world.log} == {"session", "account looked up", "plan"}
    assert [name for name, _value in world.done("plan")[0]] == [
        "_acme-challenge.a.example.com",
        "_acme-challenge.b.example.com",
    ]


def test_check_mode_fails_where_the_account_would(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(session: Any, params: Any) -> None:
        raise CertfleetError("the CA has no account for this key")

    monkeypatch.setattr(_issuance, "expect_account", refuse)
    with pytest.raises(CertfleetError, match="the CA has no account for this key"):
        issue(item("a", "a.example.com"), check_mode=True)


def test_check_mode_fails_for_an_address_as_no_ca_takes_dns_for_it(world: World) -> None:
    results = issue(item("a", "a.example.com", "192.0.2.7"), item("b", "b.example.com"), check_mode=True)
    assert ": the CA offers no dns-01 challenge for 192.0.2.7. Take the address out" in results[0]["msg"]
    assert [(result["failed"], result["changed"]) for result in results] == [(True, False), (False, True)]
    assert [name for name, _value in world.done("plan")[0]] == ["_acme-challenge.b.example.com"]


def test_check_mode_reads_of_an_order_taken_up_what_the_ca_offers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken_up(session: Any, uri: str, names: list[str]) -> Order:
        return world.new_order(session, names)

    def only_http(session: Any, uri: str) -> Authorization:
        found = world.fetch_authorization(session, uri)
        return Authorization(uri, {**found.body, "challenges": [{"type": "http-01", "url": "x", "status": "pending"}]})

    monkeypatch.setattr(_issuance, "usable_order", taken_up)
    monkeypatch.setattr(_issuance, "fetch_authorization", only_http)
    address = item("a", "192.0.2.7", order_uri="order/1")
    (result,) = issue(address, check_mode=True)
    assert "the CA offers no dns-01 challenge for 192.0.2.7, only http-01" in result["msg"]
    world.valid = {"192.0.2.7"}
    (result,) = issue(address, check_mode=True)
    assert (result["failed"], result["changed"]) == (False, True)


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"name": "a", "csr_content": None, "identifiers": ["a.example.com"]}, "csr_content is empty"),
        ({"name": "a", "csr_content": "nonsense"}, "the CSR cannot be read"),
        ({"name": "a", "csr_content": csr()}, "the CSR names nothing"),
        (item("a", "a.example.com", identifiers=["b.example.com"]), "the CSR is for a.example.com, not for"),
        (item("a", "a.example.com", select_chain=[{"issuer": {"shoe": "x"}}]), "does not know the attribute"),
    ],
)
def test_bad_items_are_refused_before_anything_is_sent(world: World, spec: dict[str, Any], cause: str) -> None:
    (result,) = issue(spec)
    assert cause in result["msg"]
    assert world.log == []
