"""What has come of a run's stages so far, and whether an earlier result may stand in for one.

The results themselves lie in the store, since the processes of one run share them; here is what they mean to this run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.core.plan import NOT_SELECTED, Step
from pipeline.core.run_record import RunRecord
from pipeline.core.stage import StageResult, Status, not_run
from pipeline.errors import ConfigurationError
from pipeline.stages.context import Context, Stage
from pipeline.workplace import Workplace

SELECTED = "This stage was selected, and the run has not come to its result."
"""True whenever it is read: before the stage begins, while it is at work, and after a run that was killed."""


class RunResults:
    """The results of the ``steps`` of the run that ``record`` is about (none: it has not begun)."""

    def __init__(self, place: Workplace, steps: Sequence[Step]) -> None:
        self._place = place
        self._steps = {step.name: step for step in steps}
        self.record: RunRecord | None = None

    @property
    def begun(self) -> RunRecord:
        """The record of the run. Raises ConfigurationError when it has not begun."""
        if self.record is None:
            raise ConfigurationError("The run has not begun.")
        return self.record

    @property
    def found(self) -> dict[str, StageResult]:
        """The results for the run's snapshot and policy, by stage."""
        record = self.record
        if record is None:
            return {}
        found = self._place.store.results(tuple(self._steps), record.snapshot)
        return {name: result for name, result in found.items() if result.policy == record.policy_digest}

    def needed_by(self, name: str) -> dict[str, StageResult]:
        """The results of what the stage needs and what that needs: no others, since those may come at any time."""
        wanted: set[str] = set()
        ahead = [name]
        while ahead:
            needs = self._steps[ahead.pop()].needs
            ahead += [need for need in needs if need not in wanted]
            wanted.update(needs)
        return {need: result for need, result in self.found.items() if need in wanted}

    def blank(self, name: str, reason: str) -> StageResult:
        """A result that says that the stage has not run, and why."""
        snapshot, policy = (self.record.snapshot, self.record.policy_digest) if self.record else ("", "")
        return not_run(name, reason, snapshot=snapshot, policy=policy, command=self._place.command(name))

    def reset(self, planned: Sequence[str], *, joined: bool) -> None:
        """Planned stages start as not-run, unless this very run (of another process) has their result already.

        Results of another snapshot or policy are no results at all; those of stages that are not planned stay.
        """
        results = self.found
        for name in self._steps:
            current = results.get(name)
            if current is None:
                self._place.store.forget(name)
            if name in planned:
                if not (joined and current is not None and self.is_of_this_run(current)):
                    self._place.store.write(self.blank(name, SELECTED))
            elif current is None:
                self._place.store.write(self.blank(name, NOT_SELECTED))

    def is_of_this_run(self, result: StageResult) -> bool:
        """Whether the stage ran, or an earlier result was taken for it, after this run began."""
        begun = result.reused or result.started
        return bool(begun) and self.record is not None and begun >= self.record.started

    def has_failed(self, name: str) -> bool:
        """Whether this very run has found the stage to be no pass, which no earlier pass takes back."""
        result = self.found.get(name)
        return result is not None and self.is_of_this_run(result) and result.status is not Status.PASS

    def reusable(self, stage: Stage, context: Callable[[str, Path], Context]) -> StageResult | None:
        """An earlier result that still stands: a pass of this snapshot and policy, or what this very run found before.

        What a run has found stands for the whole run: a failure that is tried again until it passes would be none.
        ``context`` makes that of a stage by its name, with a scratch folder.
        """
        kept = self._place.store.previous(stage.name)
        record = self.record
        if kept is None or record is None or (kept.snapshot, kept.policy) != (record.snapshot, record.policy_digest):
            return None
        if not self._place.store.is_intact(kept):
            return None
        if kept.status is not Status.PASS:
            return kept if self.is_of_this_run(kept) else None
        if self._place.settings.cache.fresh == "always" and not self.is_of_this_run(kept):
            return None
        if self._place.is_old(kept.started):
            return None
        with TemporaryDirectory(dir=self._place.scratch) as scratch:
            return kept if stage.still_holds(context(stage.name, Path(scratch)), kept) else None
