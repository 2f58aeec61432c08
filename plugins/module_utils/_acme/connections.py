# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections whose requests end in time, however slowly a server sends.

A socket's own timeout starts anew with each byte that comes. A server that sends one now and then, in the handshake,
the headers or the body, would keep a request for days.
"""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

from . import _library as library

_current = threading.local()


class Limit:
    """Ends the request that the calling thread makes inside ``with``, when ``seconds`` are over.

    expired: whether that happened. What came until then may look like a whole answer, so ask.
    """

    def __init__(self, seconds: float) -> None:
        self.expired = False
        self._over = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> Limit:
        _current.limit = self
        self._timer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()
        _current.limit = None
        with self._lock:
            self._over = True
            self._forget()

    def watch(self, fileno: int) -> None:
        """The socket that the request goes over from now on."""
        with self._lock:
            self._forget()
            # A copy: TLS takes the socket over, and an answer may outlive the connection that it came by.
            self._socket = socket.socket(fileno=os.dup(fileno))
            if self.expired:
                self._end()

    def _expire(self) -> None:
        with self._lock:
            if not self._over:
                self.expired = True
                self._end()

    def _end(self) -> None:
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is over already

    def _forget(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _watch(sock: Any) -> None:
    limit = getattr(_current, "limit", None)
    if limit is not None and sock is not None:
        limit.watch(sock.fileno())


class _Watched:
    """What makes a connection of urllib3 known to the limit of the thread that uses it."""

    sock: Any

    def _new_conn(self) -> Any:
        sock = super()._new_conn()  # type: ignore[misc]
        _watch(sock)
        return sock

    def request(self, *args: Any, **kwargs: Any) -> Any:
        _watch(self.sock)
        return super().request(*args, **kwargs)  # type: ignore[misc]


class _Http(_Watched, library.HTTPConnection):
    pass


class _Https(_Watched, library.HTTPSConnection):
    pass


class _HttpPool(library.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(library.HTTPSConnectionPool):
    ConnectionCls = _Https


class Adapter(library.HTTPAdapter):
    """The adapter of requests, over connections that a Limit can end; those through a SOCKS proxy it cannot."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        return manager
