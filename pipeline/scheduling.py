"""The stages of a run at the same time, each in a process of its own, as soon as what they need is there.

Which one begins when is :mod:`pipeline.core.schedule`'s to say. This process only waits: it shows what the others tell,
writes the merged report, and stops what must be stopped. A signal interrupts nothing here, but is looked for.
"""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipeline.core.schedule import Start, Task, next_starts
from pipeline.core.stage import StageResult
from pipeline.errors import ConfigurationError, PipelineError, StorageTrouble
from pipeline.execution.cores import usable_cores
from pipeline.execution.descendants import adopt, end_descendants
from pipeline.execution.workers import INTERRUPTED, Message, Worker
from pipeline.interrupts import Requests, noted
from pipeline.run import Run
from pipeline.workplace import Workplace

BEAT_S = 0.5
"""How often the live view goes on, in seconds."""
GRACE_S = 15.0
"""What a stage has to stop a container and its tools in, in seconds, before its process is killed."""
_SLACK_S = 4.0
REFUSED, TROUBLED = "refused", "troubled"


@dataclass(slots=True)
class _AtWork:
    """A stage's process, its share of the cores, when it began, and what has become known of its end."""

    worker: Worker
    cores: int
    started: str
    deadline: float
    reason: str = ""
    stopped: bool = False
    error: PipelineError | None = None


