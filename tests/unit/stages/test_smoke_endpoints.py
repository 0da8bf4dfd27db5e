"""The operations of an OpenAPI document: asked with generated requests, read from Schemathesis's own record."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.ports import Request
from pipeline.core.wire import Reply
from pipeline.errors import ToolTrouble
from pipeline.settings import Settings, Smoke
from pipeline.stages import smoke_endpoints
from pipeline.testing import ScriptedRunner, outcome
from tests.support import FIXTURES, make_context, write_files
from tests.told_stories import FakeWire

STANDARD = Smoke()
FULL = Smoke(dose="full")
EVENTS = (FIXTURES / "schemathesis" / "run.ndjson").read_text(encoding="utf-8")
DOCUMENT = '{"openapi": "3.1.0", "paths": {\n"/": {"get": {}}}}'


def test_operations_are_checked_as_schemathesis_recorded_them() -> None:
    settings = replace(STANDARD, openapi="service/openapi.json")
    labels = ["GET /", "POST /echo", "GET /healthz"]
    operations = {label: line for line, label in enumerate(labels, 10)}
    record = {"trouble": "", "planted": "/pipeline-control-abc", "operations": operations, "exit_code": 1}
    probe = smoke_endpoints.assess_endpoints(settings, record, EVENTS)
    assert {f"operation: {label}" for label in labels} == probe.expected <= probe.checked
    assert [finding.place for finding in probe.findings] == ["service/openapi.json:10"]
    assert [control.caught for control in probe.controls] == [True]
    other = {**record, "planted": "/other", "operations": {**operations, "GET /pipeline-control-abc": 9, "GET /new": 8}}
    blind = smoke_endpoints.assess_endpoints(settings, other, EVENTS)
    assert [control.caught for control in blind.controls] == [False]
    assert blind.expected - blind.checked == {"operation: GET /new"}
    assert [item.what for item in blind.not_checked] == ["GET /pipeline-control-abc answering with success"]


def test_a_document_that_can_not_be_used_is_never_green() -> None:
    settings = replace(STANDARD, openapi="/openapi.json")
    record = {"trouble": "the service answers 404", "planted": "/x", "operations": {}}
    probe = smoke_endpoints.assess_endpoints(settings, record, "")
    assert probe.doubts == ("The OpenAPI document /openapi.json could not be used: the service answers 404.",)
    assert probe.expected - probe.checked


def run_schemathesis(request: Request) -> Any:
    """Leaves the events of a real run."""
    target = Path(request.argv[request.argv.index("--report-ndjson-path") + 1])
    target.write_text(EVENTS, encoding="utf-8")
    return outcome(1, stdout="failures")


def ask(folder: Path, settings: Smoke, runner: ScriptedRunner, wire: FakeWire) -> dict[str, Any]:
    """The record of asking the operations of a tree with a document."""
    tree = write_files(folder / "tree", {"api.json": DOCUMENT, "bad.json": b"\xff"})
    context = make_context(folder, tree, Settings(smoke=settings), processes=runner)
    context = replace(context, ports=replace(context.ports, wire=wire))
    smoke_endpoints.ask_endpoints(context, "http://127.0.0.1:1")
    record: dict[str, Any] = json.loads((context.raw / smoke_endpoints.RECORD).read_text(encoding="utf-8"))
    return record


@pytest.mark.parametrize("place", ["api.json", "/api.json"])
def test_a_document_of_the_tree_or_of_the_service_is_asked_with_a_planted_operation(tmp_path: Path, place: str) -> None:
    runner = ScriptedRunner([run_schemathesis])
    answers = {"GET /api.json HTTP/1.1": Reply(text=f"HTTP/1.1 200 OK\r\n\r\n{DOCUMENT}")}
    record = ask(tmp_path, replace(STANDARD, openapi=place), runner, FakeWire(answers))
    assert (record["trouble"], record["operations"], record["exit_code"]) == ("", {"GET /": 2}, 1)
    document = json.loads(Path(runner.requests[0].argv[2]).read_text(encoding="utf-8"))
    assert list(document["paths"]) == [record["planted"], "/"]


@pytest.mark.parametrize(
    ("place", "why"), [("gone.json", "No such file"), ("bad.json", "UTF-8"), ("/x", "answers 400")]
)
def test_a_document_that_is_not_there_is_told(tmp_path: Path, place: str, why: str) -> None:
    answers = {"GET /x HTTP/1.1": Reply(text="HTTP/1.1 400 So\r\n\r\n")}
    record = ask(tmp_path, replace(STANDARD, openapi=place), ScriptedRunner([]), FakeWire(answers))
    assert why in record["trouble"]


def test_schemathesis_without_a_record_is_trouble(tmp_path: Path) -> None:
    runner = ScriptedRunner([outcome(2, stderr="no")])
    with pytest.raises(ToolTrouble, match="no record"):
        ask(tmp_path, replace(FULL, openapi="api.json"), runner, FakeWire())


def test_the_seed_is_the_snapshots() -> None:
    assert smoke_endpoints.seed_of("sha256:0000000f00") == 15
    assert smoke_endpoints.seed_of("") == 0
