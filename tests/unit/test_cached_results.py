"""An earlier run's result in the place of a new one: when it is taken, when it is not, and what a report says of it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline import cached_results, result_inputs
from pipeline.core.cache_inputs import Inputs, Lasting
from pipeline.core.stage import Examination, Tool
from pipeline.errors import EngineTrouble
from pipeline.execution.clock import SystemClock
from pipeline.execution.identities import package_digest
from pipeline.execution.store import ResultStore
from pipeline.opened import Opened
from pipeline.run import Run
from pipeline.run_command import each
from pipeline.stages.context import Context
from pipeline.testing import FakeEngine
from pipeline.workplace import Workplace
from tests.projects import SampleStage, doubtful, git, green, make_project, red

TABLE = 'required = ["lint"]'


@dataclass(frozen=True)
class DeclaredStage(SampleStage):
    """A sample that says what it rests on."""

    declared: Inputs = field(default_factory=lambda: Inputs(files=("*.py",), settings=("lint", "test"), judged=True))

    def inputs(self, context: Context) -> Inputs:
        """As the test says."""
        del context
        return self.declared


def leaving(context: Context) -> Examination:
    """A pass that leaves files."""
    context.keep("tool.log", "what it said\n")
    context.keep("below/more.json", "{}\n")
    return green(context)


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project", TABLE, {"docs/notes.md": "Notes.\n"})


def run(project: Path, stage: SampleStage, run_id: str = "run", arguments: tuple[str, ...] = (), /, **more: str) -> Run:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PIPELINE_", "GITHUB_"))}
    made = Run(Workplace(project, {**environ, **more}, run_id), (stage,), run_id)
    each(made, made.begin((stage.name,)), frozenset({stage.name}), arguments)
    made.close()
    return made


def result(project: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((project / "reports/pipeline.json").read_text(encoding="utf-8"))
    stage: dict[str, Any] = document["stages"][0]
    return stage


def entries(project: Path) -> list[Path]:
    return sorted((project / ".pipeline/cache/results").glob("*/*/entry.json"))


def test_nothing_is_run_where_nothing_has_changed(project: Path) -> None:
    stage = DeclaredStage("lint", leaving)
    run(project, stage, "run-1")
    first = result(project)
    shutil.rmtree(project / "reports")
    run(project, stage, "run-2")
    second = result(project)
    assert len(stage.calls) == 1
    assert (first["cached"], second["cached"]) == (False, True)
    assert first["reused"] == ""
    assert second["reused"] > second["started"] == first["started"]
    for name in ("evidence", "gates", "artifacts", "duration_s", "reasons", "status"):
        assert first[name] == second[name]
    assert (project / "reports/stages/lint/raw/below/more.json").read_text(encoding="utf-8") == "{}\n"


def test_the_content_may_be_another_where_no_input_is(project: Path) -> None:
    stage = DeclaredStage("lint", leaving)
    run(project, stage)
    (project / "docs/notes.md").write_text("Other notes.\n", encoding="utf-8")
    git(project, "commit", "-q", "-am", "notes")
    run(project, stage, "run-2")
    assert len(stage.calls) == 1
    document = json.loads((project / "reports/pipeline.json").read_text(encoding="utf-8"))
    told = json.loads((project / "reports/stages/lint/result.json").read_text(encoding="utf-8"))
    assert (told["snapshot"], told["policy"]) == (document["snapshot"], document["policy"]["digest"])
    (project / "service/app.py").write_text("APP = 2\n", encoding="utf-8")
    run(project, stage, "run-3")
    assert len(stage.calls) == 2


@pytest.mark.parametrize(
    "variables",
    [
        {"PIPELINE_CACHE_FRESH": "always"},
        {"PIPELINE_PUSH_REGISTRY": "registry.example.org"},
        {"PIPELINE_LINT_SCORE_FLOOR": "3"},
        {"PIPELINE_CACHE_MAX_AGE_DAYS": "0"},
    ],
)
def test_a_result_is_made_anew_where_that_is_asked_for_or_its_time_is_up(
    project: Path, variables: dict[str, str]
) -> None:
    stage = DeclaredStage("lint")
    run(project, stage)
    run(project, stage, "run-2", **variables)
    assert len(stage.calls) == 2
    assert result(project)["cached"] is False


@pytest.mark.parametrize(
    ("lasting", "later", "calls"),
    [
        (Lasting.LONG, timedelta(days=29), 1),
        (Lasting.LONG, timedelta(days=31), 2),
        (Lasting.SHORT, timedelta(hours=23), 1),
        (Lasting.SHORT, timedelta(hours=25), 2),
        (Lasting.LONG, timedelta(hours=-1), 2),
    ],
)
def test_the_clock_decides_what_still_counts(
    project: Path, monkeypatch: pytest.MonkeyPatch, lasting: Lasting, later: timedelta, calls: int
) -> None:
    stage = DeclaredStage("lint", declared=Inputs(files=("*.py",), lasting=lasting))
    run(project, stage)
    monkeypatch.setattr(SystemClock, "now", lambda _: datetime.now(UTC) + later)
    run(project, stage, "run-2")
    assert len(stage.calls) == calls


@pytest.mark.parametrize("examine", [red, doubtful])
def test_only_a_pass_is_kept(project: Path, examine: Any) -> None:
    run(project, DeclaredStage("lint", examine))
    assert entries(project) == []


def test_a_failure_takes_away_the_pass_of_the_same_inputs(project: Path) -> None:
    run(project, DeclaredStage("lint"))
    run(project, DeclaredStage("lint", doubtful), "run-2", PIPELINE_CACHE_FRESH="always")
    assert len(entries(project)) == 1
    run(project, DeclaredStage("lint", red), "run-3", PIPELINE_CACHE_FRESH="always")
    assert entries(project) == []


def test_what_a_run_has_found_is_not_undone_by_an_earlier_pass(project: Path) -> None:
    run(project, DeclaredStage("lint"))
    change = {"GITHUB_EVENT_NAME": "pull_request"}
    run(project, DeclaredStage("lint", red), "run-2", PIPELINE_CACHE_FRESH="always", **change)
    assert len(entries(project)) == 1
    again = DeclaredStage("lint", red)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
    joined = Run(Workplace(project, environ, "run-2"), (again,), "run-2")
    joined.begin(("lint",))
    joined.stage("lint")
    joined.close()
    assert len(again.calls) == 1
    assert result(project)["status"] == "fail"


def test_another_process_of_the_run_keeps_what_was_taken(project: Path) -> None:
    stage = DeclaredStage("lint")
    run(project, stage)
    run(project, stage, "run-2")
    other = Run(Workplace(project, dict(os.environ), "run-2"), (stage,), "run-2")
    other.begin(("lint",))
    assert result(project)["status"] == "pass"
    other.close()


@pytest.mark.parametrize("name", ["entry.json", "result.json", "raw/tool.log"])
def test_a_damaged_entry_is_a_miss_with_a_note(project: Path, name: str) -> None:
    stage = DeclaredStage("lint", leaving)
    run(project, stage)
    path = entries(project)[0].parent / name
    path.write_bytes(path.read_bytes() + b" ")
    run(project, stage, "run-2")
    assert len(stage.calls) == 2
    assert "The kept result of lint was damaged and was not used" in " ".join(result(project)["reasons"])
    assert result(project)["status"] == "pass"
    run(project, stage, "run-3")
    assert result(project)["cached"] is True


def test_a_result_that_carries_no_pass_is_damaged(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = DeclaredStage("lint")
    run(project, stage)
    monkeypatch.setattr("pipeline.cached_results.json_reading.parse_stage", lambda _: None)
    run(project, stage, "run-2")
    assert len(stage.calls) == 2


def test_a_result_whose_subject_is_gone_is_made_anew(project: Path) -> None:
    stage = DeclaredStage("lint", holds=False)
    run(project, stage)
    run(project, stage, "run-2")
    assert len(stage.calls) == 2


@pytest.mark.parametrize(("version", "calls"), [("0", 1), ("1", 2), ("", 2)])
def test_another_engine_is_another_input(
    project: Path, monkeypatch: pytest.MonkeyPatch, version: str, calls: int
) -> None:
    def examine(context: Context) -> Examination:
        return replace(green(context), tools=(Tool(name="docker", version="0"),))

    def engine(_: Opened) -> FakeEngine:
        if not version:
            raise EngineTrouble("No engine answers.")
        return FakeEngine(version=version)

    stage = DeclaredStage("lint", examine, declared=Inputs(engine=True))
    run(project, stage)
    monkeypatch.setattr(Opened, "engine", engine)
    run(project, stage, "run-2")
    assert len(stage.calls) == calls


def test_a_stage_may_say_that_it_is_never_kept(project: Path) -> None:
    stage = DeclaredStage("lint", declared=Inputs(why_not="It is of the moment."))
    run(project, stage)
    run(project, stage, "run-2")
    assert len(stage.calls) == 2
    assert entries(project) == []


def test_arguments_are_no_inputs_so_nothing_is_kept_of_them(project: Path) -> None:
    run(project, DeclaredStage("lint"), "run", ("--more",))
    assert entries(project) == []


def test_code_of_the_pipeline_that_changes_while_the_stage_runs_is_not_that_of_the_key(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "work.py").write_text("WORK = 1\n", encoding="utf-8")
    for module in (result_inputs, cached_results):
        monkeypatch.setattr(module, "PACKAGE", package)

    def edited(context: Context) -> Examination:
        (package / "work.py").write_text("WORK = 2\n", encoding="utf-8")
        return green(context)

    run(project, DeclaredStage("lint", edited))
    assert not entries(project)
    # This process still runs on what it loaded before.
    run(project, DeclaredStage("lint", green), "run-2")
    assert not entries(project)
    # The next one does not.
    package_digest.cache_clear()
    run(project, DeclaredStage("lint", green), "run-3")
    assert len(entries(project)) == 1


def test_inputs_that_change_while_the_stage_runs_are_not_those_that_it_saw(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "advisories"
    outside.write_text("1", encoding="utf-8")

    def examine(context: Context) -> Examination:
        outside.write_text("2", encoding="utf-8")
        return green(context)

    run(project, DeclaredStage("lint", examine, declared=Inputs(outside={"audit.advisories": str(outside)})))
    assert entries(project) == []


def test_that_nothing_can_be_kept_is_said_and_costs_nothing_else(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cache").write_text("no folder", encoding="utf-8")
    run(project, DeclaredStage("lint"), PIPELINE_CACHE_DIR=str(tmp_path / "cache"))
    assert result(project)["status"] == "pass"
    assert "its result is not kept" in capsys.readouterr().err


def test_raw_files_that_can_t_be_put_back_are_made_anew(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = DeclaredStage("lint", leaving)
    run(project, stage)
    shutil.rmtree(project / "reports")
    monkeypatch.setattr("pipeline.execution.store.ResultStore.is_intact", lambda *_: False)
    refused = iter([ValueError("no such name")])

    def keep(*arguments: Any) -> None:
        for error in refused:
            raise error
        original(*arguments)

    original = ResultStore.keep
    monkeypatch.setattr("pipeline.execution.store.ResultStore.keep", keep)
    run(project, stage, "run-2")
    assert len(stage.calls) == 2
