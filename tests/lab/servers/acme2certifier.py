# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""acme2certifier under gunicorn with TLS, its CA self-signed, its database SQLite: all of it from PyPI."""

from __future__ import annotations

import importlib
import json
import threading
from pathlib import Path
from typing import Any

from ..ports import LOOPBACK
from ..processes import own_command, start
from ..requestlog import RequestLog, acme2certifier_kind, wsgi_middleware
from ..state import State, read_json, write_json, write_text
from ..tls import Pair

NAME = "acme2certifier"
CERTIFICATE_DAYS = 90
PROFILES = {"default": "https://localhost/profiles/default", "shortlived": "https://localhost/profiles/shortlived"}

CONFIGURATION = """\
[DEFAULT]
debug: False

[Nonce]
nonce_check_disable: False

[DBhandler]
handler: wsgi
dbfile: {folder}/acme.db

[Account]
contact_check_disable: True

[CAhandler]
handler_module: acme2certifier.cahandlers.openssl_ca_handler
issuing_ca_key: {folder}/ca.key
issuing_ca_cert: {folder}/ca.pem
issuing_ca_crl: {folder}/ca.crl
cert_save_path: {folder}/issued
cert_validity_days: {days}
blocked_domainlist: {blocked}

[Certificate]
revocation_reason_check_disable: False

[Challenge]
dns_server_list: ["{address}"]
dns_validation_pause_timer: 0

[Order]
allowed_domainlist: {allowed}
identifier_limit: 100
profiles: {profiles}

[Renewalinfo]
renewal_force: {renewal_force}
"""

EAB_CONFIGURATION = """
[EABhandler]
eab_handler_module: acme2certifier.eabhandlers.json_handler
key_file: {folder}/eab.json
"""


def crl_path(state: State) -> Path:
    """The CA's revocation list; there is none before the first revocation."""
    return state.root / NAME / "ca.crl"


def launch(
    state: State,
    *,
    port: int,
    dns: str,
    listener: tuple[Path, Path],
    issuer: Pair,
    allowed: list[str],
    refused_at_finalize: list[str],
    renewal_force: bool = False,
    external_accounts: dict[str, str] | None = None,
) -> str:
    """Write the configuration and start the server.

    :param dns: address and port of the name server it validates with.
    :param listener: certificate and key of its HTTPS port.
    :param issuer: the CA that signs; self-signed, else the server's CRLs are wrong.
    :param allowed: domains whose names are taken at newOrder, others are refused there (rejectedIdentifier).
    :param refused_at_finalize: names refused when the order is finalized (badCSR).
    :param renewal_force: suggest windows of renewal that begin in the past.
    :param external_accounts: key identifiers and MAC keys (base64url), one of which a new account must be bound to.
    :returns: the URL of the directory.
    """
    folder = state.folder(NAME)
    (folder / "issued").mkdir()
    issuer.write(folder / "ca.pem", folder / "ca.key")
    address, _colon, dns_port = dns.rpartition(":")
    patterns = [pattern for domain in allowed for pattern in (domain, f"*.{domain}")]
    blocked = ["^([*][.])?" + name.replace(".", "[.]") + "$" for name in refused_at_finalize]
    write_text(
        folder / "acme_srv.cfg",
        CONFIGURATION.format(
            folder=folder,
            days=CERTIFICATE_DAYS,
            blocked=json.dumps(blocked),
            address=address,
            allowed=json.dumps(patterns),
            profiles=json.dumps(PROFILES),
            renewal_force=renewal_force,
        )
        + (EAB_CONFIGURATION.format(folder=folder) if external_accounts else ""),
    )
    if external_accounts:
        write_json(folder / "eab.json", external_accounts)
    write_json(
        state.settings(NAME),
        {"port": port, "certfile": str(listener[0]), "keyfile": str(listener[1]), "dns_port": int(dns_port)},
    )
    environment = {"ACME_SRV_CONFIGFILE": str(folder / "acme_srv.cfg")}
    start(state, NAME, own_command("serve", NAME, str(state.root)), environment)
    return f"https://{LOOPBACK}:{port}/directory"


def _one_revocation_at_a_time(application: Any) -> Any:
    """acme2certifier reads its revocation list, adds to it and writes it anew without a lock: of two revocations at
    the same time it would lose one."""
    lock = threading.Lock()

    def serialised(environ: dict[str, Any], start_response: Any) -> Any:
        if acme2certifier_kind(environ["REQUEST_METHOD"], environ["PATH_INFO"]) != "revokeCert":
            return application(environ, start_response)
        with lock:
            return application(environ, start_response)

    return serialised


def serve(state: State) -> None:
    """Run the server in this process, one worker with threads."""
    import dns.resolver
    from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped,import-not-found,unused-ignore]

    settings = read_json(state.settings(NAME))
    original_reset = dns.resolver.BaseResolver.reset

    def reset_with_port(resolver: Any) -> None:
        # acme2certifier takes a resolver's address only; each resolver it makes starts from this default.
        original_reset(resolver)
        resolver.port = settings["dns_port"]

    class Server(BaseApplication):  # type: ignore[misc,unused-ignore]
        def load_config(self) -> None:
            for key, value in {
                "bind": [f"{LOOPBACK}:{settings['port']}"],
                "certfile": settings["certfile"],
                "keyfile": settings["keyfile"],
                "worker_class": "gthread",
                "workers": 1,
                "threads": 16,
                "keepalive": 75,
                "timeout": 60,
                "graceful_timeout": 1,
                "proc_name": "certfleet-lab",
                "control_socket_disable": True,
            }.items():
                self.cfg.set(key, value)

        def load(self) -> Any:
            dns.resolver.BaseResolver.reset = reset_with_port  # type: ignore[method-assign,assignment]
            module = importlib.import_module("acme2certifier.share.acme2certifier_wsgi")

            application = _one_revocation_at_a_time(module.application)
            return wsgi_middleware(application, RequestLog(state.requests(NAME), acme2certifier_kind))

    Server().run()
