"""A whole run of sample stages by the scheduler, each in a process of its own, and what its report says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pipeline.interrupts import noted
from pipeline.run import Run
from pipeline.scheduling import Scheduler
from pipeline.workplace import Workplace
from tests.projects import SampleStage


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
