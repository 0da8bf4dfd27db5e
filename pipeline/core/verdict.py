"""From evidence, gates and doubts to a status; from statuses to a verdict; from a verdict to an exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.core.stage import Examination, StageResult, Status

EXIT_CODES: Mapping[Status, int] = {Status.PASS: 0, Status.FAIL: 1, Status.INCONCLUSIVE: 3, Status.NOT_RUN: 3}
"""The exit codes of the ``pipeline`` command for each verdict; 2 and 130 are for errors and interrupts."""


def conclude(examination: Examination) -> tuple[Status, tuple[str, ...]]:
    """The status that an examination supports, and its reasons.

    A gate that is not met is certain knowledge, so it makes ``fail`` even beside a doubt. Any doubt, a shortfall of
    evidence or a control that was not caught makes ``inconclusive``: filtering or gating never turns "could not tell"
    into green. Every reason is given, whichever status wins.
    """
    missed = tuple(gate.sentence for gate in examination.gates if not gate.passed)
    doubts = (*examination.doubts, *examination.evidence.doubts)
    if not examination.gates:
        doubts = (*doubts, "The stage measured nothing against a gate, so it can't be green.")
    if missed:
        return Status.FAIL, (*missed, *doubts, *examination.notes)
    if doubts:
        return Status.INCONCLUSIVE, (*doubts, *examination.notes)
    return Status.PASS, examination.notes


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of the statuses: fail, then inconclusive, then not-run, then pass. Of none it is ``not-run``."""
    present = set(statuses)
    return next((status for status in Status if status in present), Status.NOT_RUN)


def verdict(required: Iterable[str], results: Mapping[str, StageResult]) -> Status:
    """The worst of the required stages; a required stage without a result counts as ``not-run``."""
    return worst(results[name].status if name in results else Status.NOT_RUN for name in required)
