"""``pipeline report``: every format again, byte for byte, and a clear sentence for what is no report."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.reporters import FORMATS, json_report
from pipeline.run import Run
from pipeline.workplace import Workplace
from tests.finished_reports import MIXED, finished
from tests.parted import contents
from tests.projects import SampleStage, make_project


@pytest.fixture(name="mixed", scope="module")
def mixed_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of a run with stages of every status; no test may change them."""
    return finished(tmp_path_factory.mktemp("mixed") / "project", MIXED)


@pytest.fixture(name="alone")
def alone_fixture(mixed: Path, tmp_path: Path) -> Path:
    """A folder with the merged report and the history, and nothing else."""
    folder = tmp_path / "alone"
    folder.mkdir()
    for name in ("pipeline.json", "history.jsonl"):
        shutil.copy(mixed / name, folder)
    return folder


def formats_of(reports: Path) -> dict[str, bytes]:
    """Every file of a report that is made from its results."""
    return {p: c for p, c in contents(reports).items() if not p.startswith("stages/") and p != "history.jsonl"}


def test_every_format_is_what_the_run_wrote(mixed: Path, alone: Path) -> None:
    assert cli.run_command(["report", str(alone)]) == 0
    assert formats_of(alone) == formats_of(mixed)


def test_another_folder_gets_the_merged_report_too(mixed: Path, alone: Path, tmp_path: Path) -> None:
    assert cli.run_command(["report", str(alone), "--output", str(tmp_path / "out")]) == 0
    assert contents(tmp_path / "out") == formats_of(mixed)
    assert set(contents(alone)) == {"pipeline.json", "history.jsonl"}


@pytest.mark.parametrize(
    ("words", "files"),
    [
        (["--format", "summary"], {"summary.md"}),
        (["--format", "summary.md"], {"summary.md"}),
        (["--format", "summary,metrics"], {"summary.md", "metrics.prom"}),
        (["--format", "summary", "--format", "json"], {"summary.md", "pipeline.json"}),
    ],
)
def test_a_format_is_chosen_by_its_name_or_its_file(
    alone: Path, tmp_path: Path, words: list[str], files: set[str]
) -> None:
    assert cli.run_command(["report", str(alone), *words, "--output", str(tmp_path / "out")]) == 0
    assert set(contents(tmp_path / "out")) == files


def test_what_an_earlier_report_left_is_removed_and_the_rest_stays(alone: Path) -> None:
    (alone / "openvex.json").write_text("of another run", encoding="utf-8")
    (alone / "summary.md").write_text("of another run", encoding="utf-8")
    cli.run_command(["report", str(alone), "--format", "openvex"])
    assert not (alone / "openvex.json").exists()
    assert (alone / "summary.md").read_text(encoding="utf-8") == "of another run"


def test_without_a_folder_it_is_this_checkout_s_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_project(tmp_path / "project", 'required = ["lint"]')
    monkeypatch.chdir(project)
    assert cli.run_command(["report"]) == 2
    assert "There is no report in" in capsys.readouterr().err
    run = Run(Workplace(project, os.environ, "run-1"), (SampleStage("lint"),), "run-1")
    run.begin(["lint"])
    assert cli.run_command(["report"]) == 2
    assert "Another run is at work" in capsys.readouterr().err
    run.stage("lint")
    run.close()
    before = contents(project / "reports")
    (project / "reports/summary.md").unlink()
    assert cli.run_command(["report"]) == 0
    assert contents(project / "reports") == before


def test_the_formats_are_listed_with_their_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["report", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(FORMATS)
    assert "summary.md" in " ".join(lines)


def test_a_format_that_there_is_not_is_told_with_the_nearest(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["report", str(alone), "--format", "sumary"]) == 2
    assert "There is no format 'sumary' (did you mean 'summary'?)." in capsys.readouterr().err


def missing(path: Path) -> None:
    """No merged report."""
    path.unlink()


def no_folder(path: Path) -> None:
    """Not even a folder."""
    shutil.rmtree(path.parent)


def later(path: Path) -> None:
    """A report of a release that is still to come."""
    path.write_text(path.read_text("utf-8").replace("pipeline.report/v1", "pipeline.report/v2"), encoding="utf-8")


def other_json(path: Path) -> None:
    """JSON of somebody else's."""
    path.write_text('{"schema": "cyclonedx"}', encoding="utf-8")


def half(path: Path) -> None:
    """Half of it."""
    path.write_text(path.read_text(encoding="utf-8")[:1000], encoding="utf-8")


def changed(path: Path) -> None:
    """One word more."""
    path.write_text(path.read_text(encoding="utf-8").replace('"fail"', '"pass"', 1), encoding="utf-8")


def no_day(path: Path) -> None:
    """Whole, but it began on no day."""
    document = json.loads(path.read_text(encoding="utf-8"))
    text = json.dumps({**document, "started": "soon", "checksum": ""}, indent=2) + "\n"
    seal = f'"checksum": "{json_report.digest(text)}"'
    path.write_text(text.replace('"checksum": ""', seal), encoding="utf-8")


def no_text(path: Path) -> None:
    """Bytes."""
    path.write_bytes(b"\xff\xfe{}")


def deep(path: Path) -> None:
    """Deeper than any reader goes."""
    path.write_text("[" * 100_000, encoding="utf-8")


def a_list(path: Path) -> None:
    """JSON, and not an object."""
    path.write_text("[1]", encoding="utf-8")


def a_link(path: Path) -> None:
    """Somebody else's file."""
    path.rename(path.with_name("real.json"))
    path.symlink_to(path.with_name("real.json"))


def a_pipe(path: Path) -> None:
    """Something that has no end."""
    path.unlink()
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    """No file at all."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (missing, 2, "it has no pipeline.json"),
        (no_folder, 2, "it has no pipeline.json"),
        (later, 2, "its schema is 'pipeline.report/v2' and not 'pipeline.report/v1'. Use the release"),
        (other_json, 2, "its schema is 'cyclonedx'"),
        (half, 3, "is no report or is damaged"),
        (changed, 3, "it was changed: its checksum"),
        (no_day, 3, "can't be made of: "),
        (no_text, 3, "byte 0 is not UTF-8"),
        (deep, 3, "is no report or is damaged"),
        (a_list, 3, "is no report or is damaged"),
        (a_link, 3, "can't be read"),
        (a_pipe, 3, "is no ordinary file"),
        (a_folder, 3, "can't be read"),
    ],
)
def test_what_is_no_report_is_told_in_a_sentence(
    alone: Path, capsys: pytest.CaptureFixture[str], fault: Callable[[Path], None], code: int, words: str
) -> None:
    fault(alone / "pipeline.json")
    assert cli.run_command(["report", str(alone)]) == code
    said = capsys.readouterr().err
    assert words in said
    assert "defect" not in said


def test_a_history_that_is_damaged_is_told_and_takes_nothing_else_along(
    alone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = json.loads((alone / "history.jsonl").read_text(encoding="utf-8"))
    earlier = json.dumps({**line, "run": "run-0", "started": "2020-01-01T00:00:00.000Z"})
    (alone / "history.jsonl").write_text(f"{earlier}\n{{half\n", encoding="utf-8")
    assert cli.run_command(["report", str(alone)]) == 0
    assert "Line 2 of history.jsonl is damaged" in capsys.readouterr().err
