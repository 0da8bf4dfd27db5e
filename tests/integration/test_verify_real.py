"""``pipeline verify`` on the report of real tools over a real project: confirmed, and contradicted once changed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.core.stage import Status
from pipeline.core.verification import Answer, Statement
from pipeline.execution.report_folder import read_folder
from pipeline.project_stages import project_stages
from pipeline.run import Run
from pipeline.run_command import each
from pipeline.stages.registry import pipeline_stages
from pipeline.verification import BESIDE, verify
from pipeline.workplace import Workplace
from tests.forged import Forgery
from tests.mutations import Mutable, caught
from tests.parted import contents, parted
from tests.projects import git

ADOPTER = Path(__file__).resolve().parents[1] / "fixtures/adopter"
STATIC = ("lint", "scan", "secrets", "test")
FAULTY = '''"""A faulty module."""

import os
import subprocess


def size(name: str) -> int:
    """Run what it is given; größer."""
    return subprocess.call(f"wc -c {name}", shell=True) + absent_name
'''
FAILING = '''"""A suite with a failure."""


def test_that_fails() -> None:
    assert 1 == 2
'''


def report_of(folder: Path, files: dict[str, str]) -> Path:
    """The reports of the static stages over the adopter's project with these files added."""
    shutil.copytree(ADOPTER, folder, ignore=shutil.ignore_patterns("__pycache__", ".pipeline", "reports", ".*_cache"))
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "adopt the pipeline")
    extra = project_stages(folder)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PIPELINE_", "GITHUB_"))}
    place = Workplace(folder, environ, "run-1", extra_stages=tuple(stage.name for stage in extra))
    run = Run(place, pipeline_stages(place.settings.project.required, extra), "run-1")
    asked = (*STATIC, *(stage.name for stage in extra))
    each(run, run.begin(asked), frozenset(asked), ())
    run.close()
    return folder / "reports"


@pytest.fixture(name="green", scope="module")
def green_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in which every stage passed."""
    return report_of(tmp_path_factory.mktemp("a project") / "green", {})


@pytest.fixture(name="red", scope="module")
def red_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with findings of every tool."""
    files = {"src/units/faulty.py": FAULTY, "tests/test_failing.py": FAILING}
    return report_of(tmp_path_factory.mktemp("a project") / "red", files)


def verified(reports: Path) -> dict[Answer, list[Statement]]:
    """What verify says, by its answer."""
    found = verify(read_folder(reports, BESIDE), datetime.now(UTC).date())
    return {answer: [s for s in found.statements if s.answer is answer] for answer in Answer}


@pytest.mark.parametrize(("name", "status"), [("green", Status.PASS), ("red", Status.FAIL)])
def test_each_static_stage_follows_again_from_its_raw_outputs(
    name: str, status: Status, request: pytest.FixtureRequest
) -> None:
    said = verified(request.getfixturevalue(name))
    assert not said[Answer.CONTRADICTED]
    again = [s.about for s in said[Answer.CONFIRMED] if "follows again from its raw outputs" in s.text]
    assert again == list(STATIC)
    statuses = [s.text.split()[2] for s in said[Answer.CONFIRMED] if s.text.endswith("gates, doubts and findings.")]
    worst = {"green": {"pass,"}, "red": {"pass,", "fail,"}}[name]
    assert set(statuses) == worst
    assert status in {text.rstrip(",") for text in statuses}


def test_random_changes_of_a_real_report_are_caught(green: Path, red: Path) -> None:
    changed, missed = caught((Mutable(green), Mutable(red)), range(60))
    assert not missed
    assert changed > 50


def drop_all(document: Any) -> Any:
    """The output without findings."""
    return [] if isinstance(document, list) else {**document, "messages": []}


def without_results(document: Any) -> Any:
    """bandit's output without findings."""
    document["metrics"]["_totals"] = {name: 0 for name in document["metrics"]["_totals"]}
    return {**document, "results": []}


CHANGES: dict[str, Callable[[Forgery], None]] = {
    "lint ruff.json": lambda f: f.raw_json("lint", "ruff.json", drop_all),
    "lint pylint.json": lambda f: f.raw_json("lint", "pylint.json", drop_all),
    "scan bandit-1.json": lambda f: f.raw_json("scan", "bandit-1.json", without_results),
    "test junit-record.jsonl": lambda f: f.raw("test", "junit-record.jsonl", lambda t: t.replace("failed", "passed")),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_output_made_clean_contradicts_its_result_whatever_the_digests(name: str, red: Path, tmp_path: Path) -> None:
    shutil.copytree(red, tmp_path / "reports")
    forged = Forgery(tmp_path / "reports")
    CHANGES[name](forged)
    said = verified(forged.sealed())
    stage = name.split()[0]
    told = [*said[Answer.CONTRADICTED], *(s for s in said[Answer.OPEN] if "could not be read again" in s.text)]
    assert {s.about for s in told} == {stage}


@pytest.mark.parametrize("kind", ["green", "red"])
def test_a_real_report_taken_apart_and_merged_is_the_same_and_confirmed(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    reports: Path = request.getfixturevalue(kind)
    names = sorted(path.name for path in (reports / "stages").iterdir())
    parts = parted(reports, tmp_path / "parts", *([name] for name in names))
    not_run = [f"--allow-missing={name}" for name in names if not (reports / "stages" / name / "raw").exists()]
    code = cli.run_command(["merge", *map(str, reversed(parts)), *not_run, "--output", str(tmp_path / "out")])
    assert contents(tmp_path / "out") == contents(reports)
    assert code == cli.run_command(["verify", str(tmp_path / "out")])
    assert not verified(tmp_path / "out")[Answer.CONTRADICTED]


@pytest.mark.parametrize("kind", ["green", "red"])
def test_every_format_of_a_real_report_is_made_again_from_the_merged_one(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    reports: Path = request.getfixturevalue(kind)
    for name in ("pipeline.json", "history.jsonl"):
        shutil.copy(reports / name, tmp_path)
    assert cli.run_command(["report", str(tmp_path)]) == 0
    whole = contents(reports)
    assert contents(tmp_path) == {name: text for name, text in whole.items() if not name.startswith("stages/")}
