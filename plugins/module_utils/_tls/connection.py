# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One handshake with a TLS endpoint, bounded in time and in bytes."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .. import _x509
from .._errors import CertfleetError
from .starttls import begin
from .wire import Timeout, Wire

#: Bytes that a server may send before TLS begins, and in the handshake. OpenSSL takes chains of 100 KiB.
_MAX_PLAIN = 64 * 1024
_MAX_HANDSHAKE = 512 * 1024
#: What OpenSSL calls an answer that is not TLS's, the newer name last.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
#: OpenSSL's names for the ciphers that authenticate by such a key (RFC 5246 section 7.4.2).
_CIPHERS = {"rsa": "aRSA", "ecdsa": "aECDSA"}
_PLAIN_FIRST = "Does it begin in plain text, as mail servers do? Then say so with starttls."


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


def handshake(
    host: str,
    port: int,
    server_name: str | None,
    *,
    timeout: float,
    starttls: str | None = None,
    key_family: str | None = None,
) -> Served:
    """Connect and shake hands. Nothing is verified: the question is what is served, not whether to trust it.

    server_name: for SNI (RFC 6066 section 3), None sends none. timeout: seconds for all of it. starttls: a protocol of
    starttls.PROTOCOLS that goes over to TLS on the same connection; None for TLS from the first byte on.
    key_family: ``rsa`` or ``ecdsa`` to accept certificates with such a key only, which takes TLS 1.2: in TLS 1.3 it
    is not a matter of ciphers, and the ssl module cannot choose signatures. Raises CertfleetError.
    """
    where = endpoint_text(host, port, server_name)
    try:
        with Wire(host, port, deadline=time.monotonic() + timeout, limit=_MAX_PLAIN) as wire:
            if starttls:
                begin(starttls, wire)
            wire.renew_limit(_MAX_HANDSHAKE)
            return _shake(wire, server_name, key_family)
    except socket.gaierror as error:
        raise CertfleetError(f"{where}: the name cannot be resolved: {error.strerror}") from error
    except Timeout as error:
        raise CertfleetError(f"{where}: no answer within {timeout:.0f} s", remedy=str(error)) from error
    except ssl.SSLError as error:
        remedy = _PLAIN_FIRST if starttls is None and error.reason in _NO_TLS else ""
        raise CertfleetError(f"{where}: the TLS handshake failed: {error.reason or error}", remedy=remedy) from error
    except CertfleetError as error:
        raise CertfleetError(f"{where}: {error.message}", remedy=error.remedy) from error
    except OSError as error:
        raise CertfleetError(f"{where}: {error.strerror or error}") from error
    except ValueError as error:  # a server name that cannot be sent
        raise CertfleetError(f"{where}: {error}") from error


def _shake(wire: Wire, server_name: str | None, key_family: str | None) -> Served:
    """In memory, since ssl.SSLSocket begins to wait anew with each byte that comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if key_family:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS[key_family])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=server_name)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            wire.send(outgoing.read())
            data = wire.receive()
            if data:
                incoming.write(data)
            else:
                incoming.write_eof()
        except ssl.SSLError:
            with suppress(OSError, Timeout):
                wire.send(outgoing.read())  # the alert that tells the server why
            raise
    leaf = tls.getpeercert(binary_form=True)
    with suppress(OSError, Timeout):
        with suppress(ssl.SSLError):
            tls.unwrap()  # only says that it is over: nobody waits for the answer
        wire.send(outgoing.read())
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
