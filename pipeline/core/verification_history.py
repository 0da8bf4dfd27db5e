"""What a report's history and the report say of each other. The history is in no digest: it grows with every run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pipeline.core.change import entry_of
from pipeline.core.history import FILE, HistoryEntry
from pipeline.core.run_record import Report
from pipeline.core.verification import Statement, confirmed, left_open

_ABOUT = "history"
_MOST_NOTES = 5


def history_told(entries: Iterable[HistoryEntry], notes: Iterable[str], report: Report) -> tuple[Statement, ...]:
    """Nothing that the history says contradicts a report: it may be of a moment before the run had ended."""
    statements = [left_open(_ABOUT, note) for note in list(notes)[:_MOST_NOTES]]
    own = next((entry for entry in entries if entry.run == report.record.run_id), None)
    if own is not None:
        same = _comparable(own) == _comparable(entry_of(report))
        text = f"{FILE} says the same of this run." if same else f"{FILE} holds another state of this run."
        statements.append(confirmed(_ABOUT, text) if same else left_open(_ABOUT, text))
    if report.record.last_green is not None:
        text = "What has changed since the last green run rests on the report's own word about that run."
        statements.append(left_open(_ABOUT, text))
    return tuple(statements)


def _comparable(entry: HistoryEntry) -> HistoryEntry:
    """Without what is forgotten after a while, and the moment at which the line was written."""
    return replace(entry.without_prints(), finished=entry.started)
