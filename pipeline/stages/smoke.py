"""``smoke``: the built image, started hardened, becomes ready, also after a kill, passes the suite's tests, answers as
it documents, withstands what is malformed, stays steady under load, logs no trouble and stops properly.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from pipeline.core.containers import Container, ContainerState
from pipeline.core.evidence import Control, Evidence
from pipeline.core.finding import Finding, Severity, weighed
from pipeline.core.gate import Gate, check_gate, findings_gate, steadiness_gates
from pipeline.core.ports import ToolEnvironment
from pipeline.core.probe import Probe
from pipeline.core.stage import Examination, Metric, Tool
from pipeline.settings import Smoke
from pipeline.stages import hardening
from pipeline.stages.container_log import control as log_control
from pipeline.stages.container_log import findings_in, keep_end
from pipeline.stages.context import Context
from pipeline.stages.hardening import Restriction
from pipeline.stages.live_tests import run_live_tests, silence_control
from pipeline.stages.project_locks import project_environment
from pipeline.stages.readiness import Readiness, ending, get, wait_until_ready
from pipeline.stages.service_container import container_request
from pipeline.stages.smoke_chaos import plant_faults
from pipeline.stages.smoke_declared import DeclaredSmoke, built_image
from pipeline.stages.smoke_endpoints import ask_endpoints
from pipeline.stages.smoke_malformed import send_malformed
from pipeline.stages.smoke_names import wanted
from pipeline.stages.smoke_restart import STORY as RESTART
from pipeline.stages.smoke_restart import restarting
from pipeline.stages.smoke_steadiness import measure_steadiness
from pipeline.stages.smoke_stop import stop_under_load
from pipeline.stages.smoke_stories import assess_stories, records
from pipeline.stages.test import expected_tests
from pipeline.tools import pytest

NOTHING_TOLD = Probe()

_NOT_FOUND = 404
_LOG_TAIL = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """All that was seen of one container, from its start to its end. ``ran`` is none when it never became ready.

    ``told`` is what the stories amount to.
    """

    restrictions: tuple[Restriction, ...]
    readiness: Readiness
    ran: pytest.Output | None
    stopped: ContainerState
    log: str
    controls: tuple[Control, ...]
    told: Probe = NOTHING_TOLD


@dataclass(frozen=True, slots=True)
class Beside:
    """What is done while the container is tried out: by ``pool``, the environments, and the restart if it is wanted."""

    pool: ThreadPoolExecutor
    preparing: Future[ToolEnvironment]
    restarted: Future[None] | None


@dataclass(frozen=True, slots=True)
class SmokeStage(DeclaredSmoke):
    """Unit of work: checks and tests. Expected: every restriction, the suite's tests for it, and what each story of the
    dose is to look at. Checked: those that came to an end.
    """

    def run(self, context: Context) -> Examination:
        """Start it, ask it, stop it; whatever happens the container is removed, and what it said is kept."""
        ports = context.ports
        engine = ports.engine()
        for name in engine.remove_leftovers(ports.ownership):
            ports.progress.say(f"removed {name}, left by an earlier run")
        expected = expected_tests(context.snapshot, context.tree, context.settings.smoke.paths)
        image, told = built_image(context), wanted(context.settings.smoke)
        restarts = restarting(context, image) if RESTART in told else contextlib.nullcontext()
        with ThreadPoolExecutor(1) as beside, restarts as restarted:
            # What takes a processor's time is done while the container waits, and the other way round.
            preparing = beside.submit(_prepare, context, told)
            container = engine.start(container_request(context, image, self.name))
            try:
                trial = _try_out(context, container, told, Beside(beside, preparing, restarted))
            finally:
                container.remove()
            tools = preparing.result()
        if "chaos" in told and trial.ran is not None:
            plant_faults(context, image)
        if trial.ran is not None:
            trial = replace(trial, told=assess_stories(context.settings.smoke, records(context)))
        examined = assess(context.settings.smoke, expected, trial, image)
        examined = replace(examined, tools=(Tool(name=engine.name, version=engine.version),))
        examined = context.with_tools(examined, tools, "pytest")
        asked = "endpoints" in told and trial.ran is not None
        return context.with_tools(examined, context.environment("smoke"), "schemathesis") if asked else examined


def assess(settings: Smoke, expected: frozenset[str], trial: Trial, image_id: str) -> Examination:
    """What a trial amounts to."""
    ran, told = trial.ran, trial.told
    logged = findings_in(trial.log)
    # What both containers say at their start is said once.
    others = (finding for finding in told.findings if finding not in logged)
    seen = (*(ran.findings if ran else ()), *logged, *others)
    findings = weighed(seen, fail_on=Severity.MEDIUM)
    executed = ran.executed if ran else frozenset()
    tests = expected - (ran.deselected - executed) if ran else expected
    metrics: dict[str, Metric] = {
        "image_id": image_id,
        "ready_s": round(trial.readiness.after_s, 3) if trial.readiness.ready else None,
        "tests": ran.count if ran else 0,
        "exit_code": trial.stopped.exit_code,
        "restrictions": sum(restriction.holds for restriction in trial.restrictions),
        "dose": settings.dose,
        **told.metrics,
    }
    loose = [found for found in trial.restrictions if not found.holds and not found.of_image]
    return Examination(
        evidence=Evidence.of(
            "checks and tests",
            expected=hardening.restriction_names() | tests | told.expected,
            checked={found.name for found in trial.restrictions}
            | (ran.executed if ran else frozenset())
            | told.checked,
            controls=(*trial.controls, *told.controls),
        ),
        gates=(*_gates(settings, trial, findings), *steadiness_gates(ran.flaky if ran else (), 0), *told.gates),
        findings=findings,
        metrics=metrics,
        doubts=(
            *(f"The engine did not apply a restriction ({found.what}): {found.found}." for found in loose),
            *(ran.doubts if ran else ()),
            *(("No test ran against the container.",) if ran and not ran.count else ()),
            *told.doubts,
        ),
        notes=(*_notes(trial), *told.notes),
        not_checked=told.not_checked,
    )


def _gates(settings: Smoke, trial: Trial, findings: tuple[Finding, ...]) -> tuple[Gate, ...]:
    within = f"within {settings.ready_timeout_s:g} s"
    always = (
        *(
            check_gate(found.holds, what=found.what, allowed="yes", found=found.found)
            for found in trial.restrictions
            if found.of_image
        ),
        check_gate(trial.readiness.ready, what="ready", allowed=within, found=trial.readiness.found),
        findings_gate(findings, what="failing tests, operations and log lines", fail_on=Severity.MEDIUM),
    )
    if trial.ran is None:
        return always
    stopped = trial.stopped
    return (
        *always,
        check_gate(
            not stopped.running and stopped.exit_code == 0,
            what="end after SIGTERM",
            allowed=f"exit code 0 within {settings.stop_timeout_s:g} s",
            found=ending(stopped),
        ),
    )


def _notes(trial: Trial) -> tuple[str, ...]:
    if trial.ran is None:
        tail = "\n".join(trial.log.splitlines()[-_LOG_TAIL:])
        return (f"The end of its log: {tail}" if tail else "Its log is empty.",)
    return (
        f"Ready after {trial.readiness.after_s:.1f} s, {trial.ran.count} tests ran, stopped {ending(trial.stopped)}.",
    )


def _prepare(context: Context, told: tuple[str, ...]) -> ToolEnvironment:
    """The environments that this run needs, made ready; the project's own."""
    if "endpoints" in told:
        context.environment("smoke")
    return project_environment(context)


