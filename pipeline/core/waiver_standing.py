"""What became of the waivers in a run: what each hides, which are about to end, and which hide nothing at all.

Derived from the results alone, so that whoever holds a report can derive it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from pipeline.core.finding import Finding, State
from pipeline.core.gate import Gate, check_gate
from pipeline.core.stage import Examination, StageResult, Status
from pipeline.core.verdict import conclude
from pipeline.core.waiver import WARNING_DAYS, Waiver

UNUSED = "unused waivers"


class WaiverState(StrEnum):
    """How a waiver stands after a run. ``FIXED``: it was to last until there is a fix, and there is one."""

    USED = "used"
    UNUSED = "unused"
    EXPIRED = "expired"
    FIXED = "fixed"
    NOT_JUDGED = "not-judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A waiver, its state, the days that it has left (negative: expired) and the fingerprints of what it hides."""

    waiver: Waiver
    state: WaiverState
    days_left: int
    hides: tuple[str, ...]
    fix: str = ""

    @property
    def ends_soon(self) -> bool:
        """Whether it is in force and within the time in which the report warns."""
        return 0 <= self.days_left <= WARNING_DAYS

    @property
    def sentence(self) -> str:
        """How it stands, in full sentences; true until the waiver's state changes."""
        waiver = self.waiver
        match self.state:
            case WaiverState.EXPIRED:
                ended = f"expired on {waiver.expires}"
                return f"The waiver of {waiver.title} ({waiver.place}) {ended}: what it hid counts again."
            case WaiverState.FIXED:
                ended = f"has ended, because there is a fix ({self.fix})"
                return f"The waiver of {waiver.title} ({waiver.place}) {ended}: what it hid counts again."
            case WaiverState.UNUSED:
                return f"The waiver of {waiver.title} hides nothing: remove {waiver.place}."
            case WaiverState.NOT_JUDGED:
                return (
                    f"Whether the waiver of {waiver.title} ({waiver.place}) is still used is not known: "
                    f"not every stage with findings of {waiver.tool} ran to its end."
                )
            case WaiverState.USED:
                what = "a finding" if len(self.hides) == 1 else f"{len(self.hides)} findings"
                said = f"{waiver.owner} has waived {waiver.title} until {waiver.expires}, which hides {what}."
                return f"{said} It expires within {WARNING_DAYS} days ({waiver.place})." if self.ends_soon else said


def standings(waivers: Iterable[Waiver], results: Iterable[StageResult], today: date) -> tuple[Standing, ...]:
    """How each waiver stands towards the results of a run, judged by ``today`` (UTC)."""
    every = tuple(results)
    findings = tuple(finding for result in every for finding in result.findings)
    ended = {result.name for result in every if _ended(result)}
    reporting = {result.name: _tools(result) for result in every}
    standing = []
    for waiver in waivers:
        stages = waiver.stages or tuple(name for name, tools in reporting.items() if waiver.tool in tools)
        standing.append(_standing(waiver, findings, today, judged=bool(stages) and ended.issuperset(stages)))
    return tuple(standing)


def with_waivers(
    examination: Examination,
    waivers: Iterable[Waiver],
    today: date,
    *,
    stage: str,
    others: Mapping[str, StageResult],
) -> Examination:
    """The examination with a gate on unused waivers of the stage's tools, and what there is to say of those it met.

    A stage that did not run to its end says nothing about what it did not see, so it gets no such gate; nor does one
    pass judgement while another stage of the same tool (pytest, say) has not run to its end, since that one may use the
    waiver. ``others`` are the other stages' results; the last of the stages judges.
    """
    tools = {tool.name for tool in examination.tools} | {finding.tool for finding in examination.findings}
    own = [waiver for waiver in waivers if stage in waiver.stages or waiver.tool in tools]
    if not own:
        return examination
    findings = examination.findings
    met = [_standing(w, findings, today, judged=False) for w in own if any(map(w.covers, findings))]
    notes = (*examination.notes, *(standing.sentence for standing in met))
    if not _sees_all(examination):
        return replace(examination, notes=notes)
    elsewhere = [finding for name, result in others.items() if name != stage for finding in result.findings]
    ended = {stage, *(name for name, result in others.items() if _ended(result))}
    unused = [w for w in own if ended.issuperset(w.stages) and not any(map(w.covers, (*findings, *elsewhere)))]
    return replace(examination, gates=(*examination.gates, unused_gate(unused)), notes=notes)


def waiting(waivers: Iterable[Waiver], stages: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """For each stage those before it, in the order of ``stages``, whose end its judgement on waivers waits for.

    These are all that may use one waiver, so that the last of them judges, whichever would be the first to end. Where
    it is not known which stages those are, they are all.
    """
    after: dict[str, dict[str, None]] = {}
    for waiver in waivers:
        users = [name for name in stages if not waiver.stages or name in waiver.stages]
        for place, name in enumerate(users):
            after.setdefault(name, {}).update(dict.fromkeys(users[:place]))
    return {name: tuple(others) for name, others in after.items() if others}


def unused_gate(unused: Sequence[Waiver]) -> Gate:
    """No waiver may be left that hides nothing."""
    lines = "; ".join(f"{waiver.place}: {waiver.title}" for waiver in unused)
    found = f"{len(unused)} (remove {lines})" if unused else "0"
    return check_gate(not unused, what=UNUSED, allowed="0", found=found)


def _standing(waiver: Waiver, findings: Iterable[Finding], today: date, *, judged: bool) -> Standing:
    covered = [finding for finding in findings if waiver.covers(finding)]
    hidden = tuple(f.id for f in covered if f.state is State.WAIVED and waiver.hides(f, today))
    left = waiver.days_left(today)
    return Standing(
        waiver=waiver,
        state=_state(waiver, covered, hidden, left=left, judged=judged),
        days_left=left,
        hides=hidden,
        fix=next((finding.fix for finding in covered if waiver.ended_by_fix(finding)), ""),
    )


def _state(waiver: Waiver, covered: list[Finding], hidden: tuple[str, ...], *, left: int, judged: bool) -> WaiverState:
    if left < 0:
        return WaiverState.EXPIRED
    if hidden:
        return WaiverState.USED
    if any(waiver.ended_by_fix(finding) for finding in covered):
        return WaiverState.FIXED
    return WaiverState.UNUSED if judged and not covered else WaiverState.NOT_JUDGED


def _sees_all(examination: Examination) -> bool:
    """Whether nothing but a missed gate could keep the examination from a pass."""
    met = tuple(replace(gate, passed=True) for gate in examination.gates)
    return conclude(replace(examination, gates=met))[0] is Status.PASS


def _ended(result: StageResult) -> bool:
    evidence = result.evidence
    return evidence is not None and bool(result.gates) and not result.doubts and not evidence.doubts


def _tools(result: StageResult) -> set[str]:
    return {tool.name for tool in result.tools} | {finding.tool for finding in result.findings}
