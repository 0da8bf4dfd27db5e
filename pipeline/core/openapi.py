"""What an OpenAPI document (JSON) says there is: its operations, each with its line; and a copy with a planted one.

Only what is needed to know what must be asked; whether answers are as documented is Schemathesis's to say. The shape is
that of the OpenAPI Specification 3.0 and 3.1, sections "Paths Object" and "Path Item Object".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A method of a path template. ``line`` is where the document has it, 1-based; ``plain``: it needs no parameter."""

    method: str
    path: str
    line: int
    plain: bool

    @property
    def label(self) -> str:
        """``GET /items/{id}``, which is how Schemathesis names it too."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The text of a document and its operations, in the document's order; there is at least one."""

    text: str
    operations: tuple[Operation, ...]

    @property
    def labels(self) -> frozenset[str]:
        """The operations by name."""
        return frozenset(operation.label for operation in self.operations)

    def line_of(self, label: str) -> int:
        """Where an operation is; the first line for one that is not in it."""
        return next((operation.line for operation in self.operations if operation.label == label), 1)


def parse_description(text: str) -> Description:
    """Read a document.

    Raises:
        ValueError: it is no JSON, no OpenAPI document of version 3, or has no operation; the message says which.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ValueError(f"it is not JSON ({error})") from error
    if not isinstance(document, dict) or not str(document.get("openapi", "")).startswith("3."):
        raise ValueError("it does not say that it is an OpenAPI document of version 3")
    paths = document.get("paths")
    operations = tuple(_operations(paths, text)) if isinstance(paths, dict) else ()
    if not operations:
        raise ValueError("it describes no operation")
    return Description(text=text, operations=operations)


def with_planted(text: str, path: str) -> str:
    """The same document with one more operation, ``GET path``, that answers 200 and nothing else."""
    document = json.loads(text)
    planted = {"get": {"responses": {"200": {"description": "A planted operation, which no service has."}}}}
    return json.dumps({**document, "paths": {path: planted, **document["paths"]}})


def _operations(paths: Mapping[str, Any], text: str) -> Iterator[Operation]:
    lines = text.splitlines()
    for path, item in paths.items():
        if not (isinstance(item, dict) and path.startswith("/")):
            continue
        if "$ref" in item:
            raise ValueError(f"the path {path} is kept in another document, which is not followed")
        for method in _METHODS:
            if isinstance(item.get(method), dict):
                parameters = (*item.get("parameters", ()), *item[method].get("parameters", ()))
                plain = "{" not in path and not any(_is_required(found) for found in parameters)
                line = _line(lines, path, method)
                yield Operation(method=method.upper(), path=path, line=line, plain=plain)


def _is_required(parameter: Any) -> bool:
    """Whether it must be given, as far as it is told here and not behind a reference."""
    return not isinstance(parameter, dict) or bool(parameter.get("required"))


def _line(lines: list[str], path: str, method: str) -> int:
    """The line of a method below its path; the path's when the method is not found, else the first."""
    start = next((n for n, line in enumerate(lines, 1) if f"{json.dumps(path)}:" in line), 0)
    found = (n for n, line in enumerate(lines[start - 1 :], start) if f'"{method}":' in line) if start else iter(())
    return next(found, start) or 1