def _try_out(context: Context, container: Container, told: tuple[str, ...], beside: Beside) -> Trial:
    settings = context.settings.smoke
    ports = context.ports
    try:
        readiness = wait_until_ready(
            container, settings.ready_path, settings.ready_timeout_s, ports.clock, ports.progress
        )
        answer = container.inspect()
        context.keep("container.json", json.dumps(answer, indent=2) + "\n")
        controls = [hardening.control(answer), log_control()]
        ran = None
        if readiness.ready:
            url = container.base_url
            controls.append(_unknown_path(url))
            tools = beside.preparing.result()
            ran = _ask(context, container, told, tools, beside)
            ports.progress.say("stopping the container")
            # A suite that has just failed needs no proof that it can.
            noticing = None if ran.findings else beside.pool.submit(silence_control, context, tools, ran)
            stopped = stop_under_load(context, container) if "stop" in told else container.stop(settings.stop_timeout_s)
            if noticing is not None:
                controls.append(noticing.result())
        else:
            stopped = container.stop(settings.stop_timeout_s)
        seen = hardening.restrictions(answer)
        return Trial(
            restrictions=seen,
            readiness=readiness,
            ran=ran,
            stopped=stopped,
            log=ports.redact(container.logs()),
            controls=tuple(controls),
        )
    finally:
        keep_end(context, container)


def _ask(
    context: Context, container: Container, told: tuple[str, ...], tools: ToolEnvironment, beside: Beside
) -> pytest.Output:
    """All that is asked of the running service: by the suite, and by the stories of this dose."""
    say, url = context.ports.progress.say, container.base_url
    say("running the suite against the container")
    asking = beside.pool.submit(ask_endpoints, context, url) if "endpoints" in told else None
    ran = run_live_tests(context, tools, url)
    if asking is not None:
        asking.result()
    if beside.restarted is not None:
        beside.restarted.result()
    if "malformed" in told:
        say("sending what is malformed")
        send_malformed(context, url)
    if "steadiness" in told:
        say("watching memory and file handles under load")
        measure_steadiness(context, container)
    return ran


def _unknown_path(url: str) -> Control:
    status = get(f"{url}/pipeline-control-{secrets.token_hex(8)}")
    return Control(tool="the probe", planted="path that does not exist", caught=status == _NOT_FOUND)
