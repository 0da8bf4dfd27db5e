"""``pipeline.json`` is the contract of DESIGN.md, key by key, and a stage's own file comes back as it was."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from pipeline.core.evidence import Evidence
from pipeline.core.finding import Finding, Severity
from pipeline.core.stage import NotChecked, StageResult, Status, Suppression, not_run
from pipeline.reporters import json_reading, json_report
from tests.samples import passed, report, results

# "Version 1 grows by addition only": what DESIGN.md lists, and what was added since.
REPORT = {
    "schema",
    "verdict",
    "required",
    "snapshot",
    "commit",
    "branch",
    "dirty",
    "started",
    "finished",
    "actor",
    "python",
    "platform",
    "policy",
    "stages",
    "findings",
    "waivers",
    "suppressions",
    "not_checked",
}
STAGE = {
    "name",
    "status",
    "reasons",
    "gates",
    "tools",
    "evidence",
    "metrics",
    "findings",
    "artifacts",
    "started",
    "duration_s",
    "cached",
    "command",
}
FINDING = {
    "id",
    "rule",
    "tool",
    "severity",
    "confidence",
    "message",
    "path",
    "line",
    "column",
    "snippet",
    "package",
    "version",
    "cwe",
    "aliases",
    "fix",
    "state",
}


def _document(*stages: StageResult) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json_report.render(report(*stages)))
    return document


def _full() -> StageResult:
    return replace(
        passed(),
        findings=(Finding(rule="r", tool="t", severity=Severity.LOW, message="m", cwe=(79,), counted=False),),
        suppressions=(Suppression(kind="noqa", path="a.py", line=3, text="# noqa", reason="it is wider"),),
        not_checked=(NotChecked(what="docs (2 files)", reason="they are made by a tool"),),
    )


def test_the_keys_are_those_of_the_contract() -> None:
    document = _document(_full())
    stage, finding = document["stages"][0], document["findings"][0]
    assert set(document) == REPORT | {"run", "generator", "results", "checksum", "last_green"}
    assert set(stage) == STAGE | {"details", "components", "basis", "reused", "retries"}
    added = {"stage", "counted", "owner", "context", "context_start", "sources", "cvss", "exploited", "epss"}
    assert set(finding) == FINDING | added
    assert set(document["policy"]) == {"digest", "effective", "against", "changes", "approval"}
    assert [set(item) for item in (*stage["gates"], *stage["tools"], *stage["artifacts"])] == [
        {"what", "allowed", "found", "passed", "of_findings", "of_severity", "most"},
        {"name", "version"},
        {"path", "sha256"},
    ]
    assert set(stage["evidence"]) == {"unit", "expected", "checked", "control", "missing", "nothing_expected"}
    assert stage["findings"] == {"new": 1, "existing": 0, "waived": 0}


def test_the_values_are_those_of_the_run() -> None:
    document = _document(_full(), not_run("scan", "It was not selected."))
    assert document["schema"] == "pipeline.report/v1"
    assert (document["verdict"], document["required"], document["dirty"]) == ("pass", ["lint"], False)
    assert document["stages"][0]["evidence"]["control"] == {
        "caught": True,
        "samples": [{"tool": "ruff", "planted": "fault", "caught": True}],
    }
    assert (document["stages"][1]["status"], document["stages"][1]["evidence"]) == ("not-run", None)
    assert (document["findings"][0]["stage"], document["findings"][0]["cwe"]) == ("lint", [79])
    assert document["not_checked"] == [{"stage": "lint", "what": "docs (2 files)", "reason": "they are made by a tool"}]
    silenced = {"kind": "noqa", "path": "a.py", "line": 3, "text": "# noqa", "reason": "it is wider"}
    assert document["suppressions"][0] == {"stage": "lint", **silenced}
    assert document["waivers"] == []


def test_only_what_was_expected_counts_as_checked() -> None:
    evidence = Evidence.of("files", expected=("a", "b"), checked=("b", "c", "d"))
    stage = StageResult(name="lint", status=Status.INCONCLUSIVE, reasons=("No.",), evidence=evidence)
    shown = _document(stage)["stages"][0]["evidence"]
    counts = {"unit": "files", "expected": 2, "checked": 1, "missing": ["a"]}
    assert shown == {**counts, "nothing_expected": "", "control": None}


def test_the_reason_for_an_empty_expected_set_is_shown_and_read_back() -> None:
    nothing = Evidence(unit="files", expected=frozenset(), checked=frozenset(), nothing_expected="It has none yet.")
    stage = StageResult(name="lint", status=Status.PASS, reasons=(), evidence=nothing)
    assert _document(stage)["stages"][0]["evidence"]["nothing_expected"] == "It has none yet."
    assert json_reading.parse_stage(json_report.render_stage(stage)) == stage


@given(results())
def test_a_stage_comes_back_as_it_was(result: StageResult) -> None:
    text = json_report.render_stage(result)
    back = json_reading.parse_stage(text)
    assert back == replace(result, duration_s=round(result.duration_s, 3))
    assert json_report.render_stage(back) == text


@given(results())
def test_a_report_is_strict_json_in_ascii_whatever_it_holds(result: StageResult) -> None:
    text = json_report.render(report(result))
    assert text.isascii()
    assert not set(text) & {"\x1b", "\r", "\x00"}
    json.loads(text, parse_constant=pytest.fail)


@given(results(), results("scan"))
def test_what_a_report_says_of_its_run_comes_back_and_is_rendered_the_same(
    one: StageResult, other: StageResult
) -> None:
    made = report(one, other)
    text = json_report.render(made)
    record, finished = json_reading.parse_record(text)
    assert (record, finished) == (replace(made.record, stages=("lint", "scan")), made.finished)
    assert json_report.render(replace(made, record=record, finished=finished)) == text


@given(results())
def test_a_report_names_the_digest_of_each_result_and_its_own(result: StageResult) -> None:
    text = json_report.render(report(result))
    assert json.loads(text)["results"] == {"lint": json_report.digest(json_report.render_stage(result))}
    told, derived = json_reading.checksum(text)
    assert told == derived == json.loads(text)["checksum"]
    assert json_reading.checksum(text.replace("pipeline.report/v1", "pipeline.report/v2"))[1] != told


@pytest.mark.parametrize("text", ["", "{}", '{"checksum": "0"}\n', json_report.render(report(passed())) + " "])
def test_a_text_without_a_checksum_at_its_end_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="checksum"):
        json_reading.checksum(text)


def test_a_doubt_makes_a_green_that_was_read_none() -> None:
    told = replace(passed(), doubts=("It saw only half.",))
    assert json_reading.parse_stage(json_report.render_stage(told)) is None
    assert json_reading.read_stage(json_report.render_stage(told)) == told


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_numbers_that_json_has_not_are_text(number: float) -> None:
    stage = replace(passed(), metrics={"p95_ms": number})
    assert _document(stage)["stages"][0]["metrics"] == {"p95_ms": str(number)}
    assert json_reading.parse_stage(json_report.render_stage(stage)) == replace(stage, metrics={"p95_ms": str(number)})


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "pipeline.stage/v2"},
        {"status": "green"},
        {"evidence": {"unit": "files"}},
        {"evidence": None},
        {"details": None},
        {"details": {}},
        {"gates": [{"what": "x", "allowed": "0", "found": "1", "passed": False}]},
        {"status": "fail", "reasons": []},
        {"metrics": {"x": []}},
    ],
)
def test_a_stage_that_does_not_hold_together_is_no_result(change: dict[str, Any]) -> None:
    document = json.loads(json_report.render_stage(passed()))
    assert json_reading.parse_stage(json.dumps(document)) is not None
    assert json_reading.parse_stage(json.dumps({**document, **change})) is None


def test_a_green_whose_evidence_was_cut_is_no_result() -> None:
    document = json.loads(json_report.render_stage(passed()))
    document["details"]["checked"] = []
    assert json_reading.parse_stage(json.dumps(document)) is None


@pytest.mark.parametrize("text", ["", "null", "[]", "3", '"x"', "{}", "{" * 10, "[" * 100_000])
def test_anything_else_is_no_result(text: str) -> None:
    assert json_reading.parse_stage(text) is None


def test_keys_of_a_later_version_are_passed_over() -> None:
    document = json.loads(json_report.render_stage(passed()))
    assert json_reading.parse_stage(json.dumps({**document, "later": 1})) == passed()
