"""The comparison: two fresh containers of the release and one of the candidate, measured together and judged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from statistics import NormalDist

from pipeline.core.canary_details import details_of
from pipeline.core.canary_judge import CANDIDATE, RELEASE, SIDES, TWIN, Comparison, Judgement, compare, judge
from pipeline.core.canary_observed import Check, Outcome, Side, answering_otherwise, failing, observe, slowed, spread
from pipeline.core.canary_resources import Used, resource_checks
from pipeline.core.containers import Container, Usage
from pipeline.core.evidence import Control
from pipeline.core.stage import Examination
from pipeline.core.statistics import most_above
from pipeline.errors import ConfigurationError, CouldNotTell
from pipeline.settings import Settings
from pipeline.stages.canary_containers import role_of, serving_all, usage_of
from pipeline.stages.canary_limits import limits_of
from pipeline.stages.canary_measurement import (
    ROUNDS,
    Measurement,
    control,
    doubts_of,
    gates_of,
    keep,
    measure,
)
from pipeline.stages.context import Context
from pipeline.stages.service_container import container_request

COMPARISON = "comparison"


def beside(context: Context, image: str, release: str) -> Examination:
    """The candidate ``image`` beside the ``release`` (``name@digest``), each in fresh containers with the same limits.

    Raises:
        ConfigurationError: too few requests are asked for to pass any candidate.
        CouldNotTell: the release does not start, or the engine runs another image than it was asked to.
        TargetFault: the candidate does not start.
    """
    check_requests(context.settings)
    digest = release.partition("@")[2]
    context.ports.progress.say(f"pulling the current release {digest[:19]}")
    credentials = context.ports.registries().open().credentials
    released = context.ports.engine().pull(release, credentials, timeout_s=context.settings.push.timeout_s)
    images = {RELEASE: released, TWIN: released, CANDIDATE: image}
    requests = {side: container_request(context, one, role_of(side)) for side, one in images.items()}
    with serving_all(context, requests) as containers:
        for side, container in containers.items():
            _confirm(container, side, images[side])
        examination = compared(context, containers)
    note = f"Compared with two fresh containers of the current release {digest[:19]}."
    if released == image:
        note += " Both are the same image, so no difference could come from it; this run shows the machine's own noise."
    return replace(
        examination,
        metrics={**examination.metrics, "release": digest, "release_image_id": released},
        notes=(note,),
    )


def compared(context: Context, containers: Mapping[str, Container]) -> Examination:
    """Measure running containers, by side, and judge."""
    rules = comparison(context.settings)
    before = usage_of(containers)
    targets = {side: containers[side].base_url for side in SIDES}
    measurement = measure(context, targets, lambda done: settled(done, rules))
    used = _used(measurement, before, usage_of(containers))
    if any(sample.failed for sample in measurement.samples):
        for side, container in containers.items():
            context.keep(f"{role_of(side)}.log", container.logs())
    examination, checks = assess(measurement, rules, used, context.settings.canary.resource_tolerance)
    keep(context, measurement, checks, {"mode": COMPARISON, "rules": asdict(rules)})
    context.keep("usage.json", json.dumps({side: asdict(one) for side, one in used.items()}, indent=2) + "\n")
    return examination


def comparison(settings: Settings) -> Comparison:
    """The rules of the settings as the judge takes them."""
    canary = settings.canary
    return Comparison(
        tolerance=canary.tolerance,
        slowdown=canary.slowdown_tolerance,
        error_tolerance=canary.error_tolerance,
        answers=canary.answers,
        limits=limits_of(canary),
        looks=ROUNDS,
    )


def check_requests(settings: Settings) -> None:
    """Raises ConfigurationError when even all looks without one error could not exclude the promised excess of them."""
    canary, each = settings.canary, settings.canary.requests * ROUNDS
    z = NormalDist().inv_cdf(1 - comparison(settings).count_pass_level(ROUNDS))
    excess = most_above(0, each, 0, 2 * each, z)
    if excess > canary.error_tolerance:
        raise ConfigurationError(
            f"canary.requests is {canary.requests}, too few to exclude {canary.error_tolerance:.2%} more errors: "
            f"even without a single one in all looks {excess:.2%} would be possible.",
            advice="Raise canary.requests, or canary.error_tolerance.",
        )


def judged(measurement: Measurement, rules: Comparison) -> Judgement:
    """The judge's word on what was measured so far."""
    answers = measurement.answers()
    sides = {side: observe(measurement.samples, side, answers) for side in SIDES}
    return judge(sides, rules, max(measurement.rounds, 1), disturbed=bool(measurement.disturbances((RELEASE, TWIN))))


def settled(measurement: Measurement, rules: Comparison) -> bool:
    """Whether another look would be of no use: it is clear."""
    return judged(measurement, rules).outcome is not Outcome.UNSURE


def assess(
    measurement: Measurement, rules: Comparison, used: Mapping[str, Used], tolerance: float
) -> tuple[Examination, tuple[Check, ...]]:
    """What a measurement of all sides amounts to, and the judge's checks. ``tolerance`` is that of the resources."""
    judgement = judged(measurement, rules)
    answers = measurement.answers()
    sides = {side: observe(measurement.samples, side, answers) for side in SIDES}
    checks = (*judgement.checks, *resource_checks(used, tolerance))
    doubts = (*measurement.disturbances((RELEASE, TWIN)), *doubts_of(checks))
    if judgement.noisy:
        doubts = (
            f"The machine was too noisy to tell: the release differed from itself in {', '.join(judgement.noisy)}.",
            *doubts,
        )
    examination = Examination(
        evidence=measurement.evidence(comparison_controls(sides[RELEASE], rules)),
        gates=gates_of(checks),
        doubts=doubts,
        metrics={"mode": COMPARISON, "score": replace(judgement, checks=checks).score, **measurement.metrics()},
        details=details_of(sides, checks),
    )
    return examination, checks


def comparison_controls(release: Side, rules: Comparison) -> tuple[Control, ...]:
    """The judge must object to the release's own samples: slowed, spread, with a third failing, answering otherwise."""
    planted = (
        control("release at half its speed", "latency", release, compare(release, slowed(release, 2.0), rules)),
        control("release at nine times its variance", "latency variance", release,
                compare(release, spread(release, 3.0), rules)),
        control("failing third of the requests", "errors", release, compare(release, failing(release), rules)),
    )  # fmt: skip
    if rules.answers == "off":
        return planted
    found = compare(release, answering_otherwise(release), rules)
    return (*planted, control("answers with another status", "deviating answers", release, found))


def _confirm(container: Container, side: str, image: str) -> None:
    """By the engine's own answer, and not by what it was asked for."""
    running = container.inspect().get("Image")
    if running != image:
        raise CouldNotTell(
            f"The {side} container does not run the image that it should.",
            why=f"The engine says {running}, and {image} was asked for.",
        )


def _used(measurement: Measurement, before: Mapping[str, Usage], after: Mapping[str, Usage]) -> dict[str, Used]:
    sent = {side: sum(sample.request.side == side for sample in measurement.samples) for side in after}
    return {
        side: Used(
            requests=sent[side],
            cpu_s=round(after[side].cpu_s - before[side].cpu_s, 6),
            memory_bytes=after[side].memory_bytes,
        )
        for side in after
    }
