# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shape of what a CA answers: types as RFC 8555 section 7.1 gives them, so that nothing else stumbles over it."""

from __future__ import annotations

from typing import Any

from .._errors import CertfleetError

#: A type; a list with the shape of its entries; or a dict with the shapes of those members that are there.
ORDER = {
    "status": str,
    "identifiers": [{"value": str}],
    "authorizations": [str],
    "finalize": str,
    "certificate": str,
}
CHALLENGE = {"type": str, "url": str, "status": str, "token": str}
AUTHORIZATION = {"status": str, "identifier": {"value": str}, "challenges": [CHALLENGE]}
_NAMES: dict[Any, str] = {str: "a text", dict: "an object", list: "a list"}
#: Of an order, for each of its names and beyond: each costs requests.
_AUTHORIZATIONS_EACH, _AUTHORIZATIONS_MORE = 3, 10


def check(body: dict[str, Any], shape: dict[str, Any], doing: str) -> dict[str, Any]:
    """The object without members that are null. Raises CertfleetError where it has not this shape."""
    found = {name: value for name, value in body.items() if value is not None}
    wrong = _wrong(found, shape, "")
    if wrong:
        raise CertfleetError(
            f"the CA's answer to {doing} is not what RFC 8555 says: {wrong}",
            remedy="Check acme_directory; if it is right, tell those who run the CA.",
        )
    return found


def check_order(body: dict[str, Any], doing: str) -> dict[str, Any]:
    """check() of an order, and that it does not have far more authorizations than names."""
    found = check(body, ORDER, doing)
    count = len(found.get("authorizations", []))
    names = len(found.get("identifiers", [])) or 100
    if count > _AUTHORIZATIONS_EACH * names + _AUTHORIZATIONS_MORE:
        raise CertfleetError(f"the CA's answer to {doing} is refused: {count} authorizations for {names} names")
    return found


def _wrong(value: Any, shape: Any, where: str) -> str:
    """What is wrong with a value, in words; empty for nothing."""
    kind: Any = shape if isinstance(shape, type) else type(shape)
    if not isinstance(value, kind):
        return f"{where or 'it'} is not {_NAMES[kind]}"
    parts: list[tuple[str, Any, Any]] = []
    if kind is list and shape is not list:
        parts = [(f"{where}[{number}]", entry, shape[0]) for number, entry in enumerate(value)]
    elif kind is dict and shape is not dict:
        parts = [
            (f"{where}.{name}".lstrip("."), value[name], inner)
            for name, inner in shape.items()
            if value.get(name) is not None
        ]
    return next((found for name, entry, inner in parts if (found := _wrong(entry, inner, name))), "")
