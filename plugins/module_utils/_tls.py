# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a TLS endpoint really serves, seen by a handshake. Standard library, and _x509 to read certificates."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import _x509
from ._errors import CertfleetError

#: Seconds that one handshake of a proof may take, and between two of them.
_ATTEMPT = 5.0
_PAUSE = 0.1
_LONGEST_PAUSE = 1.0


@dataclass(frozen=True)
class Served:
    """leaf: DER. chain: PEM of what the server sent, the leaf first; None before Python 3.13, which cannot tell."""

    leaf: bytes
    chain: list[str] | None
    protocol: str
    cipher: str

    def facts(self) -> dict[str, Any]:
        """As _x509.certificate_facts()."""
        return _x509.certificate_facts(_x509.load_chain(self.leaf_pem())[0])

    def leaf_pem(self) -> str:
        return ssl.DER_cert_to_PEM_cert(self.leaf)


def handshake(host: str, port: int, server_name: str | None, *, timeout: float) -> Served:
    """Connect and shake hands. Nothing is verified: the question is what is served, not whether to trust it.

    server_name: for SNI (RFC 6066 section 3), None sends none. timeout: seconds. Raises CertfleetError.
    """
    where = endpoint_text(host, port, server_name)
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            return _shake(connection, server_name)
    except socket.gaierror as error:
        raise CertfleetError(f"{where}: the name cannot be resolved: {error.strerror}") from error
    except (socket.timeout, TimeoutError) as error:  # two classes before Python 3.10
        raise CertfleetError(f"{where}: no answer within {timeout:.0f} s") from error
    except ssl.SSLError as error:
        raise CertfleetError(f"{where}: the TLS handshake failed: {error.reason or error}") from error
    except OSError as error:
        raise CertfleetError(f"{where}: {error.strerror or error}") from error
    except ValueError as error:  # a server name that cannot be sent
        raise CertfleetError(f"{where}: {error}") from error


def _shake(connection: socket.socket, server_name: str | None) -> Served:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(connection, server_hostname=server_name) as tls:
        leaf = tls.getpeercert(binary_form=True)
        if not leaf:
            raise CertfleetError("the server sent no certificate")
        chain: list[str] | None = None
        if hasattr(tls, "get_unverified_chain"):  # Python 3.13
            chain = [ssl.DER_cert_to_PEM_cert(der) for der in tls.get_unverified_chain()]
        cipher = tls.cipher()
        return Served(leaf, chain, tls.version() or "", cipher[0] if cipher else "")


def endpoint_text(host: str, port: int, server_name: str | None) -> str:
    """The endpoint as messages name it."""
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{shown} ({server_name})" if server_name and server_name != host else shown


def prove(
    host: str,
    port: int,
    server_name: str | None,
    fingerprint: str,
    *,
    timeout: float,
    once: bool = False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    shake: Callable[..., Served] = handshake,
) -> None:
    """Return when the endpoint serves the leaf with this SHA-256 fingerprint; asks again until ``timeout`` seconds are
    over, then raises CertfleetError that says what it serves instead. once: asks one time only."""
    deadline = clock() + timeout
    pause = _PAUSE
    while True:
        left = max(deadline - clock(), 0.1)
        try:
            facts = shake(host, port, server_name, timeout=min(_ATTEMPT, left)).facts()
            if facts["fingerprint_sha256"] == fingerprint:
                return
            problem = (
                f"{endpoint_text(host, port, server_name)} serves another certificate (serial {facts['serial']}, "
                f"{', '.join(facts['identifiers']) or facts['subject']})"
            )
        except CertfleetError as error:
            problem = str(error)
        if once or clock() + pause >= deadline:
            raise CertfleetError(f"{problem}, {timeout:.0f} s after the reload")
        sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
