"""What follows again from the stages' results as recorded: statuses, counts, and that they belong together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipeline.core.finding import State
from pipeline.core.gate import counted_again
from pipeline.core.run_record import Report, RunRecord
from pipeline.core.secret_forms import MASK
from pipeline.core.stage import Examination, StageResult, Status
from pipeline.core.verdict import conclude
from pipeline.core.verification import Statement, confirmed, contradicted, is_contradicted, left_open

_IMAGE = "image_id"


def judged_again(result: StageResult) -> tuple[Statement, ...]:
    """The status and the reasons against the evidence, the gates, the doubts and the findings beside them."""
    name = result.name
    if result.status is Status.NOT_RUN:
        untouched = result.evidence is None and not (result.gates or result.findings or result.artifacts)
        if untouched:
            return (confirmed(name, f"{name} has not run, and shows nothing that would say otherwise."),)
        return (contradicted(name, f"{name} is said not to have run, and shows what a run has left."),)
    if result.evidence is None:
        text = f"{name} is {result.status} without evidence, so why rests on the report's own word: {result.reasons[0]}"
        return (left_open(name, text),)
    statements = [*_miscounted(result)]
    status, reasons = conclude(
        Examination(evidence=result.evidence, gates=result.gates, doubts=result.doubts, notes=result.notes)
    )
    if status is not result.status:
        statements.append(
            contradicted(
                name, f"{name} is said to be {result.status}, and its own evidence and gates make it {status}."
            )
        )
    elif not same_texts(result.reasons, reasons):
        statements.append(contradicted(name, f"The reasons of {name} are not those that follow from its gates."))
    return tuple(statements) or (
        confirmed(name, f"{name} is {status}, as follows from its evidence, gates, doubts and findings."),
    )


def _miscounted(result: StageResult) -> Iterable[Statement]:
    for gate in result.gates:
        if gate.of_findings and counted_again(gate, result.findings) != gate:
            counted = counted_again(gate, result.findings).found
            text = f"{gate.what} of {result.name}: the gate says {gate.found}, and {counted} of its findings count."
            yield contradicted(result.name, text)


def joined(record: RunRecord, results: Sequence[StageResult]) -> tuple[Statement, ...]:
    """Whether all results are about one snapshot, one policy and one image."""
    statements = []
    for result in results:
        if result.snapshot != record.snapshot:
            statements.append(contradicted(result.name, f"{result.name} is about another snapshot than the report."))
        if result.policy != record.policy_digest:
            statements.append(contradicted(result.name, f"{result.name} was judged by another policy than the report."))
    strangers = sorted({name for name in record.required if name not in record.stages})
    statements.extend(
        contradicted("report", f"The stage {name!r} is required, and the report has none.") for name in strangers
    )
    statements.extend(_images({result.name: result for result in results}))
    if is_contradicted(statements):
        return tuple(statements)
    shown = record.snapshot[:12]
    return (*statements, confirmed("report", f"All {len(results)} results are about snapshot {shown} and one policy."))


def _images(results: Mapping[str, StageResult]) -> Iterable[Statement]:
    """What was tested is what ships: the stages that passed an image passed the one that was built."""
    passed = {n: r.metrics[_IMAGE] for n, r in results.items() if r.status is Status.PASS and r.metrics.get(_IMAGE)}
    built = passed.get("build")
    for name, image in passed.items():
        if built is not None and image != built:
            yield contradicted(name, f"{name} passed the image {image}, and build made {built}.")


def verdict_again(report: Report, told: str) -> Statement:
    """The verdict that the report tells against the worst of its required stages."""
    derived = report.verdict
    if told != derived:
        return contradicted("report", f"The verdict is said to be {told!r}, and the required stages make it {derived}.")
    return confirmed(
        "report", f"The verdict {derived} is the worst of the {len(report.record.required)} required stages."
    )


def states_told(results: Iterable[StageResult]) -> tuple[Statement, ...]:
    """That a finding is an old one can only be told by running the tools on the old revision."""
    old = sum(finding.state is State.EXISTING for result in results for finding in result.findings)
    if not old:
        return ()
    return (left_open("report", f"That {old} findings are not new rests on the report's own word."),)


def same_texts(told: Sequence[str], derived: Sequence[str]) -> bool:
    """Whether the texts are equal, wherever nothing was masked in them."""
    return len(told) == len(derived) and all(same_text(a, b) for a, b in zip(told, derived, strict=True))


def same_text(told: str, derived: str) -> bool:
    """Whether two texts are equal; a mask stands for anything, since a text may be masked before or after it is cut."""
    if told == derived:
        return True
    return _matches(told, derived) or _matches(derived, told)


def _matches(masked: str, text: str) -> bool:
    """Part by part, and not by a regular expression, whose time somebody else's text could drive up."""
    first, *rest = masked.split(MASK)
    if not rest or not text.startswith(first):
        return False
    at = len(first)
    for part in rest[:-1]:
        at = text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return len(text) - at >= len(rest[-1]) and text.endswith(rest[-1])
