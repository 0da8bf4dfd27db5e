"""Whom the kept results trust, and whom they serve: secrets, change requests, fresh runs, folders of strangers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pipeline.cached_results import may_write, why_fresh
from pipeline.core.cache_inputs import Inputs
from pipeline.core.stage import Examination, StageResult
from pipeline.run import Run
from pipeline.run_command import each
from pipeline.stages.context import Context
from pipeline.workplace import Workplace
from tests.projects import SampleStage, git, green, make_project
from tests.support import PASSWORD
from tests.unit.test_cached_results import TABLE, DeclaredStage, entries, result, run


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project", TABLE)


def test_a_secret_is_in_no_entry_and_masked_when_it_is_one_today(project: Path) -> None:
    def examine(context: Context) -> Examination:
        context.keep("tool.log", f"it said {PASSWORD}\n")
        return green(context)

    stage = DeclaredStage("lint", examine)
    run(project, stage)
    raw = project / "reports/stages/lint/raw/tool.log"
    assert PASSWORD in raw.read_text(encoding="utf-8")
    shutil.rmtree(project / "reports")
    run(project, stage, "run-2", SERVICE_PASSWORD=PASSWORD)
    assert len(stage.calls) == 1
    assert PASSWORD not in raw.read_text(encoding="utf-8")
    run(project, stage, "run-3", PIPELINE_TEST_ENVIRONMENT=f"SERVICE_PASSWORD={PASSWORD}")
    assert len(stage.calls) == 2
    newest = max(entries(project), key=lambda path: path.stat().st_mtime_ns)
    assert PASSWORD not in newest.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("table", "variables", "writes"),
    [
        ("", {}, True),
        ("", {"GITHUB_EVENT_NAME": "push"}, True),
        ("", {"GITHUB_EVENT_NAME": "pull_request"}, False),
        ("", {"GITHUB_EVENT_NAME": "pull_request_target"}, False),
        ("", {"GITHUB_BASE_REF": "main"}, False),
        ("", {"CI_MERGE_REQUEST_IID": "7"}, False),
        ("", {"CI_PIPELINE_SOURCE": "merge_request_event"}, False),
        ('write = "always"', {"GITHUB_EVENT_NAME": "pull_request"}, False),
        ('write = "always"', {}, True),
        ('write = "never"', {}, False),
        ("", {"GITHUB_EVENT_NAME": "pull_request", "PIPELINE_CACHE_WRITE": "always"}, True),
    ],
)
def test_a_change_request_reads_and_does_not_write(
    tmp_path: Path, table: str, variables: dict[str, str], writes: bool
) -> None:
    project = make_project(tmp_path / "project", f"{TABLE}\n[tool.pipeline.cache]\n{table}")
    assert may_write(Workplace(project, variables, "run")) is writes


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({}, ""),
        ({"PIPELINE_CACHE_FRESH": "always"}, "cache.fresh is 'always' (PIPELINE_CACHE_FRESH)."),
        ({"PIPELINE_PUSH_REGISTRY": "a.example"}, "push.registry names a real registry"),
        ({"PIPELINE_PUSH_REGISTRY": "a.example", "PIPELINE_CACHE_FRESH": "never"}, ""),
    ],
)
def test_a_run_that_releases_is_fresh(project: Path, variables: dict[str, str], why: str) -> None:
    found = why_fresh(Workplace(project, variables, "run"))
    assert found.startswith(why)
    assert bool(found) is bool(why)


def test_fresh_asks_for_needs_too_but_not_twice_in_a_run(project: Path) -> None:
    lint = SampleStage("lint")
    build = SampleStage("build", needs=("lint",))
    environ = {"PIPELINE_CACHE_FRESH": "always", "PATH": os.environ["PATH"]}

    def whole(run_id: str) -> None:
        made = Run(Workplace(project, environ, run_id), (lint, build), run_id)
        each(made, made.begin(("build",)), frozenset({"build"}), ())
        made.close()

    whole("run-1")
    whole("run-2")
    assert len(lint.calls) == 2
    whole("run-2")
    assert len(lint.calls) == 2


def test_a_result_knows_when_it_was_taken(project: Path) -> None:
    stage = DeclaredStage("lint")
    run(project, stage)
    made = run(project, stage, "run-2")
    (taken,) = made.report().results
    assert isinstance(taken, StageResult)
    assert taken.cached
    assert taken.reused >= made.report().record.started


def test_a_folder_of_results_among_the_project_s_files_is_not_believed(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = DeclaredStage("lint", declared=Inputs(files=("*.py",), follows_links=False))
    run(project, stage, PIPELINE_CACHE_DIR=str(tmp_path / "kept"))
    for name in ("brought", "linked"):
        git(project, "rm", "-q", "-r", "--cached", "--ignore-unmatch", "brought")
        shutil.rmtree(project / "brought", ignore_errors=True)
        shutil.copytree(tmp_path / "kept", project / "brought")
        if name == "linked":
            (project / "linked").symlink_to("brought")
        git(project, "add", "-A")
        git(project, "commit", "-q", "-m", name)
        run(project, stage, f"run-{name}", PIPELINE_CACHE_DIR=name)
        assert result(project)["cached"] is False
    assert len(stage.calls) == 3
    # The very same entry counts where no change of the project can reach it.
    run(project, stage, "run-last", PIPELINE_CACHE_DIR=str(tmp_path / "kept"))
    assert len(stage.calls) == 3
    assert capsys.readouterr().err
