"""coverage.py: the options that pytest-cov takes, and the percentage recomputed for the files that must count."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ToolTrouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Line coverage of the files that count, in percent; ``missing`` are files that coverage says nothing about."""

    percent: float
    statements: int
    covered: int
    missing: tuple[str, ...]
    excluded_lines: int


def sources_of(folders: tuple[str, ...], measured: tuple[str, ...]) -> tuple[str, ...]:
    """The ``folders``, and those of the ``measured`` files that coverage would not look into by itself.

    Where no test imports a file, coverage finds it only in folders that hold an ``__init__.py``, from the source
    downwards (coverage/files.py, ``find_python_files``); in a namespace package it needs each folder as a source.
    """
    packages = {posixpath.dirname(path) for path in measured if posixpath.basename(path) == "__init__.py"}
    found: dict[str, None] = {}
    for path in measured:
        folder = posixpath.dirname(path)
        if any(place not in packages for place in _upwards(folder, folders)):
            found[folder] = None
    return tuple(dict.fromkeys((*folders, *found)))


def _upwards(folder: str, folders: tuple[str, ...]) -> Iterator[str]:
    """The folder and those above it, up to but without one of ``folders``."""
    roots = {root.rstrip("/").removeprefix("./") for root in folders} | {"", "."}
    while folder not in roots:
        yield folder
        folder = posixpath.dirname(folder)


def options(sources: tuple[str, ...], report: Path) -> tuple[str, ...]:
    """pytest-cov's options: measure ``sources``, write JSON to ``report``, print nothing."""
    return (*(f"--cov={source}" for source in sources), "--cov-report=", f"--cov-report=json:{report}")


def parse(text: str, expected: tuple[str, ...]) -> Output:
    """The coverage of exactly the ``expected`` files, whatever else the project's configuration measures or leaves out.

    Raises:
        ToolTrouble: the report is not whole.
    """
    try:
        document: dict[str, Any] = json.loads(text)
        files = {name.replace("\\", "/"): entry["summary"] for name, entry in document["files"].items()}
        counted = [files[name] for name in expected if name in files]
        statements = sum(int(entry["num_statements"]) for entry in counted)
        covered = sum(int(entry["covered_lines"]) for entry in counted)
        excluded = sum(int(entry["excluded_lines"]) for entry in counted)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ToolTrouble("The coverage report is not whole, so it proves nothing.", why=repr(error)) from error
    return Output(
        percent=100.0 * covered / statements if statements else 0.0,
        statements=statements,
        covered=covered,
        missing=tuple(name for name in expected if name not in files),
        excluded_lines=excluded,
    )
