# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS Certificate Manager: imports under one ARN, which load balancers and others refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .._cloud import _library, aws_auth, aws_errors
from .._cloud.aws_errors import Service
from .._cloud.errors import Denied, ProviderBusy, ProviderError
from .._errors import CertfleetError
from .._store.published import Material
from .model import Deadline, Outcome, Publisher, encrypted, leaf_facts, same

SERVICE = Service(
    "acm",
    "ACM",
    when_busy="ACM allows an account few imports a second; run again, or give a longer timeout or less concurrency.",
)
#: What the API has for the key types that it takes (ImportCertificate; enumeration KeyAlgorithm).
KEY_ALGORITHMS = {
    "rsa-1024": "RSA_1024",
    "rsa-2048": "RSA_2048",
    "rsa-3072": "RSA_3072",
    "rsa-4096": "RSA_4096",
    "ecdsa-p256": "EC_prime256v1",
    "ecdsa-p384": "EC_secp384r1",
    "ecdsa-p521": "EC_secp521r1",
}
#: Bytes (ACM API, ImportCertificate).
_LIMITS = {"certificate": 32768, "private key": 5120, "chain": 2097152}
_ARN = re.compile(r"arn:aws[a-z-]*:acm:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):certificate/[\w-]+", re.ASCII)
#: ACM API Reference, Tag.
_TAG_TEXT = re.compile(r"[\w .:/=+\-@]*")
NAME_TAG = "certfleet:certificate"
HOST_TAG = "certfleet:host"
_PAGE = 1000
#: How often nobody answers until that is believed.
_NETWORK_TRIES = 3
_ABSENT = frozenset({"ResourceNotFoundException"})
#: Said of a certificate that another request is changing.
_LATER = frozenset({"ConflictException", "RequestInProgressException"})


class _Absent(CertfleetError):
    """There is no certificate with this ARN."""


class _Lost(CertfleetError):
    """No answer came: the request may have been carried out or not."""


def _region(options: Mapping[str, Any], environment: Mapping[str, str]) -> str | None:
    """The region that is asked, None to leave it to the profile. Raises CertfleetError for an ARN of another one."""
    given = options.get("region")
    arn = options.get("certificate_arn")
    if arn:
        match = _ARN.fullmatch(arn)
        if not match:
            raise CertfleetError(
                f"certificate_arn {arn!r} is not the ARN of a certificate in ACM",
                remedy="Write it as arn:aws:acm:eu-central-1:123456789012:certificate/ID.",
            )
        if given and given != match["region"]:
            raise CertfleetError(
                f"certificate_arn is in the region {match['region']} and region is {given}", remedy="Leave region away."
            )
        return match["region"]
    return given or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")


def connect(options: Mapping[str, Any], environment: Mapping[str, str]) -> Any:
    """A client for ACM. Sends nothing. Raises CertfleetError, MissingLibrary."""
    endpoint = options.get("endpoint_url") or environment.get("AWS_URL")
    found = {**options, "region": _region(options, environment), "endpoint_url": endpoint}
    # Attempts are counted here: an import without an ARN must not be repeated before what became of it is known.
    client = aws_auth.connect(found, SERVICE, attempts=1)
    encrypted(client.meta.endpoint_url, "endpoint_url")
    return client


