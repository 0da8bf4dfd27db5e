"""GitLab's code quality report, read back with a schema of our own, made from GitLab's documentation of the format."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from pipeline.core.finding import Finding, Severity, State
from pipeline.core.stage import StageResult
from pipeline.reporters import FORMATS, code_quality
from tests.samples import HOSTILE, passed, report, results

# https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
TEXT = {"type": "string", "minLength": 1}
ISSUE = {
    "type": "object",
    "required": ["description", "check_name", "fingerprint", "severity", "location"],
    "properties": {
        "description": TEXT,
        "check_name": TEXT,
        "fingerprint": TEXT,
        "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
        "location": {
            "type": "object",
            "required": ["path", "lines"],
            "properties": {
                # Relative to the repository, and without "./" in front.
                "path": {"type": "string", "pattern": "^(?!/|\\./)."},
                "lines": {
                    "type": "object",
                    "required": ["begin"],
                    "properties": {"begin": {"type": "integer", "minimum": 1}},
                },
            },
        },
    },
}
READER = jsonschema.Draft202012Validator({"type": "array", "items": ISSUE})


def issues(*stages: StageResult) -> list[dict[str, Any]]:
    """The report, read back."""
    document: list[dict[str, Any]] = json.loads(code_quality.render(report(*stages)))
    READER.validate(document)
    return document


def finding(**values: Any) -> Finding:
    """A finding of ruff, unless told otherwise."""
    usual = {"rule": "F821", "tool": "ruff", "severity": Severity.HIGH, "message": "Undefined name", "path": "a/b.py"}
    return Finding(**{**usual, "line": 3, "id": "0" * 32, **values})


def test_an_issue_has_what_gitlab_reads() -> None:
    assert issues(replace(passed(), findings=(finding(),))) == [
        {
            "description": "Undefined name [ruff F821]",
            "check_name": "ruff F821",
            "fingerprint": "0" * 32,
            "severity": "critical",
            "location": {"path": "a/b.py", "lines": {"begin": 3}},
        }
    ]


def test_nothing_found_is_an_empty_list_by_which_gitlab_sees_what_is_resolved() -> None:
    assert issues(passed()) == []
    assert FORMATS["code-quality"].files(report(passed())) == {"gl-code-quality-report.json": "[]\n"}


def test_the_worst_come_first_and_what_nobody_rated_is_no_trifle() -> None:
    found = tuple(finding(severity=severity, id=str(severity)) for severity in reversed(Severity))
    told = [(issue["fingerprint"], issue["severity"]) for issue in issues(replace(passed(), findings=found))]
    assert told == [
        ("critical", "blocker"), ("unknown", "critical"), ("high", "critical"), ("medium", "major"), ("low", "minor"),
        ("info", "info"),
    ]  # fmt: skip


def test_waived_findings_are_left_out_and_those_of_before_stay() -> None:
    found = tuple(finding(state=state, id=str(state)) for state in State)
    assert [issue["fingerprint"] for issue in issues(replace(passed(), findings=found))] == ["new", "existing"]


@pytest.mark.parametrize(("path", "line"), [("", 0), ("", 9), ("a.py", 0)])
def test_a_finding_without_a_place_has_one(path: str, line: int) -> None:
    (issue,) = issues(replace(passed(), findings=(finding(path=path, line=line),)))
    assert issue["location"] == {"path": path or "pyproject.toml", "lines": {"begin": 1}}


def test_no_two_issues_share_a_fingerprint_and_all_are_the_same_in_the_next_run() -> None:
    found = (finding(), finding(), finding(id=""), finding(id=""), finding(id="", message="other"))
    names = [issue["fingerprint"] for issue in issues(replace(passed(), findings=found))]
    assert len(set(names)) == 5
    assert names == [issue["fingerprint"] for issue in issues(replace(passed("test"), findings=found))]


@settings(max_examples=40)
@given(results(), results(name="scan"))
def test_any_text_is_read_back(one: StageResult, other: StageResult) -> None:
    found = issues(one, other)
    assert len(found) == sum(f.state is not State.WAIVED for result in (one, other) for f in result.findings)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_no_command_where_the_file_is_printed(text: str) -> None:
    shown = code_quality.render(report(replace(passed(), findings=(finding(message=text, rule=text),))))
    assert not [line for line in shown.splitlines() if line.lstrip().startswith("::") or "##[" in line]
    assert "<script" not in shown and "\x1b" not in shown
