# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.host import Host, only
from tests.support.small_ca import SmallCA
from tests.support.tls_server import TlsServer

CA = SmallCA()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.fixture
def server(host: Host) -> Iterator[TlsServer]:
    """Serves ``one.example`` and ``two.example``."""
    server = TlsServer()
    declared = [{"name": name, "identifiers": [f"{name}.example"]} for name in ("one", "two")]
    asked = host.module("certificate_request", certificates=declared)["certificates"]
    declared[0]["deploy"] = {"reload": server.reload}  # type: ignore[assignment]
    server.directories = {f"{name}.example": host.store / name / "current" for name in ("two", "one")}
    host.module("certificate_install", certificates=declared[1:], issued=[CA.issued(asked[1])])
    host.module("certificate_install", certificates=declared[:1], issued=[CA.issued(asked[0])])
    yield server
    server.close()


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def plain() -> Iterator[int]:
    """The port of a server that does not speak TLS."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"220 mail.example ready\r\n")
                connection.recv(1000)

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def endpoint(port: int, name: str | None = None, **more: Any) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port, "server_name": name, **more}


def test_each_name_is_served_its_own_certificate(host: Host, server: TlsServer) -> None:
    store = {item["name"]: item for item in host.module("certificate_info")["certificates"]}
    for check in (False, True):
        endpoints = [endpoint(server.port, "one.example"), endpoint(server.port, "two.example")]
        result = host.module("tls_endpoint_info", endpoints=endpoints, check=check)
        assert not result["changed"]
        for name, item in zip(("one", "two"), result["endpoints"]):
            facts = ("serial", "fingerprint_sha256", "public_key_sha256", "not_before", "not_after", "identifiers")
            assert [item[fact] for fact in facts] == [store[name][fact] for fact in facts]
            assert item["certificate"] == store[name]["certificate"]
            assert item["name"] == f"127.0.0.1:{server.port} ({name}.example)"
            assert item["protocol"] == "TLSv1.3"
            assert item["cipher"].startswith("TLS_")
            if sys.version_info >= (3, 13):
                assert "".join(item["chain"]) == (host.store / name / "current" / "fullchain.pem").read_text()


def test_each_failure_is_one_line_beside_the_others(host: Host, server: TlsServer, silent: int, plain: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        free = closed.getsockname()[1]
    endpoints = [
        endpoint(server.port, "one.example"),
        endpoint(free),
        endpoint(silent, "x.example", timeout=1),
        endpoint(plain),
        endpoint(server.port, "unknown.example"),
        {"host": "no-such-host.invalid", "port": 443},
        endpoint(server.port, "one.example", timeout=-1),
    ]
    result = host.module("tls_endpoint_info", endpoints=endpoints, item_failures="report")
    good, *bad = result["endpoints"]
    assert not good["failed"]
    assert [item["failed"] for item in bad] == [True] * 6
    words = [
        f"127.0.0.1:{free}: Connection refused",
        f"127.0.0.1:{silent} (x.example): no answer within 1 s",
        f"127.0.0.1:{plain}: the TLS handshake failed: WRONG_VERSION_NUMBER",
        f"127.0.0.1:{server.port} (unknown.example): the TLS handshake failed: TLSV1_UNRECOGNIZED_NAME",
        "no-such-host.invalid:443: the name cannot be resolved",
        "timeout is -1",
    ]
    for item, expected in zip(bad, words):
        # The library has changed the wording of one of them.
        message = item["msg"].replace("RECORD_LAYER_FAILURE", "WRONG_VERSION_NUMBER")
        assert message.startswith(expected)
        assert "\n" not in message
        assert item["serial"] is None
    failing = host.module("tls_endpoint_info", endpoints=endpoints[:2])
    assert failing["failed"]
    assert failing["msg"].startswith("1 of 2 endpoints failed: ")
    assert failing["endpoints"][0]["serial"] == good["serial"]


def test_slow_endpoints_are_waited_for_at_the_same_time(host: Host) -> None:
    """Each of them answers only when all of them are connected to."""
    count = 6
    barrier = threading.Barrier(count)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for _connection in range(count):
            threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        barrier.wait(timeout=20)
        connection.close()

    threading.Thread(target=serve, daemon=True).start()
    port = listener.getsockname()[1]
    result = host.module(
        "tls_endpoint_info", endpoints=[endpoint(port)] * count, concurrency=count, timeout=30, item_failures="report"
    )
    listener.close()
    assert not barrier.broken
    assert all("within" not in item["msg"] for item in result["endpoints"])


def test_an_address_is_no_server_name(host: Host, server: TlsServer) -> None:
    item = only(
        host.module(
            "tls_endpoint_info", endpoints=[{"host": "127.0.0.1", "port": server.port}], item_failures="report"
        ),
        "endpoints",
    )
    assert item["server_name"] is None
    assert item["name"] == f"127.0.0.1:{server.port}"
