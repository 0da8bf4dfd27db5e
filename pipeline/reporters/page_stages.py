"""What the page says of the run and its stages: the verdict in a sentence and why, the gates, what was not checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.core.gate import Gate
from pipeline.core.policy_difference import Effect
from pipeline.core.run_record import Report
from pipeline.core.stage import NotChecked, StageResult, Status, Suppression
from pipeline.reporters.page_text import counted, file_link, joined, number

_AT_FAULT = {
    Status.FAIL: "{} found the content at fault",
    Status.INCONCLUSIVE: "{} could not tell",
    Status.NOT_RUN: "{} did not run",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFile:
    """A raw output: its path below the stage's raw folder, its address beside the page, and its digest."""

    name: str
    address: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """A stage as the gate table shows it; ``says`` are its sentences besides those of its gates."""

    result: StageResult
    required: bool
    checked: int
    expected: int
    unit: str
    caught: int
    controls: int
    says: tuple[str, ...]
    raw: tuple[RawFile, ...]

    @property
    def gates(self) -> tuple[Gate, ...]:
        """The gates, those that are not met first."""
        return tuple(sorted(self.result.gates, key=lambda gate: gate.passed))

    @property
    def bare(self) -> bool:
        """Whether there is nothing to show but its sentences: it did not run, or not far."""
        return not (self.result.gates or self.result.evidence or self.result.tools)

    @property
    def whole(self) -> bool:
        """Whether all that was expected was checked."""
        return self.result.evidence is not None and self.checked == self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """A stage that keeps the verdict from being a pass, and its reasons."""

    name: str
    status: Status
    required: bool
    reasons: tuple[str, ...]


def rows(report: Report) -> tuple[StageRow, ...]:
    """Every stage, in the pipeline's order."""
    return tuple(_row(result, result.name in report.record.required) for result in report.results)


def sentence(report: Report) -> str:
    """The verdict, behind its name, in one sentence."""
    required = [result for result in report.results if result.name in report.record.required]
    known = {result.name for result in report.results}
    absent = [name for name in report.record.required if name not in known]
    if report.verdict is Status.PASS:
        return f"{_each(len(required))} is proven for this content."
    parts = []
    for status, words in _AT_FAULT.items():
        names = [result.name for result in required if result.status is status]
        if status is Status.NOT_RUN:
            names += absent
        if names:
            parts.append(words.format(joined(names)))
    return f"{'; '.join(parts) or 'no stage is required, so nothing is proven'}."


def whys(report: Report) -> tuple[Why, ...]:
    """The stages that are not green with their reasons, the worst first, required ones before others.

    That a stage which is not required did not run is no reason of the verdict.
    """
    order, required = list(Status), report.record.required
    found = [
        Why(
            name=result.name,
            status=result.status,
            required=result.name in required,
            reasons=result.reasons,
        )
        for result in report.results
        if result.status is not Status.PASS and (result.name in required or result.status is not Status.NOT_RUN)
    ]
    return tuple(sorted(found, key=lambda why: (not why.required, order.index(why.status))))


def proof(report: Report) -> str:
    """What the green stages rest on, in one sentence; none are green: nothing."""
    green = [row for row in rows(report) if row.result.status is Status.PASS]
    if not green:
        return ""
    gates = counted(sum(len(row.result.gates) for row in green), "gate")
    checked, expected = sum(row.checked for row in green), sum(row.expected for row in green)
    caught, planted = sum(row.caught for row in green), sum(row.controls for row in green)
    faults = f", and {number(caught)} of {counted(planted, 'planted fault')} were caught" if planted else ""
    return (
        f"In the {counted(len(green), 'green stage')}, {gates} held, {number(checked)} of {number(expected)} expected "
        f"things were checked{faults}."
    )


def left_out(report: Report) -> tuple[tuple[str, NotChecked], ...]:
    """All that was not looked at, by stage: stages that did not run, what is missing in the evidence, what was left
    out.
    """
    return tuple(_left_out(report))


def suppressed(report: Report) -> Mapping[tuple[str, str], tuple[Suppression, ...]]:
    """Every suppression in the sources by stage and kind."""
    groups: dict[tuple[str, str], list[Suppression]] = {}
    for result in report.results:
        for item in result.suppressions:
            groups.setdefault((result.name, item.kind), []).append(item)
    return {group: tuple(items) for group, items in groups.items()}


def raw_files(result: StageResult) -> tuple[RawFile, ...]:
    """The raw outputs of a stage."""
    folder = f"stages/{result.name}/raw/"
    return tuple(
        RawFile(name=item.path.removeprefix(folder), address=file_link(item.path), sha256=item.sha256)
        for item in result.artifacts
    )


def effects(report: Report) -> str:
    """How many of the policy's changes go which way."""
    changes = report.record.changes
    told = [f"{number(sum(c.effect is effect for c in changes))} {effect}" for effect in Effect]
    return ", ".join(part for part in told if not part.startswith("0 "))


def _each(count: int) -> str:
    return "the one required stage" if count == 1 else f"each of the {count} required stages"


def _row(result: StageResult, required: bool) -> StageRow:
    evidence = result.evidence
    controls = evidence.controls if evidence else ()
    of_gates = {gate.sentence for gate in result.gates}
    return StageRow(
        result=result,
        required=required,
        checked=len(evidence.expected & evidence.checked) if evidence else 0,
        expected=len(evidence.expected) if evidence else 0,
        unit=evidence.unit if evidence else "",
        caught=sum(control.caught for control in controls),
        controls=len(controls),
        says=tuple(reason for reason in result.reasons if reason not in of_gates),
        raw=raw_files(result),
    )


def _left_out(report: Report) -> Iterator[tuple[str, NotChecked]]:
    for result in report.results:
        if result.status is Status.NOT_RUN:
            yield result.name, NotChecked(what="the whole stage", reason=" ".join(result.reasons))
        elif result.evidence is None:
            yield result.name, NotChecked(what="the whole stage", reason="It ended before it had checked anything.")
    for result in report.results:
        if result.evidence is not None:
            for name in result.evidence.missing:
                reason = f"It is one of the {result.evidence.unit} that were expected, and no output shows it."
                yield result.name, NotChecked(what=name, reason=reason)
    for result in report.results:
        for item in result.not_checked:
            yield result.name, item
