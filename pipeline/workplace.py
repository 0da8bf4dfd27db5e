"""Where a run takes place: the checkout, the settings, and every effect, put together once.

This is the composition root; below it nothing knows which implementation stands behind a port.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import platform
import shutil
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path

from pipeline.against import POLICY, chosen
from pipeline.cache_rules import may_write, why_fresh
from pipeline.console import Console, standard
from pipeline.core.containers import Ownership
from pipeline.core.run_record import Against, Report, RunRecord
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import StageResult
from pipeline.execution.checkout import Checkout
from pipeline.execution.clock import SystemClock
from pipeline.execution.descendants import MARK, end_marked
from pipeline.execution.environments import UvEnvironments
from pipeline.execution.file_results import ShelvedResults
from pipeline.execution.files import remove_unfinished, write_atomically
from pipeline.execution.laid_out import lay_out
from pipeline.execution.processes import LocalProcesses
from pipeline.execution.redaction import SecretRedactor
from pipeline.execution.run_lock import RunLock
from pipeline.execution.store import ResultStore
from pipeline.live import FOLDER, STAGE
from pipeline.opened import Opened
from pipeline.release import release
from pipeline.reporters import json_reading, json_report
from pipeline.reporters.annotations import annotation_commands
from pipeline.settings import STAGE_NAMES
from pipeline.settings_loading import load, policy, policy_digest
from pipeline.stages.context import Context, Ports
from pipeline.waivers import read_waivers


class Workplace:
    """Everything that a run needs, made from the project's root, the environment and a run id."""

    def __init__(
        self,
        root: Path,
        environ: Mapping[str, str],
        run_id: str,
        *,
        extra_stages: tuple[str, ...] = (),
        live: bool = False,
        against: str | None = None,
        console: Console | None = None,
    ) -> None:
        self.root = root
        self.settings = load(root, environ, extra_stages)
        self.environ = environ
        self.choice = None if live else chosen(against, self.settings, environ)
        self._run_id = run_id
        self._unfinished = root / ".pipeline" / "state" / "unfinished"
        own = root / ".pipeline"
        self.state = own / "state"
        reports = root / self.settings.reports.folder
        if live:
            project = replace(self.settings.project, required=(STAGE,))
            self.settings = replace(self.settings, project=project)
            self.state, reports = self.state / FOLDER, reports / FOLDER
        self.scratch = own / "tmp"
        self._own = own
        self.redact = SecretRedactor(environ)
        for variables in (self.settings.test.environment, self.settings.smoke.environment):
            self.redact.variables(variables)
        self.console = console or standard(self.redact, environ)
        mark = {f"{MARK}{self.ownership.checkout}": run_id}
        self.processes = LocalProcesses(environ, self.console, mark)
        self.checkout = Checkout(root, LocalProcesses(environ, mark=mark))
        self.lock = RunLock(own / "state" / "run.lock", run_id)
        self.store = ResultStore(
            reports,
            self.state,
            encode=json_report.render_stage,
            decode=json_reading.parse_stage,
        )

    @cached_property
    def ports(self) -> Ports:
        """The effects that stages use."""
        environments = UvEnvironments(
            self._own / "environments",
            self.processes,
            self.console,
            python=self.settings.project.python,
            environ=self.environ,
        )
        return Ports(
            processes=self.processes,
            environments=environments,
            clock=SystemClock(),
            progress=self.console,
            redact=self.redact,
            engine=self._opened.engine,
            registries=self._opened.registries,
            signing=partial(self._opened.signing, self._run_id, release()),
            advisories=self._opened.advisories,
            debian_advisories=self._opened.debian_advisories,
            bases=self._opened,
            releases=self._opened.releases,
            traffic=self._opened.traffic,
            wire=self._opened.wire,
            last_change=self.checkout.last_change,
            ownership=self.ownership,
            cache=self._own / "cache",
            file_results=ShelvedResults(
                self._own / "cache" / "files",
                self.console,
                reads=not why_fresh(self.settings),
                writes=may_write(self.settings, self.environ),
            ),
        )

    @cached_property
    def _opened(self) -> Opened:
        return Opened(
            self.settings,
            self._own,
            environ=self.environ,
            processes=self.processes,
            progress=self.console,
            redact=self.redact,
        )

    @property
    def ownership(self) -> Ownership:
        """The mark on what this checkout starts: a digest of its path, since a report must not hold the path itself."""
        return Ownership(checkout=hashlib.sha256(str(self.root.resolve()).encode()).hexdigest()[:16], run=self._run_id)

    def lay_out(self, snapshot: Snapshot, *, alone: bool) -> Path:
        """The snapshot as a tree of files, and the scratch folder; ``alone`` when no other process is of this run."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        trees = self._own / "snapshots"
        trees.mkdir(parents=True, exist_ok=True)
        return lay_out(snapshot, self.root, trees, alone=alone)

    def context(
        self,
        stage: str,
        snapshot: Snapshot,
        tree: Path,
        *,
        scratch: Path,
        results: Mapping[str, StageResult],
        arguments: tuple[str, ...],
        cores: int = 1,
    ) -> Context:
        """What a stage is given."""
        return Context(
            settings=self.settings,
            snapshot=snapshot,
            tree=tree,
            scratch=scratch,
            raw=self.store.stage_folder(stage) / "raw",
            keeper=partial(self.store.keep, stage),
            state=self.state,
            ports=self.ports,
            results=results,
            previous=self.store.previous(stage),
            arguments=arguments,
            cores=cores,
        )

    def record(
        self, run_id: str, snapshot: Snapshot, stages: tuple[str, ...], against: Against | None = None
    ) -> RunRecord:
        """What a run that begins now is about.

        Raises:
            ConfigurationError: the waivers can't be used.
        """
        started = self.timestamp()
        today = date.fromisoformat(started[:10])
        waivers = read_waivers(self.root, snapshot, self.settings, today)
        commit = (against.commit or against.revision) if against else ""
        return RunRecord(
            run_id=run_id,
            snapshot=snapshot.digest,
            commit=snapshot.commit,
            branch=snapshot.branch or self.environ.get("GITHUB_HEAD_REF") or self.environ.get("GITHUB_REF_NAME", ""),
            dirty=snapshot.dirty,
            started=started,
            actor=self._actor(),
            python=platform.python_version(),
            platform=platform.platform(terse=True),
            stages=stages,
            required=self.settings.project.required,
            policy_digest=policy_digest(self.settings, waivers, today, commit),
            policy=policy(self.settings, waivers, today, commit),
            against=against,
            waivers=waivers,
            generator=release(),
        )

    def timestamp(self) -> str:
        """Now, ISO 8601 in UTC, to the millisecond."""
        return self.ports.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def is_old(self, started: str) -> bool:
        """Whether a result that began at ``started`` is beyond the age up to which results are reused."""
        try:
            age = self.ports.clock.now() - datetime.fromisoformat(started).astimezone(UTC)
        except ValueError:
            return True
        return not timedelta(0) <= age <= timedelta(hours=self.settings.cache.max_age_hours)

    def command(self, stage: str) -> str:
        """How to run a stage again by hand."""
        ours = (self.root / "noxw").exists()
        named = self.choice.named if self.choice is not None else ""
        if stage == POLICY:
            return f"{'./noxw' if ours else 'pipeline'} run {STAGE_NAMES[0]} {named}".rstrip()
        return f"{'./noxw' if ours else 'nox'} -s {stage}{f' -- {named}' if named else ''}"

    def keep_traceback(self, stage: str, error: Exception) -> None:
        """Keep the trace of a defect among the stage's raw files, for a report to the maintainers."""
        text = "".join(traceback.format_exception(error))
        self.store.keep(stage, "traceback.txt", self.redact(text.replace(str(self.root), ".")))

    def usual_s(self, stage: str) -> float:
        """How many seconds the stage took the last time; 0 where that is not known."""
        before = self.store.previous(stage)
        return before.duration_s if before is not None else 0.0

    def show_begun(self, stage: str, *, beside: bool = False) -> None:
        """Say that a stage begins, ``beside`` others or alone."""
        self.console.begin(stage, self.usual_s(stage), beside=beside)

    def apart(self, tell: Callable[[str, str], None]) -> None:
        """From now on this process works for the one that it was forked from, and has it show what is said."""
        self.console.relay(tell)
        self._opened.forget()

    def show_verdict(self, report: Report, planned: Collection[str]) -> None:
        """The last lines of a process that was to run the ``planned`` stages; GitHub gets its annotations of them."""
        self.console.annotate(annotation_commands(report, planned))
        page = self.store.reports / "index.html"
        place = page if page.exists() else self.store.reports / "pipeline.json"
        self.console.verdict(report, (os.path.relpath(place, Path.cwd()),))

    def gone_apart(self) -> None:
        """Such a process has done its work: what it has opened is closed."""
        self._opened.close()

    def clear_away(self) -> None:
        """At the beginning of a run, which has the lock: what one that was killed has left; then a note that one began.

        Containers are left to the stage that uses the engine next, and to ``pipeline clean``.
        """
        if self._unfinished.exists():
            end_marked(self.ownership.checkout, self._run_id)
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch.mkdir(parents=True, exist_ok=True)
            for folder in (self.store.reports, self.state):
                remove_unfinished(folder)
        write_atomically(self._unfinished, self._run_id)

    def left_nothing(self) -> None:
        """The run has come to its end; what a killed stage has left in the scratch folder the next one takes away."""
        if not any(self.scratch.iterdir()):
            self._unfinished.unlink(missing_ok=True)

    def close(self) -> None:
        """Give the lock back, and whatever was opened."""
        self.console.close()
        self._opened.close()
        self.lock.release()

    def _actor(self) -> str:
        for name in ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER_ID"):
            if self.environ.get(name):
                return self.environ[name]
        try:
            return getpass.getuser()
        except (KeyError, OSError):
            return str(os.getuid())
