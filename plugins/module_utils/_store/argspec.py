# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the host's modules; mirrored by the doc fragments certfleet.acme.certificates and certfleet.acme.store."""

from __future__ import annotations

from typing import Any

from .._tls.protocols import STARTTLS_ARGSPEC
from .formats import FORMATS
from .keys import DEFAULT_KEY_TYPE, KEY_TYPES
from .outputs import SOURCES
from .publish_argspec import PUBLISH

DEFAULT_STORE_PATH = "/etc/certfleet"
SHARED = "shared"

STORE_ARGSPEC: dict[str, dict[str, Any]] = {
    "store_path": {"type": "path", "default": DEFAULT_STORE_PATH},
}

_ENDPOINT: dict[str, dict[str, Any]] = {
    "host": {"type": "str", "default": "127.0.0.1"},
    "port": {"type": "int", "default": 443},
    "server_name": {"type": "str"},
    **STARTTLS_ARGSPEC,
}

_DEPLOY: dict[str, dict[str, Any]] = {
    "service": {"type": "str"},
    "check": {"type": "list", "elements": "str"},
    "reload": {"type": "list", "elements": "str"},
    "endpoints": {"type": "list", "elements": "dict", "options": _ENDPOINT},
    "timeout": {"type": "int", "default": 30},
}

_PKCS12: dict[str, dict[str, Any]] = {
    "passphrase": {"type": "str", "no_log": True},
    "friendly_name": {"type": "str"},
}

_FILE: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "source": {"type": "str", "choices": list(SOURCES), "required": True},
    "kind": {"type": "str", "choices": ["link", "copy"], "default": "link"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "str"},
}

_ADOPT: dict[str, Any] = {
    "type": "dict",
    "options": {name: {"type": "path"} for name in ("certbot", "certificate", "private_key", "chain")},
    "mutually_exclusive": [["certbot", "certificate"], ["certbot", "private_key"], ["certbot", "chain"]],
    "required_one_of": [["certbot", "certificate"]],
    "required_together": [["certificate", "private_key"]],
    "required_by": {"chain": ["certificate"]},
}

CERTIFICATE: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "identifiers": {"type": "list", "elements": "str", "required": True},
    "key_type": {"type": "str", "choices": list(KEY_TYPES), "default": DEFAULT_KEY_TYPE},
    "key_location": {"type": "str", "choices": ["host", SHARED], "default": "host"},
    "profile": {"type": "str"},
    "renew_when_remaining": {"type": "float"},
    "force": {"type": "bool", "default": False},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "str"},
    "seuser": {"type": "str"},
    "serole": {"type": "str"},
    "setype": {"type": "str"},
    "selevel": {"type": "str"},
    "formats": {"type": "list", "elements": "str", "choices": list(FORMATS)},
    "pkcs12": {"type": "dict", "options": _PKCS12},
    "files": {"type": "list", "elements": "dict", "options": _FILE},
    "deploy": {"type": "dict", "options": _DEPLOY},
    "adopt": _ADOPT,
    "publish": PUBLISH,
}

#: What certificate_request is told of certificates that other hosts have.
ELSEWHERE: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "host": {"type": "str", "required": True},
    "serial": {"type": "str"},
}

#: What certificate_share is to seal.
WANTED: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "host": {"type": "str", "required": True},
    "recipient": {"type": "str", "required": True},
    "public_key_sha256": {"type": "str", "required": True},
    "serial": {"type": "str"},
}

CERTIFICATES_ARGSPEC: dict[str, dict[str, Any]] = {
    "certificates": {"type": "list", "elements": "dict", "required": True, "options": CERTIFICATE},
}
