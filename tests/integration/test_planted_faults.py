"""A fault is planted in a project that is green without it, and the right stage comes to the right status.

The faults of an image, its container, its release and its registry are planted in ``tests/container``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.stage import StageResult, Status
from pipeline.run import Run
from pipeline.stages.registry import pipeline_stages
from pipeline.workplace import Workplace
from tests.advisory_exports import jinja_records, write_export
from tests.projects import copy_adopter, git
from tests.support import PASSWORD

STATIC = ("lint", "scan", "secrets", "audit", "test")


@pytest.fixture(name="project", scope="module")
def project_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The other project without its own stage, committed; the tools' environments are made once for all cases."""
    return copy_adopter(tmp_path_factory.mktemp("planted faults") / "project")


@pytest.fixture(name="clean")
def clean_fixture(project: Path) -> Iterator[Path]:
    """The project as committed, before and after the test."""
    yield project
    git(project, "checkout", "-q", ".")
    git(project, "clean", "-q", "-d", "-f")


@pytest.fixture(name="advisories", scope="module")
def advisories_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export that knows of a vulnerability in an old jinja2."""
    return write_export(tmp_path_factory.mktemp("advisories") / "export.zip", *jinja_records())


def carry_out(project: Path, advisories: Path, *names: str) -> dict[str, StageResult]:
    """The results of these stages."""
    run_id = f"{os.getpid()}-{os.urandom(4).hex()}"
    variables = {"PIPELINE_AUDIT_ADVISORIES": str(advisories), "PIPELINE_AUDIT_MAX_AGE_DAYS": "36500"}
    place = Workplace(project, {**os.environ, **variables}, run_id)
    run = Run(place, pipeline_stages(place.settings.project.required), run_id)
    try:
        run.begin(names)
        return {name: run.stage(name) for name in names}
    finally:
        run.close()


def append(file: str, text: str) -> Callable[[Path], None]:
    """A fault that is a few more lines in a file."""

    def plant(project: Path) -> None:
        with (project / file).open("a", encoding="utf-8") as opened:
            opened.write(text)

    return plant


def test_without_a_fault_every_stage_is_green(clean: Path, advisories: Path) -> None:
    results = carry_out(clean, advisories, *STATIC)
    assert {
        name: (result.status, result.reasons) for name, result in results.items() if result.status is not Status.PASS
    } == {}


MODULE = "src/units/conversion.py"
TESTS = "tests/test_conversion.py"
VULNERABLE = f"jinja2==2.10 \\\n    --hash=sha256:{'0' * 64}\n"


@pytest.mark.parametrize(
    ("stage", "status", "plant", "reason"),
    [
        ("lint", Status.FAIL, append(MODULE, "\n\nimport json\n"), "lint findings"),
        ("lint", Status.FAIL, append(MODULE, "\n\ndef (:\n"), "lint findings"),
        ("scan", Status.INCONCLUSIVE, append(MODULE, "\n\ndef (:\n"), "conversion.py"),
        ("scan", Status.FAIL, append(MODULE, "\n\nprint(eval(input()))\n"), "bandit findings"),
        ("secrets", Status.FAIL, append(MODULE, f'\n\nDB_PASSWORD = "{PASSWORD}"\n'), "credentials"),
        ("secrets", Status.FAIL, append("settings.yml", f"db_password: {PASSWORD}\n"), "credentials"),
        ("audit", Status.FAIL, append("requirements.txt", VULNERABLE), "vulnerabilities"),
        ("test", Status.FAIL, append(TESTS, "\n\ndef test_planted():\n    assert 1 == 2\n"), "failing"),
        ("test", Status.FAIL, append(TESTS, "\n\nimport absent_module\n"), "failing"),
        ("test", Status.FAIL, append(MODULE, "\n\ndef unused():\n" + "    print()\n" * 400), "line coverage"),
    ],
    ids=[
        "lint error", "syntax error for lint", "syntax error for scan", "insecure call", "hard-coded password",
        "password in a new file", "vulnerable pin", "failing test", "test that can't be imported", "untested code",
    ],
)  # fmt: skip
def test_a_fault_turns_its_stage(
    clean: Path, advisories: Path, stage: str, status: Status, plant: Callable[[Path], None], reason: str
) -> None:
    plant(clean)
    result = carry_out(clean, advisories, stage)[stage]
    assert result.status is status, result.reasons
    assert reason in " ".join(result.reasons)
    assert PASSWORD not in repr(replace(result, metrics={})), "what the scanner found must not be shown"


def test_no_tests_at_all_is_inconclusive(clean: Path, advisories: Path) -> None:
    for file in (clean / "tests").glob("test_*.py"):
        file.unlink()
    result = carry_out(clean, advisories, "test")["test"]
    assert result.status is Status.INCONCLUSIVE
    assert "nothing to check is not a pass" in " ".join(result.reasons)


def test_a_lock_that_does_not_satisfy_the_requirements_fails(clean: Path, advisories: Path) -> None:
    text = (clean / "requirements.in").read_text(encoding="utf-8")
    (clean / "requirements.in").write_text(text.replace("waitress>=3.0", "waitress>=99"), encoding="utf-8")
    result = carry_out(clean, advisories, "audit")["audit"]
    assert result.status is Status.FAIL
    assert "waitress" in " ".join(result.reasons)
