"""Waivers are held against the day of the verification: what they hide may count again by then."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from pipeline.core.evidence import Evidence
from pipeline.core.finding import Finding, Severity, State
from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult, Status
from pipeline.core.verification import Answer
from pipeline.core.verification_waivers import waivers_today
from pipeline.core.waiver import Waiver
from tests.samples import MET, RECORD

WAIVER = Waiver(
    id="B602", tool="bandit", scope="a.py", reason="It is a sample of a test.", owner="me", created=date(2025, 12, 1),
    expires=date(2026, 3, 1), line=1, last_line=7, stages=("scan",),
)  # fmt: skip
FOUND = Finding(
    rule="B602", tool="bandit", severity=Severity.HIGH, message="m", path="a.py", state=State.WAIVED, id="0123"
)
SCAN = StageResult(
    name="scan", status=Status.PASS, reasons=(), gates=(MET,), findings=(FOUND,),
    evidence=Evidence.of("files", expected=("a.py",), checked=("a.py",)),
)  # fmt: skip


def report(*waivers: Waiver) -> Report:
    """A report of the scan with these waivers."""
    return Report(record=replace(RECORD, waivers=waivers), results=(SCAN,), finished=RECORD.started)


@pytest.mark.parametrize(
    ("today", "answer", "said"),
    [
        (date(2026, 3, 1), Answer.CONFIRMED, "still holds today, and for 0 days more"),
        (date(2026, 2, 1), Answer.CONFIRMED, "still holds today, and for 28 days more"),
        (date(2026, 3, 2), Answer.OUTDATED, "expired on 2026-03-01, so a finding counts again"),
    ],
)
def test_a_waiver_holds_until_its_last_day(today: date, answer: Answer, said: str) -> None:
    (only,) = waivers_today(report(WAIVER), today)
    assert only.answer is answer
    assert said in only.text


def test_a_finding_that_a_longer_waiver_hides_too_does_not_count_again() -> None:
    both = report(WAIVER, replace(WAIVER, expires=date(2026, 5, 1)))
    assert {s.answer for s in waivers_today(both, date(2026, 4, 1))} == {Answer.CONFIRMED}


def test_a_waived_finding_without_a_waiver_is_told() -> None:
    (only,) = waivers_today(report(), date(2026, 1, 1))
    assert (only.about, only.answer) == ("scan", Answer.CONTRADICTED)
    assert "B602 at a.py is said to be waived" in only.text


def test_a_report_without_waivers_has_nothing_to_say_of_them() -> None:
    bare = Report(record=RECORD, results=(replace(SCAN, findings=()),), finished=RECORD.started)
    assert waivers_today(bare, date(2026, 1, 1)) == ()
