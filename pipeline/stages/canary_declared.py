"""``canary`` as it declares itself: the two images, and settings under which something could be told."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.cache_inputs import Inputs, Lasting
from pipeline.core.canary_observed import FEWEST
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, StageResult
from pipeline.core.traffic import parse_endpoint
from pipeline.errors import ConfigurationError
from pipeline.settings import Canary, Settings
from pipeline.stages.context import Context
from pipeline.stages.declared import whole
from pipeline.stages.inputs import release_of

LIVE = "live"
"""The mode of a comparison that is about a live deployment."""

_MOST_ERRORS = 0.3
_LEAST_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class DeclaredCanary:
    """What the ``canary`` stage declares."""

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
        """With the work of the stage, which is loaded now."""
        return whole(self, "pipeline.stages.canary:CanaryStage").run(context)


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
