# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._tls.connection import Served, endpoint_text
from ansible_collections.certfleet.acme.plugins.module_utils._tls.proof import prove
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.small_ca import SmallCA

CA = SmallCA()


def leaf() -> x509.Certificate:
    return CA.sign(ec.generate_private_key(ec.SECP256R1()).public_key(), ["web.example"])


OLD, NEW = leaf(), leaf()
FINGERPRINT = NEW.fingerprint(hashes.SHA256()).hex()


class Endpoint:
    """An endpoint and a clock: each handshake takes a tenth of a second; answers in turn, the last one for ever."""

    def __init__(self, *answers: x509.Certificate | str) -> None:
        self.answers = list(answers)
        self.time = 0.0
        self.timeouts: list[float] = []

    def shake(self, host: str, port: int, name: str | None, *, timeout: float, starttls: str | None) -> Served:
        self.timeouts.append(timeout)
        self.time += 0.1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, str):
            raise CertfleetError(answer)
        return Served(answer.public_bytes(serialization.Encoding.DER), None, "TLSv1.3", "")

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def prove(self, timeout: float = 10) -> None:
        prove(
            "127.0.0.1",
            443,
            "web.example",
            FINGERPRINT,
            timeout=timeout,
            clock=lambda: self.time,
            sleep=self.sleep,
            shake=self.shake,
        )


def test_proven_by_two_handshakes_in_a_row() -> None:
    endpoint = Endpoint(NEW)
    endpoint.prove()
    assert endpoint.time == pytest.approx(0.3)
    assert len(endpoint.timeouts) == 2


def test_an_old_process_that_still_answers_is_waited_for() -> None:
    endpoint = Endpoint(NEW, OLD, NEW, "connection refused", NEW, NEW, OLD)
    endpoint.prove()
    assert len(endpoint.timeouts) == 6


def test_asked_again_until_the_new_certificate_is_there() -> None:
    endpoint = Endpoint("connection refused", OLD, OLD, NEW, NEW, OLD)
    endpoint.prove()
    assert len(endpoint.timeouts) == 5
    assert endpoint.time < 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (OLD, f"127.0.0.1:443 (web.example) serves another certificate (serial {OLD.serial_number:x}, web.example)"),
        ("127.0.0.1:443: Connection refused", "127.0.0.1:443: Connection refused"),
    ],
)
def test_given_up_when_the_time_is_over(answer: x509.Certificate | str, words: str) -> None:
    endpoint = Endpoint(answer)
    with pytest.raises(CertfleetError) as raised:
        endpoint.prove(timeout=10)
    assert raised.value.message == f"{words}, 10 s after the reload"
    assert raised.value.remedy.startswith("See whether the service ")
    assert 8 < endpoint.time <= 10.2
    assert max(endpoint.timeouts) <= 5
    assert endpoint.timeouts[-1] < 5


def test_the_last_handshake_before_the_end_counts() -> None:
    endpoint = Endpoint(OLD)
    shakes = []

    def late(host: str, port: int, name: str | None, *, timeout: float, starttls: str | None) -> Served:
        shakes.append(timeout)
        endpoint.answers = [NEW if endpoint.time > 7 else OLD]
        return Endpoint.shake(endpoint, host, port, name, timeout=timeout, starttls=starttls)

    endpoint.shake = late  # type: ignore[method-assign]
    endpoint.prove(timeout=10)
    assert len(shakes) > 5


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        (("web.example", 443, "web.example"), "web.example:443"),
        (("127.0.0.1", 443, "web.example"), "127.0.0.1:443 (web.example)"),
        (("::1", 8443, None), "[::1]:8443"),
    ],
)
def test_endpoints_are_named_in_one_word(endpoint: tuple[str, int, str | None], text: str) -> None:
    assert endpoint_text(*endpoint) == text
