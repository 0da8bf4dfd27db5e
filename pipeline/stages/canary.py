"""``canary``: the candidate beside fresh containers of the current release, under the same requests."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.core.cache_inputs import Inputs, Lasting
from pipeline.core.canary_judge import CANDIDATE, RELEASE, TWIN
from pipeline.core.canary_observed import FEWEST
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, StageResult, Tool
from pipeline.core.traffic import parse_endpoint
from pipeline.errors import ConfigurationError
from pipeline.settings import Canary, Settings
from pipeline.stages.canary_comparison import COMPARISON, beside
from pipeline.stages.canary_limits import LIVE, examine_by_limits, live_url
from pipeline.stages.canary_live import examine_live
from pipeline.stages.context import Context
from pipeline.stages.inputs import release_of
from pipeline.stages.service_container import image_under_test, serving

__all__ = ["CANDIDATE", "COMPARISON", "RELEASE", "TWIN", "CanaryStage"]

_MOST_ERRORS = 0.3
_LEAST_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class CanaryStage:
    """Unit of work: samples. Expected: the planned requests. Checked: those that were sent, answered or not."""

    name: str = "canary"
    summary: str = "Compare the image with the current release, side by side; or judge a live one: -- --url URL."
    needs: tuple[str, ...] = ("build", "smoke")
    alone: bool = True
    tags: tuple[str, ...] = ("container",)

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """Raises ConfigurationError for requests that are none, or settings under which nothing could be told."""
        del snapshot
        canary = settings.canary
        if not canary.paths:
            raise ConfigurationError("canary.paths is empty.", advice="Name at least one request, like 'GET /healthz'.")
        for text in canary.paths:
            parse_endpoint(text)
        if canary.requests // len(canary.paths) < FEWEST:
            raise ConfigurationError(
                f"canary.requests is {canary.requests}, too few for {len(canary.paths)} paths to tell anything.",
                advice=f"Set it to {FEWEST * len(canary.paths)} or more.",
            )
        _check_tolerances(canary)

    def inputs(self, context: Context) -> Inputs:
        """The two images; what is measured is of this hour and this machine, so it does not last."""
        return Inputs(
            follows_links=False,
            settings=("canary", "smoke", "push.registry", "push.repository", "push.timeout_s"),
            python=False,
            metrics=("build.image_id", "smoke.image_id"),
            facts={"the current release": release_of(context)},
            engine=True,
            lasting=Lasting.SHORT,
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
        examination = beside(context, image, release) if release else _first_release(context, image)
        engine = context.ports.engine()
        return replace(
            examination,
            tools=(Tool(name=engine.name, version=engine.version),),
            metrics={**examination.metrics, "image_id": image},
        )


def _first_release(context: Context, image: str) -> Examination:
    with serving(context, image, CANDIDATE) as candidate:
        examination = examine_by_limits(context, CANDIDATE, candidate.base_url)
    canary = context.settings.canary
    note = (
        "There is no release yet to compare with, so the candidate was judged by absolute objectives alone: at most "
        f"{canary.max_error_rate:.2%} errors, and 95 % of the answers of each endpoint within {canary.max_p95_ms:g} ms."
    )
    return replace(examination, notes=(note,))


def _check_tolerances(canary: Canary) -> None:
    if canary.tolerance < _LEAST_TOLERANCE:
        raise ConfigurationError(
            f"canary.tolerance is {canary.tolerance:g}, and no measurement can prove two to be equal.",
            advice=f"Set it to {_LEAST_TOLERANCE} or more.",
        )
    if canary.slowdown_tolerance <= canary.tolerance:
        raise ConfigurationError(
            f"canary.slowdown_tolerance is {canary.slowdown_tolerance:g}, not above canary.tolerance.",
            advice="Between what may be and what must not be there is what can't be told apart: leave room for it.",
        )
    if max(canary.max_error_rate, canary.error_tolerance) > _MOST_ERRORS:
        name = "max_error_rate" if canary.max_error_rate > _MOST_ERRORS else "error_tolerance"
        raise ConfigurationError(
            f"canary.{name} is {getattr(canary, name):g}, which would let nearly anything pass.",
            advice=f"Set it to {_MOST_ERRORS} or less.",
        )
