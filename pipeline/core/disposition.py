"""Which findings count against a stage: the state of each, given once the tools have spoken and before the gate is.

Tool health and evidence are no business of this: a disposition changes the states of findings and the gate that counts
them, nothing else, so it can never turn "could not tell" into green.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from pipeline.core.finding import Finding, State
from pipeline.core.gate import counted_again
from pipeline.core.stage import Examination

Disposition = Callable[[Finding], State]
"""Says how a finding stands: new, existing or waived."""


def first_of(dispositions: Iterable[Disposition]) -> Disposition:
    """The dispositions as one: the first that does not call a finding new decides, so the order is their precedence."""
    ordered = tuple(dispositions)

    def state(finding: Finding) -> State:
        return next((given for given in (say(finding) for say in ordered) if given is not State.NEW), State.NEW)

    return state


def disposed(examination: Examination, disposition: Disposition) -> Examination:
    """The examination with each finding in its state, and its findings gate counted again."""
    findings = tuple(replace(finding, state=disposition(finding)) for finding in examination.findings)
    gates = tuple(counted_again(gate, findings) if gate.of_findings else gate for gate in examination.gates)
    return replace(examination, findings=findings, gates=gates)
