"""Requests to stop while stages are at work: all is stopped, and the report says of each stage where it was."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import scheduling
from pipeline.core.stage import Examination
from pipeline.run import Run
from pipeline.stages.context import Context
from tests.projects import SampleStage, green
from tests.scheduled import LONGEST_S, carry_out, handlers_put_back, reasons, requiring, statuses

NAMES = ("lint", "scan")


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path) -> Path:
    return requiring(tmp_path / "project", NAMES)


@pytest.fixture(autouse=True)
def handlers_fixture() -> Iterator[None]:
    with handlers_put_back():
        yield


def when_there(path: Path, *others: Path) -> threading.Thread:
    """Ctrl-C when the file is there, and again for each of the others; a thread that is to be joined."""

    def ask() -> None:
        for file in (path, *others):
            until = time.monotonic() + LONGEST_S
            while not file.exists() and time.monotonic() < until:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def test_an_interrupt_stops_all_and_is_told_by_each(project: Path, tmp_path: Path) -> None:
    def slow(context: Context) -> Examination:
        (tmp_path / "begun").touch()
        time.sleep(LONGEST_S)
        return green(context)

    thread = when_there(tmp_path / "begun")
    with pytest.raises(KeyboardInterrupt):
        carry_out(project, SampleStage("lint", slow), SampleStage("scan", needs=("lint",)))
    thread.join()
    assert statuses(project) == {"lint": "not-run", "scan": "not-run"}
    assert reasons(project, "lint") == "The run was interrupted before this stage had ended."
    assert reasons(project, "scan") == "The run was interrupted before this stage began."


def test_a_second_interrupt_does_not_wait_for_what_stops_politely(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def polite(context: Context) -> Examination:
        (tmp_path / "begun").touch()
        try:
            time.sleep(LONGEST_S)
        finally:
            # A container that takes its time to stop.
            (tmp_path / "stopping").touch()
            time.sleep(LONGEST_S)
            (tmp_path / "stopped").touch()
        return green(context)

    monkeypatch.setattr(scheduling, "GRACE_S", 2 * LONGEST_S)
    thread = when_there(tmp_path / "begun", tmp_path / "stopping")
    with pytest.raises(KeyboardInterrupt):
        carry_out(project, SampleStage("lint", polite), SampleStage("scan", needs=("lint",)))
    thread.join()
    assert not (tmp_path / "stopped").exists()
    assert statuses(project) == {"lint": "not-run", "scan": "not-run"}
    assert reasons(project, "lint") == "The run was interrupted before this stage had ended."


def test_an_interrupt_while_it_is_learned_what_to_hide_begins_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(run: Run) -> None:
        del run
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(LONGEST_S)

    monkeypatch.setattr(Run, "prepare", prepare)
    with pytest.raises(KeyboardInterrupt):
        carry_out(project, SampleStage("lint"))
    assert "interrupted" in reasons(project, "lint")
