"""The Nox integration: sessions made from stages, and how a stage's outcome becomes a session's."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nox import registry as nox_registry

from pipeline import nox_sessions
from pipeline.errors import EngineTrouble
from pipeline.run import Run
from tests.projects import SampleStage, green, make_project, red


class SessionEnded(Exception):
    """What ``session.error`` does to a session."""


class FakeSession:
    """As much of a Nox session as the integration uses; the real one runs in the integration tests."""

    def __init__(self, name: str, selected: tuple[str, ...], asked: tuple[str, ...] | None = None) -> None:
        self.name = name
        self.posargs: list[str] = []
        runners = [(SimpleNamespace(name=one), True) for one in selected]
        manifest = SimpleNamespace(list_all_sessions=lambda: runners)
        config = SimpleNamespace(sessions=list(asked) if asked else None, parallel_worker=False)
        self._runner = SimpleNamespace(manifest=manifest, global_config=config)

    def error(self, text: str) -> None:
        """End the session."""
        raise SessionEnded(text)


def close_runs(closers: Iterable[Callable[[], None]]) -> None:
    """What a process does at its end for its runs; the standard library registers functions of its own there."""
    for close in closers:
        if isinstance(getattr(close, "__self__", None), Run):
            close()


@pytest.fixture(name="stages")
def stages_fixture(monkeypatch: pytest.MonkeyPatch) -> dict[str, SampleStage]:
    """Three samples in place of the nine."""
    stages = {
        "lint": SampleStage("lint", tags=("quality",)),
        "build": SampleStage("build", needs=("lint",)),
        "canary": SampleStage("canary", needs=("build",)),
    }
    monkeypatch.setattr(nox_sessions, "pipeline_stages", lambda required, extra: (*stages.values(), *extra))
    return stages


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout in which this process is a Nox of its own; what would happen at its exit happens after the test."""
    project = make_project(tmp_path / "project", 'required = ["lint", "build"]')
    monkeypatch.chdir(project)
    monkeypatch.setenv(nox_sessions.RUN_VARIABLE, "run-1")
    monkeypatch.setattr(nox_sessions, "as_keyboard_interrupt", lambda: None)
    # Here and not in processes of their own, so that a test can look at what the stages were given.
    monkeypatch.setattr("pipeline.scheduling.one_stage", lambda run, place, name, **how: run.stage(name, **how))
    monkeypatch.setattr("sys.argv", ["nox"])
    closers: list[Callable[[], None]] = []
    monkeypatch.setattr("atexit.register", closers.append)
    before = nox_registry.get()
    nox_registry.reset()
    yield project
    close_runs(closers)
    nox_registry.reset()
    for name, function in before.items():
        nox_registry._REGISTRY[name] = function  # pylint: disable=protected-access  # Nox has no public way to put it back


def sessions() -> dict[str, Any]:
    """What Nox was told."""
    return dict(nox_registry.get())


def status(project: Path, stage: str) -> str:
    document = json.loads((project / f"reports/stages/{stage}/result.json").read_text(encoding="utf-8"))
    return str(document["status"])


@pytest.mark.usefixtures("project")
def test_each_stage_is_a_session_in_order_with_its_tags_needs_and_help(stages: dict[str, SampleStage]) -> None:
    nox_sessions.register()
    made = sessions()
    assert list(made) == list(stages)
    assert made["build"].requires == ["lint"]
    assert made["lint"].tags == ["quality"]
    assert made["lint"].__doc__ == "A sample."
    assert made["lint"].venv_backend == "none"


@pytest.mark.usefixtures("stages")
def test_a_stage_of_the_noxfile_s_own_is_a_session_too(project: Path) -> None:
    own = SampleStage("own")
    nox_sessions.register(extra=[own])
    sessions()["own"](FakeSession("own", ("own",)))
    assert status(project, "own") == "pass"


@pytest.mark.usefixtures("project", "stages")
def test_the_session_that_runs_is_planned_too_though_nox_has_taken_it_from_those_to_come() -> None:
    asked: list[str] = []
    own = SampleStage("own", refuse=lambda settings, snapshot: asked.append("own"))
    nox_sessions.register(extra=[own])
    sessions()["own"](FakeSession("own", ("lint",)))
    assert asked == ["own"]


@pytest.mark.usefixtures("stages")
def test_a_green_stage_lets_its_session_succeed(project: Path) -> None:
    nox_sessions.register()
    sessions()["lint"](FakeSession("lint", ("lint", "build")))
    assert status(project, "lint") == "pass"
    assert status(project, "build") == "not-run"


def test_any_other_status_fails_the_session(project: Path, stages: dict[str, SampleStage]) -> None:
    stages["lint"] = SampleStage("lint", red)
    nox_sessions.register()
    with pytest.raises(SessionEnded, match="lint is fail"):
        sessions()["lint"](FakeSession("lint", ("lint",)))
    assert status(project, "lint") == "fail"


