"""``canary``: the candidate beside a fresh container of the current release, under the same requests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from pipeline.core.canary_details import details_of
from pipeline.core.canary_judge import (
    FEWEST,
    Check,
    Comparison,
    Outcome,
    Side,
    compare,
    failing,
    observe,
    overall,
    slowed,
    unsteady,
)
from pipeline.core.containers import Container
from pipeline.core.evidence import Control
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, StageResult, Tool
from pipeline.core.traffic import Sample, parse_endpoint
from pipeline.errors import ConfigurationError, CouldNotTell, TargetFault
from pipeline.settings import Settings
from pipeline.stages.canary_limits import LIVE, examine_by_limits, examine_live, live_url
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
from pipeline.stages.service_container import image_under_test, serving

CANDIDATE = "candidate"
RELEASE = "release"
COMPARISON = "comparison"

_MOST_ERRORS = 0.3
_LEAST_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class CanaryStage:
    """Unit of work: samples. Expected: the planned requests. Checked: those that were sent, answered or not."""

    name: str = "canary"
    summary: str = "Compare the image with the current release, side by side; or judge a live one: -- --url URL."
    needs: tuple[str, ...] = ("build", "smoke")
    tags: tuple[str, ...] = ("container",)

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """Raises ConfigurationError for requests that are none, or settings under which nothing could be told."""
        del snapshot
        canary = settings.canary
        if not canary.paths:
            raise ConfigurationError("canary.paths is empty.", advice="Name at least one request, like 'GET /healthz'.")
        for text in canary.paths:
            parse_endpoint(text)
        if canary.requests // len(canary.paths) < 2 * FEWEST:
            raise ConfigurationError(
                f"canary.requests is {canary.requests}, too few for {len(canary.paths)} paths to tell anything.",
                advice=f"Set it to {2 * FEWEST * len(canary.paths)} or more.",
            )
        if canary.tolerance < _LEAST_TOLERANCE:
            raise ConfigurationError(
                f"canary.tolerance is {canary.tolerance:g}, and no measurement can prove two to be equal.",
                advice=f"Set it to {_LEAST_TOLERANCE} or more.",
            )
        if canary.max_error_rate > _MOST_ERRORS:
            raise ConfigurationError(
                f"canary.max_error_rate is {canary.max_error_rate:g}, which would let nearly anything pass.",
                advice=f"Set it to {_MOST_ERRORS} or less.",
            )

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """A comparison holds for the image that it was made with; a live deployment says nothing of this snapshot."""
        build = context.results.get("build")
        image = build.metrics.get("image_id") if build is not None else None
        return image is not None and result.metrics.get("image_id") == image and result.metrics.get("mode") != LIVE

    def run(self, context: Context) -> Examination:
        """Judge a live deployment, or the built image beside the release, or by absolute limits when there is none."""
        self.check_settings(context.settings, context.snapshot)
        url = live_url(context.arguments)
        if url:
            return examine_live(context, url)
        image = image_under_test(context)
        release = context.ports.registries().current_release()
        examination = _beside(context, image, release) if release else _first_release(context, image)
        engine = context.ports.engine()
        return replace(
            examination,
            tools=(Tool(name=engine.name, version=engine.version),),
            metrics={**examination.metrics, "image_id": image},
        )


def _first_release(context: Context, image: str) -> Examination:
    with serving(context, image, CANDIDATE) as candidate:
        examination = examine_by_limits(context, CANDIDATE, candidate.base_url)
    note = "There is no release yet to compare with, so the candidate was judged by absolute limits alone."
    return replace(examination, notes=(note,))


def _beside(context: Context, image: str, release: str) -> Examination:
    digest = release.partition("@")[2]
    context.ports.progress.say(f"pulling the current release {digest[:19]}")
    credentials = context.ports.registries().open().credentials
    released = context.ports.engine().pull(release, credentials, timeout_s=context.settings.push.timeout_s)
    rules = comparison(context.settings)
    with _release_serving(context, released) as old, serving(context, image, CANDIDATE) as new:
        targets = {CANDIDATE: new.base_url, RELEASE: old.base_url}
        measurement = measure(context, targets, lambda samples: settled(samples, rules))
        if any(sample.failed for sample in measurement.samples):
            context.keep(f"{CANDIDATE}.log", new.logs())
            context.keep(f"{RELEASE}.log", old.logs())
    examination, checks = assess(measurement, rules)
    keep(context, measurement, checks, {"mode": COMPARISON, "rules": asdict(rules)})
    note = f"Compared with the current release {digest[:19]}, {len(measurement.planned) // 2} requests to each side."
    if released == image:
        note += " Both are the same image."
    return replace(
        examination,
        metrics={**examination.metrics, "release": digest, "release_image_id": released},
        notes=(note,),
    )


@contextlib.contextmanager
def _release_serving(context: Context, image: str) -> Iterator[Container]:
    """A container of the release. That the release does not start says nothing of the candidate."""
    with contextlib.ExitStack() as stack:
        try:
            container = stack.enter_context(serving(context, image, RELEASE))
        except TargetFault as fault:
            raise CouldNotTell(
                "The current release does not start, so there is nothing to compare with.", why=str(fault)
            ) from fault
        yield container


def comparison(settings: Settings) -> Comparison:
    """The rules of the settings as the judge takes them."""
    canary = settings.canary
    return Comparison(tolerance=canary.tolerance, max_error_rate=canary.max_error_rate, looks=ROUNDS)


def settled(samples: tuple[Sample, ...], rules: Comparison) -> bool:
    """Whether another round of requests would be of no use: it is clear, and the machine was quiet."""
    release = observe(samples, RELEASE)
    checks = compare(release, observe(samples, CANDIDATE), rules)
    return overall(checks) is not Outcome.UNSURE and not unsteady(release, rules)


def assess(measurement: Measurement, rules: Comparison) -> tuple[Examination, tuple[Check, ...]]:
    """What a measurement of both sides amounts to, and the judge's checks."""
    release, candidate = observe(measurement.samples, RELEASE), observe(measurement.samples, CANDIDATE)
    checks = compare(release, candidate, rules)
    noisy = unsteady(release, rules)
    doubts = doubts_of(checks)
    if noisy:
        doubts += (f"The machine was too noisy to tell: the release differed from itself at {', '.join(noisy)}.",)
    examination = Examination(
        evidence=measurement.evidence(comparison_controls(release, rules)),
        gates=gates_of(checks),
        doubts=doubts,
        metrics={"mode": COMPARISON, **measurement.metrics()},
        details=details_of({CANDIDATE: candidate, RELEASE: release}, checks),
    )
    return examination, checks


def comparison_controls(release: Side, rules: Comparison) -> tuple[Control, ...]:
    """The judge must object to the release's own samples made twice as slow, and with a third of them failing."""
    return (
        control("release at half its speed", "latency", release, compare(release, slowed(release, 2.0), rules)),
        control("failing third of the requests", "errors", release, compare(release, failing(release), rules)),
    )
