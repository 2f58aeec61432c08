# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The library's ClientNetwork, made fit for many threads and for a CA that is busy, restarting or strict."""

from __future__ import annotations

import collections
import http.client
import random
import threading
import time
from typing import Any, Callable
from urllib.parse import urljoin, urlsplit

from .._errors import CertfleetError
from . import _library as library
from .answers import Refused, parse_json, read_answer
from .connections import Adapter, Limit
from .hosts import Hosts
from .problems import AcmeProblem, Unreachable, parse_retry_after
from .timing import Deadline

#: The collection's, as in galaxy.yml, which modules do not carry with them.
VERSION = "1.0.0"

#: A nonce that the CA forgot costs one more try each (RFC 8555 section 6.5); the answer carries a fresh one.
_NONCE_TRIES = 20
#: Tries of a request that was cut or answered 429 or 5xx, when the CA names no time.
_TRIES = 5
#: The first request tells soon that a CA is down.
_FETCH_TRIES = 3
_BUSY = frozenset({429, 500, 502, 503, 504})
_REDIRECTED = frozenset({301, 302, 303, 307, 308})
_REDIRECTS = 5
#: Bytes of an answer that are read. The largest honest one is a chain of some ten certificates.
_MAX_ANSWER = 1024 * 1024
#: Bytes of an error answer that are taken for a problem document: it goes into the results.
_MAX_PROBLEM = 128 * 1024
#: Seconds that a CA is left alone after it was given up without any answer.
_SILENCE = 30.0
_JOSE = "application/jose+json"


class NoncePool:
    """Anti-replay nonces shared by threads, the newest used first: the oldest are the first that a CA forgets."""

    def __init__(self, size: int = 64) -> None:
        self._nonces: collections.deque[bytes] = collections.deque(maxlen=size)

    def put(self, nonce: bytes) -> None:
        """Keep a nonce for one later request."""
        self._nonces.append(nonce)  # append and pop of a deque are atomic

    def take(self) -> bytes | None:
        """The newest nonce, nobody else's any more; None when there is none."""
        try:
            return self._nonces.pop()
        except IndexError:
            return None


