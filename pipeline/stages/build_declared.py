"""``build`` as it declares itself: what the image rests on, and whether it is still there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.core.cache_inputs import Inputs, Lasting, below, exactly
from pipeline.core.dockerfile_lines import parse_recipe
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, StageResult
from pipeline.errors import ConfigurationError, EngineTrouble
from pipeline.images.baselock import shipped_lock
from pipeline.images.compression import compressor
from pipeline.settings import Settings
from pipeline.stages.build_context import IGNORE_FILE, admitted, text_of
from pipeline.stages.context import Context
from pipeline.stages.debian_snapshot import check_there, still_that
from pipeline.stages.declared import whole
from pipeline.stages.image_sources import changed_last, image_sources
from pipeline.stages.inputs import named, release_of, unpinned_recipe

_NAME = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")


@dataclass(frozen=True, slots=True)
class DeclaredBuild:
    """What the ``build`` stage declares."""

    name: str = "build"
    summary: str = (
        "Build the container image from the root Dockerfile, with the network off, and look at what is in it."
    )
    needs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ("container",)

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """Raises ConfigurationError when the recipe or the lock is missing, or the image's name is none."""
        if settings.build.dockerfile not in snapshot.by_path:
            raise ConfigurationError(
                f"build.dockerfile names {settings.build.dockerfile!r}, and the checkout has no such file.",
                advice="Only files that git tracks, or that are new and not ignored, count.",
            )
        if settings.audit.lock not in snapshot.by_path:
            raise ConfigurationError(
                f"The lock file {settings.audit.lock} does not exist.",
                advice="Make it with: uv pip compile --generate-hashes requirements.in -o requirements.txt",
            )
        check_there(settings.build)
        if not _NAME.fullmatch(settings.build.image.lower()):
            raise ConfigurationError(
                f"{settings.build.image!r} can't be the name of an image.",
                advice="Set build.image to lower-case words.",
            )

    def inputs(self, context: Context) -> Inputs:
        """What the engine is given, dated by its own last change, and what the image is held against."""
        settings, recipe = context.settings, context.settings.build.dockerfile
        given = tuple(admitted(context.snapshot, text_of(context, IGNORE_FILE), recipe))
        dated = changed_last(context, image_sources(parse_recipe(text_of(context, recipe)), recipe, given))
        own = exactly((*(entry.path for entry in given), IGNORE_FILE, recipe, settings.audit.lock))
        outside = (
            ("build.debian_advisories", settings.build.debian_advisories),
            ("audit.advisories", settings.audit.advisories),
        )
        return Inputs(
            files=(*own, *below((settings.project.service, *settings.test.paths))), follows_links=False, engine=True,
            settings=("build", "name", "version", "service", "audit", "test.paths", "secrets", "push.registry",
                      "push.repository"),
            locks=("wheels", "secrets", "audit"), outside=named(outside),
            facts={
                "the last change of its sources": f"{dated.time} {dated.doubt}", "the compressor": compressor(),
                "the base lock": shipped_lock().digest,
            },
            lasting=Lasting.SHORT if settings.build.debian_advisories else Lasting.LONG,
            why_not=unpinned_recipe(context),
        )  # fmt: skip

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """Whether the engine still has the image, and growth is measured against the release that was the last; against
        itself it has not grown. An engine that can't say so does not have it.
        """
        if release_of(context) not in (result.metrics.get("manifest_digest"), result.metrics.get("last_release")):
            return False
        try:
            there = context.ports.engine().image(str(result.metrics.get("image_id"))) is not None
            return there and still_that(context.settings.build, result.metrics)
        except EngineTrouble:
            return False

    def run(self, context: Context) -> Examination:
        """With the work of the stage, which is loaded now."""
        return whole(self, "pipeline.stages.build:BuildStage").run(context)
