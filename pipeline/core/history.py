"""The runs before this one, a line each in ``reports/history.jsonl``: what the plots and "since the last green" need.

Pure: the file's text goes in and comes out. Who reads and writes it is :mod:`pipeline.execution.history_file`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec

from pipeline.core.stage import Status

FILE = "history.jsonl"
SCHEMA = "pipeline.history/v1"
MOST_ENTRIES = 500
"""Lines that are kept; the oldest go first."""
MOST_BYTES = 2 << 20
"""Of the whole file; the oldest lines go first."""
MOST_SHOWN = 100
"""Earlier runs that a report shows. Fewer than are kept, so that a report can still be made again a while later."""
MOST_PRINTS = 10_000
"""Findings of one run that are remembered by their fingerprints; of a run that has more, only their number is known."""

# All alike, so that their order is that of the texts.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastStage:
    """A stage in an earlier run; its duration is in seconds.

    ``findings`` are the numbers of those that were not waived, by severity, and of those ``prints`` are the beginnings
    of the fingerprints; none where they are not remembered.
    """

    name: str
    status: Status
    duration_s: float = 0.0
    cached: bool = False
    findings: Mapping[str, int] = field(default_factory=dict)
    waived: int = 0
    prints: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.duration_s) and self.duration_s >= 0):
            raise ValueError("a duration is a number of seconds")
        if min((self.waived, *self.findings.values())) < 0:
            raise ValueError("a number of findings is not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One run. Times are ISO 8601 in UTC; ``policy`` is its digest; ``score`` is pylint's, ``coverage`` in percent."""

    run: str
    started: str
    finished: str
    commit: str
    branch: str
    dirty: bool
    snapshot: str
    policy: str
    verdict: Status
    stages: tuple[PastStage, ...] = ()
    score: float | None = None
    coverage: float | None = None

    def __post_init__(self) -> None:
        if not self.run:
            raise ValueError("a run has an id")
        for time in (self.started, self.finished):
            datetime.fromisoformat(time)
            if not _TIME.fullmatch(time):
                raise ValueError("a time is in UTC, to the millisecond")
        if not all(math.isfinite(value) for value in (self.score, self.coverage) if value is not None):
            raise ValueError("a score is a number")

    @property
    def findings(self) -> int:
        """How many there were that were not waived."""
        return sum(sum(stage.findings.values()) for stage in self.stages)

    def of_severity(self, severity: str) -> int:
        """How many of this severity there were that were not waived."""
        return sum(stage.findings.get(severity, 0) for stage in self.stages)

    def stage(self, name: str) -> PastStage | None:
        """The stage of that name, none where the run had no such."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def without_prints(self) -> HistoryEntry:
        """The same with numbers of findings only."""
        return replace(self, stages=tuple(replace(stage, prints=None) for stage in self.stages))


def parse(text: str) -> tuple[tuple[HistoryEntry, ...], tuple[str, ...]]:
    """The runs in the text, oldest first, and a full sentence for each line that can't be read.

    Of two lines about one run the later one counts.
    """
    runs: dict[str, HistoryEntry] = {}
    notes = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                entry = _parsed(line)
                runs[entry.run] = entry
            except (ValueError, RecursionError) as error:
                notes.append(f"Line {number} of {FILE} is damaged and was left out: {_first_line(error)}.")
    return tuple(sorted(runs.values(), key=_age)), tuple(notes)


def with_runs(entries: Iterable[HistoryEntry], others: Iterable[HistoryEntry]) -> tuple[HistoryEntry, ...]:
    """All of them, bounded; of two about one run the one in ``others`` counts."""
    runs = {entry.run: entry for entry in (*entries, *others)}
    return bounded(sorted(runs.values(), key=_age))


def union(histories: Iterable[Iterable[HistoryEntry]]) -> tuple[HistoryEntry, ...]:
    """All runs of several histories, in whatever order those come: of two lines about one run the later counts."""
    runs: dict[str, HistoryEntry] = {}
    for entry in (entry for history in histories for entry in history):
        runs[entry.run] = max(runs.get(entry.run, entry), entry, key=_knowledge)
    return tuple(sorted(runs.values(), key=_age))


def bounded(entries: Iterable[HistoryEntry]) -> tuple[HistoryEntry, ...]:
    """The newest of ``entries``, which are in order. Only the last green one has to remember fingerprints."""
    newest = tuple(entries)[-MOST_ENTRIES:]
    green = last_green(newest)
    trimmed = [entry if entry is green else entry.without_prints() for entry in newest]
    size, kept = 0, 0
    for entry in reversed(trimmed):
        size += len(_line(entry))
        if size > MOST_BYTES:
            break
        kept += 1
    return tuple(trimmed[len(trimmed) - kept :])


def text_of(entries: Iterable[HistoryEntry]) -> str:
    """The file's text. It is ASCII, so that whatever a branch is called, the file can be written and shown."""
    return "".join(_line(entry) for entry in entries)


def last_green(entries: Iterable[HistoryEntry]) -> HistoryEntry | None:
    """The last of the runs that was a pass, none where there is none."""
    return next((entry for entry in reversed(tuple(entries)) if entry.verdict is Status.PASS), None)


def before(entries: Iterable[HistoryEntry], *, run: str, started: str) -> tuple[HistoryEntry, ...]:
    """Those of the other runs that began before this one."""
    return tuple(entry for entry in entries if entry.run != run and entry.started < started)


def shown(earlier: tuple[HistoryEntry, ...]) -> tuple[HistoryEntry, ...]:
    """Those of the earlier runs that a report shows."""
    return earlier[-MOST_SHOWN:]


def _age(entry: HistoryEntry) -> tuple[str, str]:
    return entry.started, entry.run


def _knowledge(entry: HistoryEntry) -> tuple[str, bool, str]:
    return entry.finished, any(stage.prints is not None for stage in entry.stages), _line(entry)


def _line(entry: HistoryEntry) -> str:
    document = {"schema": SCHEMA, **msgspec.to_builtins(entry)}
    return json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n"


def _parsed(line: str) -> HistoryEntry:
    document: Any = json.loads(line, parse_constant=_refused)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f"it is no entry of {SCHEMA}")
    return msgspec.convert(document, HistoryEntry)


def _refused(constant: str) -> Iterator[None]:
    raise ValueError(f"{constant} is no JSON")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__
