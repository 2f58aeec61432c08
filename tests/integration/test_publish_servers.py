# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clouds of the tests refuse what AWS and Google refuse, and keep no private key."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.publishing import CA, REGION, acm, own_environment, running_acm
from tests.lab.servers.acm import AcmServer
from tests.lab.servers.certificate_manager import CertificateManagerServer
from tests.support.small_ca import pem

__all__ = ["acm", "own_environment", "running_acm"]
CHAIN = pem(CA.intermediate)


def pair(curve: ec.EllipticCurve) -> tuple[str, str]:
    """A certificate and its key."""
    key = ec.generate_private_key(curve)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem(CA.sign(key.public_key(), ["example.com"])), private.decode()


def test_acm_refuses_what_aws_refuses(acm: AcmServer) -> None:
    client = boto3.client(
        "acm", endpoint_url=acm.url, region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b"
    )
    (leaf, key), (other_leaf, other_key) = pair(ec.SECP256R1()), pair(ec.SECP384R1())
    tags = [{"Key": "a", "Value": "b"}]
    good = {"Certificate": leaf, "PrivateKey": key, "CertificateChain": CHAIN}
    arn = client.import_certificate(**good, Tags=tags)["CertificateArn"]
    amazon = client.request_certificate(DomainName="example.com")["CertificateArn"]
    for wrong, words in (
        ({**good, "CertificateArn": arn, "Tags": tags}, "Tagging is not permitted"),
        ({**good, "CertificateArn": amazon}, "not an imported one"),
        ({**good, "CertificateArn": arn, "Certificate": other_leaf, "PrivateKey": other_key}, "cannot be changed"),
        ({**good, "PrivateKey": other_key}, "does not match the certificate"),
        ({**good, "CertificateChain": leaf + CHAIN}, "certificate chain"),
        ({**good, "PrivateKey": key + " " * 5120}, "PrivateKey has"),
        ({**good, "Tags": [{"Key": "<", "Value": ""}]}, "does not match its pattern"),
    ):
        with pytest.raises(ClientError, match=words):
            client.import_certificate(**wrong)
    client.import_certificate(**good, CertificateArn=arn)
    assert acm.held(arn)[1] == {"a": "b"}
    # Which certificates AWS lists when it is not asked for key types.
    assert [entry["CertificateArn"] for entry in client.list_certificates()["CertificateSummaryList"]] == [amazon]
    assert not [line for line in key.splitlines() if line in repr(acm.calls)]


def test_certificate_manager_refuses_what_google_refuses(tmp_path: Path) -> None:
    with CertificateManagerServer(tmp_path / "google") as server:
        token = server.account("certfleet").token
        parent = f"/v1/projects/{server.project}/locations/global"
        one = f"{parent}/certificates/web"

        def ask(method: str, path: str, body: Any = None) -> tuple[int, str]:
            link = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
            link.request(method, path, None if body is None else json.dumps(body), {"Authorization": f"Bearer {token}"})
            answer = link.getresponse()
            text = answer.read().decode()
            link.close()
            return answer.status, text

        (leaf, key), (_other, other_key) = pair(ec.SECP256R1()), pair(ec.SECP256R1())
        good = {"selfManaged": {"pemCertificate": leaf + CHAIN, "pemPrivateKey": key}}
        mismatch = {"selfManaged": {"pemCertificate": leaf + CHAIN, "pemPrivateKey": other_key}}
        create = f"{parent}/certificates?certificateId=web"
        assert ask("GET", one)[0] == 404
        assert ask("POST", create, mismatch)[0] == 400
        assert ask("POST", create, {})[0] == 400
        assert ask("POST", f"{parent}/certificates?certificateId=Web", good)[0] == 400
        assert server.api.violations == []
        assert ask("POST", f"{create}&force=1", good)[0] == 400
        assert ask("POST", create, {"selfmanaged": {}})[0] == 400
        assert len(server.api.violations) == 2
        assert ask("POST", create, good)[0] == 200
        assert ask("POST", create, good)[0] == 409
        status, shown = ask("GET", one)
        assert (status, json.loads(shown)["pemCertificate"]) == (200, leaf + CHAIN)
        assert "PRIVATE KEY" not in shown

        server.api.held.delay = 60
        assert ask("PATCH", f"{one}?updateMask=expireTime", {})[0] == 400
        assert json.loads(ask("PATCH", f"{one}?updateMask=labels", {"labels": {"a": "b"}})[1])["done"] is False
        assert ask("PATCH", f"{one}?updateMask=selfManaged", good)[0] == 409
        assert "labels" not in json.loads(ask("GET", one)[1])
        assert ask("GET", one.replace(server.project, "other"))[0] == 403
        token = "ya29.none"
        assert ask("GET", one)[0] == 401
