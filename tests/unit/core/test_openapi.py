"""What an OpenAPI document is read to describe, and what is no such document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.openapi import parse_description, with_planted

OWN = (Path(__file__).parents[3] / "service/openapi.json").read_text(encoding="utf-8")


def document(**paths: Any) -> str:
    """A document with these paths, indented like one that people read."""
    return json.dumps({"openapi": "3.1.0", "paths": {f"/{name}": item for name, item in paths.items()}}, indent=2)


def test_the_operations_of_the_echo_service_are_found_each_at_its_line() -> None:
    description = parse_description(OWN)
    labels = {"GET /", "POST /echo", "POST /echo/{item}", "GET /healthz", "GET /readyz", "GET /openapi.json"}
    assert description.labels == labels
    lines = OWN.splitlines()
    for operation in description.operations:
        assert f'"{operation.method.lower()}":' in lines[operation.line - 1]
        assert any(f'"{operation.path}":' in line for line in lines[operation.line - 3 : operation.line])
    assert description.line_of("GET /nowhere") == 1


def test_an_operation_is_plain_when_nothing_must_be_given() -> None:
    required = {"parameters": [{"name": "q", "in": "query", "required": True}]}
    text = document(a={"get": {}}, b={"get": required}, c={**required, "get": {}}, d={"get": {"parameters": [{}]}})
    plain = [operation.label for operation in parse_description(text).operations if operation.plain]
    assert plain == ["GET /a", "GET /d"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("openapi: 3.1.0\npaths: {}\n", "not JSON"),
        ("[]", "does not say"),
        ('{"swagger": "2.0", "paths": {"/": {"get": {}}}}', "does not say"),
        ('{"openapi": "3.0.3"}', "no operation"),
        ('{"openapi": "3.0.3", "paths": {}}', "no operation"),
        ('{"openapi": "3.0.3", "paths": {"/": {"summary": "nothing"}, "x-more": {"get": {}}}}', "no operation"),
        ('{"openapi": "3.0.3", "paths": {"/": {"$ref": "other.json"}}}', "another document"),
    ],
)
def test_what_describes_nothing_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_description(text)


def test_the_planted_operation_is_one_more_and_changes_no_other() -> None:
    planted = json.loads(with_planted(OWN, "/planted"))
    assert planted["paths"].pop("/planted")["get"]["responses"].keys() == {"200"}
    assert planted == json.loads(OWN)


def test_a_document_on_one_line_has_its_operations_there() -> None:
    (operation,) = parse_description('{"openapi": "3.0.0", "paths": {"/a": {"get": {}}}}').operations
    assert operation.line == 1