class Acm(Publisher):
    """One certificate in ACM. name, host: what it is tagged with, and found by."""

    def __init__(self, client: Any, options: Mapping[str, Any], name: str, host: str, deadline: Deadline) -> None:
        self._client = client
        self._declared: str | None = options.get("certificate_arn")
        self._more = {str(key): str(value) for key, value in (options.get("tags") or {}).items()}
        self._own = {NAME_TAG: name, HOST_TAG: host}
        self._deadline = deadline

    def publish(self, material: Material, noted: str | None, *, check: bool) -> Outcome:
        """See Publisher."""
        self._refuse_what_it_cannot_take(material)
        arn, held = self._find(noted)
        outcome = Outcome(resource=arn, previous_serial=held.get("serial"))
        if arn is None:
            outcome.changed = outcome.created = True
            if not check:
                outcome.resource = self._import_new(material)
                self._prove(outcome.resource, material)
            return outcome
        if not same(held, material):
            self._refuse_another_key_type(arn, held, material)
            outcome.changed = True
            if not check:
                self._import(material, CertificateArn=arn)
                self._prove(arn, material)
        outcome.changed |= self._keep_tags(arn, check=check)
        return outcome

    # What is there

    def _find(self, noted: str | None) -> tuple[str | None, dict[str, Any]]:
        """The ARN and facts of the certificate that is there; None when one is to be made."""
        if self._declared:
            try:
                return self._declared, self._held(self._declared)
            except _Absent as absent:
                match = _ARN.fullmatch(self._declared)
                whose = f"account {match['account']}, region {match['region']}" if match else ""
                raise CertfleetError(
                    f"ACM has no certificate {self._declared}: {absent.message}",
                    remedy=f"It would be one of {whose}; check the ARN and whose credentials these are.",
                ) from absent
        if noted:
            try:
                return noted, self._held(noted)
            except _Absent:
                pass  # somebody removed it, which ACM allows when nothing uses it
        arn = self._search()
        return (arn, self._held(arn)) if arn else (None, {})

    def _held(self, arn: str) -> dict[str, Any]:
        """Facts of the certificate with this ARN, and its key_algorithm. Raises CertfleetError when it is not one that
        was imported."""
        described = self._call("DescribeCertificate", arn, CertificateArn=arn)["Certificate"]
        kind = described.get("Type")
        if kind != "IMPORTED":
            raise CertfleetError(
                f"the certificate {arn} is not an imported one (its type is {kind}), and ACM renews it by itself",
                remedy="Name another certificate_arn, or none to have one imported.",
            )
        got = self._call("GetCertificate", arn, CertificateArn=arn)
        facts = leaf_facts(str(got.get("Certificate") or ""))
        return {**facts, "key_algorithm": str(described.get("KeyAlgorithm") or "")}

    def _search(self) -> str | None:
        """The ARN of the certificate with our tags."""
        found = [arn for arn in self._imported() if self._own.items() <= self._tags(arn).items()]
        if len(found) > 1:
            raise CertfleetError(
                f"ACM has {len(found)} certificates with the tags {self._tag_words()}: {', '.join(sorted(found))}",
                remedy="Name the right one in certificate_arn, or remove the others.",
            )
        return found[0] if found else None

    def _imported(self) -> Iterator[str]:
        """ARNs of all that may have been imported. Without the filter, ACM lists RSA keys of 2048 bits only."""
        arguments: dict[str, Any] = {
            "Includes": {"keyTypes": sorted(KEY_ALGORITHMS.values())},
            "MaxItems": _PAGE,
        }
        while True:
            answer = self._call("ListCertificates", "*", **arguments)
            for summary in answer.get("CertificateSummaryList") or ():
                if summary.get("Type", "IMPORTED") == "IMPORTED":
                    yield summary["CertificateArn"]
            if not answer.get("NextToken"):
                return
            arguments["NextToken"] = answer["NextToken"]

    def _tags(self, arn: str) -> dict[str, str]:
        try:
            answer = self._call("ListTagsForCertificate", arn, CertificateArn=arn)
        except _Absent:
            return {}  # it went while the others were looked at
        return {tag["Key"]: tag.get("Value") or "" for tag in answer.get("Tags") or ()}

    def _tag_words(self) -> str:
        return ", ".join(f"{key}={value}" for key, value in self._own.items())

    # What is refused before anything is sent

    def _refuse_what_it_cannot_take(self, material: Material) -> None:
        key_type = material.facts["key_type"]
        if key_type not in KEY_ALGORITHMS:
            raise CertfleetError(f"ACM takes no keys of type {key_type}", remedy="Declare another key_type.")
        sizes = {
            "certificate": len(material.leaf_pem),
            "private key": len(material.key_pem),
            "chain": len(material.chain_pem),
        }
        for what, size in sizes.items():
            if size > _LIMITS[what]:
                raise CertfleetError(f"the {what} has {size} bytes, and ACM takes {_LIMITS[what]}")
        own = {} if self._declared else self._own
        for key, value in {**own, **self._more}.items():
            if not 0 < len(key) <= 128 or len(value) > 256 or not _TAG_TEXT.fullmatch(key + value):
                raise CertfleetError(
                    f"{key!r}: {value!r} cannot be a tag in ACM",
                    remedy="Keys have 1 to 128 and values up to 256 letters, digits, spaces and _.:/=+-@.",
                )

    @staticmethod
    def _refuse_another_key_type(arn: str, held: Mapping[str, Any], material: Material) -> None:
        now = held["key_algorithm"].replace("-", "_").lower()
        wanted = KEY_ALGORITHMS[material.facts["key_type"]].lower()
        if now and now != wanted:
            raise CertfleetError(
                f"the certificate {arn} has a key of type {held['key_algorithm']} and the new one has"
                f" {material.facts['key_type']}; ACM keeps an ARN to its key type",
                remedy="Declare the old key_type, or remove the certificate in ACM once nothing uses it.",
            )

    # What is changed

    def _import(self, material: Material, **more: Any) -> str:
        arguments: dict[str, Any] = {
            "Certificate": material.leaf_pem.encode("ascii"),
            "PrivateKey": material.key_pem,
            **more,
        }
        if material.chain_pem:
            arguments["CertificateChain"] = material.chain_pem.encode("ascii")
        return str(self._call("ImportCertificate", more.get("CertificateArn", "*"), **arguments)["CertificateArn"])

    def _import_new(self, material: Material) -> str:
        """A new certificate, which must not become two: when the answer was lost, what came of it is looked for."""
        tags = [{"Key": key, "Value": value} for key, value in {**self._more, **self._own}.items()]
        while True:
            try:
                return self._import(material, Tags=tags)
            except _Lost as lost:
                if not self._deadline.pause():
                    raise CertfleetError(lost.message, remedy=lost.remedy) from lost
            arn = self._search()
            if arn:
                return arn

    def _prove(self, arn: str, material: Material) -> None:
        """Read it back until it is there, since ACM's answers may be behind for a while. Raises CertfleetError."""
        while True:
            held: dict[str, Any] = {}
            try:
                held = self._held(arn)
            except _Absent:
                pass
            if same(held, material):
                return
            if not self._deadline.pause():
                raise CertfleetError(
                    f"ACM took the import and still has serial {held.get('serial')} at {arn}", remedy="Run again."
                )

    def _keep_tags(self, arn: str, *, check: bool) -> bool:
        """Add the declared tags that are missing or different; others stay. Without any, none are looked at."""
        if not self._more:
            return False
        there = self._tags(arn)
        missing = {key: value for key, value in self._more.items() if there.get(key) != value}
        if missing and not check:
            tags = [{"Key": key, "Value": value} for key, value in missing.items()]
            self._call("AddTagsToCertificate", arn, CertificateArn=arn, Tags=tags)
        return bool(missing)

    # Asking

    def _call(self, operation: str, resource: str, **arguments: Any) -> dict[str, Any]:
        """One request, repeated while ACM is busy. resource: what permissions are about. Raises CertfleetError."""
        core = _library.aws_core().exceptions
        method = getattr(self._client, re.sub(r"(?<!^)([A-Z])", r"_\1", operation).lower())
        new = operation == "ImportCertificate" and resource == "*"
        unanswered = 0
        while True:
            try:
                answer: dict[str, Any] = method(**arguments)
                return answer
            except (core.BotoCoreError, core.ClientError) as error:
                problem = self._problem(error, resource)
                if new and _unsure(error):
                    raise _Lost(problem.message, remedy=problem.remedy) from error
                network = isinstance(error, (core.HTTPClientError, core.ConnectionError))
                unanswered += network and not isinstance(error, core.SSLError)
                again = isinstance(problem, ProviderBusy) or 0 < unanswered < _NETWORK_TRIES
                if not again or not self._deadline.pause():
                    raise problem from error

    def _problem(self, error: Any, resource: str) -> CertfleetError:
        """The exception in our words."""
        said = (getattr(error, "response", None) or {}).get("Error", {})
        code = str(said.get("Code", ""))
        text = " ".join(str(said.get("Message", "")).split()).rstrip(".") or code
        if code in _ABSENT:
            return _Absent(text)
        if code in _LATER:
            return ProviderBusy(f"ACM is changing {resource} ({code}): {text}", remedy="Run again.")
        if code == "LimitExceededException":
            return ProviderError(
                f"the account's quota of ACM is used up ({code}): {text}",
                remedy="Remove certificates that nothing uses, or ask AWS for more; imports of a year count too.",
            )
        problem = aws_errors.explain(error, SERVICE, self._client.meta.endpoint_url)
        if isinstance(problem, Denied):
            action = f"acm:{getattr(error, 'operation_name', '')}"
            return Denied(
                problem.message, remedy=f"Allow {action} on {resource} in the IAM policy of these credentials."
            )
        return problem


def _unsure(error: Any) -> bool:
    """Whether the request may have been carried out although it failed."""
    core = _library.aws_core().exceptions
    if isinstance(error, core.ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) >= 500
    return isinstance(error, core.HTTPClientError) and not isinstance(error, core.SSLError)
