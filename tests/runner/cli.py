# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The targets of the Makefile."""

from __future__ import annotations

import sys

from tests.runner.checks import Checks, clean
from tests.runner.console import Console, Missing, StepFailed, call
from tests.runner.paths import LINKED, ROOT, environment

HELP = """\
make demo         the lab and the whole life of a certificate in it; KEEP=1 leaves the lab up
make test         everything below, as an automated build runs it
make lint         ruff, mypy, ansible-lint, changelog and documentation
make sanity       ansible-test sanity
make units        tests that need no server
make integration  tests in the lab: real ACME servers, Route53 emulators, nginx
make thorough     the tests that make test leaves out: longer ways to what shorter ones show too
make matrix       the installed collection on the oldest and the newest ansible-core
make test-providers  the tests that touch DNS, all of them with each provider; PROVIDER=NAME: with that one
make molecule     the Molecule scenarios of extensions/molecule; SCENARIO=NAME: that one
make build        the artifact, in .cache/build
make bench        how many requests a certificate costs, one by one and in a batch of 100, counted by the servers
make race         eight writers in one DNS zone of each provider: no value may be lost; WRITE=upsert must lose some
make bench-dns    how many API calls 1,000 and 10,000 TXT values cost, beside other programs; PEERS=0 leaves those out
                  (for both, PROVIDER=route53 or PROVIDER=cloud_dns chooses one)
make noop         what a run costs that finds nothing to do; HOSTS=50 CERTIFICATES=20
make interop      what of the protocol works with which CA, on four real ones; writes docs/interop.md
make worst        50 certificates from Pebble at its worst, then each endpoint failing in each way in turn
make fleet        sshd hosts with nginx, HAProxy, Apache, Postfix, Dovecot, rotated while a client watches; needs root
make changelog    CHANGELOG.rst from changelogs/
make clean        remove .cache and all that was brought there
Without make: python3 tests/runner TARGET
"""


TESTS = ("test", "lint", "sanity", "units", "integration", "thorough", "matrix", "build", "test-providers")
#: Programs that say by themselves how it went.
PROGRAMS = {
    "bench": "tests.benchmarks.request_counts",
    "race": "tests.benchmarks.race",
    "worst": "tests.benchmarks.worst",
    "bench-dns": "tests.benchmarks.dns_calls",
    "noop": "tests.benchmarks.noop",
    "interop": "tests.interop",
}


def main(words: list[str]) -> int:
    """Run one target; returns the exit code."""
    target = words[0] if words else "help"
    try:
        return _run(target, words[1:])
    except (Missing, StepFailed) as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr, flush=True)
        return 130


def _run(target: str, rest: list[str]) -> int:
    if target == "help":
        print(HELP, end="")
        return 0
    if target == "clean":
        clean()
        return 0
    if target == "demo":
        from tests.runner import demo

        return demo.main()
    checks = Checks(Console())
    if target in PROGRAMS:
        if target == "interop":
            checks.provide_cas(build=True)
        return checks.program(PROGRAMS[target])
    if target == "fleet":
        return checks.fleet()
    if target == "changelog":
        # Fragments stay until the release is out, and each call writes the release anew from them.
        env = environment(collections=LINKED, path=[checks.tools.path / "bin"])
        refresh = ["--update-existing", "--refresh-fragments", "--refresh-plugins", "--reload-plugins"]
        words = ["antsibull-changelog", "release", *refresh]
        checks.console.step("CHANGELOG.rst", lambda log: call(log, words, env=env, cwd=ROOT) and None)
        return checks.close()
    if target == "molecule":
        from tests.runner import molecule

        molecule.run(checks.console)
        return checks.close()
    if target not in TESTS:
        print(f"no such target: {target}\n{HELP}", file=sys.stderr, end="")
        return 2
    if target == "test":
        checks.lint()
        with checks.sanity_beside():
            checks.units()
        checks.integration()
    else:
        getattr(checks, target.replace("-", "_"))()
    return checks.close()
