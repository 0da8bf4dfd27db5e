"""Schemathesis's own events, as a real run left them and damaged, and what they are read to say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.core.finding import Severity
from pipeline.errors import ToolTrouble
from pipeline.testing import outcome
from pipeline.tools.schemathesis import CHECKS, Failure, command, findings, parse
from tests.support import FIXTURES

EVENTS = (FIXTURES / "schemathesis" / "run.ndjson").read_text(encoding="utf-8")
END = {"EngineFinished": {"stop_reason": "completed"}}


def events(*more: Mapping[str, object], end: Mapping[str, object] | None = None) -> str:
    """A short run with these events in it."""
    return "\n".join(json.dumps(event) for event in ({"Initialize": {"seed": 7}}, *more, end or END))


def test_a_real_run_with_a_planted_operation_and_a_wrong_schema() -> None:
    output = parse(outcome(1), EVENTS)
    assert (output.seed, output.version, output.troubles) == (42, "4.32.5", ())
    assert {failure.operation for failure in output.failures} == {"GET /", "GET /pipeline-control-abc"}
    checks = {failure.check for failure in output.failures}
    assert checks == {"response_schema_conformance", "status_code_conformance"} <= set(CHECKS)
    assert output.answered["POST /echo"] > 0
    assert 404 in output.statuses["GET /pipeline-control-abc"]


def test_a_failure_is_found_at_its_operation_in_the_document() -> None:
    failures = parse(outcome(1), EVENTS).failures
    found = findings(failures, "service/openapi.json", {"GET /": 12})
    places = {finding.place for finding in found}
    assert places == {"service/openapi.json:12", "service/openapi.json:1"}
    assert "Response violates schema" in next(f.message for f in found if f.rule == "response_schema_conformance")


def test_a_server_error_is_graver_and_a_document_of_the_service_has_no_file() -> None:
    failure = Failure(operation="GET /", check="not_a_server_error", title="Server error", message="x" * 900, count=2)
    (finding,) = findings([failure], "", {"GET /": 12})
    assert (finding.severity, finding.path, finding.line) == (Severity.HIGH, "", 0)
    assert len(finding.message) < 500


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 0),
        (EVENTS.rsplit("\n", 2)[0], 1),
        (events(), 2),
        ("not json\n", 0),
        ('{"a": 1, "b": 2}\n', 0),
        ('{"a": 1}\n', 0),
        ("[1]\n", 0),
    ],
)
def test_a_run_that_did_not_end_says_nothing(text: str, code: int) -> None:
    with pytest.raises(ToolTrouble):
        parse(outcome(code, stderr="boom"), text)


def test_its_own_errors_and_an_early_stop_are_troubles() -> None:
    network = {"NonFatalError": {"value": {"type": "ConnectionError", "message": "refused"}, "label": "GET /"}}
    erring = {"ScenarioFinished": {"status": "error", "recorder": {"label": "GET /"}}}
    output = parse(outcome(1), events(network, erring, end={"EngineFinished": {"stop_reason": "failure_limit"}}))
    told = " ".join(output.troubles)
    assert "refused" in told
    assert "an error of its own at GET /" in told
    assert "stopped early: failure_limit" in told
    assert output.answered == {}


def test_the_end_of_its_time_is_no_trouble() -> None:
    assert not parse(outcome(0), events(end={"EngineFinished": {"stop_reason": "max_time"}})).troubles


def test_the_seed_decides_and_nothing_is_remembered() -> None:
    paths = (Path("doc.json"), "http://127.0.0.1:5000", Path("e.ndjson"))
    short = command("st", *paths, seed=7, examples=3)
    assert short[short.index("--seed") + 1] == "7"
    assert short[short.index("--generation-database") + 1] == "none"
    assert "--max-time" not in short
    assert command("st", *paths, seed=7, examples=3, seconds=60)[-1] == "e.ndjson"
    assert "60" in command("st", *paths, seed=7, examples=3, seconds=60)
