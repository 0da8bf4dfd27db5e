"""The results of single files on disk: one file a shelf, believed only when its digest fits.

One file and not one for each result, because a run over thousands of files would otherwise open as many.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pipeline.core.ports import Progress
from pipeline.errors import StorageTrouble
from pipeline.execution.files import write_atomically

MOST_BYTES = 64 * 2**20
"""What a shelf holds at most; the results that were used longest ago go first."""


class ShelvedResults:
    """Fulfils :class:`pipeline.core.file_results.FileResults` with files below ``folder``.

    ``reads`` and ``writes`` say whether earlier results count, and whether this run's are kept. Two runs at once may
    each replace the other's shelf as a whole; what is lost by that is only looked at anew.
    """

    def __init__(
        self, folder: Path, progress: Progress, *, reads: bool = True, writes: bool = True, most: int = MOST_BYTES
    ) -> None:
        self._folder = folder
        self._progress = progress
        self._reads = reads
        self._writes = writes
        self._most = most
        self._told: set[str] = set()

    def read(self, shelf: str) -> Mapping[str, str]:
        """What the shelf holds. A damaged one is as good as none, and is told of."""
        return self._load(shelf) if self._reads else {}

    def write(self, shelf: str, entries: Mapping[str, str]) -> None:
        """Put the entries first, then those from before, as far as there is room. A full disk costs the shelf alone."""
        if not self._writes:
            return
        earlier = self._load(shelf)
        self._put(shelf, {**entries, **{key: text for key, text in earlier.items() if key not in entries}})

    def replace(self, shelf: str, entries: Mapping[str, str]) -> None:
        """Put the entries in the place of all from before, as far as there is room."""
        if self._writes:
            self._put(shelf, entries)

    def _put(self, shelf: str, everything: Mapping[str, str]) -> None:
        kept: dict[str, str] = {}
        size = 0
        for key, text in everything.items():
            size += len(key) + len(text)
            if size > self._most:
                break
            kept[key] = text
        body = json.dumps(kept)
        try:
            write_atomically(self._path(shelf), f"{_digest(body)}\n{body}")
        except StorageTrouble as error:
            self._progress.say(f"what {shelf} said of each file is not kept: {error}")

    def _load(self, shelf: str) -> dict[str, str]:
        try:
            digest, _, body = self._path(shelf).read_text(encoding="ascii").partition("\n")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            digest = body = ""
        if not digest or digest != _digest(body):
            if shelf not in self._told:
                self._progress.say(f"what {shelf} said of each file in earlier runs is damaged and does not count")
            self._told.add(shelf)
            return {}
        entries: dict[str, str] = json.loads(body)
        return entries

    def _path(self, shelf: str) -> Path:
        return self._folder / f"{shelf}.json"


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode("ascii")).hexdigest()
