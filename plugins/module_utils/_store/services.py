# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands of systemd's units: how a service is reloaded, and how the configuration of the known ones is checked."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence

from .._errors import CertfleetError
from .commands import search_path

#: systemd.unit(5), without the escapes; nothing that systemctl could take for an option.
_UNIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.@-]{0,200}")
_OTHER_KIND = re.compile(r"\.(socket|target|timer|path|mount|automount|swap|device|slice|scope)")

#: By the unit's name: commands that end with an error for a configuration that the service would refuse. Of several,
#: the first one that is installed. configtest and not -t: what Red Hat's apachectl takes.
_CHECKS: dict[str, Sequence[tuple[str, ...]]] = {
    "nginx": [("nginx", "-t", "-q")],
    "haproxy": [("haproxy", "-c", "-q", "-f", "/etc/haproxy/haproxy.cfg")],
    "apache2": [("apachectl", "configtest"), ("apache2ctl", "configtest")],
    "httpd": [("apachectl", "configtest")],
    "postfix": [("postfix", "check")],
    # Ends with status 89 for settings that are unknown or wrong; does not look into certificates.
    "dovecot": [("doveconf", "-n")],
}


def reload_of(service: str) -> tuple[str, ...]:
    """The command that makes the unit read its files again, and starts it when it does not run."""
    return ("systemctl", "reload-or-restart", _unit(service))


def check_of(service: str) -> tuple[str, ...]:
    """The command that checks the unit's configuration; empty for units that none is known of, and for instances of
    templates (``haproxy@edge``), whose configuration is anywhere."""
    commands = _CHECKS.get(_unit(service).removesuffix(".service"), ())
    return next((argv for argv in commands if shutil.which(argv[0], path=search_path())), next(iter(commands), ()))


def _unit(service: str) -> str:
    if not _UNIT.fullmatch(service) or _OTHER_KIND.search(service):
        raise CertfleetError(
            f"deploy.service is {service!r}, which is not the name of a service of systemd",
            remedy="Give the unit's name, for example nginx; other commands go into deploy.check and deploy.reload.",
        )
    return service
