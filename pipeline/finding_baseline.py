"""``finding-baseline.json``: the findings that a project has decided to live with for now, read and written.

It lies at the root and is committed, so it is part of the snapshot. It only shrinks (see
:mod:`pipeline.baseline_command`). The digests in it stand for lines of the source, also for a line with a credential:
whoever can read this file can read that line in the history beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec

from pipeline.core.baseline import Known, Print
from pipeline.core.policy_files import BASELINE as FILE
from pipeline.core.snapshot import Snapshot
from pipeline.errors import ConfigurationError

SCHEMA = "pipeline.finding-baseline/v1"
STAGES = ("lint", "scan", "secrets", "audit")
"""The stages whose findings may be known ones: those that read files, so that a finding has its place in them."""

FindingBaseline = Mapping[str, tuple[Known, ...]]
"""The known findings of each stage."""

_COMPARED = tuple(item.name for item in fields(Print))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry(Print):
    stage: str
    count: int
    reason: str = ""


def read(root: Path, snapshot: Snapshot) -> FindingBaseline:
    """The baseline that is part of the snapshot of ``root``; empty when there is none.

    Raises:
        ConfigurationError: it is damaged, or not one.
    """
    return parse((root / FILE).read_text(encoding="utf-8", errors="replace")) if FILE in snapshot.by_path else {}


def parse(text: str) -> FindingBaseline:
    """The known findings in a text.

    Raises:
        ConfigurationError: it is damaged, or not one.
    """
    known: dict[str, list[Known]] = {}
    try:
        document: dict[str, Any] = json.loads(text)
        if document["schema"] != SCHEMA:
            raise ValueError(f"its schema is {document['schema']!r} and not {SCHEMA!r}")
        for raw in document["findings"]:
            entry = msgspec.convert(raw, _Entry)
            if entry.stage not in STAGES:
                raise ValueError(f"{entry.stage!r} is no stage whose findings may be known")
            mark = Print(**{name: getattr(entry, name) for name in _COMPARED})
            known.setdefault(entry.stage, []).append(Known(print=mark, count=entry.count, reason=entry.reason))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigurationError(
            f"{FILE} can't be used: {type(error).__name__}: {error}.",
            advice="Restore it from git; only 'pipeline baseline' writes it.",
        ) from error
    return {stage: tuple(entries) for stage, entries in known.items()}


def render(baseline: FindingBaseline) -> str:
    """The text of the file: an entry a line, in a stable order, so that a change of it is read easily."""
    lines = [
        json.dumps(_plain(stage, known))
        for stage in STAGES
        for known in sorted(baseline.get(stage, ()), key=lambda k: (k.print.path, k.print.exactly))
    ]
    entries = ",\n  ".join(lines)
    inside = f"\n  {entries}\n " if lines else ""
    return f'{{\n "schema": "{SCHEMA}",\n "findings": [{inside}]\n}}\n'


def amount(known: Iterable[Known]) -> int:
    """How many findings they account for."""
    return sum(item.count for item in known)


def _plain(stage: str, known: Known) -> dict[str, Any]:
    mark = {name: getattr(known.print, name) for name in _COMPARED if getattr(known.print, name)}
    return {"stage": stage, **mark, "count": known.count, **({"reason": known.reason} if known.reason else {})}
