"""Secrets masked in the free text of a result, field by field.

Never in the rendered report: there a secret that happens to be called like a key or a status would take the report
apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pipeline.core.run_record import RunRecord
from pipeline.core.stage import StageResult

Mask = Callable[[str], str]


def masked_result(result: StageResult, mask: Mask) -> StageResult:
    """The result with every text that comes from outside masked; names, statuses, rules and digests stay."""
    return replace(
        result,
        reasons=tuple(mask(reason) for reason in result.reasons),
        gates=tuple(replace(gate, allowed=mask(gate.allowed), found=mask(gate.found)) for gate in result.gates),
        findings=tuple(
            replace(f, message=mask(f.message), snippet=mask(f.snippet), fix=mask(f.fix)) for f in result.findings
        ),
        metrics={name: masked_value(value, mask) for name, value in result.metrics.items()},
        not_checked=tuple(replace(n, what=mask(n.what), reason=mask(n.reason)) for n in result.not_checked),
        suppressions=tuple(replace(s, text=mask(s.text), reason=mask(s.reason)) for s in result.suppressions),
        doubts=tuple(mask(doubt) for doubt in result.doubts),
        notes=tuple(mask(note) for note in result.notes),
        command=mask(result.command),
    )


def masked_record(record: RunRecord, mask: Mask) -> RunRecord:
    """The record of a run with what comes from outside masked: branch, actor, the policy's values and changes."""
    return replace(
        record,
        branch=mask(record.branch),
        actor=mask(record.actor),
        policy=masked_value(dict(record.policy), mask),
        waivers=tuple(replace(w, reason=mask(w.reason), owner=mask(w.owner)) for w in record.waivers),
        changes=tuple(replace(change, sentence=mask(change.sentence)) for change in record.changes),
    )


def masked_value(value: Any, mask: Mask) -> Any:
    """A JSON value with its texts masked, and its keys as they are."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {name: masked_value(item, mask) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked_value(item, mask) for item in value]
    return value
