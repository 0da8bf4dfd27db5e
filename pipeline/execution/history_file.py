"""``reports/history.jsonl`` on disk: read within bounds, written whole, by one process at a time.

What can't be read or written is a note for the reader and never the end of a run: a plot is worth less than a verdict.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.core.history import FILE, MOST_BYTES, HistoryEntry, parse, text_of, with_runs
from pipeline.core.masking import masked_entry
from pipeline.errors import StorageTrouble
from pipeline.execution.report_files import write_below

# Without O_NONBLOCK a pipe in the file's place would hold us for ever; a link would lead out of the reports.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class HistoryFile:
    """The history in the folder ``reports``; ``mask`` is applied to the texts of earlier runs too."""

    def __init__(self, reports: Path, mask: Callable[[str], str] = str) -> None:
        self._path = reports / FILE
        self._mask = mask

    def read(self) -> tuple[tuple[HistoryEntry, ...], tuple[str, ...]]:
        """The runs, oldest first, and a full sentence for whatever could not be read of them."""
        try:
            text, notes = self._text()
        except FileNotFoundError:
            return (), ()
        except OSError as error:
            return (), (f"{FILE} can't be read: {error.strerror or error}.",)
        entries, damaged = parse(text)
        masked = tuple(masked_entry(entry, self._mask) for entry in entries)
        return masked, (*notes, *damaged)

    def add(self, *entries: HistoryEntry) -> tuple[str, ...]:
        """Write a line for each of these runs, in the place of an earlier one about it; damaged lines are left out.

        Returns a full sentence for whatever could not be read or written.
        """
        try:
            with _alone(self._path.parent):
                earlier, notes = self.read()
                write_below(self._path.parent, FILE, text_of(with_runs(earlier, entries)))
        except StorageTrouble as trouble:
            return (str(trouble),)
        except OSError as error:
            return (f"The run could not be added to {FILE}: {error.strerror or error}.",)
        return notes

    def _text(self) -> tuple[str, tuple[str, ...]]:
        """The file's text, or its end where it is longer than any that we write."""
        with os.fdopen(os.open(self._path, _FLAGS), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return "", (f"{FILE} is no ordinary file and was not read.",)
            too_long = status.st_size > 2 * MOST_BYTES
            if too_long:
                file.seek(-2 * MOST_BYTES, os.SEEK_END)
                # What is left of a line whose beginning was passed over.
                file.readline()
            content = file.read(2 * MOST_BYTES)
        notes = (f"{FILE} is longer than it may be, and only its end was read.",) if too_long else ()
        return content.decode("utf-8", "replace"), notes


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Among all who add to a history in this folder. The folder itself is locked: a lock file would be no report."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
