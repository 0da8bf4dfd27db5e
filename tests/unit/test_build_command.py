"""``build --verify``: two builds in surroundings that have little in common, and what is said of their outcomes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import build_command, cli
from pipeline.core.ports import Outcome, Request
from pipeline.core.stage import not_run
from pipeline.errors import CouldNotTell, TargetFault
from pipeline.rebuilding import ARCHIVE, OUTCOME, read_order
from pipeline.testing import FakeEngine, ScriptedRunner, outcome
from pipeline.workplace import Workplace
from tests.docker_archives import archive, layer
from tests.projects import make_project
from tests.unit.stages.build_kit import BASES, ID, SOUND, TREE, FakeBases

PROJECT = {**TREE, "service/requirements.txt": ""}
Child = Callable[[Request], Outcome]


def child(identity: str = ID, content: bytes = b"x") -> Child:
    """A process that has built an image of one file."""

    def run(request: Request) -> Outcome:
        order = read_order(Path(request.argv[-1]).read_text(encoding="utf-8"))
        folder = Path(order.surroundings.folder)
        told = {"image_id": identity, "manifest_digest": f"of {identity}", "bases": [], "said": {"user": "me"}}
        (folder / OUTCOME).write_text(json.dumps(told), encoding="utf-8")
        (folder / ARCHIVE).write_bytes(archive([layer(("a", content, 0o644))]))
        return outcome(0)

    return run


class Trial:
    """A project whose image can be built twice by processes that are made up."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place = Workplace(make_project(root, files=PROJECT), {}, "run")
        self.bases = FakeBases()
        ports = replace(self.place.ports, engine=lambda: FakeEngine(built=ID, images={ID: SOUND}), bases=self.bases)
        monkeypatch.setitem(self.place.__dict__, "ports", ports)
        self.lines: list[str] = []
        monkeypatch.setattr(self.place.console, "line", self.lines.append)

    def run(self, *children: Child | Outcome) -> tuple[int, list[Request]]:
        """The exit code, and what was started."""
        runner: Any = ScriptedRunner(children)
        self.place.processes = runner
        return build_command.verify(self.place), runner.requests


@pytest.fixture(name="trial")
def _trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    return Trial(tmp_path / "project", monkeypatch)


def test_the_same_image_twice_is_said_with_both_surroundings(trial: Trial) -> None:
    code, requests = trial.run(child(), child())
    assert code == 0
    assert trial.lines[-1] == "The same image and the same manifest each time."
    assert f"build 1: image {ID}" in trial.lines
    first, second = requests
    assert first.cwd != second.cwd
    for name in ("TZ", "LC_ALL", "PYTHONHASHSEED"):
        assert first.env[name] != second.env[name]
    assert not first.cwd.exists()
    assert not second.cwd.parent.exists()


def test_two_images_are_told_apart_file_by_file(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_command, "differences", lambda *_: tuple(map(str, range(45))))
    code, _ = trial.run(child(), child("sha256:other"))
    assert code == 1
    assert trial.lines[-1] == "The image is NOT reproducible."
    assert "… and 5 further differences." in trial.lines


def test_equal_images_with_other_manifests_are_the_compressors(trial: Trial) -> None:
    code, _ = trial.run(child(), child("sha256:other"))
    assert code == 1
    assert "The images are equal, and their manifests are not: the compressors differ." in trial.lines


def test_what_the_last_run_has_built_of_the_same_content_counts_too(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = trial.place.checkout.snapshot().digest
    metrics = {"image_id": "sha256:before", "manifest_digest": "of before"}
    last = replace(not_run("build", "A sample."), snapshot=snapshot, metrics=metrics)
    monkeypatch.setattr(trial.place.store, "previous", lambda _: last)
    assert trial.run(child(), child())[0] == 1
    assert any(line.startswith("The last run has built another image") for line in trial.lines)
    monkeypatch.setattr(trial.place.store, "previous", lambda _: replace(last, snapshot="other"))
    assert trial.run(child(), child())[0] == 0


@pytest.mark.parametrize(("code", "error"), [(1, TargetFault), (3, CouldNotTell), (-9, CouldNotTell)])
def test_a_build_that_fails_is_no_comparison(trial: Trial, code: int, error: type[Exception]) -> None:
    with pytest.raises(error, match="nothing was compared"):
        trial.run(outcome(code, stderr="boom"))


def test_bases_that_are_not_as_locked_can_not_be_made_again(trial: Trial) -> None:
    trial.bases.bases = replace(BASES, replaced=("libc6: 1 -> 2",))
    with pytest.raises(CouldNotTell, match="libc6: 1 -> 2"):
        trial.run()


def test_the_report_of_the_last_run_stays_as_it_is(trial: Trial) -> None:
    trial.run(child(), child())
    assert not (trial.place.store.reports / "stages" / "build").exists()


def test_the_command_is_build_and_without_verify_it_runs_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def answer(code: int, about: Any) -> int:
        asked.append(about)
        return code

    monkeypatch.setattr(cli, "_run", lambda options: answer(0, options.stages))
    monkeypatch.setattr(cli, "_place", lambda: "place")
    monkeypatch.setattr(build_command, "verify", lambda place: answer(1, place))
    assert (cli.run_command(["build"]), cli.run_command(["build", "--verify"])) == (0, 1)
    assert asked == [["build"], "place"]
