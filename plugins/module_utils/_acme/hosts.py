# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts a session may send to: what a CA answers must not lead requests elsewhere."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from .._errors import CertfleetError

_PORTS = {"http": 80, "https": 443}
#: A host name or an address, an IPv6 one in brackets, with a port or without.
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
#: Anything else in an URL may be read in two ways by two programs.
_PLAIN = re.compile(r"[!-\[\]-~]+")
Origin = tuple  # of scheme, host and port


class Hosts:
    """The directory's host, and what the user allows beside it.

    allowed: host names, with a port when it is not the usual one. Raises CertfleetError for one that is none.
    """

    def __init__(self, directory_url: str, allowed: list[str] | None = None) -> None:
        self._directory = directory_url
        self._known = {_origin(directory_url)}
        secure = "http" if directory_url.lower().startswith("http:") else "https"
        for entry in allowed or []:
            host = str(entry).strip().lower()
            if not _HOST.fullmatch(host):
                raise CertfleetError(
                    f"allowed_hosts: {entry!r} is not a host name",
                    remedy="Give names without scheme and path, with a port if need be: acme.example.com:8443.",
                )
            self._known |= {_origin(f"{scheme}://{host}/") for scheme in (secure, "https")}

    def check(self, url: str) -> None:
        """Raise CertfleetError for an URL that is on none of the hosts."""
        if not self.holds(url):
            raise CertfleetError(
                f"refused to follow an address on another host than the directory {self._directory}: {_shown(url)}",
                remedy="Nothing was sent there. If the CA does use several hosts, name this one in allowed_hosts; else "
                "check acme_directory and what stands between here and the CA.",
            )

    def holds(self, url: str) -> bool:
        """Whether an URL is on one of the hosts."""
        return bool(_PLAIN.fullmatch(url)) and _origin(url) in self._known

    def move(self, url: str) -> bool:
        """Follow the directory to where it was redirected: to one of the hosts, or from HTTP to HTTPS of its own.

        False when it leads elsewhere.
        """
        if not self.holds(url):
            here, there = urlsplit(self._directory), urlsplit(url)
            upgraded = (here.scheme.lower(), there.scheme.lower()) == ("http", "https")
            if not (_PLAIN.fullmatch(url) and upgraded and here.hostname == there.hostname):
                return False
        self._known.add(_origin(url))
        return True


def _origin(url: str) -> Origin:
    """Scheme, host and port; the whole authority for a host that cannot be told from it, which equals no other."""
    parts = urlsplit(url)
    scheme, authority = parts.scheme.lower(), parts.netloc.lower()
    if not _HOST.fullmatch(authority):
        return scheme, authority, None
    try:
        return scheme, parts.hostname, parts.port or _PORTS.get(scheme)
    except ValueError:
        return scheme, authority, None


def _shown(url: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in url[:200])
