# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Route53 through roles, with the STS of each emulator. What is asked, and whose keys sign it, is seen on the way."""

from __future__ import annotations

import base64
import http.client
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.conftest import DEFAULT, Labs
from tests.integration.fleet import playbook
from tests.integration.route53_cloud import Cloud
from tests.lab.api import Lab

VALUE = "LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo"
ISSUER = "https://tokens.example.com/cluster"


@dataclass
class Relay:
    """Passes everything on to an emulator. sts: what STS was asked, with the access key that signed it; route53: the
    access key of each request; lent: what STS answered."""

    url: str = ""
    sts: list[dict[str, str]] = field(default_factory=list)
    route53: list[str] = field(default_factory=list)
    lent: dict[str, str] = field(default_factory=dict)

    def note(self, path: str, headers: Any, body: str, answer: str) -> None:
        key = (re.findall(r"Credential=([^/]+)/", headers.get("Authorization") or "") or [""])[0]
        if path.startswith("/2013-04-01/"):
            self.route53.append(key)
            return
        self.sts.append({**{name: values[0] for name, values in parse_qs(body).items()}, "key": key})
        parts = re.findall(r"<(AccessKeyId|SecretAccessKey|SessionToken)>([^<]+)<", answer)
        self.lent = dict(parts) or self.lent

    def options(self) -> dict[str, Any]:
        return {"endpoint_url": self.url, "sts_endpoint_url": self.url}


@contextmanager
def relay_to(url: str) -> Iterator[Relay]:
    """A relay to an emulator for a while."""
    behind = urlsplit(url).netloc
    seen = Relay()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            link = http.client.HTTPConnection(behind, timeout=30)
            link.request(self.command, self.path, body, dict(self.headers))
            response = link.getresponse()
            answer = response.read()
            link.close()
            seen.note(self.path, self.headers, body.decode(), answer.decode())
            self.send_response(response.status)
            self.send_header("Content-Type", response.getheader("Content-Type") or "text/xml")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET

        def log_message(self, *arguments: Any) -> None:
            """Silent."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    seen.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(params=["ministack", "moto"])
def cloud(request: pytest.FixtureRequest, labs: Labs, tmp_path: Path) -> Cloud:
    return Cloud(labs.get(DEFAULT[0], request.param, purpose="zones", hosts=0), tmp_path)


@pytest.fixture
def ministack(labs: Labs, tmp_path: Path) -> Cloud:
    """The emulator that heeds trust policies."""
    return Cloud(labs.get(DEFAULT[0], "ministack", purpose="zones", hosts=0), tmp_path)


@pytest.fixture
def relay(request: pytest.FixtureRequest) -> Iterator[Relay]:
    name = "cloud" if "cloud" in request.fixturenames else "ministack"
    with relay_to(request.getfixturevalue(name).options["endpoint_url"]) as seen:
        yield seen


def external(cloud: Cloud) -> tuple[str, dict[str, Any]]:
    """A role that asks for an external id, and the keys of a user who may do nothing but assume it."""
    arn = cloud.role({"AWS": "*"}, "sts:AssumeRole", {"StringEquals": {"sts:ExternalId": "theirs"}})
    return arn, cloud.user([{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": arn}])


def test_through_a_role(cloud: Cloud, relay: Relay) -> None:
    zone, zone_id = cloud.zone()
    arn, user = external(cloud)
    options = {**relay.options(), **user, "assume_role_arn": arn, "external_id": "theirs", "wait": "none"}
    environment = {"AWX_HOST": "https://awx.example.com", "JOB_ID": "4711"}
    answer = cloud.module(
        {f"_acme-challenge.{zone}": [VALUE]}, environment=environment, duration_seconds=900, **options
    )
    assert answer.returncode == 0, answer.output
    assert set(cloud.holds(zone_id)) == {f"_acme-challenge.{zone}"}
    (asked,) = relay.sts
    expected = {"RoleSessionName": "certfleet-awx-4711", "ExternalId": "theirs", "DurationSeconds": "900"}
    assert asked == {**asked, "Action": "AssumeRole", "RoleArn": arn, "key": user["access_key"], **expected}
    assert set(relay.route53) == {relay.lent["AccessKeyId"]}
    assert len(relay.route53) == answer.result["api_calls"]
    for secret in (user["secret_key"], relay.lent["SecretAccessKey"], relay.lent["SessionToken"]):
        assert secret not in answer.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"external_id": "wrong"}, "another than the trust policy asks for"),
        ({}, "give it in external_id"),
    ],
)
def test_a_role_that_refuses_is_not_taken_for_route53(
    ministack: Cloud, relay: Relay, options: dict[str, Any], words: str
) -> None:
    arn, user = external(ministack)
    given = {**relay.options(), **user, "assume_role_arn": arn, **options}
    answer = ministack.module({"_acme-challenge.example.com": [VALUE]}, **given)
    assert answer.returncode == 1
    message = answer.result["msg"]
    assert f"the role {arn} cannot be assumed (AccessDenied)" in message
    assert words in message
    assert "route53:" not in message
    assert "\n" not in message
    assert relay.route53 == []


def token(audience: str = "sts.amazonaws.com") -> str:
    """A token as a cluster's issuer writes them; no emulator looks at its signature."""
    claims = {"iss": ISSUER, "aud": audience, "sub": "system:serviceaccount:acme:issuer"}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims)]
    return ".".join([*parts, "c2lnbmF0dXJl"])


