"""A finished report taken apart: a folder for each stage, as if each had run on a machine of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

MERGED = "pipeline.json"


def parted(reports: Path, folder: Path, *stages: Iterable[str]) -> list[Path]:
    """Folders below ``folder``, each with the merged report, the history and some of the stages."""
    return [_part(reports, folder / f"part-{number}", names) for number, names in enumerate(stages)]


def _part(reports: Path, part: Path, names: Iterable[str]) -> Path:
    part.mkdir(parents=True)
    for name in (MERGED, "history.jsonl"):
        shutil.copy(reports / name, part)
    for name in names:
        shutil.copytree(reports / "stages" / name, part / "stages" / name)
    return part


def contents(reports: Path) -> dict[str, bytes]:
    """Every file of a report."""
    return {path.relative_to(reports).as_posix(): path.read_bytes() for path in reports.rglob("*") if path.is_file()}