class Network(library.ClientNetwork):
    """Signed requests from several threads over one pool of connections and one pool of nonces.

    Differs from the library's: every error keeps its problem document, status and Retry-After (409 too) and feeds its
    nonce to the pool; several tries for badNonce; cut connections, 429 and 5xx are tried again until the deadline;
    redirects of signed requests are not followed; every URL asked is on the directory's host or one that is allowed;
    answers are bounded in size and time; a given CA bundle wins over the environment's.

    allowed_hosts: beside the directory's. retry_after_max: the longest wait that the CA may ask for, seconds; None for
    what the deadline allows. request_timeout: seconds for one request with its answer, and for each step of it.
    """

    def __init__(
        self,
        directory_url: str = "",
        *,
        key: Any = None,
        alg: Any = None,
        verify: bool | str = True,
        request_timeout: float = 30,
        retry_after_max: float | None = None,
        allowed_hosts: list[str] | None = None,
        concurrency: int = 8,
        stop: threading.Event | None = None,
    ) -> None:
        self.hosts = Hosts(directory_url, allowed_hosts)
        super().__init__(key=key, alg=alg, verify_ssl=verify, user_agent=user_agent(), timeout=request_timeout)
        self.nonces = NoncePool()
        self.new_nonce_url = ""
        self.stop = stop or threading.Event()
        self.retry_after_max = retry_after_max
        self._answered = 0.0
        self._silent: tuple[float, Unreachable] | None = None
        self.session.auth = lambda request: request  # keeps ~/.netrc out of it
        # requests looks for one even when it is not to follow it, and reads the whole body first.
        self.session.get_redirect_target = lambda response: None
        adapter = Adapter(pool_maxsize=max(concurrency, 1))
        self.session.mount("https://", adapter)
        self.session.mount("http://", adapter)

    def use_account(self, uri: str | None) -> None:
        """Sign with this account's URL as ``kid``; with the public key itself when None (RFC 8555 section 6.2)."""
        self.account = {"uri": uri} if uri else None

    def fetch(self, url: str, deadline: Deadline, *, tries: int = _FETCH_TRIES, move: bool = False) -> Any:
        """Unsigned GET, redirects followed as far as the hosts allow. Raises AcmeProblem, CertfleetError.

        move: it is the directory, which may lead on from HTTP to HTTPS.
        """

        def once() -> Any:
            here = url
            for _hop in range(_REDIRECTS + 1):
                response = self._send_request("GET", here, deadline)
                target = response.headers.get("Location")
                if response.status_code not in _REDIRECTED or not target:
                    return self._check_response(response)
                here = urljoin(here, target)
                if not (move and self.hosts.move(here)):
                    self.hosts.check(here)
            raise CertfleetError(
                f"{_host(url)} redirects more than {_REDIRECTS} times", remedy="Give the address it all leads to."
            )

        return self._persist(once, deadline, tries)

    def post(
        self,
        url: str,
        obj: Any,
        *,
        deadline: Deadline,
        accept: str | None = None,
        settle: Callable[[CertfleetError], Any] | None = None,
        final: frozenset[int] = frozenset(),
    ) -> Any:
        """Signed POST; ``obj`` None makes it a POST-as-GET (RFC 8555 section 6.3). Raises AcmeProblem, Unreachable.

        settle: asked before a request is sent again that may have been carried out, with what became of it: the answer
        in its place, None to send it again. Without it, what is sent may be sent twice.
        final: HTTP statuses that are not tried again, though others of their kind are.
        """
        headers = {"Content-Type": _JOSE}
        if accept:
            headers["Accept"] = accept
        self.hosts.check(url)

        def once() -> Any:
            data = self._wrap_in_jws(obj, self._take_nonce(deadline), url)
            response = self._send_request("POST", url, deadline, data=data, headers=headers)
            self._add_nonce(response)
            return self._check_response(response)

        return self._persist(once, deadline, settle=settle, final=final)

    def _persist(
        self,
        once: Callable[[], Any],
        deadline: Deadline,
        most: int = _TRIES,
        *,
        settle: Callable[[CertfleetError], Any] | None = None,
        final: frozenset[int] = frozenset(),
    ) -> Any:
        """Call ``once`` until it answers, within the deadline."""
        self._check_silence()
        nonce_tries = tries = 0
        begun = 0.0
        error: AcmeProblem | Unreachable | None = None
        while True:
            if self.stop.is_set():
                raise CertfleetError("interrupted")
            try:
                settled = settle(error) if settle is not None and error is not None and error.in_doubt else None
            except AcmeProblem:
                settled = None  # what cannot be found out is tried again
            if settled is not None:
                return settled
            try:
                return once()
            except AcmeProblem as problem:
                problem.earlier = error
                if problem.code == "badNonce" and nonce_tries < _NONCE_TRIES and deadline.remaining():
                    nonce_tries += 1
                    continue
                if problem.status not in _BUSY - final:
                    raise
                error, wait = problem, problem.retry_after
            except Unreachable as unreachable:
                if unreachable.permanent:
                    raise
                error, wait = unreachable, None
            tries += 1
            begun = begun or time.monotonic()
            if wait is not None and wait > self.bound(deadline)[0]:
                raise error.beyond(self.bound(deadline)[1])  # type: ignore[union-attr]
            own = min(5.0, 0.25 * 2**tries) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads, hides nothing
            pause = own if wait is None or wait < 1 else wait
            if (wait is None and tries >= most) or pause > deadline.remaining():
                self._given_up(error, begun)
                raise error
            self.stop.wait(pause)

    def bound(self, deadline: Deadline) -> tuple[float, str]:
        """The longest wait that the CA may ask for now, and that in words, the option's name first."""
        if self.retry_after_max is not None and self.retry_after_max < deadline.remaining():
            return self.retry_after_max, f"retry_after_max ({self.retry_after_max:g} s)"
        return deadline.remaining(), f"timeout ({deadline.seconds:g} s) leaves"

    def _given_up(self, error: AcmeProblem | Unreachable, begun: float) -> None:
        """Remember that the CA answered nothing at all since this request first failed."""
        if isinstance(error, Unreachable) and self._answered <= begun:
            self._silent = time.monotonic(), error

    def _check_silence(self) -> None:
        """Raise Unreachable when the CA has just been given up: the rest of a batch need not find it out again."""
        if self._silent is None:
            return
        since, error = self._silent
        if self._answered < since and time.monotonic() < since + _SILENCE:
            raise Unreachable(f"{error.message} (a moment ago; not tried again)", remedy=error.remedy)

    def _send_request(self, method: str, url: str, deadline: Deadline, **kwargs: Any) -> Any:
        """One request, its answer read within bounds. Raises Unreachable, or CertfleetError for a foreign host."""
        self.hosts.check(url)
        headers = {"User-Agent": self.user_agent, "Accept-Encoding": "identity", **kwargs.pop("headers", {})}
        seconds = max(1.0, min(self._default_timeout, deadline.remaining()))
        errors = library.requests.exceptions
        late = Unreachable(
            f"{_host(url)} did not answer within {round(seconds, 1):g} s",
            remedy="Check the way to the CA, or raise request_timeout.",
        )
        limit = Limit(seconds)
        try:
            with limit:
                response = self.session.request(
                    method,
                    url,
                    headers=headers,
                    verify=self.verify_ssl,
                    timeout=seconds,
                    stream=True,
                    allow_redirects=False,
                    **kwargs,
                )
                read_answer(response, _MAX_ANSWER)
        except (errors.RequestException, library.urllib3.exceptions.HTTPError, OSError) as error:
            if limit.expired or isinstance(error, (errors.Timeout, library.urllib3.exceptions.TimeoutError)):
                raise late from error
            raise _unreachable(url, error, self.verify_ssl) from error
        except Refused as error:
            if limit.expired:
                raise late from error
            raise Unreachable(
                f"{_host(url)} answered with {error}", remedy="Check acme_directory and what is there.", permanent=True
            ) from error
        if limit.expired:
            raise late
        self._answered = time.monotonic()
        return response

    @classmethod
    def _check_response(cls, response: Any, content_type: str | None = None) -> Any:
        """The response itself when it is a success. Raises AcmeProblem with all the CA said."""
        if response.status_code < 300:
            return response
        problem = parse_json(response) if len(response.content) <= _MAX_PROBLEM else None
        if not isinstance(problem, dict):
            target = response.headers.get("Location") if response.status_code < 400 else ""
            detail = f"HTTP status {response.status_code} {response.reason or ''}".strip()
            problem = {"detail": f"{detail} to {target}, which is not followed" if target else detail}
        problem.setdefault("status", response.status_code)
        retry_after = parse_retry_after(response.headers.get("Retry-After"))
        refusal = AcmeProblem(problem, status=response.status_code, retry_after=retry_after)
        refusal.answer = response
        raise refusal

    def _take_nonce(self, deadline: Deadline) -> bytes:
        nonce = self.nonces.take()
        while nonce is None:
            response = self._check_response(self._send_request("HEAD", self.new_nonce_url, deadline))
            if not self._add_nonce(response):
                # Perhaps its headers were cut off.
                raise Unreachable(f"{_host(self.new_nonce_url)} gave no nonce at {self.new_nonce_url}")
            nonce = self.nonces.take()
        return nonce

    def _add_nonce(self, response: Any) -> bool:
        value = response.headers.get(self.REPLAY_NONCE_HEADER)
        try:
            nonce = library.jose.b64decode(value) if value else b""
        except (TypeError, ValueError):
            return False
        if nonce:
            self.nonces.put(nonce)
        return bool(nonce)


