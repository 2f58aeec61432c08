# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What other programs cost in calls to the DNS provider, for one certificate of a few names each, in the same lab.

Only what was measured is printed: each name costs them several calls, and seconds. They are brought into .cache; one
that cannot be had here is left out, and said to be.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tests.benchmarks.interceptor import Interceptor
from tests.lab.api import Lab
from tests.runner import interpreters, venvs
from tests.runner.console import Missing, StepFailed, call
from tests.runner.paths import CACHE, LOGS, environment

#: Names of one certificate.
SIZES = (1, 3)
#: Seconds for one of them; a program that takes longer is not asked for more names.
PATIENCE = 240
ZONES = {"route53": "example.com", "cloud_dns": "example.org"}
CERTBOT = ("certbot==5.8.*", "certbot-dns-route53==5.8.*", "certbot-dns-google==5.8.*")
COMMUNITY = ("ansible==14.*", "boto3", "cryptography")
LEGO = "github.com/go-acme/lego/v4/cmd/lego@v4.9.1"


class Peer(ABC):
    """A program. title: for the table; provider: as in GROUNDS."""

    title: str
    provider: str

    def __init__(self, lab: Lab, log: Path) -> None:
        self.lab = lab
        self.log = log

    @abstractmethod
    def bring(self) -> None:
        """Have it in .cache. Raises StepFailed, Missing."""

    @abstractmethod
    def obtain(self, names: list[str], folder: Path) -> None:
        """A certificate for these names, with nothing in ``folder`` yet. Raises StepFailed."""

    def environment(self, *path: Path, **more: str) -> dict[str, str]:
        """What it runs with: this lab and nothing of the machine's own accounts."""
        access = self.lab.route53
        ca = str(self.lab.acme["ca_path"])
        trusted = dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "AWS_CA_BUNDLE", "LEGO_CA_CERTIFICATES"), ca)
        return {
            **environment(path=list(path)),
            **trusted,
            "AWS_ACCESS_KEY_ID": access["access_key"],
            "AWS_SECRET_ACCESS_KEY": access["secret_key"],
            "AWS_REGION": access["region"],
            "AWS_DEFAULT_REGION": access["region"],
            "AWS_ENDPOINT_URL": access["endpoint_url"],
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_GCE_CHECK": "true",
            **more,
        }

    def google_key(self, folder: Path) -> Path:
        """A key file of a service account, as Google gives it out."""
        account = self.lab.cloud_account(f"peer{time.monotonic_ns()}", universe="googleapis.com")
        path = folder / "google.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(account.key), encoding="utf-8")
        return path

    def calls(self) -> int:
        """API calls since the last one of this."""
        found = [request for request in self.lab.requests(self.provider) if request["kind"] != "token"]
        self.lab.reset_log()
        return len(found)


class CertbotRoute53(Peer):
    """boto3 takes its endpoint from the environment."""

    title = "certbot-dns-route53"
    provider = "route53"

    def bring(self) -> None:
        interpreter, _version = interpreters.best()
        self.venv = venvs.ensure("peer-certbot", interpreter, self.log, packages=CERTBOT)

    def obtain(self, names: list[str], folder: Path) -> None:
        self.run(names, folder, ["--dns-route53"], {})

    def run(self, names: list[str], folder: Path, words: list[str], more: dict[str, str]) -> None:
        argv: list[str | Path] = [
            self.venv.bin("certbot"),
            "certonly",
            "-n",
            "--agree-tos",
            "--register-unsafely-without-email",
        ]
        for kind in ("config", "work", "logs"):
            argv += [f"--{kind}-dir", folder / kind]
        argv += ["--server", self.lab.acme["directory"], *words]
        for name in names:
            argv += ["-d", name]
        call(self.log, argv, env=self.environment(**more), cwd=folder, timeout=PATIENCE)


