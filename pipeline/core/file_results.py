"""What a tool said of single files in earlier runs: the port behind which it is kept, and the key under which.

Apart from the results of whole stages, because its grain is another: one changed file among a thousand is looked at
anew, and the others' part of the tool's output is put together with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Protocol


class FileResults(Protocol):
    """Texts by key, kept from run to run in shelves: one for each tool."""

    def read(self, shelf: str) -> Mapping[str, str]:
        """All that is kept in a shelf; nothing when there is none, it is damaged, or earlier results do not count."""
        ...

    def write(self, shelf: str, entries: Mapping[str, str]) -> None:
        """Keep these, and what was there before as long as there is room."""
        ...


class NothingKept:
    """Fulfils :class:`FileResults` by forgetting: every file is looked at anew."""

    def read(self, shelf: str) -> Mapping[str, str]:
        """Nothing."""
        del shelf
        return {}

    def write(self, shelf: str, entries: Mapping[str, str]) -> None:
        """Forget them."""
        del shelf, entries


def key_of(parts: Iterable[str]) -> str:
    """SHA-256 over all that decides a result. No two different sequences of texts have the same one."""
    # As JSON, because parts that are merely joined could be cut elsewhere; in ASCII, because names need not be UTF-8.
    return hashlib.sha256(json.dumps(list(parts)).encode("ascii")).hexdigest()
