"""``pipeline verify``: what it prints, its exit codes, and that it needs no more than the report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.core.verification import UNSIGNED
from pipeline.stages import registry
from tests.finished_reports import GREEN, MIXED, finished
from tests.projects import SampleStage, doubtful


@pytest.fixture(name="green")
def green_fixture(tmp_path: Path) -> Path:
    """The reports folder of a run that passed."""
    return finished(tmp_path / "project", GREEN)


@pytest.fixture(autouse=True)
def no_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run changes what SIGTERM does; a test must not."""
    monkeypatch.setattr("pipeline.interrupts.as_keyboard_interrupt", lambda: None)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed."""
    return capsys.readouterr().out


def change(path: Path, **values: Any) -> None:
    """Another value in a document, written as the pipeline writes it."""
    document = {**json.loads(path.read_text(encoding="utf-8")), **values}
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def test_a_pass_that_is_confirmed_exits_0_and_says_what_it_is_worth(
    green: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run_command(["verify", str(green)]) == 0
    lines = said(capsys).splitlines()
    assert lines[-2:] == [UNSIGNED, "The report is consistent, and its verdict is pass."]
    assert any(line.startswith("confirmed") for line in lines)
    assert any(line.startswith("not confirmed") for line in lines)


def test_a_report_travels_without_its_checkout(
    green: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path / "a reviewer"
    shutil.copytree(green, elsewhere / "reports")
    shutil.rmtree(green.parent)
    monkeypatch.chdir(elsewhere)
    assert cli.run_command(["verify", "reports"]) == 0
    assert "checkout:" not in said(capsys)


def test_a_fail_that_is_confirmed_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["verify", str(finished(tmp_path / "project", MIXED))]) == 1
    assert "The report is consistent, and its verdict is fail." in said(capsys)


def test_what_is_neither_exits_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reports = finished(tmp_path / "project", (*GREEN, SampleStage("half", doubtful)))
    assert cli.run_command(["verify", str(reports)]) == 3
    assert "its verdict is inconclusive" in said(capsys)


def test_a_contradiction_exits_1_and_stands_last(green: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (green / "summary.md").write_text("# All is well\n", encoding="utf-8")
    assert cli.run_command(["verify", str(green)]) == 1
    lines = said(capsys).splitlines()
    assert lines[-3].startswith("contradicted   report: summary.md is not what the stages' results amount to")
    assert lines[-1] == "The report is not to be believed: 1 contradiction found."


@pytest.mark.parametrize("folder", ["none", "empty"])
def test_no_report_exits_2(folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert cli.run_command(["verify", str(tmp_path / folder)]) == 2
    assert capsys.readouterr().err.startswith("pipeline: There is no ")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"null", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"schema": "pipeline.report/v2"}',
        b'{"schema": "pipeline.report/v1", "stages": 5, "run": ""}', b"9" * 5000, b'{"schema": NaN}',
    ],
)  # fmt: skip
def test_a_damaged_report_is_a_sentence(content: bytes, green: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (green / "pipeline.json").write_bytes(content)
    assert cli.run_command(["verify", str(green)]) == 1
    assert "pipeline.json is" in said(capsys)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b"[" * 100_000, b"\xff", b'{"schema": "pipeline.stage/v1"}', b'{"schema": []}']
)
def test_a_damaged_result_is_a_sentence(content: bytes, green: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (green / "stages/own/result.json").write_bytes(content)
    assert cli.run_command(["verify", str(green)]) == 1
    assert "stages/own/result.json is damaged" in said(capsys)


def test_a_report_leads_to_no_file_outside_of_it(green: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (green.parent / "outside").mkdir()
    shutil.move(green / "stages/own/result.json", green.parent / "outside/result.json")
    document = json.loads((green / "pipeline.json").read_text(encoding="utf-8"))
    for stage in document["stages"]:
        stage["name"] = stage["name"].replace("own", "../../outside")
    change(green / "pipeline.json", stages=document["stages"])
    assert cli.run_command(["verify", str(green)]) == 1
    assert "stages/../../outside/result.json is missing." in said(capsys)


def test_nothing_in_a_report_steers_a_terminal_or_a_ci_system(green: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (green / "stages/own/raw/\x1b[2J\n::error::planted").write_text("", encoding="utf-8")
    change(green / "pipeline.json", verdict="\x1b]0;x\x07\r\n::set-output name=a::b")
    assert cli.run_command(["verify", str(green)]) == 1
    shown = said(capsys)
    assert not {"\x1b", "\x07", "\r"} & set(shown)
    assert not [line for line in shown.splitlines() if line.startswith("::")]


@pytest.mark.parametrize("started", ["yesterday", "", "9999-99-99", "\ud800"])
def test_a_time_that_is_none_is_a_contradiction(started: str, green: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(green / "pipeline.json", started=started)
    assert cli.run_command(["verify", str(green)]) == 1
    assert "contradicted" in said(capsys)


@pytest.mark.parametrize("value", [float("inf"), {"a": [float("nan")]}])
def test_a_policy_that_no_run_writes_is_a_contradiction(
    value: Any, green: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = json.loads((green / "pipeline.json").read_text(encoding="utf-8"))["policy"]
    change(green / "pipeline.json", policy={**policy, "effective": {**policy["effective"], "x.y": value}})
    assert cli.run_command(["verify", str(green)]) == 1
    assert "The policy is no JSON that a run could have written" in said(capsys)


def test_what_lies_beside_a_report_is_named(green: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (green / "live").mkdir()
    (green / "README.md").write_text("About this folder.\n", encoding="utf-8")
    assert cli.run_command(["verify", str(green)]) == 0
    shown = said(capsys)
    assert "README.md was passed over" in shown and "live was passed over" in shown


def test_json_says_the_same(green: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["verify", str(green), "--json"]) == 0
    document = json.loads(said(capsys))
    assert (document["verdict"], document["exit_code"], document["limits"]) == ("pass", 0, UNSIGNED)
    assert {frozenset(item) for item in document["statements"]} == {frozenset({"about", "answer", "text"})}


def test_in_a_checkout_its_own_report_is_held_against_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stages = (SampleStage("build"),)
    monkeypatch.setattr(registry, "pipeline_stages", lambda required, extra=(): stages)
    # A build without raw outputs is none, so this is about the checkout alone.
    project = finished(tmp_path / "project", stages).parent
    monkeypatch.chdir(project)
    cli.run_command(["verify"])
    shown = said(capsys)
    assert "checkout: This checkout has the content that the report is about" in shown
    assert "checkout: The policy here is the one that the report is about" in shown
    (project / "service/app.py").write_text("changed = 1\n", encoding="utf-8")
    file = project / "pyproject.toml"
    file.write_text(file.read_text(encoding="utf-8") + "[tool.pipeline.lint]\nmax_complexity = 3\n", encoding="utf-8")
    cli.run_command(["verify"])
    shown = said(capsys)
    assert "checkout: This checkout has other content than the report is about" in shown
    assert "checkout: The policy here is not the one that the report is about" in shown
