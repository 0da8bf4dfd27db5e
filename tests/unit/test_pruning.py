"""``pipeline clean``: what is beyond the newest few goes, and nothing that anybody uses, or that is somebody else's."""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import pruning
from pipeline.cli import run_command
from pipeline.core.containers import Image
from pipeline.core.evidence import Evidence
from pipeline.core.stage import StageResult, Status
from pipeline.errors import ConfigurationError, EngineTrouble
from pipeline.execution.environments import MARKER
from pipeline.execution.image_names import ImageNames
from pipeline.execution.run_lock import RunLock
from pipeline.testing import FakeEngine
from pipeline.workplace import Workplace
from tests.projects import make_project

EVIDENCE = Evidence.of("things", expected=("a",), checked=("a",))
PUSH = '[tool.pipeline.push]\nregistry = "registry.example"\nrepository = "team/echo"\n'


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project", PUSH)


@pytest.fixture(name="engine")
def engine_fixture(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    engine = FakeEngine(leftovers=("echo-smoke",))
    monkeypatch.setattr("pipeline.opened.Opened.engine", lambda _: engine)
    return engine


def place_of(project: Path) -> Workplace:
    return Workplace(project, {}, "run-1")


def image(identity: str) -> Image:
    return Image(id=identity, size_bytes=1, layers=(), user="", labels={}, architecture="amd64", configuration={})


def built(name: str, status: Status = Status.PASS) -> StageResult:
    return StageResult(name="build", status=status, reasons=("So.",), evidence=EVIDENCE, metrics={"tag": name})


def environment(project: Path, title: str, number: int, hours: float) -> Path:
    """An environment that was used so long ago."""
    path = project / ".pipeline" / "environments" / f"{title}-{number:012x}"
    path.mkdir(parents=True)
    (path / MARKER).touch()
    then = time.time() - hours * 3600
    os.utime(path / MARKER, (then, then))
    return path


def test_of_each_environment_those_that_were_used_last_stay(
    project: Path, engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    lint = [environment(project, "lint", number, hours) for number, hours in enumerate((50, 2, 100, 3))]
    test = environment(project, "test", 1, 1000)
    foreign = project / ".pipeline" / "environments" / "not-ours"
    foreign.mkdir()
    assert pruning.clean(place_of(project), 2) == 0
    assert [path.exists() for path in lint] == [False, True, False, True]
    assert test.exists() and foreign.exists() and engine.leftovers
    out = capsys.readouterr().out
    assert f"removed the environment {lint[0].name}\n" in out and "removed echo-smoke\n1 left-overs removed\n" in out


def test_images_of_long_ago_that_have_no_name_are_told(
    project: Path, engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pruning.clean(place_of(project), 2) == 0
    assert "no name" not in capsys.readouterr().out
    engine.nameless = 3
    assert pruning.clean(place_of(project), 2) == 0
    assert "removed 3 images of long ago that have no name\n" in capsys.readouterr().out
    assert ("remove nameless", f"pipeline.base, {14 * 24 * 3600} s") in engine.asked


@pytest.mark.usefixtures("engine")
def test_an_environment_that_is_being_made_or_was_used_lately_stays(project: Path) -> None:
    making = environment(project, "lint", 1, 100)
    lately = environment(project, "lint", 2, 0.5)
    newest = environment(project, "lint", 3, 0.1)
    with (making.parent / f".{making.name}.lock").open("w", encoding="ascii") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        pruning.clean(place_of(project), 1)
        assert making.exists() and lately.exists() and newest.exists()
    pruning.clean(place_of(project), 1)
    assert not making.exists() and lately.exists()


@pytest.mark.usefixtures("engine")
def test_while_a_run_is_at_work_nothing_is_removed(project: Path) -> None:
    old = [environment(project, "lint", number, 100) for number in range(3)]
    other = RunLock(project / ".pipeline" / "state" / "run.lock", "another")
    other.acquire()
    try:
        with pytest.raises(ConfigurationError, match="Another run is at work"):
            pruning.clean(place_of(project), 1)
    finally:
        other.release()
    assert all(path.exists() for path in old)


def test_old_names_of_images_go_with_those_of_their_pulls_and_others_stay(project: Path, engine: FakeEngine) -> None:
    place = place_of(project)
    for number in range(4):
        held = image(f"sha256:{number}")
        engine.images |= {f"echo:{number}": held, f"127.0.0.1:5000/echo@sha256:{number}": held}
        engine.images[f"registry.example/team/echo@sha256:{number}"] = held
        pruning.remember(place, built(f"echo:{number}"))
    # Somebody else has named the second one too, and may pull by its digest.
    engine.images |= {"theirs:1": engine.images["echo:1"], "echo:of-another-checkout": image("sha256:9")}
    pruning.remember(place, built("echo:0"))
    assert pruning.names_of(place).read() == ("echo:1", "echo:2", "echo:3", "echo:0")
    pruning.clean(place, 2)
    assert sorted(engine.images) == [
        "127.0.0.1:5000/echo@sha256:0", "127.0.0.1:5000/echo@sha256:1", "127.0.0.1:5000/echo@sha256:3",
        "echo:0", "echo:3", "echo:of-another-checkout",
        "registry.example/team/echo@sha256:0", "registry.example/team/echo@sha256:1",
        "registry.example/team/echo@sha256:3", "theirs:1",
    ]  # fmt: skip
    assert pruning.names_of(place).read() == ("echo:3", "echo:0")


def test_a_build_keeps_the_names_bounded_by_itself(project: Path, engine: FakeEngine) -> None:
    place = place_of(project)
    for number in range(pruning.MOST_NAMES + 5):
        engine.images[f"echo:{number}"] = image(f"sha256:{number}")
        pruning.remember(place, built(f"echo:{number}"))
    assert len(engine.images) == pruning.MOST_NAMES == len(pruning.names_of(place).read())
    assert f"echo:{pruning.MOST_NAMES + 4}" in engine.images


def test_only_builds_that_passed_are_remembered_and_no_trouble_ends_a_run(
    project: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_of(project)
    pruning.remember(place, built("echo:1", Status.FAIL))
    pruning.remember(place, replace(built("echo:2"), name="lint"))
    assert pruning.names_of(place).read() == () and not engine.asked
    for number in range(pruning.MOST_NAMES):
        pruning.remember(place, built(f"echo:{number}"))

    def gone(_: object) -> FakeEngine:
        raise EngineTrouble("No container engine answers.")

    monkeypatch.setattr("pipeline.opened.Opened.engine", gone)
    pruning.remember(place, built("echo:last"))
    assert len(pruning.names_of(place).read()) == pruning.MOST_NAMES + 1


def test_a_damaged_list_of_names_is_none(tmp_path: Path) -> None:
    names = ImageNames(tmp_path / "images.json")
    for text in ("{", "1", '{"a": 1}'):
        (tmp_path / "images.json").write_text(text, encoding="utf-8")
        assert names.read() == ()
    names.add("one")
    names.forget("two")
    assert names.read() == ("one",)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("words", "code"), [([], 0), (["--keep", "1"], 0), (["--keep", "0"], 2), (["--keep", "x"], 2)])
def test_at_least_one_of_each_is_kept(
    project: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int
) -> None:
    monkeypatch.chdir(project)
    assert run_command(["clean", *words]) == code


@pytest.mark.usefixtures("engine")
def test_compressed_layers_of_long_ago_go(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blobs = project / ".pipeline" / "cache" / "blobs"
    blobs.mkdir(parents=True)
    for name, days in (("old", 15), ("new", 13)):
        (blobs / name).write_bytes(b"x" * 1_000_000)
        then = time.time() - days * 24 * 3600
        os.utime(blobs / name, (then, then))
    pruning.clean(place_of(project), 1)
    assert [path.name for path in blobs.iterdir()] == ["new"]
    assert "removed 1 compressed layers of long ago, 1.0 MB" in capsys.readouterr().out


@pytest.mark.usefixtures("engine")
def test_a_storage_that_is_being_served_is_left_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = project / ".pipeline" / "state" / "rehearsal" / "child-1.json"
    record.parent.mkdir(parents=True)
    record.write_text("{", encoding="utf-8")
    pruning.clean(place_of(project), 1)
    assert "is being served, so its storage was left" in capsys.readouterr().out
