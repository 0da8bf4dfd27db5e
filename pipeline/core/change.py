"""What a run leaves to the history, and what has changed since the last green one: both from the report alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.core.finding import Finding, State
from pipeline.core.history import MOST_PRINTS, HistoryEntry, PastStage
from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult, Status

_PRINT = 12
"""Hexadecimal digits of a fingerprint that are remembered: two of 10,000 are alike once in five million times."""
_LARGEST = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class StageChange:
    """A stage whose status is another one now; ``before`` is none where there was no such stage."""

    name: str
    before: Status | None
    now: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is otherwise than in ``since``, the last green run.

    ``added`` and ``gone`` count findings that are not waived, of the stages that have examined something in both runs;
    none where they can't be told apart any more. ``score`` and ``coverage`` are the values then and now.
    """

    since: HistoryEntry
    stages: tuple[StageChange, ...] = ()
    added: int | None = 0
    gone: int | None = 0
    score: tuple[float | None, float | None] = (None, None)
    coverage: tuple[float | None, float | None] = (None, None)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The change in full sentences, the statuses first. Names of stages and branches in it are as they came."""
        return tuple(self._sentences()) or ("Nothing has changed.",)

    def _sentences(self) -> Iterator[str]:
        for stage in self.stages:
            was = f"was {stage.before}" if stage.before is not None else "did not exist"
            yield f"{stage.name} {was} and is {stage.now}."
        if self.added is None or self.gone is None:
            yield "There are too many findings to tell which are new and which are gone."
        elif self.added or self.gone:
            yield f"{_findings(self.added)} came and {self.gone} went."
        for what, unit, (then, now) in (("score", "", self.score), ("coverage", " %", self.coverage)):
            if then is not None and now is not None and then != now:
                yield f"The {what} was {then:.2f}{unit} and is {now:.2f}{unit}."


def entry_of(report: Report) -> HistoryEntry:
    """The line that the run leaves to the history."""
    record = report.record
    by_name = {result.name: result for result in report.results}
    return HistoryEntry(
        run=record.run_id,
        started=record.started,
        finished=report.finished,
        commit=record.commit,
        branch=record.branch,
        dirty=record.dirty,
        snapshot=record.snapshot,
        policy=record.policy_digest,
        verdict=report.verdict,
        stages=_past_stages(report),
        score=_measured(by_name.get("lint"), "score"),
        coverage=_measured(by_name.get("test"), "coverage"),
    )


def change_since_last_green(report: Report) -> Change | None:
    """What has changed since the last green run that the report's record knows; none where it knows none."""
    since = report.record.last_green
    if since is None:
        return None
    now = entry_of(report)
    added, gone = _moved(since, report)
    return Change(
        since=since,
        stages=tuple(
            StageChange(name=stage.name, before=then.status if then else None, now=stage.status)
            for stage in now.stages
            if (then := since.stage(stage.name)) is None or then.status is not stage.status
        ),
        added=added,
        gone=gone,
        score=(since.score, now.score),
        coverage=(since.coverage, now.coverage),
    )


def _past_stages(report: Report) -> tuple[PastStage, ...]:
    total = sum(len(result.findings) for result in report.results)
    remembered = report.verdict is Status.PASS and total <= MOST_PRINTS
    return tuple(_past_stage(result, remembered=remembered) for result in report.results)


def _past_stage(result: StageResult, *, remembered: bool) -> PastStage:
    standing = [finding for finding in result.findings if finding.state is not State.WAIVED]
    return PastStage(
        name=result.name,
        status=result.status,
        duration_s=round(result.duration_s, 3),
        cached=result.cached,
        findings=dict(sorted(Counter(str(finding.severity) for finding in standing).items())),
        waived=len(result.findings) - len(standing),
        prints=tuple(sorted(map(_print, standing))) if remembered else None,
    )


def _moved(since: HistoryEntry, report: Report) -> tuple[int | None, int | None]:
    """How many findings are there now and were not then, and the other way round."""
    added = gone = 0
    for result in report.results:
        then = since.stage(result.name)
        if then is None or then.status is Status.NOT_RUN or result.evidence is None:
            continue
        if then.prints is None:
            return None, None
        before = Counter(then.prints)
        now = Counter(_print(finding) for finding in result.findings if finding.state is not State.WAIVED)
        added += (now - before).total()
        gone += (before - now).total()
    return added, gone


def _print(finding: Finding) -> str:
    return finding.id[:_PRINT]


def _findings(number: int) -> str:
    return "1 finding" if number == 1 else f"{number} findings"


def _measured(result: StageResult | None, name: str) -> float | None:
    value = result.metrics.get(name) if result is not None else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # A project's own stage may measure what it likes, and its run must not end here.
    return float(value) if -_LARGEST <= value <= _LARGEST else None
