"""``scan`` as it declares itself: the Python files that bandit looks at."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.cache_inputs import Inputs, below, exactly
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, StageResult
from pipeline.settings import Settings
from pipeline.stages.context import Context
from pipeline.stages.declared import whole
from pipeline.stages.inputs import LOCALE, OF_FINDINGS, OF_USER, OWN_FILE, of_files
from pipeline.stages.source_files import require_paths


@dataclass(frozen=True, slots=True)
class DeclaredScan:
    """What the ``scan`` stage declares."""

    name: str = "scan"
    summary: str = "Look for insecure code with bandit."
    needs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ("security",)

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """Raises ConfigurationError for a path that is not in the snapshot."""
        require_paths(snapshot, settings.scan.paths, "scan.paths")

    def inputs(self, context: Context) -> Inputs:
        """The Python files that it looks at, and its configuration; bandit follows no import and no link."""
        own = exactly((".bandit", "bandit.yaml", "bandit.yml", "bandit.toml", OWN_FILE))
        return Inputs(
            files=of_files(below(context.settings.scan.paths, "*.py"), own, OF_FINDINGS),
            scripts=True,
            follows_links=False,
            settings=("scan", "sources", "suppressions_need_reasons"),
            locks=("scan",),
            variables=(*LOCALE, *OF_USER),
            compared=True,
        )

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """A result about files rests on the snapshot alone."""
        del context, result
        return True

    def run(self, context: Context) -> Examination:
        """With the work of the stage, which is loaded now."""
        return whole(self, "pipeline.stages.scan:ScanStage").run(context)
