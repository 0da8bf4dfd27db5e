"""Gates compare values, never their rounded form, and what they print shows why they were missed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.finding import Finding, Severity, State, weighed
from pipeline.core.gate import (
    ceiling_gate,
    check_gate,
    count_gate,
    counted_again,
    findings_gate,
    floor_gate,
    severity_gates,
    steadiness_gates,
)

NUMBERS = st.floats(-1000, 1000, allow_nan=False)


@given(NUMBERS, NUMBERS)
def test_a_floor_and_a_ceiling_compare_the_value_itself(value: float, limit: float) -> None:
    floor, ceiling = floor_gate(value, limit, what="x"), ceiling_gate(value, limit, what="x")
    assert floor.passed == (value >= limit)
    assert ceiling.passed == (value <= limit)


@given(NUMBERS, NUMBERS)
def test_a_missed_gate_never_prints_twice_the_same_number(value: float, limit: float) -> None:
    for gate, words in (
        (floor_gate(value, limit, what="x"), "at least "),
        (ceiling_gate(value, limit, what="x"), "at most "),
    ):
        if not gate.passed:
            assert gate.allowed.removeprefix(words) != gate.found


def test_what_rounds_to_the_limit_is_shown_in_full() -> None:
    assert floor_gate(94.999, 95.0, what="coverage", unit=" %").sentence == (
        "coverage: allowed at least 95.0 %, found 94.999 %."
    )
    assert ceiling_gate(250.001, 250.0, what="p95", unit=" ms").found == "250.001 ms"
    assert (
        floor_gate(94.5, 95.0, what="coverage", unit=" %").sentence
        == "coverage: allowed at least 95.00 %, found 94.50 %."
    )


@pytest.mark.parametrize("gate", [floor_gate, ceiling_gate])
def test_not_a_number_meets_nothing(gate: type) -> None:
    assert not gate(math.nan, 1.0, what="x").passed


@pytest.mark.parametrize(("count", "passed"), [(0, False), (1, True), (2, True)])
def test_a_count_has_a_least(count: int, passed: bool) -> None:
    gate = count_gate(count, 1, what="tests")
    assert (gate.passed, gate.found, gate.allowed) == (passed, str(count), "at least 1")


def test_a_check_is_what_it_is_told() -> None:
    assert (
        check_gate(False, what="user", allowed="not root", found="root").sentence
        == "user: allowed not root, found root."
    )


@pytest.mark.parametrize(
    ("severity", "state", "passed"),
    [
        (Severity.HIGH, State.NEW, False),
        (Severity.UNKNOWN, State.NEW, False),
        (Severity.LOW, State.NEW, True),
        (Severity.HIGH, State.WAIVED, True),
        (Severity.HIGH, State.EXISTING, True),
    ],
)
def test_only_new_findings_that_count_are_counted(severity: Severity, state: State, passed: bool) -> None:
    finding = Finding(rule="r", tool="t", severity=severity, message="m", state=state)
    gate = findings_gate(weighed([finding], fail_on=Severity.MEDIUM), what="findings", fail_on=Severity.MEDIUM)
    assert (gate.passed, gate.found) == (passed, "0" if passed else "1")
    assert gate.what == "findings of severity medium or worse"


def findings_of(*severities: Severity, state: State = State.NEW) -> list[Finding]:
    """A finding of each severity, below every gate but the maxima."""
    return [
        Finding(rule="R", tool="t", severity=severity, message="m", counted=False, state=state)
        for severity in severities
    ]


@pytest.mark.parametrize(
    ("most", "found", "passed"), [(0, 0, True), (0, 1, False), (2, 2, True), (2, 3, False)]
)  # fmt: skip
def test_a_maximum_of_a_severity_counts_just_that_severity(most: int, found: int, passed: bool) -> None:
    findings = findings_of(*[Severity.LOW] * found, Severity.MEDIUM, Severity.INFO, Severity.UNKNOWN)
    (gate,) = severity_gates(findings, what="findings", most={Severity.LOW: most})
    assert (gate.passed, gate.of_findings) == (passed, True)
    assert gate.sentence == f"findings of severity low: allowed at most {most}, found {found}."


def test_known_and_waived_findings_are_no_part_of_it_and_it_is_counted_again() -> None:
    new = findings_of(Severity.LOW, Severity.LOW)
    (gate,) = severity_gates(new, what="findings", most={Severity.LOW: 1})
    assert not gate.passed
    waived = [*findings_of(Severity.LOW, state=State.WAIVED), *findings_of(Severity.LOW)]
    assert counted_again(gate, waived).passed
    assert not severity_gates(new, what="findings", most={})


def test_a_test_that_passed_only_on_another_try_is_gated_where_there_is_one() -> None:
    assert not steadiness_gates((), 0)
    (gate,) = steadiness_gates(("a.py::test_x", "a.py::test_y"), 0)
    assert not gate.passed
    assert "test_x" in gate.found
    (gate,) = steadiness_gates(("a.py::test_x",), 1)
    assert gate.passed
