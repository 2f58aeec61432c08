# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""certificate_publish to AWS Certificate Manager: moto behind what AWS enforces beyond it."""

from __future__ import annotations

import datetime
import platform
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._publish import module
from ansible_collections.certfleet.acme.plugins.module_utils._renewal import utc_now
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.publishing import (
    ACCESS_KEY,
    CA,
    REGION,
    SECRET_KEY,
    PublishingHost,
    acm,
    own_environment,
    running_acm,
    to_acm,
)
from tests.lab.servers.acm import ACCOUNT, AcmServer
from tests.support.small_ca import pem

__all__ = ["acm", "own_environment", "running_acm"]
ABSENT = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/00000000-0000-0000-0000-000000000000"
WRITES = {"ImportCertificate", "AddTagsToCertificate"}


def client(server: AcmServer) -> Any:
    """What another program asks with."""
    return boto3.client(
        "acm",
        endpoint_url=server.url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


def imported_by_others(server: AcmServer, **options: Any) -> str:
    """The ARN of a certificate that another program imported."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    leaf = CA.sign(key.public_key(), ["example.com"])
    arn = client(server).import_certificate(
        Certificate=pem(leaf).encode(), PrivateKey=private, CertificateChain=pem(CA.intermediate).encode(), **options
    )["CertificateArn"]
    server.calls.clear()
    return str(arn)


def test_imported_once_and_replaced_under_the_same_arn(acm: AcmServer, tmp_path: Path) -> None:
    host = PublishingHost(tmp_path, to_acm(acm, tags={"team": "web"}))
    first = host.rotate()
    assert host.needs() == ("install", ["not_published"])

    checked = host.target(check=True)
    assert (checked["changed"], checked["created"], checked["resource"]) == (True, True, None)
    assert not WRITES & set(acm.operations())
    assert not (host.store / "web" / "published.json").exists()

    made = host.target()
    arn = made["resource"]
    assert (made["stage"], made["changed"], made["created"], made["previous_serial"]) == ("published", True, True, None)
    own = {"certfleet:certificate": "web", "certfleet:host": "web1.example.com"}
    assert acm.held(arn) == (first, {**own, "team": "web"})
    assert host.needs() == ("nothing", [])

    acm.calls.clear()
    again = host.target()
    assert (again["changed"], again["resource"], again["diff"]) == (False, arn, [])
    assert acm.operations() == ["DescribeCertificate", "GetCertificate", "ListTagsForCertificate"]

    second = host.rotate()
    assert host.needs() == ("install", ["not_published"])
    changed = host.target()
    assert (changed["resource"], changed["created"], changed["previous_serial"]) == (arn, False, first)
    assert acm.held(arn) == (second, {**own, "team": "web"})
    assert changed["diff"][0]["before"] == f"serial: {first}\n"
    assert changed["diff"][0]["after"] == f"serial: {second}\n"
    assert host.needs() == ("nothing", [])


def test_a_given_arn_needs_no_more_than_three_permissions(acm: AcmServer, tmp_path: Path) -> None:
    arn = imported_by_others(acm)
    before, _tags = acm.held(arn)
    acm.behaviour.denied = ("ListCertificates", "ListTagsForCertificate", "AddTagsToCertificate")
    host = PublishingHost(tmp_path, to_acm(acm, certificate_arn=arn, region=None))
    serial = host.rotate()
    done = host.target()
    assert (done["previous_serial"], acm.held(arn)[0]) == (before, serial)
    assert set(acm.operations()) == {"DescribeCertificate", "GetCertificate", "ImportCertificate"}


def test_found_again_by_its_tags_among_many(acm: AcmServer, tmp_path: Path) -> None:
    host = PublishingHost(tmp_path, to_acm(acm))
    host.rotate()
    arn = host.target()["resource"]
    others = [imported_by_others(acm, Tags=[{"Key": "certfleet:certificate", "Value": "web"}]) for _number in range(4)]
    acm.behaviour.page = 2
    (host.store / "web" / "published.json").unlink()
    serial = host.rotate()
    found = host.target()
    assert (found["resource"], found["created"]) == (arn, False)
    assert acm.held(arn)[0] == serial
    assert all(acm.held(other)[0] != serial for other in others)
    assert acm.operations().count("ListCertificates") == 3

    other_host = PublishingHost(tmp_path / "other", to_acm(acm))
    other_host.rotate()
    assert other_host.target(host="web2.example.com")["resource"] not in (arn, None)

    tags = [{"Key": key, "Value": value} for key, value in acm.held(arn)[1].items()]
    double = imported_by_others(acm, Tags=tags)
    (host.store / "web" / "published.json").unlink()
    refused = host.target()
    assert refused["failed"]
    assert arn in refused["msg"]
    assert double in refused["msg"]
    assert "certificate_arn" in refused["msg"]


def test_what_is_noted_and_gone_is_imported_anew(acm: AcmServer, tmp_path: Path) -> None:
    host = PublishingHost(tmp_path, to_acm(acm))
    host.rotate()
    arn = host.target()["resource"]
    client(acm).delete_certificate(CertificateArn=arn)
    made = host.target()
    assert made["created"]
    assert made["resource"] != arn


def refused(host: PublishingHost, acm: AcmServer, *words: str) -> None:
    """It fails, with these words, before anything is written."""
    acm.calls.clear()
    item = host.publish()
    assert item["failed"], item
    assert item["stage"] == "publish"
    assert not WRITES & set(acm.operations())
    for word in words:
        assert word in item["msg"], item["msg"]


def test_what_cannot_be_published_is_refused_before_anything_is_sent(acm: AcmServer, tmp_path: Path) -> None:
    amazon = client(acm).request_certificate(DomainName="example.com")["CertificateArn"]
    host = PublishingHost(tmp_path)
    host.declared["publish"] = [to_acm(acm, certificate_arn=amazon, region=None)]
    refused(host, acm, "no version is active")
    host.rotate()
    for target, words in (
        (to_acm(acm, certificate_arn=amazon, region=None), ["AMAZON_ISSUED", "not an imported one"]),
        (to_acm(acm, certificate_arn=ABSENT, region=None), ["has no certificate", ABSENT, f"account {ACCOUNT}"]),
        (to_acm(acm, certificate_arn=ABSENT, region="us-east-1"), ["region eu-central-1 and region is us-east-1"]),
        (to_acm(acm, certificate_arn="arn:aws:iam::1:server-certificate/x"), ["is not the ARN of a certificate"]),
        (to_acm(acm, region=None), ["no AWS region is given for ACM"]),
        (to_acm(acm, endpoint_url="http://acm.example.com"), ["without encryption"]),
        (to_acm(acm, tags={"a": "<b>"}), ["cannot be a tag"]),
        (to_acm(acm, secret_key=None), ["belong together"]),
    ):
        host.declared["publish"] = [target]
        refused(host, acm, *words)


def test_an_arn_keeps_its_key_type(acm: AcmServer, tmp_path: Path) -> None:
    host = PublishingHost(tmp_path, to_acm(acm))
    host.rotate()
    arn = host.target()["resource"]
    host.declared["key_type"] = "ecdsa-p384"
    host.rotate()
    refused(host, acm, arn, "EC_prime256v1", "ecdsa-p384")


def test_a_certificate_that_nobody_should_serve_is_not_published(
    acm: AcmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = PublishingHost(tmp_path, to_acm(acm))
    host.rotate()
    with monkeypatch.context() as later:
        later.setattr(module, "utc_now", lambda: utc_now() + datetime.timedelta(days=91))
        refused(host, acm, "expired at")
    meta = host.store / "web" / "current" / "certificate.json"
    whole = meta.read_text()
    meta.write_text(whole.replace('{\n  "', '{\n  "compromised": {"at": "now"},\n  "', 1))
    refused(host, acm, "marked compromised")
    meta.write_text(whole)
    (host.store / "web" / "current" / "privkey.pem").write_text("nothing")
    refused(host, acm, "cannot be published")
    assert acm.calls == []


@pytest.mark.parametrize("operation", ["DescribeCertificate", "GetCertificate", "ImportCertificate"])
def test_permissions_are_named_with_what_they_are_for(acm: AcmServer, tmp_path: Path, operation: str) -> None:
    arn = imported_by_others(acm)
    acm.behaviour.denied = (operation,)
    host = PublishingHost(tmp_path, to_acm(acm, certificate_arn=arn, region=None))
    host.rotate()
    item = host.publish()
    assert f"Allow acm:{operation} on {arn} in the IAM policy" in item["msg"]


@pytest.mark.parametrize("faults", [("throttle", "late"), ("error", "cut", "lose")], ids="-".join)
def test_a_cloud_that_falters(acm: AcmServer, tmp_path: Path, faults: tuple[str, ...]) -> None:
    """Whatever befalls a request, one certificate comes of it, and the next one has the same ARN."""
    host = PublishingHost(tmp_path, to_acm(acm))
    everything = ("ListCertificates", "ImportCertificate", "DescribeCertificate", "GetCertificate")
    serial = host.rotate()
    acm.behaviour.faults = [(operation, fault) for operation in everything for fault in faults]
    made = host.target(timeout=120)
    assert not made["failed"], made["msg"]
    listed = client(acm).list_certificates(Includes={"keyTypes": ["EC_prime256v1"]})["CertificateSummaryList"]
    assert [entry["CertificateArn"] for entry in listed] == [made["resource"]]
    assert acm.held(made["resource"])[0] == serial
    serial = host.rotate()
    acm.behaviour.faults = [(operation, fault) for operation in everything for fault in faults]
    assert host.target(timeout=120)["resource"] == made["resource"]
    assert acm.held(made["resource"])[0] == serial


def test_it_is_read_back_until_it_is_there(acm: AcmServer, tmp_path: Path) -> None:
    host = PublishingHost(tmp_path, to_acm(acm))
    host.rotate()
    host.publish()
    host.rotate()
    acm.behaviour.stale = 2
    assert not host.publish()["failed"]
    host.rotate()
    acm.behaviour.stale = 1000
    late = host.publish(timeout=1)
    assert "ACM took the import and still has serial" in late["msg"]
    assert host.needs() == ("install", ["not_published"])


def test_a_cloud_that_is_busy_for_good_or_down(acm: AcmServer, tmp_path: Path) -> None:
    host = PublishingHost(tmp_path, to_acm(acm))
    host.rotate()
    acm.behaviour.faults = [("ListCertificates", "throttle")] * 100
    busy = host.publish(timeout=1)
    assert "ACM is busy (ThrottlingException)" in busy["msg"]
    host.declared["publish"] = [to_acm(acm, endpoint_url="http://127.0.0.1:1"), to_acm(acm)]
    acm.reset()
    half = host.publish()
    assert "ACM at http://127.0.0.1:1 cannot be reached" in half["msg"]
    assert [target["failed"] for target in half["targets"]] == [True, False]
    assert half["stage"] == "publish"
    assert half["changed"]
    assert host.needs() == ("install", ["not_published"])


def test_the_environment_counts_as_in_amazon_aws(
    acm: AcmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = PublishingHost(tmp_path, {"acm": {"tags": {}}})
    host.declared["publish"] = [{"acm": {"tags": {"a": "b"}}}]
    host.rotate()
    monkeypatch.setenv("AWS_URL", acm.url)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENVENVENVENVENVE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    assert host.target()["resource"].split(":")[3] == "eu-west-1"
    assert {call.key for call in acm.calls} == {"AKIAENVENVENVENVENVE"}
    # What is noted has nothing of the environment in it, which other tasks may not have.
    for name in ("AWS_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert host.needs() == ("nothing", [])


def test_a_host_without_the_library_is_named(acm: AcmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = PublishingHost(tmp_path, to_acm(acm))
    host.rotate()
    monkeypatch.setitem(sys.modules, "boto3", None)
    item = host.publish()
    assert f"on {platform.node()}, the Python library boto3 cannot be imported" in item["msg"]


def test_nothing_of_the_secrets_is_noted_or_shown(acm: AcmServer, tmp_path: Path) -> None:
    host = PublishingHost(tmp_path, to_acm(acm))
    host.rotate()
    result = str(host.publish())
    noted = (host.store / "web" / "published.json").read_text()
    for secret in (SECRET_KEY, ACCESS_KEY, *host.key_lines):
        assert secret not in noted
        assert secret not in result
    assert not any(line in repr(acm.calls) for line in host.key_lines)


def test_what_publishes_nothing_asks_nobody(acm: AcmServer, tmp_path: Path) -> None:
    host = PublishingHost(tmp_path)
    host.rotate()
    item = host.publish()
    assert (item["stage"], item["changed"], item["targets"]) == ("nothing", False, [])
    assert not (host.store / "web" / "published.json").exists()
    assert acm.calls == []
