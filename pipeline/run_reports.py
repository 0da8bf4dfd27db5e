"""The reports of a whole run: every format from one value, and the line that the run leaves to the history.

Written by one process of a run at a time, since the workers of ``nox -j`` are processes of their own.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

from pipeline.core.change import entry_of
from pipeline.core.history import HistoryEntry, before, last_green, shown
from pipeline.core.masking import masked_entry
from pipeline.core.run_record import Report, RunRecord
from pipeline.execution.history_file import HistoryFile
from pipeline.kept_bills import KeptBills
from pipeline.reporters import FORMATS
from pipeline.workplace import Workplace

AT_ONCE = ("json", "junit")
"""The formats that a run is told in from its first moment on (the files of the contract, ``pipeline.*``)."""


class RunReports:
    """Writes the reports of one run in a workplace."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._file = HistoryFile(place.store.reports, place.redact)
        self._told: set[str] = set()
        self._earlier: tuple[HistoryEntry, ...] = ()
        self._formats = {**FORMATS, "sbom": replace(FORMATS["sbom"], render=KeptBills(place).render)}

    @property
    def history(self) -> tuple[HistoryEntry, ...]:
        """The runs before this one, as far as its report shows them, once :meth:`opened` has looked for them."""
        return tuple(masked_entry(entry, self._place.redact) for entry in shown(self._earlier))

    def opened(self, record: RunRecord, *, joined: bool) -> RunRecord:
        """The record with the last green run before it. One that was ``joined`` knows that already."""
        entries, notes = self._file.read()
        self._tell(notes)
        earlier = before(entries, run=record.run_id, started=record.started)
        self._earlier = earlier
        return record if joined else replace(record, last_green=last_green(earlier))

    def write(self, make: Callable[[], Report]) -> Report:
        """Write the report that ``make`` gives, in every format; it is called when no other process is writing."""
        return self._written(make, tuple(self._formats))

    def begin(self, make: Callable[[], Report]) -> Report:
        """Write the report of a run that has come to nothing yet: in the formats that are wanted at once.

        The others tell of an earlier run and are taken away. They are made before anything is waited for, which is
        soon; and a report that is not there misleads nobody whose run was killed before.
        """
        return self._written(make, AT_ONCE)

    def _written(self, make: Callable[[], Report], wanted: Collection[str]) -> Report:
        with self.one_at_a_time("merge"):
            report = make()
            for name, made in self._formats.items():
                self._place.store.put(made.files(report) if name in wanted else {}, made.globs)
        return report

    def remember(self, report: Report) -> None:
        """Add the run to the history, or replace what an earlier process of it has added."""
        self._tell(self._file.add(entry_of(report)))

    @contextlib.contextmanager
    def one_at_a_time(self, what: str) -> Iterator[None]:
        """Among the processes of one run that do ``what``."""
        self._place.state.mkdir(parents=True, exist_ok=True)
        with (self._place.state / f"{what}.lock").open("w", encoding="ascii") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield

    def _tell(self, notes: Iterable[str]) -> None:
        """Once: what can't be read when the run begins is still so when it ends."""
        for note in notes:
            if note not in self._told:
                self._told.add(note)
                self._place.console.line(note)
