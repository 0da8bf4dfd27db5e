"""What is said of a history beside a report: nothing in it contradicts, and nothing in it is taken for proof."""

from __future__ import annotations

from dataclasses import replace

from pipeline.core.change import entry_of
from pipeline.core.history import HistoryEntry
from pipeline.core.run_record import Report
from pipeline.core.stage import Status
from pipeline.core.verification import Answer
from pipeline.core.verification_history import history_told
from tests.samples import passed, report

REPORT = report(passed())
OWN = entry_of(REPORT)


def told(entries: tuple[HistoryEntry, ...], notes: tuple[str, ...] = (), made: Report = REPORT) -> list[Answer]:
    """The answers."""
    return [statement.answer for statement in history_told(entries, notes, made)]


def test_the_line_of_the_run_itself_is_confirmed_even_when_it_has_forgotten_its_fingerprints() -> None:
    assert told((OWN,)) == [Answer.CONFIRMED]
    assert told((OWN.without_prints(),)) == [Answer.CONFIRMED]
    assert told((replace(OWN, finished="2026-02-01T00:00:00.000Z"),)) == [Answer.CONFIRMED]


def test_another_state_of_the_run_is_left_open() -> None:
    assert told((replace(OWN, verdict=Status.FAIL),)) == [Answer.OPEN]


def test_the_last_green_run_rests_on_the_report_s_own_word() -> None:
    made = replace(REPORT, record=replace(REPORT.record, run_id="other", last_green=OWN))
    assert told((OWN,), made=made) == [Answer.OPEN]


def test_damage_is_told_within_bounds() -> None:
    assert told((), tuple(f"Line {number} is damaged." for number in range(99))) == [Answer.OPEN] * 5
    assert not told(())
