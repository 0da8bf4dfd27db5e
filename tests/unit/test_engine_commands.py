"""``pipeline engine``: what each action says and exits with; the engine itself is started in the container tests."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import engine_commands
from pipeline.workplace import Workplace
from tests.projects import make_project

PROVISIONER = SimpleNamespace(stop=lambda: "The engine was stopped.", status=lambda: "No engine of ours is running.")


@pytest.fixture(name="place")
def place_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setattr(engine_commands, "standard_provisioner", lambda *_: PROVISIONER)
    return Workplace(make_project(tmp_path / "project"), {}, "run-1")


def found(monkeypatch: pytest.MonkeyPatch, endpoint: Any) -> None:
    search = SimpleNamespace(found=endpoint, tried=("unix:///usual",))
    monkeypatch.setattr(engine_commands, "find_endpoint", lambda *_: search)


def test_stop_says_what_was_done(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    assert engine_commands.carry_out("stop", place) == 0
    assert capsys.readouterr().out == "The engine was stopped.\n"


def test_status_names_the_engine_that_a_run_would_use(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found(monkeypatch, SimpleNamespace(address="unix:///usual"))
    assert engine_commands.carry_out("status", place) == 0
    assert "A run uses the engine at unix:///usual." in capsys.readouterr().out


def test_status_without_an_engine_exits_3_and_says_where_it_looked(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found(monkeypatch, None)
    assert engine_commands.carry_out("status", place) == 3
    assert "No engine answers. Tried: unix:///usual." in capsys.readouterr().out


def test_start_opens_the_engine_and_gives_its_sockets_back(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed: list[bool] = []
    engine = SimpleNamespace(name="docker", version="20.10", close=lambda: closed.append(True))
    monkeypatch.setattr("pipeline.opened.Opened.engine", lambda _: engine)
    assert engine_commands.carry_out("start", place) == 0
    assert capsys.readouterr().out == "docker 20.10 answers.\n"
    assert closed == [True]
