"""Courses of events in traps about what runs or is pulled: two deployments side by side, images and a registry."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.core.canary_judge import CANDIDATE, RELEASE, TWIN
from pipeline.core.canary_resources import Used
from pipeline.core.stage import Status, not_run
from pipeline.core.verdict import conclude
from pipeline.engine_opening import open_engine
from pipeline.errors import PipelineError
from pipeline.execution.clock import SystemClock
from pipeline.execution.traffic import HttpTraffic
from pipeline.settings import Engine
from pipeline.settings_loading import load
from pipeline.stages.canary_comparison import assess, comparison, settled
from pipeline.stages.canary_measurement import measure
from pipeline.testing import SilentProgress
from pipeline.troubles import ended_by
from tests.scripted_http import Asked, Reply, scripted_http
from tests.support import make_context, real_processes
from tests.traps.collection import Trap
from tests.traps.loopback_registry import loopback_registry
from tests.traps.workshop import Workshop

Said = tuple[str, str]
"""The status, and the reasons as one text."""

_EACH = 8
"""Of how many answers of the candidate one is an error."""


def beside(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """The canary's own requests to a release without errors and a candidate with some, and its own judgement."""
    count = itertools.count(1)
    return _beside(workshop, trap, folder, Reply(), lambda asked: Reply(status=200 if next(count) % _EACH else 500))


def beside_dead(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """The same with nothing but errors from both."""
    return _beside(workshop, trap, folder, Reply(status=500), lambda asked: Reply(status=500))


def beside_otherwise(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """The same with a candidate that says something else, with the status of success."""
    return _beside(workshop, trap, folder, Reply(body=b"ok"), lambda asked: Reply(body=b"out of order"))


def _beside(workshop: Workshop, trap: Trap, folder: Path, release: Reply, candidate: Callable[[Asked], Reply]) -> Said:
    """Servers on loopback stand in for the containers: to the measurement an address is an address."""
    settings = load(workshop.project, {**os.environ, **trap.environ})
    rules = comparison(settings)
    context = make_context(folder / "run", workshop.project, settings)
    context = replace(context, ports=replace(context.ports, traffic=HttpTraffic(), clock=SystemClock()))
    with (
        scripted_http(lambda asked: release) as old,
        scripted_http(lambda asked: release) as twin,
        scripted_http(candidate) as new,
    ):
        targets = {CANDIDATE: f"http://{new.host}", RELEASE: f"http://{old.host}", TWIN: f"http://{twin.host}"}
        measurement = measure(context, targets, lambda done: settled(done, rules))
    used = dict.fromkeys(targets, Used(requests=1, cpu_s=1.0, memory_bytes=1))
    status, reasons = conclude(assess(measurement, rules, used, settings.canary.resource_tolerance)[0])
    return str(status), " ".join(reasons)


def tool_changed(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """A file of the tool is changed in the environment that is kept from run to run."""
    del folder
    changed = workshop.tools(trap.stage).site_packages / trap.untracked["tool"].strip()
    text = changed.read_text(encoding="utf-8").replace('@test.checks("Call")', '@test.checks("Never")')
    # A new file, since uv links the same one into every environment of this machine.
    changed.unlink()
    changed.write_text(text, encoding="utf-8")
    result = workshop.try_ours(trap, trap.stage)[trap.stage]
    return str(result.status), " ".join(result.reasons)


def image_gone(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """The image that was built is removed from the engine before it is tested."""
    del folder
    with workshop.begun(trap, trap.stage) as (run, planned):
        assert planned == ("build", "smoke")
        built = run.stage("build")
        assert built.status is Status.PASS, built.reasons
        subprocess.run(("docker", "rmi", "-f", str(built.metrics["image_id"])), check=True, capture_output=True)
        result = run.stage("smoke")
    return str(result.status), " ".join(result.reasons)


def pulled(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """The engine is told to pull as the canary tells it to pull the release, and the registry's layer is damaged."""
    del workshop, folder
    engine = open_engine(Engine(), os.environ, real_processes(), SilentProgress())
    with contextlib.closing(engine), loopback_registry(damaged=True) as registry:
        try:
            return "pulled", engine.pull(registry.pinned, {}, timeout_s=60)
        except PipelineError as error:
            result = ended_by(not_run(trap.stage, "The stage begins."), error)
    return str(result.status), " ".join(result.reasons)
