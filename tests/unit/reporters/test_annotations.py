"""Annotations that GitHub shows: the worst ones, none lost without a word, and each exactly one workflow command."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings

from pipeline.console_ci import is_annotation
from pipeline.core.finding import Finding, Severity, State
from pipeline.core.stage import StageResult, Status, not_run
from pipeline.reporters.annotations import OF_A_JOB, OF_A_STEP, annotation_commands
from tests.samples import HOSTILE, passed, report, results

NAMES = ("lint", "scan", "secrets", "audit", "test", "build", "smoke", "canary", "push")
_ESCAPES = {"%3A": ":", "%2C": ",", "%0A": "\n", "%0D": "\r", "%25": "%"}


@dataclass(frozen=True)
class Command:
    """A command as GitHub's runner reads it (actions/runner, ActionCommand.cs)."""

    level: str
    properties: dict[str, str]
    message: str


def read(line: str) -> Command:
    """The command in a line; its first two colons and the next two are what it is made of."""
    match = re.fullmatch(r"::(?P<level>[a-z]+) (?P<properties>.*?)::(?P<message>.*)", line)
    assert match is not None, line
    properties = dict(pair.split("=", 1) for pair in match["properties"].split(","))
    return Command(match["level"], {k: plain(v) for k, v in properties.items()}, plain(match["message"]))


def plain(text: str) -> str:
    """Without the escapes of a command."""
    return re.sub("|".join(_ESCAPES), lambda found: _ESCAPES[found[0]], text)


def finding(**values: Any) -> Finding:
    """A finding that counts, unless told otherwise."""
    usual = {
        "rule": "F821",
        "tool": "ruff",
        "severity": Severity.HIGH,
        "message": "Undefined: a, b",
        "path": "a,b/c:d.py",
    }
    return Finding(**{**usual, "line": 3, "column": 5, **values})


def failed(name: str, *findings: Finding) -> StageResult:
    """A stage that failed."""
    return replace(passed(name), status=Status.FAIL, reasons=("Two faults.", "100%."), findings=findings)


def commands(*stages: StageResult, of: tuple[str, ...] = NAMES, required: tuple[str, ...] = NAMES) -> list[Command]:
    """What a step prints that has run the stages ``of`` the run."""
    return [read(line) for line in annotation_commands(report(*stages, required=required), of)]


def test_a_stage_says_why_it_is_not_green_and_a_finding_stands_at_its_line() -> None:
    stage, found = commands(failed("lint", finding(fix="Define it.")))
    assert stage == Command("error", {"title": "lint is fail"}, "Two faults.\n100%.\nAgain: nox -s lint")
    place = {"file": "a,b/c:d.py", "line": "3", "endLine": "3", "col": "5"}
    assert found == Command("error", {"title": "high: ruff F821", **place}, "Undefined: a, b\nFix: Define it.")


def test_the_text_of_a_command_is_escaped_as_the_runner_wants_it() -> None:
    lines = annotation_commands(report(failed("lint", finding()), required=NAMES), NAMES)
    assert lines == (
        "::error title=lint is fail::Two faults.%0A100%25.%0AAgain: nox -s lint",
        "::error title=high%3A ruff F821,file=a%2Cb/c%3Ad.py,line=3,endLine=3,col=5::Undefined: a, b",
    )


@pytest.mark.parametrize(
    ("found", "level"),
    [
        (finding(), "error"),
        (finding(counted=False), "warning"),
        (finding(counted=False, severity=Severity.UNKNOWN), "warning"),
        (finding(counted=False, severity=Severity.LOW), "notice"),
    ],
)
def test_what_fails_is_an_error_and_the_rest_is_milder(found: Finding, level: str) -> None:
    assert [command.level for command in commands(replace(passed(), findings=(found,)))] == [level]


@pytest.mark.parametrize("state", [State.WAIVED, State.EXISTING])
def test_what_is_not_new_is_no_matter_of_this_change(state: State) -> None:
    assert not commands(replace(passed(), findings=(finding(state=state),)))


def test_a_green_run_has_none() -> None:
    assert not annotation_commands(report(passed(), passed("scan")), NAMES)
    assert not annotation_commands(report(passed()), ("other",))


