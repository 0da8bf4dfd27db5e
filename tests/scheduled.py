"""A whole run of sample stages by the scheduler, each in a process of its own, and what its report says."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.interrupts import REQUESTS, noted
from pipeline.run import Run
from pipeline.scheduling import Scheduler
from pipeline.workplace import Workplace
from tests.projects import SampleStage, make_project

LONGEST_S = 60.0
"""What is waited for takes less on a busy machine, and what is to be cut off takes longer, in seconds."""


def requiring(folder: Path, names: tuple[str, ...]) -> Path:
    """A project whose required stages are these, and which has no sources."""
    return make_project(folder, f"required = {json.dumps(names)}\nsources = []\n")


@contextlib.contextmanager
def handlers_put_back() -> Iterator[None]:
    """Meanwhile every signal may be handled otherwise."""
    before = {number: signal.getsignal(number) for number in REQUESTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def carry_out(
    project: Path,
    *stages: SampleStage,
    jobs: int = 2,
    asked: tuple[str, ...] = (),
    run_id: str = "run-1",
    **settings: str,
) -> None:
    """A whole run of the stages; ``settings`` are variables without their prefix."""
    variables = {f"PIPELINE_RUN_{name.upper()}": value for name, value in settings.items()}
    place = Workplace(project, {**os.environ, **variables}, run_id)
    run = Run(place, stages, run_id)
    asked = asked or tuple(stage.name for stage in stages)
    planned = run.begin(asked)
    with noted() as requests:
        try:
            Scheduler(run, place, requests).carry_out(planned, asked, jobs)
        finally:
            run.close()


def found(project: Path) -> dict[str, Any]:
    """The stages of the report, by name."""
    document = json.loads((project / "reports/pipeline.json").read_text(encoding="utf-8"))
    return {stage["name"]: stage for stage in document["stages"]}


def statuses(project: Path) -> dict[str, str]:
    """Their statuses."""
    return {name: stage["status"] for name, stage in found(project).items()}


def reasons(project: Path, name: str) -> str:
    """Why the stage has its status."""
    return " ".join(found(project)[name]["reasons"])
