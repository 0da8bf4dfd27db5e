"""What has changed since the last green run, from two reports: statuses, findings, score, coverage."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from pipeline.core.change import Change, StageChange, change_since_last_green, entry_of
from pipeline.core.finding import Finding, Severity, State, with_fingerprints
from pipeline.core.history import MOST_PRINTS, HistoryEntry, parse, text_of
from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult, Status, not_run
from tests.samples import passed, report, results


def findings(*rules: str, state: State = State.NEW) -> tuple[Finding, ...]:
    return with_fingerprints(
        Finding(rule=rule, tool="t", severity=Severity.LOW, message="m", counted=False, state=state) for rule in rules
    )


def after(green: Report | HistoryEntry, *stages: StageResult) -> Report:
    made = report(*stages)
    since = entry_of(green) if isinstance(green, Report) else green
    return replace(made, record=replace(made.record, run_id="2-def", last_green=since))


def change_of(made: Report) -> Change:
    change = change_since_last_green(made)
    assert change is not None
    return change


def test_without_a_green_run_there_is_nothing_to_tell() -> None:
    assert change_since_last_green(report(passed())) is None


def test_an_equal_run_has_changed_nothing() -> None:
    green = report(replace(passed(), findings=findings("a", "a", "b")))
    change = change_of(after(green, *green.results))
    assert (change.added, change.gone, change.stages) == (0, 0, ())
    assert change.sentences == ("Nothing has changed.",)
    assert change.since.run == "1-abc"


def test_findings_that_came_and_went_are_counted_each_by_itself() -> None:
    green = report(replace(passed(), findings=findings("a", "a", "b")))
    change = change_of(after(green, replace(passed(), findings=findings("a", "c", "d"))))
    assert (change.added, change.gone) == (2, 2)
    assert change.sentences == ("2 findings came and 2 went.",)
    one = change_of(after(green, replace(passed(), findings=findings("a", "a", "b", "c"))))
    assert one.sentences == ("1 finding came and 0 went.",)


def test_a_waived_finding_has_gone_and_comes_again_when_its_waiver_ends() -> None:
    green = report(replace(passed(), findings=findings("a", state=State.WAIVED)))
    change = change_of(after(green, replace(passed(), findings=findings("a"))))
    assert (change.added, change.gone) == (1, 0)


def test_a_stage_that_did_not_run_in_both_loses_and_gains_no_findings() -> None:
    green = report(replace(passed(), findings=findings("a")), not_run("scan", "No."))
    scanned = replace(passed("scan"), findings=findings("b"))
    change = change_of(after(green, not_run("lint", "It was interrupted."), scanned))
    assert (change.added, change.gone) == (0, 0)
    assert change.stages == (
        StageChange(name="lint", before=Status.PASS, now=Status.NOT_RUN),
        StageChange(name="scan", before=Status.NOT_RUN, now=Status.PASS),
    )


def test_changes_are_told_in_sentences_statuses_first() -> None:
    test = replace(passed("test"), metrics={"coverage": 96.5})
    green = report(passed(), test)
    failed = replace(passed(), status=Status.FAIL, reasons=("It is worse.",), metrics={"score": 9.5})
    change = change_of(after(green, failed, replace(test, metrics={"coverage": 95})))
    assert change.sentences == (
        "lint was pass and is fail.",
        "The score was 10.00 and is 9.50.",
        "The coverage was 96.50 % and is 95.00 %.",
    )


def test_a_new_stage_did_not_exist_before() -> None:
    change = change_of(after(report(passed()), passed(), passed("own")))
    assert change.sentences == ("own did not exist and is pass.",)


def test_of_too_many_findings_only_the_number_is_known() -> None:
    one = findings("a")[0]
    many = tuple(replace(one, id=f"{number:032x}") for number in range(MOST_PRINTS + 1))
    green = report(replace(passed(), findings=many))
    assert entry_of(green).findings == MOST_PRINTS + 1
    change = change_of(after(green, replace(passed(), findings=())))
    assert (change.added, change.gone) == (None, None)
    assert change.sentences == ("There are too many findings to tell which are new and which are gone.",)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, "10", True, None])
def test_whatever_a_stage_measures_does_not_trip_the_history(value: Any) -> None:
    made = entry_of(report(replace(passed(), metrics={"score": value})))
    assert made.score is None


def test_only_a_green_run_remembers_fingerprints() -> None:
    red = replace(passed(), status=Status.FAIL, reasons=("No.",), findings=findings("a"))
    assert entry_of(report(red)).stages[0].prints is None
    assert entry_of(report(replace(passed(), findings=findings("a")))).stages[0].prints is not None


@given(results(), results("scan"))
def test_every_run_leaves_a_line_that_can_be_read(one: StageResult, other: StageResult) -> None:
    made = entry_of(report(one, other))
    assert parse(text_of([made])) == ((made,), ())
