# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Google Certificate Manager: a self-managed certificate of a given name, which load balancers refer to.

Asked over REST with google-auth: Google's own client brings gRPC, compiled code of many times the size that a managed
host would have to carry for three requests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from .._cloud import _library, google_auth, google_errors
from .._cloud.errors import Denied, ProviderBusy, ProviderError
from .._errors import CertfleetError
from .._store.published import Material
from .model import Deadline, Outcome, Publisher, encrypted, leaf_facts, same

TITLE = "Certificate Manager"
ADDRESS = "https://certificatemanager.googleapis.com"
#: The only one that the API has (its discovery document).
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_LOCATION = re.compile(r"[a-z][a-z0-9-]*", re.ASCII)
_PROJECT = re.compile(r"[a-z0-9.:-]+", re.ASCII)
#: Google Cloud, "Requirements for labels".
_LABEL_KEY = re.compile(r"[^\W\d_A-Z][\w-]{0,62}")
_LABEL_VALUE = re.compile(r"[\w-]{0,63}")
#: Certificate Manager, "Supported key types".
_KEY_TYPES = ("rsa-2048", "rsa-3072", "rsa-4096", "ecdsa-p256", "ecdsa-p384")
_REQUEST_TIMEOUT = 30
#: google.rpc.Code of an operation that may be tried again: RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE.
_TRANSIENT = frozenset({8, 10, 13, 14})
#: google.rpc.Code PERMISSION_DENIED.
_DENIED = 7


class _Absent(CertfleetError):
    """There is nothing of this name."""


class _Conflict(ProviderBusy):
    """Somebody else was there: what is there must be read again."""


