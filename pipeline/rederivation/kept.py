"""What a report kept of one stage, as the derivations read it. No file is opened here: everything is a text already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.core.evidence import Control, Evidence
from pipeline.core.ports import Outcome
from pipeline.core.run_record import RunRecord
from pipeline.core.stage import StageResult
from pipeline.errors import ToolTrouble
from pipeline.settings import Settings

NOWHERE = Path("/.pipeline-verify-has-no-tree")
"""Stands for the tree that the tools ran in. It does not exist: no report makes us read a file of this machine."""

CHECKOUT = "What was to be checked ({unit}) rests on the report's own word: it was established from the checkout."
CONTROLS = "That the planted faults were caught rests on the report's own word: their outputs are not kept."


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A stage's result, the texts of its raw outputs by their name below ``raw/``, the policy as settings, the run."""

    result: StageResult
    raw: Mapping[str, str]
    settings: Settings
    record: RunRecord

    @property
    def evidence(self) -> Evidence:
        """The evidence as recorded. Raises ToolTrouble when there is none."""
        if self.result.evidence is None:
            raise ToolTrouble("The result has no evidence.")
        return self.result.evidence

    @property
    def expected(self) -> tuple[str, ...]:
        """What was to be checked, sorted."""
        return tuple(sorted(self.evidence.expected))

    @property
    def controls(self) -> tuple[Control, ...]:
        """The controls as recorded."""
        return self.evidence.controls

    @property
    def whole_checkout(self) -> str:
        """The sentence that says where the expected set comes from."""
        return CHECKOUT.format(unit=self.evidence.unit)

    def text(self, name: str) -> str:
        """One raw output. Raises ToolTrouble when it is not among those of the result."""
        if name not in self.raw:
            raise ToolTrouble(f"The raw output {name} is not there.")
        return self.raw[name]

    def json(self, name: str) -> Any:
        """One raw output, read as JSON. Raises ToolTrouble or ValueError."""
        return json.loads(self.text(name))

    def earlier(self, metrics: Mapping[str, str]) -> StageResult:
        """An earlier result that had the values which this one names under other names (old name: name in this one)."""
        told = {old: self.result.metrics.get(name) for old, name in metrics.items()}
        return replace(self.result, metrics=told)


def ended(exit_code: int, stdout: str = "", stderr: str = "") -> Outcome:
    """A process that ended so. A report holds no exit codes, so it is the one that fits the output."""
    return Outcome(exit_code=exit_code, stdout=stdout, stderr=stderr, duration_s=0.0)