class CertbotGoogle(CertbotRoute53):
    """Google's library is told of the endpoint by a sitecustomize; the plugin's sleep of a minute is left out."""

    title = "certbot-dns-google"
    provider = "cloud_dns"

    def obtain(self, names: list[str], folder: Path) -> None:
        (folder / "sitecustomize.py").write_text(
            "import googleapiclient.discovery as discovery\n"
            "build = discovery.build\n"
            f"options = {{'api_endpoint': {self.lab.cloud_dns['api_endpoint'] + '/'!r}}}\n"
            "discovery.build = lambda *words, **more: build(*words, client_options=options, **more)\n",
            encoding="utf-8",
        )
        words = ["--dns-google", "--dns-google-credentials", str(self.google_key(folder))]
        words += ["--dns-google-propagation-seconds", "0"]
        self.run(names, folder, words, {"PYTHONPATH": str(folder)})


class LegoRoute53(Peer):
    """It knows no other endpoint: a proxy leads the cloud's names to the lab."""

    title = "lego, route53"
    provider = "route53"
    host = "route53.amazonaws.com"

    def bring(self) -> None:
        found = shutil.which("lego")
        path = CACHE / "bin" / "lego"
        if found is None and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            if not _from_debian(path, self.log):
                _build(path, self.log)
        self.program = Path(found) if found else path

    def obtain(self, names: list[str], folder: Path) -> None:
        self.run("route53", names, folder, self.lab.route53["endpoint_url"], {})

    def run(self, dns: str, names: list[str], folder: Path, target: str, more: dict[str, str]) -> None:
        argv: list[str | Path] = [
            self.program,
            "--accept-tos",
            "--email",
            "operations@example.com",
            "--path",
            folder / "lego",
        ]
        argv += ["--server", self.lab.acme["directory"], "--dns", dns]
        # The servers in the zone's NS set are not of this lab: it cannot ask them, as it would.
        argv += ["--dns.resolvers", self.lab.dns, "--dns.disable-cp"]
        for name in names:
            argv += ["-d", name]
        with Interceptor(self.lab, {self.host: target}, folder) as proxy:
            env = self.environment(HTTPS_PROXY=proxy.url, https_proxy=proxy.url, **more)
            call(self.log, [*argv, "run"], env=env, cwd=folder, timeout=PATIENCE)


class LegoGoogle(LegoRoute53):
    """As with Route53."""

    title = "lego, gcloud"
    provider = "cloud_dns"
    host = "dns.googleapis.com"

    def obtain(self, names: list[str], folder: Path) -> None:
        cloud = self.lab.cloud_dns
        more = {"GCE_PROJECT": cloud["project"], "GCE_SERVICE_ACCOUNT_FILE": str(self.google_key(folder))}
        self.run("gcloud", names, folder, cloud["api_endpoint"], more)


