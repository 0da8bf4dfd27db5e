"""A row of stages that have their results already: one report for all of them, and a true one at every moment."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.cache_inputs import Inputs
from pipeline.core.run_record import Report
from pipeline.core.stage import Examination, StageResult
from pipeline.execution.store import ResultStore
from pipeline.run import Run
from pipeline.run_results import SELECTED
from pipeline.stages.context import Context
from tests.projects import SampleStage, green, make_project
from tests.scheduled import carry_out, found, reasons, statuses

NAMES = ("lint", "scan", "secrets", "audit", "test", "build")


@dataclass(frozen=True)
class DeclaredStage(SampleStage):
    """A sample that rests on the files below a folder."""

    files: str = "service"

    def inputs(self, context: Context) -> Inputs:
        """The Python files there."""
        del context
        return Inputs(files=(f"{self.files}/*.py",))


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path) -> Path:
    table = f"required = {json.dumps(NAMES)}\nsources = []\n"
    return make_project(tmp_path / "project", table, {"more/extra.py": '"""More."""\n'})


@pytest.fixture(name="merged")
def merged_fixture(monkeypatch: pytest.MonkeyPatch) -> list[Report]:
    """Every merged report that is written from now on."""
    reports: list[Report] = []
    merge = Run.merge

    def merging(run: Run) -> Report:
        reports.append(merge(run))
        return reports[-1]

    monkeypatch.setattr(Run, "merge", merging)
    return reports


def stages(**more: Any) -> list[DeclaredStage]:
    return [DeclaredStage(name, **more) for name in NAMES]


def test_however_many_stages_have_their_results_the_whole_report_is_made_once_at_the_end(
    project: Path, merged: list[Report]
) -> None:
    carry_out(project, *stages())
    assert len(merged) >= len(NAMES)
    merged.clear()
    carry_out(project, *stages(), run_id="run-2")
    assert {stage["cached"] for stage in found(project).values()} == {True}
    assert len(merged) == 1


def reports_of(project: Path) -> set[str]:
    """The reports of the whole run that lie there, but for those of single stages in JUnit."""
    return {path.name for path in (project / "reports").iterdir() if path.is_file()} - {"history.jsonl"}


def test_from_its_beginning_on_no_format_tells_of_the_run_before(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out(project, *stages())
    whole = reports_of(project)
    assert {"pipeline.json", "pipeline.junit.xml", "index.html", "summary.md", "metrics.prom"} <= whole
    seen: list[set[str]] = []
    write = ResultStore.write

    def noticing(store: ResultStore, result: StageResult) -> StageResult:
        if result.cached:
            seen.append(reports_of(project))
            assert "run-2" in (project / "reports/pipeline.json").read_text(encoding="utf-8")
            # None of its suites is one of a pass.
            assert SELECTED in (project / "reports/pipeline.junit.xml").read_text(encoding="utf-8")
        return write(store, result)

    monkeypatch.setattr(ResultStore, "write", noticing)
    carry_out(project, *stages(), run_id="run-2")
    assert seen == [{"pipeline.json", "pipeline.junit.xml"}] * len(NAMES)
    assert reports_of(project) == whole


def test_nothing_is_waited_for_between_stages_that_have_their_results(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out(project, *stages())
    # Longer than a test may take.
    monkeypatch.setattr("pipeline.scheduling.BEAT_S", 600.0)
    begun = time.monotonic()
    carry_out(project, *stages(), run_id="run-2", jobs=1)
    assert time.monotonic() - begun < 300
    assert {stage["cached"] for stage in found(project).values()} == {True}


def test_at_every_moment_the_report_is_valid_and_says_of_each_stage_what_is_true(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out(project, *stages())
    seen: list[dict[str, Any]] = []
    written: list[str] = []
    write = ResultStore.write

    def noticing(store: ResultStore, result: StageResult) -> StageResult:
        complete = write(store, result)
        if complete.cached:
            written.append(complete.name)
            seen.append(found(project))
        return complete

    monkeypatch.setattr(ResultStore, "write", noticing)
    carry_out(project, *stages(), run_id="run-2")
    assert sorted(written) == sorted(NAMES)
    for moment in seen:
        for name, stage in moment.items():
            # Never what an earlier run has said, and never a result that is not there.
            assert (stage["status"] == "not-run" and stage["reasons"] == [SELECTED]) or name in written


def test_before_a_stage_is_run_the_report_tells_of_all_that_have_their_results(project: Path, tmp_path: Path) -> None:
    # The stage is at work in another process.
    seen = tmp_path / "seen.json"

    def looks(context: Context) -> Examination:
        assert "index.html" in reports_of(project)
        seen.write_text(json.dumps(found(project)), encoding="utf-8")
        return green(context)

    first = [*stages()[:-1], DeclaredStage("build", files="more")]
    carry_out(project, *first)
    (project / "more/extra.py").write_text('"""Another."""\n', encoding="utf-8")
    second = [*stages()[:-1], DeclaredStage("build", looks, files="more", needs=NAMES[:-1])]
    carry_out(project, *second, run_id="run-2")
    told = json.loads(seen.read_text(encoding="utf-8"))
    assert {name: stage["cached"] for name, stage in told.items()} == {name: name != "build" for name in NAMES}
    assert told["build"]["reasons"] == [SELECTED]


def test_a_run_that_is_cut_off_in_a_row_of_results_leaves_what_has_been_written(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out(project, *stages())
    settled = Run.settled
    calls: list[str] = []

    def cut_off(run: Run, name: str, *, reuse: bool = False) -> StageResult | None:
        calls.append(name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return settled(run, name, reuse=reuse)

    monkeypatch.setattr(Run, "settled", cut_off)
    with pytest.raises(KeyboardInterrupt):
        carry_out(project, *stages(), run_id="run-2", jobs=1)
    assert [statuses(project)[name] for name in calls] == ["pass", "pass", "not-run"]
    assert reasons(project, calls[2]) == SELECTED
