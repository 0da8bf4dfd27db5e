"""Annotations for GitHub Actions: what needs somebody, at its line of the change, ranked and within GitHub's limits.

GitHub shows ten errors, ten warnings and ten notices of a step and fifty annotations of a job, and drops the others
without a word (https://docs.github.com/rest/checks/runs and https://github.com/orgs/community/discussions/26680). All
findings are in the job's summary and in the reports. Nothing is printed here: :meth:`pipeline.console.Console.annotate`
does that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pipeline.core.finding import Finding, Severity, State
from pipeline.core.run_record import Report
from pipeline.core.safe_text import command_data, command_property, cut
from pipeline.core.stage import StageResult, Status

OF_A_STEP = 10
"""Of each level, in one step."""
OF_A_JOB = 50
KEPT_FOR_EACH_LATER_STAGE = 4
"""So that a stage with many findings leaves something to those whose steps come after it in the job: GitHub's own
annotation of a step that fails, the stage's reasons, its worst finding, and that there are more."""
_LEVELS = ("error", "warning", "notice")
_ROOM = {"error": OF_A_STEP, "warning": OF_A_STEP, "notice": OF_A_STEP - 1}
_LONGEST_MESSAGE = 1000
_LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class _Annotation:
    """One annotation; ``line`` and ``column`` are 1-based, 0 when there is none."""

    level: str
    title: str
    message: str
    path: str = ""
    line: int = 0
    column: int = 0

    @property
    def command(self) -> str:
        """The workflow command that makes it."""
        places = {"file": self.path, "line": self.line, "endLine": self.line, "col": self.column}
        given = {"title": cut(self.title, _LONGEST_TITLE), **(places if self.path else {})}
        message = self.message.replace("\t", "    ")
        shown = ",".join(f"{name}={command_property(str(value))}" for name, value in given.items() if value)
        return f"::{self.level} {shown}::{command_data(cut(message, _LONGEST_MESSAGE))}"


def annotation_commands(report: Report, stages: Collection[str]) -> tuple[str, ...]:
    """The workflow commands for a step that has run ``stages``, worst first; an earlier result is not annotated again.

    What the steps of earlier stages have taken of the job's number is worked out from the report, in which they are:
    as if each stage had a step of its own in one job. Where that is not so, fewer are made than could be shown.
    """
    results = report.results
    ours = [index for index, result in enumerate(results) if result.name in stages and not result.cached]
    if not ours:
        return ()
    left = OF_A_JOB
    for index, result in enumerate(results[: ours[0]]):
        shown, by_github = _of_step([result], report, left, later=len(results) - index - 1)
        left -= len(shown) + by_github
    later = len(results) - ours[0] - len(ours)
    shown, _ = _of_step([results[index] for index in ours], report, left, later=later)
    return tuple(item.command for item in shown)


def _of_step(results: Sequence[StageResult], report: Report, left: int, *, later: int) -> tuple[list[_Annotation], int]:
    """A step's annotations, where the job has ``left`` so many, and how many GitHub adds when the step fails."""
    by_github = int(any(result.status is not Status.PASS for result in results))
    every = [item for result in results for item in _of_stage(result, report)]
    return _chosen(every, left - by_github - KEPT_FOR_EACH_LATER_STAGE * later), by_github


def _chosen(every: Sequence[tuple[int, _Annotation]], most: int) -> list[_Annotation]:
    """The worst of them within the limits, at least one; when there are more, the last one says so."""
    ranked = [item for _, item in sorted(every, key=lambda pair: -pair[0])]
    within = [item for level in _LEVELS for item in [a for a in ranked if a.level == level][:OF_A_STEP]]
    if len(within) == len(ranked) <= max(most, 1):
        return within
    # The last place is for saying that there are more; of notices there is room for it too.
    within = [item for level in _LEVELS for item in [a for a in within if a.level == level][: _ROOM[level]]]
    shown = within[: max(most - 1, 1)]
    text = f"{len(ranked) - len(shown)} more are in the job's summary and in the reports."
    return [*shown, _Annotation("notice", "More annotations than GitHub shows", text)][: max(most, 1)]


def _of_stage(result: StageResult, report: Report) -> list[tuple[int, _Annotation]]:
    """Each with its rank among those of its level."""
    return [*_stage(result, report), *_findings(result)]


def _stage(result: StageResult, report: Report) -> Iterator[tuple[int, _Annotation]]:
    """The stage itself, unless it is green, above all its findings."""
    required = result.name in report.record.required
    if result.status is Status.PASS or (result.status is Status.NOT_RUN and not required):
        return
    again = f"\nAgain: {result.command}" if result.command else ""
    title = f"{result.name} is {result.status}"
    text = "\n".join(result.reasons) + again
    yield max(severity.rank for severity in Severity) + 1, _Annotation("error" if required else "warning", title, text)


def _findings(result: StageResult) -> Iterator[tuple[int, _Annotation]]:
    for finding in result.findings:
        if finding.state is State.NEW:
            yield finding.severity.rank, _finding(finding)


def _finding(finding: Finding) -> _Annotation:
    milder = "warning" if finding.severity.reaches(Severity.MEDIUM) else "notice"
    fix = f"\nFix: {finding.fix}" if finding.fix else ""
    return _Annotation(
        level="error" if finding.counted else milder,
        title=f"{finding.severity}: {finding.tool} {finding.rule}",
        message=finding.message + fix,
        path=finding.path,
        line=finding.line,
        column=finding.column,
    )
