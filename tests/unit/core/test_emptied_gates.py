"""Configuration that empties a gate is a finding of the pipeline, which counts whatever the stage's thresholds say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.disposition import disposed
from pipeline.core.emptied_gates import (
    excludes_everything,
    floor_of_nothing,
    limit_of_nothing,
    own_line,
    threshold_above_all,
    with_configuration,
)
from pipeline.core.evidence import Evidence
from pipeline.core.finding import Finding, Severity, State, weighed
from pipeline.core.gate import findings_gate
from pipeline.core.stage import Examination, Status
from pipeline.core.verdict import conclude

OWN = """[tool.pipeline]
name = "x"
scan.fail_on = "critical"
[tool.pipeline.lint]
paths = ["a"]
score_floor = 0
[tool.other]
score_floor = 1
"""


def examined(*findings: Finding) -> Examination:
    """An examination with a gate that counts critical findings alone."""
    return Examination(
        evidence=Evidence.of("files", expected=("a",), checked=("a",)),
        gates=(findings_gate(findings, what="credentials", fail_on=Severity.CRITICAL),),
        findings=findings,
    )


def test_it_counts_beside_thresholds_that_would_let_it_pass() -> None:
    (found,) = floor_of_nothing("lint.score_floor", 0, OWN)
    result = with_configuration(examined(), [found])
    status, reasons = conclude(result)
    assert status is Status.FAIL
    assert reasons[0] == "credentials of severity critical or worse: allowed 0, found 1."
    assert "lint.score_floor is 0, which nothing can miss." in reasons[1]
    assert result.findings[0].id


def test_it_can_be_waived_like_any_other_finding() -> None:
    result = with_configuration(examined(), floor_of_nothing("lint.score_floor", 0, OWN))
    waived = disposed(result, lambda finding: State.WAIVED if finding.tool == "pipeline" else State.NEW)
    assert conclude(waived)[0] is Status.PASS


def test_without_any_the_examination_stays_as_it_is() -> None:
    old = weighed([Finding(rule="r", tool="t", severity=Severity.LOW, message="m")], fail_on=Severity.HIGH)
    assert with_configuration(examined(*old), []) == examined(*old)


def test_a_stage_that_had_nothing_to_check_gets_a_gate_for_it() -> None:
    blank = Examination(evidence=Evidence.of("files", expected=(), checked=()))
    assert conclude(with_configuration(blank, [excludes_everything("scan.exclude", OWN)]))[0] is Status.FAIL


@given(st.one_of(st.none(), st.floats(-5, 10)))
def test_only_a_floor_above_nothing_is_one(value: float | None) -> None:
    assert bool(floor_of_nothing("lint.score_floor", value, OWN)) is (value is not None and value <= 0)


@pytest.mark.parametrize(("value", "found"), [(10, 0), (50, 0), (51, 1), (1000, 1)])
def test_a_limit_that_nothing_exceeds_is_none(value: int, found: int) -> None:
    assert len(limit_of_nothing("lint.max_complexity", value, 50, OWN)) == found


@pytest.mark.parametrize("fail_on", list(Severity))
def test_a_threshold_is_one_that_the_tools_can_reach(fail_on: Severity) -> None:
    found = threshold_above_all("scan.fail_on", fail_on, Severity.HIGH, OWN)
    assert bool(found) is (fail_on is Severity.CRITICAL)


@pytest.mark.parametrize(
    ("key", "line"), [("lint.score_floor", 6), ("scan.fail_on", 3), ("name", 2), ("lint.absent", 0), ("test.paths", 0)]
)
def test_the_line_of_a_key_of_our_own_is_known(key: str, line: int) -> None:
    assert own_line(OWN, key) == line


def test_a_value_of_the_environment_has_no_place_in_the_file() -> None:
    (found,) = floor_of_nothing("test.coverage_floor", 0, OWN)
    assert (found.path, found.line) == ("", 0)
    (found,) = floor_of_nothing("lint.score_floor", 0, OWN)
    assert (found.path, found.line, found.severity) == ("pyproject.toml", 6, Severity.HIGH)
