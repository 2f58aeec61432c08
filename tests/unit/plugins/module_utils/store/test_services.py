# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._store import services
from ansible_collections.certfleet.acme.plugins.module_utils._store.commands import run_command
from ansible_collections.certfleet.acme.plugins.module_utils._store.declared import Deploy, parse


def deploy(**options: Any) -> Deploy:
    empty = dict.fromkeys(("profile", "renew_when_remaining", "owner", "group"))
    item = {"name": "web", "identifiers": ["web.example"], "key_type": "ecdsa-p256", "force": False, "deploy": options}
    return parse({**empty, **item}).deploy


def endpoint(**more: Any) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": 25, "server_name": None, **more}


@pytest.mark.parametrize(
    ("service", "check"),
    [
        ("nginx", ("nginx", "-t", "-q")),
        ("nginx.service", ("nginx", "-t", "-q")),
        ("haproxy", ("haproxy", "-c", "-q", "-f", "/etc/haproxy/haproxy.cfg")),
        ("httpd", ("apachectl", "configtest")),
        ("postfix", ("postfix", "check")),
        ("dovecot", ("doveconf", "-n")),
        ("haproxy@edge", ()),
        ("my-service_2", ()),
    ],
)
def test_a_service_brings_its_commands(service: str, check: tuple[str, ...]) -> None:
    found = deploy(service=service)
    assert found.check == check
    assert found.reload == ("systemctl", "reload-or-restart", service)


def test_what_is_given_counts_and_an_empty_list_means_none() -> None:
    found = deploy(service="nginx", check=["mine"], reload=["too"])
    assert (found.check, found.reload) == (("mine",), ("too",))
    found = deploy(service="nginx", check=[], reload=[])
    assert (found.check, found.reload) == ((), ())
    assert not found
    assert deploy(check=["mine"]).reload == ()


def test_the_one_of_apaches_programs_that_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "search_path", lambda: str(tmp_path))
    assert deploy(service="apache2").check == ("apachectl", "configtest")
    program = tmp_path / "apache2ctl"
    program.touch(mode=0o755)
    assert deploy(service="apache2").check == ("apache2ctl", "configtest")


@pytest.mark.parametrize("service", ["", "-x", "a b", "../etc", "nginx.socket", "x;reboot", "--now", "a/b"])
def test_what_is_no_unit_is_refused(service: str) -> None:
    with pytest.raises(CertfleetError, match="not the name of a service of systemd"):
        deploy(service=service)


def test_programs_of_administrators_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "only-for-root"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    monkeypatch.setattr("ansible_collections.certfleet.acme.plugins.module_utils._store.commands._ADMIN_PATH", ())
    with pytest.raises(CertfleetError, match="No such file"):
        run_command(["only-for-root"])
    monkeypatch.setattr(
        "ansible_collections.certfleet.acme.plugins.module_utils._store.commands._ADMIN_PATH", (str(tmp_path),)
    )
    run_command(["only-for-root"])


def test_what_was_proven_before_starttls_and_service_were_there_stays_proven() -> None:
    """The digest as it was made then, and kept beside certificates."""
    declared: dict[str, Any] = {"check": ["nginx", "-t", "-q"], "reload": ["systemctl", "reload-or-restart", "nginx"]}
    old = [declared["check"], declared["reload"], [["127.0.0.1", 25, "web.example"]]]
    kept = hashlib.sha256(json.dumps(old).encode()).hexdigest()
    assert deploy(**declared, endpoints=[endpoint()]).digest() == kept
    assert deploy(**declared, endpoints=[endpoint(starttls=None)]).digest() == kept
    assert deploy(service="nginx", endpoints=[endpoint()]).digest() == kept
    assert deploy(**declared, endpoints=[endpoint(starttls="smtp")]).digest() != kept
    assert (
        deploy(**declared, endpoints=[endpoint(starttls="imap")]).digest()
        != deploy(**declared, endpoints=[endpoint(starttls="smtp")]).digest()
    )
