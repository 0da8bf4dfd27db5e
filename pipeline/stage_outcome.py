"""One stage carried out: what it saw, or the trouble that it met, turned into its result, never green by accident."""

from __future__ import annotations

from dataclasses import replace

from pipeline.core.stage import Examination, StageResult, Status
from pipeline.core.verdict import conclude
from pipeline.errors import ConfigurationError, PipelineError, StorageTrouble, TargetFault
from pipeline.execution.checkout import altered
from pipeline.stages.context import Context, Stage
from pipeline.workplace import Workplace


def carried_out(stage: Stage, context: Context, blank: StageResult, place: Workplace) -> StageResult:
    """Run ``stage`` and fill in ``blank``, the result as it stands while the stage runs.

    Raises:
        ConfigurationError: the user must mend something before this stage can run.
        KeyboardInterrupt: the run was interrupted.
    """
    try:
        place.store.fresh_raw(stage.name)
        examination = stage.run(context)
        changed = altered(context.snapshot, context.tree)
        if changed:
            raise StorageTrouble(f"The stage changed the snapshot that it was to check: {', '.join(changed[:3])}.")
        return _from_examination(blank, examination)
    except TargetFault as fault:
        return replace(blank, status=Status.FAIL, reasons=(str(fault),))
    except ConfigurationError:
        raise
    except PipelineError as trouble:
        return replace(blank, status=Status.INCONCLUSIVE, reasons=(str(trouble),))
    except OSError as error:
        # Not foreseen in the stage, but of the outside world: a full disk, a file that vanished.
        reason = f"The stage could not do its work: {error.strerror or error} ({error.filename or 'no file'})."
        return replace(blank, status=Status.INCONCLUSIVE, reasons=(reason,))
    except Exception as error:  # pylint: disable=broad-exception-caught  # a defect in a stage is never green either
        place.keep_traceback(stage.name, error)
        reason = f"The stage broke down, which is a defect of the pipeline: {type(error).__name__}: {error}."
        return replace(blank, status=Status.INCONCLUSIVE, reasons=(reason,))


def _from_examination(result: StageResult, examination: Examination) -> StageResult:
    status, reasons = conclude(examination)
    return replace(
        result,
        status=status,
        reasons=reasons,
        evidence=examination.evidence,
        gates=examination.gates,
        findings=examination.findings,
        tools=examination.tools,
        metrics=examination.metrics,
        not_checked=examination.not_checked,
        suppressions=examination.suppressions,
    )
