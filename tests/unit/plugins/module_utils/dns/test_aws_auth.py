# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials of roles against an STS and a Route53 that answer what a test tells them."""

from __future__ import annotations

import datetime
import http.server
import os
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._cloud import aws_auth
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import Zone
from ansible_collections.certfleet.acme.plugins.module_utils._dns.provider import ProviderBusy, ProviderError
from ansible_collections.certfleet.acme.plugins.module_utils._dns.route53 import Route53, connect
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError

from tests.lab import tls

ARN = "arn:aws:iam::123456789012:role/acme-dns"
PODS = "arn:aws:iam::210987654321:role/pod"
TOKEN = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.c2VjcmV0"

_ZONES = """<ListHostedZonesResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><HostedZones/>
<IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListHostedZonesResponse>"""
_LENT = """<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>
<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>lent</SecretAccessKey><SessionToken>lent</SessionToken>
<Expiration>{end}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROA:me</AssumedRoleId>
<Arn>arn:aws:sts::123456789012:assumed-role/acme-dns/me</Arn></AssumedRoleUser></{action}Result></{action}Response>"""
_REFUSED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>{code}</Code><Message>{text}</Message></Error><RequestId>1</RequestId></ErrorResponse>"""


@dataclass
class Amazon:
    """Both services. lasting: seconds of each session in turn, the last one for all that follow; refusal: code and
    text of what STS answers instead."""

    url: str = ""
    lasting: list[int] = field(default_factory=lambda: [3600])
    refusal: tuple[str, str] | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    signed: list[str] = field(default_factory=list)

    def answer(self, body: str, authorization: str) -> tuple[int, str]:
        key = (re.findall(r"Credential=([^/]+)/", authorization) or [""])[0]
        if not body:
            self.signed.append(key)
            return 200, _ZONES
        asked = {name: values[0] for name, values in parse_qs(body).items()}
        self.asked.append({**asked, "key": key})
        if self.refusal:
            return (403 if "Denied" in self.refusal[0] else 400), _REFUSED.format(
                code=self.refusal[0], text=self.refusal[1]
            )
        number = len(self.asked)
        seconds = self.lasting[min(number, len(self.lasting)) - 1]
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
        return 200, _LENT.format(action=asked["Action"], key=f"ASIA{number}", end=end.strftime("%Y-%m-%dT%H:%M:%SZ"))


@contextmanager
def serving(told: Amazon, context: ssl.SSLContext | None = None) -> Iterator[Amazon]:
    """Both services at an address of the loopback, with TLS or without."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            status, text = told.answer(body, self.headers.get("Authorization") or "")
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET

        def log_message(self, *arguments: Any) -> None:
            """Silent."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    told.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine's AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def amazon() -> Iterator[Amazon]:
    with serving(Amazon()) as told:
        yield told


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[Amazon]:
    """With a certificate of a CA that nobody knows, in ca.pem."""
    authority = tls.make_authority("a company's own CA")
    authority.write(tmp_path / "ca.pem", tmp_path / "ca.key")
    tls.make_listener(authority).write(tmp_path / "listener.pem", tmp_path / "listener.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "listener.pem", tmp_path / "listener.key")
    with serving(Amazon(), context) as told:
        yield told


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n", encoding="ascii")
    return file


def provider(amazon: Amazon, **options: Any) -> Route53:
    given = {"endpoint_url": amazon.url, "sts_endpoint_url": amazon.url, "region": "eu-central-1", **options}
    return Route53(connect(given), requests_per_second=1000)


def assuming(amazon: Amazon, **options: Any) -> Route53:
    return provider(amazon, access_key="AKIAOWN", secret_key="own-secret", assume_role_arn=ARN, **options)


def test_a_role_is_assumed_before_the_first_request_and_not_again(amazon: Amazon) -> None:
    amazon.lasting = [900]
    route53 = assuming(amazon, external_id="theirs", duration_seconds=900, role_session_name="me")
    assert amazon.asked == [], "nothing is sent before it is needed"
    for _each in range(3):
        assert route53.zones(["example.com"]).complete
    assert amazon.signed == ["ASIA1"] * 3
    (asked,) = amazon.asked
    assert asked["key"] == "AKIAOWN"
    expected = {"RoleArn": ARN, "RoleSessionName": "me", "ExternalId": "theirs", "DurationSeconds": "900"}
    assert asked == {**asked, "Action": "AssumeRole", **expected}
    assert route53.calls == 3, "what STS is asked is not counted as Route53's"


def test_credentials_are_renewed_when_they_are_nearly_over(amazon: Amazon) -> None:
    amazon.lasting = [60, 3600]
    route53 = assuming(amazon)
    for _each in range(3):
        route53.zones(["example.com"])
    assert amazon.signed == ["ASIA1", "ASIA2", "ASIA2"]


def test_a_renewal_in_advance_may_fail_and_one_at_last_may_not(amazon: Amazon) -> None:
    amazon.lasting = [200]
    route53 = assuming(amazon)
    route53.zones(["example.com"])
    amazon.refusal = ("AccessDenied", "not any more")
    route53.zones(["example.com"])
    assert amazon.signed == ["ASIA1", "ASIA1"]
    assert len(amazon.asked) == 2, "the renewal was attempted"

    amazon.refusal, amazon.lasting = None, [100]
    route53 = assuming(amazon)
    route53.zones(["example.com"])
    amazon.refusal = ("AccessDenied", "not any more")
    with pytest.raises(ProviderError, match="not any more"):
        route53.zones(["example.com"])
    assert len(amazon.signed) == 3


def test_a_token_is_read_again_for_each_renewal(amazon: Amazon, token_file: Path) -> None:
    amazon.lasting = [60, 3600]
    route53 = provider(amazon, assume_role_arn=ARN, web_identity_token_file=str(token_file))
    route53.zones(["example.com"])
    token_file.write_text("another.token.now", encoding="ascii")
    route53.zones(["example.com"])
    assert [(asked["Action"], asked["WebIdentityToken"], asked["key"]) for asked in amazon.asked] == [
        ("AssumeRoleWithWebIdentity", TOKEN, ""),
        ("AssumeRoleWithWebIdentity", "another.token.now", ""),
    ]
    assert amazon.signed == ["ASIA1", "ASIA2"]


def test_a_role_of_the_environment_assumes_another_one(
    amazon: Amazon, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ROLE_ARN", PODS)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token_file))
    provider(amazon, assume_role_arn=ARN, external_id="theirs").zones(["example.com"])
    first, second = amazon.asked
    assert (first["Action"], first["RoleArn"], first["key"]) == ("AssumeRoleWithWebIdentity", PODS, "")
    assert (second["Action"], second["RoleArn"], second["key"]) == ("AssumeRole", ARN, "ASIA1")
    assert "ExternalId" not in first
    assert amazon.signed == ["ASIA2"]


def test_the_environment_alone(amazon: Amazon, token_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the address of STS from the environment too, as botocore knows it."""
    monkeypatch.setenv("AWS_ROLE_ARN", PODS)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token_file))
    monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "pod")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", amazon.url)
    provider(amazon, sts_endpoint_url=None).zones(["example.com"])
    assert [(asked["RoleArn"], asked["RoleSessionName"]) for asked in amazon.asked] == [(PODS, "pod")]
    assert amazon.signed == ["ASIA1"]


