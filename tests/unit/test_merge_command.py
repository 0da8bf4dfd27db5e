"""``pipeline merge`` on real folders: byte for byte the run again, and nothing that was changed or leads elsewhere."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.reporters import FORMATS
from pipeline.run import Run
from pipeline.run_command import each
from pipeline.workplace import Workplace
from tests.finished_reports import MIXED, finished
from tests.parted import contents, parted
from tests.projects import SampleStage, git, make_project, red

NAMES = [stage.name for stage in MIXED]


@pytest.fixture(name="mixed", scope="module")
def mixed_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of a run with stages of every status; no test may change them."""
    return finished(tmp_path_factory.mktemp("mixed") / "project", MIXED)


@pytest.mark.parametrize(
    "cuts",
    [
        [[name] for name in NAMES],
        [[name] for name in reversed(NAMES)],
        [NAMES[3:], NAMES[:3]],
        [NAMES, NAMES[:2], []],
        [NAMES],
    ],
)
def test_the_parts_of_a_run_are_that_run_again(
    mixed: Path, tmp_path: Path, cuts: list[list[str]], merge: Callable[..., int]
) -> None:
    assert merge(*parted(mixed, tmp_path, *cuts)) == 1, "the run's verdict is fail"
    assert contents(tmp_path / "out") == contents(mixed)


