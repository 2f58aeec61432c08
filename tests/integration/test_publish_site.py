# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site whose host publishes its certificate to ACM: the same ARN for good, and a cloud that is down for a while."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.fleet import Run, playbook
from tests.integration.publishing import ACCESS_KEY, SECRET_KEY, acm, running_acm, to_acm
from tests.lab.api import Lab
from tests.lab.servers.acm import AcmServer
from tests.support.tls_server import TlsServer

__all__ = ["acm", "running_acm"]
NAME = "published.example.com"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    server = TlsServer()
    server.directories = {NAME: tmp_path / "store" / "shop" / "current"}
    yield server
    server.close()


def test_the_life_of_a_published_certificate(lab: Lab, acm: AcmServer, server: TlsServer, tmp_path: Path) -> None:
    store = tmp_path / "store"
    deploy = {"reload": server.reload, "endpoints": [{"port": server.port}], "timeout": 10}
    certificate = {"name": "shop", "identifiers": [NAME], "deploy": deploy, "publish": [to_acm(acm)]}

    def run(*playbooks: str, **options: Any) -> Run:
        book = tmp_path / "book.yml"
        book.write_text(json.dumps([{"import_playbook": f"certfleet.acme.{name}"} for name in playbooks]))
        variables = {
            "certfleet_store_path": str(store),
            "certfleet_certificates": [certificate],
            **options.pop("variables", {}),
        }
        arguments = ["--limit", "web2", "-vvv", "--diff"]
        shown = {"ANSIBLE_INJECT_INVOCATION": "true"}
        return playbook(
            book,
            lab.state.inventory,
            tmp_path / "run",
            arguments=arguments,
            variables=variables,
            environment=shown,
            **options,
        )

    def noted() -> dict[str, Any]:
        (target,) = json.loads((store / "shop" / "published.json").read_text())["targets"].values()
        return dict(target)

    made = run("site", "site")
    arn, first = noted()["resource"], noted()["serial"]
    own = {"certfleet:certificate": "shop", "certfleet:host": "web2"}
    assert acm.held(arn) == (first, own)
    # The second one asks the host what it needs, and nobody else.
    calls = [
        "certificate_request",
        "acme_certificate",
        "certificate_install",
        "certificate_install",
        "certificate_publish",
    ]
    assert made.module_calls == [f"web2: {name}" for name in [*calls, "certificate_request"]]
    assert made.report == ["1 certificate: 0 changed, 1 unchanged, 0 failed"]

    acm.behaviour.faults = [("DescribeCertificate", "cut")] * 100
    down = run("rotate", variables={"rotate_force": True}, expect=2)
    (result,) = down.of("certificate_publish")[0]["result"]["certificates"]
    assert (result["failed"], result["stage"]) == (True, "publish")
    assert "web2 shop: FAILED: publish: ACM eu-central-1: ACM at" in down.report[0]
    (installed,) = down.of("certificate_install")[-1]["result"]["certificates"]
    second = installed["serial"]
    assert installed["deployed"]
    assert second != first
    assert acm.held(arn) == (first, own)

    acm.behaviour.faults = []
    finished = run("site")
    assert noted()["resource"] == arn
    assert acm.held(arn) == (second, own)
    assert finished.report[0].startswith(f"web2 shop: certificate published, serial {second}")
    assert "is not published to ACM eu-central-1" in finished.report[0]

    keys = [path.read_text().splitlines()[1:-1] for path in store.rglob("versions/*/privkey.pem")]
    secrets = [SECRET_KEY, *(line for lines in keys for line in lines if len(line) > 20)]
    assert len(secrets) >= 5
    for done in (made, down, finished):
        assert ACCESS_KEY in done.output, "the options were shown"
        assert not [secret for secret in secrets if secret in done.output]
