"""The canary of a live deployment: the suite's canary tests, absolute limits, and the line of its earlier runs.

Only a run that passed becomes part of that line, so a bad deployment can't teach the judge to accept it; how bad slow
drift can become is for the absolute limits to say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

import msgspec

from pipeline.core.canary_details import details_of
from pipeline.core.canary_history import FEWEST_RUNS, CanaryHistory, PastCanary, compare_with_past, past_of
from pipeline.core.canary_observed import observe, score_of
from pipeline.core.finding import Severity, weighed
from pipeline.core.gate import count_gate, findings_gate
from pipeline.core.stage import Examination, Status
from pipeline.core.verdict import conclude
from pipeline.errors import StorageTrouble
from pipeline.images.whole_file import appearing
from pipeline.settings import Canary
from pipeline.stages.canary_declared import LIVE
from pipeline.stages.canary_limits import assess_by_limits, limits_of
from pipeline.stages.canary_measurement import Measurement, doubts_of, gates_of, keep, measure
from pipeline.stages.context import Context
from pipeline.stages.project_locks import project_environment
from pipeline.stages.test import run_tests
from pipeline.tools import pytest

HISTORY_FILE = "canary-history.json"
"""Below the state folder of live runs; the earlier runs that this one was compared with are a raw output, too."""


def examine_live(context: Context, url: str) -> Examination:
    """The suite's canary tests against a live deployment; its latency and errors against limits and earlier runs.

    Raises:
        StorageTrouble: the file of earlier runs is damaged, or can't be written.
    """
    settings = context.settings
    history = _read(context.state / HISTORY_FILE)
    place = _place(url, settings.canary)
    tools = project_environment(context)
    context.ports.progress.say(f"running the canary tests against {url}")
    ran = run_tests(
        context,
        tools,
        settings.smoke.paths,
        settings.canary.markers,
        options=(settings.smoke.base_url_option, url),
        keep="canary.xml",
    )
    measurement = measure(context, {LIVE: url}, lambda done: True, rounds=1)
    past = history.of(place)
    measured = assess_live(context, measurement, past)
    findings = weighed(ran.findings, fail_on=Severity.LOW)
    examination = replace(
        measured,
        gates=(
            *measured.gates,
            findings_gate(findings, what="failing canary tests", fail_on=Severity.LOW),
            count_gate(ran.count, 1, what="canary tests that ran"),
        ),
        findings=findings,
        doubts=(*measured.doubts, *_test_doubts(ran)),
        metrics={**measured.metrics, "url": url, "tests": ran.count},
        notes=_notes(url, ran.count, past),
    )
    if conclude(examination)[0] is Status.PASS:
        seen = observe(measurement.samples, LIVE)
        _write(
            context.state / HISTORY_FILE, history.with_run(place, past_of(seen, context.ports.clock.now().isoformat()))
        )
    return context.with_tools(examination, tools, "pytest")


def assess_live(context: Context, measurement: Measurement, past: Iterable[PastCanary]) -> Examination:
    """What a measurement of a live deployment amounts to; every number is kept."""
    earlier = tuple(past)
    limits = limits_of(context.settings.canary)
    examination = assess_beside_past(measurement, earlier, context.settings.canary)
    _, checks = assess_by_limits(measurement, LIVE, limits)
    keep(context, measurement, checks, {"mode": LIVE, "limits": asdict(limits)})
    context.keep("earlier-runs.json", json.dumps([asdict(run) for run in earlier], indent=1) + "\n")
    return examination


def assess_beside_past(measurement: Measurement, past: tuple[PastCanary, ...], canary: Canary) -> Examination:
    """The measurement against the limits, and against the earlier runs where there are enough of them."""
    by_limits, checks = assess_by_limits(measurement, LIVE, limits_of(canary))
    seen = observe(measurement.samples, LIVE, measurement.answers())
    beside = compare_with_past(seen, past, canary.slowdown_tolerance)
    return replace(
        by_limits,
        gates=(*by_limits.gates, *gates_of(beside)),
        doubts=(*by_limits.doubts, *doubts_of(beside)),
        metrics={
            **by_limits.metrics,
            "mode": LIVE,
            "score": score_of((*checks, *beside)),
            "earlier_runs": len(past),
        },
        details=details_of({LIVE: seen}, (*checks, *beside)),
    )


def _place(url: str, canary: Canary) -> str:
    """What runs are compared within: the deployment, what it is asked, and how fast. No address is kept in the file."""
    asked = json.dumps([url, canary.paths, canary.rate, canary.requests])
    return hashlib.sha256(asked.encode()).hexdigest()[:32]


def _notes(url: str, tests: int, past: tuple[PastCanary, ...]) -> tuple[str, ...]:
    if len(past) < FEWEST_RUNS:
        beside = (
            f"absolute objectives alone, since {len(past)} earlier runs are remembered and {FEWEST_RUNS} are needed "
            "to compare with"
        )
    else:
        beside = f"absolute objectives and its {len(past)} earlier runs that passed"
    return (
        f"The live deployment at {url} was judged by {tests} tests, {beside}; "
        "this says nothing of this snapshot's image.",
    )


def _read(path: Path) -> CanaryHistory:
    try:
        return msgspec.json.decode(path.read_bytes(), type=CanaryHistory)
    except FileNotFoundError:
        return CanaryHistory()
    except (OSError, ValueError, RecursionError) as error:
        # Not taken for an empty one: whoever can damage the file could so take the comparison away.
        raise StorageTrouble(
            f"The record of earlier canaries, {path.name}, can't be read.",
            why=str(error),
            advice=f"Remove {path}: the next runs are then judged by absolute objectives until there are enough again.",
        ) from error


def _write(path: Path, history: CanaryHistory) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with appearing(path) as unfinished:
            unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(history), indent=1) + b"\n")
    except OSError as error:
        raise StorageTrouble(f"{path.name} could not be written: {error.strerror or error}.") from error


def _test_doubts(ran: pytest.Output) -> tuple[str, ...]:
    skipped = (f"Canary tests were skipped: {', '.join(sorted(ran.skipped))}.",) if ran.skipped else ()
    return (*ran.doubts, *skipped)