def user_agent() -> str:
    """Program, version and HTTP library, as RFC 8555 section 6.1 asks for."""
    return f"certfleet.acme/{VERSION} (Ansible collection) python-requests/{library.requests.__version__}"


def _unreachable(url: str, error: Exception, verify: bool | str) -> Unreachable:
    """What requests, urllib3 or the system raised, in the operator's words."""
    errors = library.requests.exceptions
    if isinstance(error, errors.SSLError):
        return _untrusted(url, error, verify)
    if isinstance(error, OSError) and not isinstance(error, (errors.RequestException, ConnectionError)):
        # requests tells a missing CA bundle this way
        return Unreachable(f"{_host(url)} cannot be asked: {error}", permanent=True)
    first = error.args[0] if error.args else None
    if any(isinstance(part, library.urllib3.exceptions.ProtocolError) for part in (error, first)):
        return Unreachable(
            f"the connection to {_host(url)} was cut: {_cause(error)}",
            remedy="Check whether the CA is up, and what stands between here and it.",
        )
    unusable = (errors.InvalidURL, errors.MissingSchema, errors.InvalidSchema)
    return Unreachable(
        f"{_host(url)} cannot be reached: {_cause(error)}",
        remedy="Check acme_directory, the network and proxies, and whether the CA is up.",
        permanent=isinstance(error, unusable),
    )


def _host(url: str) -> str:
    return urlsplit(url).netloc or url


def _untrusted(url: str, error: Exception, verify: bool | str) -> Unreachable:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" not in text:
        return Unreachable(f"{_host(url)} cannot be reached: TLS failed: {_cause(error)}")
    reason = text.rpartition("certificate verify failed: ")[2].split(" (_ssl")[0].rstrip("')\"")
    bundle = f"The certificates in {verify} do" if isinstance(verify, str) else "The usual certificates do"
    return Unreachable(
        f"the TLS certificate of {_host(url)} is not trusted: {reason}",
        remedy=f"{bundle} not lead to it: set ca_path to the bundle of the CA's own server.",
        permanent=True,
    )


def _cause(error: BaseException) -> str:
    """The innermost words of requests' nested errors."""
    seen: BaseException = error
    for _depth in range(8):
        inner = getattr(seen, "reason", None)
        nested = next((part for part in seen.args if isinstance(part, BaseException)), None)
        following = inner if isinstance(inner, BaseException) else nested or seen.__cause__
        if following is None:
            break
        seen = following
    if isinstance(seen, http.client.IncompleteRead):
        return "its answer ended too early"
    return getattr(seen, "strerror", None) or str(seen).rsplit(": ", 1)[-1] or type(seen).__name__
