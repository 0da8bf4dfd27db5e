"""From what a stage saw to its result: the states of its findings, the gates that follow from them, and the status.

Here, once and for all stages alike, because a disposition that one stage forgot would be a gate that it does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pipeline.core.disposition import Disposition, disposed, first_of
from pipeline.core.run_record import RunRecord
from pipeline.core.stage import Examination, StageResult
from pipeline.core.verdict import conclude
from pipeline.core.waiver import hiding
from pipeline.core.waiver_standing import with_waivers


def result_of(
    blank: StageResult,
    examination: Examination,
    *,
    record: RunRecord,
    others: Mapping[str, StageResult],
    existing: tuple[Disposition, ...] = (),
) -> StageResult:
    """The result that ``examination`` carries; ``blank`` is the stage's result so far, of which name and times stay.

    ``others`` are the results of the run's other stages. ``existing`` are the dispositions that come after the waivers:
    a finding that is waived is waived, whether it is old or new. All of a run is judged by the day on which it began
    (in UTC), so that no waiver ends between two of its stages.
    """
    today = record.day
    dispositions: tuple[Disposition, ...] = (hiding(record.waivers, today), *existing)
    examined = disposed(examination, first_of(dispositions))
    examined = with_waivers(examined, record.waivers, today, stage=blank.name, others=others)
    status, reasons = conclude(examined)
    return replace(
        blank,
        status=status,
        reasons=reasons,
        evidence=examined.evidence,
        gates=examined.gates,
        findings=examined.findings,
        tools=examined.tools,
        metrics=examined.metrics,
        not_checked=examined.not_checked,
        suppressions=examined.suppressions,
        doubts=examined.doubts,
        notes=examined.notes,
        details=examined.details,
        components=examined.components,
    )
