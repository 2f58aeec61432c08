# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Google's own description of an API, and whether requests and answers are as it says.

The description is the discovery document that google-api-python-client carries; nothing of that library is imported.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from .errors import MissingProgram

_INT_RANGES = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1)}


@dataclass(frozen=True)
class Method:
    """A method of the API. kind: ``changes.create``, whatever the resource is in; path: a pattern with a group for each
    path parameter."""

    kind: str
    http_method: str
    path: re.Pattern[str]
    parameters: dict[str, dict[str, Any]]
    scopes: frozenset[str]
    request: str | None
    response: str | None


def _document(api: str) -> dict[str, Any]:
    spec = importlib.util.find_spec("googleapiclient")
    places = list(spec.submodule_search_locations or []) if spec else []
    for place in places:
        path = Path(place) / "discovery_cache" / "documents" / f"{api}.json"
        if path.is_file():
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return found
    raise MissingProgram("google-api-python-client, whose discovery documents the lab's servers obey, is missing")


class Contract:
    """A discovery document. Raises MissingProgram when it is not installed."""

    def __init__(self, api: str = "dns.v1") -> None:
        document = _document(api)
        self._schemas: dict[str, dict[str, Any]] = document["schemas"]
        self._common: dict[str, dict[str, Any]] = document["parameters"]
        self.methods = list(self._methods(document))

    @classmethod
    def _methods(cls, document: dict[str, Any]) -> Iterator[Method]:
        for resource, content in document.get("resources", {}).items():
            yield from cls._methods(content)
            for name, method in content.get("methods", {}).items():
                pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape("/" + method["path"]))
                for parameter, schema in method.get("parameters", {}).items():
                    whole = f"(?P<{parameter}>{schema.get('pattern', '').strip('^$')})"
                    pattern = pattern.replace(f"\\{{\\+{parameter}\\}}", whole)
                yield Method(
                    kind=f"{resource}.{name}",
                    http_method=method["httpMethod"],
                    path=re.compile(f"^{pattern}$"),
                    parameters=method.get("parameters", {}),
                    scopes=frozenset(method["scopes"]),
                    request=method.get("request", {}).get("$ref"),
                    response=method.get("response", {}).get("$ref"),
                )

    def find(self, http_method: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """The method behind a path, and the path's parameters."""
        for method in self.methods:
            match = method.path.match(path)
            if match and method.http_method == http_method:
                return method, {name: unquote(value) for name, value in match.groupdict().items()}
        return None

    def check_query(self, method: Method, query: dict[str, str]) -> list[str]:
        """What is wrong with the query of a request."""
        problems = []
        for name, text in query.items():
            schema = method.parameters.get(name) or self._common.get(name)
            if schema is None or schema.get("location") == "path":
                problems.append(f"{method.kind} has no query parameter {name}")
                continue
            value: Any = text
            if schema["type"] == "boolean":
                value = {"true": True, "false": False}.get(text, text)
            problems += self._check(schema, value, f"parameters.{name}", lenient=True)
        return problems

    def check_request(self, method: Method, body: Any) -> list[str]:
        """What is wrong with the body of a request, None for none."""
        if method.request is None:
            return [] if body is None else [f"{method.kind} takes no body"]
        if body is None:
            return [f"{method.kind} needs a body"]
        return self._check(
            {"$ref": method.request}, body, f"entity.{method.request[0].lower()}{method.request[1:]}", True
        )

    def check_answer(self, method: Method, body: Any) -> list[str]:
        """What is wrong with the body of an answer, None for none."""
        if method.response is None:
            return [] if body is None else [f"{method.kind} answers without a body"]
        return self._check({"$ref": method.response}, body, "answer", lenient=False)

    def _check(self, schema: dict[str, Any], value: Any, where: str, lenient: bool) -> list[str]:
        """lenient: numbers may be texts, as the JSON form of Protocol Buffers lets clients write them, and read-only
        fields may be there."""
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"]]
        kind = schema["type"]
        if kind == "any":
            return []
        if kind == "object":
            return self._check_object(schema, value, where, lenient)
        if kind == "array":
            if not isinstance(value, list):
                return [f"{where} is not a list"]
            return [
                problem
                for number, item in enumerate(value)
                for problem in self._check(schema["items"], item, f"{where}[{number}]", lenient)
            ]
        return _check_scalar(schema, value, where, lenient)

    def _check_object(self, schema: dict[str, Any], value: Any, where: str, lenient: bool) -> list[str]:
        if not isinstance(value, dict):
            return [f"{where} is not an object"]
        problems = []
        for name, item in value.items():
            inner = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
            if inner is None:
                problems.append(f"{where} has no field {name}")
                continue
            problems += self._check(inner, item, f"{where}.{name}", lenient)
        return problems


def _check_scalar(schema: dict[str, Any], value: Any, where: str, lenient: bool) -> list[str]:
    kind, form = schema["type"], schema.get("format")
    if kind == "boolean":
        return [] if isinstance(value, bool) else [f"{where} is not a boolean"]
    if kind == "number":
        right = isinstance(value, (int, float)) and not isinstance(value, bool)
        return [] if right else [f"{where} is not a number"]
    if kind == "integer":
        if lenient and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            return [f"{where} is not an integer"]
        low, high = _INT_RANGES[form or "int32"]
        return [] if low <= value <= high else [f"{where} is not a {form}"]
    if not isinstance(value, str):
        return [f"{where} is not a string"]
    if form in ("uint64", "int64") and not re.fullmatch(r"-?\d+" if form == "int64" else r"\d+", value):
        return [f"{where} is not a {form} in a string"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where} is none of {', '.join(schema['enum'])}"]
    return []