class Community(Peer):
    """The usual play: challenge data from one task, a loop of TXT sets, the certificate, the loop again."""

    title = "community.crypto with amazon.aws.route53"
    provider = "route53"

    def bring(self) -> None:
        interpreter, _version = interpreters.best()
        self.venv = venvs.ensure("peer-community", interpreter, self.log, packages=COMMUNITY)

    def obtain(self, names: list[str], folder: Path) -> None:
        book = folder / "book.json"
        book.write_text(json.dumps(self.play(names, folder)), encoding="utf-8")
        env = self.environment(self.venv.path / "bin", ANSIBLE_LOCALHOST_WARNING="false")
        argv: list[str | Path] = [self.venv.bin("ansible-playbook"), "-i", "localhost,", book]
        call(self.log, argv, env=env, cwd=folder, timeout=PATIENCE)

    def play(self, names: list[str], folder: Path) -> list[dict[str, Any]]:
        key, account, request = (str(folder / name) for name in ("key.pem", "account.pem", "request.pem"))
        order = {
            "account_key_src": account,
            "acme_directory": self.lab.acme["directory"],
            "acme_version": 2,
            "validate_certs": False,
            "terms_agreed": True,
            "challenge": "dns-01",
            "csr": request,
            "fullchain_dest": str(folder / "fullchain.pem"),
        }
        values = {
            "zone": ZONES[self.provider],
            "record": "{{ item.key }}",
            "type": "TXT",
            "ttl": 60,
            "value": "{{ item.value | map('regex_replace', '^(.*)$', '\"\\1\"') | list }}",
            "overwrite": True,
            "wait": True,
        }
        loop = "{{ challenge.challenge_data_dns | dict2items }}"
        tasks: list[dict[str, Any]] = [
            {"community.crypto.openssl_privatekey": {"path": path, "type": "ECC", "curve": "secp256r1"}}
            for path in (key, account)
        ]
        tasks += [
            {
                "community.crypto.openssl_csr": {
                    "path": request,
                    "privatekey_path": key,
                    "subject_alt_name": [f"DNS:{name}" for name in names],
                }
            },
            {"community.crypto.acme_certificate": order, "register": "challenge"},
            {"amazon.aws.route53": {**values, "state": "present"}, "loop": loop},
            {"community.crypto.acme_certificate": {**order, "data": "{{ challenge }}"}},
            {"amazon.aws.route53": {**values, "state": "absent"}, "loop": loop},
        ]
        host = {"hosts": "localhost", "connection": "local", "gather_facts": False}
        python = {"ansible_python_interpreter": str(self.venv.bin("python"))}
        return [{**host, "vars": python, "tasks": tasks}]


PEERS: tuple[type[Peer], ...] = (CertbotRoute53, CertbotGoogle, LegoRoute53, LegoGoogle, Community)


def _from_debian(path: Path, log: Path) -> bool:
    """Unpack Debian's package; nothing is installed. False where there is none."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return False
    with tempfile.TemporaryDirectory(prefix="certfleet-lego-") as folder:
        # apt-get downloads as its own user, who must be able to write here.
        os.chmod(folder, 0o777)
        try:
            call(log, ["apt-get", "download", "lego"], env=environment(), cwd=Path(folder))
            package = next(Path(folder).glob("lego_*.deb"))
            call(log, ["dpkg-deb", "-x", package, folder], env=environment())
        except (StepFailed, StopIteration):
            return False
        shutil.copy2(Path(folder) / "usr" / "bin" / "lego", path)
    return True


def _build(path: Path, log: Path) -> None:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if go is None:
        raise Missing("it is not here, not in this distribution, and there is no Go to build it")
    env = {**environment(), "GOBIN": str(path.parent), "CGO_ENABLED": "0"}
    call(log, [go, "install", LEGO], env=env)


def compare(providers: Collection[str]) -> None:
    """Print what each of them costs."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / "bench-dns-peers.log"
    log.write_text("", encoding="utf-8")
    print(f"other programs, one certificate each (their output: {log})", flush=True)
    with Lab.up(hosts=0, zones=[ZONES["route53"]], cloud_zones=[ZONES["cloud_dns"]]) as lab:
        for kind in PEERS:
            if kind.provider in providers:
                _measure(kind(lab, log))


def _measure(peer: Peer) -> None:
    try:
        peer.bring()
    except (StepFailed, Missing, subprocess.SubprocessError, OSError) as error:
        print(f"  {peer.title:<42} left out: {' '.join(str(error).split())[:200]}", flush=True)
        return
    for size in SIZES:
        names = [f"n{number}.{ZONES[peer.provider]}" for number in range(size)]
        with tempfile.TemporaryDirectory(prefix="certfleet-peer-") as folder:
            peer.calls()
            start = time.monotonic()
            try:
                peer.obtain(names, Path(folder))
            except StepFailed as error:
                print(f"  {peer.title:<42} {size:>3} names: {' '.join(str(error).split())[:90]}...", flush=True)
                return
            took = time.monotonic() - start
        calls = peer.calls()
        words = f"{size:>3} name{'s' if size > 1 else ' '}"
        print(f"  {peer.title:<42} {words} {calls:>5} calls  {calls / size:6.1f} a name  {took:6.1f} s", flush=True)
