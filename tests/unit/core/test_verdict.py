"""Green means proven: no combination of gates, evidence and doubts passes that should not."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.evidence import Control, Evidence
from pipeline.core.finding import Finding, Severity
from pipeline.core.gate import Gate, check_gate
from pipeline.core.stage import Examination, StageResult, Status, not_run
from pipeline.core.verdict import EXIT_CODES, conclude, verdict, worst

NAMES = st.sampled_from(["a", "b", "c", "d"])
CONTROLS = st.builds(Control, tool=st.just("tool"), planted=st.just("sample"), caught=st.booleans())
EVIDENCE = st.builds(
    Evidence,
    unit=st.just("files"),
    expected=st.frozensets(NAMES),
    checked=st.frozensets(NAMES),
    controls=st.lists(CONTROLS, max_size=3).map(tuple),
)
GATES = st.builds(Gate, what=st.just("faults"), allowed=st.just("0"), found=st.just("n"), passed=st.booleans())
SENTENCES = st.lists(st.sampled_from(["One.", "Two.", "Three."]), max_size=3).map(tuple)
EXAMINATIONS = st.builds(
    Examination, evidence=EVIDENCE, gates=st.lists(GATES, max_size=3).map(tuple), doubts=SENTENCES, notes=SENTENCES
)
STATUSES = st.sampled_from(list(Status))
GREEN = Evidence.of("files", expected=("a",), checked=("a",), controls=(Control(tool="t", planted="s", caught=True),))
MET = check_gate(True, what="faults", allowed="0", found="0")


def _result(name: str, status: Status) -> StageResult:
    return StageResult(name=name, status=status, reasons=("Because.",), evidence=GREEN)


@given(EXAMINATIONS)
def test_a_pass_has_every_gate_met_all_evidence_and_no_doubt(examination: Examination) -> None:
    status, reasons = conclude(examination)
    evidence = examination.evidence
    proven = (
        bool(examination.gates)
        and all(gate.passed for gate in examination.gates)
        and not examination.doubts
        and bool(evidence.expected)
        and evidence.expected <= evidence.checked
        and all(control.caught for control in evidence.controls)
    )
    assert (status is Status.PASS) == proven
    assert set(examination.notes) <= set(reasons)


@given(EXAMINATIONS)
def test_every_reason_is_given_whichever_status_wins(examination: Examination) -> None:
    status, reasons = conclude(examination)
    missed = [gate.sentence for gate in examination.gates if not gate.passed]
    assert (status is Status.FAIL) == bool(missed)
    assert set(missed) | set(examination.doubts) | set(examination.evidence.doubts) <= set(reasons)
    assert status is Status.PASS or reasons
    assert status is not Status.NOT_RUN


def test_findings_never_change_a_status_by_themselves() -> None:
    finding = Finding(rule="r", tool="t", severity=Severity.CRITICAL, message="bad")
    assert conclude(Examination(evidence=GREEN, gates=(MET,), findings=(finding,)))[0] is Status.PASS


def test_a_stage_without_a_gate_is_not_green_and_says_so() -> None:
    status, reasons = conclude(Examination(evidence=GREEN))
    assert status is Status.INCONCLUSIVE
    assert "against a gate" in reasons[0]


@given(st.lists(STATUSES))
def test_the_worst_is_never_greener_than_any(statuses: list[Status]) -> None:
    order = list(Status)
    result = worst(statuses)
    assert all(order.index(result) <= order.index(status) for status in statuses)
    assert result in statuses or not statuses
    assert (result is Status.PASS) == (bool(statuses) and set(statuses) == {Status.PASS})


@given(st.lists(STATUSES), st.lists(STATUSES))
def test_a_further_stage_never_makes_a_verdict_greener(statuses: list[Status], more: list[Status]) -> None:
    order = list(Status)
    if statuses:
        assert order.index(worst([*statuses, *more])) <= order.index(worst(statuses))


@given(st.dictionaries(NAMES, STATUSES), st.lists(NAMES, unique=True))
def test_a_verdict_is_the_worst_of_the_required_stages_alone(statuses: dict[str, Status], required: list[str]) -> None:
    results = {name: _result(name, status) for name, status in statuses.items()}
    expected = worst(statuses.get(name, Status.NOT_RUN) for name in required)
    assert verdict(required, results) is expected


def test_the_order_is_fail_inconclusive_not_run_pass() -> None:
    order = [Status.FAIL, Status.INCONCLUSIVE, Status.NOT_RUN, Status.PASS]
    for better, worse in itertools.combinations(reversed(order), 2):
        assert worst((better, worse)) is worse


def test_of_nothing_the_verdict_is_not_run() -> None:
    assert worst(()) is Status.NOT_RUN
    assert verdict((), {"lint": _result("lint", Status.PASS)}) is Status.NOT_RUN


def test_a_missing_result_of_a_required_stage_is_not_green() -> None:
    assert verdict(("lint", "scan"), {"lint": _result("lint", Status.PASS)}) is Status.NOT_RUN


@pytest.mark.parametrize(
    ("status", "code"), [(Status.PASS, 0), (Status.FAIL, 1), (Status.INCONCLUSIVE, 3), (Status.NOT_RUN, 3)]
)
def test_exit_codes_are_the_contract(status: Status, code: int) -> None:
    assert EXIT_CODES[status] == code
    assert set(EXIT_CODES) == set(Status)


def test_not_run_says_why() -> None:
    result = not_run("lint", "It was not selected.", snapshot="s", policy="p", command="nox -s lint")
    assert (result.status, result.reasons) == (Status.NOT_RUN, ("It was not selected.",))
    assert (result.snapshot, result.policy, result.command, result.evidence) == ("s", "p", "nox -s lint", None)