def trusting(cloud: Cloud) -> str:
    """A role for tokens of the issuer."""
    host = ISSUER.removeprefix("https://")
    account = "000000000000" if cloud.lab.provider == "ministack" else "123456789012"
    return cloud.role(
        {"Federated": f"arn:aws:iam::{account}:oidc-provider/{host}"},
        "sts:AssumeRoleWithWebIdentity",
        {"StringEquals": {f"{host}:aud": "sts.amazonaws.com"}},
    )


@pytest.mark.parametrize("given", ["options", "environment"])
def test_by_web_identity(cloud: Cloud, relay: Relay, given: str) -> None:
    zone, zone_id = cloud.zone()
    arn, file = trusting(cloud), cloud.folder / "token"
    file.write_text(token() + "\n", encoding="ascii")
    options: dict[str, Any] = {**relay.options(), "access_key": None, "secret_key": None, "wait": "none"}
    environment: dict[str, str] = {}
    if given == "options":
        options.update(assume_role_arn=arn, web_identity_token_file=str(file), role_session_name="pod")
    else:
        # As a Kubernetes pod has it, and the address of STS too.
        options["sts_endpoint_url"] = None
        environment = {
            "AWS_ROLE_ARN": arn,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
            "AWS_ROLE_SESSION_NAME": "pod",
            "AWS_ENDPOINT_URL_STS": relay.url,
        }
    answer = cloud.module({f"_acme-challenge.{zone}": [VALUE]}, environment=environment, **options)
    assert answer.returncode == 0, answer.output
    assert set(cloud.holds(zone_id)) == {f"_acme-challenge.{zone}"}
    (asked,) = relay.sts
    assert asked == {
        **asked,
        "Action": "AssumeRoleWithWebIdentity",
        "RoleArn": arn,
        "RoleSessionName": "pod",
        "WebIdentityToken": token(),
        "key": "",
    }
    assert set(relay.route53) == {relay.lent["AccessKeyId"]}
    assert token() not in answer.output


def test_a_token_that_the_role_does_not_trust(ministack: Cloud, relay: Relay) -> None:
    arn, file = trusting(ministack), ministack.folder / "token"
    file.write_text(token("somebody else"), encoding="ascii")
    options: dict[str, Any] = {
        "access_key": None,
        "secret_key": None,
        "assume_role_arn": arn,
        "web_identity_token_file": str(file),
    }
    answer = ministack.module({"_acme-challenge.example.com": [VALUE]}, **relay.options(), **options)
    assert answer.returncode == 1
    assert f"the role {arn} cannot be assumed (AccessDenied)" in answer.result["msg"]
    assert "audience" in answer.result["msg"]
    assert token("somebody else") not in answer.output
    assert relay.route53 == []


def test_options_that_cannot_work_are_refused_before_any_request(ministack: Cloud, relay: Relay) -> None:
    options: dict[str, Any] = {
        "iam_role_arn": "arn:aws:iam::123456789012:role/a",
        "web_identity_token_file": "/nowhere/token",
    }
    given = {**relay.options(), **options}
    answer = ministack.module({"_acme-challenge.example.com": [VALUE]}, **given)
    assert answer.returncode == 1
    assert "both web_identity_token_file and AWS access keys are given" in answer.result["msg"]
    assert "\n" not in answer.result["msg"]
    assert relay.sts == relay.route53 == []


def test_a_playbook_issues_through_a_role(lab: Lab, tmp_path: Path) -> None:
    """The options reach acme_certificate through the roles; nothing that was lent is in any output."""
    cloud = Cloud(lab, tmp_path)
    arn, user = external(cloud)
    with relay_to(cloud.options["endpoint_url"]) as relay:
        entry = {**relay.options(), **user, "region": "eu-central-1", "assume_role_arn": arn, "external_id": "theirs"}
        done = playbook(
            "certfleet.acme.site",
            lab.state.inventory,
            tmp_path / "run",
            arguments=["--limit", "web2", "-vvv", "--diff"],
            variables={
                "certfleet_store_path": str(tmp_path / "store"),
                "certfleet_certificates": [{"name": "lent", "identifiers": ["lent.example.com"]}],
                "certfleet_dns_providers": [{"provider": "route53", "zones": ["example.com"], "route53": entry}],
            },
        )
    assert (tmp_path / "store" / "lent" / "current" / "fullchain.pem").is_file()
    assert [(asked["RoleArn"], asked["RoleSessionName"]) for asked in relay.sts] == [(arn, "certfleet")]
    assert set(relay.route53) == {relay.lent["AccessKeyId"]}
    assert "lent.example.com" in done.output
    for secret in (user["secret_key"], relay.lent["SecretAccessKey"], relay.lent["SessionToken"]):
        assert secret not in done.output
    assert lab.all_txt() == {}
