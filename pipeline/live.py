"""A run against a live deployment (``canary -- --url URL``): about that deployment, not about this checkout.

It consists of the canary alone, needs nothing to be built, and leaves its report in a folder of its own, so that it
can neither lend its green to a snapshot nor take it away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, StageResult
from pipeline.settings import Settings
from pipeline.stages.context import Context, Revealing, Stage

OPTION = "--url"
STAGE = "canary"
FOLDER = "live"


def is_live(arguments: Sequence[str]) -> bool:
    """Whether the arguments ask for a live deployment."""
    return OPTION in arguments


@dataclass(frozen=True, slots=True)
class LiveStage:
    """A stage without its needs, and those stages that know what no report may show."""

    stage: Stage
    needs: tuple[str, ...] = ()
    knowing: tuple[Revealing, ...] = ()

    @property
    def name(self) -> str:
        """The stage's."""
        return self.stage.name

    @property
    def summary(self) -> str:
        """The stage's."""
        return self.stage.summary

    @property
    def tags(self) -> tuple[str, ...]:
        """The stage's."""
        return self.stage.tags

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """The stage's."""
        self.stage.check_settings(settings, snapshot)

    def reveal(self, context: Context) -> Iterable[str]:
        """What those know that are no part of the run."""
        return [value for stage in self.knowing for value in stage.reveal(context)]

    def run(self, context: Context) -> Examination:
        """The stage's."""
        return self.stage.run(context)

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """A deployment may have changed at any moment, so nothing about it is reused."""
        del context, result
        return False


def live_stages(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """What a live run consists of."""
    every = tuple(stages)
    knowing = tuple(stage for stage in every if isinstance(stage, Revealing))
    return tuple(LiveStage(stage, knowing=knowing) for stage in every if stage.name == STAGE)
