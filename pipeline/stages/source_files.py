"""Which files a stage must look at: established from the snapshot, never by asking the tool."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from pipeline.core.snapshot import Snapshot, is_below
from pipeline.core.stage import NotChecked
from pipeline.errors import ConfigurationError
from pipeline.settings import Exclusion

# The program itself, or env(1) with its options and variables before it.
_SCRIPT = re.compile(rb"#!\s*(?:\S*/)?(?:env\s+(?:-\S+\s+|\w+=\S+\s+)*)?(?:\S*/)?python[0-9.]*(?=\s|$)")
_LONGEST_LINE = 512


def require_paths(snapshot: Snapshot, paths: Iterable[str], key: str) -> None:
    """Raises ConfigurationError for a configured path under which the snapshot has nothing."""
    for path in paths:
        if not snapshot.has_folder(path):
            raise ConfigurationError(
                f"{key} names {path!r}, and the checkout has no such file or folder.",
                why="Only files that git tracks, or that are new and not ignored, count.",
                advice="Correct the path in [tool.pipeline] of pyproject.toml.",
            )


def python_files(
    snapshot: Snapshot, paths: Iterable[str], exclude: Iterable[Exclusion], tree: Path
) -> tuple[tuple[str, ...], tuple[NotChecked, ...]]:
    """The Python files below ``paths`` that are not excluded, and what the exclusions leave out.

    They are those called ``*.py``, and scripts without a suffix whose first line names Python (``#!``); no tool looks
    for the latter by itself.
    """
    found = [
        path
        for path in snapshot.files(paths)
        if path.endswith(".py") or ("." not in path.rpartition("/")[2] and _is_script(tree / path))
    ]
    return apply_exclusions(found, exclude)


def _is_script(path: Path) -> bool:
    with path.open("rb") as file:
        return _SCRIPT.match(file.readline(_LONGEST_LINE)) is not None


def unaltered(snapshot: Snapshot, tree: Path, paths: Iterable[str]) -> tuple[str, ...]:
    """Those files that are in ``tree`` what the snapshot says: what a tool said of one that changed is worthless.

    Its key was made from what it was before a tool read it.
    """
    return tuple(path for path in paths if _digest(tree / path) == snapshot.by_path[path].digest)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def apply_exclusions(
    files: Iterable[str], exclude: Iterable[Exclusion]
) -> tuple[tuple[str, ...], tuple[NotChecked, ...]]:
    """The files that no exclusion covers; and for each exclusion what it left out, with the configured reason."""
    kept = tuple(files)
    left_out = []
    for exclusion in exclude:
        covered = [path for path in kept if is_below(path, exclusion.path)]
        kept = tuple(path for path in kept if not is_below(path, exclusion.path))
        amount = "1 file" if len(covered) == 1 else f"{len(covered)} files"
        left_out.append(NotChecked(what=f"{exclusion.path} ({amount})", reason=exclusion.reason))
    return kept, tuple(left_out)
