"""``lint`` as it declares itself: the Python files, and what may configure the tools."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.cache_inputs import Inputs
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, StageResult
from pipeline.settings import Settings
from pipeline.stages.context import Context
from pipeline.stages.declared import whole
from pipeline.stages.inputs import (
    CONFIGURATION,
    LOCALE,
    OF_FINDINGS,
    OF_USER,
    PYTHON_CODE,
    chosen,
    of_files,
    project_locks,
)
from pipeline.stages.source_files import require_paths

OF_RUFF = (".gitignore", ".ignore", "/lint.mccabe.max-complexity=*")
"""What else ruff looks for; a setting that it is given might also be the name of a file."""


@dataclass(frozen=True, slots=True)
class DeclaredLint:
    """What the ``lint`` stage declares."""

    name: str = "lint"
    summary: str = "Check style, errors and complexity with ruff and pylint, with a gate on pylint's score."
    needs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ("quality",)

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """Raises ConfigurationError for a path that is not in the snapshot."""
        require_paths(snapshot, settings.lint.paths, "lint.paths")

    def inputs(self, context: Context) -> Inputs:
        """All Python files, since pylint follows imports wherever they lead, and what may configure the tools."""
        return Inputs(
            files=of_files(PYTHON_CODE, CONFIGURATION, OF_RUFF, project_locks(context), OF_FINDINGS),
            scripts=True,
            folders=True,
            settings=("lint", "sources", "python", "suppressions_need_reasons", "test.requirements"),
            locks=("lint", "test"),
            variables=(*LOCALE, *OF_USER),
            compared=True,
            facts=chosen(context, "test.requirements"),
        )

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """A result about files rests on the snapshot alone."""
        del context, result
        return True

    def run(self, context: Context) -> Examination:
        """With the work of the stage, which is loaded now."""
        return whole(self, "pipeline.stages.lint:LintStage").run(context)
