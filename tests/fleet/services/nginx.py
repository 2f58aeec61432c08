# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""nginx with two certificates, chosen by the name that is asked for."""

from __future__ import annotations

from tests.fleet.services.service import STORE, Endpoint, Service, Unit, certificate, configuration

_CERTIFICATES = {"apex": ("example.com", "*.example.com"), "web": ("web.example.com",)}
_CONFIGURATION = """\
user www-data;
worker_processes 2;
pid /run/nginx.pid;
error_log /var/log/nginx.log;
events {}
http {
    access_log off;
%s}
"""
_SERVER = """\
    server {{
        listen 443 ssl;
        server_name {names};
        ssl_certificate {store}/{name}/current/fullchain.pem;
        ssl_certificate_key {store}/{name}/current/privkey.pem;
        location / {{ return 200 "{name}\\n"; }}
    }}
"""


def service() -> Service:
    """The service."""
    servers = "".join(
        _SERVER.format(names=" ".join(names), name=name, store=STORE) for name, names in _CERTIFICATES.items()
    )
    endpoints = {
        name: [Endpoint(443, identifier.replace("*.", "www.")) for identifier in names]
        for name, names in _CERTIFICATES.items()
    }
    return Service(
        name="nginx",
        units=[Unit("nginx", start="nginx", reload="nginx -s reload", pid_file="/run/nginx.pid")],
        files=[configuration("/etc/nginx/nginx.conf", _CONFIGURATION % servers)],
        declared=[
            certificate(name, names, endpoints[name], "nginx -t", ["nginx"]) for name, names in _CERTIFICATES.items()
        ],
        endpoints=[endpoint for some in endpoints.values() for endpoint in some],
    )
