# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tree as certbot 5.8 leaves it: links, modes, README files, renewal configurations, several versions."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.support.small_ca import DIRECTORY, SmallCA, pem

KINDS = ("cert", "privkey", "chain", "fullchain")
_README = "This directory contains your keys and certificates.\n"


def make_key(kind: str) -> Any:
    if kind.startswith("rsa-"):
        return rsa.generate_private_key(65537, int(kind[4:]))
    return ec.generate_private_key({"p384": ec.SECP384R1(), "p521": ec.SECP521R1()}.get(kind[6:], ec.SECP256R1()))


def key_pem(key: Any) -> bytes:
    content: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return content


class CertbotTree:
    """root: certbot's directory. server: the CA that its configurations name."""

    def __init__(self, root: Path, ca: SmallCA, server: str = DIRECTORY) -> None:
        self.root = root
        self.ca = ca
        self.server = server
        for name in ("accounts", "archive", "live", "renewal", "renewal-hooks"):
            (root / name).mkdir(parents=True, mode=0o755 if name == "renewal-hooks" else 0o700)
        (root / "live" / "README").write_text(_README)

    def live(self, name: str) -> Path:
        return self.root / "live" / name

    def lineage(
        self,
        name: str,
        names: Sequence[str],
        *,
        versions: int = 1,
        key_type: str = "ecdsa-p256",
        reuse_key: bool = False,
        more: str = "",
        **options: Any,
    ) -> Path:
        """A lineage whose newest version is live; returns its directory below live/.

        reuse_key: as with --reuse-key, the archive's later keys are links to the first. more: lines of renewalparams.
        options: as for SmallCA.sign().
        """
        live, archive = self.live(name), self.root / "archive" / name
        live.mkdir(mode=0o755)
        archive.mkdir(mode=0o755)
        key = make_key(key_type)
        for number in range(1, versions + 1):
            private = archive / f"privkey{number}.pem"
            if number > 1 and reuse_key:
                private.symlink_to("privkey1.pem")
            else:
                key = make_key(key_type) if number > 1 else key
                private.touch(mode=0o600)
                private.write_bytes(key_pem(key))
            leaf = pem(self.ca.sign(key.public_key(), names, **options))
            chain = pem(self.ca.intermediate)
            for kind, text in (("cert", leaf), ("chain", chain), ("fullchain", leaf + chain)):
                (archive / f"{kind}{number}.pem").write_text(text)
        for kind in KINDS:
            (live / f"{kind}.pem").symlink_to(f"../../archive/{name}/{kind}{versions}.pem")
        (live / "README").write_text(_README)
        lines = ["# renew_before_expiry = 30 days", "version = 5.8.0", f"archive_dir = {archive}"]
        lines += [f"{kind} = {live}/{kind}.pem" for kind in KINDS]
        lines += ["", "# Options used in the renewal process", "[renewalparams]", "account = 0123456789abcdef"]
        lines += ["authenticator = webroot", f"webroot_path = {self.root},", f"server = {self.server}"]
        lines += [f"key_type = {'rsa' if key_type.startswith('rsa') else 'ecdsa'}", *([more] if more else [])]
        lines += ["[[webroot_map]]", *(f"{name} = {self.root}" for name in names)]
        lines += ["[acme_renewal_info]", "ari_retry_after = 2026-11-23T07:00:00"]
        (self.root / "renewal" / f"{name}.conf").write_text("\n".join(lines) + "\n")
        return live

    def snapshot(self) -> dict[str, tuple[Any, ...]]:
        """All of it: inode, mode, owner, when it was changed, content or target."""
        found: dict[str, tuple[Any, ...]] = {}
        for path in [self.root, *sorted(self.root.rglob("*"))]:
            status = path.lstat()
            content: Any = os.readlink(path) if path.is_symlink() else None
            if stat.S_ISREG(status.st_mode):
                content = path.read_bytes()
            facts = (status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, content)
            found[str(path)] = facts
        return found
