"""One run of the pipeline in a checkout: the same object behind a Nox session and the ``pipeline`` command.

It keeps the promise that a report is always true: first every stage's result that does not belong to this snapshot is
replaced by ``not-run``, then each stage replaces its own the moment it ends, and the merged report is made from those.

What has come of the stages so far, and which earlier result may stand in for one, is :mod:`pipeline.run_results`. A
stage has two halves, since :mod:`pipeline.scheduling` does them in two processes: :meth:`Run.settled` (nothing is
started; whatever can be looked up is looked up there) and :meth:`Run.carried_out` (what a result is worth keeping for
is kept there, as the last thing before it is written).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from pipeline.against import POLICY
from pipeline.comparison import Comparison, comparison_of
from pipeline.core.masking import masked_record, masked_result
from pipeline.core.plan import NEVER_RUN, Step, ordered, unmet
from pipeline.core.run_record import Report
from pipeline.core.schedule import Task
from pipeline.core.stage import StageResult, Status
from pipeline.core.waiver_standing import waiting
from pipeline.errors import ConfigurationError, PipelineError
from pipeline.policy_stage import steps_of
from pipeline.pruning import remember
from pipeline.run_reports import RunReports
from pipeline.run_results import SELECTED, RunResults
from pipeline.stage_work import INTERRUPTED, StageWork
from pipeline.stages.context import Stage, traits
from pipeline.workplace import Workplace

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
        self._so_far = RunResults(workplace, self._steps)
        self._work = StageWork(workplace, self._stages, self._so_far)
        self._planned: tuple[str, ...] = ()
        self._apart = False
        self._behind = False

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
        return self._so_far.record is not None

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
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and self.begun:
                self.interrupt(planned)
            self._so_far.record = None
            self._place.lock.release()
            raise
        return tuple(name for name in planned if name not in self.always)

    def stage(self, name: str, *, reuse: bool = False, arguments: tuple[str, ...] = ()) -> StageResult:
        """Run one stage here and now, or reuse its earlier pass for this snapshot and policy when ``reuse`` allows it.

        Raises:
            ConfigurationError: the stage can't be run as things are configured; its result says so.
            KeyboardInterrupt: its result says that the run was interrupted.
        """
        result = self.settled(name, reuse=reuse)
        self.catch_up()
        return result or self.carried_out(name, arguments)

    def settled(self, name: str, *, reuse: bool = False) -> StageResult | None:
        """The first half: the result that the stage has without being run, if it has one; then it has been written.

        It is ``not-run`` when something that it needs is no pass. A result that is looked up belongs here. The merged
        report says of it that the run has not come to it until :meth:`catch_up`: one report for a row of such stages.
        """
        missing = unmet(Step(name=name, needs=self.needs[name]), self._so_far.found)
        if missing:
            return self._written(self._so_far.blank(name, " ".join(missing)))
        stage = self._stages[name]
        if reuse and (kept := self._so_far.reusable(stage, self._work.context)) is not None:
            return self._written(replace(kept, cached=True, reused=self._place.timestamp()))
        if self._so_far.has_failed(name):
            return None
        kept = self._work.kept.take(stage, self._work.context(name, self._place.scratch), self._so_far.begun)
        return self._written(kept) if kept is not None else None

    def catch_up(self) -> None:
        """Bring the merged report up to date, before anything that takes time; nothing is done where it is."""
        if self._behind and not self._apart:
            self.merge()

    def carried_out(self, name: str, arguments: tuple[str, ...] = (), cores: int = 1) -> StageResult:
        """The second half: run the stage, which needs to have been looked up before, and write what came of it.

        Raises:
            ConfigurationError: the stage can't be run as things are configured; its result says so.
            KeyboardInterrupt: its result says that the run was interrupted.
        """
        self.catch_up()
        if not self._apart:
            self._place.show_begun(name)
        try:
            result = self._work.result(name, arguments, cores, self.settle)
        except KeyboardInterrupt:
            self.settle(self._so_far.blank(name, INTERRUPTED))
            raise
        written = self.settle(result)
        context = self._work.context(name, self._place.scratch, arguments)
        self._work.kept.keep(self._stages[name], context, written)
        return written

    def work_apart(self, tell: Callable[[str, str], None]) -> None:
        """In a process that was forked: leave the merged report to the other, and have it show what is said."""
        self._apart = True
        self._place.apart(tell)

    def came_apart(self, name: str) -> StageResult | None:
        """What a stage has come to in another process, shown; none when that has left no result.

        The merged report is behind then, for a moment: it is made before anything is waited for, and at the run's end.
        """
        result = self._so_far.found.get(name)
        if result is None or not self._so_far.is_of_this_run(result):
            return None
        self._behind = True
        self._place.console.end(result)
        return result

    def could_not_tell(self, name: str, reason: str, started: str) -> StageResult:
        """Write of a stage whose process was stopped, or ended by itself, that it is inconclusive, and why."""
        blank = self._so_far.blank(name, reason)
        taken = (datetime.fromisoformat(self._place.timestamp()) - datetime.fromisoformat(started)).total_seconds()
        return self.settle(replace(blank, status=Status.INCONCLUSIVE, started=started, duration_s=max(taken, 0.0)))

    def prepare(self) -> None:
        """Learn what no report may show, so that the stages' processes know it; what troubles that is told by them."""
        with contextlib.suppress(PipelineError, OSError):
            self._work.learn_what_to_hide()

    def tasks(self, planned: Sequence[str]) -> tuple[Task, ...]:
        """The planned stages as their schedule needs them."""
        after = waiting(self._so_far.begun.waivers, self.names)
        return tuple(
            Task(
                name=name,
                after=(*self.needs[name], *after.get(name, ())),
                **traits(self._stages[name], self._place.settings),
                usual_s=self._place.usual_s(name),
            )
            for name in planned
        )

    def interrupt(self, names: Iterable[str], begun: Collection[str] = ()) -> None:
        """Say of the stages without a result that the run was interrupted, ``begun`` being those that were at work."""
        results = self._so_far.found
        for name in names:
            if name not in results or results[name].reasons == (SELECTED,):
                reason = INTERRUPTED if name in begun else INTERRUPTED_BEFORE
                self._place.store.write(self._so_far.blank(name, reason))
        self.merge()

    def report(self) -> Report:
        """The merged report as of now."""
        record = self._so_far.begun
        results = self._so_far.found
        everything = tuple(results.get(name) or self._so_far.blank(name, NEVER_RUN) for name in self.names)
        return Report(
            record=record,
            results=everything,
            finished=self._place.timestamp(),
            history=self._reports.history,
        )

    def merge(self) -> Report:
        """Write the merged report in every format; one process of the run at a time."""
        report = self._reports.write(self.report)
        self._behind = False
        return report

    def remember(self) -> None:
        """Leave the run's line to the history; what another process of the run has left is replaced."""
        if self.begun:
            self._reports.remember(self.report())

    def close(self) -> None:
        """Show what came of the run and where its reports are, and give everything back."""
        try:
            self._conclude()
        finally:
            self._place.close()

    def _conclude(self) -> None:
        if self.begun:
            self._say_what_was_missing()
            ran = frozenset(name for name, result in self._so_far.found.items() if result.status is not Status.NOT_RUN)
            self._place.store.clear(self.names, ran)
            report = self.merge()
            self._reports.remember(report)
            self._place.show_verdict(report, self._planned)
            self._place.left_nothing()

    def _say_what_was_missing(self) -> None:
        """Nox never calls a session whose prerequisite failed, so the reason of such a stage is written here."""
        results = self._so_far.found
        for step in self._steps:
            missing = unmet(step, results)
            if missing and step.name in self._planned and results[step.name].reasons == (SELECTED,):
                self._place.store.write(self._so_far.blank(step.name, " ".join(missing)))

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
        if joined is None:
            place.clear_away()
        tree = place.lay_out(snapshot, alone=joined is None)
        self._planned, self._comparison = planned, comparison_of(place, snapshot, tree)
        record = place.record(self._run_id, snapshot, self.names, self._comparison.against)
        record = masked_record(self._comparison.noted(record), place.redact)
        if joined is not None and joined.against != record.against:
            raise ConfigurationError("The steps of one run are all compared with the same revision, or none is.")
        self._work.about(snapshot, tree, self._comparison)
        self._so_far.record = self._reports.opened(joined or record, joined=joined is not None)
        self._so_far.reset(planned, joined=joined is not None)
        place.store.write_record(self._so_far.record)
        self._reports.begin(self.report)
        self._behind = True

    def _run_always(self) -> None:
        """Once in a run, whichever of its processes comes first."""
        if self._comparison.policy is None:
            return
        self._stages[POLICY] = self._comparison.policy
        with self._reports.one_at_a_time(POLICY):
            current = self._so_far.found.get(POLICY)
            if current is None or not self._so_far.is_of_this_run(current):
                self.stage(POLICY)

    def settle(self, result: StageResult) -> StageResult:
        """Write a stage's result, show it, and make the merged report again."""
        written = self._written(result)
        self.catch_up()
        return written

    def _written(self, result: StageResult) -> StageResult:
        """The result as it has been written and shown; the merged report is behind then."""
        written = self._place.store.write(masked_result(result, self._place.redact))
        remember(self._place, written)
        self._behind = True
        if not self._apart:
            self._place.console.end(written)
        return written
