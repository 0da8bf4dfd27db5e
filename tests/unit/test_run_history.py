"""What a run leaves to the history and takes from it: one line, the runs before it, the last green one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.change import change_since_last_green
from pipeline.core.finding import Finding, Severity, with_fingerprints
from pipeline.core.run_record import Report
from pipeline.core.stage import Examination
from pipeline.errors import ConfigurationError
from pipeline.reporters import json_reading
from pipeline.run import Run
from pipeline.run_command import each
from pipeline.stages.context import Context
from pipeline.workplace import Workplace
from tests.projects import SampleStage, git, green, make_project, red
from tests.support import PASSWORD


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project", 'required = ["lint", "test"]')


def start(project: Path, run_id: str, *stages: SampleStage) -> Run:
    return Run(Workplace(project, os.environ, run_id), stages or (SampleStage("lint"), SampleStage("test")), run_id)


def run_all(run: Run) -> None:
    each(run, run.begin(run.names), frozenset(run.names), ())
    run.close()


def lines(project: Path) -> list[dict[str, Any]]:
    text = (project / "reports/history.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def told(project: Path) -> Report:
    return json_reading.parse_report((project / "reports/pipeline.json").read_text(encoding="utf-8"))


def test_a_run_leaves_one_line_that_says_what_came_of_it(project: Path) -> None:
    run_all(start(project, "run-1", SampleStage("lint"), SampleStage("test", red)))
    run_all(start(project, "run-2"))
    first, second = lines(project)
    assert (first["run"], first["verdict"], second["run"], second["verdict"]) == ("run-1", "fail", "run-2", "pass")
    assert [(stage["name"], stage["status"]) for stage in first["stages"]] == [("lint", "pass"), ("test", "fail")]
    assert first["commit"] == told(project).record.commit
    assert second["finished"] == told(project).finished


def test_several_processes_of_one_run_leave_one_line(project: Path) -> None:
    for name in ("lint", "test"):
        run = start(project, "run-1")
        run.begin([name])
        run.stage(name)
        run.close()
    (line,) = lines(project)
    assert line["verdict"] == "pass"


def test_a_worker_leaves_what_has_come_of_the_run_so_far(project: Path) -> None:
    worker = start(project, "run-1")
    worker.remember()
    assert not (project / "reports").exists(), "a run that has not begun leaves nothing"
    worker.begin(["lint"])
    worker.stage("lint")
    worker.remember()
    (line,) = lines(project)
    assert [stage["status"] for stage in line["stages"]] == ["pass", "not-run"]
    worker.close()


def test_a_report_shows_the_runs_before_it_and_not_itself(project: Path) -> None:
    seen = []

    def look(context: Context) -> Examination:
        seen.append([entry.run for entry in going_on.report().history])
        return green(context)

    for number in range(3):
        going_on = start(project, f"run-{number}", SampleStage("lint", look), SampleStage("test"))
        run_all(going_on)
    assert seen == [[], ["run-0"], ["run-0", "run-1"]]


def test_the_last_green_run_is_what_a_run_is_held_against(project: Path) -> None:
    def finds(context: Context) -> Examination:
        found = with_fingerprints([Finding(rule="r", tool="t", severity=Severity.LOW, message="m", counted=False)])
        examined = green(context)
        return Examination(evidence=examined.evidence, gates=examined.gates, findings=found)

    run_all(start(project, "run-1", SampleStage("lint", finds), SampleStage("test")))
    assert change_since_last_green(told(project)) is None
    for number in (2, 3):
        run_all(start(project, f"run-{number}", SampleStage("lint"), SampleStage("test", red)))
        change = change_since_last_green(told(project))
        assert change is not None
        assert change.since.run == "run-1"
        assert change.sentences == ("test was pass and is fail.", "0 findings came and 1 went.")


def test_a_run_that_was_joined_keeps_the_green_run_that_it_began_with(project: Path) -> None:
    run_all(start(project, "run-1"))
    for name in ("lint", "test"):
        run = start(project, "run-2")
        run.begin([name])
        run.stage(name)
        run.close()
        change = change_since_last_green(told(project))
        assert change is not None
        assert change.since.run == "run-1"


def test_a_damaged_history_is_told_once_and_trips_no_run(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_all(start(project, "run-1"))
    path = project / "reports/history.jsonl"
    path.write_text("{half\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    capsys.readouterr()
    run_all(start(project, "run-2"))
    assert capsys.readouterr().err.count("history.jsonl is damaged and was left out") == 1
    assert [line["run"] for line in lines(project)] == ["run-1", "run-2"]
    run_all(start(project, "run-3"))
    assert "is damaged" not in capsys.readouterr().err


def test_a_history_that_can_t_be_written_trips_no_run(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "reports/history.jsonl").mkdir(parents=True)
    run_all(start(project, "run-1"))
    assert told(project).verdict == "pass"
    assert "history.jsonl" in capsys.readouterr().err


def test_an_interrupted_run_and_one_that_could_not_begin(project: Path) -> None:
    def interrupted(context: Context) -> Examination:
        raise KeyboardInterrupt

    run = start(project, "run-1", SampleStage("lint", interrupted), SampleStage("test"))
    planned = run.begin(run.names)
    with pytest.raises(KeyboardInterrupt):
        each(run, planned, frozenset(planned), ())
    run.close()

    def refuse(settings: object, snapshot: object) -> None:
        raise ConfigurationError("No such folder.")

    other = start(project, "run-2", SampleStage("lint", refuse=refuse), SampleStage("test"))
    with pytest.raises(ConfigurationError):
        other.begin(other.names)
    other.close()
    assert [(line["run"], line["verdict"]) for line in lines(project)] == [("run-1", "not-run")]


def test_a_secret_that_was_not_known_as_one_before_is_masked_in_earlier_branches(project: Path) -> None:
    git(project, "checkout", "-q", "-b", f"fix-{PASSWORD}")
    run_all(start(project, "run-1"))
    git(project, "checkout", "-q", "main")
    place = Workplace(project, {**os.environ, "REGISTRY_TOKEN": PASSWORD}, "run-2")
    run_all(Run(place, (SampleStage("lint"), SampleStage("test")), "run-2"))
    assert [line["branch"] for line in lines(project)] == ["fix-[secret]", "main"]
    for path in (project / "reports").rglob("*"):
        assert not path.is_file() or PASSWORD not in path.read_text(encoding="utf-8"), path
