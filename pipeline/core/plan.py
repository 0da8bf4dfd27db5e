"""Which stages a run consists of, in which order, and why a stage that has not run has not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.stage import StageResult, Status

NOT_SELECTED = "This stage was not selected."
NEVER_RUN = "This stage has not run for this snapshot."
"""Why a stage has no result that was not wanted: unlike every other reason, neither says anything about the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stage's place in the plan: its name and the stages whose ``pass`` it needs."""

    name: str
    needs: tuple[str, ...] = ()


def ordered(steps: Sequence[Step], selected: Iterable[str]) -> tuple[str, ...]:
    """The selected stages and everything they need, in the order of ``steps``.

    Raises:
        KeyError: a selected or needed stage is not among the steps.
    """
    by_name = {step.name: step for step in steps}
    wanted: set[str] = set()

    def want(name: str) -> None:
        if name not in wanted:
            wanted.add(name)
            for need in by_name[name].needs:
                want(need)

    for name in selected:
        want(name)
    return tuple(step.name for step in steps if step.name in wanted)


def unmet(step: Step, results: Mapping[str, StageResult]) -> tuple[str, ...]:
    """A full sentence for each need of ``step`` that is not ``pass``; empty when it may run."""
    sentences = []
    for need in step.needs:
        status = results[need].status if need in results else Status.NOT_RUN
        if status is not Status.PASS:
            verb = "has not run" if status is Status.NOT_RUN else f"is {status}"
            sentences.append(f"{step.name} needs {need} to pass, and {need} {verb}.")
    return tuple(sentences)
