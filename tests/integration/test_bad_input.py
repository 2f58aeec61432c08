# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator gets wrong, or what is down: one line that names the cause, and nothing left behind."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.fleet import Run, playbook
from tests.integration.providers import access, dns_of, pairs
from tests.lab.api import Lab

ROUTE53, CLOUD_DNS = ("acme2certifier", "ministack"), ("acme2certifier", "cloud_dns")
#: What Route53 answers to credentials that it does not know.
_REFUSAL = b"""<?xml version="1.0"?>
<ErrorResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Error><Type>Sender</Type>
<Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid.</Message></Error>
<RequestId>b25f48e8-84fd-11e6-80d9-574e0c4664cb</RequestId></ErrorResponse>"""


class _Refusing(http.server.BaseHTTPRequestHandler):
    """A Route53 that knows nobody."""

    def do_GET(self) -> None:
        self.send_response(403)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(_REFUSAL)))
        self.end_headers()
        self.wfile.write(_REFUSAL)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *arguments: Any) -> None:
        """Silent."""


@pytest.fixture
def refusing() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def attempt(lab: Lab, work: Path, **variables: Any) -> Run:
    """``site`` on web1, which declares nothing, and web2, which declares what cannot be had."""
    declared = "{{ [{'name': 'wrong', 'identifiers': wrong_names}] if inventory_hostname == 'web2' else [] }}"
    return playbook(
        "certfleet.acme.site",
        lab.state.inventory,
        work,
        arguments=["--limit", "web1,web2"],
        variables={
            "wrong_names": ["wrong.example.com"],
            "certfleet_certificates": declared,
            "certfleet_store_path": str(work / "store"),
            **variables,
        },
        expect=2,
    )


def refused(lab: Lab, done: Run, work: Path) -> str:
    """The cause that was given, after it is made sure that only web2 failed and nothing is left of the attempt."""
    assert set(done.failed) == {"web2"}
    cause = done.failed["web2"]
    assert "\n" not in cause
    assert "Traceback" not in done.output
    assert lab.all_txt() == {}
    left = sorted(str(path.relative_to(work / "store" / "wrong")) for path in (work / "store" / "wrong").rglob("*"))
    # The request stays, to be gone on with: key, CSR and what they are for. There is no version, not even half of one.
    assert [name for name in left if name.endswith(".pem")] == ["pending/privkey.pem"]
    assert "current" not in left
    line = next(line for line in done.report if line.startswith("web2 wrong: FAILED: "))
    line = line.removesuffix(" (wanted because: there is no certificate yet)")
    assert line.removeprefix("web2 wrong: FAILED: ") in cause
    return cause


@pytest.mark.parametrize("lab", pairs(ROUTE53, CLOUD_DNS), indirect=True)
def test_a_zone_that_is_not_there(lab: Lab, tmp_path: Path) -> None:
    # The CA takes names below its zones; this one has no zone at the provider that is to hold it.
    name = dns_of(lab).name
    providers = [{"provider": name, "zones": ["example.net"], name: access(lab)}]
    cause = refused(lab, attempt(lab, tmp_path, certfleet_dns_providers=providers), tmp_path)
    assert "wrong.example.com" in cause
    assert "zone" in cause


@pytest.mark.provider("route53", reason="it answers as AWS does; Google's refusals are in test_dns01_cloud_dns.py")
def test_credentials_that_route53_refuses(lab: Lab, tmp_path: Path, refusing: str) -> None:
    providers = [{"provider": "route53", "route53": {**access(lab), "endpoint_url": refusing}}]
    cause = refused(lab, attempt(lab, tmp_path, certfleet_dns_providers=providers), tmp_path)
    assert "InvalidClientTokenId" in cause or "security token" in cause
    assert lab.route53["secret_key"] not in cause


# Amazon's library tries again and again for 15 s; test_nobody_at_the_endpoint_is_one_line hurries it.
@pytest.mark.parametrize("lab", pairs(CLOUD_DNS), indirect=True)
def test_a_provider_that_cannot_be_reached(lab: Lab, tmp_path: Path) -> None:
    dns = dns_of(lab)
    nobody = {**access(lab), dns.endpoint: "http://127.0.0.1:1"}
    providers = [{"provider": dns.name, dns.name: nobody}]
    cause = refused(lab, attempt(lab, tmp_path, certfleet_dns_providers=providers), tmp_path)
    assert "http://127.0.0.1:1" in cause


def test_a_ca_that_is_down(lab: Lab, tmp_path: Path) -> None:
    down = "https://127.0.0.1:1/directory"
    cause = refused(lab, attempt(lab, tmp_path, certfleet_acme_directory=down), tmp_path)
    assert down in cause
    assert "refused" in cause
    assert lab.requests(dns_of(lab).name) == []


def test_an_address_that_is_no_directory(lab: Lab, tmp_path: Path) -> None:
    wrong = lab.acme["directory"] + "-of-something-else"
    cause = refused(lab, attempt(lab, tmp_path, certfleet_acme_directory=wrong), tmp_path)
    assert f"no ACME directory at {wrong}" in cause


def test_a_ca_bundle_that_does_not_fit(lab: Lab, tmp_path: Path) -> None:
    # The certificates that the CA issues are signed by another root than its own server's.
    cause = refused(lab, attempt(lab, tmp_path, certfleet_ca_path=lab.acme["issuer_path"]), tmp_path)
    assert "not trusted" in cause
    assert "ca_path" in cause


def test_a_ca_bundle_that_is_none(lab: Lab, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("this is no certificate", encoding="utf-8")
    cause = refused(lab, attempt(lab, tmp_path, certfleet_ca_path=str(bundle)), tmp_path)
    assert f"{bundle} is not a usable CA bundle" in cause


@pytest.mark.parametrize("content", ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_an_account_key_that_cannot_be_read(lab: Lab, tmp_path: Path, content: str) -> None:
    key = tmp_path / "account.key"
    key.write_text(content, encoding="utf-8")
    cause = refused(lab, attempt(lab, tmp_path, certfleet_account_key_src=str(key)), tmp_path)
    assert str(key) in cause
    assert lab.requests("acme") == []


def test_an_account_key_that_is_not_there(lab: Lab, tmp_path: Path) -> None:
    key = tmp_path / "missing" / "account.key"
    variables = {"certfleet_account_key_src": str(key), "certfleet_generate_account_key": False}
    cause = refused(lab, attempt(lab, tmp_path, **variables), tmp_path)
    assert str(key) in cause
    assert not key.parent.exists()


def test_a_name_that_the_ca_refuses(lab: Lab, tmp_path: Path) -> None:
    cause = refused(lab, attempt(lab, tmp_path, wrong_names=["wrong.refused.test"]), tmp_path)
    assert "wrong.refused.test" in cause
    assert "rejectedIdentifier" in cause


def test_a_name_that_is_no_name_never_leaves_the_host(lab: Lab, tmp_path: Path) -> None:
    done = attempt(lab, tmp_path, wrong_names=["https://wrong.example.com"])
    assert "'https://wrong.example.com' is not a DNS name" in done.failed["web2"]
    assert lab.requests("acme") == []
    assert not list((tmp_path / "store").rglob("*.pem"))
