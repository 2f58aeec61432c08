# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running the modules of the issuance plane against a lab."""

from __future__ import annotations

import importlib
import io
import ipaddress
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.lab.api import Lab

MODULES = "ansible_collections.certfleet.acme.plugins.modules"


class Controller:
    """Where the account key is. root: a directory of the test's own; the account is the test's own too."""

    def __init__(self, lab: Lab, root: Path) -> None:
        self.lab = lab
        self.key = root / "account.pem"
        self.root = root

    def ca(self, **options: Any) -> dict[str, Any]:
        """Options of everything that talks to the CA."""
        account: dict[str, Any] = {"account_key_src": str(self.key)}
        if {"account_key_content", "private_key_content", "private_key_src"} & options.keys():
            account = {}
        found = {"acme_directory": self.lab.acme["directory"], "ca_path": self.lab.acme["ca_path"], "timeout": 60}
        return {**found, **account, **options}

    def dns(self) -> dict[str, Any]:
        """Options of everything that writes TXT values as part of more."""
        return {"dns_providers": self.lab.dns_providers, "dns_resolvers": [self.lab.dns]}

    def account(self, **options: Any) -> dict[str, Any]:
        """The account, made when it is not there; the lab's log is empty after that."""
        made = self.module("acme_account", **self.ca(terms_agreed=True, generate_account_key=True, **options))
        assert not made.get("failed"), made
        self.lab.reset_log()
        return made

    def issue(self, certificates: list[dict[str, Any]], *, check: bool = False, **options: Any) -> dict[str, Any]:
        """What acme_certificate returns."""
        merged = {**self.ca(), **self.dns(), "certificates": certificates, **options}
        return self.module("acme_certificate", check=check, **merged)

    def module(self, name: str, *, check: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
        """What the module returns, run in this process: a process for each call is most of what it would cost."""
        arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": diff}
        module = importlib.import_module(f"{MODULES}.{name}")
        output = io.StringIO()
        with patch_module_args(arguments), redirect_stdout(output), pytest.raises(SystemExit) as end:
            module.main()
        result: dict[str, Any] = json.loads(output.getvalue())
        assert end.value.code == (1 if result.get("failed") else 0)
        assert "\n" not in result.get("msg", "")
        assert "PRIVATE KEY" not in json.dumps({**result, "invocation": None})
        return result

    def start(self, name: str, **options: Any) -> subprocess.Popen[str]:
        """The module as a process of its own, as Ansible runs it."""
        path = self.root / "arguments.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
        command = [sys.executable, "-m", f"{MODULES}.{name}", str(path)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))


def make_key(kind: str = "ecdsa-p256") -> Any:
    """A private key."""
    if kind.startswith("rsa-"):
        return rsa.generate_private_key(65537, int(kind[4:]))
    return ec.generate_private_key(ec.SECP384R1() if kind == "ecdsa-p384" else ec.SECP256R1())


def key_pem(key: Any, passphrase: str | None = None) -> str:
    """A private key in PEM."""
    encryption: Any = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    pem: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return pem.decode()


def make_csr(*names: str, key: Any = None, ips: Sequence[str] = ()) -> str:
    """A CSR in PEM for DNS names and IP addresses."""
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in ips]
    extension = x509.SubjectAlternativeName([*(x509.DNSName(name) for name in names), *addresses])
    builder = x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(extension, critical=False)
    signed = builder.sign(key or make_key(), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def item(name: str, *names: str, **more: Any) -> dict[str, Any]:
    """An item of acme_certificate for some names."""
    return {"name": name, "csr_content": make_csr(*names), **more}
