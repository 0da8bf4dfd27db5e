"""The last lines of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from pipeline.console_layout import Layout
from pipeline.console_summary import summary_lines
from pipeline.core.evidence import Evidence
from pipeline.core.finding import Finding, Severity, State
from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult, Status, not_run
from tests.samples import passed, report, results

PLACES = ("reports/index.html",)


def lines_of(made: Report, *planned: str, width: int | None = None) -> list[str]:
    return summary_lines(made, planned, PLACES, Layout(str, width=width))


def finding(state: State) -> Finding:
    return Finding(rule="r", tool="t", severity=Severity.LOW, message="m", state=state)


def whole() -> Report:
    evidence = Evidence.of("test functions", expected=map(str, range(1260)), checked=map(str, range(1259)))
    found = (*map(finding, (State.NEW, State.WAIVED)), replace(finding(State.NEW), counted=False))
    test = replace(
        passed("test"), status=Status.FAIL, duration_s=150.0, evidence=evidence, findings=found, reasons=("No.",)
    )
    return report(
        passed(), replace(passed("audit"), cached=True), test, not_run("push", "No."), not_run("scan", "No."),
        required=("lint", "test", "push"),
    )  # fmt: skip


def test_every_stage_stands_in_a_table_then_the_slowest_the_verdict_and_where_to_read_on() -> None:
    assert lines_of(whole(), "lint", "audit", "test", "push") == [
        "",
        "stage  status      time  checked                   findings",
        "lint   pass       1.5 s  1/1 files",
        "audit  pass     earlier  1/1 files",
        "test   fail     150.0 s  1259/1260 test functions  2 new (1 counted), 1 waived",
        "push   not-run",
        "",
        "slowest: test 2 min 30 s (99%), lint 2 s (1%); all stages 2 min 32 s",
        "not selected: scan",
        "verdict: fail (test fail, push not-run)",
        "report: reports/index.html",
    ]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_it_keeps_to_the_width_and_loses_no_status(width: int) -> None:
    name = "a-stage-of-a-project-with-a-very-long-name-that-nobody-needs"
    made = whole()
    made = replace(made, results=(*made.results, replace(made.results[2], name=name)))
    lines = lines_of(made, *(result.name for result in made.results), width=width)
    assert all(cell_len(line) < width for line in lines)
    rows = lines[2 : 2 + len(made.results)]
    assert [result.status in row for result, row in zip(made.results, rows, strict=True)] == [True] * 6
    assert "…" in rows[-1] or width == 200


def test_a_single_stage_needs_no_table() -> None:
    assert lines_of(report(passed(), not_run("scan", "No.")), "lint") == [
        "not selected: scan",
        "verdict: pass",
        "report: reports/index.html",
    ]


def test_a_required_stage_that_nobody_selected_is_told_of() -> None:
    made = report(passed(), not_run("scan", "No."), required=("lint", "scan"))
    assert lines_of(made, "lint")[-2] == "verdict: not-run (1 required but not selected)"


@settings(max_examples=40)
@given(st.lists(results(), min_size=2, max_size=3), st.sampled_from([None, 60]))
def test_whatever_the_results_hold_no_line_steers(made: list[StageResult], width: int | None) -> None:
    named = [replace(result, name=f"{result.command}{index}") for index, result in enumerate(made)]
    for line in lines_of(report(*named), *(result.name for result in named), width=width):
        assert len(line.splitlines()) <= 1
        assert "\x1b" not in line and "##[" not in line
        assert not line.lstrip().startswith(("::", "section_"))
        assert width is None or cell_len(line) < width
