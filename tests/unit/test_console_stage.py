"""What is said of a stage that has ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from pipeline.console_layout import Layout
from pipeline.console_stage import duration, stage_details, stage_lines
from pipeline.core.finding import Finding, Severity, State
from pipeline.core.stage import StageResult, Status, not_run
from tests.emulator import SGR
from tests.samples import passed, results


def failed(number: int = 1, **changes: Any) -> StageResult:
    finding = Finding(
        rule="F821", tool="ruff", severity=Severity.HIGH, message="Undefined name `x`", path="a.py", line=2, column=7,
        context=("def f():", "  return x", ""), context_start=1, fix="Define it.",
    )  # fmt: skip
    findings = tuple(replace(finding, message=f"m{index}" if index else finding.message) for index in range(number))
    result = replace(passed(), status=Status.FAIL, reasons=("Too many.",), findings=findings)
    return replace(result, **changes)


def lines_of(result: StageResult, width: int | None = None) -> list[str]:
    return stage_lines(result, Layout(str, width=width))


def test_a_stage_that_passes_is_one_line() -> None:
    result = replace(passed(), reasons=("Score 10.", "Much else\nis said."))
    (line,) = lines_of(result)
    assert line == "lint     pass            1.5 s  1/1 files  Score 10. Much else is said."
    (line,) = lines_of(result, 60)
    assert line == "lint     pass            1.5 s  1/1 files  Score 10. Much …"


def test_one_that_does_not_has_its_reasons_its_findings_with_source_and_the_line_to_run_it_again() -> None:
    assert lines_of(failed()) == [
        "lint     fail            1.5 s  1/1 files",
        "    Too many.",
        "    high: Undefined name `x` [ruff F821]",
        "      a.py:2:7",
        "      1 | def f():",
        "      2 |   return x",
        "        |       ^",
        "      3 |",
        "      fix: Define it.",
        "    again: nox -s lint",
    ]


def test_the_findings_are_bounded() -> None:
    lines = lines_of(failed(7))
    assert sum("[ruff F821]" in line for line in lines) == 5
    assert lines[-2:] == ["    and 2 more in the report", "    again: nox -s lint"]


@pytest.mark.parametrize("changes", [{"counted": False}, {"state": State.WAIVED}, {"state": State.EXISTING}])
def test_what_the_gate_does_not_count_is_not_among_them(changes: dict[str, Any]) -> None:
    result = failed()
    quiet = replace(result.findings[0], **changes)
    assert not [line for line in lines_of(replace(result, findings=(quiet,))) if "F821" in line]


def test_a_finding_without_a_place_has_none() -> None:
    finding = Finding(rule="r", tool="t", severity=Severity.UNKNOWN, message="m")
    assert lines_of(failed(findings=(finding,), command=""))[2:] == ["    unknown: m [t r]"]


def test_one_that_has_not_run_and_one_of_an_earlier_run_say_so() -> None:
    assert lines_of(not_run("push", "push needs test to pass.")) == ["push     not-run", "    push needs test to pass."]
    assert "1.5 s  earlier result  1/1 files" in lines_of(replace(passed(), cached=True))[0]


def test_what_a_tool_said_stays_in_lines_and_is_bounded() -> None:
    lines = lines_of(failed(reasons=("It says:\nfirst\n\n  second", "a\n" * 40), findings=(), command=""))
    assert lines[1:5] == ["    It says:", "      first", "        second", "    a"]
    assert len(lines) == 14
    assert lines[-1] == "    and 31 more lines of reasons in the report"
    (line,) = lines_of(failed(reasons=("x" * 5000,), findings=(), command=""))[1:]
    assert len(line) == 1004


@pytest.mark.parametrize("width", [60, 80, 200])
def test_long_paths_and_messages_keep_to_the_width_and_nothing_of_them_is_lost(width: int) -> None:
    path = "/".join(["service", *["very_long_folder_name"] * 9, "app.py"])
    finding = replace(failed().findings[0], path=path, message="word " * 60 + "end")
    lines = lines_of(failed(findings=(finding,)), width)
    assert max(map(len, lines)) < width
    assert f"{path}:2:7" in "".join(line.strip() for line in lines)
    assert sum(line.count("word") for line in lines) == 60


def test_the_line_to_run_it_again_is_not_broken() -> None:
    command = f"nox -s lint -- --against {'0' * 40}"
    assert lines_of(failed(command=command), 60)[-1] == f"    again: {command}"


def test_the_details_for_a_folded_group_are_bounded_too() -> None:
    lines = stage_details(failed(80), Layout(str))
    assert lines[:2] == ["    ruff 0.14", "    met: lint findings of severity medium or worse: allowed 0, found 0."]
    assert lines[2] == "    high: a.py:2:7: m5 [ruff F821]"
    assert (len(lines), lines[-1]) == (51, "    and 27 more lines in the report")


@given(results())
def test_whatever_a_result_holds_its_lines_are_lines_of_text(result: StageResult) -> None:
    for width in (None, 60):
        layout = Layout(str, width=width, colour=True)
        for line in (*stage_lines(result, layout), *stage_details(result, layout)):
            plain = SGR.sub("", line)
            assert "\x1b" not in plain
            assert len(plain.splitlines()) <= 1
            assert not plain.lstrip().startswith(("::", "section_"))
            assert "##[" not in plain and "##vso[" not in plain.lower()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (119.4, "119 s"), (119.6, "2 min 00 s"), (3725, "62 min 05 s")]
)
def test_a_duration_is_said_as_people_do(seconds: float, text: str) -> None:
    assert duration(seconds) == text
