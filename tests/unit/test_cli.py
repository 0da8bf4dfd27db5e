"""The command line: what it prints, and the exit codes that others rely on."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.core.stage import Examination
from pipeline.errors import ConfigurationError
from pipeline.stages import registry
from pipeline.stages.context import Context
from tests.projects import SampleStage, doubtful, git, green, make_project, red


@pytest.fixture(name="project", autouse=True)
def project_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project = make_project(tmp_path / "a project", 'required = ["lint", "test"]')
    monkeypatch.chdir(project)
    return project


def telling(context: Context) -> Examination:
    """Leaves what it was given: a stage runs in a process of its own."""
    context.keep("arguments.json", json.dumps(context.arguments))
    return green(context)


def given(stage: str) -> list[str]:
    """The arguments that a stage of the run here was given."""
    text = Path(f"reports/stages/{stage}/raw/arguments.json").read_text(encoding="utf-8")
    return [str(argument) for argument in json.loads(text)]


@pytest.fixture(name="stages")
def stages_fixture(monkeypatch: pytest.MonkeyPatch) -> dict[str, SampleStage]:
    """The registry with samples in place of the nine, whose outcome a test may change."""
    stages = {name: SampleStage(name, telling) for name in ("lint", "test", "build")}
    monkeypatch.setattr(registry, "pipeline_stages", lambda required, extra=(): tuple(stages.values()))
    return stages


@pytest.fixture(autouse=True)
def signals_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run changes what SIGTERM does; a test must not."""
    monkeypatch.setattr("pipeline.interrupts.as_keyboard_interrupt", lambda: None)


def test_a_green_run_exits_0_and_names_the_page(
    stages: dict[str, SampleStage], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run_command(["run"]) == 0
    said = capsys.readouterr().err
    assert "verdict: pass" in said
    assert said.endswith("report: reports/index.html\n")
    assert [given(name) for name in stages] == [[], [], []]


def test_colours_are_an_option_of_a_run_that_comes_before_the_variables(
    stages: dict[str, SampleStage], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stages
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("PIPELINE_COLOR", "never")
    for words, coloured in ((["--color", "always"], True), ([], False)):
        assert cli.run_command(["run", *words, "lint"]) == 0
        assert ("\x1b[1;32mpass" in capsys.readouterr().err) is coloured
    assert cli.run_command(["run", "--color", "often"]) == 2
    monkeypatch.setenv("PIPELINE_COLOR", "often")
    assert cli.run_command(["run", "lint"]) == 2
    assert "PIPELINE_COLOR must be one of auto, always, never" in capsys.readouterr().err


@pytest.mark.parametrize(("examine", "code"), [(green, 0), (red, 1), (doubtful, 3)])
def test_the_exit_code_is_that_of_the_stages_asked_for(stages: dict[str, SampleStage], examine: Any, code: int) -> None:
    stages["lint"] = SampleStage("lint", examine)
    assert cli.run_command(["run", "lint"]) == code
    assert cli.run_command(["run", "test"]) == 0


def test_without_a_name_the_required_stages_decide(stages: dict[str, SampleStage]) -> None:
    stages["build"] = SampleStage("build", red)
    assert cli.run_command(["run"]) == 0, "build is not required here"


def test_arguments_behind_the_dashes_reach_the_stages(stages: dict[str, SampleStage]) -> None:
    cli.run_command(["run", "lint", "--", "--mood", "good"])
    assert given("lint") == ["--mood", "good"]
    assert "build" in stages


@pytest.mark.parametrize("words", [["--against", "HEAD"], ["--", "--against", "HEAD"]])
def test_a_loosened_policy_decides_too_against_a_revision(
    project: Path, stages: dict[str, SampleStage], words: list[str]
) -> None:
    text = (project / "pyproject.toml").read_text(encoding="utf-8")
    (project / "pyproject.toml").write_text(text.replace('"lint", "test"', '"lint"'), encoding="utf-8")
    assert cli.run_command(["run", "lint"]) == 0
    assert cli.run_command(["run", "lint", *words]) == 1
    assert not given("lint")
    assert "build" in stages
    report = json.loads((project / "reports/pipeline.json").read_text(encoding="utf-8"))
    assert report["verdict"] == "fail"
    assert cli.run_command(["verdict"]) == 1


def test_a_revision_that_there_is_not_is_a_usage_error(stages: dict[str, SampleStage]) -> None:
    assert cli.run_command(["run", "lint", "--against", "nowhere"]) == 2
    assert not stages["lint"].calls


def test_an_interrupt_exits_130(
    project: Path, stages: dict[str, SampleStage], capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(context: object) -> Any:
        del context
        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(60)

    stages["lint"] = SampleStage("lint", interrupted)
    assert cli.run_command(["run", "--jobs", "1"]) == 130
    report = json.loads((project / "reports/pipeline.json").read_text(encoding="utf-8"))
    assert {stage["status"] for stage in report["stages"]} == {"not-run"}
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["run", "--frobnicate"], ["engine"]])
def test_usage_errors_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(arguments) == 2
    assert "usage:" in capsys.readouterr().err


def test_an_unknown_stage_exits_2_with_the_nearest_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["run", "lnit"]) == 2
    assert "did you mean 'lint'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ("[tool.pipeline.lint]\nscore_flor = 9", "did you mean 'score_floor'?"),
        ("[tool.pipeline.lint]\nscore_floor = 11", "a number from 0 to 10, not 11"),
        ('[tool.pipeline.lint]\nscore_floor = "high"', "a number from 0 to 10, not 'high'"),
        ("required = 3", "a list of texts"),
    ],
)
def test_bad_settings_exit_2_and_say_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], table: str, wanted: str
) -> None:
    monkeypatch.chdir(make_project(tmp_path / "project", table))
    assert cli.run_command(["run", "lint"]) == 2
    said = capsys.readouterr().err
    assert "pyproject.toml" in said
    assert wanted in said


