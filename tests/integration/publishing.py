# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host with a certificate, and clouds that it is published to."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._publish.model import Deadline

from tests.lab.servers.acm import AcmServer
from tests.lab.servers.certificate_manager import CertificateManagerServer
from tests.support.host import Host, only
from tests.support.small_ca import SmallCA

CA = SmallCA()
REGION = "eu-central-1"
ACCESS_KEY, SECRET_KEY = "AKIATESTTESTTESTTEST", "testSecretKeyWithoutAnyWorthOutside0000"


class PublishingHost(Host):
    """declared: the certificate, with what it is published to."""

    def __init__(self, root: Path, *targets: dict[str, Any], **declared: Any) -> None:
        super().__init__(root)
        self.declared = {"name": "web", "identifiers": ["example.com"], "publish": list(targets), **declared}

    def rotate(self, **options: Any) -> str:
        """Another certificate is active from now on; its serial number."""
        certificates = [self.declared]
        asked = only(self.module("certificate_request", certificates=certificates, force=True))
        issued = CA.issued(asked, **options)
        only(self.module("certificate_install", certificates=certificates, issued=[issued]))
        return str(issued["serial"])

    def needs(self) -> tuple[str, list[str]]:
        """What certificate_request says, with the codes of its reasons."""
        found = only(self.module("certificate_request", certificates=[self.declared], renew=False))
        return found["needs"], [reason["code"] for reason in found["reasons"]]

    def publish(self, **options: Any) -> dict[str, Any]:
        """The result of certificate_publish for the certificate. No key is in it."""
        settings = {"host": "web1.example.com", "timeout": 5, "item_failures": "report", **options}
        result = self.module("certificate_publish", certificates=[self.declared], diff=True, **settings)
        return {**only(result), "diff": result.get("diff", [])}

    def target(self, **options: Any) -> dict[str, Any]:
        """The result of its one target."""
        item = self.publish(**options)
        return {**only(item, "targets"), "stage": item["stage"], "diff": item["diff"]}

    @property
    def key_lines(self) -> list[str]:
        """Lines of all private keys that are in the store."""
        found = [path.read_text().splitlines()[1:-1] for path in self.store.rglob("versions/*/privkey.pem")]
        return [line for lines in found for line in lines if len(line) > 20]


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the user's clouds counts, and nothing outside of this machine is asked. Pauses take a twentieth."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "GCP_", "GOOGLE_", "CLOUDSDK_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HOME", str(tmp_path))
    pause = time.sleep
    monkeypatch.setitem(Deadline.__init__.__kwdefaults__ or {}, "sleep", lambda seconds: pause(seconds / 20))


@pytest.fixture(scope="module")
def running_acm() -> Iterator[AcmServer]:
    with AcmServer() as server:
        yield server


@pytest.fixture
def acm(running_acm: AcmServer) -> AcmServer:
    running_acm.reset()
    return running_acm


def to_acm(server: AcmServer, **options: Any) -> dict[str, Any]:
    """An entry of publish."""
    common = {"endpoint_url": server.url, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "region": REGION}
    return {"acm": {key: value for key, value in {**common, **options}.items() if value is not None}}


@pytest.fixture
def google(tmp_path: Path) -> Iterator[CertificateManagerServer]:
    """Nothing that it gets or answers may be against Google's own description."""
    with CertificateManagerServer(tmp_path / "google") as server:
        yield server
        assert server.api.violations == []


def to_google(server: CertificateManagerServer, **options: Any) -> dict[str, Any]:
    """An entry of publish, with an account that may do everything unless another is given."""
    if "service_account_contents" not in options:
        options["service_account_contents"] = json.dumps(server.account("certfleet").key)
    common = {"project": server.project, "certificate": "web", "api_endpoint": server.url}
    return {"certificate_manager": {**common, **options}}
