# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the host's modules; mirrored by the doc fragments certfleet.acme.certificates and certfleet.acme.store."""

from __future__ import annotations

from typing import Any

from .keys import DEFAULT_KEY_TYPE, KEY_TYPES
from .publish_argspec import PUBLISH

DEFAULT_STORE_PATH = "/etc/certfleet"

STORE_ARGSPEC: dict[str, dict[str, Any]] = {
    "store_path": {"type": "path", "default": DEFAULT_STORE_PATH},
}

_ENDPOINT: dict[str, dict[str, Any]] = {
    "host": {"type": "str", "default": "127.0.0.1"},
    "port": {"type": "int", "default": 443},
    "server_name": {"type": "str"},
}

_DEPLOY: dict[str, dict[str, Any]] = {
    "check": {"type": "list", "elements": "str"},
    "reload": {"type": "list", "elements": "str"},
    "endpoints": {"type": "list", "elements": "dict", "options": _ENDPOINT},
    "timeout": {"type": "int", "default": 30},
}

CERTIFICATE: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "identifiers": {"type": "list", "elements": "str", "required": True},
    "key_type": {"type": "str", "choices": list(KEY_TYPES), "default": DEFAULT_KEY_TYPE},
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
    "deploy": {"type": "dict", "options": _DEPLOY},
    "publish": PUBLISH,
}

CERTIFICATES_ARGSPEC: dict[str, dict[str, Any]] = {
    "certificates": {"type": "list", "elements": "dict", "required": True, "options": CERTIFICATE},
}
