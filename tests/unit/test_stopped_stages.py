"""Stages that come to grief: too late, killed, without memory, refused; each is told as it was."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import scheduling
from pipeline.core.ports import Request
from pipeline.core.run_record import Report
from pipeline.core.schedule import Start
from pipeline.core.stage import Examination
from pipeline.errors import ConfigurationError, StorageTrouble
from pipeline.interrupts import Requests, noted
from pipeline.run import Run
from pipeline.scheduling import Scheduler
from pipeline.stages.context import Context
from pipeline.workplace import Workplace
from tests.projects import SampleStage, doubtful, green
from tests.scheduled import LONGEST_S, carry_out, handlers_put_back, reasons, requiring, statuses

NAMES = ("lint", "scan", "test", "build")


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path) -> Path:
    return requiring(tmp_path / "project", NAMES)


@pytest.fixture(autouse=True)
def handlers_fixture() -> Iterator[None]:
    with handlers_put_back():
        yield


def test_a_stage_beyond_its_time_is_stopped_with_all_that_it_started(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hangs(context: Context) -> Examination:
        script = "setsid sleep 300 > sleeper.log & echo $! > pid"
        subprocess.run(("sh", "-c", script), cwd=tmp_path, check=True)
        (tmp_path / "begun").touch()
        context.run(Request(argv=("sleep", "300"), cwd=tmp_path, timeout_s=300))
        return green(context)

    def clock() -> float:
        # An hour passes at once, when the one stage hangs and the other has ended, however busy the machine is.
        over = (tmp_path / "begun").exists() and statuses(project)["scan"] == "pass"
        return time.monotonic() + (3600 if over else 0)

    monkeypatch.setattr(scheduling, "time", SimpleNamespace(monotonic=clock))
    # Else it is taken for an hour in which the runner was stopped.
    monkeypatch.setattr(scheduling, "_SLACK_S", 7200.0)
    carry_out(project, SampleStage("lint", hangs), SampleStage("scan"), timeout_s="1800")
    assert statuses(project) == {"lint": "inconclusive", "scan": "pass"}
    assert "stopped after 1800 seconds (run.timeout_s)" in reasons(project, "lint")
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text(encoding='ascii').strip()}").exists()


def test_a_tool_that_hangs_is_stopped_and_the_others_go_on(project: Path) -> None:
    def hangs(context: Context) -> Examination:
        context.run(Request(argv=("sleep", "300"), cwd=context.tree, timeout_s=1))
        return green(context)

    carry_out(project, SampleStage("lint", hangs), SampleStage("scan"))
    assert statuses(project) == {"lint": "inconclusive", "scan": "pass"}
    assert "sleep was stopped after 1 seconds" in reasons(project, "lint")


def test_a_stage_that_does_not_stop_is_killed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stubborn(context: Context) -> Examination:
        del context
        while True:
            with contextlib.suppress(BaseException):
                time.sleep(60)

    monkeypatch.setattr(scheduling, "GRACE_S", 0.3)
    carry_out(project, SampleStage("lint", stubborn), timeout_s="1")
    assert statuses(project)["lint"] == "inconclusive"


@pytest.mark.parametrize(
    ("number", "told"), [(signal.SIGKILL, "ended by signal 9"), (signal.SIGTERM, "asked to stop by somebody else")]
)
def test_a_stage_whose_process_is_killed_can_t_tell_and_the_others_go_on(
    project: Path, number: signal.Signals, told: str
) -> None:
    def killed(context: Context) -> Examination:
        os.kill(os.getpid(), number)
        time.sleep(60)
        return green(context)

    carry_out(project, SampleStage("lint", killed), SampleStage("scan"))
    assert statuses(project) == {"lint": "inconclusive", "scan": "pass"}
    assert told in reasons(project, "lint")


def test_no_memory_is_a_stage_that_can_t_tell(project: Path) -> None:
    def greedy(context: Context) -> Examination:
        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        # Of this process alone, which is the stage's own.
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**25, used + 2**25))
        bytearray(2**30)
        return green(context)

    def killed(context: Context) -> Examination:
        # As the kernel does it when the whole machine has none.
        ended = context.run(Request(argv=("sh", "-c", "kill -9 $$"), cwd=context.tree, timeout_s=60))
        return green(context) if ended.exit_code == 0 else doubtful(context)

    carry_out(project, SampleStage("lint", greedy), SampleStage("scan"), SampleStage("test", killed))
    assert statuses(project) == {"lint": "inconclusive", "scan": "pass", "test": "inconclusive"}
    assert "MemoryError" in reasons(project, "lint")


def test_bad_configuration_ends_the_run_when_those_at_work_have_ended(project: Path) -> None:
    def refuse(context: Context) -> Examination:
        raise ConfigurationError("The lock has no hashes.", advice="Lock it.")

    def slow(context: Context) -> Examination:
        until = time.monotonic() + LONGEST_S
        while statuses(project)["lint"] == "not-run":
            assert time.monotonic() < until, "nobody takes note of the refusal"
            time.sleep(0.02)
        return green(context)

    with pytest.raises(ConfigurationError, match=r"The lock has no hashes. Lock it."):
        carry_out(project, SampleStage("lint", refuse), SampleStage("scan", slow), SampleStage("test"))
    assert statuses(project) == {"lint": "inconclusive", "scan": "pass", "test": "not-run"}


def test_a_result_that_can_t_be_written_ends_the_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(run: Run, name: str, *more: Any) -> None:
        raise StorageTrouble(f"The result of {name} could not be written: no space.")

    monkeypatch.setattr(Run, "carried_out", full)
    with pytest.raises(StorageTrouble, match="The result of lint could not be written"):
        carry_out(project, SampleStage("lint"))
    assert "could not be written" in reasons(project, "lint")


def test_a_report_that_can_t_be_written_stops_everything(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(context: Context) -> Examination:
        time.sleep(60)
        return green(context)

    def full(run: Run, name: str) -> None:
        raise StorageTrouble("pipeline.json could not be written: no space.")

    monkeypatch.setattr(Run, "came_apart", full)
    with pytest.raises(StorageTrouble, match="no space"):
        carry_out(project, SampleStage("lint"), SampleStage("scan", slow))


def test_a_defect_in_a_stage_s_process_is_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(run: Run, name: str, *more: Any) -> None:
        raise KeyError(name)

    monkeypatch.setattr(Run, "carried_out", defect)
    carry_out(project, SampleStage("lint"))
    assert "which is a defect of the pipeline: KeyError: 'lint'" in reasons(project, "lint")


def test_a_process_without_a_result_is_no_pass(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "carried_out", lambda run, name, *more: None)
    carry_out(project, SampleStage("lint"))
    assert reasons(project, "lint") == "The stage's process ended without a result (exit code 0)."


def test_a_stopped_laptop_s_time_is_not_the_stages(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stops_its_run(context: Context) -> Examination:
        asleep = 0
        while asleep < 10:
            # It waits for us, and is in the middle of nothing else.
            stat = Path(f"/proc/{os.getppid()}/stat").read_text(encoding="ascii")
            asleep = asleep + 1 if stat.rpartition(")")[2].split()[0] == "S" else 0
            time.sleep(0.02)
        os.kill(os.getppid(), signal.SIGSTOP)
        time.sleep(6)
        os.kill(os.getppid(), signal.SIGCONT)
        time.sleep(0.5)
        return green(context)

    monkeypatch.setattr(scheduling, "_SLACK_S", 0.1)
    monkeypatch.setattr(scheduling, "BEAT_S", 0.1)
    carry_out(project, SampleStage("lint", stops_its_run), timeout_s="5")
    assert statuses(project)["lint"] == "pass"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (None, []),
        (ConfigurationError("Bad.", advice="Mend it."), [{"refused": ["Bad.", "", "Mend it."]}]),
        (StorageTrouble("Full."), [{"troubled": ["Full.", "", ""]}]),
    ],
)
def test_a_stage_s_process_tells_what_it_can_t_write(
    project: Path, monkeypatch: pytest.MonkeyPatch, error: Exception | None, told: list[Any]
) -> None:
    def ends(*given: Any) -> None:
        del given
        if error is not None:
            raise error

    monkeypatch.setattr(Run, "carried_out", ends)
    found_out: list[Any] = []
    with noted() as requests:
        scheduler, run = begun(project, requests)
        scheduler.work(Start(name="lint"), found_out.append)
        run.close()
    assert found_out == told


def test_a_stage_whose_runner_was_killed_writes_the_report_itself(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(run: Run, name: str, *more: Any) -> None:
        del more
        run.interrupt((name,), (name,))
        monkeypatch.setattr("pipeline.scheduling.os.getppid", lambda: 1)
        merged.clear()
        raise KeyboardInterrupt

    told: list[Any] = []
    merged: list[Run] = []
    merge = Run.merge

    def merging(run: Run) -> Report:
        merged.append(run)
        return merge(run)

    monkeypatch.setattr(Run, "merge", merging)
    monkeypatch.setattr(Run, "carried_out", ends)
    with noted() as requests:
        scheduler, run = begun(project, requests)
        with pytest.raises(KeyboardInterrupt):
            scheduler.work(Start(name="lint"), told.append)
        assert merged == [run]
        run.close()
    assert "interrupted" in reasons(project, "lint")


def begun(project: Path, requests: Requests) -> tuple[Scheduler, Run]:
    place = Workplace(project, dict(os.environ), "run-1")
    run = Run(place, (SampleStage("lint"),), "run-1")
    run.begin(("lint",))
    return Scheduler(run, place, requests), run
