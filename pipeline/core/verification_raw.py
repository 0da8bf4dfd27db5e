"""What a stage's raw outputs amount to, against what its result says of them.

The comparison leans to one side: a result that claims less than its raw outputs show (fewer files checked, one more
doubt) can't have been made greener by it, so only what a result claims beyond them contradicts it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pipeline.core.evidence import Evidence, listed
from pipeline.core.finding import Finding
from pipeline.core.gate import Gate
from pipeline.core.secret_forms import MASK
from pipeline.core.stage import Examination, StageResult
from pipeline.core.verdict import conclude
from pipeline.core.verification import Statement, confirmed, contradicted, left_open
from pipeline.core.verification_results import same_text

_BEGINNING = 40
"""Characters by which a doubt is known again; what follows may quote a log that is no part of the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rederived:
    """What the raw outputs of a stage amount to by the recorded policy.

    ``tools`` are those whose findings the raw outputs hold, ``fields`` what the outputs determine of a finding.
    ``metrics`` are the names of those that they determine. ``taken`` are full sentences about what they can't show and
    what was therefore taken from the result itself.
    """

    examination: Examination
    tools: tuple[str, ...]
    fields: tuple[str, ...]
    metrics: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()


def compared(result: StageResult, derived: Rederived) -> tuple[Statement, ...]:
    """The statements about one stage."""
    seen = derived.examination
    evidence = result.evidence or Evidence.of(seen.evidence.unit, expected=(), checked=())
    faults = [
        *_findings(result, derived),
        *_evidence(evidence, seen.evidence),
        *_gates(result.gates, seen.gates),
        *(
            f"its {name} is said to be {result.metrics.get(name)!r}, and is {seen.metrics[name]!r}"
            for name in derived.metrics
            if result.metrics.get(name) != seen.metrics[name]
        ),
        *(
            f"its details of the {name} are not what they amount to"
            for name, told in seen.details.items()
            if result.details.get(name) != told and MASK not in str(result.details.get(name))
        ),
        *(f"it hides a doubt: {doubt}" for doubt in seen.doubts if not _is_told(doubt, result.doubts)),
    ]
    if faults:
        return tuple(
            contradicted(result.name, f"The raw outputs of {result.name} say otherwise: {fault.rstrip('.')}.")
            for fault in faults
        )
    status, _ = conclude(_together(result, evidence, seen))
    statements = [left_open(result.name, sentence) for sentence in (*derived.taken, *_unseen_gates(result, seen))]
    if status is not result.status:
        text = f"{result.name} is said to be {result.status}, and its raw outputs and the policy make it {status}."
        return (contradicted(result.name, text), *statements)
    text = f"{result.name} is {status}, as follows again from its raw outputs and the recorded policy."
    return (confirmed(result.name, text), *statements)


def _unseen_gates(result: StageResult, seen: Examination) -> tuple[str, ...]:
    derived = {gate.what for gate in seen.gates}
    rest = [gate.what for gate in result.gates if gate.what not in derived]
    return (f"What was found for these gates rests on the report's own word: {listed(rest)}.",) if rest else ()


def _together(result: StageResult, evidence: Evidence, seen: Examination) -> Examination:
    """What was derived, and of the rest what the result says: both must carry the status."""
    derived = {gate.what for gate in seen.gates if not gate.of_findings}
    told = tuple(gate for gate in result.gates if gate.what not in derived)
    own = tuple(gate for gate in seen.gates if not gate.of_findings)
    both = replace(evidence, checked=evidence.checked & (seen.evidence.checked | _beyond(evidence, seen.evidence)))
    return Examination(evidence=both, gates=(*own, *told), doubts=(*seen.doubts, *result.doubts))


def _beyond(told: Evidence, seen: Evidence) -> frozenset[str]:
    """What the raw outputs say nothing about at all."""
    return told.expected - seen.expected


def _findings(result: StageResult, derived: Rederived) -> Iterable[str]:
    told = Counter(_key(f, derived.fields) for f in result.findings if f.tool in derived.tools)
    seen = Counter(_key(f, derived.fields) for f in derived.examination.findings)
    for hidden in list((seen - told).elements())[:3]:
        yield f"they hold a finding that the result does not, {_shown(hidden, derived.fields)}"
    for made_up in list((told - seen).elements())[:3]:
        yield f"the result tells a finding that they do not hold, {_shown(made_up, derived.fields)}"


def _key(finding: Finding, names: tuple[str, ...]) -> tuple[object, ...]:
    """What makes it known again; a text with a mask counts as the mask, since it may be masked in more than one way."""
    values = (getattr(finding, name) for name in names)
    return tuple(MASK if isinstance(value, str) and MASK in value else value for value in values)


def _shown(key: tuple[object, ...], names: tuple[str, ...]) -> str:
    known = dict(zip(names, key, strict=True))
    return " ".join(str(known[name]) for name in ("rule", "package", "path", "line") if known.get(name))


def _evidence(told: Evidence, seen: Evidence) -> Iterable[str]:
    if made_up := sorted((told.checked & seen.expected) - seen.checked):
        yield f"{len(made_up)} {told.unit} are said to have been checked and were not, {listed(made_up)}"
    if lost := sorted(seen.expected - told.expected):
        yield f"{len(lost)} {told.unit} that they name were never expected, {listed(lost)}"
    recorded = {(control.tool, control.planted): control.caught for control in told.controls}
    for control in seen.controls:
        if recorded.get((control.tool, control.planted), False) and not control.caught:
            yield f"{control.tool} did not catch the planted {control.planted}"


def _gates(told: tuple[Gate, ...], seen: tuple[Gate, ...]) -> Iterable[str]:
    recorded = {gate.what: gate for gate in told}
    for gate in seen:
        other = recorded.get(gate.what)
        if other is None:
            yield f"the gate on {gate.what} is missing in the result"
        elif not same_text(other.allowed, gate.allowed):
            yield f"{gate.what} allowed {gate.allowed}, and the result says {other.allowed}"
        elif not gate.of_findings and not (same_text(other.found, gate.found) and other.passed is gate.passed):
            yield f"{gate.what} found {gate.found}, and the result says {other.found}"


def _is_told(doubt: str, told: tuple[str, ...]) -> bool:
    return any(same_text(own, doubt) or own[:_BEGINNING] == doubt[:_BEGINNING] for own in told)
