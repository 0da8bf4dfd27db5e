"""The OpenAPI document held against the implementation: nothing missing, nothing invented."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator

from service import drain
from service.routes import OPENAPI
from service.tests.target import Answer, InProcess, Target

DOCUMENT: dict[str, Any] = json.loads(OPENAPI)


@dataclass(frozen=True, kw_only=True)
class Provocation:
    """A request that brings about one of the documented answers."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None

    def send(self, target: Target) -> Answer:
        """Send it."""
        return target.request(self.method, self.path, headers=self.headers, body=self.body)


Case = tuple[str, str, str]  # as the document names it: path, method, status

CONCRETE = {
    ("/", "get"): "/",
    ("/echo", "post"): "/echo?lang=en",
    ("/echo/{item}", "post"): "/echo/an%20item?lang=en",
    ("/healthz", "get"): "/healthz",
    ("/readyz", "get"): "/readyz",
    ("/openapi.json", "get"): "/openapi.json",
}


def _cases() -> dict[Case, Provocation]:
    """What any client can bring about from outside."""
    cases: dict[Case, Provocation] = {
        ("/echo", "post", "414"): Provocation(method="POST", path="/echo?lang=" + "x" * 300),
        ("/echo/{item}", "post", "414"): Provocation(method="POST", path="/echo/" + "x" * 3000),
        ("/echo/{item}", "post", "404"): Provocation(method="POST", path="/echo/a%2Fb"),
    }
    for (path, method), concrete in CONCRETE.items():
        verb = method.upper()
        cases[path, method, "200"] = Provocation(method=verb, path=concrete)
        cases[path, method, "400"] = Provocation(method=verb, path=concrete, headers={"Host": "untrusted.example"})
        cases[path, method, "413"] = Provocation(method=verb, path=concrete, body=b"x" * 70_000)
    return cases


CASES = _cases()
FAULTS = [(path, method, "500") for path, method in CONCRETE]
DRAINING: Case = ("/readyz", "get", "503")


def check(case: Case, answer: Answer) -> None:
    """The answer is what the document says of this path, method and status."""
    path, method, status = case
    check_response(DOCUMENT["paths"][path][method]["responses"][status], int(status), answer)


def check_response(described: dict[str, Any], status: int, answer: Answer) -> None:
    """Status, headers, media type and body, the latter by JSON Schema with formats."""
    described = _resolved(described)
    assert answer.status == status
    for name, header in described["headers"].items():
        _validate(_resolved(header)["schema"], answer.headers[name.lower()])
    _validate(described["content"]["application/json"]["schema"], answer.json())


def _resolved(part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in part:
        found: Any = DOCUMENT
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return dict(found)
    return part


def _validate(schema: dict[str, Any], instance: object) -> None:
    # The whole document goes along, because that is where the references point.
    Draft202012Validator({**DOCUMENT, **schema}, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(instance)


@pytest.mark.acceptance
@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_a_documented_answer_is_given_as_documented(target: Target, case: Case) -> None:
    """For each that a client can bring about."""
    check(case, CASES[case].send(target))


@pytest.mark.integration
@pytest.mark.parametrize("case", FAULTS, ids=" ".join)
def test_a_fault_is_answered_as_documented(app: Flask, case: Case) -> None:
    """In every endpoint."""

    def broken(**_given: str) -> str:
        raise RuntimeError("planted")

    for endpoint in app.view_functions:
        app.view_functions[endpoint] = broken
    path, method, _status = case
    check(case, CASES[path, method, "200"].send(InProcess(app.test_client())))


@pytest.mark.integration
def test_a_drain_is_answered_as_documented(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readiness has one status of its own."""
    monkeypatch.setattr(drain, "FLAG", bytearray(1))
    drain.begin()
    check(DRAINING, InProcess(app.test_client()).get("/readyz"))


@pytest.mark.acceptance
@pytest.mark.parametrize(
    ("name", "status", "method", "path"),
    [("NotFound", 404, "GET", "/nope"), ("MethodNotAllowed", 405, "PUT", "/")],
)
def test_what_no_path_documents_is_described_all_the_same(
    target: Target, name: str, status: int, method: str, path: str
) -> None:
    """An unknown path and a wrong method have no operation to be listed under."""
    check_response(DOCUMENT["components"]["responses"][name], status, target.request(method, path))


@pytest.mark.unit
def test_every_documented_answer_is_brought_about_here() -> None:
    """So that the document can't promise what nothing tests."""
    documented = {
        (path, method, status)
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
        for status in operation["responses"]
    }
    assert documented == {*CASES, *FAULTS, DRAINING}


@pytest.mark.unit
def test_every_route_is_documented_and_the_reverse(app: Flask) -> None:
    """HEAD goes with GET, as the document's introduction says."""
    routes = {
        (rule.rule.replace("<string:", "{").replace(">", "}"), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD"}
    }
    documented = {(path, method) for path, operations in DOCUMENT["paths"].items() for method in operations}
    assert routes == documented


@pytest.mark.unit
def test_every_schema_is_a_schema_and_every_part_is_used() -> None:
    """A component that nothing refers to is a leftover, but for the answer without an operation."""
    text = OPENAPI.decode()
    for name, schema in DOCUMENT["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert f'"#/components/schemas/{name}"' in text
    for kind in ("parameters", "headers", "responses"):
        for name in DOCUMENT["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text or name == "MethodNotAllowed"


@pytest.mark.smoke
@pytest.mark.acceptance
def test_the_document_is_served_as_it_is(target: Target) -> None:
    """And says which OpenAPI it is."""
    served = target.get("/openapi.json").json()
    assert served == DOCUMENT
    assert served["openapi"].startswith("3.1.")
