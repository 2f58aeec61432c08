# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's commands: up, down, status, run, program; and two that the lab itself calls: serve, service."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from .errors import LabError
from .state import State

if TYPE_CHECKING:
    from .api import Lab


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    making = argparse.ArgumentParser(add_help=False)
    making.add_argument("--ca", choices=("acme2certifier", "pebble", "openbao", "step-ca"), default="acme2certifier")
    making.add_argument("--dns", choices=("ministack", "moto"), default="ministack", help="the Route53 emulator")
    making.add_argument("--cloud-dns", action="store_true", help="Cloud DNS too, with the zone example.org")
    making.add_argument("--binding-required", action="store_true", help="new accounts need an external account binding")
    making.add_argument("--strict", action="store_true", help="in front of it a layer that refuses what AWS refuses")
    making.add_argument("--hosts", type=int, default=3, metavar="N", help="nginx hosts (default 3)")
    making.add_argument("--python", default=sys.executable, help="interpreter of the hosts (default: this one)")
    making.add_argument("--dns-lag", type=float, default=0.0, metavar="SECONDS", help="how long new values stay unseen")
    making.add_argument(
        "--refuse", action="append", metavar="NAME", help="a domain the CA refuses at newOrder (repeatable)"
    )
    making.add_argument(
        "--pebble-env", action="append", default=[], metavar="NAME=VALUE", help="a switch of Pebble (repeatable)"
    )
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument(
        "--state", type=Path, metavar="DIR", help="the lab's folder (default: a new one or the only one)"
    )

    commands.add_parser("up", parents=[making, where], help="start a lab and print its folder")
    down = commands.add_parser("down", parents=[where], help="end all processes of a lab and delete its folder")
    down.add_argument("--all", action="store_true", help="every lab of this user in the temporary folder")
    commands.add_parser("status", parents=[where], help="what is up; exit code 3 when something is not")
    run = commands.add_parser("run", parents=[making, where], help="start a lab, run a command, end the lab")
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    program = commands.add_parser("program", help="bring a CA's program into the cache, and print where it is")
    program.add_argument("name", choices=("pebble", "openbao", "step-ca"))
    program.add_argument("--build", action="store_true", help="build step-ca rather than take Caddy for it")
    serve = commands.add_parser("serve")
    serve.add_argument("server")
    serve.add_argument("folder", type=Path)
    service = commands.add_parser("service", help="a host's service command, as systemctl would")
    service.add_argument("folder", type=Path)
    service.add_argument("host")
    service.add_argument("action")
    return parser


def _start(options: argparse.Namespace) -> Lab:
    from .api import REFUSED, Lab

    switches = dict(item.split("=", 1) for item in options.pebble_env if "=" in item)
    return Lab.up(
        ca=options.ca,
        dns_provider=options.dns,
        hosts=options.hosts,
        state=options.state,
        python=options.python,
        refused=options.refuse or REFUSED,
        cloud_zones=("example.org",) if options.cloud_dns else (),
        dns_lag=options.dns_lag,
        pebble_environment=switches,
        strict=options.strict,
        binding_required=options.binding_required,
    )


def _describe(lab: Lab) -> str:
    lines = [
        f"acme        {lab.acme['directory']} ({lab.ca})",
        f"ca_path     {lab.acme['ca_path']}",
        f"route53     {lab.route53['endpoint_url']} ({lab.provider})",
        *([f"cloud_dns   {lab.cloud_dns['api_endpoint']}"] if lab.cloud_dns else []),
        f"dns         {lab.dns}",
        *(
            f"{name:<11} 127.0.0.1:{host['tls_port']} for {', '.join(host['identifiers'])}"
            for name, host in lab.hosts.items()
        ),
        f"inventory   {lab.state.inventory}",
        f"state       {lab.state.root}",
    ]
    return "\n".join(lines)


def _up(options: argparse.Namespace) -> int:
    print(_describe(_start(options)))
    return 0


def _down(options: argparse.Namespace) -> int:
    from .starter import end

    labs = State.all() if options.all else [State.find(options.state)]
    for state in labs:
        try:
            end(state)
        except LabError as error:
            if not options.all:
                raise
            print(error)  # one that ended by itself meanwhile must not keep the others up
        else:
            print(f"ended {state.root}")
    return 0


def _status(options: argparse.Namespace) -> int:
    from .api import Lab

    labs = [State.find(options.state)] if options.state else State.all()
    if not labs:
        print("no lab is up")
    healthy = True
    for state in labs:
        try:
            lab = Lab(state)
        except LabError:
            print(f"state       {state.root} (did not come up; end it with: down --state {state.root})")
            healthy = False
            continue
        print(_describe(lab))
        for name, runs in lab.status().items():
            print(f"  {name:<20} {'running' if runs else 'ENDED, see ' + str(state.log(name))}")
            healthy = healthy and runs
    return 0 if healthy and labs else 3


def _run(options: argparse.Namespace) -> int:
    argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    if not argv:
        raise LabError("run needs a command: run -- COMMAND")
    with _start(options) as lab:
        try:
            child = subprocess.Popen(argv, env={**os.environ, **lab.environment})
        except OSError as error:
            raise LabError(f"cannot run {argv[0]}: {error}") from error
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                # The terminal sent it to the command too, which decides how to end.
                continue
            except SystemExit:
                child.terminate()
                try:
                    child.wait(10)
                except subprocess.TimeoutExpired:
                    child.kill()
                raise


def _program(options: argparse.Namespace) -> int:
    from .authorities import PROGRAMS
    from .servers import step_ca

    if options.build and options.name == step_ca.NAME:
        print(step_ca.find(build=True))
    else:
        print(PROGRAMS[options.name]())
    return 0


def _serve(options: argparse.Namespace) -> int:
    state = State(options.folder)
    if options.server == "dns":
        from .servers import dns

        dns.serve(state)
    elif options.server == "cloud_dns":
        from .servers import cloud_dns

        cloud_dns.serve(state)
    elif options.server == "strict":
        from .servers import strict

        strict.serve(state)
    elif options.server == "acme2certifier":
        from .servers import acme2certifier

        acme2certifier.serve(state)
    else:
        from .servers import emulators

        {"ministack": emulators.serve_ministack, "moto": emulators.serve_moto}[options.server](state)
    return 0


def _service(options: argparse.Namespace) -> int:
    from .servers import nginx

    if options.action not in nginx.ACTIONS:
        raise LabError(f"no service action {options.action}; there are {', '.join(nginx.ACTIONS)}")
    return nginx.service(State(options.folder), options.host, options.action)


def _terminated(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main(arguments: list[str]) -> int:
    """Carry out a command; returns the exit code (a command's own under ``run``)."""
    options = _parser().parse_args(arguments)
    if options.command != "serve":
        signal.signal(signal.SIGTERM, _terminated)
    actions = {
        "up": _up,
        "down": _down,
        "status": _status,
        "run": _run,
        "program": _program,
        "serve": _serve,
        "service": _service,
    }
    try:
        return actions[options.command](options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
