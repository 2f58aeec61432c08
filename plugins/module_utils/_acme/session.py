# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session with one CA: its directory, the key that signs, the network, and what is learned about its pace."""

from __future__ import annotations

import os
import ssl
import threading
from typing import Any, Callable

from .._errors import CertfleetError
from .._keys.account import AccountKey
from .answers import parse_json
from .network import Network
from .problems import AcmeProblem, Unreachable
from .timing import Deadline, LearnedDelay

#: RFC 8555 section 7.1.1; newAuthz and keyChange are optional in practice.
_REQUIRED = ("newNonce", "newAccount", "newOrder")


class Session:
    """What all requests of one module process share. Safe to use from several threads once it is bound to an account.

    directory: the CA's directory as it came. timeout: seconds that the CA may take for one thing (a request with its
    repetitions, the validation of one order, the issuance of one certificate).
    """

    def __init__(
        self, directory_url: str, directory: dict[str, Any], network: Network, key: AccountKey | None, timeout: float
    ):
        self.directory_url = directory_url
        self.directory = directory
        self.network = network
        self.key = key
        self.timeout = timeout
        self.account_uri: str | None = None
        self.validation = LearnedDelay(0.75)
        self.issuance = LearnedDelay(0.375)

    @property
    def meta(self) -> dict[str, Any]:
        """The directory's metadata (RFC 8555 section 7.1.1); empty when the CA gives none."""
        meta = self.directory.get("meta")
        return meta if isinstance(meta, dict) else {}

    @property
    def profiles(self) -> dict[str, str]:
        """Profiles that the directory offers, with their descriptions; empty when it has none."""
        profiles = self.meta.get("profiles")
        return profiles if isinstance(profiles, dict) else {}

    @property
    def signing_key(self) -> AccountKey:
        """The account key. Raises CertfleetError in a session that was opened without one."""
        if self.key is None:
            raise CertfleetError("this needs an account key")
        return self.key

    def use_key(self, key: AccountKey) -> None:
        """Sign everything from now on with this key, as no account yet."""
        self.key, self.account_uri = key, None
        self.network.key, self.network.alg = key.jwk, key.alg
        self.network.use_account(None)

    def bind(self, account_uri: str) -> None:
        """Sign everything from now on as this account."""
        self.account_uri = account_uri
        self.network.use_account(account_uri)

    def deadline(self) -> Deadline:
        """A new deadline, ``timeout`` from now."""
        return Deadline(self.timeout)

    def resource(self, name: str) -> str:
        """The URL of a resource of the directory. Raises CertfleetError when the CA does not have it."""
        url = self.directory.get(name)
        if not isinstance(url, str):
            raise CertfleetError(f"the CA at {self.directory_url} does not offer {name}")
        return url

    def send(
        self,
        url: str,
        message: Any,
        *,
        doing: str,
        deadline: Deadline | None = None,
        accept: str | None = None,
        settle: Callable[[CertfleetError], Any] | None = None,
        final: frozenset[int] = frozenset(),
    ) -> Any:
        """A signed request, its answer checked. Raises AcmeProblem or Unreachable that names ``doing``.

        settle, final: see Network.post().
        """
        try:
            return self.network.post(
                url, message, deadline=deadline or self.deadline(), accept=accept, settle=settle, final=final
            )
        except (AcmeProblem, Unreachable) as problem:
            raise problem.about(doing) from problem

    def read(self, url: str, *, doing: str, deadline: Deadline | None = None) -> tuple[dict[str, Any], Any]:
        """A resource by POST-as-GET: the object and the response. Raises CertfleetError."""
        response = self.send(url, None, doing=doing, deadline=deadline)
        return as_object(response, doing), response

    def check_profile(self, profile: str | None) -> None:
        """Raise CertfleetError when the directory does not list the profile (draft-ietf-acme-profiles)."""
        if not profile or profile in self.profiles:
            return
        offered = f"it offers {', '.join(sorted(self.profiles))}" if self.profiles else "it offers none"
        raise CertfleetError(
            f"the CA does not offer the profile {profile}: {offered}", remedy="Change or drop profile."
        )


def as_object(response: Any, doing: str) -> dict[str, Any]:
    """The JSON object of an answer. Raises CertfleetError when it is none."""
    body = parse_json(response)
    if not isinstance(body, dict):
        raise CertfleetError(f"the CA's answer to {doing} is not a JSON object")
    return body


def open_session(params: dict[str, Any], key: AccountKey | None, *, stop: threading.Event | None = None) -> Session:
    """Read the directory and make a session of the options in ACME_ARGSPEC; no account yet.

    key: None for what needs no signature. Raises CertfleetError: a time that is none, unusable CA bundle, CA not
    reachable or not trusted, no directory at that address.
    """
    check_times(params)
    url = params["acme_directory"]
    network = Network(
        url,
        key=key.jwk if key else None,
        alg=key.alg if key else None,
        verify=_verify(params),
        request_timeout=params["request_timeout"],
        retry_after_max=params.get("retry_after_max"),
        allowed_hosts=params.get("allowed_hosts"),
        concurrency=params.get("concurrency") or 1,
        stop=stop,
    )
    try:
        response = network.fetch(url, Deadline(params["timeout"]), move=True)
        directory = as_object(response, f"the directory {url}")
    except AcmeProblem as problem:
        later = f" ({problem.later.text})" if problem.later else ""
        raise CertfleetError(
            f"no ACME directory at {url}: HTTP status {problem.status}{later}",
            remedy=problem.later.remedy if problem.later and problem.later.remedy else "Check acme_directory.",
            **{name: value for name, value in problem.details.items() if name == "retry_at"},
        ) from problem
    except Unreachable as error:
        raise CertfleetError(
            f"the CA's directory {url} cannot be read: {error.message}", remedy=error.remedy
        ) from error
    missing = [name for name in _REQUIRED if not isinstance(directory.get(name), str)]
    if missing:
        raise CertfleetError(
            f"no ACME directory at {url}: {', '.join(missing)} missing", remedy="Check acme_directory."
        )
    network.new_nonce_url = directory["newNonce"]
    return Session(url, directory, network, key, params["timeout"])


def check_times(params: dict[str, Any]) -> None:
    """Raise CertfleetError for seconds in the options of DIRECTORY_ARGSPEC that are none."""
    for name in ("request_timeout", "timeout"):
        if params.get(name) is not None and params[name] <= 0:
            raise CertfleetError(f"{name} is {params[name]}", remedy="Give 1 or more seconds.")
    most = params.get("retry_after_max")
    if most is not None and most < 0:
        raise CertfleetError(f"retry_after_max is {most}", remedy="Give 0 or more seconds.")


def _verify(params: dict[str, Any]) -> bool | str:
    """What requests takes as ``verify``: a bundle that was tried, or whether to check at all."""
    path = params.get("ca_path")
    if not params.get("validate_certs", True):
        return False
    if not path:
        return True
    if not os.path.isdir(path):
        try:
            ssl.create_default_context(cafile=path)
        except (OSError, ssl.SSLError) as error:
            reason = error.strerror if isinstance(error, FileNotFoundError) else "no PEM certificates in it"
            if isinstance(error, PermissionError):
                reason = str(error.strerror)
            raise CertfleetError(
                f"ca_path {path} is not a usable CA bundle: {reason}", remedy="Give a file of PEM certificates."
            ) from error
    return path
