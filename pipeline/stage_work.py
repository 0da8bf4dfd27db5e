"""The work of one stage: what it is given, the stage itself, its tries, and what it saw or met as a result.

Apart from :mod:`pipeline.run`, which knows when a stage's turn is and where its result goes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.cached_results import CachedResults
from pipeline.comparison import Comparison
from pipeline.core.masking import masked_record
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import StageResult
from pipeline.elaboration import elaborated
from pipeline.errors import ConfigurationError, StorageTrouble
from pipeline.execution.laid_out import altered
from pipeline.hidden_values import HiddenValues
from pipeline.judging import result_of
from pipeline.run_results import RunResults
from pipeline.stages.context import Context, Stage
from pipeline.tries import Tries
from pipeline.troubles import ended_by, is_defect, may_pass
from pipeline.workplace import Workplace

INTERRUPTED = "The run was interrupted before this stage had ended."


class StageWork:
    """Carries out the ``stages`` of a run; what it is about is told by :meth:`about`, when the run has begun."""

    def __init__(self, place: Workplace, stages: dict[str, Stage], so_far: RunResults) -> None:
        self._place = place
        self._stages = stages
        self._so_far = so_far
        self.kept = CachedResults(place)
        self._hidden = HiddenValues(place.redact, place.scratch)
        self._snapshot: Snapshot | None = None
        self._tree = Path()
        self._comparison = Comparison(baseline={})

    def about(self, snapshot: Snapshot, tree: Path, comparison: Comparison) -> None:
        """The content, where it is laid out, and what it is compared with."""
        self._snapshot, self._tree, self._comparison = snapshot, tree, comparison

    def context(self, name: str, scratch: Path, arguments: tuple[str, ...] = (), cores: int = 1) -> Context:
        """What a stage is given."""
        assert self._snapshot is not None  # nosec B101 - about() has set it
        results = self._so_far.needed_by(name)
        return self._place.context(
            name, self._snapshot, self._tree, scratch=scratch, results=results, arguments=arguments, cores=cores
        )

    def result(
        self, name: str, arguments: tuple[str, ...], cores: int, refused: Callable[[StageResult], object]
    ) -> StageResult:
        """What comes of the stage, tried as often as the settings allow.

        Raises:
            ConfigurationError: it can't be run as things are configured; ``refused`` has got the result that says so.
        """
        tries = Tries(self._place.settings.run, self._place.ports.clock, self._place.console)
        return tries.last(name, lambda: self._tried(name, arguments, cores, refused))

    def learn_what_to_hide(self) -> None:
        """Before anything of the files is shown; the record was written before, from git and the settings alone."""
        if self._hidden.learn(self._stages.values(), self.context):
            self._so_far.record = masked_record(self._so_far.begun, self._place.redact)
            self._place.store.write_record(self._so_far.begun)

    def _tried(
        self, name: str, arguments: tuple[str, ...], cores: int, refused: Callable[[StageResult], object]
    ) -> tuple[StageResult, bool]:
        """One try, with a scratch folder of its own; and whether another may help."""
        place = self._place
        started, clock, passing = place.timestamp(), place.ports.clock.monotonic(), False
        result = replace(self._so_far.blank(name, INTERRUPTED), started=started)
        try:
            with tempfile.TemporaryDirectory(
                dir=place.scratch, prefix=f"{name}-", ignore_cleanup_errors=True
            ) as scratch:
                result = self._seen(result, self.context(name, Path(scratch), arguments, cores))
        except Exception as error:  # pylint: disable=broad-exception-caught  # none of them may end the run, or be green
            result, passing = ended_by(result, error), may_pass(error)
            if is_defect(error):
                place.keep_traceback(name, error)
            if isinstance(error, ConfigurationError):
                refused(replace(result, duration_s=place.ports.clock.monotonic() - clock))
                raise
        return replace(result, duration_s=place.ports.clock.monotonic() - clock), passing

    def _seen(self, blank: StageResult, context: Context) -> StageResult:
        """Run the stage and turn what it saw into a result."""
        stage, so_far = self._stages[blank.name], self._so_far
        noted = self.kept.noted(stage, context, so_far.begun)
        self._place.store.fresh_raw(stage.name)
        self.learn_what_to_hide()
        examination = noted(stage.run(context))
        changed = altered(context.snapshot, context.tree)
        if changed:
            raise StorageTrouble(f"The stage changed the snapshot that it was to check: {', '.join(changed[:3])}.")
        examination, existing = self._comparison.of(stage, context, examination)
        examination = elaborated(examination, context.snapshot, context.tree)
        return result_of(blank, examination, record=so_far.begun, others=so_far.found, existing=existing)
