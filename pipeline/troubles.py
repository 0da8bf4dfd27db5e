"""What becomes of a stage that did not come to its end: a status and a sentence for each kind of trouble."""

from __future__ import annotations

from dataclasses import replace

from pipeline.core.stage import StageResult, Status
from pipeline.errors import (
    EngineTrouble,
    EnvironmentTrouble,
    FetchTrouble,
    PipelineError,
    RegistryTrouble,
    TargetFault,
)


def is_defect(error: Exception) -> bool:
    """Whether nobody has foreseen it: then it is a fault of the pipeline, whose trace its maintainers need."""
    return not isinstance(error, PipelineError | OSError)


def may_pass(error: Exception) -> bool:
    """Whether it is trouble with what the pipeline stands on, which may be gone a moment later; never a finding."""
    return isinstance(error, EngineTrouble | RegistryTrouble | FetchTrouble | EnvironmentTrouble)


def ended_by(blank: StageResult, error: Exception) -> StageResult:
    """The result of a stage that ended with ``error``; only a certain fault of the target is ``fail``."""
    if isinstance(error, TargetFault):
        return replace(blank, status=Status.FAIL, reasons=(str(error),))
    if isinstance(error, PipelineError):
        reason = str(error)
    elif isinstance(error, OSError):
        # Not foreseen in the stage, but of the outside world: a full disk, a file that vanished. Never green.
        reason = f"The stage could not do its work: {error.strerror or error} ({error.filename or 'no file'})."
    else:
        reason = f"The stage broke down, which is a defect of the pipeline: {type(error).__name__}: {error}."
    return replace(blank, status=Status.INCONCLUSIVE, reasons=(reason,))
