"""Results of stages that ran on different machines, joined into one report: pure, and in whatever order they come.

Nothing is joined that is not about the same commit, content and policy, and what no part has is never made up: a stage
that is missing by leave is ``not-run``, so a required one keeps the verdict from green.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.core.evidence import Evidence, listed
from pipeline.core.finding import Finding
from pipeline.core.history import HistoryEntry
from pipeline.core.plan import NEVER_RUN, NOT_SELECTED
from pipeline.core.run_record import Report, RunRecord
from pipeline.core.stage import Examination, StageResult, Status, not_run
from pipeline.core.verdict import conclude
from pipeline.core.verification import Answer
from pipeline.core.verification_files import misplaced
from pipeline.core.verification_results import joined, judged_again
from pipeline.core.waiver import Waiver
from pipeline.core.waiver_standing import UNUSED, WaiverState, unused_gate
from pipeline.errors import ConfigurationError

_LONGEST = 60
MISSING = "No part of the merge has a result of this stage, which was allowed to be missing."
_SEPARATE = "Merge what belongs to one commit and one policy, apart from the rest."
# What must be the same in every part, in words. The digest stands for the policy, since its values may be masked.
_SAME: Mapping[str, str] = {
    "snapshot": "content",
    "commit": "commit",
    "dirty": "state of uncommitted changes",
    "policy_digest": "policy",
    "generator": "release of the pipeline",
    "stages": "list of stages",
    "required": "list of required stages",
    "against": "revision to compare with",
    "changes": "changes of the policy",
    "approval": "policy to approve",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A stage's result as one part has it, with the SHA-256 of its file."""

    result: StageResult
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one machine has left. ``title`` is how people call it, ``digest`` that of its merged report.

    ``record`` is none where it has no merged report: its results are then known by their own snapshot and policy.
    """

    title: str
    results: Mapping[str, Brought]
    record: RunRecord | None = None
    finished: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The report, without a history, and for each stage that a part has brought the place of that part in the list."""

    report: Report
    sources: Mapping[str, int]


def merge(parts: Sequence[Part], allowed: frozenset[str]) -> Merged:
    """One report of all parts; the stages in ``allowed`` may be missing in all of them.

    Raises:
        ConfigurationError: they are not about the same, two of them disagree, or a stage is missing.
    """
    record, finished = _record(parts)
    unknown = sorted(allowed - set(record.stages))
    if unknown:
        raise ConfigurationError(f"There is no stage {unknown[0]!r} that could be missing.")
    for part in parts:
        strangers = sorted(set(part.results) - set(record.stages))
        if strangers:
            raise ConfigurationError(f"{part.title} has a stage {strangers[0]!r}, which the rest do not know.")
    results: list[StageResult] = []
    sources: dict[str, int] = {}
    for name in record.stages:
        candidates = [(brought, place) for place, part in enumerate(parts) if (brought := part.results.get(name))]
        for brought, place in candidates:
            _check(brought.result, record, parts[place].title)
        chosen = _chosen(name, candidates, parts)
        if chosen is not None:
            sources[name] = chosen[1]
        results.append(_blank(name, record) if chosen is None else chosen[0].result)
    _refuse_missing([result.name for result in results if _is_missing(result)], allowed)
    merged = _with_unused_waivers(Report(record=record, results=tuple(results), finished=finished))
    for statement in joined(record, merged.results):
        if statement.answer is Answer.CONTRADICTED:
            raise ConfigurationError(f"The parts don't belong together. {statement.text}", advice=_SEPARATE)
    return Merged(report=merged, sources=sources)


def _record(parts: Sequence[Part]) -> tuple[RunRecord, str]:
    """What the whole is about, and when the last part of it had ended."""
    with_record = sorted(
        ((part.record, part) for part in parts if part.record is not None),
        key=lambda pair: (pair[0].started, pair[0].run_id, pair[1].digest),
    )
    if not with_record:
        raise ConfigurationError(
            "None of the folders has a merged report, so nothing says what they are about.",
            advice="Name folders that hold a pipeline.json.",
        )
    first, part = with_record[0]
    for other, its in with_record[1:]:
        for field, words in _SAME.items():
            if getattr(other, field) != getattr(first, field):
                shown = f"{_short(getattr(first, field))} and {_short(getattr(other, field))}"
                text = f"{part.title} and {its.title} differ in their {words}: {shown}."
                raise ConfigurationError(text, advice=_SEPARATE)
    records = [record for record, _ in with_record]
    whole = replace(
        first,
        run_id=_together((record.run_id for record in records), "+"),
        actor=_together((record.actor for record in records), ", "),
        python=_together((record.python for record in records), ", "),
        platform=_together((record.platform for record in records), ", "),
        branch=next((record.branch for record in records if record.branch), ""),
        last_green=_latest(record.last_green for record in records),
    )
    return whole, max(part.finished for _, part in with_record)


def _together(values: Iterable[str], between: str) -> str:
    """The value that all have, or all different ones, each once however often what was merged is merged again."""
    every = set(values)
    if len(every) == 1:
        return every.pop()
    return between.join(sorted({part for value in every for part in value.split(between)}))


