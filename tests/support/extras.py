# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One certificate with formats, links and copies, without the modules: what a child process can be killed in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._store import install as installation
from ansible_collections.certfleet.acme.plugins.module_utils._store import request
from ansible_collections.certfleet.acme.plugins.module_utils._store.entry import Store
from ansible_collections.certfleet.acme.plugins.module_utils._store.files import no_step
from ansible_collections.certfleet.acme.plugins.module_utils._store.transaction import Transaction
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from tests.support.small_ca import SmallCA

CA = SmallCA()
PASSPHRASE = "correct-horse-battery"
ALL = ["combined_pem", "pkcs12", "der"]
Step = Callable[[str], None]


class Ground:
    """A store and a directory ``etc`` for links and copies. checks: what the check and reload commands do."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = root / "store"
        self.etc = root / "etc"
        self.etc.mkdir(parents=True, mode=0o755, exist_ok=True)
        self.commands: list[str] = []
        self.failing = ""

    def declared(self, **options: Any) -> dict[str, Any]:
        return {
            "name": "web",
            "identifiers": ["example.com"],
            "key_type": "ecdsa-p256",
            "profile": None,
            "renew_when_remaining": None,
            "force": False,
            "owner": None,
            "group": None,
            "deploy": {"check": ["check"], "reload": ["reload"], "endpoints": None, "timeout": 1},
            **options,
        }

    def full(self, **options: Any) -> dict[str, Any]:
        """With all formats, a link and two copies."""
        return self.declared(
            formats=ALL, pkcs12={"passphrase": PASSPHRASE, "friendly_name": None}, files=self.files(), **options
        )

    def files(self) -> list[dict[str, Any]]:
        return [
            {"path": str(self.etc / "chain.pem"), "source": "fullchain.pem", "kind": "link"},
            {"path": str(self.etc / "haproxy.pem"), "source": "combined.pem", "kind": "copy"},
            {"path": str(self.etc / "leaf.pem"), "source": "cert.pem", "kind": "copy", "mode": "0444"},
        ]

    def ask(
        self, declared: dict[str, Any], *, force: bool = False, check: bool = False, step: Step = no_step
    ) -> dict[str, Any]:
        settings = request.Settings(acme_directory=None, renew=True, force=force, check=check)
        with Store(str(self.store), create=not check, step=step) as store:
            return request.request_one(store, settings, declared)

    def put(
        self,
        declared: dict[str, Any],
        issued: dict[str, Any] | None = None,
        *,
        activate: bool = True,
        check: bool = False,
        step: Step = no_step,
        back: bool = False,
        versions: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        def command(argv: Any) -> None:
            try:
                step(argv[0])
            except OSError as error:
                raise CertfleetError(str(error)) from error
            self.commands.append(argv[0])
            if argv[0] == self.failing:
                raise CertfleetError(f"{argv[0]} failed")

        settings = installation.Settings(
            activate=activate,
            keep=2,
            check=check,
            transaction=Transaction(command=command),
            step=step,
            back=back,
            versions=versions or {},
        )
        (result,) = installation.install(str(self.store), [declared], [issued] if issued else [], settings)
        return result

    def start(self, declared: dict[str, Any]) -> dict[str, Any]:
        """Issue and install it; the result."""
        done = self.put(declared, self.new(declared))
        assert not done["failed"], done
        self.commands.clear()
        return done

    def new(self, declared: dict[str, Any]) -> dict[str, Any]:
        """A certificate that was issued for it and is not installed yet."""
        return CA.issued(self.ask(declared, force=self.store.exists()))

    @property
    def current(self) -> Path:
        return self.store / "web" / "current"

    def reasons(self, declared: dict[str, Any]) -> list[str]:
        return [reason["code"] for reason in self.ask(declared)["reasons"]]

    def whole(self, passphrase: str = PASSPHRASE) -> bool:
        """Whether all formats of the active version are of its key and chain."""
        folder = self.current
        key, chain = (folder / "privkey.pem").read_bytes(), (folder / "fullchain.pem").read_bytes()
        if (folder / "combined.pem").read_bytes() != key + chain:
            return False
        loaded = pkcs12.load_pkcs12((folder / "keystore.p12").read_bytes(), passphrase.encode())
        der = serialization.Encoding.DER
        private = (der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        wanted = serialization.load_pem_private_key(key, None).private_bytes(*private)
        assert loaded.key is not None
        assert loaded.cert is not None
        return bool(
            (folder / "privkey.der").read_bytes() == wanted == loaded.key.private_bytes(*private)
            and (folder / "cert.der").read_bytes() == loaded.cert.certificate.public_bytes(der)
            and chain.startswith(loaded.cert.certificate.public_bytes(serialization.Encoding.PEM))
        )

    def outputs_right(self) -> bool:
        return bool(
            (self.etc / "chain.pem").is_symlink()
            and (self.etc / "chain.pem").readlink() == self.current / "fullchain.pem"
            and (self.etc / "haproxy.pem").read_bytes() == (self.current / "combined.pem").read_bytes()
            and (self.etc / "leaf.pem").read_bytes() == (self.current / "cert.pem").read_bytes()
        )

    def leftovers(self) -> list[str]:
        return [str(path) for path in self.root.rglob(".*")]
