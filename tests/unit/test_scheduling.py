"""Stages at the same time, in processes of their own: the same report, and the truth about each that comes to grief."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.finding import Finding, Severity
from pipeline.core.stage import Examination
from pipeline.errors import EngineTrouble
from pipeline.run import Run
from pipeline.scheduling import one_stage
from pipeline.settings import Settings
from pipeline.stages.context import Context
from pipeline.workplace import Workplace
from tests.projects import SampleStage, green, red
from tests.scheduled import carry_out, found, handlers_put_back, reasons, requiring, statuses

NAMES = ("lint", "scan", "test", "build")
TIMES = {"started", "finished", "run", "duration_s", "checksum", "results", "artifacts"}


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path) -> Path:
    return requiring(tmp_path / "project", NAMES)


@pytest.fixture(autouse=True)
def handlers_fixture() -> Iterator[None]:
    with handlers_put_back():
        yield


def meets(folder: Path, name: str, others: int) -> Callable[[Context], Examination]:
    """A stage's work that ends when so many stages are at work at the same time."""

    def examine(context: Context) -> Examination:
        (folder / name).touch()
        until = time.monotonic() + 60
        while len([*folder.iterdir()]) < others:
            assert time.monotonic() < until, "the others do not come"
            time.sleep(0.01)
        return green(context)

    return examine


def alone(folder: Path) -> Callable[[Context], Examination]:
    """A stage's work that notices whether another one is at work."""

    def examine(context: Context) -> Examination:
        (folder / "mark").mkdir()
        time.sleep(0.1)
        (folder / "mark").rmdir()
        return green(context)

    return examine


def test_stages_are_at_work_at_the_same_time(project: Path, tmp_path: Path) -> None:
    (tmp_path / "met").mkdir()
    carry_out(project, *(SampleStage(name, meets(tmp_path / "met", name, 3)) for name in NAMES[:3]), jobs=3)
    assert set(statuses(project).values()) == {"pass"}


@pytest.mark.parametrize("jobs", [1, 3])
def test_no_more_than_the_jobs_and_who_must_be_alone_is(project: Path, tmp_path: Path, jobs: int) -> None:
    class Alone(SampleStage):
        """It measures time."""

        alone = jobs > 1

    stages = (Alone(name, alone(tmp_path)) for name in NAMES[:3])
    carry_out(project, *stages, jobs=jobs)
    assert set(statuses(project).values()) == {"pass"}


def test_a_stage_whose_tool_can_use_several_cores_is_told_its_share(project: Path) -> None:
    class Spreads(SampleStage):
        """Its tool is parallel itself."""

        def spreads(self, settings: Settings) -> bool:
            """In any project."""
            del settings
            return True

    def share(cores: int) -> Callable[[Context], Examination]:
        def examine(context: Context) -> Examination:
            assert context.cores == cores, context.cores
            return green(context)

        return examine

    carry_out(project, Spreads("lint", share(3)), SampleStage("scan", share(1)), jobs=4)
    assert set(statuses(project).values()) == {"pass"}
    carry_out(project, Spreads("lint", share(1)), SampleStage("scan", share(1)), jobs=1, run_id="run-2")
    assert set(statuses(project).values()) == {"pass"}


def test_needs_are_waited_for_and_what_failed_stops_those_that_need_it(project: Path) -> None:
    stages = (
        SampleStage("lint"), SampleStage("scan", red), SampleStage("test", needs=("lint",)),
        SampleStage("build", needs=("scan",)),
    )  # fmt: skip
    carry_out(project, *stages)
    assert statuses(project) == {"lint": "pass", "scan": "fail", "test": "pass", "build": "not-run"}
    assert reasons(project, "build") == "build needs scan to pass, and scan is fail."


def test_serial_and_parallel_runs_tell_the_same_but_for_times(project: Path) -> None:
    def finds(context: Context) -> Examination:
        time.sleep(0.2)
        context.keep("tool.json", "{}")
        finding = Finding(rule="E1", tool="t", severity=Severity.LOW, message="m", path="service/app.py", line=1)
        return Examination(**{**_values(green(context)), "findings": (finding,)})

    def broken(context: Context) -> Examination:
        raise EngineTrouble("The engine is gone.")

    stages = (SampleStage("lint", finds), SampleStage("scan", red), SampleStage("test", broken), SampleStage("build"))
    texts = []
    for jobs in (1, 4):
        carry_out(project, *stages, jobs=jobs, run_id=f"run-{jobs}", retries="0")
        document = json.loads((project / "reports/pipeline.json").read_text(encoding="utf-8"))
        texts.append(json.dumps(_without_times(document), indent=1))
    assert texts[0] == texts[1]
    assert [stage["name"] for stage in json.loads(texts[0])["stages"]] == [*NAMES]


def _values(examination: Examination) -> dict[str, Any]:
    return {name: getattr(examination, name) for name in examination.__slots__}


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_times(item) for name, item in value.items() if name not in TIMES - {"artifacts"}}
    return [_without_times(item) for item in value] if isinstance(value, list) else value


def test_a_pass_after_trouble_is_marked(project: Path, tmp_path: Path) -> None:
    def again(context: Context) -> Examination:
        if not (tmp_path / "seen").exists():
            (tmp_path / "seen").touch()
            raise EngineTrouble("The engine was silent.")
        assert not [*context.scratch.iterdir()], "each try has a scratch folder of its own"
        return green(context)

    carry_out(project, SampleStage("lint", again), retry_wait_s="0")
    assert statuses(project)["lint"] == "pass"
    assert found(project)["lint"]["retries"] == ["The engine was silent."]
    assert "no steady pass" in reasons(project, "lint")


def test_one_stage_of_a_nox_run_is_reused_or_has_a_process_of_its_own(project: Path) -> None:
    pids: list[int] = []

    def own(context: Context) -> Examination:
        assert os.getpid() not in pids
        return green(context)

    pids.append(os.getpid())
    place = Workplace(project, dict(os.environ), "run-1")
    run = Run(place, (SampleStage("lint", own), SampleStage("scan", needs=("lint",))), "run-1")
    run.begin(("scan",))
    assert one_stage(run, place, "lint", reuse=False, arguments=()).status == "pass"
    assert one_stage(run, place, "lint", reuse=True, arguments=()).cached
    assert one_stage(run, place, "scan", reuse=False, arguments=()).status == "pass"
    run.close()
