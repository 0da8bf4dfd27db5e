"""``pipeline report``: any format of a finished report again, from its ``pipeline.json`` alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.console_plain import complain, tell
from pipeline.core.history import before, shown
from pipeline.core.run_record import Report
from pipeline.errors import ConfigurationError, StorageTrouble
from pipeline.execution.history_file import HistoryFile
from pipeline.execution.report_folder import text_in
from pipeline.execution.store import ResultStore
from pipeline.reporters import FORMATS, json_reading, json_report
from pipeline.settings_values import nearest
from pipeline.verification import DAMAGED, MERGED
from pipeline.workplace import Workplace

_WIDTH = max(map(len, FORMATS))


def carry_out(source: Workplace | Path, names: Sequence[str], output: Path | None) -> int:
    """Write the formats called ``names`` (none: all) of the report in ``source``, there or in ``output``; returns 0.

    ``source`` is a reports folder, or a checkout, in which no run may be at work then. ``pipeline.json`` is what they
    are made from, so that one is never written over.

    Raises:
        ConfigurationError: there is no report, it is of a later schema, or there is no such format (exit 2).
        StorageTrouble: the report is damaged, or a file can't be written (exit 3).
    """
    chosen = _chosen(names)
    if isinstance(source, Path):
        return _make(source, chosen, output or source)
    source.lock.acquire()
    try:
        return _make(source.store.reports, chosen, output or source.store.reports)
    finally:
        source.lock.release()


def _make(reports: Path, chosen: Sequence[str], target: Path) -> int:
    report = read_report(reports)
    store = ResultStore(target, target, encode=json_report.render_stage, decode=json_reading.parse_stage)
    in_place = target.resolve() == reports.resolve()
    for name in chosen:
        try:
            files = FORMATS[name].files(report)
        except DAMAGED as error:
            raise StorageTrouble(f"{MERGED} says what {name} can't be made of: {error}.") from error
        if not (in_place and MERGED in files):
            store.put(files, FORMATS[name].globs)
        tell(sys.stdout, f"{name:<{_WIDTH}} {', '.join(files) or 'has nothing to say, so there is no file'}")
    return 0


def list_formats() -> int:
    """Print every format with the files that it makes; returns 0."""
    for name, made in FORMATS.items():
        tell(sys.stdout, f"{name:<{_WIDTH}} {', '.join(made.places)}")
    return 0


def read_report(folder: Path) -> Report:
    """The report in ``folder``, with the history beside it.

    Raises:
        ConfigurationError: there is none, or it is of a later schema.
        StorageTrouble: it is damaged.
    """
    try:
        text = text_in(folder, MERGED)
    except FileNotFoundError:
        raise ConfigurationError(
            f"There is no report in {folder}: it has no {MERGED}.", advice="Run the pipeline."
        ) from None
    try:
        report = json_reading.parse_report(text)
    except json_reading.OtherSchema as error:
        raise ConfigurationError(
            f"{MERGED} can't be read: {error}.", advice="Use the release of the pipeline that has written it."
        ) from error
    except DAMAGED as error:
        raise StorageTrouble(f"{MERGED} is no report or is damaged: {error}.", advice="Run the pipeline.") from error
    entries, notes = HistoryFile(folder).read()
    for note in notes:
        complain(sys.stderr, note)
    earlier = before(entries, run=report.record.run_id, started=report.record.started)
    return replace(report, history=shown(earlier))


def _chosen(names: Sequence[str]) -> tuple[str, ...]:
    """The formats by their names; several may stand in one, parted by commas, and a file may stand for its format."""
    wanted = [part for name in names for part in name.split(",") if part]
    by_place = {place: name for name, made in FORMATS.items() for place in made.places}
    chosen = [by_place.get(name, name) for name in wanted]
    for name in chosen:
        if name not in FORMATS:
            raise ConfigurationError(f"There is no format {name!r}{nearest(name, tuple(FORMATS))}.")
    return tuple(name for name in FORMATS if name in chosen or not chosen)