def _latest(entries: Iterable[HistoryEntry | None]) -> HistoryEntry | None:
    known = [entry for entry in entries if entry is not None]
    return max(known, key=lambda entry: (entry.started, entry.run, entry.finished, repr(entry)), default=None)


def _check(result: StageResult, record: RunRecord, title: str) -> None:
    """A result that is not about the same, or that does not hold together, is not joined with anything."""
    if result.snapshot != record.snapshot:
        raise ConfigurationError(f"{result.name} in {title} is about other content than the rest.", advice=_SEPARATE)
    if result.policy != record.policy_digest:
        raise ConfigurationError(f"{result.name} in {title} was judged by another policy.", advice=_SEPARATE)
    for statement in (*judged_again(result), *misplaced(result)):
        if statement.answer is Answer.CONTRADICTED:
            raise ConfigurationError(f"{title} contradicts itself. {statement.text}")


def _chosen(name: str, candidates: list[tuple[Brought, int]], parts: Sequence[Part]) -> tuple[Brought, int] | None:
    """The result of a stage: one that ran before one that did not, of several that agree the earliest."""
    if not candidates:
        return None
    ran = [pair for pair in candidates if pair[0].result.status is not Status.NOT_RUN]
    for brought, place in ran[1:]:
        difference = _difference(ran[0][0].result, brought.result)
        if difference:
            text = f"{parts[ran[0][1]].title} and {parts[place].title} disagree about {name}: {difference}."
            raise ConfigurationError(text, advice="Only one of them can be right; look into why, and run it again.")
    return min(ran or candidates, key=lambda pair: _preference(pair[0]))


def _preference(brought: Brought) -> tuple[bool, bool, str, str]:
    result = brought.result
    return _is_missing(result), result.cached, result.started, brought.digest


_COMPARED: Mapping[str, Callable[[StageResult], object]] = {
    "status": lambda result: result.status,
    "tools": lambda result: sorted((tool.name, tool.version) for tool in result.tools),
    "evidence": lambda result: result.evidence,
    "gates": lambda result: result.gates,
    "findings": lambda result: sorted(map(_substance, result.findings)),
    "doubts": lambda result: result.doubts,
    "image": lambda result: result.metrics.get("image_id"),
}


def _difference(one: StageResult, other: StageResult) -> str:
    """Why two results of a stage can't both be right; empty when they differ in times and remarks at most."""
    for what, of in _COMPARED.items():
        if of(one) != of(other):
            told = f" ({one.status} and {other.status})" if what == "status" else ""
            return f"they differ in their {what}{told}"
    return ""


def _substance(finding: Finding) -> tuple[str, str, str, bool]:
    return finding.id, finding.severity, finding.state, finding.counted


def _is_missing(result: StageResult) -> bool:
    """Whether this result says only that nobody wanted the stage there."""
    return result.status is Status.NOT_RUN and result.reasons in ((NOT_SELECTED,), (NEVER_RUN,), (MISSING,))


def _blank(name: str, record: RunRecord) -> StageResult:
    return not_run(name, MISSING, snapshot=record.snapshot, policy=record.policy_digest)


def _refuse_missing(names: Sequence[str], allowed: frozenset[str]) -> None:
    missing = [name for name in names if name not in allowed]
    if missing:
        options = " ".join(f"--allow-missing {name}" for name in missing)
        raise ConfigurationError(
            f"No part has a result of {listed(missing, len(missing))}.",
            advice=f"Add the folder that has it, or say that it may be missing: {options}.",
        )


def _with_unused_waivers(report: Report) -> Report:
    """With a gate on the waivers that no stage uses and that none could judge, in the last of their stages.

    A stage does not judge a waiver while another stage of the same tool has not run, and here they ran apart.
    """
    told = [gate.found for r in report.results for gate in r.gates if gate.what == UNUSED and not gate.passed]
    untold: dict[str, list[Waiver]] = {}
    for standing in report.waivers:
        waiver = standing.waiver
        if standing.state is WaiverState.UNUSED and not any(f"{waiver.place}: " in found for found in told):
            last = [r.name for r in report.results if r.name in waiver.stages or waiver.tool in _tools(r)][-1]
            untold.setdefault(last, []).append(waiver)
    return replace(report, results=tuple(_judged(r, untold[r.name]) if r.name in untold else r for r in report.results))


def _tools(result: StageResult) -> set[str]:
    return {tool.name for tool in result.tools} | {finding.tool for finding in result.findings}


def _judged(result: StageResult, unused: list[Waiver]) -> StageResult:
    """The result with another gate. Whoever has judged a waiver has evidence."""
    evidence = result.evidence or Evidence.of("stages", expected=(), checked=())
    gates = (*(gate for gate in result.gates if gate.what != UNUSED or not gate.passed), unused_gate(unused))
    examination = Examination(evidence=evidence, gates=gates, doubts=result.doubts, notes=result.notes)
    status, reasons = conclude(examination)
    return replace(result, gates=gates, status=status, reasons=reasons)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
