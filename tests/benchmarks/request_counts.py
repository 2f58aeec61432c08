# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many requests certificates cost, counted by the servers of the lab.

    python -m tests.benchmarks.request_counts [--ca CA ...] [--dns EMULATOR ...]

prints for each CA and emulator the requests of one certificate with one name, and of a batch of 100, both with an
account that exists. The last line is JSON: the highest ``acme_one``, ``acme_each_of_100`` (constant part included) and
``route53_100`` of all pairs. Exits with 1 when one is above its bound.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.fleet import playbook
from tests.lab.api import AUTHORITIES, Lab

EMULATORS = ("ministack", "moto")
#: The CAs that the bounds hold for; others validate in their own time and are asked more often.
BOUNDED = ("acme2certifier", "pebble")
#: Directory, nonce and account look-up included.
BOUNDS = {"acme_one": 9.0, "acme_each_of_100": 6.1, "route53_100": 6.0}


def csr(name: str) -> str:
    """A CSR in PEM for one name."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
    request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def obtain(lab: Lab, work: Path, names: list[str]) -> tuple[Counter[str], Counter[str]]:
    """Obtain one certificate for each name in one call; the requests that the CA and Route53 got.

    Raises AssertionError when a certificate did not come.
    """
    options: dict[str, Any] = {
        "acme_directory": lab.acme["directory"],
        "ca_path": lab.acme["ca_path"],
        "account_key_src": str(work / "account.key"),
        "dns_providers": [
            {
                "provider": "route53",
                "route53": {key: lab.route53[key] for key in ("endpoint_url", "access_key", "secret_key", "region")},
            }
        ],
        "dns_resolvers": [lab.dns],
        "certificates": [{"name": name, "csr_content": csr(name)} for name in names],
    }
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [{"certfleet.acme.acme_certificate": options}],
    }
    book = work / "book.json"
    book.touch(mode=0o600)
    book.write_text(json.dumps([play]), encoding="utf-8")
    lab.reset_log()
    done = playbook(book, lab.state.inventory, work)
    results = done.of("acme_certificate")[0]["result"]["certificates"]
    assert [result["identifiers"] for result in results] == [[name] for name in names]
    return lab.counts("acme"), lab.counts("route53")


def register(lab: Lab, work: Path) -> None:
    """Make the account that the certificates are ordered by."""
    playbook(
        "certfleet.acme.account",
        lab.state.inventory,
        work,
        variables={"certfleet_account_key_src": str(work / "account.key")},
    )


def show(what: str, counts: Counter[str]) -> None:
    """One line for people."""
    kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(counts.items()))
    print(f"  {what:<42} {counts.total():>4}   {kinds}", flush=True)


def measure(ca: str, dns: str) -> dict[str, float]:
    """The figures of one pair."""
    with tempfile.TemporaryDirectory(prefix="certfleet-bench-") as folder, Lab.up(ca=ca, dns_provider=dns) as lab:
        work = Path(folder)
        register(lab, work)
        print(f"{ca} with {dns}", flush=True)
        acme_one, route53_one = obtain(lab, work, ["one.example.com"])
        show("1 certificate, ACME requests", acme_one)
        show("1 certificate, Route53 calls", route53_one)
        acme_many, route53_many = obtain(lab, work, [f"n{number}.example.com" for number in range(100)])
        show("100 certificates of one zone, ACME requests", acme_many)
        show("100 certificates of one zone, Route53 calls", route53_many)
        assert lab.all_txt() == {}, "values were left behind"
    return {
        "acme_one": acme_one.total(),
        "acme_each_of_100": acme_many.total() / 100,
        "route53_100": route53_many.total(),
    }


def main() -> int:
    """Measure all pairs that are asked for."""
    parser = argparse.ArgumentParser(description="Count the requests that certificates cost.")
    parser.add_argument("--ca", nargs="+", choices=AUTHORITIES, default=list(BOUNDED))
    parser.add_argument("--dns", nargs="+", choices=EMULATORS, default=list(EMULATORS))
    arguments = parser.parse_args()
    figures = [measure(ca, dns) for ca in arguments.ca for dns in arguments.dns]
    highest = {name: max(figure[name] for figure in figures) for name in BOUNDS}
    above = [name for name, bound in BOUNDS.items() if highest[name] > bound]
    for name in above:
        print(f"{name} is {highest[name]:g}, above its bound of {BOUNDS[name]:g}", file=sys.stderr)
    print(json.dumps(highest))
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
