# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""What Google's libraries and the network say when a request gets no answer, in words that name the way out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from . import _library
from .errors import ProviderBusy, ProviderError


def explain(error: Any, title: str, endpoint: str) -> ProviderError:
    """An exception of google-auth or requests as one line with its way out. title: of the API, for messages."""
    known = _library.google_auth().auth.exceptions
    if isinstance(error, known.TransportError):
        return ProviderError(
            f"Google's token server cannot be reached: {_network(error)}",
            remedy="Check the network, the proxy and the token_uri of the key.",
            fatal=True,
        )
    if isinstance(error, known.RefreshError):
        return credentials_refused(title, ": ".join(dict.fromkeys(_refresh_texts(error))))
    if isinstance(error, known.GoogleAuthError):
        return credentials_refused(title, short(error))
    return _explain_network(error, title, endpoint)


def _refresh_texts(error: Any) -> Iterator[str]:
    """What the error says, and what the answer that it carries says."""
    yield short(error.args[0] if error.args else error)
    for answer in error.args[1:]:
        try:
            yield short(json.loads(answer)["error"]["message"])
        except (KeyError, TypeError, ValueError):
            continue


def _explain_network(error: Any, title: str, endpoint: str) -> ProviderError:
    known = _library.requests().exceptions
    if isinstance(error, known.SSLError):
        return ProviderError(
            f"{title} at {endpoint} has a certificate that is not trusted: {_network(error)}",
            remedy="Name the CA bundle that it was issued from in the environment variable REQUESTS_CA_BUNDLE.",
            fatal=True,
        )
    if isinstance(error, (known.ConnectTimeout, known.ProxyError)) or _never_connected(error):
        return ProviderError(
            f"{title} at {endpoint} cannot be reached: {_network(error)}",
            remedy="Check the network, the proxy and api_endpoint.",
            fatal=True,
        )
    if isinstance(error, (known.ConnectionError, known.Timeout, known.ChunkedEncodingError)):
        return ProviderBusy(
            f"{title} at {endpoint} gave no answer: {_network(error)}",
            remedy="Check the network, or try again later.",
            unsure=True,
        )
    if isinstance(error, (known.InvalidURL, known.InvalidSchema, known.MissingSchema)):
        return ProviderError(f"api_endpoint {endpoint!r} cannot be used: {short(error)}", fatal=True)
    # An answer that is no JSON: something else is there. A change may have been made all the same.
    return ProviderError(f"what {endpoint} answers is not {title}: {short(error)}", fatal=True, unsure=True)


def credentials_refused(title: str, text: str) -> ProviderError:
    """The error of credentials that are none, or over."""
    return ProviderError(
        f"Google refuses the credentials for {title}: {text}",
        remedy="Check the key or the access token (one is good for an hour), and the clock of this machine.",
        fatal=True,
    )


def _never_connected(error: Any) -> bool:
    """True when no connection came about, so that nothing can have been carried out."""
    seen = error
    for _depth in range(6):
        if type(seen).__name__ in ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError"):
            return True
        reason = getattr(seen, "reason", None)
        seen = reason if isinstance(reason, BaseException) else next(iter(getattr(seen, "args", ())), None)
        if not isinstance(seen, BaseException):
            return False
    return False


def _network(error: Any) -> str:
    """The innermost cause: the outer ones repeat it with addresses of objects."""
    text = short(error)
    for marker in ("Failed to establish a new connection: ", "Caused by "):
        text = text.rpartition(marker)[2]
    return text.rstrip("')\"")


def line(text: Any) -> str:
    """A text in one line without its full stop."""
    return " ".join(str(text).split()).rstrip(".")


def short(error: Any) -> str:
    """An exception's text in one line of bounded length."""
    text = line(error) or type(error).__name__
    return text if len(text) <= 400 else f"{text[:400]}..."