def test_outside_a_project_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run_command(["config"]) == 2
    assert "no pyproject.toml" in capsys.readouterr().err


@pytest.mark.parametrize("state", ["no repository", "no commit"])
def test_without_git_history_it_exits_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], state: str
) -> None:
    project = make_project(tmp_path / "project")
    os.rename(project / ".git", tmp_path / "moved")
    if state == "no commit":
        git(project, "init", "-q")
    monkeypatch.chdir(project)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert cli.run_command(["run", "lint"]) == 2
    assert ("not a git repository" if state == "no repository" else "no commit") in capsys.readouterr().err
    monkeypatch.undo()


def test_config_shows_each_value_and_its_source(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIPELINE_LINT_SCORE_FLOOR", "7.5")
    assert cli.run_command(["config"]) == 0
    said = capsys.readouterr().out
    assert "7.5  (PIPELINE_LINT_SCORE_FLOOR)" in said
    assert '["lint", "test"]  (pyproject.toml)' in said
    assert "lint.max_complexity" in said
    assert cli.run_command(["config", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["lint.score_floor"] == {"value": 7.5, "source": "PIPELINE_LINT_SCORE_FLOOR"}


def test_stages_are_listed_with_their_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["stages"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "lint", "scan", "secrets", "audit", "test", "build", "smoke", "canary", "push",
    ]  # fmt: skip
    assert "(needs build)" in lines[6]


def test_verdict_reads_the_report_of_the_last_run(
    project: Path, stages: dict[str, SampleStage], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run_command(["verdict"]) == 2
    assert "no report yet" in capsys.readouterr().err
    stages["lint"] = SampleStage("lint", doubtful)
    cli.run_command(["run"])
    assert cli.run_command(["verdict"]) == 3
    said = capsys.readouterr().out
    assert "verdict: inconclusive" in said
    assert "1 of 2 things were not checked: b." in said
    (project / "reports/pipeline.json").write_text('{"verdict": "splendid"}', encoding="utf-8")
    assert cli.run_command(["verdict"]) == 2


def test_a_verdict_about_other_content_is_none(
    project: Path, stages: dict[str, SampleStage], capsys: pytest.CaptureFixture[str]
) -> None:
    assert stages
    assert cli.run_command(["run"]) == 0
    assert cli.run_command(["verdict"]) == 0
    (project / "service/app.py").write_text("changed = 1\n", encoding="utf-8")
    assert cli.run_command(["verdict"]) == 3
    assert "other content" in capsys.readouterr().out


def test_a_full_disk_is_a_sentence_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "reports")

    monkeypatch.setattr("pipeline.workplace.Workplace.__init__", full)
    assert cli.run_command(["config"]) == 3
    assert "reports: No space left on device." in capsys.readouterr().err


def test_a_defect_is_not_taken_for_a_fault_of_the_target(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("pipeline.workplace.Workplace.__init__", broken)
    assert cli.run_command(["config"]) == 3
    said = capsys.readouterr().err
    assert "unforeseen" in said
    assert "a defect of the pipeline" in said


def test_what_an_error_quotes_steers_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for error in (ConfigurationError("\x1b[2J\n::error::planted"), RuntimeError("\x1b[2J\n::error::planted")):

        def broken(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr("pipeline.workplace.Workplace.__init__", broken)
        cli.run_command(["config"])
        said = capsys.readouterr().err
        assert "\\x1b[2J" in said and "\\::error::planted" in said
        assert "\x1b" not in said and "\n::" not in said
