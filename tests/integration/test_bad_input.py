"""What a new user does wrong, and what the machine does: a clear sentence, the right exit code, no traceback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.advisory_exports import jinja_records, write_export
from tests.projects import copy_adopter, git

ROOT = Path(__file__).resolve().parents[2]
NOBODY = "unix:///nobody-listens-here.sock"
CERTAIN_S = 300.0


@pytest.fixture(name="template", scope="module")
def template_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which everything is right, committed; its tools' environments are made once for all tests."""
    project = copy_adopter(tmp_path_factory.mktemp("bad input") / "template")
    write_export(project / "export.zip", *jinja_records())
    return project


@pytest.fixture(name="project")
def project_fixture(template: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    project = tmp_path / "a project"
    shutil.copytree(template, project, symlinks=True)
    return project


def command(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "pipeline", *words)


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIPELINE_", "DOCKER_", "COV_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "PIPELINE_AUDIT_ADVISORIES": "export.zip", **more}


def replaced(file: str, old: str, new: str) -> Callable[[Path], None]:
    """A mistake that is one text in place of another."""

    def make(project: Path) -> None:
        text = (project / file).read_text(encoding="utf-8")
        assert old in text
        (project / file).write_text(text.replace(old, new), encoding="utf-8")

    return make


def gone(file: str) -> Callable[[Path], None]:
    """A mistake that is a file which is not there."""
    return lambda project: (project / file).unlink()


def without_history(project: Path) -> None:
    shutil.rmtree(project / ".git")


def without_commit(project: Path) -> None:
    shutil.rmtree(project / ".git")
    git(project, "init", "-q")


def without_hashes(project: Path) -> None:
    (project / "requirements.txt").write_text("bottle==0.13.4\nwaitress==3.0.2\n", encoding="utf-8")


def without_tests(project: Path) -> None:
    for file in (project / "tests").glob("test_*.py"):
        file.unlink()


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """What is done wrong, what is run then, and what is to come of it."""

    make: Callable[[Path], None]
    stage: str
    code: int
    said: str
    variables: dict[str, str] = field(default_factory=dict)


SETTINGS = "pyproject.toml"
MISTAKES = {
    "a misspelt key": Mistake(
        make=replaced(SETTINGS, "score_floor", "score_flor"), stage="lint", code=2, said="did you mean 'score_floor'?"
    ),
    "a misspelt table": Mistake(
        make=replaced(SETTINGS, "[tool.pipeline.lint]", "[tool.pipeline.lnit]"), stage="lint", code=2, said="'lint'"
    ),
    "a wrong type": Mistake(
        make=replaced(SETTINGS, "coverage_floor = 75.0", 'coverage_floor = "high"'), stage="test", code=2,
        said="test.coverage_floor must be a number from 0 to 100, not 'high'",
    ),
    "a score of 11": Mistake(
        make=replaced(SETTINGS, "score_floor = 10.0", "score_floor = 11"), stage="lint", code=2,
        said="from 0 to 10, not 11",
    ),
    "a folder that is not there": Mistake(
        make=replaced(SETTINGS, 'sources = ["src"', 'sources = ["scr"'), stage="lint", code=2, said="'scr'"
    ),
    "a variable with a wrong value": Mistake(
        make=lambda project: None, stage="lint", code=2, said="PIPELINE_LINT_SCORE_FLOOR",
        variables={"PIPELINE_LINT_SCORE_FLOOR": "splendid"},
    ),
    "no tests": Mistake(make=without_tests, stage="test", code=3, said="nothing to check is not a pass"),
    "no lock": Mistake(make=gone("requirements.txt"), stage="audit", code=2, said="requirements.txt"),
    "no lock for lint": Mistake(make=gone("requirements.txt"), stage="lint", code=2, said="requirements.txt"),
    "a lock without hashes": Mistake(make=without_hashes, stage="audit", code=2, said="hash"),
    "a lock that lags behind": Mistake(
        make=replaced("requirements.in", "waitress>=3.0", "waitress>=99"), stage="audit", code=1, said="waitress"
    ),
    "no Dockerfile": Mistake(make=gone("Dockerfile"), stage="build", code=2, said="Dockerfile"),
    "no engine": Mistake(
        make=lambda project: None, stage="build", code=3, said="Tried:", variables={"DOCKER_HOST": NOBODY}
    ),
    "no repository": Mistake(make=without_history, stage="lint", code=2, said="not a git repository"),
    "no commit": Mistake(make=without_commit, stage="lint", code=2, said="no commit"),
    "no such stage": Mistake(make=lambda project: None, stage="lnit", code=2, said="did you mean 'lint'?"),
    "no advisories": Mistake(make=gone("export.zip"), stage="audit", code=2, said="export.zip"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gets_a_sentence_and_its_exit_code(project: Path, mistake: Mistake) -> None:
    mistake.make(project)
    variables = environment(GIT_CEILING_DIRECTORIES=str(project.parent), **mistake.variables)
    done = subprocess.run(
        command("run", mistake.stage), cwd=project, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == mistake.code, done.stderr
    assert mistake.said in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.container
def test_a_recipe_with_a_syntax_error_is_the_target_s_fault(project: Path) -> None:
    replaced("Dockerfile", "WORKDIR", "WROKDIR")(project)
    done = subprocess.run(
        command("run", "build"), cwd=project, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "WROKDIR" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_disk_under_the_reports_is_a_sentence(project: Path) -> None:
    (project / "reports").mkdir()
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=4k", "none", "reports"), cwd=project, check=True)
    try:
        done = subprocess.run(
            command("run", "lint"), cwd=project, env=environment(), capture_output=True, text=True, check=False
        )
    finally:
        subprocess.run(("umount", "reports"), cwd=project, check=True)
    assert done.returncode == 3, done.stderr
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_stops_what_was_started_and_the_report_says_so(project: Path, number: signal.Signals) -> None:
    slow = f"\n\ndef test_slow():\n    import time\n    open('begun', 'w').close()\n    time.sleep({CERTAIN_S})\n"
    with (project / "tests/test_conversion.py").open("a", encoding="utf-8") as file:
        file.write(slow)
    with subprocess.Popen(
        command("run", "lint", "test", "scan"), cwd=project, env=environment(), stderr=subprocess.PIPE, text=True
    ) as run:
        deadline = time.monotonic() + CERTAIN_S
        while not list((project / ".pipeline/snapshots").glob("*/begun")):
            assert run.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        run.send_signal(number)
        _, said = run.communicate(timeout=CERTAIN_S)
    assert run.returncode == 130, said
    assert "Traceback" not in said
    document = json.loads((project / "reports/pipeline.json").read_text(encoding="utf-8"))
    statuses = {stage["name"]: (stage["status"], " ".join(stage["reasons"])) for stage in document["stages"]}
    assert statuses["test"][0] == "not-run"
    assert "interrupted" in statuses["test"][1]
    assert document["verdict"] in ("not-run", "fail")
    assert not processes_in(project), "something that was started is still running"


def processes_in(folder: Path) -> list[str]:
    """Command lines of processes that name the folder."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(folder) in line and int(path.parent.name) != os.getpid():
            lines.append(line)
    return lines
