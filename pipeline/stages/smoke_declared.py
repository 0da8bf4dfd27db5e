"""``smoke`` as it declares itself: the image and everything for the project's own tests of it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from pipeline.core.cache_inputs import EVERYTHING, Inputs
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, StageResult
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings
from pipeline.stages.context import Context
from pipeline.stages.declared import whole
from pipeline.stages.inputs import OF_TESTS, chosen, named
from pipeline.stages.smoke_names import CHAOS, check_exclusions, wanted


@dataclass(frozen=True, slots=True)
class DeclaredSmoke:
    """What the ``smoke`` stage declares."""

    name: str = "smoke"
    summary: str = (
        "Start the built image hardened; it answers, passes the smoke, system and pre-flight tests, and stops properly."
    )
    needs: tuple[str, ...] = ("build",)
    waits: bool = True
    tags: tuple[str, ...] = ("container",)

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """Raises ConfigurationError for an exclusion of nothing, and an OpenAPI document that is not there."""
        if settings.smoke.exclude:
            check_exclusions(settings.smoke)
        place = settings.smoke.openapi
        if place and not place.startswith("/") and place not in snapshot.by_path:
            raise ConfigurationError(f"smoke.openapi names {place!r}, and the checkout has no such file.")

    def inputs(self, context: Context) -> Inputs:
        """The image, and everything for the project's own tests of it."""
        # Of the full dose alone, and many a run is none.
        chaos = context.settings.smoke.dose == "full" and CHAOS in wanted(context.settings.smoke)
        library = import_module("pipeline.stages.chaos_faults").clock_library() if chaos else None
        return Inputs(
            files=(EVERYTHING,),
            outside=named((("libfaketime", str(library or "")),)),
            settings=("smoke", "test", "service", "python"),
            locks=("test", "smoke"),
            variables=OF_TESTS,
            metrics=("build.image_id",),
            facts=chosen(context, "test.requirements"),
            engine=True,
        )

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """Whether it was this very image; a rebuild may have made another of the same snapshot."""
        return bool(result.metrics.get("image_id")) and result.metrics.get("image_id") == built_image(context)

    def run(self, context: Context) -> Examination:
        """With the work of the stage, which is loaded now."""
        return whole(self, "pipeline.stages.smoke:SmokeStage").run(context)


def built_image(context: Context) -> str:
    """The image of this snapshot's build."""
    build = context.results.get("build")
    return str(build.metrics.get("image_id") or "") if build else ""
