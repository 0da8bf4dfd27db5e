"""What a stage saw today, beside what is known: the finding baseline, and the revision that the run is compared with.

Comes after the tools have spoken, and only says of findings how they stand and adds gates: what was in doubt stays so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.against import Resolved, resolved
from pipeline.core.baseline import Matching, Print, disposition, matched, prints
from pipeline.core.disposition import Disposition
from pipeline.core.emptied_gates import TOOL as OWN_TOOL
from pipeline.core.finding import Finding, with_fingerprints
from pipeline.core.gate import floor_gate
from pipeline.core.policy_files import BASELINE as FILE
from pipeline.core.run_record import Against, RunRecord
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination
from pipeline.earlier import Earlier, EarlierRuns, coverage_of, number, texts_of
from pipeline.errors import CouldNotTell
from pipeline.execution.revisions import Revisions
from pipeline.finding_baseline import STAGES, FindingBaseline, amount, read
from pipeline.policy_stage import PolicyStage, policy_stage
from pipeline.stages.context import Context, Stage
from pipeline.workplace import Workplace

MEASURED = ("lint", "test")
"""The stages that measure what may not sink: the score, the coverage."""

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``resolved`` is what to compare with, ``earlier`` what runs the stages there, and ``policy`` the stage that
    compares the policies; none without a revision.
    """

    baseline: FindingBaseline
    resolved: Resolved | None = None
    earlier: EarlierRuns | None = None
    policy: PolicyStage | None = None

    @property
    def against(self) -> Against | None:
        """What the run is compared with, for its record."""
        return self.resolved.against if self.resolved is not None else None

    def noted(self, record: RunRecord) -> RunRecord:
        """The record with the changes of the policy, whose comparison is then required."""
        if self.policy is None:
            return record
        required = (self.policy.name, *record.required)
        return replace(record, required=required, changes=self.policy.changes, approval=self.policy.after.digest)

    def of(
        self, stage: Stage, context: Context, examination: Examination
    ) -> tuple[Examination, tuple[Disposition, ...]]:
        """The examination with its gates on score and coverage, and the dispositions of its findings.

        Raises:
            CouldNotTell: there are findings, and which of them are new can't be told.
        """
        dispositions: tuple[Disposition, ...] = ()
        if stage.name in STAGES:
            named = with_fingerprints(examination.findings)
            # The pipeline's own are about today's configuration, which is no older than today.
            examination = replace(examination, findings=named)
            own = tuple(finding for finding in named if finding.tool != OWN_TOOL)
            if self.earlier is None:
                # The finding baseline knows only of findings that count, and a print takes its whole file's tokens.
                own = tuple(finding for finding in own if finding.counted)
            found = prints(own, texts_of(own, context.snapshot, context.tree))
            examination, known = self._by_baseline(stage.name, examination, own, found)
            dispositions = (known,)
        else:
            own, found = (), ()
        if self.resolved is None or stage.name not in {*STAGES, *MEASURED}:
            return examination, dispositions
        if self.earlier is None:
            return undecided(examination, self.resolved.trouble), dispositions
        try:
            earlier = self.earlier.of(stage, context)
        except CouldNotTell as trouble:
            return undecided(examination, f"What was there before could not be told: {trouble}"), dispositions
        matching = matched(found, earlier.known)
        where = f"{self.resolved.against.revision} ({self.earlier.short})"
        notes = (*examination.notes, *_told(stage.name, matching, earlier, where))
        examination = replace(measured(examination, earlier, context, self.earlier.short), notes=notes)
        return examination, (*dispositions, disposition(own, matching))

    def _by_baseline(
        self, stage: str, examination: Examination, own: Sequence[Finding], found: Sequence[Print]
    ) -> tuple[Examination, Disposition]:
        """Only findings that count are looked up: the others need nobody's leave."""
        pairs = [(finding, item) for finding, item in zip(own, found, strict=True) if finding.counted]
        matching = matched([item for _, item in pairs], self.baseline.get(stage, ()))
        notes = list(examination.notes)
        known = sum(item is not None for item in matching.accounted)
        if known:
            notes.append(f"{_findings(known)} known from {FILE} and did not count.")
        if matching.gone and not (examination.doubts or examination.evidence.doubts):
            smaller = amount(matching.gone)
            notes.append(
                f"{FILE} could be smaller by {smaller} in {stage}: 'pipeline baseline' takes out what is gone."
            )
        return replace(examination, notes=tuple(notes)), disposition([finding for finding, _ in pairs], matching)


def comparison_of(place: Workplace, snapshot: Snapshot, tree: Path) -> Comparison:
    """What the stages of a run are compared with.

    Raises:
        ConfigurationError: there is no such revision, or the finding baseline can't be used.
    """
    baseline = read(tree, snapshot)
    if place.choice is None:
        return Comparison(baseline=baseline)
    revisions = Revisions(place.checkout)
    found = resolved(place.choice, revisions)
    earlier = None
    if found.revision is not None:
        earlier = EarlierRuns(revisions, found.revision, place.ports.cache / "against")
    stage = policy_stage(found, revisions, settings=place.settings, snapshot=snapshot, tree=tree, environ=place.environ)
    return Comparison(baseline=baseline, resolved=found, earlier=earlier, policy=stage)


def measured(examination: Examination, earlier: Earlier, context: Context, short: str) -> Examination:
    """The examination with a gate on what was measured in both: the score, the coverage."""
    gates, metrics = list(examination.gates), dict(examination.metrics)
    score, coverage = number(metrics.get("score")), coverage_of(examination)
    settings = context.settings
    if score is not None and earlier.score is not None:
        what = f"pylint score against {earlier.score:.2f} at {short}"
        gates.append(floor_gate(score, _floor(earlier.score, settings.lint.score_tolerance), what=what))
        metrics["score_against"] = earlier.score
    if coverage is not None and earlier.coverage is not None:
        what = f"line coverage against {earlier.coverage:.2f} % at {short}"
        gates.append(
            floor_gate(coverage, _floor(earlier.coverage, settings.test.coverage_tolerance), what=what, unit=" %")
        )
        metrics["coverage_against"] = round(earlier.coverage, 2)
    return replace(examination, gates=tuple(gates), metrics=metrics)


def _floor(before: float, tolerance: float) -> float:
    """A tolerance is written in decimals, which binary numbers miss by a little."""
    return before - tolerance - _ROUNDING if tolerance else before


def undecided(examination: Examination, why: str) -> Examination:
    """The examination in doubt, since what it was to be compared with is not known.

    Raises:
        CouldNotTell: nothing but findings would fail it, and they may all be old.
    """
    certain = any(not gate.passed and not gate.of_findings for gate in examination.gates)
    if any(not gate.passed for gate in examination.gates) and not certain:
        others = (*examination.doubts, *examination.evidence.doubts)
        count = len(examination.findings)
        raise CouldNotTell(f"Which of {count} findings are new can't be told.", why=" ".join((why, *others)))
    return replace(examination, doubts=(*examination.doubts, why))


def _findings(count: int) -> str:
    return "1 finding was" if count == 1 else f"{count} findings were"


def _told(stage: str, matching: Matching, earlier: Earlier, where: str) -> list[str]:
    notes = []
    if stage in STAGES:
        before = sum(item is not None for item in matching.accounted)
        after = len(matching.accounted) - before
        notes.append(f"{_findings(before)} there before, in {where}, and {after} {'is' if after == 1 else 'are'} new.")
    return [*notes, earlier.remark] if earlier.remark else notes
