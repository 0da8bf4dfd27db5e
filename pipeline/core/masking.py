"""Secrets masked in the texts of a result, field by field.

Never in the rendered report: there a secret that happens to be called like a key or a status would take the report
apart. Every text of the model is masked unless it is named here as one of ours, so that a new field is masked too.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any

from pipeline.core.evidence import Evidence
from pipeline.core.finding import Finding
from pipeline.core.history import HistoryEntry, PastStage
from pipeline.core.run_record import RunRecord
from pipeline.core.stage import Artifact, Examination, StageResult
from pipeline.core.verdict import conclude

Mask = Callable[[str], str]


OURS: Mapping[type, frozenset[str]] = {
    StageResult: frozenset({"name", "snapshot", "policy", "started", "reused"}),
    Finding: frozenset({"id", "exploited"}),
    Evidence: frozenset({"unit"}),
    Artifact: frozenset({"path", "sha256"}),
    RunRecord: frozenset(
        {"run_id", "snapshot", "commit", "started", "stages", "required", "policy_digest", "generator"}
    ),
    HistoryEntry: frozenset({"run", "started", "finished", "commit", "snapshot", "policy"}),
    PastStage: frozenset({"name", "prints"}),
}
"""Names, times and digests that this package gives, and by which the parts of a report are put together."""


def masked_result(result: StageResult, mask: Mask) -> StageResult:
    """The result with every text that comes from outside masked; what holds it together stays."""
    shown: StageResult = _masked(result, mask)
    if shown.evidence is result.evidence or _reasons(result) != result.reasons:
        return shown
    # A reason that lists names has them in their order, which a mask may change.
    return replace(shown, reasons=_reasons(shown))


def _reasons(result: StageResult) -> tuple[str, ...]:
    """Those that follow from its evidence, gates and doubts."""
    if result.evidence is None:
        return ()
    return conclude(
        Examination(evidence=result.evidence, gates=result.gates, doubts=result.doubts, notes=result.notes)
    )[1]


def masked_record(record: RunRecord, mask: Mask) -> RunRecord:
    """The record of a run with what comes from outside masked; the names of the policy's settings stay."""
    shown: RunRecord = _masked(replace(record, policy={}), mask)
    return replace(shown, policy=masked_value(record.policy, mask))


def masked_entry(entry: HistoryEntry, mask: Mask) -> HistoryEntry:
    """An earlier run with what came from outside masked: what is a secret today was perhaps not known as one then."""
    shown: HistoryEntry = _masked(entry, mask)
    return shown


def masked_value(value: Any, mask: Mask) -> Any:
    """A JSON value with its texts masked, and its keys as they are."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {name: masked_value(item, mask) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked_value(item, mask) for item in value]
    return value


def masked_output(text: str, mask: Mask) -> str:
    """What a tool wrote, masked as the text that it is, so that nothing else in it changes.

    Where that would take a JSON text apart (a secret that begins within an escape), its texts are masked one by one;
    but rather a text that nobody can read again than one that shows a secret.
    """
    shown = mask(text)
    if shown == text or _parsed(shown) is not None or _parsed(text) is None:
        return shown
    again = json.dumps(masked_value(_parsed(text), mask), indent=1, ensure_ascii=False) + "\n"
    return again if mask(again) == again else shown


def _parsed(text: str) -> Any:
    """A JSON object or list; none of anything else."""
    try:
        return json.loads(text) if text.lstrip()[:1] in ("{", "[") else None
    except (ValueError, RecursionError):
        return None


def _masked(value: Any, mask: Mask) -> Any:
    """A value of the model with all its texts masked; the very same value where there is nothing to mask."""
    if isinstance(value, str):
        return value if isinstance(value, Enum) else mask(value)
    if isinstance(value, tuple | list | frozenset):
        items = [_masked(item, mask) for item in value]
        return value if all(map(_same, value, items)) else type(value)(items)
    if isinstance(value, Mapping):
        pairs = [(_masked(name, mask), _masked(item, mask)) for name, item in value.items()]
        same = all(name is old and item is value[old] for (name, item), old in zip(pairs, value, strict=True))
        return value if same else dict(pairs)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    if isinstance(value, Evidence):
        return _masked_evidence(value, mask)
    shown = {name: _masked(getattr(value, name), mask) for name in _names(type(value))}
    changed = {name: item for name, item in shown.items() if item is not getattr(value, name)}
    return replace(value, **changed) if changed else value


def _masked_evidence(evidence: Evidence, mask: Mask) -> Evidence:
    """Names that differ in their secrets alone still differ, or what was not checked would vanish among the others."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(evidence.expected | evidence.checked):
        masked = mask(name)
        ways = (masked if number == 1 else f"{masked} ({number})" for number in itertools.count(1))
        names[name] = next(way for way in ways if way not in taken)
        taken.add(names[name])
    controls = _masked(evidence.controls, mask)
    nothing = mask(evidence.nothing_expected)
    if controls is evidence.controls and nothing == evidence.nothing_expected and all(a == b for a, b in names.items()):
        return evidence
    return replace(
        evidence,
        expected=frozenset(map(names.__getitem__, evidence.expected)),
        checked=frozenset(map(names.__getitem__, evidence.checked)),
        controls=controls,
        nothing_expected=nothing,
    )


def _same(one: Any, other: Any) -> bool:
    return one is other


@cache
def _names(kind: type) -> tuple[str, ...]:
    ours = OURS.get(kind, frozenset())
    return tuple(field.name for field in fields(kind) if field.name not in ours)
