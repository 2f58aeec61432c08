# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Route53 emulators: ministack and moto, each in its own process behind the request log.

ministack refuses an access key it does not know; moto takes any (its own verification is wrong for
requests with a query, as most of Route53's are).
"""

from __future__ import annotations

import asyncio
from typing import Any
from xml.etree import ElementTree

from ..errors import LabError
from ..holdings import WriteCounter
from ..ports import LOOPBACK
from ..processes import own_command, start
from ..requestlog import RequestLog, asgi_middleware, route53_kind, wsgi_middleware
from ..route53 import Access
from ..state import State, read_json, write_json

EMULATORS = ("ministack", "moto")
ACCESS_KEY = "AKIALABLABLABLABLAB0"
SECRET_KEY = "labSecretKeyWithoutAnyWorthOutside000000"


def launch(state: State, name: str, port: int) -> Access:
    """Start an emulator's process.

    :returns: how to reach it.
    :raises LabError: when there is no emulator of this name.
    """
    if name not in EMULATORS:
        raise LabError(f"no such emulator: {name}; there are {', '.join(EMULATORS)}")
    write_json(state.settings(name), {"port": port})
    environment = {
        "ministack": {
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "BIND_HOST": LOOPBACK,
            "GATEWAY_PORT": str(port),
            "SERVICES": "route53,sts,iam",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            # An emulator must never look after containers of the machine it runs on.
            "DOCKER_HOST": f"unix://{state.root}/no-docker.sock",
        },
        "moto": {"MOTO_PORT": str(port)},
    }[name]
    start(state, name, own_command("serve", name, str(state.root)), environment)
    return Access(f"http://{LOOPBACK}:{port}", ACCESS_KEY, SECRET_KEY)


def _search_less(route53: Any) -> None:
    """Let ministack look for the sets of a change among those at the names of the change only: it goes through all
    sets of the zone for each of them, which for a large zone takes longer than clients wait. One request at a time."""
    change, records = route53._change_resource_record_sets, route53._records

    def quick(zone_id: str, body: bytes) -> Any:
        try:
            names = {node.text for node in ElementTree.fromstring(body).iter() if node.tag.endswith("Name")}
        except ElementTree.ParseError:
            names = set()
        names |= {f"{name}." for name in names}
        held = records.get(zone_id)
        if not names or held is None:
            return change(zone_id, body)
        rest = [one for one in held if one["Name"] not in names]
        records[zone_id] = [one for one in held if one["Name"] in names]
        try:
            return change(zone_id, body)
        finally:
            records[zone_id] = rest + records[zone_id]

    route53._change_resource_record_sets = quick


def serve_ministack(state: State) -> None:
    """Run ministack in this process."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app
    from ministack.services import route53

    _search_less(route53)
    config = Config()
    config.bind = [f"{LOOPBACK}:{read_json(state.settings('ministack'))['port']}"]
    config.keep_alive_timeout = 75
    config.loglevel = "INFO"
    counter = WriteCounter(state.writes)
    recorded: Any = asgi_middleware(app, RequestLog(state.requests("ministack"), route53_kind), counter.add)
    asyncio.run(serve(recorded, config))


def serve_moto(state: State) -> None:
    """Run moto in this process, by its own request handler."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import run_simple

    app = wsgi_middleware(
        DomainDispatcherApplication(create_backend_app),
        RequestLog(state.requests("moto"), route53_kind),
        WriteCounter(state.writes).add,
    )
    port = read_json(state.settings("moto"))["port"]
    run_simple(LOOPBACK, port, app, threaded=True, request_handler=MotoRequestHandler)
