# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HAProxy, a master with workers, which wants certificates and key in one file."""

from __future__ import annotations

from tests.fleet.services.service import STORE, Endpoint, Service, Unit, certificate, configuration

_NAME = "proxy"
_FILE = "/etc/haproxy/haproxy.cfg"
_PID = "/run/haproxy.pid"
_CONFIGURATION = f"""\
global
    user haproxy
    group haproxy
    maxconn 500
defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend tls
    bind :443 ssl crt {STORE}/{_NAME}/current/combined.pem
    http-request return status 200
"""


def service() -> Service:
    """The service."""
    endpoints = [Endpoint(443, "proxy.example.com")]
    check = f"haproxy -c -q -f {_FILE}"
    start = f"haproxy -W -D -f {_FILE} -p {_PID}"
    return Service(
        name="haproxy",
        units=[Unit("haproxy", start=start, reload=f'kill -USR2 "$(cat {_PID})"', pid_file=_PID)],
        files=[configuration(_FILE, _CONFIGURATION)],
        declared=[
            certificate(_NAME, ["proxy.example.com"], endpoints, check, ["haproxy"], formats=["combined_pem"]),
        ],
        endpoints=endpoints,
    )