class Scheduler:
    """Carries out stages of a ``run`` that has begun; ``requests`` are those to stop."""

    def __init__(self, run: Run, place: Workplace, requests: Requests, arguments: tuple[str, ...] = ()) -> None:
        self._run = run
        self._place = place
        self._requests = requests
        self._arguments = arguments
        self._at_work: dict[str, _AtWork] = {}
        self._ended: set[str] = set()
        self._cut_off: set[str] = set()
        self._error: PipelineError | None = None
        self._interrupted = False
        self._prepared = False
        self._together = False
        self._looked = time.monotonic()
        # Not epoll's, whose list the forked processes would share.
        self._selector = selectors.PollSelector()

    def carry_out(self, planned: Sequence[str], asked: Collection[str], jobs: int) -> None:
        """Carry out the ``planned`` stages, at most ``jobs`` at once; one that nobody ``asked`` for may be reused.

        Raises:
            KeyboardInterrupt: a request to stop has come; the report says so of every stage that was left.
            ConfigurationError: a stage can't be run as things are configured; those that were at work have ended.
            StorageTrouble: a result could not be written; everything has been stopped.
        """
        adopt()
        self._together = jobs > 1 and len(planned) > 1
        self._selector.register(self._requests.fileno(), selectors.EVENT_READ, None)
        self._interrupted = self._requests.count > 0
        self._looked = time.monotonic()
        tasks = self._run.tasks(planned)
        try:
            while (settled := self._begin(tasks, asked, jobs)) or self._at_work:
                # After a stage that was not run there is nothing to wait for: the next ones may begin.
                self._wait(0.0 if settled else BEAT_S)
        except StorageTrouble as error:
            # What can't be told in a report ends the run.
            self._error = error
        finally:
            self._stop_all()
            self._selector.close()
            end_descendants()
        if self._interrupted and (self._cut_off or not self._ended.issuperset(planned)):
            self._run.interrupt(planned, self._cut_off)
            raise KeyboardInterrupt
        if self._error is not None:
            raise self._error

    def _begin(self, tasks: Sequence[Task], asked: Collection[str], jobs: int) -> bool:
        """Begin what can begin; whether one of them has a result without having been run, so that more can."""
        if self._interrupted or self._error is not None:
            return False
        settled = False
        for start in next_starts(tasks, self._ended, {n: work.cores for n, work in self._at_work.items()}, jobs):
            if self._run.settled(start.name, reuse=start.name not in asked) is not None:
                self._ended.add(start.name)
                settled = True
            elif not self._interrupted:
                self._start(start)
        return settled

    def _start(self, start: Start) -> None:
        self._run.catch_up()
        if not self._prepared:
            try:
                with self._requests.raised():
                    self._run.prepare()
            except KeyboardInterrupt:
                self._interrupted = True
                return
            self._prepared = True
        self._place.show_begun(start.name, beside=self._together or self._place.console.draws)
        started = self._place.timestamp()
        worker = Worker(start.name, partial(self.work, start))
        limit = time.monotonic() + self._place.settings.run.timeout_s
        self._at_work[start.name] = _AtWork(worker=worker, cores=start.cores, started=started, deadline=limit)
        self._selector.register(worker, selectors.EVENT_READ, start.name)

    def work(self, start: Start, tell: Callable[[Message], None]) -> None:
        """The work of a stage, in a process of its own; what it says, and what can't be written, is told.

        Raises:
            KeyboardInterrupt: it was asked to stop.
        """
        runner = os.getppid()
        self._run.work_apart(lambda how, text: tell({how: text}))
        try:
            self._run.carried_out(start.name, self._arguments, start.cores)
        except ConfigurationError as error:
            tell({REFUSED: [error.what, error.why, error.advice]})
        except KeyboardInterrupt:
            if os.getppid() != runner:
                # It has been killed, so there is nobody else who could tell what came of its run.
                self._run.merge()
            raise
        except PipelineError as error:
            tell({TROUBLED: [error.what, error.why, error.advice]})
        finally:
            self._place.gone_apart()

    def _wait(self, seconds: float) -> None:
        """For whatever comes next, or until the view is to go on."""
        if seconds:
            self._run.catch_up()
        ready = self._selector.select(seconds)
        now = time.monotonic()
        # Much longer than that: we were stopped (SIGSTOP, Ctrl-Z, a laptop asleep), and the stages had no such time.
        asleep, self._looked = max(now - self._looked - seconds - _SLACK_S, 0.0), now
        for key, _ in ready:
            if key.data is None:
                self._hear_request()
            elif key.data in self._at_work:
                self._hear(key.data)
        for work in self._at_work.values():
            work.deadline += asleep
            self._watch(work)
        self._place.console.draw()

    def _hear_request(self) -> None:
        self._requests.heard()
        self._interrupted = True
        for work in self._at_work.values():
            # Who asks again does not want to wait.
            self._stop(work, patient=self._requests.count < 2)

    def _watch(self, work: _AtWork) -> None:
        if time.monotonic() < work.deadline:
            return
        if work.stopped:
            work.worker.kill()
        else:
            seconds = self._place.settings.run.timeout_s
            work.reason = f"The stage was stopped after {seconds} seconds (run.timeout_s) without an end."
            self._stop(work)

    def _stop(self, work: _AtWork, *, patient: bool = True) -> None:
        """Ask a stage to stop, once; it is killed when its time to do so is over."""
        if not work.stopped:
            work.stopped = True
            work.worker.stop()
            work.deadline = time.monotonic() + GRACE_S
        if not patient:
            work.deadline = time.monotonic()

    def _hear(self, name: str) -> None:
        """What a stage's process tells, or that it has ended."""
        work = self._at_work[name]
        for message in work.worker.messages():
            for how, content in message.items():
                self._take(work, how, content)
        if work.worker.exit_code is not None:
            self._selector.unregister(work.worker)
            work.worker.close()
            del self._at_work[name]
            self._end(work)

    def _take(self, work: _AtWork, how: str, content: Any) -> None:
        if how in (REFUSED, TROUBLED):
            kind = ConfigurationError if how == REFUSED else StorageTrouble
            what, why, advice = content
            work.error = kind(what, why=why, advice=advice)
        elif how == "broken":
            work.reason = work.reason or f"The stage broke down, which is a defect of the pipeline: {content}."
        elif how != "trace":
            self._place.console.hear(work.worker.name, how, content)

    def _end(self, work: _AtWork) -> None:
        """Take note of a stage's end: its result, or why it has none."""
        name = work.worker.name
        self._ended.add(name)
        if work.worker.exit_code not in (0, INTERRUPTED):
            # It could not end what it had started; that is a child of ours by now (see adopt).
            end_descendants({other.worker.pid for other in self._at_work.values()})
        self._error = self._error or work.error
        if not work.reason and self._run.came_apart(name) is not None:
            return
        if self._interrupted and not work.reason:
            self._cut_off.add(name)
        else:
            self._run.could_not_tell(name, work.reason or _why(work), work.started)

    def _stop_all(self) -> None:
        """Whatever is still at work: without patience, since nothing can be told of it any more."""
        for work in self._at_work.values():
            work.worker.kill()
        while self._at_work:
            for name, work in [*self._at_work.items()]:
                work.worker.messages()
                if work.worker.exit_code is not None:
                    self._selector.unregister(work.worker)
                    work.worker.close()
                    del self._at_work[name]


def one_stage(run: Run, place: Workplace, name: str, *, reuse: bool, arguments: tuple[str, ...]) -> StageResult:
    """Carry out one stage of a run that has begun in a process of its own, unless it may be reused and can be.

    Raises:
        KeyboardInterrupt: a request to stop has come; the report says so of this stage.
        ConfigurationError: the stage can't be run as things are configured.
        StorageTrouble: its result could not be written.
    """
    with noted() as requests:
        jobs = place.settings.run.jobs or usable_cores()
        Scheduler(run, place, requests, arguments).carry_out((name,), () if reuse else (name,), jobs)
    # Nobody knows when Nox comes to its next session, or whether to any.
    run.catch_up()
    return next(result for result in run.report().results if result.name == name)


def _why(work: _AtWork) -> str:
    """Why a stage's process has left no result."""
    code = work.worker.exit_code
    if work.error is not None:
        return f"The stage's result could not be written: {work.error}"
    if code == INTERRUPTED:
        return "The stage's process was asked to stop by somebody else, so nothing can be said."
    if code is not None and code < 0:
        return f"The stage's process was ended by signal {-code} (no memory, or somebody), so nothing can be said."
    return f"The stage's process ended without a result (exit code {code})."
