# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The library's ClientNetwork, made fit for many threads and for a CA that is busy, restarting or strict."""

from __future__ import annotations

import collections
import random
import threading
import time
from typing import Any, Callable
from urllib.parse import urlsplit

from .._errors import CertfleetError
from . import _library as library
from .problems import AcmeProblem, Unreachable, parse_retry_after
from .timing import Deadline

#: A nonce that the CA forgot costs one more try each (RFC 8555 section 6.5); the answer carries a fresh one.
_NONCE_TRIES = 20
#: Tries of a request that was cut or answered 429 or 5xx, when the CA names no time.
_TRIES = 5
#: The first request tells soon that a CA is down.
_DIRECTORY_TRIES = 3
_BUSY = frozenset({429, 500, 502, 503, 504})
#: Bytes of an answer that are read. The largest honest one is a chain of some ten certificates.
_MAX_ANSWER = 2 * 1024 * 1024
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
    nonce to the pool; several tries for badNonce; cut connections, 429 and 5xx are tried again until the deadline
    (every request of this collection may be sent twice: the CA answers the second with the first one's state);
    redirects of signed requests are not followed; the URLs asked stay on the directory's host; a given CA bundle wins
    over the environment's.
    """

    def __init__(
        self,
        *,
        key: Any = None,
        alg: Any = None,
        verify: bool | str = True,
        request_timeout: float = 30,
        concurrency: int = 8,
        stop: threading.Event | None = None,
    ) -> None:
        super().__init__(key=key, alg=alg, verify_ssl=verify, user_agent="certfleet.acme", timeout=request_timeout)
        self.nonces = NoncePool()
        self.new_nonce_url = ""
        self.stop = stop or threading.Event()
        self._hosts: set[tuple[str, str]] = set()
        self.session.auth = lambda request: request  # keeps ~/.netrc out of it
        adapter = library.requests.adapters.HTTPAdapter(pool_maxsize=max(concurrency, 1))
        self.session.mount("https://", adapter)
        self.session.mount("http://", adapter)

    def stay_on(self, url: str) -> None:
        """Allow requests to the host of this URL."""
        self._hosts.add(_origin(url))

    def use_account(self, uri: str | None) -> None:
        """Sign with this account's URL as ``kid``; with the public key itself when None (RFC 8555 section 6.2)."""
        self.account = {"uri": uri} if uri else None

    def fetch(self, url: str, deadline: Deadline) -> Any:
        """Unsigned GET; redirects are followed. Raises AcmeProblem, Unreachable, CertfleetError for another host."""
        self._keep_to_hosts(url)

        def once() -> Any:
            return self._check_response(self._send_request("GET", url, allow_redirects=True))

        return self._persist(once, deadline, _DIRECTORY_TRIES)

    def post(self, url: str, obj: Any, *, deadline: Deadline, accept: str | None = None) -> Any:
        """Signed POST; ``obj`` None makes it a POST-as-GET (RFC 8555 section 6.3). Raises AcmeProblem, Unreachable."""
        self._keep_to_hosts(url)
        headers = {"Content-Type": _JOSE}
        if accept:
            headers["Accept"] = accept

        def once() -> Any:
            data = self._wrap_in_jws(obj, self._get_nonce(url, self.new_nonce_url), url)
            response = self._send_request("POST", url, data=data, headers=headers)
            self._add_nonce(response)
            return self._check_response(response)

        return self._persist(once, deadline)

    def _keep_to_hosts(self, url: str) -> None:
        if _origin(url) not in self._hosts:
            raise CertfleetError(
                f"the CA sent an address on another host than its directory's: {url[:200]}",
                remedy="Nothing was sent there. Check acme_directory and what stands between here and the CA.",
            )

    def _persist(self, once: Callable[[], Any], deadline: Deadline, most: int = _TRIES) -> Any:
        """Call ``once`` until it answers, within the deadline."""
        nonce_tries = tries = 0
        error: CertfleetError | None = None
        while True:
            if self.stop.is_set():
                raise CertfleetError("interrupted")
            try:
                return once()
            except AcmeProblem as problem:
                if problem.code == "badNonce" and nonce_tries < _NONCE_TRIES and deadline.remaining():
                    nonce_tries += 1
                    continue
                problem.earlier = error
                if problem.status not in _BUSY:
                    raise
                error, wait = problem, problem.retry_after
            except Unreachable as unreachable:
                if unreachable.permanent:
                    raise
                error, wait = unreachable, None
            tries += 1
            if wait is None and tries >= most:
                raise error
            own = min(5.0, 0.25 * 2**tries) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads, hides nothing
            wait = own if wait is None or wait < 1 else wait
            if wait > deadline.remaining():
                raise error
            self.stop.wait(wait)

    def _send_request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        """One request, its answer read within bounds. Raises Unreachable."""
        headers = {"User-Agent": self.user_agent, **kwargs.pop("headers", {})}
        kwargs.setdefault("allow_redirects", False)
        errors = library.requests.exceptions
        try:
            response = self.session.request(
                method,
                url,
                headers=headers,
                verify=self.verify_ssl,
                timeout=self._default_timeout,
                stream=True,
                **kwargs,
            )
            response._content = self._read(response, url)
        except errors.SSLError as error:
            raise _untrusted(url, error, self.verify_ssl) from error
        except errors.Timeout as error:
            raise Unreachable(
                f"{_host(url)} did not answer within {self._default_timeout} s",
                remedy="Check the way to the CA, or raise request_timeout.",
            ) from error
        except errors.RequestException as error:
            raise Unreachable(
                f"{_host(url)} cannot be reached: {_cause(error)}",
                remedy="Check acme_directory, the network and proxies, and whether the CA is up.",
                permanent=isinstance(error, (errors.InvalidURL, errors.MissingSchema, errors.InvalidSchema)),
            ) from error
        except OSError as error:  # requests tells a missing CA bundle this way
            raise Unreachable(f"{_host(url)} cannot be asked: {error}", permanent=True) from error
        response.encoding = "utf-8"
        return response

    def _read(self, response: Any, url: str) -> bytes:
        parts, size, end = [], 0, time.monotonic() + self._default_timeout
        for part in response.iter_content(65536):
            parts.append(part)
            size += len(part)
            if size > _MAX_ANSWER:
                response.close()
                raise Unreachable(f"{_host(url)} answered with more than {_MAX_ANSWER} bytes", permanent=True)
            if time.monotonic() > end:
                response.close()
                raise library.requests.exceptions.Timeout
        return b"".join(parts)

    @classmethod
    def _check_response(cls, response: Any, content_type: str | None = None) -> Any:
        """The response itself when it is a success. Raises AcmeProblem with all the CA said."""
        if response.status_code < 300:
            return response
        try:
            problem = response.json()
        except ValueError:
            problem = None
        if not isinstance(problem, dict):
            problem = {"detail": f"HTTP status {response.status_code} {response.reason or ''}".strip()}
        problem.setdefault("status", response.status_code)
        retry_after = parse_retry_after(response.headers.get("Retry-After"))
        refusal = AcmeProblem(problem, status=response.status_code, retry_after=retry_after)
        refusal.answer = response
        raise refusal

    def _get_nonce(self, url: str, new_nonce_url: str) -> bytes:
        nonce = self.nonces.take()
        while nonce is None:
            response = self._check_response(self._send_request("HEAD", new_nonce_url))
            if not self._add_nonce(response):
                raise Unreachable(f"{_host(url)} gave no nonce at {new_nonce_url}", permanent=True)
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


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()


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
    return getattr(seen, "strerror", None) or str(seen).rsplit(": ", 1)[-1] or type(seen).__name__
