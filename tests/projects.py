"""Small projects for tests: a git repository with a pyproject.toml, and stages whose outcome the test chooses."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.evidence import Evidence
from pipeline.core.gate import check_gate
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, StageResult
from pipeline.settings import Settings
from pipeline.stages.context import Context

ADOPTER = Path(__file__).parent / "fixtures/adopter"
IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str) -> str:
    """Run git in ``folder``; a failure is an error of the test."""
    command = ("git", *IDENTITY, *arguments)
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def make_project(folder: Path, table: str = "", files: dict[str, str] | None = None) -> Path:
    """A committed repository at ``folder`` with ``[tool.pipeline]`` set to ``table``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("/.pipeline/\n/reports/\n", encoding="utf-8")
    text = f'[project]\nname = "sample"\nversion = "1.2.3"\n[tool.pipeline]\n{table}\n'
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    everything = {"service/app.py": '"""A service."""\n', **(files or {})}
    for name, content in everything.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def copy_adopter(project: Path) -> Path:
    """The other project at ``project``, committed, without its own stage (so without a noxfile)."""
    ignored = shutil.ignore_patterns("__pycache__", ".pipeline", "reports", ".*_cache", "noxfile.py")
    shutil.copytree(ADOPTER, project, ignore=ignored)
    settings = (project / "pyproject.toml").read_text(encoding="utf-8")
    settings = settings.replace(', "noxfile.py"]', "]").replace('"spdx", ', "").partition("[tool.pipeline.spdx]")[0]
    (project / "pyproject.toml").write_text(settings, encoding="utf-8")
    (project / ".gitignore").write_text("/.pipeline/\n/reports/\n/export.zip\n", encoding="utf-8")
    git(project, "init", "-q", "-b", "main")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "adopt the pipeline")
    return project


def green(context: Context) -> Examination:
    """An examination that carries a pass."""
    del context
    return Examination(
        evidence=Evidence.of("things", expected=("a", "b"), checked=("a", "b")),
        gates=(check_gate(True, what="faults", allowed="0", found="0"),),
    )


def red(context: Context) -> Examination:
    """An examination with a gate that is not met."""
    del context
    return Examination(
        evidence=Evidence.of("things", expected=("a",), checked=("a",)),
        gates=(check_gate(False, what="faults", allowed="0", found="1"),),
    )


def doubtful(context: Context) -> Examination:
    """An examination that saw half of what it should have."""
    del context
    return Examination(
        evidence=Evidence.of("things", expected=("a", "b"), checked=("a",)),
        gates=(check_gate(True, what="faults", allowed="0", found="0"),),
    )


@dataclass(frozen=True)
class SampleStage:
    """A stage that does what the test says; ``calls`` counts how often it ran."""

    name: str
    examine: Callable[[Context], Examination] = green
    needs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    summary: str = "A sample."
    holds: bool = True
    refuse: Callable[[Settings, Snapshot], None] | None = None
    calls: list[Context] = field(default_factory=list)

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """As the test says."""
        if self.refuse is not None:
            self.refuse(settings, snapshot)

    def run(self, context: Context) -> Examination:
        """As the test says."""
        self.calls.append(context)
        return self.examine(context)

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """As the test says."""
        del context, result
        return self.holds
