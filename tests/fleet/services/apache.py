# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apache with its event module and one certificate."""

from __future__ import annotations

from tests.fleet.services.service import STORE, Endpoint, Service, Unit, certificate, configuration

_NAME = "webmail"
_PID = "/run/apache2/apache2.pid"
_MODULES = ("mpm_event", "authz_core", "socache_shmcb", "ssl", "alias")
_CONFIGURATION = f"""\
ServerName mail.example.com
PidFile {_PID}
ErrorLog /var/log/apache2.log
User www-data
Group www-data
StartServers 2
Listen 443
SSLSessionCache shmcb:/run/apache2/sessions(512000)
<VirtualHost *:443>
    ServerName webmail.example.net
    SSLEngine on
    SSLCertificateFile {STORE}/{_NAME}/current/fullchain.pem
    SSLCertificateKeyFile {STORE}/{_NAME}/current/privkey.pem
    Redirect 204 /
</VirtualHost>
"""


def service() -> Service:
    """The service."""
    modules = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in _MODULES)
    endpoints = [Endpoint(443, "webmail.example.net")]
    return Service(
        name="apache",
        units=[Unit("apache2", start="apachectl start", reload="apachectl graceful", pid_file=_PID)],
        files=[configuration("/etc/apache2/apache2.conf", modules + _CONFIGURATION)],
        declared=[certificate(_NAME, ["webmail.example.net"], endpoints, "apachectl -t", ["apache2"])],
        endpoints=endpoints,
    )
