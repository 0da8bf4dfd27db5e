"""One run of the pipeline in a checkout: the same object behind a Nox session and the ``pipeline`` command.

It keeps the promise that a report is always true: first every stage's result that does not belong to this snapshot is
replaced by ``not-run``, then each stage replaces its own the moment it ends, and the merged report is made from those.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pipeline.against import POLICY
from pipeline.comparison import Comparison, comparison_of
from pipeline.core.masking import masked_record, masked_result
from pipeline.core.plan import NEVER_RUN, NOT_SELECTED, Step, ordered, unmet
from pipeline.core.run_record import Report, RunRecord
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import StageResult, Status, not_run
from pipeline.elaboration import elaborated
from pipeline.errors import ConfigurationError, StorageTrouble
from pipeline.execution.checkout import altered
from pipeline.hidden_values import HiddenValues
from pipeline.judging import result_of
from pipeline.policy_stage import steps_of
from pipeline.pruning import remember
from pipeline.run_reports import RunReports
from pipeline.stages.context import Context, Stage
from pipeline.troubles import ended_by, is_defect
from pipeline.workplace import Workplace

SELECTED = "This stage was selected and has not begun."
INTERRUPTED = "The run was interrupted before this stage had ended."
INTERRUPTED_BEFORE = "The run was interrupted before this stage began."


class Run:
    """A run of ``stages`` in a workplace: :meth:`begin` first, then :meth:`stage` for each, then :meth:`close`."""

    def __init__(self, workplace: Workplace, stages: tuple[Stage, ...], run_id: str) -> None:
        self._place = workplace
        self._stages = {stage.name: stage for stage in stages}
        self._steps = steps_of(stages, compared=workplace.choice is not None)
        self._comparison = Comparison(baseline={})
        self._run_id = run_id
        self._reports = RunReports(workplace)
        self._hidden = HiddenValues(workplace.redact, workplace.scratch)
        self._snapshot: Snapshot | None = None
        self._tree = Path()
        self._record: RunRecord | None = None
        self._planned: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All stages in order, the comparison of policies first where there is one."""
        return tuple(step.name for step in self._steps)

    @property
    def always(self) -> tuple[str, ...]:
        """What is run whatever is selected, by :meth:`begin` itself."""
        return tuple(name for name in self.names if name == POLICY)

    @property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """What each stage needs."""
        return {step.name: step.needs for step in self._steps}

    @property
    def begun(self) -> bool:
        """Whether :meth:`begin` has come to its end."""
        return self._record is not None

    def begin(self, selected: Iterable[str]) -> tuple[str, ...]:
        """Take the lock and the snapshot, check the settings, write ``not-run`` for everything selected and its needs.

        Returns the selected stages and their needs, in order. What is run always has been run then.

        Raises:
            ConfigurationError: something makes the run impossible; nothing has been run.
        """
        planned = ordered(self._steps, (*self.always, *selected))
        self._place.console.plan(planned)
        self._place.lock.acquire()
        try:
            # The workers of one run may begin at the same moment; one of them makes the run, the others join it.
            with self._reports.one_at_a_time("prepare"):
                self._prepare(planned)
            self._run_always()
        except BaseException:
            self._record = None
            self._place.lock.release()
            raise
        return tuple(name for name in planned if name not in self.always)

    def stage(self, name: str, *, reuse: bool = False, arguments: tuple[str, ...] = ()) -> StageResult:
        """Run one stage, or reuse its earlier pass for this snapshot and policy when ``reuse`` allows it.

        Raises:
            ConfigurationError: the stage can't be run as things are configured; its result says so.
            KeyboardInterrupt: its result says that the run was interrupted.
        """
        stage = self._stages[name]
        place = self._place
        missing = unmet(Step(name=name, needs=self.needs[name]), self._results())
        if missing:
            return self._settle(self._not_run(name, " ".join(missing)))
        place.show_begun(name)
        if reuse and (kept := self._reusable(stage)) is not None:
            return self._settle(replace(kept, cached=True))
        place.store.write(self._not_run(name, INTERRUPTED))
        with tempfile.TemporaryDirectory(dir=place.scratch, prefix=f"{name}-", ignore_cleanup_errors=True) as scratch:
            context = self._context(name, Path(scratch), arguments)
            try:
                result = self._carry_out(stage, context)
            except KeyboardInterrupt:
                self._settle(self._not_run(name, INTERRUPTED))
                raise
        return self._settle(result)

    def interrupt(self, names: Iterable[str]) -> None:
        """Say of the stages that have not run that the run was interrupted."""
        results = self._results()
        for name in names:
            if name not in results or results[name].status is Status.NOT_RUN:
                self._place.store.write(self._not_run(name, INTERRUPTED_BEFORE))
        self.merge()

    def report(self) -> Report:
        """The merged report as of now."""
        if self._record is None:
            raise ConfigurationError("The run has not begun.")
        results = self._results()
        everything = tuple(results.get(name) or self._not_run(name, NEVER_RUN) for name in self.names)
        return Report(
            record=self._record,
            results=everything,
            finished=self._place.timestamp(),
            history=self._reports.history,
        )

    def merge(self) -> Report:
        """Write the merged report in every format; one process of the run at a time."""
        return self._reports.write(self.report)

    def remember(self) -> None:
        """Leave the run's line to the history; what another process of the run has left is replaced."""
        if self.begun:
            self._reports.remember(self.report())

    def close(self) -> None:
        """Show what came of the run and where its reports are, and give everything back."""
        if self.begun:
            self._say_what_was_missing()
            ran = frozenset(name for name, result in self._results().items() if result.status is not Status.NOT_RUN)
            self._place.store.clear(self.names, ran)
            report = self.merge()
            self._reports.remember(report)
            self._place.show_verdict(report, self._planned)
        self._place.close()

    def _say_what_was_missing(self) -> None:
        """Nox never calls a session whose prerequisite failed, so the reason of such a stage is written here."""
        results = self._results()
        for step in self._steps:
            missing = unmet(step, results)
            if missing and step.name in self._planned and results[step.name].reasons == (SELECTED,):
                self._place.store.write(self._not_run(step.name, " ".join(missing)))

    def _prepare(self, planned: tuple[str, ...]) -> None:
        place = self._place
        snapshot = place.checkout.snapshot()
        earlier = place.store.read_record()
        joined = earlier if earlier is not None and earlier.run_id == self._run_id else None
        if joined is not None and joined.snapshot != snapshot.digest:
            raise ConfigurationError(
                "Files changed while the run was going on.", advice="Run again when nothing edits them."
            )
        for name in planned:
            if name in self._stages:
                self._stages[name].check_settings(place.settings, snapshot)
        self._planned, self._tree = planned, place.lay_out(snapshot, alone=joined is None)
        self._comparison = comparison_of(place, snapshot, self._tree)
        record = place.record(self._run_id, snapshot, self.names, self._comparison.against)
        record = masked_record(self._comparison.noted(record), place.redact)
        if joined is not None and joined.against != record.against:
            raise ConfigurationError("The steps of one run are all compared with the same revision, or none is.")
        self._snapshot = snapshot
        self._record = self._reports.opened(joined or record, joined=joined is not None)
        self._reset(joined is not None)
        place.store.write_record(self._record)
        self.merge()

    def _run_always(self) -> None:
        """Once in a run, whichever of its processes comes first."""
        if self._comparison.policy is None:
            return
        self._stages[POLICY] = self._comparison.policy
        with self._reports.one_at_a_time(POLICY):
            current = self._results().get(POLICY)
            if current is None or not self._is_of_this_run(current):
                self.stage(POLICY)

    def _reset(self, joined: bool) -> None:
        """Planned stages start as not-run, unless this very run (of another process) has their result already.

        Results of another snapshot or policy are no results at all; those of stages that are not planned stay.
        """
        results = self._results()
        for name in self.names:
            current = results.get(name)
            if current is None:
                self._place.store.forget(name)
            if name in self._planned:
                if not (joined and current is not None and self._is_of_this_run(current)):
                    self._place.store.write(self._not_run(name, SELECTED))
            elif current is None:
                self._place.store.write(self._not_run(name, NOT_SELECTED))

    def _is_of_this_run(self, result: StageResult) -> bool:
        return bool(result.started) and self._record is not None and result.started >= self._record.started

    def _results(self) -> dict[str, StageResult]:
        record = self._record
        if record is None:
            return {}
        found = self._place.store.results(self.names, record.snapshot)
        return {name: result for name, result in found.items() if result.policy == record.policy_digest}

    def _reusable(self, stage: Stage) -> StageResult | None:
        """An earlier result that still stands: a pass of this snapshot and policy, or what this very run found before.

        What a run has found stands for the whole run: a failure that is tried again until it passes would be none.
        """
        kept = self._place.store.previous(stage.name)
        record = self._record
        if kept is None or record is None or (kept.snapshot, kept.policy) != (record.snapshot, record.policy_digest):
            return None
        if not self._place.store.is_intact(kept):
            return None
        if kept.status is not Status.PASS:
            return kept if self._is_of_this_run(kept) else None
        if self._place.is_old(kept.started):
            return None
        with tempfile.TemporaryDirectory(dir=self._place.scratch) as scratch:
            context = self._context(stage.name, Path(scratch))
            return kept if stage.still_holds(context, kept) else None

    def _context(self, name: str, scratch: Path, arguments: tuple[str, ...] = ()) -> Context:
        assert self._snapshot is not None  # nosec B101 - begin() has set it
        return self._place.context(
            name, self._snapshot, self._tree, scratch=scratch, results=self._results(), arguments=arguments
        )

    def _carry_out(self, stage: Stage, context: Context) -> StageResult:
        """Run the stage and turn what it saw, or the trouble that it met, into a result."""
        place = self._place
        started, clock = place.timestamp(), place.ports.clock.monotonic()
        result = replace(self._not_run(stage.name, INTERRUPTED), started=started)
        try:
            place.store.fresh_raw(stage.name)
            self._learn_what_to_hide()
            examination = stage.run(context)
            changed = altered(context.snapshot, context.tree)
            if changed:
                raise StorageTrouble(f"The stage changed the snapshot that it was to check: {', '.join(changed[:3])}.")
            assert self._record is not None  # nosec B101 - begin() has set it
            examination, existing = self._comparison.of(stage, context, examination)
            examination = elaborated(examination, context.snapshot, context.tree)
            result = result_of(result, examination, record=self._record, others=self._results(), existing=existing)
        except Exception as error:  # pylint: disable=broad-exception-caught  # none of them may end the run, or be green
            result = ended_by(result, error)
            if is_defect(error):
                place.keep_traceback(stage.name, error)
            if isinstance(error, ConfigurationError):
                self._settle(replace(result, duration_s=place.ports.clock.monotonic() - clock))
                raise
        return replace(result, duration_s=place.ports.clock.monotonic() - clock)

    def _learn_what_to_hide(self) -> None:
        """Before anything of the files is shown; the record was written before, from git and the settings alone."""
        if self._hidden.learn(self._stages.values(), self._context) and self._record is not None:
            self._record = masked_record(self._record, self._place.redact)
            self._place.store.write_record(self._record)

    def _settle(self, result: StageResult) -> StageResult:
        """Write a stage's result, show it, and make the merged report again."""
        written = self._place.store.write(masked_result(result, self._place.redact))
        remember(self._place, written)
        self.merge()
        self._place.console.end(written)
        return written

    def _not_run(self, name: str, reason: str) -> StageResult:
        snapshot, policy = (self._record.snapshot, self._record.policy_digest) if self._record else ("", "")
        return not_run(name, reason, snapshot=snapshot, policy=policy, command=self._place.command(name))
