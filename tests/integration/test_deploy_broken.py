# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real nginx whose deployment is broken on purpose at each stage: what is served, what is told, the next run."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._store import commands

from tests.lab.servers import nginx
from tests.support.web import Web, running


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    try:
        nginx.binary()
    except nginx.MissingProgram as error:
        from tests.integration.conftest import missing

        missing(str(error))
    with running(tmp_path) as found:
        yield found


def kept(web: Web, item: dict[str, Any], serial: str, stage: str) -> str:
    """The service serves what it served, the store is whole and back; the message."""
    assert (item["failed"], item["stage"], item["rolled_back"], item["active"]) == (True, stage, True, False)
    assert web.served() == serial == web.versions()["current"]
    assert "version 0001 is active again" in item["msg"]
    assert "\n" not in item["msg"]
    assert web.needs() == ["install", "pending_install"]
    return str(item["msg"])


def finished(web: Web, issued: list[dict[str, Any]], **deploy: Any) -> None:
    """The next run brings what the broken one could not, with the certificate that it had."""
    item = web.install(**deploy)
    assert (item["failed"], item["stage"], item["serial"]) == (False, "deployed", issued[0]["serial"])
    assert item["serial"] == web.versions()["current"]
    assert web.serves(item["serial"])
    assert not web.install(**deploy)["changed"]
    assert sorted(web.versions()) == ["0001", "0002", "current"]


def test_a_configuration_that_is_broken_already(web: Web) -> None:
    serial, issued = web.served(), web.issued()
    good = web.configuration.read_text()
    web.configuration.write_text(good.replace("http {", "http {\n    no_such_directive on;"))
    message = kept(web, web.install(issued), serial, "check")
    assert 'unknown directive "no_such_directive"' in message
    assert message.endswith("the check fails with the previous version too, so the certificate is not the cause")
    web.configuration.write_text(good)
    finished(web, issued)


def test_a_configuration_that_the_new_certificate_breaks(web: Web) -> None:
    """The key is read from one version for good, the certificate from the active one."""
    serial, issued = web.served(), web.issued()
    good = web.configuration.read_text()
    fixed = web.host.store / "one" / "versions" / "0001" / "privkey.pem"
    web.configuration.write_text(good.replace(f"{web.host.store}/one/current/privkey.pem", str(fixed)))
    message = kept(web, web.install(issued), serial, "check")
    assert "key values mismatch" in message
    assert "not the cause" not in message
    web.configuration.write_text(good)
    finished(web, issued)


def test_a_reload_that_fails(web: Web) -> None:
    serial, issued = web.served(), web.issued()
    good = web.configuration.read_text()
    web.configuration.write_text(good.replace("http {", "http {\n    no_such_directive on;"))
    message = kept(web, web.install(issued, check=[]), serial, "reload")
    assert "nginx of web1 refused to reload" in message
    assert 'unknown directive "no_such_directive"' in message
    assert "the reload after rolling back failed too" in message
    assert message.endswith("after rolling back, the previous certificate is served")
    web.configuration.write_text(good)
    finished(web, issued, check=[])


def test_a_reload_that_hangs(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "COMMAND_TIMEOUT", 1.0)
    serial, issued = web.served(), web.issued()
    hanging = [sys.executable, "-I", "-S", "-c", "import time; print('waiting', flush=True); time.sleep(100)"]
    begun = time.monotonic()
    item = web.install(issued, reload=hanging)
    assert time.monotonic() - begun < 15  # twice the second, and the proof of the rollback
    message = kept(web, item, serial, "reload")
    assert f"{shlex.join(hanging)} did not end within 1 s: waiting" in message
    assert message.endswith("after rolling back, the previous certificate is served")
    monkeypatch.undo()
    finished(web, issued)


def test_an_endpoint_that_keeps_serving_the_old_certificate(web: Web) -> None:
    serial, issued = web.served(), web.issued()
    good = web.configuration.read_text()
    web.configuration.write_text(good.replace("one/current/", "one/versions/0001/"))
    message = kept(web, web.install(issued), serial, "prove")
    where = f"127.0.0.1:{web.port} (one.example)"
    assert message.startswith(
        f"{where} still serves the previous certificate (serial {serial}, one.example), 2 s after"
    )
    assert "after rolling back, the previous certificate is served" in message
    assert f"See whether the service reads {web.host.store}/one/current for that name" in message
    web.configuration.write_text(good)
    finished(web, issued)


def test_an_endpoint_that_serves_something_else(web: Web) -> None:
    """After the rollback too: then that is said."""
    issued = web.issued()
    # The folder of the certificate of another, which an operator has put there.
    other = web.host.store / "two"
    declared = [{"name": "two", "identifiers": ["two.example"]}]
    asked = web.host.module("certificate_request", certificates=declared)["certificates"]
    from tests.support.web import CA

    second = CA.issued(asked[0])
    web.host.module("certificate_install", certificates=declared, issued=[second])
    good = web.configuration.read_text()
    web.configuration.write_text(good.replace(f"{web.host.store}/one/current", f"{other}/current"))
    item = web.install(issued)
    assert (item["stage"], item["rolled_back"]) == ("prove", True)
    served = f"serves another certificate (serial {second['serial']}, two.example), 2 s after the reload"
    assert item["msg"].count(served) == 2
    assert "after rolling back, the previous certificate is not served: 127.0.0.1" in item["msg"]
    web.configuration.write_text(good)
    assert web.install()["deployed"]
    assert web.serves(issued[0]["serial"])


def test_an_endpoint_that_is_down(web: Web) -> None:
    issued = web.issued()
    web.stop()
    item = web.install(issued, reload=[])
    assert (item["failed"], item["stage"], item["rolled_back"]) == (True, "prove", True)
    where = f"127.0.0.1:{web.port} (one.example): Connection refused, 2 s after the reload"
    assert item["msg"].startswith(where)
    assert f"after rolling back, the previous certificate is not served: {where}" in item["msg"]
    assert item["msg"].endswith("See whether the service runs, listens there and speaks TLS.")
    assert web.versions()["current"] == web.versions()["0001"]
    finished(web, issued)  # reload-or-restart starts it


def test_a_run_that_is_killed_between_reload_and_proof(web: Web) -> None:
    issued = web.issued()
    killing = ["/bin/sh", "-c", '"$@" && kill -9 "$PPID"', "sh", *web.reload]
    done = web.process(issued, reload=killing)
    assert done.returncode == -9
    assert done.stdout == ""
    # nginx has it, though nobody has seen that yet.
    assert web.versions()["current"] == issued[0]["serial"]
    assert web.needs() == ["install", "not_deployed"]
    finished(web, issued)


def test_the_proof_goes_through_starttls_when_it_is_declared(web: Web) -> None:
    """nginx speaks TLS from the first byte on, and waits."""
    serial, issued = web.served(), web.issued()
    item = web.install(issued, endpoints=[{"port": web.port, "starttls": "smtp"}], timeout=1)
    assert item["stage"] == "prove"
    assert "no answer within" in item["msg"]
    assert "Does it speak TLS from the first byte on? Then leave starttls out." in item["msg"]
    assert web.versions()["current"] == serial
    finished(web, issued)
