"""``smoke``: the built image, started hardened, becomes ready, passes the suite's tests, logs no trouble and stops
properly.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace

from pipeline.core.containers import Container, ContainerState
from pipeline.core.evidence import Control, Evidence
from pipeline.core.finding import Finding, Severity, weighed
from pipeline.core.gate import Gate, check_gate, findings_gate
from pipeline.core.ports import ToolEnvironment
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, Metric, StageResult, Tool
from pipeline.errors import EngineTrouble
from pipeline.settings import Settings, Smoke
from pipeline.stages import hardening
from pipeline.stages.container_log import findings_in
from pipeline.stages.context import Context
from pipeline.stages.hardening import Restriction
from pipeline.stages.live_tests import notices_silence, run_live_tests
from pipeline.stages.project_locks import project_environment
from pipeline.stages.readiness import Readiness, ending, get, wait_until_ready
from pipeline.stages.service_container import container_request
from pipeline.stages.test import expected_tests
from pipeline.tools import pytest

_NOT_FOUND = 404
_LOG_TAIL = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """All that was seen of one container, from its start to its end. ``ran`` is none when it never became ready."""

    restrictions: tuple[Restriction, ...]
    readiness: Readiness
    ran: pytest.Output | None
    stopped: ContainerState
    log: str
    controls: tuple[Control, ...]


@dataclass(frozen=True, slots=True)
class SmokeStage:
    """Unit of work: checks and tests. Expected: every restriction and the suite's tests for it. Checked: those that
    came to an end.
    """

    name: str = "smoke"
    summary: str = (
        "Start the built image hardened; it answers, passes the smoke, system and pre-flight tests, and stops properly."
    )
    needs: tuple[str, ...] = ("build",)
    tags: tuple[str, ...] = ("container",)

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """Nothing can be wrong here that the settings' own bounds do not catch."""
        del settings, snapshot

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """Whether it was this very image; a rebuild may have made another of the same snapshot."""
        return bool(result.metrics.get("image_id")) and result.metrics.get("image_id") == _image_id(context)

    def run(self, context: Context) -> Examination:
        """Start it, ask it, stop it; whatever happens the container is removed, and what it said is kept."""
        ports = context.ports
        engine = ports.engine()
        for name in engine.remove_leftovers(ports.ownership):
            ports.progress.say(f"removed {name}, left by an earlier run")
        tools = project_environment(context)
        expected = expected_tests(context.snapshot, context.tree, context.settings.smoke.paths)
        container = engine.start(container_request(context, _image_id(context), self.name))
        try:
            trial = _try_out(context, container, tools)
        finally:
            container.remove()
        examined = assess(context.settings.smoke, expected, trial, _image_id(context))
        examined = replace(examined, tools=(Tool(name=engine.name, version=engine.version),))
        return context.with_tools(examined, tools, "pytest")


def assess(settings: Smoke, expected: frozenset[str], trial: Trial, image_id: str) -> Examination:
    """What a trial amounts to."""
    ran = trial.ran
    findings = weighed((*(ran.findings if ran else ()), *findings_in(trial.log)), fail_on=Severity.MEDIUM)
    wanted = expected - (ran.deselected - ran.executed) if ran else expected
    metrics: dict[str, Metric] = {
        "image_id": image_id,
        "ready_s": round(trial.readiness.after_s, 3) if trial.readiness.ready else None,
        "tests": ran.count if ran else 0,
        "exit_code": trial.stopped.exit_code,
        "restrictions": sum(restriction.holds for restriction in trial.restrictions),
    }
    loose = [found for found in trial.restrictions if not found.holds and not found.of_image]
    return Examination(
        evidence=Evidence.of(
            "checks and tests",
            expected=hardening.restriction_names() | wanted,
            checked={found.name for found in trial.restrictions} | (ran.executed if ran else frozenset()),
            controls=trial.controls,
        ),
        gates=(*_gates(settings, trial, findings),),
        findings=findings,
        metrics=metrics,
        doubts=(
            *(f"The engine did not apply a restriction ({found.what}): {found.found}." for found in loose),
            *(ran.doubts if ran else ()),
            *(("No test ran against the container.",) if ran and not ran.count else ()),
        ),
        notes=_notes(trial),
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
        findings_gate(findings, what="failing tests and log lines", fail_on=Severity.MEDIUM),
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


def _image_id(context: Context) -> str:
    """The image of this snapshot's build."""
    build = context.results.get("build")
    return str(build.metrics.get("image_id") or "") if build else ""


def _try_out(context: Context, container: Container, tools: ToolEnvironment) -> Trial:
    settings = context.settings.smoke
    ports = context.ports
    try:
        readiness = wait_until_ready(
            container, settings.ready_path, settings.ready_timeout_s, ports.clock, ports.progress
        )
        answer = container.inspect()
        context.keep("container.json", json.dumps(answer, indent=2) + "\n")
        controls = [hardening.control(answer), _log_control()]
        ran = None
        if readiness.ready:
            url = container.base_url
            controls.append(_unknown_path(url))
            ports.progress.say("running the suite against the container")
            ran = run_live_tests(context, tools, url)
            ports.progress.say("stopping the container")
            stopped = container.stop(settings.stop_timeout_s)
            if not ran.findings:
                # A suite that has just failed needs no proof that it can.
                silent = notices_silence(context, tools, url, ran)
                controls.append(Control(tool="the suite", planted="service that does not answer", caught=silent))
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
        _keep(context, container)


def _keep(context: Context, container: Container) -> None:
    """Keep the container's log, the engine's description of it and its health history; an engine that is gone has none
    to give.
    """
    try:
        context.keep("container.log", container.logs())
        state = container.inspect().get("State") or {}
    except EngineTrouble as trouble:
        context.keep("container-trouble.txt", f"{trouble}\n")
        return
    context.keep("container-end.json", json.dumps(state, indent=2) + "\n")


def _unknown_path(url: str) -> Control:
    status = get(f"{url}/pipeline-control-{secrets.token_hex(8)}")
    return Control(tool="the probe", planted="path that does not exist", caught=status == _NOT_FOUND)


def _log_control() -> Control:
    planted = '{"level": "ERROR", "msg": "planted"}\nTraceback (most recent call last):\n[1] [CRITICAL] planted\n'
    return Control(
        tool="the log check", planted="error, traceback and critical line", caught=len(findings_in(planted)) == 3
    )
