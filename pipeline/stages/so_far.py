"""How far a tool has come, read from the record that its witness writes while it works: for people, and no evidence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


class SoFar:
    """Counts the different names in a growing file; called, it says "120 of 285 files", or "" before the first one.

    ``name_of`` is the name that a line tells of, empty where it tells of none.
    """

    def __init__(self, record: Path, total: int, unit: str, name_of: Callable[[str], str] = str.strip) -> None:
        self._record = record
        self._total = total
        self._unit = unit
        self._name_of = name_of
        self._read = 0
        self._names: set[str] = set()

    def __call__(self) -> str:
        """Only what has been written since the last call is read, and only whole lines of it."""
        try:
            with self._record.open("rb") as file:
                file.seek(self._read)
                new = file.read()
        except OSError:
            # Not written yet, or gone: nothing is known, and nothing depends on it.
            return ""
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        self._names |= {self._name_of(line) for line in whole.decode("utf-8", "replace").splitlines()} - {""}
        done = len(self._names)
        if not done:
            return ""
        return f"{done} of {self._total} {self._unit}" if done <= self._total else f"{done} {self._unit}"
