"""The exact content that a run is about: every tracked and every untracked, not ignored file, by digest.

The digest is what joins results: two stage results belong together only when theirs are equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import PurePosixPath


class Kind(StrEnum):
    """What an entry is; ``SUBMODULE`` is the commit that git records, its files are not part of the snapshot."""

    FILE = "file"
    EXECUTABLE = "executable"
    LINK = "link"
    SUBMODULE = "submodule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One path of a snapshot. ``digest`` is the SHA-256 of the content or of a link's target, or a submodule's id."""

    path: str
    kind: Kind
    digest: str
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The entries sorted by path, and where they come from: ``commit``, ``branch`` (empty: detached), dirty or not."""

    entries: tuple[Entry, ...]
    commit: str
    branch: str
    dirty: bool
    committed: str
    """When HEAD was committed, ISO 8601 in UTC; the only time that may enter what is built."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the sorted entries: kind, path, content digest."""
        total = hashlib.sha256()
        for entry in self.entries:
            total.update(f"{entry.kind}\0{entry.path}\0{entry.digest}\n".encode("utf-8", "surrogateescape"))
        return total.hexdigest()

    @cached_property
    def by_path(self) -> dict[str, Entry]:
        """The entries by their path."""
        return {entry.path: entry for entry in self.entries}

    def has_folder(self, folder: str) -> bool:
        """Whether any entry lies below ``folder`` (or ``folder`` is the root)."""
        return folder in ("", ".") or any(is_below(entry.path, folder) for entry in self.entries)

    def files(self, below: Iterable[str] = (".",), pattern: str = "*") -> tuple[str, ...]:
        """The regular files in any of the folders ``below`` (or equal to one) whose name matches ``pattern``."""
        roots = tuple(below)
        return tuple(
            entry.path
            for entry in self.entries
            if entry.kind in (Kind.FILE, Kind.EXECUTABLE)
            and fnmatchcase(PurePosixPath(entry.path).name, pattern)
            and any(is_below(entry.path, root) for root in roots)
        )


def is_below(path: str, root: str) -> bool:
    """Whether ``path`` is ``root`` itself or lies below it; both are relative to the snapshot's root."""
    trimmed = root.removeprefix("./").rstrip("/")
    return trimmed in ("", ".") or path == trimmed or path.startswith(trimmed + "/")