def connect(options: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[Any, str]:
    """A session and the project. Sends nothing. Raises CertfleetError, MissingLibrary."""
    encrypted(options.get("api_endpoint") or "", "api_endpoint")
    found = {**options, "project": options.get("project") or environment.get("GCP_PROJECT")}
    session, _credentials, project = google_auth.connect(found, scope=_SCOPE, address=ADDRESS)
    return session, project


class CertificateManager(Publisher):
    """One certificate in a project."""

    def __init__(self, session: Any, project: str, options: Mapping[str, Any], deadline: Deadline) -> None:
        self._session = session
        self._endpoint = str(options.get("api_endpoint") or ADDRESS).rstrip("/")
        self._name = str(options["certificate"])
        self._labels = {str(key): str(value) for key, value in (options.get("labels") or {}).items()}
        location = str(options.get("location") or "global")
        for what, pattern, value in (
            ("certificate", _NAME, self._name),
            ("location", _LOCATION, location),
            ("project", _PROJECT, project),
        ):
            if not pattern.fullmatch(value):
                raise CertfleetError(
                    f"{what} {value!r} cannot be one in Certificate Manager",
                    remedy="Names have 1 to 63 of a-z, 0-9 and hyphen, a letter first and no hyphen last.",
                )
        for key, value in self._labels.items():
            if (
                not _LABEL_KEY.fullmatch(key)
                or not _LABEL_VALUE.fullmatch(value)
                or (key + value).lower() != key + value
            ):
                raise CertfleetError(
                    f"{key!r}: {value!r} cannot be a label",
                    remedy="Labels have up to 63 lower-case letters, digits, hyphens and underscores, a letter first.",
                )
        self._project = project
        self._parent = f"projects/{project}/locations/{location}"
        self._resource = f"{self._parent}/certificates/{self._name}"
        self._deadline = deadline

    def publish(self, material: Material, noted: str | None, *, check: bool) -> Outcome:
        """See Publisher."""
        if material.facts["key_type"] not in _KEY_TYPES:
            raise CertfleetError(
                f"Certificate Manager takes no keys of type {material.facts['key_type']}",
                remedy="Declare another key_type.",
            )
        outcome = Outcome(resource=self._resource)
        held, labels = self._held()
        outcome.previous_serial = (held or {}).get("serial")
        outcome.created = held is None
        while True:
            missing = {key: value for key, value in self._labels.items() if labels.get(key) != value}
            if held is not None and same(held, material) and not missing:
                return outcome
            outcome.changed = True
            if check:
                return outcome
            try:
                if held is None:
                    self._create(material)
                else:
                    self._replace(
                        material, {**labels, **missing} if missing else {}, certificate=not same(held, material)
                    )
            except ProviderBusy as problem:
                # Answers that were lost and races with others are told from the rest by what is there afterwards.
                if not self._deadline.pause():
                    raise CertfleetError(problem.message, remedy=problem.remedy) from problem
                held, labels = self._held()
                continue
            self._prove(material)
            return outcome

    def _held(self) -> tuple[dict[str, Any] | None, dict[str, str]]:
        """Facts and labels of the certificate, None when there is none. Raises CertfleetError for one that Google
        manages."""
        try:
            found = self._patiently("GET", self._resource, "certificatemanager.certs.get")
        except _Absent:
            return None, {}
        if "managed" in found or "managedIdentity" in found:
            raise CertfleetError(
                f"the certificate {self._resource} is one that Google manages and renews by itself",
                remedy="Name another certificate.",
            )
        return leaf_facts(str(found.get("pemCertificate") or "")), found.get("labels") or {}

    def _content(self, material: Material) -> dict[str, str]:
        return {
            "pemCertificate": material.leaf_pem + material.chain_pem,
            "pemPrivateKey": material.key_pem.decode("ascii"),
        }

    def _create(self, material: Material) -> None:
        body: dict[str, Any] = {"description": "Published by certfleet.acme", "selfManaged": self._content(material)}
        if self._labels:
            body["labels"] = self._labels
        action = "certificatemanager.certs.create"
        try:
            operation = self._send(
                "POST", f"{self._parent}/certificates", action, query={"certificateId": self._name}, body=body
            )
        except _Absent as absent:
            raise CertfleetError(
                f"Certificate Manager has no {self._parent}: {absent.message}", remedy="Check project and location."
            ) from absent
        self._wait(operation, action)

    def _replace(self, material: Material, labels: dict[str, str], *, certificate: bool) -> None:
        body: dict[str, Any] = {}
        if certificate:
            body["selfManaged"] = self._content(material)
        if labels:
            body["labels"] = labels
        action = "certificatemanager.certs.update"
        query = {"updateMask": ",".join(body)}
        try:
            operation = self._send("PATCH", self._resource, action, query=query, body=body)
        except _Absent as absent:
            raise _Conflict(f"the certificate {self._resource} was removed meanwhile") from absent
        self._wait(operation, action)

    def _wait(self, operation: dict[str, Any], action: str) -> None:
        """Until the operation is done. Raises CertfleetError when it fails, ProviderBusy when it may work again."""
        name = str(operation.get("name") or "")
        while not operation.get("done"):
            if not self._deadline.pause():
                raise CertfleetError(
                    f"Certificate Manager has not finished {name} in {self._deadline.timeout:g} s",
                    remedy="Run again, or give a longer timeout.",
                )
            operation = self._patiently("GET", name, "certificatemanager.operations.get")
        error = operation.get("error")
        if not error:
            return
        code, text = int(error.get("code") or 0), google_errors.line(error.get("message") or "")
        message = f"Certificate Manager could not carry out {action} (code {code}): {text}"
        if code in _TRANSIENT:
            raise ProviderBusy(message, remedy="Run again.")
        if code == _DENIED:
            raise self._denied(action, str(code), text)
        raise CertfleetError(message)

    def _prove(self, material: Material) -> None:
        """Read it back. Raises CertfleetError when it is not there in time."""
        while True:
            held, _labels = self._held()
            if held is not None and same(held, material):
                return
            if not self._deadline.pause():
                serial = (held or {}).get("serial")
                raise CertfleetError(
                    f"Certificate Manager took the certificate and still has serial {serial} in {self._resource}",
                    remedy="Run again.",
                )

    # Asking

    def _patiently(self, method: str, path: str, action: str) -> dict[str, Any]:
        """A request that only reads, repeated while the API is busy or does not answer."""
        while True:
            try:
                return self._send(method, path, action)
            except ProviderBusy:
                if not self._deadline.pause():
                    raise

    def _send(
        self,
        method: str,
        path: str,
        action: str,
        *,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """One request. action: the permission that it needs. Raises CertfleetError."""
        google, requests = _library.google_auth(), _library.requests()
        try:
            # A redirection is not followed: the key goes where it was meant to go, or nowhere.
            response = self._session.request(
                method,
                f"{self._endpoint}/v1/{quote(path, safe='/')}",
                params=query,
                json=body,
                timeout=_REQUEST_TIMEOUT,
                allow_redirects=False,
                headers={"User-Agent": "certfleet.acme"},
            )
            answer = response.json() if response.content else {}
        except (google.auth.exceptions.GoogleAuthError, requests.exceptions.RequestException, ValueError) as error:
            # Without the cause, which may carry the request.
            raise google_errors.explain(error, TITLE, self._endpoint) from None
        if 200 <= response.status_code < 300 and isinstance(answer, dict):
            return answer
        raise self._refused(response.status_code, answer, action)

    def _refused(self, status: int, answer: Any, action: str) -> CertfleetError:
        """The error of an answer that says no."""
        error = answer.get("error") if isinstance(answer, dict) else None
        error = error if isinstance(error, dict) else {}
        text = google_errors.line(error.get("message") or "") or f"status {status}"
        said = f"{status} {error.get('status') or ''}".strip()
        reasons = {detail.get("reason") for detail in error.get("details") or () if isinstance(detail, dict)}
        if status == 404:
            return _Absent(text)
        if status == 401:
            return google_errors.credentials_refused(TITLE, text)
        if status in (409, 412):
            return _Conflict(f"Certificate Manager has another change under way ({said}): {text}", remedy="Run again.")
        if status == 429 or status >= 500:
            return ProviderBusy(
                f"Certificate Manager is busy ({said}): {text}",
                remedy="Others may use up the quota of the project; run again.",
                unsure=status >= 500,
            )
        if status == 403 and "SERVICE_DISABLED" in reasons:
            return ProviderError(
                f"the Certificate Manager API is not enabled in project {self._project}: {text}",
                remedy="Enable it there.",
                fatal=True,
            )
        if status == 403:
            return self._denied(action, said, text)
        return ProviderError(f"Certificate Manager answered {action} with {said}: {text}")

    def _denied(self, action: str, said: str, text: str) -> Denied:
        return Denied(
            f"Google does not allow {action} on {self._resource} ({said}): {text}",
            remedy=f"Give these credentials the permission {action} in project {self._project}.",
        )
