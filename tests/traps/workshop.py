"""Where traps are tried: one git repository that each trap's files are put into, its tools' environments made once."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from pipeline.core.ports import ToolEnvironment
from pipeline.core.stage import StageResult
from pipeline.execution.advisories import read_export
from pipeline.execution.environments import UvEnvironments
from pipeline.execution.osv_server import OsvServer
from pipeline.execution.processes import INHERITED, LocalProcesses
from pipeline.run import Run
from pipeline.settings import Settings
from pipeline.stages.context import packaged_lock
from pipeline.stages.registry import pipeline_stages
from pipeline.testing import SilentProgress
from pipeline.workplace import Workplace
from tests.advisory_exports import jinja_records, write_export
from tests.projects import git
from tests.traps.collection import Project, Trap, base_files, contents, planted

_NAIVE_TIMEOUT_S = 120
_NOX = f"{sys.executable} -m nox"
_ROOT = Path(__file__).resolve().parents[2]
_BIN = str(Path(sys.executable).parent)
_WITH_TOOLS = ("lint", "scan", "secrets", "audit")


@dataclass(frozen=True)
class Workshop:
    """A folder with the repository ``project`` in it, and what is needed around it."""

    folder: Path

    @property
    def project(self) -> Path:
        """The repository in which ours runs."""
        return self.folder / "project"

    @cached_property
    def exports(self) -> dict[str, Path]:
        """The advisory exports that a trap may offer, by name."""
        today = datetime.now(UTC).strftime("%Y-%m-%dT00:00:00Z")
        fresh = write_export(self.folder / "today.zip", *jinja_records(today))
        old = write_export(self.folder / "old.zip", *jinja_records("2024-01-01T00:00:00Z")[2:])
        return {"of today": fresh, "of 2024": old, "damaged": _damaged(self.folder / "damaged.zip")}

    def put(self, project: Project, *, anew: bool = True) -> Path:
        """The repository with the project's files, committed, and with no file left of the one before.

        ``anew`` also takes away what earlier runs have left.
        """
        self._clear(anew)
        if project.before:
            files = {**project.files, **project.before}
            self.put(replace(project, name="before", files=files, untracked={}, before={}), anew=anew)
            self._clear(anew=False)
        for name, content in contents(project).items():
            _write(self.project / name, content)
        for name in project.executable:
            (self.project / name).chmod(0o755)
        for name, target in project.links.items():
            (self.project / name).symlink_to(target)
        git(self.project, "add", "-A")
        if project.forced:
            git(self.project, "add", "-f", "--", *project.forced)
        git(self.project, "commit", "-q", "--allow-empty", "-m", project.name)
        for name, text in project.untracked.items():
            _write(self.project / name, planted(text).encode())
        return self.project

    def tools(self, stage: str, project: Project | None = None) -> ToolEnvironment:
        """The stage's tools, the very ones that ours uses; for tests with the project's packages, else the base's."""
        if stage in _WITH_TOOLS:
            return self._environments.ensure(stage, (packaged_lock(stage),))
        lock = self.folder / "requirements.txt"
        name = "service/requirements.txt"
        lock.write_bytes(base_files()[name].encode() if project is None else contents(project)[name])
        return self._environments.ensure("project", (lock, packaged_lock("test")))

    @cached_property
    def _environments(self) -> UvEnvironments:
        folder = self.project / ".pipeline" / "environments"
        python = Settings().build.python
        return UvEnvironments(folder, LocalProcesses(os.environ), SilentProgress(), python=python, environ=os.environ)

    def try_naive(self, trap: Trap, folder: Path, placeholders: Mapping[str, str] | None = None) -> int:
        """The exit code of the trap's naive command, in a copy of the project that it may litter."""
        copy = folder / "naive"
        shutil.copytree(self.project, copy, symlinks=True, ignore=shutil.ignore_patterns(".pipeline", "reports"))
        with self._replaced(trap), self._osv(trap) as url:
            command = trap.naive
            export = self.exports.get(trap.advisories)
            known = {"osv": url, "advisories": str(export or ""), "python": "python", "nox": _NOX}
            known |= {"bin": _BIN, "root": str(_ROOT)} | dict(placeholders or {})
            for name, value in known.items():
                command = command.replace(f"{{{name}}}", value)
            ended = subprocess.run(
                ["sh", "-c", command], cwd=copy, env=self.naive_environment(trap), capture_output=True, text=True,
                errors="replace", timeout=_NAIVE_TIMEOUT_S, check=False,
            )  # fmt: skip
        print(f"$ {command}\n{ended.stdout}{ended.stderr}-> {ended.returncode}")
        return ended.returncode

    def naive_environment(self, trap: Trap) -> dict[str, str]:
        """A short environment in which the stage's tools are first on the path."""
        kept = {name: os.environ[name] for name in (*INHERITED, "DOCKER_HOST") if name in os.environ}
        tools = self.tools(trap.stage, trap if trap.stage == "test" else None)
        path = f"{tools.root / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return {**kept, "PATH": path, **trap.environ}

    def try_ours(self, project: Project, *stages: str, advisories: str = "of today") -> dict[str, StageResult]:
        """The results of these stages, and of those that they need.

        Raises:
            ConfigurationError: ours refuses the project.
        """
        with self.begun(project, *stages, advisories=advisories) as (run, planned):
            results = {name: run.stage(name) for name in planned}
            return results | {result.name: result for result in run.report().results if result.name in run.always}

    @contextlib.contextmanager
    def begun(
        self, project: Project, *stages: str, advisories: str = "of today", run_id: str = ""
    ) -> Iterator[tuple[Run, tuple[str, ...]]]:
        """A run that has begun, and the stages that it is to carry out; closed in the end."""
        run_id = run_id or f"{os.getpid()}-{os.urandom(4).hex()}"
        replaced = self._replaced(project) if isinstance(project, Trap) else contextlib.nullcontext()
        with replaced:
            place = self._workplace(project.environ, advisories, run_id)
            run = Run(place, pipeline_stages(place.settings.project.required), run_id)
            try:
                yield run, run.begin(stages)
            finally:
                run.close()

    def _workplace(self, environ: Mapping[str, str], advisories: str = "", run_id: str = "tools") -> Workplace:
        export = self.exports.get(advisories)
        variables = {"PIPELINE_AUDIT_ADVISORIES": str(export)} if export else {}
        return Workplace(self.project, {**os.environ, **variables, **environ}, run_id)

    @contextlib.contextmanager
    def _replaced(self, trap: Trap) -> Iterator[None]:
        """A script stands in for each program that the trap replaces, in the environment that ours uses too."""
        with contextlib.ExitStack() as stack:
            for name, script in trap.replaced.items():
                program = self.tools(trap.stage).root / "bin" / name
                kept = program.rename(program.with_name(f"{name}.kept"))
                stack.callback(kept.replace, program)
                program.write_text(script, encoding="utf-8")
                program.chmod(0o755)
            yield

    @contextlib.contextmanager
    def _osv(self, trap: Trap) -> Iterator[str]:
        """The address of an endpoint that answers from the trap's export, where its command asks for one."""
        if "{osv}" not in trap.naive:
            yield ""
            return
        with OsvServer(read_export(self.exports[trap.advisories]), page_size=trap.page_size) as server:
            yield server.url

    def _clear(self, anew: bool) -> None:
        self.project.mkdir(exist_ok=True)
        if not (self.project / ".git").exists():
            git(self.project, "init", "-q", "-b", "main")
        _empty(self.project, {".git", ".pipeline"} if anew else {".git", ".pipeline", "reports"})
        if anew:
            _empty(self.project / ".pipeline", {"environments", "cache"})


def _empty(folder: Path, kept: set[str]) -> None:
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _damaged(path: Path) -> Path:
    """An export in which a record's bytes are not those that its checksum is of."""
    (record, *_) = jinja_records()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{record['id']}.json", json.dumps(record))
    path.write_bytes(path.read_bytes().replace(b"A fault", b"No flaw"))
    return path


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