_PROFILES = """[profile base]
aws_access_key_id = AKIABASE
aws_secret_access_key = base-secret
region = eu-west-3
[profile lent]
role_arn = arn:aws:iam::123456789012:role/from-profile
source_profile = base
external_id = profile-id
"""


def profiles(amazon: Amazon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(_PROFILES, encoding="utf-8")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", amazon.url)


def test_a_role_of_a_profile_works_as_ever(amazon: Amazon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    profiles(amazon, monkeypatch, tmp_path)
    provider(amazon, profile="lent", sts_endpoint_url=None).zones(["example.com"])
    (asked,) = amazon.asked
    assert (asked["RoleArn"], asked["ExternalId"]) == ("arn:aws:iam::123456789012:role/from-profile", "profile-id")
    assert asked["key"] == "AKIABASE"
    assert amazon.signed == ["ASIA1"]


def test_a_refused_role_of_a_profile_is_no_refusal_of_route53(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    profiles(amazon, monkeypatch, tmp_path)
    amazon.refusal = ("AccessDenied", "not for you")
    with pytest.raises(ProviderError) as caught:
        provider(amazon, profile="lent", sts_endpoint_url=None).zones(["example.com"])
    assert caught.value.fatal
    assert "the role of the AWS configuration cannot be assumed (AccessDenied): not for you" in str(caught.value)
    assert "route53:" not in str(caught.value)


def test_an_sts_that_a_profile_cannot_reach_is_not_taken_for_route53(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    profiles(amazon, monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(ProviderError) as caught:
        provider(amazon, profile="lent", sts_endpoint_url=None).zones(["example.com"])
    assert "what lends the AWS credentials cannot be reached" in str(caught.value)
    assert "http://127.0.0.1:1" in str(caught.value)
    assert not caught.value.unsure, "nothing can have been carried out"


def test_a_profile_assumes_a_role_by_option(amazon: Amazon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The profile's keys and its region."""
    profiles(amazon, monkeypatch, tmp_path)
    route53 = Route53(
        connect({"profile": "base", "assume_role_arn": ARN, "endpoint_url": amazon.url}),
        requests_per_second=1000,
    )
    route53.zones(["example.com"])
    assert [(asked["RoleArn"], asked["key"]) for asked in amazon.asked] == [(ARN, "AKIABASE")]
    assert amazon.signed == ["ASIA1"]


def test_the_ca_bundle_holds_for_sts(encrypted: Amazon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also where botocore asks STS by itself."""
    bundle = str(tmp_path / "ca.pem")
    assuming(encrypted, aws_ca_bundle=bundle).zones(["example.com"])
    profiles(encrypted, monkeypatch, tmp_path)
    provider(encrypted, aws_ca_bundle=bundle, profile="lent", sts_endpoint_url=None).zones(["example.com"])
    assert encrypted.signed == ["ASIA1", "ASIA2"]


def test_an_sts_that_is_not_trusted(encrypted: Amazon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_auth, "_ATTEMPTS", 1)
    with pytest.raises(ProviderError) as caught:
        assuming(encrypted).zones(["example.com"])
    assert f"the role {ARN} cannot be assumed: STS has a certificate that is not trusted" in str(caught.value)
    assert "aws_ca_bundle" in str(caught.value)
    assert encrypted.asked == []


@pytest.mark.parametrize(
    ("refusal", "options", "words"),
    [
        (("AccessDenied", "not for you"), {}, "give it in external_id"),
        (("AccessDenied", "not for you"), {"external_id": "theirs"}, "another than the trust policy asks for"),
        (("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration"), {}, "duration_seconds"),
        (("ExpiredToken", "The security token included in the request is expired"), {}, "session_token"),
        (("RegionDisabledException", "STS is not activated in this region"), {}, "another region"),
        (("MalformedPolicyDocument", "something else"), {}, "assume_role_arn"),
    ],
)
def test_a_refusal_names_the_role_and_the_way_out(
    amazon: Amazon, refusal: tuple[str, str], options: dict[str, Any], words: str
) -> None:
    amazon.refusal = refusal
    with pytest.raises(ProviderError) as caught:
        assuming(amazon, **options).zones(["example.com"])
    text = str(caught.value)
    assert caught.value.fatal
    assert text.startswith(f"the role {ARN} cannot be assumed ({refusal[0]}): {refusal[1]}")
    assert words in text
    assert "own-secret" not in text
    assert amazon.signed == [], "Route53 was not asked"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ExpiredTokenException", "new one written"),
        ("InvalidIdentityToken", "identity provider"),
        ("IDPRejectedClaim", "issuer refuses"),
        ("AccessDenied", "sts:AssumeRoleWithWebIdentity"),
        ("ValidationError", "assume_role_arn"),
    ],
)
def test_a_refused_token_is_not_in_the_message(amazon: Amazon, token_file: Path, code: str, words: str) -> None:
    amazon.refusal = (code, f"1 validation error detected: Value '{TOKEN}' is wrong")
    with pytest.raises(ProviderError) as caught:
        provider(amazon, assume_role_arn=ARN, web_identity_token_file=str(token_file)).zones(["example.com"])
    text = str(caught.value)
    assert ARN in text
    assert words in text
    assert code in text
    assert TOKEN not in text
    assert TOKEN not in repr(caught.value.__cause__)
    assert amazon.signed == []


def test_a_busy_sts_is_not_final(amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_auth, "_ATTEMPTS", 1)
    amazon.refusal = ("Throttling", "Rate exceeded")
    with pytest.raises(ProviderBusy, match=ARN):
        assuming(amazon).read(Zone(id="Z1", name="example.com"), ["a.example.com"])


def test_credentials_that_are_over_when_they_come(amazon: Amazon) -> None:
    amazon.lasting = [-30]
    with pytest.raises(ProviderError, match="Set the clock"):
        assuming(amazon).zones(["example.com"])
    assert amazon.signed == []


def test_nobody_at_sts(amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_auth, "_ATTEMPTS", 1)
    with pytest.raises(ProviderError) as caught:
        assuming(amazon, sts_endpoint_url="http://127.0.0.1:1").zones(["example.com"])
    assert caught.value.fatal
    assert f"the role {ARN} cannot be assumed: STS cannot be reached" in str(caught.value)
    assert "http://127.0.0.1:1" in str(caught.value)


def test_an_address_that_is_none(amazon: Amazon) -> None:
    with pytest.raises(ProviderError, match="sts_endpoint_url"):
        assuming(amazon, sts_endpoint_url="http://not an address").zones(["example.com"])


def test_nothing_to_assume_the_role_with(amazon: Amazon) -> None:
    with pytest.raises(ProviderError, match=f"no AWS credentials were found to assume the role {ARN} with"):
        provider(amazon, assume_role_arn=ARN).zones(["example.com"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        (b"", "has no token in it"),
        (b"\n", "has no token in it"),
        (b"two words", "has no token in it"),
        (b"\xff\xfe\x00secret", "has no token in it"),
        (b"x" * 20001, "has no token in it"),
    ],
)
def test_a_token_file_that_cannot_be_used(amazon: Amazon, tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CertfleetError) as caught:
        provider(amazon, assume_role_arn=ARN, web_identity_token_file=str(file))
    assert f"{file} for the role {ARN} {words}" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert amazon.asked == []


def test_a_token_file_that_goes_away(amazon: Amazon, token_file: Path) -> None:
    amazon.lasting = [60]
    route53 = provider(amazon, assume_role_arn=ARN, web_identity_token_file=str(token_file))
    route53.zones(["example.com"])
    token_file.unlink()
    with pytest.raises(ProviderError, match="cannot be read: No such file"):
        route53.zones(["example.com"])
