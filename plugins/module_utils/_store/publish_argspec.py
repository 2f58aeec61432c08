# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option ``publish`` of a declared certificate; mirrored by the doc fragment certfleet.acme.certificates."""

from __future__ import annotations

from typing import Any

from .._cloud.argspec import AWS_ARGSPEC, GOOGLE_ARGSPEC

#: They tell one target from another (published.py), so they are as declared here; certificate_publish looks in the
#: environment when it asks the cloud.
_NAMING = ("region", "endpoint_url", "project")


def _as_declared(spec: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        name: {key: value for key, value in option.items() if key != "fallback" or name not in _NAMING}
        for name, option in spec.items()
    }


_ACM: dict[str, dict[str, Any]] = {
    "certificate_arn": {"type": "str"},
    "tags": {"type": "dict", "default": {}},
    **_as_declared(AWS_ARGSPEC),
}

_CERTIFICATE_MANAGER: dict[str, dict[str, Any]] = {
    "certificate": {"type": "str", "required": True},
    "location": {"type": "str", "default": "global"},
    "labels": {"type": "dict", "default": {}},
    **_as_declared(GOOGLE_ARGSPEC),
}

PUBLISH: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "acm": {"type": "dict", "options": _ACM},
        "certificate_manager": {"type": "dict", "options": _CERTIFICATE_MANAGER},
    },
    "mutually_exclusive": [("acm", "certificate_manager")],
    "required_one_of": [("acm", "certificate_manager")],
}
