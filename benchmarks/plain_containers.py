"""The work of smoke and canary without the pipeline: ``python plain_containers.py smoke|canary IMAGE PYTHON SUITE...``.

The very functions of the stages that ask, kill, load, stop and measure containers, one after the other, in the
project's folder. What a stage does besides is left out: the proofs that a check can fail, the report, redaction, what
earlier runs have left. ``PYTHON`` is that of the project's environment. Exits with 1 when the service is at fault.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.core.canary_judge import SIDES
from pipeline.core.canary_observed import Outcome
from pipeline.core.canary_resources import Used, resource_checks
from pipeline.core.containers import Container, ContainerEngine, Ownership
from pipeline.core.snapshot import Snapshot
from pipeline.engines.discovery import find_endpoint
from pipeline.engines.docker_engine import DockerEngine
from pipeline.execution.clock import SystemClock
from pipeline.execution.report_files import write_below
from pipeline.execution.traffic import HttpTraffic
from pipeline.execution.wire import SocketWire
from pipeline.settings_loading import load
from pipeline.stages.canary_comparison import comparison, judged, settled
from pipeline.stages.canary_measurement import measure
from pipeline.stages.container_log import findings_in
from pipeline.stages.context import Context, Ports
from pipeline.stages.hardening import restrictions
from pipeline.stages.readiness import wait_until_ready
from pipeline.stages.service_container import container_request
from pipeline.stages.smoke_malformed import send_malformed
from pipeline.stages.smoke_names import wanted
from pipeline.stages.smoke_restart import kill_and_restart
from pipeline.stages.smoke_steadiness import measure_steadiness
from pipeline.stages.smoke_stop import stop_under_load
from pipeline.stages.smoke_stories import assess_stories, records


class Quiet:
    """Fulfils the Protocols of what hides secrets and tells how it goes, and does neither."""

    def say(self, text: str) -> None:
        """Nothing."""

    def update(self, text: str) -> None:
        """Nothing."""

    def also(self, value: str) -> None:
        """Nothing."""

    def __call__(self, text: str) -> str:
        return text


def without_pipeline(folder: Path) -> Context:
    """What the functions of the stages ask for: the engine, a clock, sockets, and ``folder`` for what they keep."""
    endpoint = find_endpoint("", os.environ).found
    if endpoint is None:
        raise SystemExit("No container engine answers.")
    quiet = Quiet()
    engine: ContainerEngine = DockerEngine(endpoint, timeout_s=120, progress=quiet)
    effects: dict[str, Any] = {part.name: None for part in fields(Ports)} | {
        "clock": SystemClock(),
        "progress": quiet,
        "redact": quiet,
        "engine": lambda: engine,
        "traffic": HttpTraffic(),
        "wire": SocketWire(),
        "ownership": Ownership(checkout="plain-script", run="plain-script"),
    }
    return Context(
        settings=load(Path.cwd(), os.environ),
        snapshot=Snapshot(entries=(), commit="", branch="", dirty=False, committed=""),
        tree=Path.cwd(),
        scratch=folder,
        raw=folder,
        keeper=partial(write_below, folder),
        state=folder,
        ports=Ports(**effects),
        results={},
    )


def smoke(context: Context, image: str, suite: tuple[str, ...]) -> bool:
    """Restrictions, a kill and a start, the suite, malformed requests, load, a stop under load, the log."""
    settings, told = context.settings.smoke, wanted(context.settings.smoke)
    container = context.ports.engine().start(container_request(context, image, "plain"))
    try:
        _ready(context, container)
        restrained = all(found.holds for found in restrictions(container.inspect()))
        if "restart" in told:
            kill_and_restart(context, container)
        markers = ("-m", settings.markers, settings.base_url_option, container.base_url)
        passed = subprocess.run((*suite, *markers), check=False).returncode == 0
        if "malformed" in told:
            send_malformed(context, container.base_url)
        if "steadiness" in told:
            measure_steadiness(context, container)
        ended = stop_under_load(context, container) if "stop" in told else container.stop(settings.stop_timeout_s)
        stories = assess_stories(settings, records(context))
        clean = not findings_in(container.logs())
        return restrained and passed and clean and ended.exit_code == 0 and all(gate.passed for gate in stories.gates)
    finally:
        container.remove()


def canary(context: Context, image: str) -> bool:
    """Three containers, the stage's own requests at its own rate, its judge, and what the containers have used."""
    rules, engine = comparison(context.settings), context.ports.engine()
    with ExitStack() as stack:
        containers: dict[str, Container] = {}
        for side in SIDES:
            containers[side] = engine.start(container_request(context, image, f"plain-{len(containers)}"))
            stack.callback(containers[side].remove)
        for container in containers.values():
            _ready(context, container)
        before = {side: container.usage() for side, container in containers.items()}
        targets = {side: container.base_url for side, container in containers.items()}
        measurement = measure(context, targets, lambda done: settled(done, rules))
        used = {}
        for side, container in containers.items():
            after, sent = container.usage(), sum(one.request.side == side for one in measurement.samples)
            used[side] = Used(requests=sent, cpu_s=after.cpu_s - before[side].cpu_s, memory_bytes=after.memory_bytes)
        checks = (
            *judged(measurement, rules).checks,
            *resource_checks(used, context.settings.canary.resource_tolerance),
        )
    return all(check.outcome is Outcome.PASS for check in checks)


def _ready(context: Context, container: Container) -> None:
    settings, ports = context.settings.smoke, context.ports
    found = wait_until_ready(container, settings.ready_path, settings.ready_timeout_s, ports.clock, ports.progress)
    if not found.ready:
        raise SystemExit(f"The service did not become ready: {found.found}.")


def main(arguments: list[str]) -> int:
    """The command."""
    step, image, *suite = arguments
    with tempfile.TemporaryDirectory() as folder:
        context = without_pipeline(Path(folder))
        well = smoke(context, image, tuple(suite)) if step == "smoke" else canary(context, image)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
