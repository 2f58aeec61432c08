# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme import network, timing
from ansible_collections.certfleet.acme.plugins.module_utils._acme.problems import AcmeProblem, Unreachable
from ansible_collections.certfleet.acme.plugins.module_utils._acme.session import open_session
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError

from .scripted import Answer, ScriptedCA, problem, scripted_ca

FINE: Answer = (200, {}, {"status": "valid"})


@pytest.fixture
def ca() -> Iterator[ScriptedCA]:
    with scripted_ca() as running:
        yield running


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between tries, which take no time."""
    seen: list[float] = []

    def wait(event: threading.Event, timeout: float | None = None) -> bool:
        if isinstance(event, _Stop):
            seen.append(timeout or 0.0)
            return event.is_set()
        return real(event, timeout)

    real = threading.Event.wait
    monkeypatch.setattr(threading.Event, "wait", wait)
    return seen


class _Stop(threading.Event):
    pass


def ask(ca: ScriptedCA, **options: Any) -> Any:
    session = ca.session(**options)
    session.network.stop = _Stop()
    return session.read(f"{ca.url}/thing", doing="to show the thing")[0]


def nonces_used(ca: ScriptedCA) -> list[str]:
    return [protected["nonce"] for _method, _path, protected, _payload in ca.asked if protected]


def test_the_newest_nonce_is_used_first_and_each_once() -> None:
    pool = network.NoncePool(size=3)
    for nonce in (b"1", b"2", b"3", b"4"):
        pool.put(nonce)
    assert [pool.take() for _number in range(4)] == [b"4", b"3", b"2", None]


def test_many_threads_never_share_a_nonce(ca: ScriptedCA) -> None:
    ca.script["thing"] = [FINE]
    session = ca.session(concurrency=8)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: session.read(f"{ca.url}/thing", doing="it"), range(80)))
    used = nonces_used(ca)
    assert len(used) == len(set(used)) == 80
    assert ca.paths().count("/newNonce") <= 8


def test_one_nonce_starts_a_chain_that_needs_no_other(ca: ScriptedCA) -> None:
    ca.script["thing"] = [FINE]
    session = ca.session()
    for _number in range(5):
        session.read(f"{ca.url}/thing", doing="it")
    assert ca.paths() == ["/directory", "/newNonce", *["/thing"] * 5]


def test_several_bad_nonces_in_a_row_are_overcome_with_those_of_the_error_answers(ca: ScriptedCA) -> None:
    ca.script["thing"] = [*[problem("badNonce", 400)] * 7, FINE]
    assert ask(ca) == {"status": "valid"}
    assert ca.paths().count("/thing") == 8
    assert ca.paths().count("/newNonce") == 1
    assert len(set(nonces_used(ca))) == 8


def test_a_ca_that_takes_no_nonce_at_all_is_given_up(ca: ScriptedCA) -> None:
    ca.script["thing"] = [problem("badNonce", 400)]
    with pytest.raises(AcmeProblem, match="the CA refused to show the thing: badNonce"):
        ask(ca)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_ca_is_asked_again_after_a_growing_wait(ca: ScriptedCA, waits: list[float], status: int) -> None:
    ca.script["thing"] = [*[problem("serverInternal", status)] * 3, FINE]
    assert ask(ca, timeout=60) == {"status": "valid"}
    assert len(waits) == 3
    assert waits == sorted(waits)


def test_a_cut_connection_is_made_again(ca: ScriptedCA, waits: list[float]) -> None:
    ca.script["thing"] = [None, None, FINE]
    assert ask(ca) == {"status": "valid"}
    assert len(waits) == 2


def test_retry_after_is_honoured_and_not_counted_as_a_try(ca: ScriptedCA, waits: list[float]) -> None:
    ca.script["thing"] = [*[problem("rateLimited", 429, Retry_After="7")] * 9, FINE]
    assert ask(ca) == {"status": "valid"}
    assert waits == [7.0] * 9


def test_a_retry_after_beyond_the_deadline_ends_it_at_once_and_is_told(ca: ScriptedCA, waits: list[float]) -> None:
    ca.script["thing"] = [problem("rateLimited", 429, Retry_After="11")]
    with pytest.raises(AcmeProblem, match=r"try again in 11 s, at .*longer than timeout \(10 s\) leaves") as caught:
        ask(ca, timeout=10)
    assert (caught.value.status, caught.value.retry_after) == (429, 11.0)
    assert caught.value.as_result()["retry_at"] in str(caught.value)
    assert waits == []
    assert ca.paths().count("/thing") == 1


def test_the_user_bounds_what_the_ca_may_ask_for(ca: ScriptedCA, waits: list[float]) -> None:
    ca.script["thing"] = [problem("rateLimited", 429, Retry_After="5"), problem("rateLimited", 429, Retry_After="6")]
    with pytest.raises(
        AcmeProblem, match=r"try again in 6 s, .*longer than retry_after_max \(5 s\)\)\. Run again at 2"
    ):
        ask(ca, timeout=60, retry_after_max=5)
    assert waits == [5.0]


def test_a_date_is_waited_for_too(ca: ScriptedCA, waits: list[float]) -> None:
    ca.script["thing"] = [problem("serverInternal", 503, Retry_After=formatdate(time.time() + 8, usegmt=True)), FINE]
    assert ask(ca) == {"status": "valid"}
    assert waits[0] == pytest.approx(8, abs=1.5)


def test_a_ca_that_stays_busy_is_given_up_after_some_tries(ca: ScriptedCA, waits: list[float]) -> None:
    ca.script["thing"] = [problem("serverInternal", 503)]
    with pytest.raises(AcmeProblem, match="serverInternal"):
        ask(ca, timeout=1000)
    assert ca.paths().count("/thing") == 5


def test_a_refusal_is_not_repeated_and_keeps_all_the_ca_said(ca: ScriptedCA, waits: list[float]) -> None:
    ca.script["thing"] = [problem("alreadyReplaced", 409, "replaced by 17")]
    with pytest.raises(AcmeProblem) as caught:
        ask(ca)
    assert caught.value.status == 409
    assert caught.value.code == "alreadyReplaced"
    assert caught.value.problem["detail"] == "replaced by 17"
    assert ca.paths().count("/thing") == 1
    assert waits == []


def test_an_error_page_that_is_no_problem_document_is_told_by_its_status(ca: ScriptedCA) -> None:
    ca.script["thing"] = [(403, {"Content-Type": "text/html"}, b"<html>go away</html>")]
    with pytest.raises(AcmeProblem, match="the CA refused to show the thing: HTTP status 403 Forbidden"):
        ask(ca)


def test_stop_ends_the_tries(ca: ScriptedCA) -> None:
    ca.script["thing"] = [problem("serverInternal", 503, Retry_After="5")]
    session = ca.session(timeout=60)
    threading.Timer(0.2, session.network.stop.set).start()
    begun = time.monotonic()
    with pytest.raises(CertfleetError, match="interrupted"):
        session.read(f"{ca.url}/thing", doing="it")
    assert time.monotonic() - begun < 4


def test_a_redirect_of_the_directory_stays_on_its_host(ca: ScriptedCA) -> None:
    ca.script["directory"] = [(302, {"Location": "/moved"}, b"x" * 100_000)]
    ca.script["moved"] = [(200, {}, ca.directory)]
    ca.script["info"] = [(307, {"Location": "/moved"}, b"")]
    session = ca.session()
    session.network.fetch(f"{ca.url}/info", session.deadline())
    assert ca.paths() == ["/directory", "/moved", "/info", "/moved"]


def test_a_redirect_is_followed_to_an_allowed_host_and_never_that_of_a_signed_request(ca: ScriptedCA) -> None:
    with scripted_ca() as target:
        ca.script["directory"] = [(302, {"Location": f"{target.url}/directory"}, b"")]
        target.script["thing"] = [FINE, (307, {"Location": f"{ca.url}/thing"}, b"")]
        with pytest.raises(CertfleetError, match=r"another host than the directory .*name this one in allowed_hosts"):
            ca.session()
        assert target.asked == []
        session = ca.session(allowed_hosts=[target.url.removeprefix("http://")])
        assert session.read(f"{target.url}/thing", doing="it")[0] == {"status": "valid"}
        with pytest.raises(AcmeProblem, match=rf"HTTP status 307 .* to {ca.url}/thing, which is not followed"):
            session.read(f"{target.url}/thing", doing="it")
    assert ca.paths() == ["/directory"] * 2


def test_a_redirect_without_end_is_given_up(ca: ScriptedCA) -> None:
    ca.script["directory"] = [(302, {"Location": "/directory"}, b"")]
    with pytest.raises(CertfleetError, match="redirects more than 5 times"):
        ca.session()
    assert len(ca.asked) == 6


def test_a_ca_that_is_down_is_told_in_one_line(waits: list[float]) -> None:
    with scripted_ca() as gone:
        pass
    params = {"acme_directory": f"{gone.url}/directory", "request_timeout": 1, "timeout": 20}
    stop = _Stop()
    with pytest.raises(CertfleetError, match=r"cannot be read: .*Connection refused.*Check acme_directory"):
        open_session(params, None, stop=stop)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ((404, {}, b"nothing"), "no ACME directory at .*: HTTP status 404"),
        ((200, {}, b"<html>"), "is not a JSON object"),
        ((200, {}, {"newOrder": "x"}), "newNonce, newAccount missing"),
    ],
)
def test_what_is_no_directory_is_told(ca: ScriptedCA, answer: Any, cause: str) -> None:
    ca.script["directory"] = [answer]
    with pytest.raises(CertfleetError, match=cause):
        ca.session()


def test_a_directory_that_gives_no_nonce_is_told(ca: ScriptedCA) -> None:
    ca.script["newNonce"] = [(200, {"Replay-Nonce": ""}, b"")]
    with pytest.raises(Unreachable, match="gave no nonce"):
        ask(ca, timeout=1)


def test_requests_are_signed_by_the_account_and_a_read_has_an_empty_payload(ca: ScriptedCA) -> None:
    ca.script["thing"] = [FINE]
    ask(ca)
    ((method, _path, protected, payload),) = [one for one in ca.asked if one[1] == "/thing"]
    assert (method, payload) == ("POST", None)
    assert protected is not None
    assert protected["alg"] == "ES256"
    assert protected["kid"] == f"{ca.url}/account/1"
    assert protected["url"] == f"{ca.url}/thing"
    assert "jwk" not in protected


def test_a_given_ca_bundle_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/of/the/environment")
    seen: list[Any] = []
    asked = network.Network("https://ca.example/directory", verify="/of/the/option")

    def send(request: Any, **options: Any) -> Any:
        seen.append(options["verify"])
        raise OSError("stop here")

    monkeypatch.setattr(asked.session, "send", send)
    with pytest.raises(Unreachable):
        asked.fetch("https://ca.example/directory", timing.Deadline(1))
    assert seen == ["/of/the/option"]


@pytest.mark.parametrize("content", [None, b"", b"not PEM"])
def test_a_bundle_that_cannot_be_used_is_told_before_anything_is_sent(tmp_path: Any, content: bytes | None) -> None:
    path = tmp_path / "bundle.pem"
    if content is not None:
        path.write_bytes(content)
    params = {"acme_directory": "https://ca.example/d", "ca_path": str(path), "request_timeout": 1, "timeout": 1}
    with pytest.raises(CertfleetError, match=f"ca_path {path} is not a usable CA bundle"):
        open_session(params, None)


def test_the_user_agent_names_program_version_and_library(ca: ScriptedCA) -> None:
    """RFC 8555 section 6.1."""
    ca.script["thing"] = [FINE]
    ask(ca)
    (agent,) = ca.user_agents
    galaxy = (Path(__file__).parents[5] / "galaxy.yml").read_text(encoding="utf-8")
    (version,) = re.findall(r"^version: (\S+)$", galaxy, re.MULTILINE)
    assert re.fullmatch(rf"certfleet\.acme/{re.escape(version)} \(Ansible collection\) python-requests/[0-9.]+", agent)


def test_the_ca_is_reached_through_the_proxy_of_the_environment(
    ca: ScriptedCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ca is the proxy here: it is asked for whole URLs, and nobody asks the host itself, which there is not."""
    monkeypatch.setenv("http_proxy", ca.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    url = "http://ca.invalid/directory"
    ca.script[url] = [(200, {}, {name: f"http://ca.invalid/{name}" for name in ca.directory})]
    session = open_session({"acme_directory": url, "request_timeout": 5, "timeout": 5}, None)
    assert session.resource("newOrder") == "http://ca.invalid/newOrder"
    assert ca.paths() == [url]


def test_the_rest_of_a_batch_does_not_find_out_again_that_the_ca_is_silent(
    ca: ScriptedCA, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    nonce: Answer = (200, {}, b"")
    ca.script.update(thing=[None], other=[FINE], newNonce=[nonce, None, None, None, None, nonce])
    session = ca.session()
    session.network.stop = _Stop()
    with pytest.raises(Unreachable, match=r"asked to show the thing, .* was cut"):
        session.read(f"{ca.url}/thing", doing="to show the thing")
    tried = len(ca.asked)
    with pytest.raises(Unreachable, match=r"asked for it, .* \(a moment ago; not tried again\)"):
        session.read(f"{ca.url}/other", doing="it")
    assert len(ca.asked) == tried
    monkeypatch.setattr(network, "_SILENCE", 0)
    assert session.read(f"{ca.url}/other", doing="it")[0] == FINE[2]
    assert session.read(f"{ca.url}/other", doing="it")[0] == FINE[2]


def test_one_address_that_is_always_cut_does_not_silence_the_others(ca: ScriptedCA, waits: list[float]) -> None:
    ca.script.update(thing=[None], other=[FINE])
    session = ca.session()
    session.network.stop = _Stop()
    with ThreadPoolExecutor(1) as pool:
        cut = pool.submit(session.read, f"{ca.url}/thing", doing="it")
        while not cut.done():
            session.read(f"{ca.url}/other", doing="it")
    with pytest.raises(Unreachable):
        cut.result()
    assert session.read(f"{ca.url}/other", doing="it")[0] == FINE[2]


@pytest.mark.parametrize("found", [None, {"status": "valid"}])
def test_what_may_have_been_carried_out_is_settled_before_it_is_sent_again(
    ca: ScriptedCA, waits: list[float], found: Any
) -> None:
    ca.script["thing"] = [problem("rateLimited", 429), None, problem("serverInternal", 504), FINE]
    session = ca.session()
    session.network.stop = _Stop()
    seen: list[CertfleetError] = []

    def settle(error: CertfleetError) -> Any:
        seen.append(error)
        return found if len(seen) == 2 else None

    answer = session.send(f"{ca.url}/thing", None, doing="it", settle=settle)
    assert [type(error) for error in seen] == [Unreachable, AcmeProblem]  # not after 429, which refuses
    assert ca.paths().count("/thing") == (3 if found else 4)
    assert (answer == found) == bool(found)


@pytest.mark.parametrize(("name", "value"), [("request_timeout", 0), ("timeout", -1), ("retry_after_max", -1)])
def test_seconds_that_are_none_are_refused_before_the_first_request(ca: ScriptedCA, name: str, value: int) -> None:
    with pytest.raises(CertfleetError, match=rf"^{name} is {value}\. Give"):
        ca.session(**{name: value})
    assert ca.asked == []
