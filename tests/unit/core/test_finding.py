"""Findings: invalid ones can't be built, fingerprints hold when lines move, and unknown is never read as harmless."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.finding import Confidence, Finding, Severity, weighed, with_fingerprints

FINDINGS = st.builds(
    Finding,
    rule=st.sampled_from(["E1", "W2"]),
    tool=st.sampled_from(["ruff", "bandit"]),
    severity=st.sampled_from(list(Severity)),
    confidence=st.sampled_from(list(Confidence)),
    message=st.sampled_from(["bad", "worse"]),
    path=st.sampled_from(["", "a.py", "b/c.py"]),
    line=st.integers(0, 50),
    column=st.integers(0, 5),
    snippet=st.sampled_from(["", "x = 1", "  x  =  1", "eval(y)"]),
    package=st.sampled_from(["", "flask"]),
)


def _finding(**changes: Any) -> Finding:
    given_values = {"rule": "E1", "tool": "ruff", "severity": Severity.LOW, "message": "bad", "path": "a.py", **changes}
    return Finding(**given_values)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rule": ""},
        {"tool": ""},
        {"message": ""},
        {"line": -1},
        {"column": -1},
        {"path": "/etc/x"},
        {"path": "../x"},
        {"path": "a/../../x"},
        {"path": ".."},
        {"context": ("x = 1",)},
        {"context_start": 1},
        {"epss": 1.1},
        {"epss": float("nan")},
        {"cvss": -1.0},
    ],
)
def test_an_invalid_finding_can_not_be_built(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"finding|1-based|between 0 and"):
        _finding(**wrong)


def test_a_name_with_two_dots_is_no_way_out() -> None:
    assert _finding(path="a..b/c...py").path == "a..b/c...py"


@given(st.lists(FINDINGS, max_size=8))
def test_every_finding_gets_a_fingerprint_of_its_own(findings: list[Finding]) -> None:
    named = with_fingerprints(findings)
    assert len({finding.id for finding in named}) == len(findings)
    assert all(len(finding.id) == 32 for finding in named)
    assert sorted(repr(replace(finding, id="")) for finding in named) == sorted(map(repr, findings))


@given(st.lists(FINDINGS, max_size=8), st.integers(1, 1000))
def test_fingerprints_hold_when_all_lines_move(findings: list[Finding], by: int) -> None:
    moved = [replace(finding, line=finding.line + by) for finding in findings]
    before = [(f.tool, f.rule, f.id) for f in with_fingerprints(findings)]
    assert before == [(f.tool, f.rule, f.id) for f in with_fingerprints(moved)]


@given(st.lists(FINDINGS, max_size=6))
def test_fingerprints_do_not_depend_on_the_order_that_a_tool_reports_in(findings: list[Finding]) -> None:
    ids = {finding.id for finding in with_fingerprints(findings)}
    assert ids == {finding.id for finding in with_fingerprints(reversed(findings))}


def test_white_space_is_not_part_of_a_fingerprint_and_the_rule_is() -> None:
    first, second = (with_fingerprints([_finding(snippet=text)])[0] for text in ("x = 1", "\tx=1  "))
    assert first.id == second.id
    assert first.id != with_fingerprints([_finding(snippet="x = 1", rule="E2")])[0].id


def test_a_fingerprint_survives_text_that_is_no_unicode() -> None:
    assert with_fingerprints([_finding(path="a\udcff.py", message="m\ud800")])[0].id


def test_the_worst_come_first_and_unknown_before_what_is_moderate() -> None:
    order = [Severity.INFO, Severity.MEDIUM, Severity.UNKNOWN, Severity.CRITICAL, Severity.LOW]
    named = with_fingerprints([_finding(severity=severity) for severity in order])
    assert [f.severity.value for f in named] == ["critical", "unknown", "medium", "low", "info"]


@given(st.sampled_from(list(Severity)), st.sampled_from(list(Severity)))
def test_unknown_reaches_every_threshold_and_the_others_keep_their_order(one: Severity, threshold: Severity) -> None:
    assert Severity.UNKNOWN.reaches(threshold)
    if Severity.UNKNOWN not in (one, threshold):
        assert one.reaches(threshold) == (one.rank >= threshold.rank)
    assert one.reaches(one)


@pytest.mark.parametrize("threshold", [Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW])
def test_confidence_reaches_what_it_should(threshold: Confidence) -> None:
    assert Confidence.UNKNOWN.reaches(threshold)
    assert Confidence.HIGH.reaches(threshold)
    assert Confidence.LOW.reaches(threshold) == (threshold is Confidence.LOW)


@pytest.mark.parametrize("one", list(Severity))
def test_a_gate_at_an_unknown_severity_counts_everything(one: Severity) -> None:
    assert one.reaches(Severity.UNKNOWN)


@pytest.mark.parametrize("one", list(Confidence))
def test_a_gate_at_an_unknown_confidence_counts_everything(one: Confidence) -> None:
    assert one.reaches(Confidence.UNKNOWN)


def test_weighed_counts_by_severity_and_confidence() -> None:
    findings = [
        _finding(severity=severity, confidence=confidence)
        for severity in (Severity.LOW, Severity.HIGH)
        for confidence in (Confidence.LOW, Confidence.HIGH)
    ]
    counted = [f for f in weighed(findings, fail_on=Severity.MEDIUM, confidence=Confidence.MEDIUM) if f.counted]
    assert [(f.severity, f.confidence) for f in counted] == [(Severity.HIGH, Confidence.HIGH)]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"line": 3, "column": 4}, "a.py:3:4"),
        ({"line": 3}, "a.py:3"),
        ({}, "a.py"),
        ({"path": "", "package": "flask", "version": "1.0"}, "flask 1.0"),
        ({"path": "", "package": "flask"}, "flask"),
        ({"path": ""}, ""),
    ],
)
def test_a_place_is_shown_as_far_as_it_is_known(changes: dict[str, Any], place: str) -> None:
    assert _finding(**changes).place == place