@pytest.mark.parametrize(("status", "required", "level"), [
    (Status.INCONCLUSIVE, True, ["error"]), (Status.INCONCLUSIVE, False, ["warning"]),
    (Status.NOT_RUN, True, ["error"]), (Status.NOT_RUN, False, []),
])  # fmt: skip
def test_could_not_tell_is_told(status: Status, required: bool, level: list[str]) -> None:
    stage = StageResult(name="lint", status=status, reasons=("No.",))
    assert [c.level for c in commands(stage, required=("lint",) if required else ("scan",))] == level


def test_an_earlier_result_is_not_annotated_again() -> None:
    assert not commands(replace(failed("lint", finding()), cached=True), of=("lint",))


def test_a_step_keeps_to_ten_of_each_level_the_worst_first_and_says_what_is_missing() -> None:
    found = [finding(rule=f"R{n}", severity=Severity.LOW) for n in range(20)] + [finding(severity=Severity.CRITICAL)]
    found += [
        finding(counted=False, severity=severity) for severity in (Severity.MEDIUM, Severity.INFO) for _ in range(15)
    ]
    shown = commands(failed("lint", *found))
    levels = [command.level for command in shown]
    assert [levels.count(level) for level in ("error", "warning", "notice")] == [OF_A_STEP] * 3
    assert [c.properties["title"] for c in shown[:3]] == ["lint is fail", "critical: ruff F821", "low: ruff R0"]
    assert shown[-1].properties["title"] == "More annotations than GitHub shows"
    assert shown[-1].message == f"{1 + len(found) - 29} more are in the job's summary and in the reports."


def test_the_steps_of_a_job_keep_to_fifty_and_each_has_its_say() -> None:
    many = [finding(counted=n % 3 > 0, severity=severity) for n in range(40) for severity in Severity]
    stages = [failed(name, *many) for name in NAMES]
    steps = [commands(*stages, of=(name,)) for name in NAMES]
    assert all(f"{name} is fail" == step[0].properties["title"] for name, step in zip(NAMES, steps, strict=True))
    assert all(step[-1].level == "notice" and "more are in" in step[-1].message for step in steps)
    # GitHub adds one of its own for each step that fails.
    assert sum(len(step) + 1 for step in steps) <= OF_A_JOB


def test_a_later_stage_may_have_what_earlier_ones_left() -> None:
    many = [finding(rule=f"R{n}") for n in range(9)]
    assert len(commands(*(passed(name) for name in NAMES[:-1]), failed("push", *many), of=("push",))) == 10


def test_what_was_reused_still_counts_for_the_steps_after_it() -> None:
    many = [finding(counted=n % 3 > 0, severity=severity) for n in range(40) for severity in Severity]
    stages = [replace(failed(name, *many), cached=name != "push") for name in NAMES]
    assert len(commands(*stages, of=NAMES)) == len(commands(*(replace(s, cached=False) for s in stages), of=("push",)))


def test_one_step_that_runs_everything_has_one_allowance() -> None:
    stages = [failed(name, *(finding() for _ in range(9))) for name in NAMES]
    shown = commands(*stages)
    assert [c.properties["title"] for c in shown[:9]] == [f"{name} is fail" for name in NAMES]
    assert len(shown) == OF_A_STEP + 1


@settings(max_examples=40)
@given(results(), results(name="scan"))
def test_any_text_is_one_command_a_line_that_says_it(one: StageResult, other: StageResult) -> None:
    for line in annotation_commands(report(one, other), ("lint", "scan")):
        assert len(line.splitlines()) == 1 and is_annotation(line)
        command = read(line)
        assert command.level in ("error", "warning", "notice")
        assert set(command.properties) <= {"title", "file", "line", "endLine", "col"}
        assert command.message and "##[" not in line and not re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", line)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_ends_no_command_and_begins_none(text: str) -> None:
    stage = replace(failed("lint", finding(message=text, rule=text, fix=text)), reasons=(text,), command=text)
    assert len(commands(stage)) == 2


def test_the_command_says_the_same_whoever_is_not_run() -> None:
    shown = commands(failed("lint"), not_run("push", "lint did not pass."), of=("lint", "push"))
    assert [c.properties["title"] for c in shown] == ["lint is fail", "push is not-run"]
