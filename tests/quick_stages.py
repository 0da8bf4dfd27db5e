"""A project whose stages take a moment, and processes that have got away from their parents, for runs that are killed.

Each stage's tool starts one in a session of its own, which outlives the tool.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.execution.descendants import MARK
from tests.projects import make_project

ROOT = Path(__file__).parents[1]
STAGES = ("one", "two", "three", "four")
NOXFILE = '''"""Four stages."""

import sys
from dataclasses import dataclass
from pathlib import Path

from pipeline import Evidence, Examination, nox_sessions
from pipeline.core.gate import check_gate
from pipeline.core.ports import Request

TOOL = """
import os, subprocess, sys, time
wait = [sys.executable, "-c", "import time; time.sleep(60)"]
subprocess.Popen(wait, start_new_session=True)
time.sleep(float(sys.argv[1]))
while os.path.exists(sys.argv[2]):
    time.sleep(0.02)
"""
HOLD = Path(".pipeline/hold").absolute()


@dataclass(frozen=True)
class QuickStage:
    """Waits."""

    name: str
    needs: tuple = ()
    alone: bool = False
    tags: tuple = ()
    summary: str = "Wait a moment."

    def check_settings(self, settings, snapshot):
        """Nothing can be wrong."""

    def still_holds(self, context, result):
        """Never: every run is to do its work."""
        return False

    def run(self, context):
        """Run the tool, and keep what it said."""
        seconds = str(context.settings.extra[self.name].get("seconds", 0.1))
        argv = (sys.executable, "-c", TOOL, seconds, str(HOLD))
        request = Request(argv=argv, cwd=context.tree, timeout_s=300, title=self.name)
        code = context.run(request).exit_code
        context.ports.progress.say("waited")
        context.keep("code.txt", str(code))
        return Examination(
            evidence=Evidence.of("waits", expected=("a",), checked=("a",) if code == 0 else ()),
            gates=(check_gate(True, what="faults", allowed="0", found="0"),),
            notes=("It waited.",),
        )


nox_sessions.register(
    extra=[
        QuickStage("one"),
        QuickStage("two"),
        QuickStage("three", needs=("one",)),
        QuickStage("four", needs=("two", "three"), alone=True),
    ]
)
'''


def quick_project(folder: Path, table: str = "") -> Path:
    """The project, committed; ``table`` goes behind the required stages."""
    required = f"required = {json.dumps(STAGES)}\nsources = ['service']\n{table}"
    return make_project(folder, required, {"noxfile.py": NOXFILE})


def command(*more: str) -> tuple[str, ...]:
    """How the stages are run."""
    return (sys.executable, "-m", "pipeline", "run", *STAGES, *more)


@contextlib.contextmanager
def held(project: Path) -> Iterator[Path]:
    """Within, no stage's tool ends by itself, or for as long as the file is there that is returned."""
    hold = project / ".pipeline/hold"
    hold.parent.mkdir(exist_ok=True)
    hold.touch()
    try:
        yield hold
    finally:
        hold.unlink(missing_ok=True)


def heard(process: subprocess.Popen[str], text: str) -> None:
    """Read what a run says, up to a line that holds the text."""
    assert process.stderr is not None
    said = ""
    while line := process.stderr.readline():
        said += line
        if text in line:
            return
    raise AssertionError(f"it never said {text!r}: {said}")


def environment(**more: str) -> dict[str, str]:
    """This process's, without what decides how a pipeline works or is shown."""
    deciding = ("PIPELINE_", "GITHUB_", "GITLAB_", "NOX", "COV_", "COVERAGE_", "COLUMNS", "NO_COLOR", "FORCE_COLOR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(deciding)}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def report(project: Path) -> dict[str, Any]:
    """The merged report; whoever reads it finds a whole one at any moment."""
    document: dict[str, Any] = json.loads((project / "reports/pipeline.json").read_text(encoding="utf-8"))
    return document


def statuses(project: Path) -> dict[str, str]:
    """Of the four stages."""
    return {stage["name"]: stage["status"] for stage in report(project)["stages"] if stage["name"] in STAGES}


def reasons(project: Path, name: str) -> str:
    """Why the stage has its status."""
    return next(" ".join(stage["reasons"]) for stage in report(project)["stages"] if stage["name"] == name)


def at_work(project: Path) -> dict[int, str]:
    """The processes that work for the project's runs, by their command lines."""
    digest = hashlib.sha256(str(project.resolve()).encode()).hexdigest()[:16]
    mark = f"{MARK}{digest}=".encode()
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                marked = any(item.startswith(mark) for item in (folder / "environ").read_bytes().split(b"\0"))
                if marked:
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
    return found


def children(parent: int) -> list[int]:
    """The processes whose parent it is, and theirs."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int(
                    (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
                )
            except OSError:
                continue
    found, ahead = [], [parent]
    while ahead:
        above = ahead.pop()
        below = [pid for pid, its in parents.items() if its == above]
        found += below
        ahead += below
    return found
