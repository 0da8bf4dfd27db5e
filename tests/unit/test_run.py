"""A run: what it writes when, what it reuses, and that no way of ending leaves a report that is not true."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.stage import Examination, Status
from pipeline.errors import ConfigurationError, EngineTrouble, StorageTrouble, TargetFault
from pipeline.run import Run
from pipeline.run_command import each
from pipeline.stages.context import Context
from pipeline.workplace import Workplace
from tests.projects import SampleStage, doubtful, git, green, make_project, red

TABLE = 'required = ["lint", "test", "build"]'


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project", TABLE)


def start(project: Path, *stages: SampleStage, run_id: str = "run-1") -> Run:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
    return Run(Workplace(project, environ, run_id), stages, run_id)


def report(project: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((project / "reports/pipeline.json").read_text(encoding="utf-8"))
    return document


def statuses(project: Path) -> dict[str, str]:
    return {stage["name"]: stage["status"] for stage in report(project)["stages"]}


def reasons(project: Path, name: str) -> str:
    return next(" ".join(stage["reasons"]) for stage in report(project)["stages"] if stage["name"] == name)


def run_all(run: Run, *asked: str) -> None:
    each(run, run.begin(asked or run.names), frozenset(asked or run.names), ())
    run.close()


def test_everything_is_not_run_before_the_first_stage_begins(project: Path) -> None:
    run = start(project, SampleStage("lint"), SampleStage("build", needs=("lint",)), SampleStage("test"))
    assert run.begin(("build",)) == ("lint", "build")
    assert statuses(project) == {"lint": "not-run", "build": "not-run", "test": "not-run"}
    assert report(project)["verdict"] == "not-run"
    run.close()


def test_a_stage_replaces_its_own_result_when_it_ends(project: Path) -> None:
    run = start(project, SampleStage("lint"), SampleStage("test", red), SampleStage("build"))
    run.begin(run.names)
    run.stage("lint")
    assert statuses(project) == {"lint": "pass", "test": "not-run", "build": "not-run"}
    run.stage("test")
    assert statuses(project)["test"] == "fail"
    assert report(project)["verdict"] == "fail"
    run.close()


def test_all_green_is_a_pass(project: Path) -> None:
    run_all(start(project, SampleStage("lint"), SampleStage("test"), SampleStage("build")))
    assert report(project)["verdict"] == "pass"


def test_a_failed_stage_stops_those_that_need_it_and_no_other(project: Path) -> None:
    build = SampleStage("build", needs=("lint",))
    other = SampleStage("test")
    run_all(start(project, SampleStage("lint", red), other, build))
    assert statuses(project) == {"lint": "fail", "test": "pass", "build": "not-run"}
    assert reasons(project, "build") == "build needs lint to pass, and lint is fail."
    assert not build.calls
    assert other.calls


def test_a_need_is_reused_for_the_same_snapshot_and_run_again_for_another(project: Path) -> None:
    stages = (SampleStage("lint"), SampleStage("build", needs=("lint",)), SampleStage("test"))
    run_all(start(project, *stages), "lint")
    run_all(start(project, *stages, run_id="run-2"), "build")
    assert len(stages[0].calls) == 1
    assert report(project)["stages"][0]["cached"] is True
    (project / "service/app.py").write_text("changed = 1\n", encoding="utf-8")
    run_all(start(project, *stages, run_id="run-3"), "build")
    assert len(stages[0].calls) == 2
    assert report(project)["stages"][0]["cached"] is False


def test_a_stage_that_is_asked_for_is_never_reused(project: Path) -> None:
    lint = SampleStage("lint")
    for number in range(2):
        run_all(start(project, lint, run_id=f"run-{number}"), "lint")
    assert len(lint.calls) == 2


def test_a_need_that_no_longer_holds_is_run_again(project: Path) -> None:
    lint = SampleStage("lint", holds=False)
    stages = (lint, SampleStage("build", needs=("lint",)))
    run_all(start(project, *stages), "build")
    run_all(start(project, *stages, run_id="run-2"), "build")
    assert len(lint.calls) == 2


@pytest.mark.parametrize("examine", [red, doubtful])
def test_only_a_pass_is_reused(project: Path, examine: Any) -> None:
    lint = SampleStage("lint", examine)
    stages = (lint, SampleStage("build", needs=("lint",)))
    run_all(start(project, *stages), "lint")
    run_all(start(project, *stages, run_id="run-2"), "build")
    assert len(lint.calls) == 2


def test_a_result_under_another_policy_is_no_result(project: Path) -> None:
    run_all(start(project, SampleStage("lint"), SampleStage("test")), "lint")
    text = (project / "pyproject.toml").read_text(encoding="utf-8")
    (project / "pyproject.toml").write_text(text + "[tool.pipeline.lint]\nscore_floor = 3\n", encoding="utf-8")
    git(project, "stash", "-q")
    place = Workplace(project, {**os.environ, "PIPELINE_LINT_SCORE_FLOOR": "4"}, "run-2")
    run = Run(place, (SampleStage("lint"), SampleStage("test")), "run-2")
    run.begin(("test",))
    assert statuses(project)["lint"] == "not-run"
    run.close()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TargetFault("The recipe has a syntax error."), "fail"),
        (EngineTrouble("The engine stopped answering."), "inconclusive"),
        (OSError(28, "No space left on device"), "inconclusive"),
        (ValueError("unforeseen"), "inconclusive"),
    ],
)
def test_trouble_becomes_a_status_and_a_sentence(project: Path, error: Exception, status: str) -> None:
    def trouble(context: Context) -> Examination:
        raise error

    run_all(start(project, SampleStage("lint", trouble), SampleStage("test")))
    assert statuses(project) == {"lint": status, "test": "pass"}
    assert str(getattr(error, "strerror", None) or error) in reasons(project, "lint")


def test_a_defect_keeps_its_trace_and_is_not_green(project: Path) -> None:
    def defect(context: Context) -> Examination:
        raise KeyError("lost")

    run_all(start(project, SampleStage("lint", defect)))
    trace = (project / "reports/stages/lint/raw/traceback.txt").read_text(encoding="utf-8")
    assert "KeyError: 'lost'" in trace
    assert str(project) not in trace


def test_bad_configuration_in_a_stage_ends_the_run_and_is_in_the_report(project: Path) -> None:
    def refuse(context: Context) -> Examination:
        raise ConfigurationError("The lock has no hashes.")

    run = start(project, SampleStage("lint", refuse), SampleStage("test"))
    planned = run.begin(run.names)
    with pytest.raises(ConfigurationError):
        each(run, planned, frozenset(planned), ())
    run.close()
    assert statuses(project) == {"lint": "inconclusive", "test": "not-run"}


def test_settings_are_checked_before_anything_runs(project: Path) -> None:
    def refuse(settings: object, snapshot: object) -> None:
        raise ConfigurationError("No such folder.")

    first = SampleStage("lint")
    run = start(project, first, SampleStage("test", refuse=refuse))
    with pytest.raises(ConfigurationError):
        run.begin(run.names)
    assert not first.calls


def test_an_interrupt_is_told_by_every_stage_that_was_left(project: Path) -> None:
    def interrupted(context: Context) -> Examination:
        raise KeyboardInterrupt

    run = start(project, SampleStage("lint"), SampleStage("test", interrupted), SampleStage("build"))
    planned = run.begin(run.names)
    with pytest.raises(KeyboardInterrupt):
        each(run, planned, frozenset(planned), ())
    assert statuses(project) == {"lint": "pass", "test": "not-run", "build": "not-run"}
    assert "interrupted" in reasons(project, "test")
    assert "interrupted" in reasons(project, "build")
    assert report(project)["verdict"] == "not-run"
    run.close()


def test_a_stage_that_is_killed_leaves_not_run_behind(project: Path) -> None:
    seen = []

    def look(context: Context) -> Examination:
        seen.append(json.loads((project / "reports/stages/lint/result.json").read_text(encoding="utf-8"))["status"])
        return green(context)

    run_all(start(project, SampleStage("lint", look)), "lint")
    run_all(start(project, SampleStage("lint", look), run_id="run-2"), "lint")
    assert seen == ["not-run", "not-run"], "while a stage runs, its earlier pass must not stand"


def test_a_stage_that_changes_the_snapshot_can_t_tell(project: Path) -> None:
    def meddle(context: Context) -> Examination:
        (context.tree / "service/app.py").write_text("meddled", encoding="utf-8")
        return green(context)

    run_all(start(project, SampleStage("lint", meddle), SampleStage("test")))
    assert statuses(project)["lint"] == "inconclusive"
    assert "service/app.py" in reasons(project, "lint")


def test_the_tree_holds_the_snapshot_and_not_what_is_ignored(project: Path) -> None:
    (project / ".gitignore").write_text("/.pipeline/\n/reports/\n.env\n", encoding="utf-8")
    (project / ".env").write_text("KEY=1\n", encoding="utf-8")
    (project / "new.txt").write_text("untracked\n", encoding="utf-8")
    stage = SampleStage("lint")
    run_all(start(project, stage), "lint")
    tree = stage.calls[0].tree
    assert (tree / "new.txt").exists()
    assert not (tree / ".env").exists()
    assert report(project)["dirty"] is True


def test_secrets_of_the_environment_are_in_no_file(project: Path) -> None:
    value = f"{os.getpid()}-must-not-be-seen"

    def leak(context: Context) -> Examination:
        context.keep("tool.log", f"token {value} of the tool")
        raise EngineTrouble(f"The engine said {value}.")

    place = Workplace(project, {**os.environ, "REGISTRY_TOKEN": value}, "run-1")
    run = Run(place, (SampleStage("lint", leak),), "run-1")
    run_all(run)
    for path in (project / "reports").rglob("*"):
        if path.is_file():
            assert value not in path.read_text(encoding="utf-8"), path
    assert "[secret]" in (project / "reports/stages/lint/raw/tool.log").read_text(encoding="utf-8")


def test_raw_files_are_artifacts_with_their_digests(project: Path) -> None:
    def keep(context: Context) -> Examination:
        context.keep("tool.json", "{}")
        return green(context)

    run_all(start(project, SampleStage("lint", keep)), "lint")
    artifacts = report(project)["stages"][0]["artifacts"]
    assert artifacts == [
        {
            "path": "stages/lint/raw/tool.json",
            "sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        }
    ]


def test_a_second_run_is_refused_with_the_first_one_s_pid(project: Path) -> None:
    first = start(project, SampleStage("lint"))
    first.begin(("lint",))
    second = start(project, SampleStage("lint"), run_id="run-2")
    with pytest.raises(ConfigurationError, match=rf"pid {os.getpid()}"):
        second.begin(("lint",))
    first.close()
    second.begin(("lint",))
    second.close()


def test_processes_of_one_run_share_it_and_a_change_in_between_is_refused(project: Path) -> None:
    stages = (SampleStage("lint"), SampleStage("test"))
    first = start(project, *stages)
    first.begin(("lint",))
    first.stage("lint")
    joined = start(project, *stages)
    joined.begin(("test",))
    assert statuses(project)["lint"] == "pass"
    (project / "service/app.py").write_text("changed = 1\n", encoding="utf-8")
    late = start(project, *stages)
    with pytest.raises(ConfigurationError, match="changed while the run"):
        late.begin(("test",))
    for run in (first, joined, late):
        run.close()


def test_the_previous_result_is_handed_to_the_stage(project: Path) -> None:
    stage = SampleStage("lint")
    run_all(start(project, stage), "lint")
    (project / "service/app.py").write_text("changed = 1\n", encoding="utf-8")
    run_all(start(project, stage, run_id="run-2"), "lint")
    assert stage.calls[0].previous is None
    assert stage.calls[1].previous is not None
    assert stage.calls[1].previous.status is Status.PASS


def test_a_report_folder_that_can_t_be_written_is_a_clear_error(project: Path) -> None:
    (project / "reports").write_text("a file where the folder should be", encoding="utf-8")
    run = start(project, SampleStage("lint"))
    with pytest.raises(StorageTrouble, match="could not be written"):
        run.begin(("lint",))
    run.close()


def test_an_old_pass_is_not_reused(project: Path) -> None:
    stages = (SampleStage("lint"), SampleStage("build", needs=("lint",)))
    run_all(start(project, *stages), "lint")
    place = Workplace(project, {**os.environ, "PIPELINE_CACHE_MAX_AGE_HOURS": "0"}, "run-2")
    run_all(Run(place, stages, "run-2"), "build")
    assert len(stages[0].calls) == 2


def test_what_a_run_has_found_stands_for_the_whole_run(project: Path) -> None:
    lint = SampleStage("lint", red)
    stages = (lint, SampleStage("build", needs=("lint",)))
    run_all(start(project, *stages), "lint")
    run_all(start(project, *stages), "build")
    assert len(lint.calls) == 1, "the second command belongs to the same run, in which lint has failed already"
    assert statuses(project)["lint"] == "fail"
    run_all(start(project, *stages, run_id="run-2"), "build")
    assert len(lint.calls) == 2


def test_every_planned_stage_starts_as_not_run_whatever_it_was(project: Path) -> None:
    stages = (SampleStage("lint"), SampleStage("test"), SampleStage("build", needs=("lint",)))
    run_all(start(project, *stages))
    run = start(project, *stages, run_id="run-2")
    run.begin(("build",))
    assert statuses(project) == {"lint": "not-run", "test": "pass", "build": "not-run"}
    run.close()


def test_a_stage_that_nobody_called_says_what_it_waited_for(project: Path) -> None:
    """Nox does not call a session whose prerequisite has failed."""
    run = start(project, SampleStage("lint", red), SampleStage("build", needs=("lint",)))
    run.begin(("build",))
    run.stage("lint")
    run.close()
    assert reasons(project, "build") == "build needs lint to pass, and lint is fail."


def test_a_pass_whose_raw_files_were_touched_is_not_reused(project: Path) -> None:
    def keep(context: Context) -> Examination:
        context.keep("tool.json", "{}")
        return green(context)

    lint = SampleStage("lint", keep)
    stages = (lint, SampleStage("build", needs=("lint",)))
    run_all(start(project, *stages), "lint")
    (project / "reports/stages/lint/raw/tool.json").write_text("{ }", encoding="utf-8")
    run_all(start(project, *stages, run_id="run-2"), "build")
    assert len(lint.calls) == 2
