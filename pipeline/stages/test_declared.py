"""``test`` as it declares itself: everything, since only the tests know what they read."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.cache_inputs import EVERYTHING, Inputs
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, StageResult
from pipeline.settings import Settings
from pipeline.stages.context import Context
from pipeline.stages.declared import whole
from pipeline.stages.inputs import OF_TESTS, chosen
from pipeline.stages.source_files import require_paths


@dataclass(frozen=True, slots=True)
class DeclaredTest:
    """What the ``test`` stage declares."""

    name: str = "test"
    summary: str = "Run unit, integration, regression, acceptance and in-process smoke tests, with coverage."
    needs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ("quality",)

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """Raises ConfigurationError for a coverage path that is not there. Without tests it is ``inconclusive``."""
        require_paths(snapshot, settings.test.coverage, "test.coverage")

    def spreads(self, settings: Settings) -> bool:
        """Whether the tests run in as many processes as there are cores for them."""
        return settings.test.parallel

    def inputs(self, context: Context) -> Inputs:
        """Everything: what a project's tests read of its files, only they know."""
        return Inputs(
            files=(EVERYTHING,),
            settings=("test", "service", "sources", "python", "suppressions_need_reasons"),
            locks=("test",),
            variables=OF_TESTS,
            compared=True,
            facts=chosen(context, "test.requirements"),
        )

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """A result about files rests on the snapshot alone."""
        del context, result
        return True

    def run(self, context: Context) -> Examination:
        """With the work of the stage, which is loaded now."""
        return whole(self, "pipeline.stages.test:TestStage").run(context)