def test_a_merged_report_is_confirmed(
    mixed: Path, green: Path, tmp_path: Path, merge: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert merge(*parted(green, tmp_path / "green", ["own"], ["test"])) == 0
    assert cli.run_command(["verify", "out"]) == 0
    assert merge(*parted(mixed, tmp_path / "mixed", *([name] for name in NAMES))) == 1
    assert cli.run_command(["verify", "out"]) == 1
    assert "The report is consistent, and its verdict is fail." in capsys.readouterr().out


def test_it_says_what_came_from_where(
    green: Path, tmp_path: Path, merge: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = parted(green, tmp_path, ["own"], ["test"])
    merge(one, other)
    assert capsys.readouterr().out.splitlines() == [
        f"test     pass         from {other}",
        f"own      pass         from {one}",
        "verdict: pass",
    ]


def test_a_missing_stage_is_refused_unless_it_may_be_missing(
    green: Path, tmp_path: Path, merge: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    (part,) = parted(green, tmp_path, ["test"])
    assert merge(part) == 2
    assert "No part has a result of own." in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert merge(part, "--allow-missing", "own,test") == 3, "own is required, so the verdict is not-run"
    assert cli.run_command(["verify", "out"]) == 3
    assert "from none of them" in capsys.readouterr().out


def test_an_earlier_report_in_the_output_is_replaced_whole(
    green: Path, mixed: Path, tmp_path: Path, merge: Callable[..., int]
) -> None:
    shutil.copytree(mixed, tmp_path / "out")
    (tmp_path / "out/README.md").write_text("Reports\n", encoding="utf-8")
    merge(*parted(green, tmp_path, ["own"], ["test"]))
    left = contents(tmp_path / "out")
    assert left.pop("README.md") == b"Reports\n"
    assert {path for path in left if path != "history.jsonl"} == {p for p in contents(green) if p != "history.jsonl"}


def test_a_folder_may_be_merged_into_itself(green: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    one, other = parted(green, tmp_path, ["own"], ["test"])
    assert cli.run_command(["merge", str(one), str(other), "--output", str(one)]) == 0
    assert contents(one) == contents(green)


def test_the_histories_of_all_parts_are_joined_and_damage_is_told(
    green: Path, tmp_path: Path, merge: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = parted(green, tmp_path, ["own"], ["test"])
    line = json.loads((green / "history.jsonl").read_text(encoding="utf-8"))
    earlier = {**line, "run": "run-0", "started": "2020-01-01T00:00:00.000Z"}
    (one / "history.jsonl").write_text(json.dumps(earlier) + "\nhalf a line\n", encoding="utf-8")
    assert merge(one, other) == 0
    runs = [json.loads(line)["run"] for line in (tmp_path / "out/history.jsonl").read_text("utf-8").splitlines()]
    assert runs == ["run-0", "run-1"]
    assert "Line 2 of history.jsonl is damaged" in capsys.readouterr().err


def start(project: Path, run_id: str, *stages: SampleStage) -> Run:
    """A run in a project whose settings the environment does not change."""
    return Run(Workplace(project, os.environ, run_id), stages, run_id)


def run(project: Path, run_id: str, asked: str, *stages: SampleStage) -> None:
    """One stage and what it needs."""
    made = start(project, run_id, *stages)
    each(made, made.begin([asked]), frozenset([asked]), ())
    made.close()


def test_stages_of_two_machines_become_one_report_that_a_third_builds_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_project(tmp_path / "first", 'required = ["lint", "test"]')
    for name in ("second", "third"):
        git(tmp_path, "clone", "-q", str(first), name)
    stages = (SampleStage("lint"), SampleStage("test"), SampleStage("push", needs=("lint", "test")))
    run(first, "run-1", "lint", *stages)
    run(tmp_path / "second", "run-2", "test", *stages)
    monkeypatch.chdir(tmp_path / "third")
    folders = ["../first/reports", "../second/reports"]
    assert cli.run_command(["merge", *folders, "--allow-missing", "push"]) == 0
    assert cli.run_command(["verdict"]) == 0
    document = json.loads(Path("reports/pipeline.json").read_text(encoding="utf-8"))
    assert document["run"] == "run-1+run-2"
    fresh = tuple(SampleStage(stage.name, needs=stage.needs) for stage in stages)
    run(tmp_path / "third", "run-3", "push", *fresh)
    assert [len(stage.calls) for stage in fresh] == [0, 0, 1], "what was merged is used, not done again"


def test_a_report_of_several_machines_is_confirmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make_project(tmp_path / "first", 'required = ["one", "two"]')
    git(tmp_path, "clone", "-q", str(first), "second")
    for folder, name in ((first, "one"), (tmp_path / "second", "two")):
        place = Workplace(folder, os.environ, f"run-{name}", extra_stages=("one", "two"))
        made = Run(place, (SampleStage("one"), SampleStage("two")), f"run-{name}")
        each(made, made.begin([name]), frozenset([name]), ())
        made.close()
    monkeypatch.chdir(tmp_path)
    assert cli.run_command(["merge", "second/reports", "first/reports", "--output", "out"]) == 0
    assert cli.run_command(["verify", "out"]) == 0


def test_a_failure_on_one_machine_is_the_failure_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make_project(tmp_path / "first", 'required = ["lint", "test"]')
    git(tmp_path, "clone", "-q", str(first), "second")
    for folder, name, examine in ((first, "lint", red), (tmp_path / "second", "test", None)):
        chosen = SampleStage(name, examine) if examine else SampleStage(name)
        other = SampleStage("test" if name == "lint" else "lint")
        run(folder, f"run-{name}", name, *sorted((chosen, other), key=lambda stage: stage.name))
    monkeypatch.chdir(first)
    assert cli.run_command(["merge", "../second/reports", "reports"]) == 1


def test_a_merge_waits_for_no_run_and_disturbs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_project(tmp_path / "project", 'required = ["lint"]')
    going_on = start(project, "run-1", SampleStage("lint"))
    going_on.begin(["lint"])
    monkeypatch.chdir(project)
    assert cli.run_command(["merge", "reports"]) == 2
    assert "Another run is at work" in capsys.readouterr().err
    going_on.close()


def test_every_format_is_written(green: Path, tmp_path: Path, merge: Callable[..., int]) -> None:
    merge(*parted(green, tmp_path, ["own"], ["test"]))
    for file in contents(tmp_path / "out"):
        named = any(made.claims(file) for made in FORMATS.values())
        assert named or file == "history.jsonl" or file.startswith("stages/")


def test_a_failure_that_another_machine_turned_into_a_pass_is_a_disagreement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = make_project(tmp_path / "first", 'required = ["lint", "push"]')
    git(tmp_path, "clone", "-q", str(first), "second")
    push = SampleStage("push", needs=("lint",))
    run(first, "run-1", "lint", SampleStage("lint", red), push)
    monkeypatch.chdir(tmp_path / "second")
    assert cli.run_command(["merge", "../first/reports", "--allow-missing", "push"]) == 1
    run(tmp_path / "second", "run-1", "push", SampleStage("lint"), push)
    assert cli.run_command(["verdict"]) == 0
    capsys.readouterr()
    assert cli.run_command(["merge", "../first/reports", "reports", "--output", "out"]) == 2
    assert "disagree about lint: they differ in their status (fail and pass)" in capsys.readouterr().err