@pytest.mark.usefixtures("project")
def test_a_need_is_reused_and_what_was_asked_for_is_not(
    stages: dict[str, SampleStage], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        monkeypatch.setenv(nox_sessions.RUN_VARIABLE, f"run-{number}")
        nox_registry.reset()
        nox_sessions.register()
        closers: list[Callable[[], None]] = []
        monkeypatch.setattr("atexit.register", closers.append)
        for name in ("lint", "build"):
            sessions()[name](FakeSession(name, ("lint", "build"), asked=("build",)))
        close_runs(closers)
    assert len(stages["lint"].calls) == 1
    assert len(stages["build"].calls) == 2


def test_an_interrupt_is_told_and_passed_on(project: Path, stages: dict[str, SampleStage]) -> None:
    def interrupted(context: object) -> Any:
        raise KeyboardInterrupt

    stages["lint"] = SampleStage("lint", interrupted)
    nox_sessions.register()
    with pytest.raises(KeyboardInterrupt):
        sessions()["lint"](FakeSession("lint", ("lint", "build")))
    text = (project / "reports/stages/build/result.json").read_text(encoding="utf-8")
    assert "interrupted" in text


def test_trouble_in_a_stage_is_the_session_s_error(project: Path, stages: dict[str, SampleStage]) -> None:
    def trouble(context: object) -> Any:
        raise EngineTrouble("No engine.")

    stages["lint"] = SampleStage("lint", trouble)
    nox_sessions.register()
    with pytest.raises(SessionEnded, match="lint is inconclusive"):
        sessions()["lint"](FakeSession("lint", ("lint",)))
    assert status(project, "lint") == "inconclusive"


@pytest.mark.usefixtures("stages")
def test_settings_that_can_t_be_used_end_nox_with_2_and_a_sentence(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "pyproject.toml").write_text("[tool.pipeline]\nrequierd = []\n", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        nox_sessions.register()
    assert ended.value.code == 2
    assert "did you mean 'required'?" in capsys.readouterr().err


def test_a_checkout_that_can_t_be_used_ends_nox_with_2(project: Path, stages: dict[str, SampleStage]) -> None:
    os.rename(project / ".git", project / "not-git")
    nox_sessions.register()
    with pytest.raises(SystemExit) as ended:
        sessions()["lint"](FakeSession("lint", ("lint",)))
    assert ended.value.code == 2
    assert not stages["lint"].calls


def test_a_loosened_policy_fails_the_last_session_and_stops_none_before_it(
    project: Path, stages: dict[str, SampleStage], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (project / "pyproject.toml").read_text(encoding="utf-8")
    (project / "pyproject.toml").write_text(text.replace('"lint", "build"', '"lint"'), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["nox", "-s", "lint", "build", "--", "--against", "HEAD", "--mood", "good"])
    nox_sessions.register()
    for name, ended in (("lint", False), ("build", True)):
        session = FakeSession(name, ("lint", "build"), asked=("lint", "build"))
        session.posargs = ["--against", "HEAD", "--mood", "good"]
        if ended:
            with pytest.raises(SessionEnded, match="build is pass, but policy is fail"):
                sessions()[name](session)
        else:
            sessions()[name](session)
    assert status(project, "policy") == "fail"
    assert stages["lint"].calls[0].arguments == ("--mood", "good")


@pytest.mark.usefixtures("project", "stages")
@pytest.mark.parametrize(
    ("arguments", "coloured"),
    [
        (["--forcecolor"], True),
        (["--force-color", "--no-color"], False),
        (["--nocolor"], False),
        (["--", "--forcecolor"], False),
    ],
)
def test_nox_s_own_options_for_colours_are_ours_too(
    arguments: list[str], coloured: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["nox", *arguments])
    nox_sessions.register()
    sessions()["lint"](FakeSession("lint", ("lint",)))
    assert ("\x1b[1;32mpass" in capsys.readouterr().err) is coloured


def test_a_live_deployment_needs_nothing_and_has_a_report_of_its_own(
    project: Path, stages: dict[str, SampleStage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["nox", "-s", "canary", "--", "--url", "http://127.0.0.1:1"])
    stages["canary"] = SampleStage("canary", green, needs=("build",))
    nox_sessions.register()
    assert not sessions()["canary"].requires
    session = FakeSession("canary", ("canary",), asked=("canary",))
    session.posargs = ["--url", "http://127.0.0.1:1"]
    sessions()["canary"](session)
    document = json.loads((project / "reports/live/pipeline.json").read_text(encoding="utf-8"))
    assert [stage["name"] for stage in document["stages"]] == ["canary"]
    assert document["verdict"] == "pass"
    assert not (project / "reports/pipeline.json").exists()
