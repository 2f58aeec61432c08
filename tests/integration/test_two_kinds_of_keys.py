# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An endpoint that has an RSA and an ECDSA certificate for one name, as web servers may."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils import _x509
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._store import keys
from ansible_collections.certfleet.acme.plugins.module_utils._tls.proof import prove

from tests.support.small_ca import SmallCA

CA = SmallCA()
KINDS = ("ecdsa-p256", "rsa-2048")


def chain(folder: Path, kind: str) -> str:
    """Make a key and a certificate; returns the SHA-256 of the leaf."""
    key = keys.generate(kind)
    text = CA.chain_for(keys.make_csr(key, ["web.example"]))
    (folder / f"{kind}.pem").write_bytes(keys.to_pem(key) + text.encode())
    return str(_x509.certificate_facts(_x509.load_chain(text)[0])["fingerprint_sha256"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Its port, and the leaf that it has of each kind."""
    leaves = {kind: chain(tmp_path, kind) for kind in KINDS}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for kind in KINDS:
        context.load_cert_chain(tmp_path / f"{kind}.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            try:
                with connection, context.wrap_socket(connection, server_side=True) as tls:
                    tls.settimeout(5)
                    tls.recv(1)
            except OSError:
                continue

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1], leaves
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_proven(server: tuple[int, dict[str, str]], kind: str) -> None:
    port, leaves = server
    prove("127.0.0.1", port, "web.example", leaves[kind], timeout=5, key_type=kind)


def test_one_that_is_not_served_is_not_proven(server: tuple[int, dict[str, str]], tmp_path: Path) -> None:
    port, _leaves = server
    for kind in KINDS:
        with pytest.raises(CertfleetError, match="serves another certificate"):
            prove("127.0.0.1", port, "web.example", chain(tmp_path, kind), timeout=5, key_type=kind, once=True)
