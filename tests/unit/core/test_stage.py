"""Results that would say something untrue can't be built."""

from __future__ import annotations

import pytest

from pipeline.core.evidence import Evidence
from pipeline.core.finding import Finding, Severity, State
from pipeline.core.run_record import Report, RunRecord
from pipeline.core.stage import StageResult, Status


@pytest.mark.parametrize("status", [Status.FAIL, Status.INCONCLUSIVE, Status.NOT_RUN])
def test_what_is_not_green_says_why(status: Status) -> None:
    with pytest.raises(ValueError, match="says why"):
        StageResult(name="lint", status=status, reasons=())


def test_what_is_green_shows_its_evidence() -> None:
    with pytest.raises(ValueError, match="shows its evidence"):
        StageResult(name="lint", status=Status.PASS, reasons=())


def test_statuses_are_declared_worst_first() -> None:
    assert [str(status) for status in Status] == ["fail", "inconclusive", "not-run", "pass"]


def test_findings_are_counted_by_state() -> None:
    states = (State.NEW, State.NEW, State.WAIVED)
    findings = tuple(Finding(rule="r", tool="t", severity=Severity.LOW, message="m", state=s) for s in states)
    result = StageResult(name="lint", status=Status.FAIL, reasons=("Bad.",), findings=findings)
    assert result.counts() == {"new": 2, "existing": 0, "waived": 1}


def test_a_report_has_the_verdict_of_its_required_stages() -> None:
    record = RunRecord(
        run_id="1",
        snapshot="s",
        commit="c",
        branch="",
        dirty=False,
        started="",
        actor="",
        python="",
        platform="",
        stages=("lint", "scan"),
        required=("lint",),
        policy_digest="p",
    )
    passed = StageResult(
        name="lint", status=Status.PASS, reasons=(), evidence=Evidence.of("files", expected="a", checked="a")
    )
    failed = StageResult(name="scan", status=Status.FAIL, reasons=("Bad.",))
    assert Report(record=record, results=(passed, failed), finished="").verdict is Status.PASS
    assert Report(record=record, results=(failed,), finished="").verdict is Status.NOT_RUN
